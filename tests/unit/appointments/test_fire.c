/* What is due happens exactly once, whoever fires it, and never for a version that is gone. */
#include "fixture.h"

static struct fixture f;

#define STARTS "2026-11-26T11:00:00Z"

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

static struct answer *fire_submit(const char *limit) {
    static const struct tv_pg_statement *const unit[] = {&sql_due_fire};
    struct tv_actor nobody = {.role = TV_ROLE_SERVICE};
    const struct bind binds[] = {{"limit", limit}};
    return fixture_submit(&f, &nobody, unit, 1, binds, 1);
}

static struct answer *fire(const char *limit) {
    struct answer *a = fire_submit(limit);
    fixture_wait(&f, a);
    if (a->err != TV_OK)
        fail_msg("%s", a->error.detail);
    assert_int_equal(a->rows[0], 1);
    return a;
}

static unsigned entries(const struct answer *a) {
    unsigned n = 0;
    for (const char *p = answer_value(a, 0, 0, "told"); (p = strstr(p, "\"seq\"")) != NULL; p++)
        n++;
    return n;
}

static void assert_value(const struct answer *a, const char *column, const char *expected) {
    const char *value = answer_value(a, 0, 0, column);
    if (expected == NULL ? value != NULL : value == NULL || strcmp(value, expected) != 0)
        fail_msg("%s: %s, not %s", column, value, expected);
}

static void test_on_time(void **state) {
    free(fixture_confirmed(&f, PATIENT, STARTS));
    struct answer *a = fire("10");
    assert_value(a, "fired", "0");
    assert_value(a, "told", "[]");
    assert_value(a, "next_due_at", "2026-11-25 11:00:00+00");
    assert_value(a, "more", "f");
    answer_free(a);

    fixture_set_now(&f, "2026-11-25T11:00:00Z"); /* the reminder, a day before */
    a = fire("10");
    assert_value(a, "fired", "1");
    assert_int_equal(entries(a), 2);
    assert_non_null(strstr(answer_value(a, 0, 0, "told"), "appointment.reminder"));
    assert_value(a, "next_due_at", "2026-11-26 10:30:00+00");
    assert_value(a, "now", "2026-11-25 11:00:00+00");
    answer_free(a);

    fixture_set_now(&f, "2026-11-26T10:29:59.999999Z");
    a = fire("10");
    assert_value(a, "fired", "0");
    answer_free(a);
    fixture_set_now(&f, "2026-11-26T10:30:00Z");
    a = fire("10");
    assert_value(a, "fired", "1");
    assert_int_equal(entries(a), 2);
    const char *told = answer_value(a, 0, 0, "told");
    assert_non_null(strstr(told, "call.available"));
    assert_non_null(strstr(told, "\"dueAt\" : \"2026-11-26T10:30:00+00:00\""));
    assert_non_null(strstr(told, "\"closesAt\" : \"2026-11-26T13:00:00+00:00\""));
    assert_non_null(strstr(told, "\"timeZone\" : \"Europe/Berlin\""));
    assert_non_null(strstr(told, "\"actorId\" : \"\"")); /* time itself */
    assert_value(a, "next_due_at", "2026-11-26 12:55:00+00");
    answer_free(a);
    a = fire("10");
    assert_value(a, "fired", "0");
    assert_int_equal(entries(a), 0);
    answer_free(a);
    /* confirmed, reminder, available */
    assert_int_equal(fixture_count(&f, "SELECT last_seq FROM tv.inbox_head WHERE person_id ="
                                       " '" PATIENT "'"),
                     3);
}

static void test_too_late(void **state) {
    free(fixture_confirmed(&f, PATIENT, STARTS));
    fixture_set_now(&f, "2026-11-26T12:59:59.999999Z"); /* late, and open still */
    struct answer *a = fire("10");
    assert_value(a, "fired", "2");   /* that it is open, and that it will close */
    assert_value(a, "expired", "1"); /* the reminder */
    assert_int_equal(entries(a), 2); /* nobody is in the call */
    answer_free(a);

    free(fixture_confirmed(&f, PATIENT2, "2026-11-27T11:00:00Z"));
    fixture_set_now(&f, "2026-11-27T13:00:00Z"); /* closed */
    a = fire("10");
    assert_value(a, "fired", "2"); /* that both windows have closed is never too late */
    assert_value(a, "expired", "2");
    assert_value(a, "told", "[]");
    assert_value(a, "next_due_at", NULL);
    answer_free(a);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.due WHERE state = 'due'"), 0);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.job WHERE kind = 'close_room'"), 2);
}

