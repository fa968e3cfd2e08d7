/* The gate, case by case: docs/ARCHITECTURE "The gate". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "services/appointments/gate.h"
#include "televisit/v1/appointments.pb-c.h"

static const enum tv_status statuses[] = {
#define X(known, number) TV_STATUS_##known,
    TV_STATUS_MAP(X)
#undef X
};
static const enum tv_participant types[] = {
#define X(known, number) TV_PARTICIPANT_##known,
    TV_PARTICIPANT_MAP(X)
#undef X
};

static int64_t at(const char *text) {
    int64_t us = 0;
    if (!tv_time_parse(tv_str(text), &us))
        fail_msg("not a time: %s", text);
    return us;
}

#define OPENS INT64_C(1772000000000000)
#define CLOSES (OPENS + 9000 * TV_US_PER_S)

/* Where `now` may stand, and what the window says of it. */
static const struct {
    int64_t now_us;
    enum tv_decision window; /* ALLOWED: it is open */
} edges[] = {
    {OPENS - 1, TV_DECISION_TOO_EARLY}, {OPENS, TV_DECISION_ALLOWED},
    {OPENS + 1, TV_DECISION_ALLOWED},   {CLOSES - 1, TV_DECISION_ALLOWED},
    {CLOSES, TV_DECISION_TOO_LATE},     {CLOSES + 1, TV_DECISION_TOO_LATE},
    {INT64_MIN, TV_DECISION_TOO_EARLY}, {INT64_MAX, TV_DECISION_TOO_LATE},
};

static const enum tv_decision by_status[] = {
    [TV_STATUS_REQUESTED] = TV_DECISION_NOT_CONFIRMED,
    [TV_STATUS_DECLINED] = TV_DECISION_OVER,
    [TV_STATUS_CANCELLED] = TV_DECISION_OVER,
    [TV_STATUS_COMPLETED] = TV_DECISION_OVER,
    [TV_STATUS_NO_SHOW] = TV_DECISION_OVER,
};

static const bool waits[] = {
    [TV_PARTICIPANT_PATIENT] = true,
    [TV_PARTICIPANT_DOCTOR] = false,
    [TV_PARTICIPANT_INTERPRETER] = false,
    [TV_PARTICIPANT_GUEST] = true,
};

static void check(const struct tv_gate_input *in, enum tv_decision expected) {
    enum tv_decision decided = tv_gate_decide(in);
    if (decided != expected)
        fail_msg("status %s, own %d, asked %d, now %lld, waiting room %d, admitted %d, in call %d, "
                 "take over %d: %s, not %s",
                 tv_status_name(in->status), (int)in->own, (int)in->asked,
                 (long long)(in->now_us - OPENS), in->waiting_room, in->admitted, in->in_call,
                 in->take_over, tv_decision_name(decided), tv_decision_name(expected));
}

/* Calls `fn` for every status, type, edge, state of the waiting room and of the room itself. */
static void each(void (*fn)(struct tv_gate_input in, enum tv_decision window)) {
    for (size_t s = 0; s < TV_ARRAY_LEN(statuses); s++)
        for (size_t t = 0; t < TV_ARRAY_LEN(types); t++)
            for (size_t w = 0; w < TV_ARRAY_LEN(edges); w++)
                for (unsigned bits = 0; bits < 16; bits++)
                    fn((struct tv_gate_input){.own = types[t],
                                              .asked = types[t],
                                              .status = statuses[s],
                                              .opens_at_us = OPENS,
                                              .closes_at_us = CLOSES,
                                              .now_us = edges[w].now_us,
                                              .waiting_room = (bits & 1) != 0,
                                              .admitted = (bits & 2) != 0,
                                              .in_call = (bits & 4) != 0,
                                              .take_over = (bits & 8) != 0},
                       edges[w].window);
}

static void own_type(struct tv_gate_input in, enum tv_decision window) {
    enum tv_decision expected = window;
    if (in.status != TV_STATUS_CONFIRMED)
        expected = by_status[in.status];
    else if (window == TV_DECISION_ALLOWED && in.waiting_room && waits[in.own] && !in.admitted)
        expected = TV_DECISION_WAITING;
    else if (window == TV_DECISION_ALLOWED && in.in_call && !in.take_over)
        expected = TV_DECISION_ALREADY_IN_CALL;
    check(&in, expected);
}

static void other_type(struct tv_gate_input in, enum tv_decision window) {
    enum tv_participant own = in.own;
    for (size_t t = 0; t < TV_ARRAY_LEN(types); t++) {
        in.asked = types[t];
        if (in.asked != own)
            check(&in, TV_DECISION_WRONG_PARTICIPANT_TYPE);
    }
    in.asked = TV_PARTICIPANT_NONE;
    check(&in, TV_DECISION_WRONG_PARTICIPANT_TYPE);
}

