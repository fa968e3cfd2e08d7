/* Jobs: when they are claimed, the steps of each kind, and how they end. */
#include "tests/unit/notifier/rig.h"

#define LOOK "Look " ROOM
#define SNAPSHOT "Snapshot " ROOM " RM_one"
#define SETTLE "Settle " VISIT
#define CLOSE "CloseRoom " ROOM
#define CLOSED "Closed " ROOM

/* -- steps --------------------------------------------------------------------------------------*/

/* One job, run once: what goes wrong, and what follows. */
static const struct {
    const char *what, *kind;
    int32_t attempts; /* before this one */
    const char *faulty;
    enum tv_err err;
    int32_t again_ms;
    const char *steps;
} rows[] = {
    {"closing a room", "close_room", 0, NULL, TV_OK, 0,
     LOOK "; " SNAPSHOT "; " SETTLE "; " CLOSE "; " CLOSED "; Finish DONE"},
    {"a late attempt is like the first", "close_room", 50, NULL, TV_OK, 0,
     LOOK "; " SNAPSHOT "; " SETTLE "; " CLOSE "; " CLOSED "; Finish DONE"},
    {"nobody can look: not settled", "close_room", 0, "Look", TV_ERR_MEDIA_UNAVAILABLE, 0,
     LOOK "; Finish RETRY media-unavailable"},
    {"nor at the third attempt", "close_room", 2, "Look", TV_ERR_DEADLINE, 0,
     LOOK "; Finish RETRY deadline"},
    {"from the fourth on it is", "close_room", 3, "Look", TV_ERR_MEDIA_UNAVAILABLE, 0,
     LOOK "; " SETTLE "; " CLOSE "; " CLOSED "; Finish DONE"},
    {"but not when the room is nonsense", "close_room", 3, "Look", TV_ERR_INVALID, 0,
     LOOK "; Finish DEAD invalid"},
    {"the snapshot fails", "close_room", 9, "Snapshot", TV_ERR_UNAVAILABLE, 0,
     LOOK "; " SNAPSHOT "; Finish RETRY unavailable"},
    {"the appointment is unknown", "close_room", 0, "Settle", TV_ERR_NOT_FOUND, 0,
     LOOK "; " SNAPSHOT "; " SETTLE "; Finish DEAD not-found"},
    {"settling fails", "close_room", 0, "Settle", TV_ERR_UNKNOWN_OUTCOME, 0,
     LOOK "; " SNAPSHOT "; " SETTLE "; Finish RETRY unknown-outcome"},
    {"LiveKit does not close", "close_room", 0, "CloseRoom", TV_ERR_MEDIA_UNAVAILABLE, 0,
     LOOK "; " SNAPSHOT "; " SETTLE "; " CLOSE "; Finish RETRY media-unavailable"},
    {"for ever", "close_room", 100000, "CloseRoom", TV_ERR_MEDIA_UNAVAILABLE, 0,
     LOOK "; " SNAPSHOT "; " SETTLE "; " CLOSE "; Finish RETRY media-unavailable"},
    {"closed, but not recorded", "close_room", 0, "Closed", TV_ERR_INTERNAL, 0,
     LOOK "; " SNAPSHOT "; " SETTLE "; " CLOSE "; " CLOSED "; Finish RETRY internal"},
    {"a call that is over", "reconcile_call", 0, NULL, TV_OK, 0,
     LOOK "; " SNAPSHOT "; Finish DONE"},
    {"a call that goes on", "reconcile_call", 0, NULL, TV_OK, 15000,
     LOOK "; " SNAPSHOT "; Finish AGAIN"},
    {"nobody can look at it", "reconcile_call", 9, "Look", TV_ERR_MEDIA_UNAVAILABLE, 15000,
     LOOK "; Finish RETRY media-unavailable"},
    {"it cannot be recorded", "reconcile_call", 0, "Snapshot", TV_ERR_INTERNAL, 15000,
     LOOK "; " SNAPSHOT "; Finish RETRY internal"},
    {"not allowed", "reconcile_call", 0, "Snapshot", TV_ERR_FORBIDDEN, 0,
     LOOK "; " SNAPSHOT "; Finish DEAD forbidden"},
    {"a kind of tomorrow", "send_fax", 0, NULL, TV_OK, 0, "Finish DEAD unknown-kind"},
    {"no kind", "", 0, NULL, TV_OK, 0, "Finish DEAD unknown-kind"},
};

