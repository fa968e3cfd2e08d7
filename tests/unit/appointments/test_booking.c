/* Booking and changing against a real database: one winner, one answer per key, all told once. */
#include "fixture.h"

static struct fixture f;

#define NOON "2026-11-24T11:00:00Z" /* 12:00 in Berlin, tomorrow */

static int set_up(void **state) {
    fixture_start(&f);
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
static int each_end(void **state) {
    fixture_check_promises(&f);
    return 0;
}

static void assert_err(const struct answer *a, enum tv_err expected) {
    if (a->err != expected)
        fail_msg("%s (%s), not %s", a->err == TV_OK ? "ok" : tv_err_info(a->err)->slug,
                 a->error.detail, expected == TV_OK ? "ok" : tv_err_info(expected)->slug);
}

static void test_patient_books(void **state) {
    struct answer *a = fixture_book(&f, AS_PATIENT, (struct booking){.starts_at = NOON});
    assert_err(a, TV_OK);
    assert_string_equal(answer_value(a, 2, 0, "status"), "REQUESTED");
    assert_string_equal(answer_value(a, 2, 0, "version"), "1");
    assert_string_equal(answer_value(a, 2, 0, "participant_type"), "PATIENT");
    assert_string_equal(answer_value(a, 2, 0, "starts_at"), "2026-11-24 11:00:00+00");
    assert_string_equal(answer_value(a, 2, 0, "opens_at"), "2026-11-24 10:30:00+00");
    assert_string_equal(answer_value(a, 2, 0, "closes_at"), "2026-11-24 13:00:00+00");
    assert_string_equal(answer_value(a, 0, 0, "due_now"), "f");
    /* the doctor and both of staff are told, the patient is not */
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.inbox WHERE person_id IN"
                                       " ('" DOCTOR "', '" STAFF "', '" STAFF2 "')"),
                     3);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.inbox"), 3);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.due"), 0);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.audit WHERE action ="
                                       " 'appointment.requested' AND person_id = '" PATIENT "'"),
                     1);
    answer_free(a);
}

static void test_staff_confirm_at_once(void **state) {
    struct answer *a = fixture_book(&f, AS_STAFF,
                                    (struct booking){.patient_id = PATIENT,
                                                     .starts_at = "2026-11-26T11:07:00Z",
                                                     .minutes = "45",
                                                     .confirmed = true});
    assert_err(a, TV_OK);
    assert_string_equal(answer_value(a, 2, 0, "status"), "CONFIRMED");
    assert_string_equal(answer_value(a, 2, 0, "version"), "2");
    assert_null(answer_value(a, 2, 0, "participant_type"));
    /* requested to the doctor and staff, then confirmed to the doctor and the patient */
    char *told = test_sql(&f.db, "SELECT string_agg(p.display_name || ' ' || i.seq || ' ' || e.type"
                                 " || ' v' || e.version, ', ' ORDER BY p.display_name, i.seq)"
                                 " FROM tv.inbox i JOIN tv.event e ON e.id = i.event_id"
                                 " JOIN tv.person p ON p.id = i.person_id");
    assert_string_equal(told, "Dr. Adam 1 appointment.requested v1,"
                              " Dr. Adam 2 appointment.confirmed v2,"
                              " Paula 1 appointment.confirmed v2,"
                              " Stefan 1 appointment.requested v1,"
                              " Susi 1 appointment.requested v1");
    free(told);
    char *due = test_sql(&f.db, "SELECT string_agg(kind || ' ' || lead_s || ' ' || due_at || ' ' ||"
                                " expires_at, ', ' ORDER BY kind) FROM tv.due");
    assert_string_equal(due, "call_available 0 2026-11-26 10:37:00+00 2026-11-26 13:07:00+00,"
                             " call_closing 0 2026-11-26 13:02:00+00 2026-11-26 13:07:00+00,"
                             " reminder 86400 2026-11-25 11:07:00+00 2026-11-26 10:37:00+00,"
                             " window_closed 0 2026-11-26 13:07:00+00 infinity");
    free(due);
    assert_string_equal(answer_value(a, 0, 0, "due_now"), "f");
    assert_int_equal(fixture_count(&f, "SELECT extract(epoch FROM ends_at - starts_at)"
                                       " FROM tv.appointment"),
                     45 * 60);
    answer_free(a);
}

