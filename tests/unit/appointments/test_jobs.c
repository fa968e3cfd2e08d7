/* Jobs: claimed by one at a time, kept until they are done, lost by who is too slow. */
#include "fixture.h"
#include "lib/pb.h"
#include "televisit/v1/jobs.pb-c.h"

static struct fixture f;
static char *appointment;

#define CLOSED "2026-11-26T13:00:00Z" /* the appointment's window, just now */

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
    appointment = fixture_confirmed(&f, PATIENT, "2026-11-26T11:00:00Z");
    fixture_set_now(&f, CLOSED);
    return 0;
}
static int each_end(void **state) {
    fixture_check_promises(&f);
    free(appointment);
    return 0;
}

/* Jobs with the keys 1 to `count`; the n-th runs n - 1 seconds from now. */
static void write_jobs(unsigned count) {
    free(fixture_sql(&f,
                     "INSERT INTO tv.job (clinic_id, kind, appointment_id, key, run_at, created_at)"
                     " SELECT clinic_id, 'close_room', id, n::text, tv.tv_now() +"
                     " make_interval(secs => n - 1), tv.tv_now() + make_interval(secs => n)"
                     " FROM tv.appointment, generate_series(1, %u) n",
                     count));
}

/* -- Claim --------------------------------------------------------------------------------------*/

static struct answer *claim_kinds(const char *limit, const char *lease_ms, const char *kinds) {
    static const struct tv_pg_statement *const unit[] = {&sql_jobs_claim};
    struct tv_actor nobody = {.role = TV_ROLE_SERVICE};
    const struct bind binds[] = {{"limit", limit}, {"lease_ms", lease_ms}, {"kinds", kinds}};
    return fixture_submit(&f, &nobody, unit, 1, binds, TV_ARRAY_LEN(binds));
}

static struct answer *claim_submit(const char *limit, const char *lease_ms) {
    return claim_kinds(limit, lease_ms, "{close_room,reconcile_call}");
}

static struct answer *claim(const char *limit, const char *lease_ms) {
    struct answer *a = claim_submit(limit, lease_ms);
    fixture_wait(&f, a);
    if (a->err != TV_OK)
        fail_msg("%s", a->error.detail);
    assert_int_equal(a->rows[0], 1);
    return a;
}

/* The jobs of a reply, in its arena; every member has its field. */
static Televisit__V1__ClaimJobsReply *jobs_of(struct answer *a) {
    const char *jobs = answer_value(a, 0, 0, "jobs");
    char *json = tv_arena_printf(a->arena, "{\"jobs\": %s}", jobs);
    ProtobufCMessage *reply = NULL;
    struct tv_error e = TV_ERROR_INIT;
    if (tv_pb_from_json(&televisit__v1__claim_jobs_reply__descriptor, tv_str(json), 0, a->arena,
                        &reply, &e) != TV_OK)
        fail_msg("%s: %s %s", json, e.pointer, e.detail);
    return (Televisit__V1__ClaimJobsReply *)reply;
}

static void assert_value(const struct answer *a, const char *column, const char *expected) {
    const char *value = answer_value(a, 0, 0, column);
    if (expected == NULL ? value != NULL : value == NULL || strcmp(value, expected) != 0)
        fail_msg("%s: %s, not %s", column, value, expected);
}

static void assert_keys(struct answer *a, const char *expected) {
    const Televisit__V1__ClaimJobsReply *reply = jobs_of(a);
    char keys[256] = "";
    size_t n = 0;
    for (size_t i = 0; i < reply->n_jobs; i++)
        n += (size_t)snprintf(keys + n, sizeof(keys) - n, "%s ", reply->jobs[i]->key);
    assert_string_equal(keys, expected);
}

/* -- Finish -------------------------------------------------------------------------------------*/

struct finishing {
    const char *clinic_id; /* NULL: the job's */
    const char *id, *lease, *outcome, *again_ms, *reason;
};

