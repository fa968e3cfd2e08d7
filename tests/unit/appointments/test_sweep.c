/* LiveKit's rooms against the record: what should not be is closed, what was lost is marked, looked
 * at and wished for, and what belongs to others is left alone. */
#include "fixture.h"
#include "lib/pb.h"
#include "televisit/v1/calls.pb-c.h"

static struct fixture f;
static char *first, *second; /* appointments, open at NOW until 13:00 and 13:30 */

#define NOW "2026-11-26T11:30:00Z"

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
    first = fixture_confirmed(&f, PATIENT, "2026-11-26T11:00:00Z");
    second = fixture_confirmed(&f, PATIENT2, "2026-11-26T11:30:00Z");
    fixture_set_now(&f, NOW);
    return 0;
}
static int each_end(void **state) {
    fixture_check_promises(&f);
    free(first);
    free(second);
    return 0;
}

/* -- a sweep ------------------------------------------------------------------------------------*/

struct sweeping {
    const char *rooms; /* "name sid" of each, with commas; %1 and %2 are the appointments */
    const char *after, *last, *age_ms, *alive_age_ms;
};

/* "room_%1.2": the name with the id. */
static char *named(const char *pattern) {
    char text[1024];
    size_t n = 0;
    for (const char *p = pattern; *p != '\0'; p++) {
        if (*p == '%') {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", *++p == '1' ? first : second);
        } else {
            text[n++] = *p;
        }
        assert_true(n < sizeof(text) - 1);
    }
    text[n] = '\0';
    return strdup(text);
}

static char *rooms_json(const char *rooms) {
    char *text = named(rooms), json[4096] = "[", *rest = NULL;
    size_t n = 1;
    for (char *room = strtok_r(text, ",", &rest); room != NULL; room = strtok_r(NULL, ",", &rest)) {
        char *sid = strrchr(room, ' ');
        *sid = '\0';
        n += (size_t)snprintf(json + n, sizeof(json) - n,
                              "%s{\"room\": \"%s\", \"roomSid\": \"%s\"}", n > 1 ? "," : "", room,
                              sid + 1);
    }
    (void)snprintf(json + n, sizeof(json) - n, "]");
    free(text);
    return strdup(json);
}

static struct answer *sweep_submit(struct sweeping s) {
    static const struct tv_pg_statement *const unit[] = {&sql_calls_sweep};
    struct tv_actor nobody = {.role = TV_ROLE_SERVICE};
    char *rooms = rooms_json(s.rooms == NULL ? "" : s.rooms);
    char *after = named(s.after == NULL ? "" : s.after);
    char *last = named(s.last == NULL ? "" : s.last);
    const struct bind binds[] = {
        {"rooms", rooms},
        {"after", after},
        {"last", last},
        {"age_ms", s.age_ms == NULL ? "0" : s.age_ms},
        {"alive_age_ms", s.alive_age_ms == NULL ? "0" : s.alive_age_ms},
    };
    struct answer *a = fixture_submit(&f, &nobody, unit, 1, binds, TV_ARRAY_LEN(binds));
    free(rooms);
    free(after);
    free(last);
    return a;
}

static struct answer *sweep(struct sweeping s) {
    struct answer *a = sweep_submit(s);
    fixture_wait(&f, a);
    if (a->err != TV_OK)
        fail_msg("%s", a->error.detail);
    return a;
}

/* The reply's `make`; every member has its field. */
static Televisit__V1__SweepReply *wishes(struct answer *a) {
    char *json = tv_arena_printf(a->arena, "{\"make\": %s}", answer_value(a, 0, 0, "make"));
    ProtobufCMessage *reply = NULL;
    struct tv_error e = TV_ERROR_INIT;
    if (tv_pb_from_json(&televisit__v1__sweep_reply__descriptor, tv_str(json), 0, a->arena, &reply,
                        &e) != TV_OK)
        fail_msg("%s: %s %s", json, e.pointer, e.detail);
    return (Televisit__V1__SweepReply *)reply;
}

/* "strays lost due_now: make", and frees it. */
static void assert_reply(struct answer *a, const char *expected) {
    const Televisit__V1__SweepReply *reply = wishes(a);
    char text[512], *wanted = named(expected);
    size_t n = (size_t)snprintf(text, sizeof(text), "%s %s %s:", answer_value(a, 0, 0, "strays"),
                                answer_value(a, 0, 0, "lost"), answer_value(a, 0, 0, "due_now"));
    for (size_t i = 0; i < reply->n_make; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, " %s", reply->make[i]->room);
    assert_string_equal(text, wanted);
    free(wanted);
    answer_free(a);
}