static void test_confirmed_inside_the_window_is_due_now(void **state) {
    fixture_set_now(&f, "2026-11-24T10:45:00Z");
    struct answer *a =
        fixture_book(&f, AS_STAFF,
                     (struct booking){.patient_id = PATIENT, .starts_at = NOON, .confirmed = true});
    assert_err(a, TV_OK);
    assert_string_equal(answer_value(a, 0, 0, "due_now"), "t");
    char *due = test_sql(&f.db, "SELECT string_agg(kind || ' ' || due_at, ', ' ORDER BY kind)"
                                " FROM tv.due");
    assert_string_equal(due, "call_available 2026-11-24 10:45:00+00,"
                             " call_closing 2026-11-24 12:55:00+00,"
                             " window_closed 2026-11-24 13:00:00+00");
    free(due);
    answer_free(a);
}

static void test_refused(void **state) {
    free(fixture_confirmed(&f, PATIENT3, "2026-11-24T09:00:00Z"));
    const struct {
        const char *what;
        struct tv_actor who;
        struct booking booking;
        enum tv_err expected;
    } rows[] = {
        {"unknown doctor", AS_PATIENT, {.doctor_id = UNKNOWN, .starts_at = NOON}, TV_ERR_NOT_FOUND},
        {"another clinic's doctor",
         AS_PATIENT,
         {.doctor_id = NY_DOCTOR, .starts_at = NOON},
         TV_ERR_NOT_FOUND},
        {"no doctor", AS_PATIENT, {.doctor_id = STAFF, .starts_at = NOON}, TV_ERR_NOT_FOUND},
        {"unknown patient", AS_STAFF, {.patient_id = UNKNOWN, .starts_at = NOON}, TV_ERR_NOT_FOUND},
        {"another clinic's patient",
         AS_STAFF,
         {.patient_id = NY_PATIENT, .starts_at = NOON},
         TV_ERR_NOT_FOUND},
        {"no patient", AS_STAFF, {.patient_id = DOCTOR2, .starts_at = NOON}, TV_ERR_NOT_FOUND},
        {"not told whom", AS_STAFF, {.starts_at = NOON}, TV_ERR_NOT_FOUND},
        {"in the past", AS_PATIENT, {.starts_at = "2026-11-23T07:30:00Z"}, TV_ERR_INVALID},
        {"now", AS_PATIENT, {.starts_at = "2026-11-23T08:00:00Z"}, TV_ERR_INVALID},
        {"beside the slots", AS_PATIENT, {.starts_at = "2026-11-24T11:01:00Z"}, TV_ERR_INVALID},
        {"by a microsecond",
         AS_PATIENT,
         {.starts_at = "2026-11-24T11:00:00.000001Z"},
         TV_ERR_INVALID},
        {"taken", AS_PATIENT, {.starts_at = "2026-11-24T09:00:00Z"}, TV_ERR_SLOT_TAKEN},
        {"half of it taken",
         AS_STAFF,
         {.patient_id = PATIENT, .starts_at = "2026-11-24T08:45:00Z"},
         TV_ERR_SLOT_TAKEN},
        {"the patient's time is",
         AS_STAFF,
         {.doctor_id = DOCTOR2, .patient_id = PATIENT3, .starts_at = "2026-11-24T09:15:00Z"},
         TV_ERR_SLOT_TAKEN},
        {"touching is free", AS_PATIENT, {.starts_at = "2026-11-24T09:30:00Z"}, TV_OK},
        {"staff in the past",
         AS_STAFF,
         {.patient_id = PATIENT2, .starts_at = "2026-11-20T09:00:00Z"},
         TV_OK},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct answer *a = fixture_book(&f, rows[i].who, rows[i].booking);
        print_message("%s\n", rows[i].what);
        assert_err(a, rows[i].expected);
        answer_free(a);
    }
    /* a refused key can be used again: nothing of it was kept */
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.idempotency"), 3);

    free(test_sql(&f.db, "UPDATE tv.clinic SET patient_may_book = false"));
    struct answer *a = fixture_book(&f, AS_PATIENT, (struct booking){.starts_at = NOON});
    assert_err(a, TV_ERR_FORBIDDEN);
    answer_free(a);
}