/* A stranger learns nothing, whatever is true of the appointment. */
static void stranger(struct tv_gate_input in, enum tv_decision window) {
    in.own = TV_PARTICIPANT_NONE;
    check(&in, TV_DECISION_NOT_FOUND);
    in.asked = TV_PARTICIPANT_NONE;
    check(&in, TV_DECISION_NOT_FOUND);
}

static void test_every_case(void **state) { each(own_type); }
static void test_wrong_type_comes_first(void **state) { each(other_type); }
static void test_strangers(void **state) { each(stranger); }

/* Instants as people write them, each with the offset of its place and time of the year. */
static void test_real_days(void **state) {
    static const struct {
        const char *starts, *now;
        enum tv_decision expected;
    } rows[] = {
        /* the example of the guide */
        {"2026-11-23T14:00:00+01:00", "2026-11-23T13:29:59.999+01:00", TV_DECISION_TOO_EARLY},
        {"2026-11-23T14:00:00+01:00", "2026-11-23T13:30:00.000+01:00", TV_DECISION_ALLOWED},
        {"2026-11-23T14:00:00+01:00", "2026-11-23T15:59:59.999+01:00", TV_DECISION_ALLOWED},
        {"2026-11-23T14:00:00+01:00", "2026-11-23T16:00:00.000+01:00", TV_DECISION_TOO_LATE},
        /* the window crosses midnight: it opens the day before, closes the day after */
        {"2026-11-24T00:10:00+01:00", "2026-11-23T23:39:59.999999+01:00", TV_DECISION_TOO_EARLY},
        {"2026-11-24T00:10:00+01:00", "2026-11-23T23:40:00+01:00", TV_DECISION_ALLOWED},
        {"2026-11-23T23:30:00+01:00", "2026-11-24T01:29:59.999999+01:00", TV_DECISION_ALLOWED},
        {"2026-11-23T23:30:00+01:00", "2026-11-24T01:30:00+01:00", TV_DECISION_TOO_LATE},
        /* and the year */
        {"2027-01-01T00:00:00+01:00", "2026-12-31T23:30:00+01:00", TV_DECISION_ALLOWED},
        {"2026-12-31T23:45:00+01:00", "2027-01-01T01:44:59.999999+01:00", TV_DECISION_ALLOWED},
        {"2026-12-31T23:45:00+01:00", "2027-01-01T01:45:00+01:00", TV_DECISION_TOO_LATE},
        /* Berlin, clocks go forward at 02:00+01:00: 03:15+02:00 opens 01:45+01:00 */
        {"2026-03-29T03:15:00+02:00", "2026-03-29T01:44:59.999999+01:00", TV_DECISION_TOO_EARLY},
        {"2026-03-29T03:15:00+02:00", "2026-03-29T01:45:00+01:00", TV_DECISION_ALLOWED},
        {"2026-03-29T01:30:00+01:00", "2026-03-29T04:29:59.999999+02:00", TV_DECISION_ALLOWED},
        {"2026-03-29T01:30:00+01:00", "2026-03-29T04:30:00+02:00", TV_DECISION_TOO_LATE},
        /* Berlin, clocks go back at 03:00+02:00: the first 02:30 opens at 02:00+02:00 */
        {"2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+02:00", TV_DECISION_ALLOWED},
        {"2026-10-25T02:30:00+02:00", "2026-10-25T03:29:59.999999+01:00", TV_DECISION_ALLOWED},
        {"2026-10-25T02:30:00+02:00", "2026-10-25T03:30:00+01:00", TV_DECISION_TOO_LATE},
        /* New York, both nights */
        {"2026-03-08T03:00:00-04:00", "2026-03-08T01:30:00-05:00", TV_DECISION_ALLOWED},
        {"2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00", TV_DECISION_ALLOWED},
        {"2026-11-01T01:30:00-04:00", "2026-11-01T02:30:00-05:00", TV_DECISION_TOO_LATE},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        int64_t starts_at = at(rows[i].starts);
        const struct tv_gate_input in = {.own = TV_PARTICIPANT_PATIENT,
                                         .asked = TV_PARTICIPANT_PATIENT,
                                         .status = TV_STATUS_CONFIRMED,
                                         .opens_at_us = starts_at - 1800 * TV_US_PER_S,
                                         .closes_at_us = starts_at + 7200 * TV_US_PER_S,
                                         .now_us = at(rows[i].now)};
        check(&in, rows[i].expected);
    }
}

/* The numbers go over the bus as they are. */
static void test_numbers_are_those_of_the_proto(void **state) {
    const ProtobufCEnumDescriptor *d = &televisit__v1__join_decision__value__descriptor;
    assert_int_equal(d->n_values, 9 + 1);
#define X(known, number)                                                                           \
    assert_string_equal(protobuf_c_enum_descriptor_get_value(d, TV_DECISION_##known)->name,        \
                        #known);                                                                   \
    assert_string_equal(tv_decision_name(TV_DECISION_##known), #known);
    TV_DECISION_MAP(X)
#undef X
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_case),
        cmocka_unit_test(test_wrong_type_comes_first),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_real_days),
        cmocka_unit_test(test_numbers_are_those_of_the_proto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
