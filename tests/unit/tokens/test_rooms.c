/* Rooms: made once for all who ask, remembered for as long as they are there, never longer. */
#include "services/tokens/rooms.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/pb.h"
#include "tests/harness/livekit.h"
#include "tests/harness/raw.h"

#define PATIENCE_US (20 * TV_US_PER_S)
#define SECRET "0123456789abcdef0123456789abcdef"
#define ROOM_ANSWER                                                                                \
    "HTTP/1.1 200 OK\r\nContent-Type: application/protobuf\r\nContent-Length: 14\r\n\r\n"          \
    "\x0a\x04RM_1\x12\x06room_1"
#define AWAY_ANSWER                                                                                \
    "HTTP/1.1 503 Away\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

static struct tv_loop *loop;
static struct tv_livekit *lk;
static struct tv_rooms *rooms;

static void on_failing(void *ctx) { tv_rooms_forget_all(rooms); }

static void use(const char *url, const char *key, const char *secret) {
    struct tv_livekit_config c = {
        .api_url = url, .api_key = key, .api_secret = tv_str(secret), .on_failing = on_failing};
    loop = tv_loop_new();
    lk = tv_livekit_new(loop, &c);
    rooms = tv_rooms_new(loop, lk);
}

static void use_raw(const struct test_raw *s) {
    static char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", test_raw_port(s));
    use(url, "key", SECRET);
}

static void quit(void) {
    tv_livekit_free(lk);
    tv_rooms_free(rooms);
    tv_loop_free(loop);
    tv_metrics_done();
}

struct guest {
    struct tv_rooms_waiter waiter;
    unsigned calls;
    enum tv_err err;
};

static void on_made(void *ctx, enum tv_err err, const struct tv_error *e) {
    struct guest *g = ctx;
    g->calls++;
    g->err = err;
    assert_int_equal(e->code, err);
}

static bool is_told(void *ctx) { return ((struct guest *)ctx)->calls > 0; }

static enum tv_err make(const char *name, struct guest *g) {
    struct tv_rooms_wish wish = {name, 7200, 4};
    struct tv_error e = TV_ERROR_INIT;
    *g = (struct guest){.waiter = {.on_made = on_made, .ctx = g}};
    enum tv_err err = tv_rooms_make(rooms, &wish, &g->waiter, &e);
    assert_int_equal(g->calls, 0);
    return err;
}

static enum tv_err made(const char *name) {
    struct guest g;
    if (make(name, &g) != TV_OK)
        return TV_ERR_MEDIA_UNAVAILABLE;
    assert_true(tv_loop_run_until(loop, is_told, &g, PATIENCE_US));
    return g.err;
}

static double looked_up(const char *result) {
    return tv_series_value(tv_metric_series(&lookups_metric, result, NULL, NULL, NULL));
}

static void test_one_call_for_all(void **state) {
    static const struct test_raw_step step = {.text = ROOM_ANSWER, .delay_ms = 30};
    struct test_raw *s = test_raw_start(&step, 1);
    struct guest guests[50], other, late = {.waiter = {.on_made = on_made, .ctx = &late}};
    size_t len;
    use_raw(s);
    for (size_t i = 0; i < TV_ARRAY_LEN(guests); i++)
        assert_int_equal(make("room_1", &guests[i]), TV_OK);
    assert_int_equal(make("room_2", &other), TV_OK);
    assert_false(tv_rooms_known(rooms, "room_1"));
    assert_true(tv_rooms_wait(rooms, "room_1", &late.waiter));
    assert_false(tv_rooms_wait(rooms, "room_3", &late.waiter));
    assert_true(tv_loop_run_until(loop, is_told, &other, PATIENCE_US));
    assert_true(tv_loop_run_until(loop, is_told, &late, PATIENCE_US));
    for (size_t i = 0; i < TV_ARRAY_LEN(guests); i++)
        assert_true(guests[i].calls == 1 && guests[i].err == TV_OK);
    assert_int_equal(test_raw_requests(s), 2);
    assert_true(looked_up("made") == 2 && looked_up("shared") == 50);

    assert_true(tv_rooms_known(rooms, "room_1"));
    assert_true(tv_rooms_known(rooms, "room_2"));
    assert_false(tv_rooms_known(rooms, "room_3"));
    assert_int_equal(tv_rooms_count(rooms), 2);

    char *request = test_raw_last(s, &len); /* it stays for the call's time, empty or not */
    static const char body[] = "room_2\x10\xdc\x38\x18\x04\x50\xdc\x38";
    assert_memory_equal(request + len - (sizeof body - 1), body, sizeof body - 1);
    free(request);
    quit();
    test_raw_stop(s);
}