static struct answer *finish_submit(struct finishing g) {
    static const struct tv_pg_statement *const unit[] = {&sql_jobs_finish};
    struct tv_actor nobody = {.role = TV_ROLE_SERVICE};
    const struct bind binds[] = {
        {"clinic_id", g.clinic_id == NULL ? BERLIN : g.clinic_id},
        {"id", g.id},
        {"lease", g.lease},
        {"outcome", g.outcome},
        {"again_ms", g.again_ms == NULL ? "0" : g.again_ms},
        {"reason", g.reason == NULL ? "" : g.reason},
    };
    return fixture_submit(&f, &nobody, unit, 1, binds, TV_ARRAY_LEN(binds));
}

static bool finish(struct finishing g) {
    struct answer *a = finish_submit(g);
    fixture_wait(&f, a);
    if (a->err != TV_OK)
        fail_msg("%s", a->error.detail);
    bool held = answer_value(a, 0, 0, "held")[0] == 't';
    answer_free(a);
    return held;
}

/* Claims the one job that waits. */
static struct finishing claim_one(struct answer **ret) {
    *ret = claim("10", "8000");
    const Televisit__V1__ClaimJobsReply *reply = jobs_of(*ret);
    assert_int_equal(reply->n_jobs, 1);
    return (struct finishing){.id = reply->jobs[0]->id, .lease = reply->jobs[0]->lease};
}

static void assert_job(const char *expected) {
    char *job = fixture_sql(&f, "SELECT concat_ws(' ', state, attempts, run_at, nullif(reason, ''),"
                                " again_at, CASE WHEN lease IS NOT NULL THEN 'leased' END)"
                                " FROM tv.job");
    if (job == NULL || strcmp(job, expected) != 0)
        fail_msg("%s, not %s", job, expected);
    free(job);
}

/* -- tests --------------------------------------------------------------------------------------*/

static void test_what_is_claimed(void **state) {
    struct answer *a = claim("10", "8000");
    assert_value(a, "jobs", "[]");
    assert_value(a, "now", "2026-11-26 13:00:00+00");
    assert_value(a, "next_run_at", NULL);
    assert_value(a, "more", "f");
    assert_value(a, "backlog", "0");
    assert_value(a, "dead", "0");
    answer_free(a);

    write_jobs(3);
    a = claim("10", "8000");
    const Televisit__V1__ClaimJobsReply *reply = jobs_of(a);
    assert_int_equal(reply->n_jobs, 1);
    const Televisit__V1__Job *job = reply->jobs[0];
    assert_string_equal(job->clinic_id, BERLIN);
    assert_string_equal(job->kind, "close_room");
    assert_string_equal(job->appointment_id, appointment);
    assert_string_equal(job->key, "1");
    assert_int_equal(strlen(job->lease), 36);
    assert_int_equal(job->attempts, 1);
    assert_int_equal(job->created_at->seconds % 60, 1);
    assert_value(a, "next_run_at", "2026-11-26 13:00:01+00");
    assert_value(a, "more", "f");
    answer_free(a);
    assert_int_equal(
        fixture_count(&f, "SELECT count(*) FROM tv.job WHERE key = '1' AND lease IS NOT NULL AND"
                          " run_at = tv.tv_now() + interval '8 seconds'"),
        1);

    fixture_set_now(&f, "2026-11-26T13:00:02Z");
    a = claim("10", "60000");
    assert_keys(a, "2 3 ");
    assert_value(a, "next_run_at", "2026-11-26 13:00:08+00"); /* the first one's lease */
    answer_free(a);
}

static void test_limit_and_backlog(void **state) {
    write_jobs(5);
    fixture_set_now(&f, "2026-11-26T13:00:03.5Z"); /* four */
    struct answer *a = claim("3", "8000");
    assert_keys(a, "1 2 3 ");
    assert_value(a, "more", "t");
    assert_value(a, "backlog", "1");
    answer_free(a);
    a = claim("3", "8000");
    assert_keys(a, "4 ");
    assert_value(a, "more", "f");
    assert_value(a, "backlog", "0");
    assert_value(a, "next_run_at", "2026-11-26 13:00:04+00");
    answer_free(a);
}

