/* The transitions of an appointment against a table written the other way round: for each status
 * and action, what each kind of person gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "services/appointments/status.h"
#include "televisit/v1/appointments.pb-c.h"

enum { PATIENT, DOCTOR, INTERPRETER, GUEST, STAFF, STRANGER, KINDS };

#define ILLEGAL "!"   /* 409 illegal-transition */
#define FORBIDDEN "-" /* 403 */

static const struct {
    enum tv_action action;
    enum tv_status from;
    /* patient, doctor, interpreter, guest, staff, a stranger */
    const char *result[KINDS];
    const char *event_type;
} expected[] = {
    {TV_ACTION_BOOK,
     TV_STATUS_NONE,
     {"REQUESTED", "-", "-", "-", "REQUESTED", "-"},
     "appointment.requested"},
    {TV_ACTION_CONFIRM,
     TV_STATUS_REQUESTED,
     {"-", "CONFIRMED", "-", "-", "CONFIRMED", "-"},
     "appointment.confirmed"},
    {TV_ACTION_DECLINE,
     TV_STATUS_REQUESTED,
     {"-", "DECLINED", "-", "-", "DECLINED", "-"},
     "appointment.declined"},
    {TV_ACTION_CANCEL,
     TV_STATUS_REQUESTED,
     {"CANCELLED", "CANCELLED", "CANCELLED", "CANCELLED", "CANCELLED", "-"},
     "appointment.cancelled"},
    {TV_ACTION_CANCEL,
     TV_STATUS_CONFIRMED,
     {"CANCELLED", "CANCELLED", "CANCELLED", "CANCELLED", "CANCELLED", "-"},
     "appointment.cancelled"},
    {TV_ACTION_MOVE,
     TV_STATUS_CONFIRMED,
     {"REQUESTED", "CONFIRMED", "CONFIRMED", "CONFIRMED", "CONFIRMED", "-"},
     "appointment.moved"},
    {TV_ACTION_END,
     TV_STATUS_CONFIRMED,
     {"-", "COMPLETED", "-", "-", "-", "-"},
     "appointment.completed"},
    {TV_ACTION_COMPLETE,
     TV_STATUS_CONFIRMED,
     {"-", "COMPLETED", "-", "-", "-", "-"},
     "appointment.completed"},
    {TV_ACTION_COMPLETE,
     TV_STATUS_NO_SHOW,
     {"-", "-", "-", "-", "COMPLETED", "-"},
     "appointment.completed"},
    {TV_ACTION_NO_SHOW,
     TV_STATUS_CONFIRMED,
     {"-", "-", "-", "-", "NO_SHOW", "-"},
     "appointment.no_show"},
    {TV_ACTION_NO_SHOW,
     TV_STATUS_COMPLETED,
     {"-", "-", "-", "-", "NO_SHOW", "-"},
     "appointment.no_show"},
};

static const enum tv_participant own[KINDS] = {
    [PATIENT] = TV_PARTICIPANT_PATIENT,
    [DOCTOR] = TV_PARTICIPANT_DOCTOR,
    [INTERPRETER] = TV_PARTICIPANT_INTERPRETER,
    [GUEST] = TV_PARTICIPANT_GUEST,
    [STAFF] = TV_PARTICIPANT_NONE,
    [STRANGER] = TV_PARTICIPANT_NONE,
};

static struct tv_status_ask ask(enum tv_action action, enum tv_status from, unsigned kind) {
    return (struct tv_status_ask){.action = action,
                                  .from = from,
                                  .own = own[kind],
                                  .staff = kind == STAFF,
                                  .reschedule_needs_confirmation = true};
}

/* What is expected for an action from a status; NULL: every one gets 409. */
static const char *const *row(enum tv_action action, enum tv_status from, const char **event) {
    for (size_t i = 0; i < TV_ARRAY_LEN(expected); i++)
        if (expected[i].action == action && expected[i].from == from) {
            *event = expected[i].event_type;
            return expected[i].result;
        }
    return NULL;
}

static void test_every_transition(void **state) {
    for (int action = TV_ACTION_BOOK; action <= TV_ACTION_NO_SHOW; action++)
        for (int from = TV_STATUS_NONE; from <= TV_STATUS_NO_SHOW; from++)
            for (unsigned kind = 0; kind < KINDS; kind++) {
                struct tv_status_ask a = ask((enum tv_action)action, (enum tv_status)from, kind);
                struct tv_status_change change = {TV_STATUS_NONE, NULL};
                struct tv_error e = TV_ERROR_INIT;
                enum tv_err err = tv_status_change(&a, &change, &e);
                const char *event = NULL;
                const char *const *results = row(a.action, a.from, &event);
                const char *result = results == NULL ? ILLEGAL : results[kind];
                print_message("%d from %s by %u: %s\n", action, tv_status_name(a.from), kind,
                              result);
                if (strcmp(result, ILLEGAL) == 0) {
                    assert_int_equal(err, TV_ERR_ILLEGAL_TRANSITION);
                    assert_int_equal(e.members, 2);
                    assert_string_equal(e.member[0].name, "appointmentStatus");
                    assert_string_equal(e.member[0].string, tv_status_name(a.from));
                    assert_string_equal(e.member[1].name, "wantedStatus");
                    assert_true(e.member[1].string[0] != '\0');
                } else if (strcmp(result, FORBIDDEN) == 0) {
                    assert_int_equal(err, TV_ERR_FORBIDDEN);
                } else {
                    assert_int_equal(err, TV_OK);
                    assert_string_equal(tv_status_name(change.to), result);
                    assert_string_equal(change.event_type, event);
                }
            }
}