/* Who is in the call is told that it will close; then a job closes the room. */
static void test_the_end_of_a_call(void **state) {
    char *id = fixture_confirmed(&f, PATIENT, STARTS);
    fixture_call(&f, id, "RM_1", "2026-11-26T11:00:00Z", PATIENT);
    fixture_set_now(&f, "2026-11-26T12:54:59.999999Z");
    struct answer *a = fire("10");
    assert_null(strstr(answer_value(a, 0, 0, "told"), "call.closing"));
    assert_value(a, "next_due_at", "2026-11-26 12:55:00+00");
    assert_value(a, "next_job_at", NULL);
    answer_free(a);

    fixture_set_now(&f, "2026-11-26T12:55:00Z");
    a = fire("10");
    assert_value(a, "fired", "1");
    assert_int_equal(entries(a), 1);
    assert_non_null(strstr(answer_value(a, 0, 0, "told"), "call.closing"));
    assert_non_null(strstr(answer_value(a, 0, 0, "told"), PATIENT));
    assert_value(a, "next_due_at", "2026-11-26 13:00:00+00");
    answer_free(a);

    fixture_set_now(&f, "2026-11-26T13:00:00Z");
    a = fire("10");
    assert_value(a, "fired", "1");
    assert_value(a, "told", "[]");
    assert_value(a, "next_due_at", NULL);
    assert_value(a, "next_job_at", "2026-11-26 13:00:00+00");
    answer_free(a);
    char *job = test_sql(&f.db, "SELECT kind || ' ' || key || ' ' || run_at FROM tv.job");
    char expected[128];
    (void)snprintf(expected, sizeof(expected), "close_room room_%s 2026-11-26 13:00:00+00", id);
    assert_string_equal(job, expected);
    free(job);
    a = fire("10"); /* and once */
    assert_value(a, "fired", "0");
    assert_value(a, "next_job_at", "2026-11-26 13:00:00+00");
    answer_free(a);
    free(id);
}

/* Opens so late that 5 minutes before the end lie before it. */
static void test_a_short_window(void **state) {
    free(test_sql(&f.db, "UPDATE tv.clinic SET opens_before_s = 0, closes_after_s = 120"));
    free(fixture_confirmed(&f, PATIENT, STARTS));
    free(test_sql(&f.db, "UPDATE tv.clinic SET opens_before_s = 1800, closes_after_s = 7200"));
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.due WHERE kind = 'call_closing'"
                                       " AND due_at = '2026-11-26T11:00:00Z'"
                                       " AND expires_at = '2026-11-26T11:02:00Z'"),
                     1);
}

/* A visit that staff write down afterwards: nothing is told, closed or judged. */
static void test_confirmed_after_it_closed(void **state) {
    free(fixture_confirmed(&f, PATIENT, "2026-11-20T11:00:00Z"));
    struct answer *a = fire("10");
    assert_value(a, "fired", "0");
    assert_value(a, "expired", "3");
    assert_value(a, "told", "[]");
    assert_value(a, "next_job_at", NULL);
    answer_free(a);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.job"), 0);
    assert_int_equal(
        fixture_count(&f, "SELECT count(*) FROM tv.appointment WHERE status = 'CONFIRMED'"), 1);
}

/* The job that a worker has now may be past the point: it is asked for once more. */
static void test_a_room_that_is_being_closed(void **state) {
    char *id = fixture_confirmed(&f, PATIENT, STARTS);
    free(fixture_sql(&f,
                     "INSERT INTO tv.job (clinic_id, kind, appointment_id, key, run_at, lease,"
                     " created_at) SELECT clinic_id, 'close_room', id, 'room_' || id,"
                     " '2026-11-26T13:00:08Z', gen_random_uuid(), tv.tv_now()"
                     " FROM tv.appointment WHERE id = '%s'",
                     id));
    fixture_set_now(&f, "2026-11-26T13:00:00Z");
    answer_free(fire("10"));
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.job WHERE lease IS NOT NULL"
                                       " AND again_at = '2026-11-26T13:00:00Z'"
                                       " AND run_at = '2026-11-26T13:00:08Z'"),
                     1);
    free(id);
}

static void assert_watched(const char *id, const char *room_sid) {
    struct answer *a = fire("10");
    assert_value(a, "watched.room_sid", room_sid);
    if (id != NULL) {
        assert_non_null(strstr(answer_value(a, 0, 0, "watched.room"), id));
    } else {
        assert_value(a, "watched.room", NULL);
    }
    answer_free(a);
}