static void test_counts_have_an_end(void **state) {
    write_jobs(1200);
    free(test_sql(&f.db, "INSERT INTO tv.job (clinic_id, kind, appointment_id, key, run_at,"
                         " created_at, state, settled_at) SELECT clinic_id, kind, appointment_id,"
                         " key, run_at, created_at, 'dead', tv.tv_now() FROM tv.job"));
    fixture_set_now(&f, "2026-11-27T00:00:00Z");
    struct answer *a = claim("1", "8000");
    assert_value(a, "backlog", "1000");
    assert_value(a, "dead", "1000");
    answer_free(a);
}

/* Bounds: 1 to 100 jobs, for 1 to 60 seconds. */
static void test_hostile_numbers(void **state) {
    static const struct {
        const char *limit, *lease_ms;
        unsigned claimed, lease_s;
    } rows[] = {
        {"0", "0", 1, 1},
        {"-2147483648", "-2147483648", 1, 1},
        {"2147483647", "2147483647", 100, 60},
        {"100", "60000", 100, 60},
        {"99", "1500", 99, 1},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        free(test_sql(&f.db, "DELETE FROM tv.job"));
        fixture_set_now(&f, CLOSED);
        write_jobs(120);
        fixture_set_now(&f, "2026-11-27T00:00:00Z");
        struct answer *a = claim(rows[i].limit, rows[i].lease_ms);
        assert_int_equal(jobs_of(a)->n_jobs, rows[i].claimed);
        answer_free(a);
        assert_int_equal(fixture_count(&f,
                                       "SELECT floor(extract(epoch FROM max(run_at) - tv.tv_now()))"
                                       " FROM tv.job WHERE lease IS NOT NULL"),
                         rows[i].lease_s);
    }
    struct answer *one = NULL;
    static const char *const again[] = {"-1", "-2147483648", "2147483647"};
    for (size_t i = 0; i < TV_ARRAY_LEN(again); i++) {
        free(test_sql(&f.db, "DELETE FROM tv.job"));
        write_jobs(1);
        struct finishing g = claim_one(&one);
        g.outcome = "AGAIN";
        g.again_ms = again[i];
        assert_true(finish(g));
        answer_free(one);
        assert_int_equal(fixture_count(&f, "SELECT extract(epoch FROM run_at - tv.tv_now())"
                                           " FROM tv.job"),
                         i == 2 ? 86400 : 0);
    }
}

/* Several claim at once: each job goes to one of them. */
static void test_each_job_once(void **state) {
    enum { JOBS = 100, CLAIMS = 40 };
    write_jobs(JOBS);
    fixture_set_now(&f, "2026-11-27T00:00:00Z");
    struct answer *claims[CLAIMS];
    for (unsigned i = 0; i < CLAIMS; i++)
        claims[i] = claim_submit("5", "8000");
    size_t claimed = 0;
    for (unsigned i = 0; i < CLAIMS; i++) {
        fixture_wait(&f, claims[i]);
        assert_int_equal(claims[i]->err, TV_OK);
        claimed += jobs_of(claims[i])->n_jobs;
        answer_free(claims[i]);
    }
    assert_int_equal(claimed, JOBS);
    assert_int_equal(fixture_count(&f, "SELECT count(DISTINCT lease) FROM tv.job"
                                       " WHERE attempts = 1"),
                     JOBS);
}

static void test_a_lost_lease(void **state) {
    write_jobs(1);
    struct answer *first = NULL, *second = NULL;
    struct finishing slow = claim_one(&first);
    fixture_set_now(&f, "2026-11-26T13:00:07.999Z");
    struct answer *a = claim("10", "8000");
    assert_value(a, "jobs", "[]");
    answer_free(a);
    fixture_set_now(&f, "2026-11-26T13:00:08Z");
    struct finishing next = claim_one(&second);
    assert_string_equal(next.id, slow.id);
    assert_string_not_equal(next.lease, slow.lease);
    assert_int_equal(jobs_of(second)->jobs[0]->attempts, 2);
    slow.outcome = "DONE";
    assert_false(finish(slow));
    slow.outcome = "DEAD";
    assert_false(finish(slow));
    assert_job("waiting 2 2026-11-26 13:00:16+00 leased");
    next.outcome = "DONE";
    assert_true(finish(next));
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.job"), 0);
    assert_false(finish(next)); /* said twice */
    answer_free(first);
    answer_free(second);
}

