/* tv.faults() finds each promise that is broken, and an upgraded database keeps them all. */
#include "fixture.h"

static struct fixture f;
static char *id; /* open from 10:30 to 13:00 */

static int set_up(void **state) {
    fixture_start(&f);
    return 0;
}
static int tear_down(void **state) {
    fixture_stop(&f);
    return 0;
}

/* An appointment with all that may be: fired rows, a call with somebody in, a closed window. */
static void fill(void) {
    static const struct tv_pg_statement *const unit[] = {&sql_due_fire};
    struct tv_actor nobody = {.role = TV_ROLE_SERVICE};
    const struct bind binds[] = {{"limit", "100"}};
    fixture_clear(&f);
    fixture_set_now(&f, "2026-11-23T08:00:00Z");
    id = fixture_confirmed(&f, PATIENT, "2026-11-26T11:00:00Z");
    fixture_call(&f, id, "RM_1", "2026-11-26T10:30:00Z", PATIENT);
    static const char *const times[] = {"2026-11-26T10:30:00Z", "2026-11-26T12:55:00Z",
                                        "2026-11-26T13:00:00Z"};
    for (size_t i = 0; i < TV_ARRAY_LEN(times); i++) {
        fixture_set_now(&f, times[i]);
        struct answer *a = fixture_submit(&f, &nobody, unit, 1, binds, 1);
        fixture_wait(&f, a);
        assert_int_equal(a->err, TV_OK);
        answer_free(a);
    }
}

static void test_each_rule(void **state) {
    static const struct {
        const char *sql, *rule;
    } rows[] = {
        {"DELETE FROM tv.due WHERE kind = 'call_available'",
         "a confirmed version has its call_available"},
        {"DELETE FROM tv.due WHERE kind = 'call_closing'",
         "a confirmed version has its call_closing"},
        {"DELETE FROM tv.due WHERE kind = 'window_closed'",
         "a confirmed version has its window_closed"},
        {"DELETE FROM tv.due WHERE kind = 'call_closing'", "every event of time was due"},
        {"UPDATE tv.due SET state = 'due', settled_at = NULL, version = 1",
         "only a confirmed current version waits"},
        {"DELETE FROM tv.inbox WHERE event_id IN (SELECT id FROM tv.event WHERE type ="
         " 'call.closing'); DELETE FROM tv.event WHERE type = 'call.closing'",
         "what fired has exactly one event, what did not has none"},
        {"UPDATE tv.due SET state = 'expired' WHERE kind = 'call_available'",
         "what fired has exactly one event, what did not has none"},
        {"DELETE FROM tv.job", "what is confirmed and closed is being settled"},
        {"DELETE FROM tv.inbox WHERE event_id IN (SELECT id FROM tv.event WHERE type ="
         " 'call.available')",
         "every participant but the actor was told"},
        {"DELETE FROM tv.inbox WHERE event_id IN (SELECT id FROM tv.event WHERE type ="
         " 'appointment.requested')",
         "the doctor was told of the request"},
        {"UPDATE tv.inbox_head SET last_seq = last_seq + 1", "notices are numbered 1, 2, 3, …"},
        {"DELETE FROM tv.participant WHERE type = 'PATIENT'", "doctor and patient take part"},
        {"UPDATE tv.call SET over_at = tv.tv_now(), over_by = 'ASSUMED'",
         "nobody is in a call that is over"},
        {"UPDATE tv.participant SET in_call_since = NULL", "in the call is who is in the record"},
        {"UPDATE tv.participant SET in_call_since = tv.tv_now() WHERE type = 'DOCTOR'",
         "in the call is who is in the record"},
        {"UPDATE tv.presence SET left_at = joined_at, left_by = 'WEBHOOK'",
         "in the call is who is in the record"},
        {"UPDATE tv.presence SET identity = upper(identity)",
         "in the call is who is in the record"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        fill();
        fixture_check_promises(&f);
        free(test_sql(&f.db, rows[i].sql));
        char *found =
            fixture_sql(&f, "SELECT count(*) FROM tv.faults() WHERE rule = '%s'", rows[i].rule);
        if (strcmp(found, "0") == 0)
            fail_msg("%s: not found", rows[i].sql);
        free(found);
        free(id);
    }
}

/* What tells only those whom it concerns is no promise to everybody. */
static void test_what_need_not_be_told(void **state) {
    static const char *const types[] = {"call.waiting", "call.closing", "call.media_restored",
                                        "call.started", "call.ended"};
    fill();
    for (size_t i = 0; i < TV_ARRAY_LEN(types); i++) {
        free(fixture_sql(&f,
                         "INSERT INTO tv.event (clinic_id, appointment_id, version, type, nth,"
                         " occurred_at, starts_at, opens_at, closes_at, time_zone) SELECT"
                         " clinic_id, id, version, '%s', 7, tv.tv_now(), starts_at, opens_at,"
                         " closes_at, time_zone FROM tv.appointment",
                         types[i]));
        assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.faults() WHERE rule ="
                                           " 'every participant but the actor was told'"),
                         i <= 2 ? 0 : 2);
        free(test_sql(&f.db, "DELETE FROM tv.event WHERE nth = 7"));
    }
    free(id);
}

