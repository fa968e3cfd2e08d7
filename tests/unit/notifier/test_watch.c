/* The watch on LiveKit: probes, sweeps, rooms made again, and the word that it is back. */
#include "tests/unit/notifier/rig.h"

/* Sooner than the next sweep by itself, which comes 8 s after the last one at the earliest. */
#define AT_ONCE_US (5000 * MS)

static void wait_for_sweeps(unsigned n) {
    wait_for_notes("Sweep", n);
    assert_true(wait_for(is_idle, NULL));
}

/* A call runs and LiveKit has its room; what was found before the first sweep is not relied on. */
static void run_with_a_call(void) {
    r.watched = "RM_one";
    run_notifier();
    wait_for_sweeps(1);
    wait_for_notes("Probe " ROOM, 2);
    assert_int_equal(count_of("Sweep"), 1);
}

/* -- probes -------------------------------------------------------------------------------------*/

static void test_at_rest_there_is_one_sweep_and_no_probe(void **state) {
    run_notifier();
    wait_for_sweeps(1);
    wait_us(1500 * MS);
    assert_int_equal(count_of("Probe"), 0);
    assert_int_equal(count_of("Sweep"), 1);
    assert_int_equal(count_of("ListRooms"), 1);
    assert_int_equal(r.alive_age_ms, 0);
    assert_true(counts("tv_watch_livekit_up 1")); /* the list came from LiveKit */
    assert_true(counts("tv_watch_sweeps_total{outcome=\"done\"} 1"));
}

static void test_a_call_is_watched_every_second(void **state) {
    run_with_a_call();
    wait_for_notes("Probe " ROOM, 4);
    assert_in_range(time_of("Probe", 3) - time_of("Probe", 0), 2950 * MS, 5000 * MS);
    assert_int_equal(count_of("Sweep"), 1);
    r.watched = NULL;
    wait_us(1100 * MS); /* the next Fire says so */
    r.noted = 0;
    wait_us(1500 * MS);
    assert_int_equal(count_of("Probe"), 0);
}

static void test_probes_go_on_while_they_fail(void **state) {
    run_with_a_call();
    fault("Probe", TV_ERR_MEDIA_UNAVAILABLE, FOR_EVER);
    r.noted = 0;
    wait_for_notes("Probe", 6);
    assert_in_range(time_of("Probe", 5) - time_of("Probe", 1), 190 * MS, 3000 * MS);
    assert_int_equal(count_of("Sweep"), 0);
    assert_true(counts("tv_watch_livekit_up 0"));
}

/* -- restarts -----------------------------------------------------------------------------------*/

static bool all_made(void *ctx) {
    char line[64];

    snprintf(line, sizeof(line), "tv_watch_rooms_total{what=\"made\"} %u", *(unsigned *)ctx);
    return counts(line);
}

static void test_another_sid_leads_to_a_sweep(void **state) {
    unsigned rooms = 40;
    int64_t lost_us, good_us;

    run_with_a_call();
    good_us = time_of("Probe", 1);
    r.sid = "RM_two";
    r.wishes = rooms;
    r.due_now = true;
    wait_for_notes("Probe", 3);
    lost_us = time_of("Probe", 2);
    wait_for_notes("MakeRoom", rooms);
    assert_true(wait_for(all_made, &rooms));
    assert_in_range(time_of("Sweep", 1) - lost_us, 0, AT_ONCE_US);
    assert_in_range(r.alive_age_ms, (lost_us - good_us) / MS - 20, (lost_us - good_us) / MS + 1500);
    assert_true(time_of("MakeRoom " ROOM ".39", 0) - lost_us < 2 * TV_US_PER_S);
    assert_true(counts("tv_watch_rooms_total{what=\"lost\"} 40"));
    assert_true(counts("tv_watch_rooms_total{what=\"stray\"} 1"));
    r.noted = 0;
    wait_for_notes("Probe", 2); /* still missing */
    assert_int_equal(count_of("Sweep"), 0);
    r.watched = "RM_two"; /* now the record knows */
    r.noted = 0;
    wait_for_notes("Probe", 2);
    assert_int_equal(count_of("Sweep"), 0);
}

static void test_no_room_leads_to_a_sweep(void **state) {
    run_with_a_call();
    r.sid = "";
    wait_for_sweeps(2);
    assert_true(r.alive_age_ms > 0);
}

static void test_failure_and_return(void **state) {
    int64_t back_us;

    run_with_a_call();
    fault("Probe", TV_ERR_MEDIA_UNAVAILABLE, FOR_EVER);
    r.missed = true;
    r.tells = true;
    wait_for_notes("Probe", 5);
    wait_us(1100 * MS);
    assert_int_equal(count_of("RestoreMedia"), 0);
    assert_int_equal(count_of("Sweep"), 1);
    heal();
    back_us = tv_clock_mono_us();
    wait_for_notes("RestoreMedia", 1);
    wait_for_sweeps(2);
    assert_true(time_of("RestoreMedia", 0) - back_us < AT_ONCE_US);
    assert_true(time_of("Sweep", 1) - back_us < AT_ONCE_US);
    assert_true(r.alive_age_ms >= 1500);
    assert_true(counts("tv_watch_livekit_up 1"));
    assert_true(counts("tv_watch_outage_seconds_count 1"));
    wait_us(1500 * MS);
    assert_int_equal(count_of("RestoreMedia"), 1);
    assert_int_equal(r.nudges_heard, 1);
}