static void test_how_it_ends(void **state) {
    struct answer *a = NULL;
    write_jobs(1);
    struct finishing g = claim_one(&a);
    g.outcome = "RETRY";
    g.again_ms = "500";
    g.reason = "unavailable";
    assert_true(finish(g));
    assert_job("waiting 1 2026-11-26 13:00:00.5+00 unavailable");
    answer_free(a);

    fixture_set_now(&f, "2026-11-26T13:00:01Z");
    g = claim_one(&a);
    assert_int_equal(jobs_of(a)->jobs[0]->attempts, 2);
    g.outcome = "AGAIN";
    g.again_ms = "15000";
    assert_true(finish(g));
    assert_job("waiting 0 2026-11-26 13:00:16+00");
    answer_free(a);

    fixture_set_now(&f, "2026-11-26T13:00:16Z");
    g = claim_one(&a);
    assert_int_equal(jobs_of(a)->jobs[0]->attempts, 1);
    g.outcome = "DEAD";
    g.reason = "forbidden";
    assert_true(finish(g));
    assert_job("dead 1 2026-11-26 13:00:24+00 forbidden");
    answer_free(a);

    fixture_set_now(&f, "2026-11-27T00:00:00Z");
    a = claim("10", "8000");
    assert_value(a, "jobs", "[]");
    assert_value(a, "next_run_at", NULL);
    assert_value(a, "dead", "1");
    answer_free(a);
}

static void test_finish_that_holds_nothing(void **state) {
    write_jobs(1);
    struct answer *a = NULL;
    struct finishing right = claim_one(&a);
    right.outcome = "DONE";
    struct finishing wrong = right;
    wrong.lease = UNKNOWN;
    assert_false(finish(wrong));
    wrong.lease = "";
    assert_false(finish(wrong));
    wrong = right;
    wrong.id = UNKNOWN;
    assert_false(finish(wrong));
    wrong.id = NULL;
    assert_false(finish(wrong));
    wrong = right;
    wrong.clinic_id = NEW_YORK;
    assert_false(finish(wrong));
    static const char *const outcomes[] = {NULL, "", "UNSPECIFIED", "done"};
    for (size_t i = 0; i < TV_ARRAY_LEN(outcomes); i++) {
        wrong = right;
        wrong.outcome = outcomes[i];
        struct answer *refused = finish_submit(wrong);
        fixture_wait(&f, refused);
        assert_int_equal(refused->err, TV_ERR_INVALID);
        answer_free(refused);
    }
    assert_job("waiting 1 2026-11-26 13:00:08+00 leased");
    answer_free(a);
}

/* A room that should not be is seen: its job is written, or asked for again. */
static void ask(void) {
    static const struct tv_pg_statement *const unit[] = {&sql_calls_sweep};
    struct tv_actor nobody = {.role = TV_ROLE_SERVICE};
    char rooms[128];
    (void)snprintf(rooms, sizeof(rooms), "[{\"room\": \"room_%s\", \"roomSid\": \"RM_1\"}]",
                   appointment);
    const struct bind binds[] = {
        {"rooms", rooms}, {"after", ""}, {"last", ""}, {"age_ms", "0"}, {"alive_age_ms", "0"}};
    struct answer *a = fixture_submit(&f, &nobody, unit, 1, binds, TV_ARRAY_LEN(binds));
    fixture_wait(&f, a);
    assert_int_equal(a->err, TV_OK);
    answer_free(a);
}