static void assert_jobs(const char *expected) {
    char *wanted = named(expected);
    char *jobs = test_sql(&f.db, "SELECT coalesce(string_agg(j.kind || ' ' || j.key, ', ' ORDER BY"
                                 " j.kind, a.starts_at), '') FROM tv.job j JOIN tv.appointment a"
                                 " ON a.id = j.appointment_id WHERE j.run_at <= tv.tv_now()");
    assert_string_equal(jobs, wanted);
    free(jobs);
    free(wanted);
}

static void write_look(const char *id) { /* the job that looks at a running call */
    free(fixture_sql(&f,
                     "INSERT INTO tv.job (clinic_id, kind, appointment_id, key, run_at, created_at)"
                     " SELECT clinic_id, 'reconcile_call', id, tv.room_name(id, generation),"
                     " tv.tv_now() + interval '15 seconds', tv.tv_now() FROM tv.appointment"
                     " WHERE id = '%s'",
                     id));
}

/* -- tests --------------------------------------------------------------------------------------*/

static void test_nothing_to_do(void **state) {
    assert_reply(sweep((struct sweeping){0}), "0 0 f:");
    fixture_call(&f, first, "RM_1", "2026-11-26T11:00:00Z", NULL);
    write_look(first);
    assert_reply(sweep((struct sweeping){.rooms = "room_%1 RM_1"}), "0 0 f:");
    assert_jobs("");
    assert_int_equal(fixture_count(&f, "SELECT max(call_rev) FROM tv.appointment"), 0);
}

static void test_rooms_that_should_not_be(void **state) {
    static const struct {
        const char *set; /* what is other than usual with the appointment */
        const char *rooms, *expected, *jobs;
    } rows[] = {
        {"generation = 1", "room_%1.2 RM_1", "1 0 t:", "close_room room_%1.2"},
        {"generation = 2", "room_%1 RM_1", "1 0 t:", "close_room room_%1"},
        {"starts_at = '2026-11-26T12:00:00Z', ends_at = '2026-11-26T12:30:00Z',"
         " opens_at = tv.tv_now() + interval '1 microsecond'",
         "room_%1 RM_1", "1 0 t:", "close_room room_%1"},
        {"closes_at = tv.tv_now()", "room_%1 RM_1", "1 0 t:", "close_room room_%1"},
        /* open, and nothing is known of it */
        {"closes_at = tv.tv_now() + interval '1 microsecond'", "room_%1 RM_1",
         "0 0 t:", "reconcile_call room_%1"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        free(test_sql(&f.db, "DELETE FROM tv.job"));
        free(fixture_sql(&f,
                         "UPDATE tv.appointment SET generation = 1, starts_at ="
                         " '2026-11-26T11:00:00Z', ends_at = '2026-11-26T11:30:00Z', opens_at ="
                         " '2026-11-26T10:30:00Z', closes_at = '2026-11-26T13:00:00Z'"
                         " WHERE id = '%s'",
                         first));
        free(fixture_sql(&f, "UPDATE tv.appointment SET %s WHERE id = '%s'", rows[i].set, first));
        for (unsigned times = 0; times < 2; times++) { /* twice is as once */
            assert_reply(sweep((struct sweeping){.rooms = rows[i].rooms}), rows[i].expected);
            assert_jobs(rows[i].jobs);
        }
    }
}

static void test_a_status_that_has_no_room(void **state) {
    struct answer *a = fixture_change(&f, AS_DOCTOR,
                                      (struct changing){.id = first,
                                                        .if_match = "2",
                                                        .from = "CONFIRMED",
                                                        .to = "CANCELLED",
                                                        .event_type = "appointment.cancelled"});
    assert_int_equal(a->err, TV_OK);
    answer_free(a);
    free(test_sql(&f.db, "DELETE FROM tv.job")); /* it was closed, and is there again */
    assert_reply(sweep((struct sweeping){.rooms = "room_%1 RM_1,room_%2 RM_2"}), "1 0 t:");
    assert_jobs("close_room room_%1, reconcile_call room_%2");
}

/* Another installation may share the LiveKit. */
static void test_rooms_of_others(void **state) {
    assert_reply(sweep((struct sweeping){.rooms = "room_" UNKNOWN " RM_1,room_" UNKNOWN ".2 RM_2,"
                                                  "team meeting RM_3,room_ RM_4,room_%1.1 RM_5,"
                                                  "room_%1.02 RM_6,room_%1.2147483648 RM_7,"
                                                  "room_%1.9999999999 RM_8,xroom_%1 RM_9,"
                                                  "room_%1x RM_10,room_%1. RM_11,"
                                                  "room_%1.2.3 RM_12,room_" BERLIN " RM_13"}),
                 "0 0 f:");
    assert_jobs("");
}

/* The clinic of a room is that of its appointment. */
static void test_rooms_of_all_clinics(void **state) {
    fixture_set_now(&f, "2026-11-23T08:00:00Z");
    free(test_sql(&f.db,
                  "INSERT INTO tv.appointment (clinic_id, status, doctor_id, patient_id, starts_at,"
                  " ends_at, opens_at, closes_at, time_zone, created_at, created_by, updated_at,"
                  " updated_by) VALUES ('" NEW_YORK "', 'REQUESTED', '" NY_DOCTOR "',"
                  " '" NY_PATIENT "', '2026-11-26T11:00:00Z', '2026-11-26T11:30:00Z',"
                  " '2026-11-26T10:30:00Z', '2026-11-26T13:00:00Z', 'UTC', tv.tv_now(),"
                  " '" NY_PATIENT "', tv.tv_now(), '" NY_PATIENT "')"));
    free(test_sql(&f.db, "INSERT INTO tv.participant (clinic_id, appointment_id, person_id, type,"
                         " added_at) SELECT a.clinic_id, a.id, p.id, p.type, a.created_at FROM"
                         " tv.appointment a, LATERAL (VALUES (a.doctor_id, 'DOCTOR'),"
                         " (a.patient_id, 'PATIENT')) p (id, type) WHERE a.clinic_id ="
                         " '" NEW_YORK "'"));
    fixture_set_now(&f, NOW);
    char *id = test_sql(&f.db, "SELECT id FROM tv.appointment WHERE clinic_id = '" NEW_YORK "'");
    char rooms[128];
    (void)snprintf(rooms, sizeof(rooms), "room_%s RM_1,room_%%1 RM_2", id);
    assert_reply(sweep((struct sweeping){.rooms = rooms}), "1 0 t:"); /* not confirmed */
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.job WHERE (clinic_id, kind) IN"
                                       " (('" NEW_YORK "', 'close_room'),"
                                       " ('" BERLIN "', 'reconcile_call'))"),
                     2);
    free(id);
}