/* One running call of an open appointment, with somebody in if there is one. */
static void test_what_is_watched(void **state) {
    char *first = fixture_confirmed(&f, PATIENT, STARTS);
    char *second = fixture_confirmed(&f, PATIENT2, "2026-11-26T11:30:00Z");
    fixture_set_now(&f, "2026-11-26T11:30:00Z");
    assert_watched(NULL, NULL);
    fixture_call(&f, first, "RM_1", "2026-11-26T11:00:00Z", PATIENT);
    assert_watched(first, "RM_1");
    fixture_call(&f, second, "RM_2", "2026-11-26T11:10:00Z", UNKNOWN);
    assert_watched(first, "RM_1"); /* not the later one: nobody is in it */
    free(test_sql(&f.db, "UPDATE tv.call SET lost_at = tv.tv_now() WHERE room_sid = 'RM_1'"));
    assert_watched(second, "RM_2");
    free(test_sql(&f.db, "UPDATE tv.call SET lost_at = NULL"));
    fixture_set_now(&f, "2026-11-26T13:00:00Z"); /* the first is closed */
    assert_watched(second, "RM_2");
    fixture_set_now(&f, "2026-11-26T13:30:00Z");
    assert_watched(NULL, NULL);
    fixture_set_now(&f, "2026-11-26T12:00:00Z");
    free(test_sql(&f.db, "UPDATE tv.call SET over_at = tv.tv_now(), over_by = 'WEBHOOK'"
                         " WHERE room_sid = 'RM_2'"));
    assert_watched(first, "RM_1");
    free(first);
    free(second);
}

static void test_what_else_is_said(void **state) {
    free(fixture_confirmed(&f, PATIENT, STARTS));
    struct answer *a = fire("10");
    assert_value(a, "media_missed", "f");
    assert_value(a, "next_job_at", NULL);
    answer_free(a);
    free(test_sql(&f.db, "UPDATE tv.participant SET media_missed_at = tv.tv_now()"
                         " WHERE type = 'PATIENT'"));
    free(test_sql(&f.db, "INSERT INTO tv.job (clinic_id, kind, appointment_id, key, run_at, state,"
                         " settled_at, created_at) SELECT clinic_id, 'a', id, n::text,"
                         " tv.tv_now() + make_interval(mins => n), CASE n WHEN 1 THEN 'dead' ELSE"
                         " 'waiting' END, CASE n WHEN 1 THEN tv.tv_now() END, tv.tv_now()"
                         " FROM tv.appointment, generate_series(1, 3) n"));
    a = fire("10");
    assert_value(a, "media_missed", "t");
    assert_value(a, "next_job_at", "2026-11-23 08:02:00+00"); /* the first is dead */
    answer_free(a);
}

static void test_superseded_never_fires(void **state) {
    char *id = fixture_confirmed(&f, PATIENT, STARTS);
    struct answer *a = fixture_change(&f, AS_DOCTOR,
                                      (struct changing){.id = id,
                                                        .if_match = "2",
                                                        .from = "CONFIRMED",
                                                        .to = "CONFIRMED",
                                                        .event_type = "appointment.moved",
                                                        .starts_at = "2026-11-26T20:00:00Z"});
    assert_int_equal(a->err, TV_OK);
    answer_free(a);
    fixture_set_now(&f, "2026-11-26T10:45:00Z");
    a = fire("10");
    assert_value(a, "fired", "1"); /* the reminder of the new start */
    answer_free(a);
    fixture_set_now(&f, "2026-11-26T19:30:00Z");
    a = fire("10");
    assert_value(a, "fired", "1");
    answer_free(a);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.event WHERE type ="
                                       " 'call.available'"),
                     1);
    /* a row that was left behind, against all rules, does not fire either */
    free(test_sql(&f.db, "INSERT INTO tv.due (clinic_id, appointment_id, version, kind, due_at,"
                         " expires_at) SELECT clinic_id, id, 1, 'call_available', tv.tv_now(),"
                         " tv.tv_now() + interval '1 hour' FROM tv.appointment"));
    a = fire("10");
    assert_value(a, "fired", "0");
    answer_free(a);
    free(id);
}