/* Different patients, and the same one with different keys, all at once. */
static void test_one_of_many_wins(void **state) {
    enum { N = 100 };
    free(test_sql(&f.db,
                  "INSERT INTO tv.person (clinic_id, id, role, display_name)"
                  " SELECT '" BERLIN "', ('b0000000-0000-4000-8000-00000001' || lpad(n::text, 4,"
                  " '0'))::uuid, 'PATIENT', 'P' || n FROM generate_series(0, 99) n"
                  " ON CONFLICT DO NOTHING"));
    struct answer *answers[N];
    for (unsigned i = 0; i < N; i++) {
        char id[64];
        (void)snprintf(id, sizeof(id), "b0000000-0000-4000-8000-00000001%04u", i / 2 * 2);
        struct tv_actor who = actor(BERLIN, id, TV_ROLE_PATIENT);
        answers[i] = fixture_book_submit(&f, &who, &(struct booking){.starts_at = NOON});
    }
    unsigned won = 0;
    for (unsigned i = 0; i < N; i++) {
        fixture_wait(&f, answers[i]);
        won += answers[i]->err == TV_OK;
        if (answers[i]->err != TV_OK)
            assert_err(answers[i], TV_ERR_SLOT_TAKEN);
        answer_free(answers[i]);
    }
    assert_int_equal(won, 1);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.appointment"), 1);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.idempotency"), 1);
    assert_int_equal(fixture_count(&f, "SELECT last_seq FROM tv.inbox_head WHERE person_id ="
                                       " '" DOCTOR "'"),
                     1);
}

/* Overlaps that are not the same slot, between two doctors and two patients, must not deadlock. */
static void test_crossing_bookings(void **state) {
    enum { N = 60 };
    static const char *const doctors[] = {DOCTOR, DOCTOR2}, *const patients[] = {PATIENT, PATIENT2};
    struct answer *answers[N];
    for (unsigned i = 0; i < N; i++) {
        char starts[32];
        (void)snprintf(starts, sizeof(starts), "2026-11-24T11:%02u:00Z", i % 30);
        struct tv_actor who = AS_STAFF;
        answers[i] = fixture_book_submit(&f, &who,
                                         &(struct booking){.doctor_id = doctors[i % 2],
                                                           .patient_id = patients[i / 2 % 2],
                                                           .confirmed = i % 3 == 0,
                                                           .starts_at = starts});
    }
    unsigned won = 0;
    for (unsigned i = 0; i < N; i++) {
        fixture_wait(&f, answers[i]);
        won += answers[i]->err == TV_OK;
        if (answers[i]->err != TV_OK)
            assert_err(answers[i], TV_ERR_SLOT_TAKEN);
        answer_free(answers[i]);
    }
    assert_true(won >= 1 && won <= 2);
}

