/* Booking, reading and changing through their handlers: what is asked, what is answered. */
#include "calls.h"

#include "services/appointments/appointments.c"

static struct fixture f;
static struct app app;

#define NOON "2026-11-24T11:00:00Z"

static int set_up(void **state) {
    fixture_start(&f);
    app = (struct app){.loop = f.loop, .pg = f.pg};
    return 0;
}
static int tear_down(void **state) {
    fixture_stop(&f);
    return 0;
}
static int each(void **state) {
    fixture_clear(&f);
    fixture_set_now(&f, "2026-11-23T08:00:00Z");
    return 0;
}

static Google__Protobuf__Timestamp at(const char *text) {
    Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    int64_t us = 0;
    assert_true(tv_time_parse(tv_str(text), &us));
    t.seconds = us / TV_US_PER_S;
    t.nanos = (int32_t)(us % TV_US_PER_S * 1000);
    return t;
}

#define TEXT(literal) ((char *)(uintptr_t)(literal))

struct book {
    const char *doctor_id, *starts_at, *reason, *patient_id, *key;
    int32_t minutes;
    bool confirmed;
};

static struct outcome *book(struct tv_actor who, struct book b) {
    Televisit__V1__BookRequest r = TELEVISIT__V1__BOOK_REQUEST__INIT;
    Google__Protobuf__Timestamp t = at(b.starts_at == NULL ? NOON : b.starts_at);
    r.doctor_id = TEXT(b.doctor_id == NULL ? DOCTOR : b.doctor_id);
    r.starts_at = b.starts_at == NULL ? NULL : &t;
    r.reason = TEXT(b.reason == NULL ? "" : b.reason);
    r.patient_id = TEXT(b.patient_id == NULL ? "" : b.patient_id);
    r.idempotency_key = TEXT(b.key == NULL ? "" : b.key);
    r.minutes = b.minutes;
    r.confirmed = b.confirmed;
    return call_handler(&app, appointments_book, who, &r.base,
                        &televisit__v1__change_reply__descriptor);
}

/* A booked appointment's id, owned. */
static char *booked(struct tv_actor who, struct book b) {
    struct outcome *o = book(who, b);
    assert_outcome(o, TV_OK);
    const Televisit__V1__ChangeReply *reply = o->reply;
    char *id = strdup(reply->appointment->id);
    outcome_free(o);
    return id;
}

static struct outcome *get(struct tv_actor who, const char *id) {
    Televisit__V1__GetAppointmentRequest r = TELEVISIT__V1__GET_APPOINTMENT_REQUEST__INIT;
    r.appointment_id = TEXT(id);
    return call_handler(&app, appointments_get, who, &r.base,
                        &televisit__v1__appointment__descriptor);
}

static struct outcome *confirm(struct tv_actor who, const char *id, int32_t if_match) {
    Televisit__V1__ConfirmRequest r = TELEVISIT__V1__CONFIRM_REQUEST__INIT;
    r.appointment_id = TEXT(id);
    r.if_match = if_match;
    return call_handler(&app, appointments_confirm, who, &r.base,
                        &televisit__v1__change_reply__descriptor);
}

static struct outcome *decline(struct tv_actor who, const char *id, int32_t if_match) {
    Televisit__V1__DeclineRequest r = TELEVISIT__V1__DECLINE_REQUEST__INIT;
    r.appointment_id = TEXT(id);
    r.if_match = if_match;
    r.note = TEXT("not my field");
    return call_handler(&app, appointments_decline, who, &r.base,
                        &televisit__v1__change_reply__descriptor);
}

static struct outcome *cancel(struct tv_actor who, const char *id, int32_t if_match) {
    Televisit__V1__CancelRequest r = TELEVISIT__V1__CANCEL_REQUEST__INIT;
    r.appointment_id = TEXT(id);
    r.if_match = if_match;
    return call_handler(&app, appointments_cancel, who, &r.base,
                        &televisit__v1__change_reply__descriptor);
}