static void test_limit_and_backlog(void **state) {
    for (unsigned i = 0; i < 5; i++) {
        char starts[32];
        (void)snprintf(starts, sizeof(starts), "2026-11-26T%02u:00:00Z", 8 + i);
        free(fixture_confirmed(&f, PATIENT, starts));
    }
    fixture_set_now(&f, "2026-11-25T20:00:00Z");
    struct answer *a = fire("2");
    assert_value(a, "fired", "2");
    assert_value(a, "more", "t");
    assert_value(a, "backlog", "3");
    answer_free(a);
    a = fire("3");
    assert_value(a, "fired", "3");
    assert_value(a, "more", "t"); /* perhaps: the limit was reached */
    assert_value(a, "backlog", "0");
    assert_value(a, "next_due_at", "2026-11-26 07:30:00+00");
    answer_free(a);
    a = fire("0"); /* bounds: 1 to 500 */
    assert_value(a, "more", "f");
    answer_free(a);
}

static bool other_is_gone(void *ctx) {
    char *n = test_sql(&f.db, "SELECT count(*) FROM pg_stat_activity"
                              " WHERE application_name = 'other'");
    bool gone = strcmp(n, "0") == 0;
    free(n);
    return gone;
}

/* What another replica is firing is passed over, not waited for. */
static void test_others_are_not_waited_for(void **state) {
    free(fixture_confirmed(&f, PATIENT, STARTS));
    free(fixture_confirmed(&f, PATIENT2, "2026-11-26T12:00:00Z"));
    fixture_set_now(&f, "2026-11-25T13:00:00Z"); /* both reminders are due */
    struct tv_pg_script *other = NULL;
    struct tv_error e = TV_ERROR_INIT;
    assert_int_equal(tv_pg_script_open(f.db.url, "other", &other, &e), TV_OK);
    assert_int_equal(tv_pg_script_run(other,
                                      "BEGIN; SELECT FROM tv.due WHERE due_at ="
                                      " '2026-11-25T11:00:00Z' FOR UPDATE",
                                      NULL, &e),
                     TV_OK);
    struct answer *a = fire("10"); /* waiting would end with the statement's timeout */
    assert_value(a, "fired", "1");
    assert_value(a, "backlog", "1");
    answer_free(a);
    tv_pg_script_close(other); /* it dies, nothing is lost */
    assert_true(test_until(other_is_gone, NULL, 10000));
    a = fire("10");
    assert_value(a, "fired", "1");
    answer_free(a);
}

/* Many at once: several firers in parallel, while appointments are moved away under them. */
static void test_exactly_once(void **state) {
    enum { APPOINTMENTS = 60, FIRES = 120 };
    char *ids[APPOINTMENTS];
    free(test_sql(&f.db, "UPDATE tv.clinic SET reminders_s = '{86400,7200,3600}'"));
    for (unsigned i = 0; i < APPOINTMENTS; i++) {
        char starts[32];
        (void)snprintf(starts, sizeof(starts), "2026-11-%02uT%02u:%02u:00Z", 26 + i / 40,
                       i % 40 / 2, i % 2 * 30);
        ids[i] = fixture_confirmed(&f, i % 2 == 0 ? PATIENT : PATIENT2, starts);
    }
    /* all reminders and all calls are due, and none is too late */
    fixture_set_now(&f, "2026-11-27T09:15:00Z");
    free(test_sql(&f.db, "UPDATE tv.due SET expires_at = 'infinity'"));

    static const struct tv_pg_statement *const change[] = {&sql_appointments_change,
                                                           &sql_appointments_get};
    struct answer *fires[FIRES], *changes[APPOINTMENTS];
    struct tv_actor doctor = AS_DOCTOR;
    for (unsigned i = 0; i < FIRES; i++) {
        if (i % 2 == 0) {
            const struct bind binds[] = {
                {"appointment_id", ids[i / 2]},
                {"if_match", "2"},
                {"from_status", "CONFIRMED"},
                {"to_status", "CANCELLED"},
                {"event_type", "appointment.cancelled"},
                {"note", ""},
                {"minutes", "0"},
                {"starts_at", NULL},
                {"no_show", NULL},
                {"request_id", ""},
            };
            changes[i / 2] = fixture_submit(&f, &doctor, change, 2, binds, TV_ARRAY_LEN(binds));
        }
        fires[i] = fire_submit("3");
    }
    unsigned fired = 0, told = 0, changed = 0;
    for (unsigned i = 0; i < FIRES; i++) {
        fixture_wait(&f, fires[i]);
        if (fires[i]->err != TV_OK)
            fail_msg("%s: %s", tv_err_info(fires[i]->err)->slug, fires[i]->error.detail);
        fired += (unsigned)atoi(answer_value(fires[i], 0, 0, "fired"));
        told += entries(fires[i]);
        answer_free(fires[i]);
    }
    for (unsigned i = 0; i < APPOINTMENTS; i++) {
        fixture_wait(&f, changes[i]);
        assert_int_equal(changes[i]->err, TV_OK);
        changed += changes[i]->rows[0];
        answer_free(changes[i]);
        free(ids[i]);
    }
    assert_int_equal(changed, APPOINTMENTS);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.due WHERE state = 'fired'"), fired);
    assert_int_equal(told, 2 * fixture_count(&f, "SELECT count(*) FROM tv.event WHERE type IN"
                                                 " ('call.available', 'appointment.reminder')"));
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.due WHERE state = 'due'"), 0);
    /* Whatever came first, the closing or the cancelling, each room is closed by one job. */
    assert_int_equal(fixture_count(&f, "SELECT count(*) - count(DISTINCT key) FROM tv.job"), 0);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.appointment a WHERE opens_at <="
                                       " tv.tv_now() AND NOT EXISTS (SELECT FROM tv.job j WHERE"
                                       " j.key = 'room_' || a.id)"),
                     0);
    print_message("%u fired\n", fired);
}