static void test_steps(void **state) {
    run_notifier();
    wait_for_notes("Fire", 1);
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        unsigned job;

        print_message("    %s\n", rows[i].what);
        r.noted = 0;
        r.again_ms = rows[i].again_ms;
        heal();
        if (rows[i].faulty != NULL)
            fault(rows[i].faulty, rows[i].err, 1);
        job = add_job(rows[i].kind, ROOM, 0);
        r.jobs[job].attempts = rows[i].attempts;
        hint();
        wait_for_notes("Finish", 1);
        assert_string_equal(steps(), rows[i].steps);
        assert_int_equal(strcmp(r.jobs[job].kind, "close_room") != 0 || rows[i].err != TV_OK ||
                             r.jobs[job].state == DONE,
                         true);
        r.jobs[job].state = DONE; /* what would be tried again is not */
    }
    assert_true(wait_for(is_idle, NULL));
    assert_true(counts("tv_jobs_total{kind=\"close_room\",outcome=\"done\"} 3"));
    assert_true(counts("tv_jobs_total{kind=\"close_room\",outcome=\"retry\"} 7"));
    assert_true(counts("tv_jobs_total{kind=\"close_room\",outcome=\"dead\"} 2"));
    assert_true(counts("tv_jobs_total{kind=\"reconcile_call\",outcome=\"done\"} 1"));
    assert_true(counts("tv_jobs_total{kind=\"reconcile_call\",outcome=\"again\"} 1"));
    assert_true(counts("tv_jobs_total{kind=\"other\",outcome=\"dead\"} 2"));
    assert_true(counts("tv_job_seconds_count{kind=\"close_room\"} 12"));
    assert_true(counts("tv_job_lateness_seconds_count 19"));
    assert_true(counts("tv_jobs_backlog 4"));
    assert_int_equal(r.lease_ms, 8000);
    assert_int_equal(r.claim_limit, 32);
    assert_int_equal(r.claim_kinds, 2); /* what it has steps for, and nothing else */
}

static bool is_finished(void *ctx) { return r.jobs[*(unsigned *)ctx].state != WAITING; }
static void wait_for_job(unsigned job) {
    if (!wait_for(is_finished, &job))
        fail_msg("job %u did not end: %s", job, steps());
}

/* LiveKit is away for two attempts: the room is closed at the third, by itself and soon. */
static void test_closing_is_repeated_until_it_works(void **state) {
    unsigned job;

    run_notifier();
    wait_for_notes("Fire", 1);
    fault("CloseRoom", TV_ERR_MEDIA_UNAVAILABLE, 2);
    job = add_job("close_room", ROOM, 0);
    hint();
    wait_for_job(job);
    assert_int_equal(count_of("CloseRoom"), 3);
    assert_int_equal(count_of("Closed"), 1);
    assert_in_range(time_of("CloseRoom", 1) - time_of("CloseRoom", 0), 370 * MS, 1900 * MS);
    assert_in_range(time_of("CloseRoom", 2) - time_of("CloseRoom", 1), 740 * MS, 3500 * MS);
    assert_int_equal(r.jobs[job].state, DONE);
}

static void test_a_call_is_looked_at_again(void **state) {
    r.again_ms = 300;
    run_notifier();
    add_job("reconcile_call", ROOM, 0);
    wait_for_notes("Finish AGAIN", 3);
    assert_in_range(time_of("Finish", 2) - time_of("Finish", 1), 300 * MS, 900 * MS);
    r.again_ms = 0;
    wait_for_notes("Finish DONE", 1);
    wait_us(50 * MS);
    assert_true(count_of("Claim") <=
                6); /* one for each, and one or two for what Fire told before */
}

/* What is seen may have changed on the way: the snapshot says how old it is. */
static void test_a_snapshot_says_its_age(void **state) {
    unsigned job;

    fault("Look", TV_OK, 1);
    run_notifier();
    job = add_job("reconcile_call", ROOM, 0);
    assert_true(wait_for(is_kept, NULL));
    wait_us(120 * MS);
    answer(TV_TAKE_PTR(r.kept));
    wait_for_job(job);
    assert_in_range(r.snapshot_age_ms, 100, 1000);
}