/* LiveKit was restarted: everything is gone. */
static void test_lost_calls(void **state) {
    fixture_call(&f, first, "RM_1", "2026-11-26T11:00:00Z", PATIENT);
    fixture_call(&f, second, "RM_2", "2026-11-26T11:20:00Z", UNKNOWN); /* nobody is in */
    write_look(first);
    const struct sweeping gone = {.age_ms = "500", .alive_age_ms = "3000"};
    struct answer *a = sweep(gone);
    const Televisit__V1__SweepReply *reply = wishes(a);
    assert_int_equal(reply->n_make, 1);
    assert_int_equal(reply->make[0]->open_s, 5400);
    assert_int_equal(reply->make[0]->participants_max, 16);
    assert_reply(a, "0 2 t: room_%1");
    assert_jobs("reconcile_call room_%1, reconcile_call room_%2");
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.call WHERE lost_at = tv.tv_now() -"
                                       " interval '3 seconds' AND over_at IS NULL"),
                     2);
    assert_int_equal(fixture_count(&f, "SELECT sum(call_rev) FROM tv.appointment"), 2);
    /* Twice: the wish stands until the room is there, the rest is as it was. */
    assert_reply(sweep((struct sweeping){.age_ms = "1", .alive_age_ms = "1"}), "0 0 t: room_%1");
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.call WHERE lost_at = tv.tv_now() -"
                                       " interval '3 seconds'"),
                     2);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.job"), 2);
    assert_int_equal(fixture_count(&f, "SELECT sum(call_rev) FROM tv.appointment"), 2);
    /* It was made: nothing is to be wished, it is to be looked at. */
    assert_reply(sweep((struct sweeping){.rooms = "room_%1 RM_3"}), "0 0 t:");
}

/* When is not known better: at the latest when LiveKit was asked, never before it began. */
static void test_when_it_was_lost(void **state) {
    static const struct {
        const char *age_ms, *alive_age_ms, *lost;
    } rows[] = {
        {"500", "0", "2026-11-26 11:29:59.5+00"},
        {"500", "100", "2026-11-26 11:29:59.5+00"}, /* asked before it was alive: not so */
        {"500", "1500", "2026-11-26 11:29:58.5+00"},
        {"500", "3600000", "2026-11-26 11:00:00+00"},
        {"500", "9223372036854775807", "2026-11-26 11:00:00+00"},
        {"-9223372036854775808", "-1", "2026-11-26 11:30:00+00"},
    };
    fixture_call(&f, first, "RM_1", "2026-11-26T11:00:00Z", PATIENT);
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        free(test_sql(&f.db, "UPDATE tv.call SET lost_at = NULL"));
        answer_free(sweep(
            (struct sweeping){.age_ms = rows[i].age_ms, .alive_age_ms = rows[i].alive_age_ms}));
        char *lost = test_sql(&f.db, "SELECT lost_at FROM tv.call");
        assert_non_null(lost);
        assert_string_equal(lost, rows[i].lost);
        free(lost);
    }
}