static void test_one_key_fifty_times(void **state) {
    enum { N = 50 };
    struct answer *answers[N];
    const struct booking b = {.starts_at = NOON, .key = "the key", .hash = "h1", .reason = "cough"};
    struct tv_actor who = AS_PATIENT;
    for (unsigned i = 0; i < N; i++)
        answers[i] = fixture_book_submit(&f, &who, &b);
    unsigned told = 0;
    for (unsigned i = 0; i < N; i++) {
        fixture_wait(&f, answers[i]);
        assert_err(answers[i], TV_OK);
        told += answers[i]->rows[0];
        for (unsigned c = 0; c < answers[i]->columns[2]; c++)
            assert_string_equal(answers[i]->values[2][c] == NULL ? "" : answers[i]->values[2][c],
                                answers[0]->values[2][c] == NULL ? "" : answers[0]->values[2][c]);
    }
    assert_int_equal(told, 1);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.appointment"), 1);

    /* hours later, after a change: still the first answer */
    fixture_set_now(&f, "2026-11-24T07:00:00Z");
    free(test_sql(&f.db, "UPDATE tv.appointment SET note = 'changed'"));
    struct answer *again = fixture_book(&f, AS_PATIENT, b);
    assert_err(again, TV_OK);
    assert_int_equal(again->rows[0], 0);
    assert_string_equal(answer_value(again, 2, 0, "appointment"),
                        answer_value(answers[0], 2, 0, "appointment"));
    assert_string_equal(answer_value(again, 2, 0, "now"), "2026-11-23 08:00:00+00");
    /* the handler compares this */
    assert_string_equal(answer_value(again, 2, 0, "request_hash"), "h1");
    answer_free(again);
    for (unsigned i = 0; i < N; i++)
        answer_free(answers[i]);

    /* the same key of another person is another key */
    struct booking other = b;
    other.starts_at = "2026-11-24T12:00:00Z";
    struct answer *a = fixture_book(&f, AS_PATIENT2, other);
    assert_err(a, TV_OK);
    assert_int_equal(a->rows[0], 1);
    answer_free(a);
}

static void test_old_keys_are_forgotten(void **state) {
    struct answer *a =
        fixture_book(&f, AS_PATIENT, (struct booking){.starts_at = NOON, .key = "old"});
    assert_err(a, TV_OK);
    answer_free(a);
    fixture_set_now(&f, "2026-11-24T07:59:00Z"); /* not yet a day later */
    a = fixture_book(&f, AS_PATIENT,
                     (struct booking){.starts_at = "2026-11-24T15:00:00Z", .key = "new"});
    assert_err(a, TV_OK);
    answer_free(a);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.idempotency"), 2);
    fixture_set_now(&f, "2026-11-25T08:00:01Z");
    a = fixture_book(&f, AS_PATIENT,
                     (struct booking){.starts_at = "2026-11-25T15:00:00Z", .key = "newest"});
    assert_err(a, TV_OK);
    answer_free(a);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.idempotency"
                                       " WHERE key IN ('new', 'newest')"),
                     2);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.idempotency"), 2);
}

/* Moves a confirmed appointment and expects this of it. */
static void move(struct tv_actor who, const char *id, const char *if_match, const char *starts_at,
                 enum tv_err expected) {
    struct answer *a = fixture_change(&f, who,
                                      (struct changing){.id = id,
                                                        .if_match = if_match,
                                                        .from = "CONFIRMED",
                                                        .to = "CONFIRMED",
                                                        .event_type = "appointment.moved",
                                                        .starts_at = starts_at});
    assert_err(a, expected);
    answer_free(a);
}

static void test_confirm(void **state) {
    struct answer *a = fixture_book(&f, AS_PATIENT, (struct booking){.starts_at = NOON});
    assert_err(a, TV_OK);
    char *id = strdup(answer_value(a, 2, 0, "id"));
    answer_free(a);

    struct changing c = {.id = id,
                         .if_match = "1",
                         .from = "REQUESTED",
                         .to = "CONFIRMED",
                         .event_type = "appointment.confirmed"};
    a = fixture_change(&f, AS_DOCTOR, c);
    assert_err(a, TV_OK);
    assert_int_equal(a->rows[0], 1);
    assert_string_equal(answer_value(a, 1, 0, "version"), "2");
    assert_string_equal(answer_value(a, 1, 0, "status"), "CONFIRMED");
    assert_string_equal(answer_value(a, 1, 0, "participant_type"), "DOCTOR");
    answer_free(a);
    /* the patient learns of it, the doctor did it */
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.inbox i JOIN tv.event e"
                                       " ON e.id = i.event_id WHERE e.version = 2"
                                       " AND i.person_id = '" PATIENT "'"),
                     1);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.event e JOIN tv.inbox i"
                                       " ON e.id = i.event_id WHERE e.version = 2"),
                     1);
    /* an old version changes nothing, and neither does a status that is not so any more */
    a = fixture_change(&f, AS_DOCTOR, c);
    assert_err(a, TV_OK);
    assert_int_equal(a->rows[0], 0);
    answer_free(a);
    c.if_match = "2";
    a = fixture_change(&f, AS_DOCTOR, c);
    assert_err(a, TV_OK);
    assert_int_equal(a->rows[0], 0);
    answer_free(a);
    free(id);
}