/* Asked for while a worker has it: whatever that worker says, the job runs once more. */
static void test_asked_for_meanwhile(void **state) {
    static const struct {
        const char *outcome, *then;
    } rows[] = {
        {"DONE", "waiting 0 2026-11-26 13:00:02+00"},
        {"AGAIN", "waiting 0 2026-11-26 13:00:02+00"}, /* sooner than in 15 seconds */
        {"RETRY", "waiting 1 2026-11-26 13:00:18+00 why"},
        {"DEAD", "waiting 0 2026-11-26 13:00:02+00 why"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        free(test_sql(&f.db, "DELETE FROM tv.job"));
        fixture_set_now(&f, CLOSED);
        ask();
        ask(); /* nobody has it: it stays as it is */
        assert_job("waiting 0 2026-11-26 13:00:00+00");
        struct answer *a = NULL;
        struct finishing g = claim_one(&a);
        fixture_set_now(&f, "2026-11-26T13:00:02Z");
        ask();
        fixture_set_now(&f, "2026-11-26T13:00:03Z");
        ask();
        assert_job("waiting 1 2026-11-26 13:00:08+00 2026-11-26 13:00:02+00 leased");
        g.outcome = rows[i].outcome;
        g.again_ms = "15000";
        g.reason = "why";
        assert_true(finish(g));
        assert_job(rows[i].then);
        answer_free(a);
    }
    /* A claim is the once more. */
    fixture_set_now(&f, "2026-11-26T14:00:00Z");
    struct answer *a = NULL;
    struct finishing g = claim_one(&a);
    g.outcome = "DONE";
    assert_true(finish(g));
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.job"), 0);
    answer_free(a);
}

/* Asking brings forward what nobody has, and a dead letter stands in nobody's way. */
static void test_asked_for_earlier(void **state) {
    ask();
    free(test_sql(&f.db, "UPDATE tv.job SET run_at = '2026-11-26T13:00:30Z'"));
    ask();
    assert_job("waiting 0 2026-11-26 13:00:00+00");
    struct answer *a = NULL;
    struct finishing g = claim_one(&a);
    g.outcome = "DEAD";
    assert_true(finish(g));
    answer_free(a);
    ask();
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.job"), 2);
    a = claim("10", "8000");
    assert_int_equal(jobs_of(a)->n_jobs, 1);
    assert_value(a, "dead", "1");
    answer_free(a);
}

/* A newer release has written jobs, more than a claim takes, that this worker has no steps for. */
static void test_unknown_kinds_wait_for_who_knows_them(void **state) {
    free(fixture_sql(&f,
                     "INSERT INTO tv.job (clinic_id, kind, appointment_id, key, run_at, created_at)"
                     " SELECT clinic_id, 'mail', id, n::text, tv.tv_now() - interval '1 minute',"
                     " tv.tv_now() FROM tv.appointment, generate_series(1, 150) n"));
    write_jobs(1);
    struct answer *a = claim("10", "8000");
    assert_keys(a, "1 ");
    assert_value(a, "more", "f");
    assert_value(a, "backlog", "150"); /* they are seen */
    answer_free(a);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.job WHERE kind = 'mail' AND"
                                       " state = 'waiting' AND attempts = 0 AND lease IS NULL"),
                     150);
    a = claim_kinds("3", "8000", "{mail}");
    fixture_wait(&f, a);
    assert_int_equal(jobs_of(a)->n_jobs, 3);
    answer_free(a);
    a = claim_kinds("3", "8000", "{}"); /* who names none takes all */
    fixture_wait(&f, a);
    assert_int_equal(jobs_of(a)->n_jobs, 3);
    answer_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_claimed, each, each_end),
        cmocka_unit_test_setup_teardown(test_limit_and_backlog, each, each_end),
        cmocka_unit_test_setup_teardown(test_counts_have_an_end, each, each_end),
        cmocka_unit_test_setup_teardown(test_hostile_numbers, each, each_end),
        cmocka_unit_test_setup_teardown(test_each_job_once, each, each_end),
        cmocka_unit_test_setup_teardown(test_a_lost_lease, each, each_end),
        cmocka_unit_test_setup_teardown(test_how_it_ends, each, each_end),
        cmocka_unit_test_setup_teardown(test_finish_that_holds_nothing, each, each_end),
        cmocka_unit_test_setup_teardown(test_asked_for_meanwhile, each, each_end),
        cmocka_unit_test_setup_teardown(test_unknown_kinds_wait_for_who_knows_them, each, each_end),
        cmocka_unit_test_setup_teardown(test_asked_for_earlier, each, each_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
