/* The bus when its connection does not behave: a server that is silent, frozen, gone, or that does
 * not want us. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/bus_internal.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "tests/harness/nats.h"

enum { WAIT_US = 20000000, LONG_US = 60000000, SHORT_PING_MS = 300, END_MAX_US = 1500000 };

static struct test_nats server;
static struct tv_loop *loop;
static struct tv_bus *bus;

static struct tv_bus *new_bus(const char *password) {
    const struct tv_bus_config c = {.url = server.url,
                                    .user = password != NULL ? "u" : NULL,
                                    .password = password,
                                    .name = "tester",
                                    .version = "1.0.0"};
    struct tv_bus *b = NULL;
    struct tv_error e;

    assert_int_equal(tv_bus_new(loop, &c, &b, &e), TV_OK);
    return b;
}

static bool is_connected(void *ctx) { return tv_bus_connected(ctx); }
static bool is_disconnected(void *ctx) { return !tv_bus_connected(ctx); }
static bool is_refused(void *ctx) { return !tv_bus_healthy(ctx); }
static bool never(void *ctx) { return false; }

static void wait_for(bool (*done)(void *ctx), void *ctx) {
    assert_true(tv_loop_run_until(loop, done, ctx, WAIT_US));
}

/* Returns when all threads of the server stand still. */
static void freeze(void) {
    siginfo_t info;

    test_signal(server.proc, SIGSTOP);
    assert_int_equal(waitid(P_PID, (id_t)test_proc_pid(server.proc), &info, WSTOPPED), 0);
}

struct outcome {
    unsigned calls;
    enum tv_err err;
};
static bool has_ended(void *ctx) { return ((struct outcome *)ctx)->calls > 0; }

static void on_reply(void *ctx, enum tv_err err, const struct tv_bus_message *reply) {
    struct outcome *o = ctx;

    o->calls++;
    o->err = err;
}

static void start(struct outcome *o, const char *subject, struct tv_str body, int64_t timeout_us) {
    *o = (struct outcome){0};
    tv_bus_request(bus, subject, NULL, 0, body, tv_clock_mono_us() + timeout_us, on_reply, o);
}

static enum tv_err ask(const char *subject, int64_t timeout_us) {
    struct outcome o;

    start(&o, subject, TV_S(""), timeout_us);
    wait_for(has_ended, &o);
    assert_int_equal(o.calls, 1);
    return o.err;
}

static double metric(const char *series) {
    struct tv_buf out = TV_BUF_INIT(1 << 20);

    tv_metrics_write(&out);
    const char *line = strstr(out.data, series);
    double n = line == NULL ? -1 : strtod(line + strlen(series), NULL);
    tv_buf_done(&out);
    return n;
}
static double reconnects(void) { return metric("\ntv_bus_reconnects_total "); }

static char logged[4096];
static void keep_log(const char *line, size_t len) {
    snprintf(logged, sizeof(logged), "%.*s", (int)len, line);
}

/* -- a service of the bus' own ------------------------------------------------------------------*/

static const char *const methods[] = {"echo", "hold"};
static struct tv_bus_call *held;

static void on_call(void *ctx, unsigned method, struct tv_bus_call *c) {
    if (method == 0)
        tv_bus_reply(c, TV_S(""));
    else
        held = c;
}
static bool is_held(void *ctx) { return held != NULL; }

static const struct tv_bus_service proof = {
    .name = "proof", .methods = methods, .method_count = 2, .on_call = on_call};

static void drop_held(void) {
    if (held != NULL)
        tv_bus_drop(TV_TAKE_PTR(held));
}

/* The server knows the service when it answers. */
static void wait_for_service(void) {
    enum tv_err err;

    do
        err = ask("tv.v1.proof.echo", WAIT_US);
    while (err == TV_ERR_UNAVAILABLE);
    assert_int_equal(err, TV_OK);
}

static int set_up(void **state) {
    server = test_nats_start(NULL);
    loop = tv_loop_new();
    bus = NULL;
    logged[0] = '\0';
    tv_log_set_sink(keep_log);
    return 0;
}

static int tear_down(void **state) {
    drop_held();
    tv_bus_free(bus);
    tv_loop_free(loop);
    tv_metrics_done();
    tv_log_set_sink(NULL);
    tv_bus_ping_interval_ms = 10000;
    test_nats_kill(&server);
    return 0;
}

/* -- silence ------------------------------------------------------------------------------------*/