static void test_move(void **state) {
    char *id = fixture_confirmed(&f, PATIENT, NOON);
    /* the window moves along, the due rows of before are superseded */
    move(AS_PATIENT, id, "2", "2026-11-25T15:00:00Z", TV_OK);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.appointment"
                                       " WHERE opens_at = '2026-11-25T14:30:00Z'"
                                       " AND closes_at = '2026-11-25T17:00:00Z'"),
                     1);
    char *due = test_sql(&f.db, "SELECT string_agg(version || ' ' || kind || ' ' || state, ', '"
                                " ORDER BY version, kind) FROM tv.due");
    assert_string_equal(due, "2 call_available superseded, 2 call_closing superseded,"
                             " 2 reminder superseded, 2 window_closed superseded,"
                             " 3 call_available due, 3 call_closing due, 3 reminder due,"
                             " 3 window_closed due");
    free(due);
    /* patients move into slots only, doctors where they like, nobody onto another */
    move(AS_PATIENT, id, "3", "2026-11-25T15:10:00Z", TV_ERR_INVALID);
    move(AS_DOCTOR, id, "3", "2026-11-25T15:10:00Z", TV_OK);
    free(fixture_confirmed(&f, PATIENT2, "2026-11-25T16:00:00Z"));
    move(AS_DOCTOR, id, "4", "2026-11-25T15:45:00Z", TV_ERR_SLOT_TAKEN);
    free(id);
}

/* Nothing is due any more, and the time is free again. */
static void test_cancel(void **state) {
    char *id = fixture_confirmed(&f, PATIENT, NOON);
    struct answer *a = fixture_change(&f, AS_STAFF,
                                      (struct changing){.id = id,
                                                        .if_match = "2",
                                                        .from = "CONFIRMED",
                                                        .to = "CANCELLED",
                                                        .event_type = "appointment.cancelled"});
    assert_err(a, TV_OK);
    answer_free(a);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.due WHERE state = 'due'"), 0);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.due WHERE state = 'superseded'"),
                     4);
    free(fixture_confirmed(&f, PATIENT3, NOON));
    free(id);
}

/* All move the same version, each to another time. */
static void test_changes_at_once(void **state) {
    enum { N = 20 };
    char *id = fixture_confirmed(&f, PATIENT, NOON);
    static const struct tv_pg_statement *const unit[] = {&sql_appointments_change,
                                                         &sql_appointments_get};
    struct answer *answers[N];
    struct tv_actor who = AS_DOCTOR;
    for (unsigned i = 0; i < N; i++) {
        char starts[32];
        (void)snprintf(starts, sizeof(starts), "2026-11-24T%02u:00:00Z", i);
        const struct bind binds[] = {
            {"appointment_id", id},
            {"if_match", "2"},
            {"from_status", "CONFIRMED"},
            {"to_status", "CONFIRMED"},
            {"event_type", "appointment.moved"},
            {"note", ""},
            {"minutes", "0"},
            {"starts_at", starts},
            {"no_show", NULL},
            {"request_id", ""},
        };
        answers[i] = fixture_submit(&f, &who, unit, 2, binds, TV_ARRAY_LEN(binds));
    }
    unsigned changed = 0;
    for (unsigned i = 0; i < N; i++) {
        fixture_wait(&f, answers[i]);
        assert_err(answers[i], TV_OK);
        changed += answers[i]->rows[0];
        answer_free(answers[i]);
    }
    assert_int_equal(changed, 1);
    assert_int_equal(fixture_count(&f, "SELECT version FROM tv.appointment"), 3);
    free(id);
}