/* -- an upgrade from the release before ---------------------------------------------------------*/

static void run_migrations(struct tv_pg_script *script, size_t from, size_t to) {
    struct tv_error e = TV_ERROR_INIT;
    for (size_t i = from; i < to; i++)
        if (tv_pg_script_run(script, migrations[i].text, NULL, &e) != TV_OK)
            fail_msg("%s: %s", migrations[i].name, e.detail);
}

/* As the release before confirmed them: the call is open until two hours after the start. */
static const char before[] =
    "INSERT INTO tv.appointment (clinic_id, version, status, doctor_id, patient_id, starts_at,"
    " ends_at, opens_at, closes_at, time_zone, created_at, created_by, updated_at, updated_by)"
    " SELECT '" BERLIN "', 2, status, '" DOCTOR "', '" PATIENT "', at, at + interval '1 hour',"
    " at - interval '30 minutes', at + interval '2 hours', 'UTC', '2026-11-01', '" STAFF "',"
    " '2026-11-01', '" STAFF "' FROM (VALUES"
    " ('CONFIRMED', timestamptz '2026-11-22T08:00:00Z')," /* closed long ago */
    " ('CONFIRMED', timestamptz '2026-11-23T06:00:00Z')," /* closes now */
    " ('CONFIRMED', timestamptz '2026-11-23T07:30:00Z')," /* is open */
    " ('CONFIRMED', timestamptz '2026-11-24T08:00:00Z'),"
    " ('REQUESTED', timestamptz '2026-11-25T08:00:00Z'),"
    " ('CANCELLED', timestamptz '2026-11-24T08:00:00Z')) AS a (status, at);"
    "INSERT INTO tv.participant (clinic_id, appointment_id, person_id, type, added_at)"
    " SELECT a.clinic_id, a.id, p.id, p.type, a.created_at FROM tv.appointment a,"
    " LATERAL (VALUES (doctor_id, 'DOCTOR'), (patient_id, 'PATIENT')) AS p (id, type);"
    "INSERT INTO tv.due (clinic_id, appointment_id, version, kind, due_at, expires_at)"
    " SELECT clinic_id, id, version, 'call_available', opens_at, closes_at FROM tv.appointment"
    " WHERE status = 'CONFIRMED';";

static void test_upgrade(void **state) {
    struct fixture old = {0};
    struct tv_error e = TV_ERROR_INIT;
    struct tv_pg_script *script = NULL;
    old.db = test_postgres_start();
    assert_int_equal(tv_pg_script_open(old.db.url, "test", &script, &e), TV_OK);
    run_migrations(script, 0, 6);
    fixture_set_now(&old, "2026-11-23T08:00:00Z");
    if (tv_pg_script_run(script, fixture_people, NULL, &e) != TV_OK ||
        tv_pg_script_run(script, before, NULL, &e) != TV_OK)
        fail_msg("%s", e.detail);
    fixture_check_promises(&old);
    run_migrations(script, 6, migration_count);
    fixture_check_promises(&old);
    tv_pg_script_close(script);
    char *due =
        test_sql(&old.db, "SELECT string_agg(concat_ws(' ', kind, due_at AT TIME ZONE 'UTC',"
                          " expires_at AT TIME ZONE 'UTC'), ', ' ORDER BY due_at) FROM tv.due"
                          " WHERE state = 'due' AND kind <> 'call_available'");
    assert_string_equal(due, "call_closing 2026-11-23 09:25:00 2026-11-23 09:30:00,"
                             " window_closed 2026-11-23 09:30:00 infinity,"
                             " call_closing 2026-11-24 09:55:00 2026-11-24 10:00:00,"
                             " window_closed 2026-11-24 10:00:00 infinity");
    free(due);
    assert_int_equal(fixture_count(&old, "SELECT count(*) FROM tv.due WHERE state = 'expired'"), 4);
    assert_int_equal(fixture_count(&old, "SELECT count(*) FROM tv.job"), 0);
    test_postgres_stop(&old.db);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_rule),
        cmocka_unit_test(test_what_need_not_be_told),
        cmocka_unit_test(test_upgrade),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