/* What began when LiveKit was being asked need not be in its answer. */
static void test_a_call_younger_than_the_list(void **state) {
    fixture_call(&f, first, "RM_1", "2026-11-26T11:29:50Z", NULL);
    assert_reply(sweep((struct sweeping){.age_ms = "10000"}), "0 0 f:");
    assert_jobs("");
    assert_reply(sweep((struct sweeping){.age_ms = "9999"}), "0 1 t: room_%1");
    free(test_sql(&f.db, "UPDATE tv.call SET lost_at = NULL"));
    assert_reply(sweep((struct sweeping){.age_ms = "9223372036854775807"}), "0 0 f:");
}

static void test_a_room_made_again_by_others(void **state) {
    fixture_call(&f, first, "RM_1", "2026-11-26T11:00:00Z", NULL);
    assert_reply(sweep((struct sweeping){.rooms = "room_%1 RM_9"}), "0 1 t:");
    assert_jobs("reconcile_call room_%1");
}

/* The record closed the lost call before the wish was granted: it stands. */
static void test_a_wish_stands(void **state) {
    fixture_call(&f, first, "RM_1", "2026-11-26T11:00:00Z", NULL);
    assert_reply(sweep((struct sweeping){0}), "0 1 t: room_%1");
    free(test_sql(&f.db, "UPDATE tv.call SET over_at = lost_at, over_by = 'SNAPSHOT'"));
    free(test_sql(&f.db, "UPDATE tv.presence SET left_at = seen_at, left_by = 'SNAPSHOT', gone_at ="
                         " '" NOW "'"));
    free(test_sql(&f.db, "UPDATE tv.participant SET in_call_since = NULL"));
    assert_reply(sweep((struct sweeping){0}), "0 0 f: room_%1");
    assert_reply(sweep((struct sweeping){.after = "room_%1"}), "0 0 f:"); /* of another page */
    /* not when all had left before, */
    free(test_sql(&f.db, "UPDATE tv.presence SET gone_at = lost_at - interval '1 second'"
                         " FROM tv.call"));
    assert_reply(sweep((struct sweeping){0}), "0 0 f:");
    free(test_sql(&f.db, "UPDATE tv.presence SET gone_at = NULL, left_by = 'WEBHOOK'"));
    assert_reply(sweep((struct sweeping){0}), "0 0 f:");
    free(test_sql(&f.db, "UPDATE tv.presence SET left_by = 'SNAPSHOT'"));
    assert_reply(sweep((struct sweeping){0}), "0 0 f: room_%1");
    /* nor when it is there again, or its name is another, */
    fixture_call(&f, first, "RM_2", "2026-11-26T11:30:00Z", UNKNOWN);
    assert_reply(sweep((struct sweeping){0}), "0 0 f:");
    free(test_sql(&f.db, "DELETE FROM tv.call WHERE room_sid = 'RM_2'"));
    free(test_sql(&f.db, "UPDATE tv.appointment SET generation = 2"));
    assert_reply(sweep((struct sweeping){0}), "0 0 f:");
    free(test_sql(&f.db, "UPDATE tv.appointment SET generation = 1"));
    /* nor after the end. */
    fixture_set_now(&f, "2026-11-26T13:00:00Z");
    assert_reply(sweep((struct sweeping){0}), "0 0 f:");
}

/* A lost call of an appointment that is not open is looked at; nobody wants its room back. */
static void test_lost_after_the_end(void **state) {
    fixture_call(&f, first, "RM_1", "2026-11-26T11:00:00Z", NULL);
    fixture_set_now(&f, "2026-11-26T13:00:00Z");
    assert_reply(sweep((struct sweeping){0}), "0 1 t:");
    assert_jobs("reconcile_call room_%1");
}