/* Bookings that have nothing in common but the staff who are told. */
static void test_notices_at_once(void **state) {
    enum { PEOPLE = 16, N = 160 };
    free(test_sql(
        &f.db, "INSERT INTO tv.person (clinic_id, id, role, display_name)"
               " SELECT '" BERLIN "', ('b0000000-0000-4000-8000-0000000' || k || lpad(n::text, 4,"
               " '0'))::uuid, CASE k WHEN 2 THEN 'DOCTOR' ELSE 'PATIENT' END, 'P' || n"
               " FROM generate_series(0, 15) n, generate_series(2, 3) k ON CONFLICT DO NOTHING"));
    struct answer *answers[N];
    struct tv_actor who = AS_STAFF;
    for (unsigned i = 0; i < N; i++) {
        char doctor[64], patient[64], starts[32];
        (void)snprintf(doctor, sizeof(doctor), "b0000000-0000-4000-8000-00000002%04u", i % PEOPLE);
        (void)snprintf(patient, sizeof(patient), "b0000000-0000-4000-8000-00000003%04u",
                       i % PEOPLE);
        (void)snprintf(starts, sizeof(starts), "2026-11-24T%02u:00:00Z", i / PEOPLE);
        answers[i] = fixture_book_submit(
            &f, &who,
            &(struct booking){.doctor_id = doctor, .patient_id = patient, .starts_at = starts});
    }
    for (unsigned i = 0; i < N; i++) {
        fixture_wait(&f, answers[i]);
        assert_err(answers[i], TV_OK);
        answer_free(answers[i]);
    }
    assert_int_equal(fixture_count(&f, "SELECT last_seq FROM tv.inbox_head WHERE person_id ="
                                       " '" STAFF2 "'"),
                     N);
}

static void test_who_sees_what(void **state) {
    char *id = fixture_confirmed(&f, PATIENT, NOON);
    static const struct tv_pg_statement *const unit[] = {&sql_appointments_get};
    const struct {
        const char *clinic, *person;
        enum tv_role role;
        unsigned rows;
    } rows[] = {
        {BERLIN, PATIENT, TV_ROLE_PATIENT, 1},    {BERLIN, DOCTOR, TV_ROLE_DOCTOR, 1},
        {BERLIN, STAFF2, TV_ROLE_STAFF, 1},       {BERLIN, PATIENT2, TV_ROLE_PATIENT, 0},
        {BERLIN, DOCTOR2, TV_ROLE_DOCTOR, 0},     {BERLIN, ADMIN, TV_ROLE_ADMIN, 0},
        {NEW_YORK, NY_PATIENT, TV_ROLE_STAFF, 0}, {NEW_YORK, PATIENT, TV_ROLE_PATIENT, 0},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_actor who = actor(rows[i].clinic, rows[i].person, rows[i].role);
        const struct bind binds[] = {{"appointment_id", id}};
        struct answer *a = fixture_submit(&f, &who, unit, 1, binds, 1);
        fixture_wait(&f, a);
        assert_err(a, TV_OK);
        assert_int_equal(a->rows[0], rows[i].rows);
        answer_free(a);
    }
    free(id);
}

/* Ids of a page, in order; the last one's start is left in `after`. */
static unsigned list(struct tv_actor who, const char *rows, const char *after_starts_at,
                     const char *after_id, char out[][40]) {
    static const struct tv_pg_statement *const unit[] = {&sql_appointments_list};
    const struct bind binds[] = {
        {"from", NULL},
        {"to", NULL},
        {"status", NULL},
        {"rows", rows},
        {"after_starts_at", after_starts_at},
        {"after_id", after_id},
    };
    struct answer *a = fixture_submit(&f, &who, unit, 1, binds, TV_ARRAY_LEN(binds));
    fixture_wait(&f, a);
    assert_err(a, TV_OK);
    unsigned n = a->rows[0];
    for (unsigned i = 0; i < n; i++)
        (void)snprintf(out[i], 40, "%s", answer_value(a, 0, i, "id"));
    answer_free(a);
    return n;
}