/* Tokens is away, which asks LiveKit: nothing is known of LiveKit, until it turns out to be away.
 */
static void test_tokens_is_away(void **state) {
    run_with_a_call();
    fault("Probe", TV_ERR_UNAVAILABLE, 3);
    wait_for_notes("Probe", 6);
    assert_true(wait_for(is_idle, NULL));
    assert_true(counts("tv_watch_livekit_up 1"));
    assert_true(counts("tv_watch_outage_seconds_count 0"));
    wait_for_sweeps(2);
    fault("Probe", TV_ERR_UNAVAILABLE, 1);
    wait_for_notes("Probe", 7);
    fault("Probe", TV_ERR_MEDIA_UNAVAILABLE, 2);
    wait_for_notes("Probe", 9);
    assert_true(wait_for(is_idle, NULL));
    assert_true(counts("tv_watch_livekit_up 0"));
    wait_for_sweeps(3);
    assert_true(counts("tv_watch_livekit_up 1"));
    assert_true(counts("tv_watch_outage_seconds_count 1"));
}

/* Nobody is in a call, but somebody waits for LiveKit: it is asked without a room. */
static void test_those_who_wait_hear_of_it(void **state) {
    run_notifier();
    wait_for_sweeps(1);
    fault("Probe", TV_ERR_DEADLINE, 2);
    r.missed = true;
    hint();
    wait_for_notes("RestoreMedia", 1);
    assert_int_equal(count_of("Probe"), 3);
    assert_int_equal(count_of("Probe " ROOM), 0);
    wait_us(1200 * MS);
    assert_int_equal(count_of("Probe"), 3);
}

static void test_telling_them_is_repeated(void **state) {
    fault("RestoreMedia", TV_ERR_UNAVAILABLE, 1);
    r.missed = true;
    run_notifier();
    wait_for_notes("RestoreMedia", 2);
    wait_us(1200 * MS);
    assert_int_equal(count_of("RestoreMedia"), 2);
}

/* -- sweeps -------------------------------------------------------------------------------------*/

static void test_a_sweep_goes_by_pages(void **state) {
    r.listed = 1200;
    run_notifier();
    wait_for_sweeps(3);
    assert_int_equal(count_of("ListRooms"), 3);
    assert_int_equal(count_of("Sweep 500 (, room_00499]"), 1);
    assert_int_equal(count_of("Sweep 500 (room_00499, room_00999]"), 1);
    assert_int_equal(count_of("Sweep 200 (room_00999, ]"), 1);
    assert_true(counts("tv_watch_sweeps_total{outcome=\"done\"} 1"));
}

/* A list that is not in order would hide rooms, or never end: it is not used. */
static void test_a_list_out_of_order(void **state) {
    r.listed = 700;
    r.lists_badly = true;
    run_notifier();
    wait_for_notes("ListRooms", 2); /* tried again after a second, not at once */
    assert_int_equal(count_of("Sweep"), 0);
    assert_true(time_of("ListRooms", 1) - time_of("ListRooms", 0) >= 700 * MS);
    assert_true(counts("tv_watch_sweeps_total{outcome=\"failed\"} 1"));
}

static void test_a_failed_sweep_is_repeated(void **state) {
    static const char *const methods[] = {"ListRooms", "Sweep"};

    for (size_t i = 0; i < TV_ARRAY_LEN(methods); i++)
        fault(methods[i], TV_ERR_UNAVAILABLE, 1);
    run_notifier();
    wait_for_sweeps(2);
    assert_true(time_of("ListRooms", 1) - time_of("ListRooms", 0) >= 700 * MS);
    assert_true(time_of("ListRooms", 2) - time_of("ListRooms", 1) >= 700 * MS);
    assert_true(counts("tv_watch_sweeps_total{outcome=\"unlisted\"} 1"));
    assert_true(counts("tv_watch_sweeps_total{outcome=\"failed\"} 1"));
    assert_true(counts("tv_watch_sweeps_total{outcome=\"done\"} 1"));
}

/* What comes up during a sweep makes another one follow it, not a second one beside it. */
static void test_one_sweep_at_a_time(void **state) {
    r.watched = "RM_one";
    fault("Sweep", TV_OK, 1);
    run_notifier();
    assert_true(wait_for(is_kept, NULL));
    wait_for_notes("Probe", 1);
    r.sid = "RM_two";
    wait_for_notes("Probe", 3);
    assert_int_equal(count_of("ListRooms"), 1);
    answer(TV_TAKE_PTR(r.kept));
    wait_for_sweeps(2);
    assert_true(time_of("ListRooms", 1) - time_of("Probe", 2) < 3000 * MS);
}