static void test_a_silent_server_is_noticed_by_pings(void **state) {
    struct outcome flying;
    int64_t from_us = tv_clock_mono_us();

    tv_bus_ping_interval_ms = SHORT_PING_MS;
    bus = new_bus(NULL);
    tv_bus_serve(bus, &proof);
    wait_for(is_connected, bus);
    wait_for_service();
    start(&flying, "tv.v1.proof.hold", TV_S(""), LONG_US);
    wait_for(is_held, NULL);
    freeze();
    wait_for(has_ended, &flying);
    assert_int_equal(flying.err, TV_ERR_UNKNOWN_OUTCOME);
    assert_true(tv_clock_mono_us() - from_us < LONG_US / 2); /* not by its deadline */
    wait_for(is_disconnected, bus);
    assert_true(tv_bus_healthy(bus));
    assert_int_equal(ask("tv.v1.proof.echo", WAIT_US), TV_ERR_UNAVAILABLE);
    test_signal(server.proc, SIGCONT);
    wait_for(is_connected, bus);
    tv_bus_reply(TV_TAKE_PTR(held), TV_S("")); /* the right to answer went with the connection */
    assert_true(metric("{subject=\"tv.v1.proof.hold\",outcome=\"dropped\"} ") == 1);
    wait_for_service();
}

static void test_deadlines_hold_when_the_server_is_silent(void **state) {
    bus = new_bus(NULL);
    wait_for(is_connected, bus);
    freeze();
    int64_t from_us = tv_clock_mono_us();
    assert_int_equal(ask("tv.v1.proof.echo", 50000), TV_ERR_DEADLINE);
    assert_in_range(tv_clock_mono_us() - from_us, 50000, 5000000);
    assert_true(tv_bus_connected(bus)); /* as far as anybody knows */
    test_signal(server.proc, SIGCONT);
    assert_int_equal(ask("tv.v1.proof.echo", WAIT_US), TV_ERR_UNAVAILABLE); /* no responders */
}

static char large[64 * 1024];
static struct outcome filling[400];

/* More than all buffers between us and a frozen server hold. */
static void fill_the_way_out(void) {
    memset(large, 'x', sizeof(large));
    for (size_t i = 0; i < TV_ARRAY_LEN(filling); i++)
        start(&filling[i], "tv.v1.nobody.home", (struct tv_str){large, sizeof(large)}, LONG_US);
    tv_loop_run_until(loop, never, NULL, 20000); /* a few turns: what fits is written */
    assert_true(tv_bus_pending(bus) > TV_ARRAY_LEN(filling)); /* unsent bytes count */
}

static void test_what_was_not_written_is_unavailable(void **state) {
    struct outcome unwritten;

    bus = new_bus(NULL);
    wait_for(is_connected, bus);
    freeze();
    fill_the_way_out();
    start(&unwritten, "tv.v1.proof.echo", TV_S(""), LONG_US);
    tv_loop_run_until(loop, never, NULL, 20000);
    assert_int_equal(unwritten.calls, 0);
    test_nats_kill(&server);
    wait_for(has_ended, &unwritten);
    assert_int_equal(unwritten.err, TV_ERR_UNAVAILABLE);
    /* Of those the first ones went out, and nobody knows how far the others did. */
    for (size_t i = 0; i < TV_ARRAY_LEN(filling); i++)
        assert_int_equal(filling[i].err, TV_ERR_UNKNOWN_OUTCOME);
}

static void test_what_waited_for_the_socket_is_sent_when_it_can(void **state) {
    bus = new_bus(NULL);
    wait_for(is_connected, bus);
    freeze();
    fill_the_way_out();
    test_signal(server.proc, SIGCONT);
    for (size_t i = 0; i < TV_ARRAY_LEN(filling); i++) {
        wait_for(has_ended, &filling[i]);
        assert_int_equal(filling[i].err, TV_ERR_UNAVAILABLE); /* no responders */
    }
}

/* -- refusal ------------------------------------------------------------------------------------*/

static void restart_with_password(const char *password) {
    char path[512];

    test_nats_kill(&server);
    snprintf(path, sizeof(path), "%s/nats-%u.conf", test_dir(), server.port);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fprintf(f, "authorization { users = [ { user: u, password: %s } ] }\n", password);
    assert_int_equal(fclose(f), 0);
    test_nats_restart(&server);
}

static void test_a_wrong_password_is_told_and_tried_again(void **state) {
    restart_with_password("right");
    bus = new_bus("wrong");
    wait_for(is_refused, bus);
    assert_false(tv_bus_connected(bus));
    assert_non_null(strstr(logged, "\"level\":\"error\""));
    assert_non_null(strstr(logged, "\"error\":\"Authorization Violation\""));
    assert_null(strstr(logged, "wrong"));
    assert_int_equal(ask("tv.v1.proof.echo", WAIT_US), TV_ERR_UNAVAILABLE);
    restart_with_password("wrong");
    wait_for(is_connected, bus);
    assert_true(tv_bus_healthy(bus));
    assert_true(reconnects() == 0); /* it was never lost */
}

static unsigned nudges;
static void on_nudge(void *ctx, const struct tv_bus_message *m) { nudges++; }
static bool is_nudged(void *ctx) { return nudges > 0; }