/* LiveKit has what the record does not know, or what nobody looks after. */
static void test_calls_that_nobody_told_of(void **state) {
    assert_reply(sweep((struct sweeping){.rooms = "room_%1 RM_1"}), "0 0 t:");
    assert_jobs("reconcile_call room_%1");
    free(test_sql(&f.db, "DELETE FROM tv.job"));
    fixture_call(&f, first, "RM_1", "2026-11-26T11:00:00Z", NULL);
    assert_reply(sweep((struct sweeping){.rooms = "room_%1 RM_1"}), "0 0 t:");
    assert_jobs("reconcile_call room_%1");
    free(test_sql(&f.db, "UPDATE tv.job SET run_at = tv.tv_now() + interval '10 seconds'"));
    assert_reply(sweep((struct sweeping){.rooms = "room_%1 RM_1"}), "0 0 f:");
    assert_jobs(""); /* in its time */
}

/* A job that a notifier has in hands does not need a hint. */
static void test_a_job_that_runs(void **state) {
    assert_reply(sweep((struct sweeping){.rooms = "room_%1.2 RM_1"}), "1 0 t:");
    free(test_sql(&f.db, "UPDATE tv.job SET lease = gen_random_uuid(), attempts = 1"));
    assert_reply(sweep((struct sweeping){.rooms = "room_%1.2 RM_1"}), "1 0 f:");
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.job WHERE again_at = tv.tv_now()"),
                     1);
}

/* A page says something of its names only; names go by bytes. */
static void test_pages(void **state) {
    bool in_order = strcmp(first, second) < 0;
    const char *low = in_order ? "room_%1" : "room_%2", *high = in_order ? "room_%2" : "room_%1";
    char expected[64];
    fixture_call(&f, first, "RM_1", "2026-11-26T11:00:00Z", NULL);
    fixture_call(&f, second, "RM_2", "2026-11-26T11:00:00Z", NULL);
    assert_reply(sweep((struct sweeping){.last = "a"}), "0 0 f:");
    assert_reply(sweep((struct sweeping){.after = "room_zz"}), "0 0 f:");
    assert_reply(sweep((struct sweeping){.after = high}), "0 0 f:");
    (void)snprintf(expected, sizeof(expected), "0 1 t: %s", low);
    assert_reply(sweep((struct sweeping){.after = "Room", .last = low}), expected);
    (void)snprintf(expected, sizeof(expected), "0 1 t: %s", high);
    assert_reply(sweep((struct sweeping){.after = low}), expected);
}

/* Two replicas sweep at the same instant, many times: nothing is lost twice, nothing deadlocks. */
static void test_sweeps_at_once(void **state) {
    enum { SWEEPS = 24 };
    fixture_call(&f, first, "RM_1", "2026-11-26T11:00:00Z", NULL);
    fixture_call(&f, second, "RM_2", "2026-11-26T11:00:00Z", NULL);
    struct answer *sweeps[SWEEPS];
    for (unsigned i = 0; i < SWEEPS; i++)
        sweeps[i] = sweep_submit((struct sweeping){.rooms = "room_%2.7 RM_7,room_%1.7 RM_8"});
    int lost = 0;
    for (unsigned i = 0; i < SWEEPS; i++) {
        fixture_wait(&f, sweeps[i]);
        assert_int_equal(sweeps[i]->err, TV_OK);
        lost += atoi(answer_value(sweeps[i], 0, 0, "lost"));
        answer_free(sweeps[i]);
    }
    assert_int_equal(lost, 2);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.job"), 4);
    assert_int_equal(fixture_count(&f, "SELECT sum(call_rev) FROM tv.appointment"), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_to_do, each, each_end),
        cmocka_unit_test_setup_teardown(test_rooms_that_should_not_be, each, each_end),
        cmocka_unit_test_setup_teardown(test_a_status_that_has_no_room, each, each_end),
        cmocka_unit_test_setup_teardown(test_rooms_of_others, each, each_end),
        cmocka_unit_test_setup_teardown(test_rooms_of_all_clinics, each, each_end),
        cmocka_unit_test_setup_teardown(test_lost_calls, each, each_end),
        cmocka_unit_test_setup_teardown(test_when_it_was_lost, each, each_end),
        cmocka_unit_test_setup_teardown(test_a_call_younger_than_the_list, each, each_end),
        cmocka_unit_test_setup_teardown(test_a_room_made_again_by_others, each, each_end),
        cmocka_unit_test_setup_teardown(test_a_wish_stands, each, each_end),
        cmocka_unit_test_setup_teardown(test_lost_after_the_end, each, each_end),
        cmocka_unit_test_setup_teardown(test_calls_that_nobody_told_of, each, each_end),
        cmocka_unit_test_setup_teardown(test_a_job_that_runs, each, each_end),
        cmocka_unit_test_setup_teardown(test_pages, each, each_end),
        cmocka_unit_test_setup_teardown(test_sweeps_at_once, each, each_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