static struct outcome *move(struct tv_actor who, const char *id, int32_t if_match,
                            const char *starts_at, int32_t minutes) {
    Televisit__V1__MoveRequest r = TELEVISIT__V1__MOVE_REQUEST__INIT;
    Google__Protobuf__Timestamp t = at(starts_at);
    r.appointment_id = TEXT(id);
    r.if_match = if_match;
    r.starts_at = &t;
    r.minutes = minutes;
    return call_handler(&app, appointments_move, who, &r.base,
                        &televisit__v1__change_reply__descriptor);
}

static void test_book_and_get(void **state) {
    struct outcome *o =
        book(AS_PATIENT, (struct book){.starts_at = NOON, .reason = "Husten \"&\" Ä", .key = "k"});
    assert_outcome(o, TV_OK);
    const Televisit__V1__ChangeReply *reply = o->reply;
    const Televisit__V1__Appointment *a = reply->appointment;
    assert_int_equal(a->version, 1);
    assert_int_equal(a->status, TELEVISIT__V1__APPOINTMENT_STATUS__VALUE__REQUESTED);
    assert_string_equal(time_of(a->starts_at), NOON);
    assert_string_equal(time_of(a->ends_at), "2026-11-24T11:30:00Z");
    assert_string_equal(time_of(a->created_at), "2026-11-23T08:00:00Z");
    assert_string_equal(a->time_zone, "Europe/Berlin");
    assert_string_equal(a->reason, "Husten \"&\" Ä");
    assert_int_equal(a->n_participants, 2);
    assert_string_equal(a->participants[0]->display_name, "Paula");
    assert_int_equal(a->participants[0]->type, TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__PATIENT);
    assert_string_equal(a->participants[1]->person_id, DOCTOR);
    assert_int_equal(a->join->decision, TELEVISIT__V1__JOIN_DECISION__VALUE__NOT_CONFIRMED);
    assert_string_equal(time_of(a->join->opens_at), "2026-11-24T10:30:00Z");
    assert_string_equal(time_of(a->join->closes_at), "2026-11-24T13:00:00Z");
    assert_string_equal(time_of(a->join->server_time), "2026-11-23T08:00:00Z");
    assert_int_equal(reply->n_told, 3);
    assert_false(reply->due_now);
    const Televisit__V1__InboxEntry *told = reply->told[0];
    assert_int_equal(told->seq, 1);
    assert_string_equal(told->type, "appointment.requested");
    assert_string_equal(told->clinic_id, BERLIN);
    assert_string_equal(told->appointment_id, a->id);
    assert_int_equal(told->appointment_version, 1);
    assert_null(told->due_at);
    assert_string_equal(time_of(told->opens_at), "2026-11-24T10:30:00Z");

    struct outcome *same = get(AS_DOCTOR, a->id);
    assert_outcome(same, TV_OK);
    const Televisit__V1__Appointment *seen = same->reply;
    assert_string_equal(seen->id, a->id);
    outcome_free(same);
    /* staff see it, but take no part */
    same = get(AS_STAFF, a->id);
    seen = same->reply;
    assert_int_equal(seen->join->decision, TELEVISIT__V1__JOIN_DECISION__VALUE__NOT_FOUND);
    outcome_free(same);
    static const char *const ids[] = {UNKNOWN, "", "x", "'"};
    for (size_t i = 0; i < TV_ARRAY_LEN(ids); i++) {
        same = get(AS_DOCTOR, ids[i]);
        assert_outcome(same, TV_ERR_NOT_FOUND);
        outcome_free(same);
    }
    same = get(AS_PATIENT2, a->id);
    assert_outcome(same, TV_ERR_NOT_FOUND);
    outcome_free(same);
    outcome_free(o);
}