/* -- telling ------------------------------------------------------------------------------------*/

static bool has_heard(void *ctx) { return r.nudges_heard >= 3 && r.hints_heard >= 3; }

static void test_replies_are_told(void **state) {
    int64_t after_us = 0;

    r.tells = r.due_now = true;
    run_notifier();
    add_job("close_room", ROOM, 0);
    wait_for_notes("Finish", 1);
    assert_true(
        wait_for(has_heard, NULL)); /* of Snapshot, Settle, Closed; CloseRoom tells nothing */
    assert_int_equal(r.nudges_heard, 3);
    assert_int_equal(r.hints_heard, 3);
    assert_true(counts("tv_notify_told_total{type=\"call.media_restored\"} 3"));
    /* Our own hint came back to us: there was a Fire sooner than the next one by itself. */
    for (unsigned i = 0; after_us <= time_of("Snapshot", 0); i++) {
        wait_for_notes("Fire", i + 1);
        after_us = time_of("Fire", i);
    }
    assert_true(after_us - time_of("Snapshot", 0) < 600 * MS);
}

/* -- claiming -----------------------------------------------------------------------------------*/

static void test_a_hint_leads_to_a_claim(void **state) {
    unsigned quick = 0;

    run_notifier();
    wait_for_notes("Fire", 1);
    for (unsigned i = 0; i < 8; i++) {
        int64_t since_us;
        unsigned job;

        wait_us(30 * MS);
        since_us = tv_clock_mono_us();
        job = add_job("close_room", ROOM, 0);
        hint();
        wait_for_job(job);
        quick += tv_clock_mono_us() - since_us < 150 * MS;
    }
    assert_true(quick >= 5); /* a busy machine may be late a few times */
}

static void test_a_job_of_later_is_claimed_then(void **state) {
    unsigned job;
    int64_t due_us;

    run_notifier();
    wait_for_notes("Fire", 1);
    job = add_job("close_room", ROOM, 1500 * MS);
    due_us = r.jobs[job].run_us;
    wait_for_job(job);
    assert_in_range(time_of("Look", 0) - due_us, 0, 1500 * MS);
    assert_true(count_of("Claim") <= 3);
}

static void test_nothing_waits_nothing_is_asked(void **state) {
    run_notifier();
    wait_us(2500 * MS);
    assert_int_equal(count_of("Claim"), 0);
    assert_int_equal(count_of("Probe"), 0);
    assert_int_equal(count_of("ListRooms"), 1);
    assert_in_range(count_of("Fire"), 2, 4);
}

static void test_no_more_at_a_time_than_it_can_bear(void **state) {
    unsigned i;

    for (i = 0; i < 80; i++)
        add_job("reconcile_call", ROOM, 0);
    fault("Look", TV_OK, 1);
    run_notifier();
    assert_true(wait_for(is_kept, NULL));
    wait_for_notes("Finish DONE", 79);
    assert_true(r.claim_limit < 32); /* one place is taken */
    answer(TV_TAKE_PTR(r.kept));
    wait_for_notes("Finish DONE", 80);
    assert_true(count_of("Claim") >= 3);
}

static void test_failing_claims_are_waited_out(void **state) {
    unsigned job;

    fault("Claim", TV_ERR_UNAVAILABLE, 3);
    run_notifier();
    job = add_job("close_room", ROOM, 0);
    wait_for_job(job);
    assert_int_equal(count_of("Claim") >= 4, true);
    assert_true(time_of("Claim", 2) - time_of("Claim", 0) >= 200 * MS);
    assert_true(counts("tv_jobs_claim_errors_total{code=\"unavailable\"} 3"));
}

/* -- leases -------------------------------------------------------------------------------------*/