static void test_failure_is_told_to_all_and_forgets(void **state) {
    static const struct test_raw_step steps[] = {{.text = ROOM_ANSWER}, {.text = AWAY_ANSWER}};
    struct test_raw *s = test_raw_start(steps, TV_ARRAY_LEN(steps));
    struct guest guests[3];
    use_raw(s);
    assert_int_equal(made("room_1"), TV_OK);
    assert_true(tv_rooms_known(rooms, "room_1"));
    for (size_t i = 0; i < TV_ARRAY_LEN(guests); i++)
        assert_int_equal(make("room_2", &guests[i]), TV_OK);
    for (size_t i = 0; i < TV_ARRAY_LEN(guests); i++) {
        assert_true(tv_loop_run_until(loop, is_told, &guests[i], PATIENCE_US));
        assert_int_equal(guests[i].err, TV_ERR_MEDIA_UNAVAILABLE);
    }
    assert_int_equal(test_raw_requests(s), 2);
    assert_false(tv_rooms_known(rooms, "room_2"));
    assert_false(tv_rooms_known(rooms, "room_1")); /* LiveKit may have lost it as well */
    assert_int_equal(tv_rooms_count(rooms), 0);
    assert_int_equal(made("room_2"), TV_ERR_MEDIA_UNAVAILABLE);
    assert_int_equal(made("room_2"), TV_ERR_MEDIA_UNAVAILABLE);
    assert_int_equal(test_raw_requests(s), 4);
    assert_int_equal(made("room_2"), TV_ERR_MEDIA_UNAVAILABLE); /* the circuit is open */
    assert_int_equal(test_raw_requests(s), 4);
    assert_true(looked_up("failed") == 6);
    quit();
    test_raw_stop(s);
}

/* What somebody else saw of a room. */
static void test_seen_elsewhere(void **state) {
    static const struct {
        const char *name, *sid;
        bool forgets;
    } cases[] = {
        {"room_1", "RM_1", false}, {"room_1", "RM_2", true},
        {"room_1", "", true},      {"room_9", "RM_9", false}, /* nothing is known of it */
        {"room_9", "", true}, /* it should be there, or nobody would look */
    };
    static const struct test_raw_step step = {.text =
                                                  ROOM_ANSWER}; /* RM_1, whatever is asked for */
    struct test_raw *s = test_raw_start(&step, 1);
    use_raw(s);
    tv_rooms_seen(rooms, "room_1", "");
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        assert_int_equal(made("room_1"), TV_OK);
        assert_int_equal(made("room_2"), TV_OK);
        tv_rooms_seen(rooms, cases[i].name, cases[i].sid);
        if (tv_rooms_count(rooms) != (cases[i].forgets ? 0 : 2))
            fail_msg("case %zu", i);
        tv_rooms_forget_all(rooms);
    }
    quit();
    test_raw_stop(s);
}

static int64_t moved_us;
static int64_t moved_clock(void) { return moved_us; }