/* The button flips with the database's clock. */
static void test_join_of_a_confirmed_one(void **state) {
    static const struct {
        const char *now;
        int decision;
    } rows[] = {
        {"2026-11-24T10:29:59.999999Z", TELEVISIT__V1__JOIN_DECISION__VALUE__TOO_EARLY},
        {"2026-11-24T10:30:00Z", TELEVISIT__V1__JOIN_DECISION__VALUE__ALLOWED},
        {"2026-11-24T12:59:59.999999Z", TELEVISIT__V1__JOIN_DECISION__VALUE__ALLOWED},
        {"2026-11-24T13:00:00Z", TELEVISIT__V1__JOIN_DECISION__VALUE__TOO_LATE},
    };
    char *id = booked(
        AS_STAFF,
        (struct book){.starts_at = NOON, .patient_id = PATIENT, .key = "k", .confirmed = true});
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        fixture_set_now(&f, rows[i].now);
        struct outcome *o = get(AS_PATIENT, id);
        assert_outcome(o, TV_OK);
        const Televisit__V1__Appointment *a = o->reply;
        assert_int_equal(a->join->decision, rows[i].decision);
        assert_string_equal(time_of(a->join->server_time), rows[i].now);
        outcome_free(o);
    }
    free(id);
}

static void test_bad_bookings(void **state) {
    const struct tv_actor admin = actor(BERLIN, ADMIN, TV_ROLE_ADMIN);
    const struct {
        struct tv_actor who;
        struct book book;
        enum tv_err expected;
        const char *pointer;
    } rows[] = {
        {AS_PATIENT, {.starts_at = NOON}, TV_ERR_INVALID, "Idempotency-Key"},
        {AS_PATIENT, {.key = "k"}, TV_ERR_INVALID, "/startsAt"},
        {AS_PATIENT,
         {.starts_at = NOON, .key = "k", .doctor_id = "x"},
         TV_ERR_INVALID,
         "/doctorId"},
        {AS_PATIENT, {.starts_at = NOON, .key = "k", .minutes = 60}, TV_ERR_FORBIDDEN, ""},
        {AS_PATIENT, {.starts_at = NOON, .key = "k", .confirmed = true}, TV_ERR_FORBIDDEN, ""},
        {AS_PATIENT, {.starts_at = NOON, .key = "k", .patient_id = PATIENT2}, TV_ERR_FORBIDDEN, ""},
        {AS_STAFF, {.starts_at = NOON, .key = "k"}, TV_ERR_INVALID, "/patientId"},
        {AS_STAFF,
         {.starts_at = NOON, .key = "k", .patient_id = PATIENT, .minutes = -1},
         TV_ERR_INVALID,
         "/minutes"},
        {AS_STAFF,
         {.starts_at = NOON, .key = "k", .patient_id = PATIENT, .minutes = 481},
         TV_ERR_INVALID,
         "/minutes"},
        {AS_DOCTOR, {.starts_at = NOON, .key = "k"}, TV_ERR_FORBIDDEN, ""},
        {admin, {.starts_at = NOON, .key = "k", .patient_id = PATIENT}, TV_ERR_FORBIDDEN, ""},
        {AS_PATIENT,
         {.starts_at = "9999-12-31T23:59:59Z", .key = "k"},
         TV_ERR_INVALID,
         "/startsAt"},
        {AS_PATIENT,
         {.starts_at = "0001-01-01T00:00:00Z", .key = "k"},
         TV_ERR_INVALID,
         "/startsAt"},
        {AS_STAFF,
         {.starts_at = "9999-12-31T23:59:59Z", .key = "k", .patient_id = PATIENT},
         TV_ERR_INVALID,
         "/startsAt"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct outcome *o = book(rows[i].who, rows[i].book);
        print_message("row %zu\n", i);
        assert_outcome(o, rows[i].expected);
        assert_string_equal(o->error.pointer, rows[i].pointer);
        outcome_free(o);
    }
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.appointment"), 0);
}

static void test_one_key_one_answer(void **state) {
    const struct book b = {.starts_at = NOON, .key = "k", .reason = "a"};
    struct outcome *first = book(AS_PATIENT, b);
    assert_outcome(first, TV_OK);
    const Televisit__V1__ChangeReply *one = first->reply;
    /* at another time, of another policy, after a change: byte by byte the same */
    fixture_set_now(&f, "2026-11-23T20:00:00Z");
    free(test_sql(&f.db, "UPDATE tv.clinic SET waiting_room = true"));
    struct outcome *o = confirm(AS_DOCTOR, one->appointment->id, 1);
    assert_outcome(o, TV_OK);
    outcome_free(o);
    struct outcome *again = book(AS_PATIENT, b);
    assert_outcome(again, TV_OK);
    const Televisit__V1__ChangeReply *two = again->reply;
    struct tv_str one_bytes = tv_pb_pack(&one->appointment->base, first->arena);
    struct tv_str two_bytes = tv_pb_pack(&two->appointment->base, again->arena);
    assert_true(tv_str_eq(one_bytes, two_bytes));
    assert_int_equal(two->n_told, 0); /* they were told */
    outcome_free(first);
    outcome_free(again);

    struct book other = b;
    other.reason = "b";
    o = book(AS_PATIENT, other);
    assert_outcome(o, TV_ERR_KEY_REUSED);
    outcome_free(o);
    other = b;
    other.starts_at = "2026-11-24T12:00:00Z";
    o = book(AS_PATIENT, other);
    assert_outcome(o, TV_ERR_KEY_REUSED);
    outcome_free(o);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.appointment"), 1);
}

static void test_confirm_and_decline(void **state) {
    char *id = booked(AS_PATIENT, (struct book){.starts_at = NOON, .key = "k"});
    static const struct {
        const char *person;
        enum tv_role role;
        int32_t if_match;
        enum tv_err expected;
    } rows[] = {
        {PATIENT, TV_ROLE_PATIENT, 1, TV_ERR_FORBIDDEN},
        {DOCTOR2, TV_ROLE_DOCTOR, 1, TV_ERR_NOT_FOUND},
        {DOCTOR, TV_ROLE_DOCTOR, 0, TV_ERR_VERSION_REQUIRED},
        {DOCTOR, TV_ROLE_DOCTOR, -1, TV_ERR_VERSION_REQUIRED},
        {DOCTOR, TV_ROLE_DOCTOR, 2, TV_ERR_STALE},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct outcome *o =
            confirm(actor(BERLIN, rows[i].person, rows[i].role), id, rows[i].if_match);
        assert_outcome(o, rows[i].expected);
        outcome_free(o);
    }
    fixture_set_now(&f, "2026-11-24T10:50:00Z"); /* inside the window */
    struct outcome *o = confirm(AS_DOCTOR, id, 1);
    assert_outcome(o, TV_OK);
    const Televisit__V1__ChangeReply *reply = o->reply;
    assert_int_equal(reply->appointment->version, 2);
    assert_int_equal(reply->appointment->join->decision,
                     TELEVISIT__V1__JOIN_DECISION__VALUE__ALLOWED);
    assert_true(reply->due_now);
    assert_int_equal(reply->n_told, 1);
    assert_string_equal(reply->told[0]->person_id, PATIENT);
    outcome_free(o);
    /* twice, by a page that was left open */
    o = confirm(AS_DOCTOR, id, 1);
    assert_outcome(o, TV_ERR_STALE);
    outcome_free(o);
    o = decline(AS_DOCTOR, id, 2);
    assert_outcome(o, TV_ERR_ILLEGAL_TRANSITION);
    assert_string_equal(outcome_member(o, "appointmentStatus"), "CONFIRMED");
    assert_string_equal(outcome_member(o, "wantedStatus"), "DECLINED");
    outcome_free(o);
    free(id);

    id = booked(AS_PATIENT2, (struct book){.starts_at = "2026-11-25T11:00:00Z", .key = "k"});
    o = decline(AS_STAFF, id, 1);
    assert_outcome(o, TV_OK);
    reply = o->reply;
    assert_string_equal(reply->appointment->note, "not my field");
    assert_int_equal(reply->n_told, 2); /* the doctor and the patient */
    outcome_free(o);
    free(id);
}

static void test_move(void **state) {
    char *id = booked(AS_STAFF, (struct book){.starts_at = NOON,
                                              .patient_id = PATIENT,
                                              .key = "k",
                                              .minutes = 60,
                                              .confirmed = true});
    struct outcome *o = move(AS_DOCTOR, id, 2, "2026-11-24T15:05:00Z", 0);
    assert_outcome(o, TV_OK);
    const Televisit__V1__ChangeReply *reply = o->reply;
    assert_int_equal(reply->appointment->status,
                     TELEVISIT__V1__APPOINTMENT_STATUS__VALUE__CONFIRMED);
    assert_string_equal(time_of(reply->appointment->ends_at), "2026-11-24T16:05:00Z");
    outcome_free(o);
    o = move(AS_DOCTOR, id, 3, NOON, 30);
    assert_outcome(o, TV_ERR_FORBIDDEN); /* only staff choose a length */
    outcome_free(o);
    o = move(AS_PATIENT, id, 3, "2026-11-24T17:01:00Z", 0);
    assert_outcome(o, TV_ERR_INVALID); /* no slot */
    outcome_free(o);
    o = move(AS_PATIENT, id, 3, "2026-11-24T15:30:00Z", 0);
    assert_outcome(o, TV_OK); /* into a part of its own time */
    reply = o->reply;
    assert_int_equal(reply->appointment->version, 4);
    assert_int_equal(reply->appointment->status,
                     TELEVISIT__V1__APPOINTMENT_STATUS__VALUE__REQUESTED);
    outcome_free(o);
    o = move(AS_PATIENT, id, 4, NOON, 0);
    assert_outcome(o, TV_ERR_ILLEGAL_TRANSITION);
    outcome_free(o);

    o = confirm(AS_STAFF, id, 4);
    outcome_free(o);
    free(test_sql(&f.db, "UPDATE tv.clinic SET reschedule_needs_confirmation = false"));
    o = move(AS_PATIENT, id, 5, "2026-11-24T18:00:00Z", 0);
    assert_outcome(o, TV_OK);
    reply = o->reply;
    assert_int_equal(reply->appointment->status,
                     TELEVISIT__V1__APPOINTMENT_STATUS__VALUE__CONFIRMED);
    outcome_free(o);
    fixture_check_promises(&f);
    free(id);
}

static void test_cancel(void **state) {
    char *id = booked(AS_PATIENT, (struct book){.starts_at = NOON, .key = "k"});
    free(test_sql(&f.db, "UPDATE tv.clinic SET cancellation_notice_s = 97200")); /* 27 hours */
    struct outcome *o = cancel(AS_PATIENT, id, 1);
    assert_outcome(o, TV_OK); /* exactly 27 hours before */
    outcome_free(o);
    o = cancel(AS_PATIENT, id, 2);
    assert_outcome(o, TV_ERR_ILLEGAL_TRANSITION);
    outcome_free(o);
    free(id);
    id = booked(AS_PATIENT, (struct book){.starts_at = NOON, .key = "k2"});
    fixture_set_now(&f, "2026-11-23T08:00:00.000001Z");
    o = cancel(AS_PATIENT, id, 1);
    assert_outcome(o, TV_ERR_FORBIDDEN);
    outcome_free(o);
    o = cancel(AS_STAFF, id, 1);
    assert_outcome(o, TV_OK);
    outcome_free(o);
    free(test_sql(&f.db, "UPDATE tv.clinic SET cancellation_notice_s = 0"));
    free(id);
}

static struct outcome *list(struct tv_actor who, int32_t limit, const char *cursor, int status) {
    Televisit__V1__ListAppointmentsRequest r = TELEVISIT__V1__LIST_APPOINTMENTS_REQUEST__INIT;
    r.limit = limit;
    r.cursor = TEXT(cursor);
    r.status = (Televisit__V1__AppointmentStatus__Value)status;
    return call_handler(&app, appointments_list, who, &r.base,
                        &televisit__v1__list_appointments_reply__descriptor);
}

static void test_list(void **state) {
    enum { N = 7 };
    for (int i = 0; i < N; i++) {
        char starts[32], key[16];
        (void)snprintf(starts, sizeof(starts), "2026-11-2%dT11:00:00Z", 4 + i / 2);
        (void)snprintf(key, sizeof(key), "k%d", i);
        /* two start together, with different doctors and patients */
        free(booked(AS_STAFF, (struct book){.doctor_id = i % 2 == 0 ? DOCTOR : DOCTOR2,
                                            .patient_id = i % 2 == 0 ? PATIENT : PATIENT2,
                                            .starts_at = starts,
                                            .key = key,
                                            .confirmed = i == 0}));
    }
    /* page by page gives all, each once, in order */
    for (int32_t size = 1; size <= N + 1; size++) {
        char cursor[64] = "", last_id[64] = "", last_start[TV_TIME_TEXT_MAX] = "";
        size_t seen = 0;
        do {
            struct outcome *o = list(AS_STAFF, size, cursor, 0);
            assert_outcome(o, TV_OK);
            const Televisit__V1__ListAppointmentsReply *page = o->reply;
            assert_true(page->n_appointments <= (size_t)size);
            for (size_t i = 0; i < page->n_appointments; i++) {
                const Televisit__V1__Appointment *a = page->appointments[i];
                int by_start = strcmp(last_start, time_of(a->starts_at));
                assert_true(by_start < 0 || (by_start == 0 && strcmp(last_id, a->id) < 0));
                (void)snprintf(last_start, sizeof(last_start), "%s", time_of(a->starts_at));
                (void)snprintf(last_id, sizeof(last_id), "%s", a->id);
                assert_non_null(a->join);
            }
            seen += page->n_appointments;
            (void)snprintf(cursor, sizeof(cursor), "%s", page->next_cursor);
            outcome_free(o);
        } while (cursor[0] != '\0');
        assert_int_equal(seen, N);
    }
    struct outcome *o = list(AS_PATIENT, 0, "", 0);
    const Televisit__V1__ListAppointmentsReply *page = o->reply;
    assert_int_equal(page->n_appointments, 4);
    outcome_free(o);
    o = list(AS_STAFF, 0, "", TELEVISIT__V1__APPOINTMENT_STATUS__VALUE__CONFIRMED);
    page = o->reply;
    assert_int_equal(page->n_appointments, 1);
    outcome_free(o);
    o = list(AS_STAFF, 0, "", 77);
    assert_outcome(o, TV_ERR_INVALID);
    outcome_free(o);
    o = list(AS_STAFF, 0, "no cursor", 0);
    assert_outcome(o, TV_ERR_INVALID);
    assert_string_equal(o->error.pointer, "cursor");
    outcome_free(o);
    /* unreasonable sizes are bounded, not refused: the gateway has checked them */
    o = list(AS_STAFF, INT32_MAX, "", 0);
    assert_outcome(o, TV_OK);
    outcome_free(o);
    o = list(AS_STAFF, INT32_MIN, "", 0);
    assert_outcome(o, TV_OK);
    outcome_free(o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_book_and_get, each),
        cmocka_unit_test_setup(test_join_of_a_confirmed_one, each),
        cmocka_unit_test_setup(test_bad_bookings, each),
        cmocka_unit_test_setup(test_one_key_one_answer, each),
        cmocka_unit_test_setup(test_confirm_and_decline, each),
        cmocka_unit_test_setup(test_move, each),
        cmocka_unit_test_setup(test_cancel, each),
        cmocka_unit_test_setup(test_list, each),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