/* A newer release has written rows of a kind that is not known here, more than one Fire takes: they
 * wait for it, are seen as backlog, and hold up nothing. */
static void test_unknown_kinds_wait_for_who_knows_them(void **state) {
    free(fixture_confirmed(&f, PATIENT, STARTS));
    free(test_sql(&f.db, "ALTER TABLE tv.due DROP CONSTRAINT due_kind_check;"
                         "INSERT INTO tv.due (clinic_id, appointment_id, version, kind, lead_s,"
                         " due_at, expires_at)"
                         " SELECT clinic_id, id, version, 'survey', n, '2026-11-23T07:00:00Z',"
                         " 'infinity' FROM tv.appointment, generate_series(1, 600) n"));
    struct answer *a = fire("500");
    assert_value(a, "fired", "0");
    assert_value(a, "told", "[]");
    assert_value(a, "more", "f"); /* or the notifier would ask without a pause */
    assert_value(a, "backlog", "600");
    assert_value(a, "next_due_at", "2026-11-25 11:00:00+00");
    answer_free(a);
    fixture_set_now(&f, "2026-11-25T11:00:00Z");
    a = fire("500");
    assert_value(a, "fired", "1");
    assert_int_equal(entries(a), 2);
    assert_non_null(strstr(answer_value(a, 0, 0, "told"), "appointment.reminder"));
    assert_value(a, "backlog", "600");
    answer_free(a);
    assert_int_equal(
        fixture_count(&f, "SELECT count(*) FROM tv.due WHERE kind = 'survey' AND state = 'due'"),
        600);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.event WHERE lead_s < 601 AND"
                                       " type = 'appointment.reminder'"),
                     0); /* nobody was reminded because of them */
    free(test_sql(&f.db, "DELETE FROM tv.due WHERE kind = 'survey';"
                         "ALTER TABLE tv.due ADD CHECK (kind IN ('call_available', 'reminder',"
                         " 'call_closing', 'window_closed'))"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_on_time, each, each_end),
        cmocka_unit_test_setup_teardown(test_too_late, each, each_end),
        cmocka_unit_test_setup_teardown(test_superseded_never_fires, each, each_end),
        cmocka_unit_test_setup_teardown(test_limit_and_backlog, each, each_end),
        cmocka_unit_test_setup_teardown(test_others_are_not_waited_for, each, each_end),
        cmocka_unit_test_setup_teardown(test_the_end_of_a_call, each, each_end),
        cmocka_unit_test_setup_teardown(test_a_short_window, each, each_end),
        cmocka_unit_test_setup_teardown(test_confirmed_after_it_closed, each, each_end),
        cmocka_unit_test_setup_teardown(test_a_room_that_is_being_closed, each, each_end),
        cmocka_unit_test_setup_teardown(test_what_is_watched, each, each_end),
        cmocka_unit_test_setup_teardown(test_what_else_is_said, each, each_end),
        cmocka_unit_test_setup_teardown(test_unknown_kinds_wait_for_who_knows_them, each, each_end),
        cmocka_unit_test_setup_teardown(test_exactly_once, each, each_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