static void test_remembered_until_the_call_closes(void **state) {
    static const struct test_raw_step step = {.text = ROOM_ANSWER};
    struct test_raw *s = test_raw_start(&step, 1);
    use_raw(s);
    moved_us = tv_clock_mono_us();
    tv_clock_set_source(moved_clock);
    assert_int_equal(made("room_1"), TV_OK);
    moved_us += 7200 * TV_US_PER_S - 1;
    assert_true(tv_rooms_known(rooms, "room_1"));
    moved_us++;
    assert_false(tv_rooms_known(rooms, "room_1"));
    assert_int_equal(tv_rooms_count(rooms), 0);
    tv_clock_set_source(NULL);
    quit();
    test_raw_stop(s);
}

/* Without LiveKit: as if it had answered. */
static void remember_room(unsigned number) {
    char name[32];
    snprintf(name, sizeof name, "room_%u", number);
    struct room *room = add(rooms, name);
    room->until_us = INT64_MAX;
    on_created(room, TV_OK, &TV_ERROR_INIT, NULL);
}

static void test_bounded(void **state) {
    use("http://127.0.0.1:1", "key", SECRET);
    for (unsigned i = 0; i < TV_ROOMS_MAX; i++)
        remember_room(i);
    assert_int_equal(tv_rooms_count(rooms), TV_ROOMS_MAX);
    assert_true(tv_rooms_known(rooms, "room_0")); /* used: now room_1 is the oldest */
    remember_room(TV_ROOMS_MAX);
    assert_int_equal(tv_rooms_count(rooms), TV_ROOMS_MAX);
    assert_true(tv_rooms_known(rooms, "room_0"));
    assert_false(tv_rooms_known(rooms, "room_1"));
    assert_true(tv_rooms_known(rooms, "room_2"));
    tv_rooms_forget(rooms, "room_2");
    assert_false(tv_rooms_known(rooms, "room_2"));
    tv_rooms_forget(rooms, "never heard of");
    assert_int_equal(tv_rooms_count(rooms), TV_ROOMS_MAX - 1);
    assert_true(tv_series_value(rooms->known_gauge) == TV_ROOMS_MAX - 1);
    quit();
}

static void test_free_tells_the_waiters(void **state) {
    static const struct test_raw_step step = {.then = TEST_RAW_HANG};
    struct test_raw *s = test_raw_start(&step, 1);
    struct guest g;
    use_raw(s);
    assert_int_equal(make("room_1", &g), TV_OK);
    quit();
    assert_true(g.calls == 1 && g.err == TV_ERR_MEDIA_UNAVAILABLE);
    test_raw_stop(s);
}

static bool all_forgotten(void *ctx) { return tv_rooms_count(rooms) == 0; }

/* The room that was looked for goes to the end of the list, and the answer has come. */
static bool has_looked(void *ctx) { return TAILQ_FIRST(&rooms->by_use) != ctx && !rooms->watching; }

/* Nobody tells us that LiveKit restarted: the watch finds out. */
static void test_watch_finds_a_restart(void **state) {
    struct test_livekit server = test_livekit_start(NULL);
    use(server.url, server.key, server.secret);
    assert_int_equal(made("room_1"), TV_OK);
    assert_int_equal(made("room_2"), TV_OK);
    struct room *first = TAILQ_FIRST(&rooms->by_use);
    assert_true(tv_loop_run_until(loop, has_looked, first, PATIENCE_US));
    assert_int_equal(tv_rooms_count(rooms), 2); /* all is well: nothing is forgotten */
    test_livekit_kill(&server);
    test_livekit_restart(&server);
    assert_true(tv_loop_run_until(loop, all_forgotten, NULL, PATIENCE_US));
    assert_int_equal(made("room_1"), TV_OK);
    quit();
    test_livekit_stop(&server);
}

int main(void) {
    tv_crypto_init();
    tv_log_init("test", "0", TV_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_call_for_all),
        cmocka_unit_test(test_failure_is_told_to_all_and_forgets),
        cmocka_unit_test(test_seen_elsewhere),
        cmocka_unit_test(test_remembered_until_the_call_closes),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_free_tells_the_waiters),
        cmocka_unit_test(test_watch_finds_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