static void test_rooms_are_made_some_at_a_time(void **state) {
    unsigned rooms = 50;

    fault("MakeRoom", TV_OK, 1);
    fault("MakeRoom", TV_ERR_MEDIA_UNAVAILABLE, 30);
    r.wishes = rooms;
    run_notifier();
    assert_true(wait_for(is_kept, NULL));
    wait_for_notes("MakeRoom", 30);
    answer(TV_TAKE_PTR(r.kept));
    assert_true(wait_for(all_made, &rooms)); /* those that failed were tried again */
    assert_int_equal(count_of("MakeRoom"), 80);
    assert_int_equal(count_of("MakeRoom " ROOM ".7"), 1 + 1);
    wait_us(20 * MS);
    assert_true(counts("tv_watch_sweeps_total{outcome=\"done\"} 1"));
}

static void test_a_room_that_cannot_be_made(void **state) {
    r.wishes = 1;
    fault("MakeRoom", TV_ERR_INVALID, 1);
    run_notifier();
    wait_for_notes("MakeRoom", 1);
    r.wishes = 1;
    fault("MakeRoom", TV_ERR_MEDIA_UNAVAILABLE, FOR_EVER);
    wait_for_notes("ListRooms", 2);
    assert_int_equal(count_of("MakeRoom"), 1); /* no use to try it again */
    wait_for_notes("ListRooms", 3); /* given up; another sweep says whether it is still wanted */
    assert_int_equal(count_of("MakeRoom"), 1 + 6);
    assert_true(time_of("ListRooms", 2) - time_of("MakeRoom", 6) <= 2500 * MS);
}

/* -- the bus and the end ------------------------------------------------------------------------*/

static bool is_disconnected(void *ctx) { return !tv_bus_connected(ctx); }

static void test_the_bus_goes_and_comes_back(void **state) {
    int64_t back_us;

    run_with_a_call();
    test_nats_kill(&r.nats);
    assert_true(wait_for(is_disconnected, r.bus));
    r.noted = 0;
    wait_us(1200 * MS);
    assert_int_equal(r.noted, 0);
    test_nats_restart(&r.nats);
    connect_bus(r.appointments);
    connect_bus(r.tokens);
    connect_bus(r.bus);
    back_us = tv_clock_mono_us();
    wait_for_notes("Sweep", 1);
    assert_true(time_of("ListRooms", 0) - back_us < AT_ONCE_US);
    assert_true(counts("tv_watch_outage_seconds_count 0")); /* that was not LiveKit's */
}

static void test_drain_ends_the_sweep(void **state) {
    r.listed = 700;
    r.wishes = 20;
    fault("Sweep", TV_OK, 1);
    r.watched = "RM_one";
    run_notifier();
    assert_true(wait_for(is_kept, NULL));
    wait_for_notes("Probe", 1);
    drain(r.notifier);
    assert_true(busy(r.notifier));
    answer(TV_TAKE_PTR(r.kept));
    assert_true(wait_for(is_idle, NULL));
    assert_int_equal(count_of("Sweep"), 2);
    assert_int_equal(count_of("MakeRoom"), 20);
    r.noted = 0;
    wait_us(1200 * MS);
    assert_int_equal(r.noted, 0); /* no probe, no Fire, nothing */
}

/* It is not waited for: the bus closes over a sweep, and nothing is asked of it any more. */
static void test_stop_in_the_middle(void **state) {
    r.wishes = 40;
    fault("MakeRoom", TV_OK, 1);
    fault("MakeRoom", TV_ERR_MEDIA_UNAVAILABLE, FOR_EVER);
    run_notifier();
    assert_true(wait_for(is_kept, NULL));
    drain(r.notifier);
    wait_us(50 * MS);
    tv_bus_free(TV_TAKE_PTR(r.bus));
    assert_false(busy(r.notifier));
    stop(TV_TAKE_PTR(r.notifier));
    assert_true(count_of("MakeRoom") < 40);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_at_rest_there_is_one_sweep_and_no_probe),
        T(test_a_call_is_watched_every_second),
        T(test_probes_go_on_while_they_fail),
        T(test_another_sid_leads_to_a_sweep),
        T(test_no_room_leads_to_a_sweep),
        T(test_failure_and_return),
        T(test_tokens_is_away),
        T(test_those_who_wait_hear_of_it),
        T(test_telling_them_is_repeated),
        T(test_a_sweep_goes_by_pages),
        T(test_a_list_out_of_order),
        T(test_a_failed_sweep_is_repeated),
        T(test_one_sweep_at_a_time),
        T(test_rooms_are_made_some_at_a_time),
        T(test_a_room_that_cannot_be_made),
        T(test_the_bus_goes_and_comes_back),
        T(test_drain_ends_the_sweep),
        T(test_stop_in_the_middle),
    };
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