static void test_move_without_new_confirmation(void **state) {
    struct tv_status_ask a = ask(TV_ACTION_MOVE, TV_STATUS_CONFIRMED, PATIENT);
    a.reschedule_needs_confirmation = false;
    struct tv_status_change change;
    struct tv_error e = TV_ERROR_INIT;
    assert_int_equal(tv_status_change(&a, &change, &e), TV_OK);
    assert_int_equal(change.to, TV_STATUS_CONFIRMED);
}

static void test_cancellation_notice(void **state) {
    const int64_t starts = INT64_C(1772000000000000), notice = INT64_C(86400000000);
    const struct {
        unsigned kind;
        int64_t notice_us, now_us;
        enum tv_err expected;
    } rows[] = {
        {PATIENT, notice, starts - notice, TV_OK},
        {PATIENT, notice, starts - notice + 1, TV_ERR_FORBIDDEN},
        {PATIENT, 0, starts + 1, TV_OK},
        {DOCTOR, notice, starts - 1, TV_OK},
        {STAFF, notice, starts - 1, TV_OK},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_status_ask a = ask(TV_ACTION_CANCEL, TV_STATUS_CONFIRMED, rows[i].kind);
        a.starts_at_us = starts;
        a.now_us = rows[i].now_us;
        a.cancellation_notice_us = rows[i].notice_us;
        struct tv_status_change change;
        struct tv_error e = TV_ERROR_INIT;
        assert_int_equal(tv_status_change(&a, &change, &e), rows[i].expected);
    }
}

/* A call that has not begun cannot have taken place; whoever may not end it learns no times. */
static void test_not_before_it_opens(void **state) {
    const int64_t opens = INT64_C(1772000000000000);
    const struct {
        enum tv_action action;
        enum tv_status from;
        unsigned kind;
        int64_t now_us;
        enum tv_err expected;
    } rows[] = {
        {TV_ACTION_END, TV_STATUS_CONFIRMED, DOCTOR, opens - 1, TV_ERR_TOO_EARLY},
        {TV_ACTION_END, TV_STATUS_CONFIRMED, DOCTOR, opens, TV_OK},
        {TV_ACTION_END, TV_STATUS_CONFIRMED, PATIENT, opens - 1, TV_ERR_FORBIDDEN},
        {TV_ACTION_END, TV_STATUS_REQUESTED, DOCTOR, opens - 1, TV_ERR_ILLEGAL_TRANSITION},
        {TV_ACTION_COMPLETE, TV_STATUS_CONFIRMED, DOCTOR, opens - 1, TV_ERR_TOO_EARLY},
        {TV_ACTION_COMPLETE, TV_STATUS_CONFIRMED, DOCTOR, opens, TV_OK},
        {TV_ACTION_COMPLETE, TV_STATUS_CONFIRMED, STAFF, opens - 1, TV_ERR_FORBIDDEN},
        /* what staff say needs no clock */
        {TV_ACTION_COMPLETE, TV_STATUS_NO_SHOW, STAFF, opens - 1, TV_OK},
        {TV_ACTION_NO_SHOW, TV_STATUS_CONFIRMED, STAFF, opens - 1, TV_OK},
        {TV_ACTION_CANCEL, TV_STATUS_CONFIRMED, DOCTOR, opens - 1, TV_OK},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_status_ask a = ask(rows[i].action, rows[i].from, rows[i].kind);
        a.opens_at_us = opens;
        a.now_us = rows[i].now_us;
        struct tv_status_change change;
        struct tv_error e = TV_ERROR_INIT;
        print_message("row %zu\n", i);
        assert_int_equal(tv_status_change(&a, &change, &e), rows[i].expected);
        if (rows[i].expected != TV_ERR_TOO_EARLY)
            continue;
        assert_int_equal(e.members, 2);
        assert_string_equal(e.member[0].name, "opensAt");
        assert_int_equal(e.member[0].time_us, opens);
        assert_string_equal(e.member[1].name, "serverTime");
        assert_int_equal(e.member[1].time_us, rows[i].now_us);
    }
}

static void test_names(void **state) {
    const ProtobufCEnumDescriptor *s = &televisit__v1__appointment_status__value__descriptor;
    assert_int_equal(s->n_values, 6 + 1);
#define X(known, number)                                                                           \
    assert_string_equal(protobuf_c_enum_descriptor_get_value(s, TV_STATUS_##known)->name, #known); \
    assert_int_equal(tv_status_parse(#known), TV_STATUS_##known);
    TV_STATUS_MAP(X)
#undef X
    const ProtobufCEnumDescriptor *p = &televisit__v1__participant_type__value__descriptor;
    assert_int_equal(p->n_values, 4 + 1);
#define X(known, number)                                                                           \
    assert_string_equal(protobuf_c_enum_descriptor_get_value(p, TV_PARTICIPANT_##known)->name,     \
                        #known);                                                                   \
    assert_int_equal(tv_participant_parse(#known), TV_PARTICIPANT_##known);
    TV_PARTICIPANT_MAP(X)
#undef X
    assert_int_equal(tv_status_parse("confirmed"), TV_STATUS_NONE);
    assert_int_equal(tv_status_parse(""), TV_STATUS_NONE);
    assert_int_equal(tv_participant_parse("STAFF"), TV_PARTICIPANT_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_transition),
        cmocka_unit_test(test_move_without_new_confirmation),
        cmocka_unit_test(test_cancellation_notice),
        cmocka_unit_test(test_not_before_it_opens),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