/* The lease ends in the middle: not another step and no word of it, until it is claimed again. */
static void test_a_lease_that_ended_is_left_alone(void **state) {
    unsigned job;

    fault("Snapshot", TV_OK, 1);
    run_notifier();
    job = add_job("close_room", ROOM, 0);
    assert_true(wait_for(is_kept, NULL));
    answer(TV_TAKE_PTR(r.kept));
    r.skipped_us += 8 * TV_US_PER_S; /* the reply is on its way */
    wait_for_job(job);
    assert_string_equal(steps(), LOOK "; " SNAPSHOT "; " LOOK "; " SNAPSHOT "; " SETTLE "; " CLOSE
                                      "; " CLOSED "; Finish DONE");
    assert_int_equal(r.jobs[job].attempts, 2);
    assert_true(counts("tv_jobs_total{kind=\"close_room\",outcome=\"lost\"} 1"));
}

static void test_somebody_else_has_the_lease(void **state) {
    fault("Closed", TV_OK, 1);
    run_notifier();
    add_job("close_room", ROOM, 0);
    assert_true(wait_for(is_kept, NULL));
    r.jobs[0].lease = 4711;
    answer(TV_TAKE_PTR(r.kept));
    wait_for_notes("Finish DONE", 1);
    assert_true(wait_for(is_idle, NULL));
    assert_true(counts("tv_jobs_total{kind=\"close_room\",outcome=\"lost\"} 1"));
    assert_true(counts("tv_jobs_total{kind=\"close_room\",outcome=\"done\"} 0"));
}

static bool is_lost(void *ctx) {
    return counts("tv_jobs_total{kind=\"close_room\",outcome=\"lost\"} 1");
}

static void test_the_bus_goes_in_the_middle(void **state) {
    unsigned job;

    fault("Settle", TV_OK, 1);
    run_notifier();
    job = add_job("close_room", ROOM, 0);
    assert_true(wait_for(is_kept, NULL));
    test_nats_kill(&r.nats);
    assert_true(wait_for(is_lost, NULL));
    test_nats_restart(&r.nats);
    connect_bus(r.appointments);
    connect_bus(r.tokens);
    answer(TV_TAKE_PTR(r.kept));
    assert_int_equal(count_of("Finish"), 0);
    r.skipped_us += 8 * TV_US_PER_S; /* the lease brings it back */
    wait_for_job(job);
    assert_int_equal(count_of("Finish"), 1);
}

/* -- the end ------------------------------------------------------------------------------------*/

static void test_drain_ends_what_is_under_way(void **state) {
    unsigned other;

    fault("Settle", TV_OK, 1);
    run_notifier();
    add_job("close_room", ROOM, 0);
    assert_true(wait_for(is_kept, NULL));
    drain(r.notifier);
    other = add_job("close_room", ROOM, 0);
    hint();
    wait_us(200 * MS);
    assert_true(busy(r.notifier));
    answer(TV_TAKE_PTR(r.kept));
    assert_true(wait_for(is_idle, NULL));
    assert_int_equal(r.jobs[0].state, DONE);
    assert_int_equal(r.jobs[other].attempts, 0); /* nothing new began */
}

/* It is not waited for: the bus closes over a step, and nothing is asked of it any more. */
static void test_stop_in_the_middle(void **state) {
    fault("Settle", TV_OK, 1);
    run_notifier();
    add_job("close_room", ROOM, 0);
    assert_true(wait_for(is_kept, NULL));
    drain(r.notifier);
    tv_bus_free(TV_TAKE_PTR(r.bus));
    assert_false(busy(r.notifier));
    assert_true(is_lost(NULL));
    stop(TV_TAKE_PTR(r.notifier));
    wait_us(20 * MS);
    assert_int_equal(count_of("Finish"), 0);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_steps),
        T(test_closing_is_repeated_until_it_works),
        T(test_a_call_is_looked_at_again),
        T(test_a_snapshot_says_its_age),
        T(test_replies_are_told),
        T(test_a_hint_leads_to_a_claim),
        T(test_a_job_of_later_is_claimed_then),
        T(test_nothing_waits_nothing_is_asked),
        T(test_no_more_at_a_time_than_it_can_bear),
        T(test_failing_claims_are_waited_out),
        T(test_a_lease_that_ended_is_left_alone),
        T(test_somebody_else_has_the_lease),
        T(test_the_bus_goes_in_the_middle),
        T(test_drain_ends_what_is_under_way),
        T(test_stop_in_the_middle),
    };
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