static void test_a_new_connection_when_libnats_has_given_up(void **state) {
    struct outcome flying;

    restart_with_password("first");
    bus = new_bus("first");
    tv_bus_serve(bus, &proof);
    struct tv_bus_subscription *s = tv_bus_subscribe(bus, "tv.v1.inbox.x", on_nudge, NULL);
    wait_for(is_connected, bus);
    wait_for_service();
    start(&flying, "tv.v1.proof.hold", TV_S(""), LONG_US);
    wait_for(is_held, NULL);
    restart_with_password("second");
    wait_for(is_refused, bus);
    assert_int_equal(flying.err, TV_ERR_UNKNOWN_OUTCOME);
    assert_non_null(strstr(logged, "Authorization Violation"));
    restart_with_password("first");
    wait_for(is_connected, bus);
    assert_true(tv_bus_healthy(bus));
    drop_held();
    wait_for_service(); /* subscribed anew, and so are requests and nudges */
    nudges = 0;
    assert_int_equal(tv_bus_publish(bus, "tv.v1.inbox.x", NULL, 0, TV_S("")), TV_OK);
    wait_for(is_nudged, NULL);
    assert_true(reconnects() == 1);
    tv_bus_unsubscribe(s);
}

/* -- counting -----------------------------------------------------------------------------------*/

static void test_reconnects_are_counted(void **state) {
    test_nats_kill(&server);
    bus = new_bus(NULL); /* the first attempts fail, and no request is ever made */
    tv_loop_run_until(loop, never, NULL, 100000);
    test_nats_restart(&server);
    wait_for(is_connected, bus);
    for (int i = 0; i < 3; i++) {
        assert_true(reconnects() == i);
        test_nats_kill(&server);
        wait_for(is_disconnected, bus);
        test_nats_restart(&server);
        wait_for(is_connected, bus);
    }
    assert_true(reconnects() == 3);
}

static void test_made_up_subjects_share_one_series(void **state) {
    char subject[64], series[128];

    bus = new_bus(NULL);
    for (int i = 0; i < 300; i++) {
        snprintf(subject, sizeof(subject), "tv.v1.made.up%d", i);
        assert_int_equal(ask(subject, WAIT_US), TV_ERR_UNAVAILABLE);
        assert_int_equal(ask(subject, -1), TV_ERR_DEADLINE);
    }
    for (int i = 0; i < 300; i++) {
        snprintf(series, sizeof(series), "{subject=\"tv.v1.made.up%d\",outcome=\"unavailable\"} ",
                 i);
        assert_true(metric(series) == (i < TV_BUS_COUNTED_MAX ? 1 : -1));
    }
    assert_true(metric("{subject=\"other\",outcome=\"unavailable\"} ") == 300 - TV_BUS_COUNTED_MAX);
    assert_true(metric("{subject=\"other\",outcome=\"ok\"} ") == 0);
}

/* -- the end ------------------------------------------------------------------------------------*/

static void connected(void) { wait_for(is_connected, bus); }

static void frozen_and_full(void) {
    wait_for(is_connected, bus);
    freeze();
    fill_the_way_out();
}

static void connecting(void) { tv_loop_run_until(loop, never, NULL, 20000); }

static void reconnecting(void) {
    wait_for(is_connected, bus);
    freeze();
    wait_for(is_disconnected, bus);
    tv_loop_run_until(loop, never, NULL, 150000); /* an attempt is under way */
}

static void gone(void) {
    wait_for(is_connected, bus);
    test_nats_kill(&server);
    wait_for(is_disconnected, bus);
}

static void test_the_end_takes_a_second_at_most(void **state) {
    static const struct {
        void (*go_there)(void);
        bool is_frozen_before;
        int64_t ping_ms;
    } rows[] = {
        {connected, false, 10000},
        {gone, false, 10000},
        {frozen_and_full, false, 10000},
        {connecting, true, 10000},
        {reconnecting, false, SHORT_PING_MS},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        tv_bus_ping_interval_ms = rows[i].ping_ms;
        if (rows[i].is_frozen_before)
            freeze();
        bus = new_bus(NULL);
        tv_bus_serve(bus, &proof);
        struct tv_bus_subscription *s = tv_bus_subscribe(bus, "tv.v1.inbox.x", on_nudge, NULL);
        rows[i].go_there();
        int64_t from_us = tv_clock_mono_us();
        tv_bus_free(TV_TAKE_PTR(bus));
        int64_t took_us = tv_clock_mono_us() - from_us;
        if (took_us > END_MAX_US)
            fail_msg("row %zu took %lld ms", i, (long long)took_us / 1000);
        tv_bus_unsubscribe(s);
        tv_loop_free(loop); /* libnats may still be at it, and comes too late */
        test_nats_kill(&server);
        test_nats_restart(&server);
        loop = tv_loop_new();
    }
}

int main(void) {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_silent_server_is_noticed_by_pings),
        TEST(test_deadlines_hold_when_the_server_is_silent),
        TEST(test_what_was_not_written_is_unavailable),
        TEST(test_what_waited_for_the_socket_is_sent_when_it_can),
        TEST(test_a_wrong_password_is_told_and_tried_again),
        TEST(test_a_new_connection_when_libnats_has_given_up),
        TEST(test_reconnects_are_counted),
        TEST(test_made_up_subjects_share_one_series),
        TEST(test_the_end_takes_a_second_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