static void test_pages(void **state) {
    /* today's are on the list, also those of the night before now; yesterday's are not */
    free(fixture_confirmed(&f, PATIENT, "2026-11-22T22:30:00Z"));
    char *first = fixture_confirmed(&f, PATIENT, "2026-11-22T23:00:00Z");
    char *second = fixture_confirmed(&f, PATIENT2, "2026-11-24T09:00:00Z");
    struct answer *other = fixture_book(&f, AS_STAFF,
                                        (struct booking){.doctor_id = DOCTOR2,
                                                         .patient_id = PATIENT,
                                                         .starts_at = "2026-11-24T09:00:00Z"});
    assert_err(other, TV_OK);
    const char *third = answer_value(other, 2, 0, "id");

    char ids[10][40];
    assert_int_equal(list(AS_STAFF, "10", NULL, NULL, ids), 3);
    assert_string_equal(ids[0], first);
    /* those two start together: the id decides */
    bool second_first = strcmp(second, third) < 0;
    assert_string_equal(ids[1], second_first ? second : third);
    assert_string_equal(ids[2], second_first ? third : second);

    char page[10][40];
    assert_int_equal(list(AS_STAFF, "2", NULL, NULL, page), 2);
    assert_int_equal(list(AS_STAFF, "2", "2026-11-24T09:00:00Z", page[1], page), 1);
    assert_string_equal(page[0], ids[2]);

    assert_int_equal(list(AS_PATIENT, "10", NULL, NULL, ids), 2);
    assert_string_equal(ids[0], first);
    assert_string_equal(ids[1], third);
    assert_int_equal(list(AS_DOCTOR, "10", NULL, NULL, ids), 2);
    assert_int_equal(list(actor(BERLIN, ADMIN, TV_ROLE_ADMIN), "10", NULL, NULL, ids), 0);
    assert_int_equal(list(actor(NEW_YORK, NY_DOCTOR, TV_ROLE_STAFF), "10", NULL, NULL, ids), 0);

    /* an interpreter sees what they take part in */
    char sql[512];
    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO tv.participant (clinic_id, appointment_id, person_id, type,"
                   " added_at) VALUES ('" BERLIN "', '%s', '" ADMIN
                   "', 'INTERPRETER', tv.tv_now())",
                   second);
    free(test_sql(&f.db, sql));
    assert_int_equal(list(actor(BERLIN, ADMIN, TV_ROLE_INTERPRETER), "10", NULL, NULL, ids), 1);
    assert_string_equal(ids[0], second);
    answer_free(other);
    free(first);
    free(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_patient_books, each, each_end),
        cmocka_unit_test_setup_teardown(test_staff_confirm_at_once, each, each_end),
        cmocka_unit_test_setup_teardown(test_confirmed_inside_the_window_is_due_now, each,
                                        each_end),
        cmocka_unit_test_setup_teardown(test_refused, each, each_end),
        cmocka_unit_test_setup_teardown(test_one_of_many_wins, each, each_end),
        cmocka_unit_test_setup_teardown(test_crossing_bookings, each, each_end),
        cmocka_unit_test_setup_teardown(test_one_key_fifty_times, each, each_end),
        cmocka_unit_test_setup_teardown(test_old_keys_are_forgotten, each, each_end),
        cmocka_unit_test_setup_teardown(test_confirm, each, each_end),
        cmocka_unit_test_setup_teardown(test_move, each, each_end),
        cmocka_unit_test_setup_teardown(test_cancel, each, each_end),
        cmocka_unit_test_setup_teardown(test_changes_at_once, each, each_end),
        cmocka_unit_test_setup_teardown(test_notices_at_once, each, each_end),
        cmocka_unit_test_setup_teardown(test_who_sees_what, each, each_end),
        cmocka_unit_test_setup_teardown(test_pages, each, NULL),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
