/* The gateway when things end: NATS goes and comes back, the gateway is stopped. */
#include <signal.h>

#include "televisit/v1/sessions.pb-c.h"
#include "tests/unit/gateway/inbox.h"

static struct test_gateway *g;

static int start(void **state) {
    char check[] = "TELEVISIT_STREAM_CHECK=200ms", beat[] = "TELEVISIT_STREAM_BEAT=200ms";
    char *env[] = {check, beat, NULL};
    g = test_gateway_start(env);
    test_gateway_serve(g);
    return 0;
}

static int start_impatient(void **state) {
    char drain[] = "TELEVISIT_DRAIN_TIMEOUT=300ms";
    char *env[] = {drain, NULL};
    g = test_gateway_start(env);
    test_gateway_serve(g);
    return 0;
}

static int stop(void **state) {
    test_gateway_stop(g);
    return 0;
}

static bool is_called(void *ctx) { return test_fake_calls(g, ctx) > 0; }

/* A request that waits for its service. */
static struct test_http *begin_held(const char *fields) {
    static char method[] = "Sessions.Me";
    struct test_http *c = test_ask_begin(g, "GET", "/v1/me", fields, NULL);
    test_gateway_until(g, is_called, method, "the call");
    return c;
}

static bool is_connected(void *ctx) { return tv_bus_connected(g->bus); }
static bool is_not_connected(void *ctx) { return !tv_bus_connected(g->bus); }

/* -- NATS ---------------------------------------------------------------------------------------*/

static void test_nats_comes_back(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    struct test_http *c = stream_open(g, "/v1/events", "");
    inbox_tell(g, inbox_entry(g, ++inbox.last, g->arena));
    stream_until(g, c, "id: 11\n");

    test_nats_kill(&g->nats);
    test_gateway_until(g, is_not_connected, NULL, "the bus is lost");
    int64_t start_us = tv_clock_mono_us();
    struct test_answer r = test_ask(g, "GET", "/v1/me", inbox_bearer(g, 600), NULL);
    expect_problem(g, &r, TV_ERR_UNAVAILABLE);
    assert_true(tv_clock_mono_us() - start_us < TV_US_PER_S);
    r = test_ask(g, "GET", "/healthz", NULL, NULL);
    expect_status(g, &r, 200);
    inbox.last = 13; /* committed while nobody could be told */

    /* A stream that is opened meanwhile waits for its first read. */
    const char *fields = tv_arena_printf(g->arena, "%sLast-Event-ID: 12\r\n", inbox_bearer(g, 600));
    struct test_http *late = test_ask_begin(g, "GET", "/v1/events", fields, NULL);
    stream_until(g, late, "retry: ");

    test_nats_restart(&g->nats);
    test_gateway_until(g, is_connected, NULL, "the bus is back");
    stream_until(g, c, "id: 13\n");
    stream_until(g, late, "id: 13\n");
    assert_string_equal(stream_ids(g, c), "11 12 13");
    assert_string_equal(stream_ids(g, late), "13");

    /* And nudges come again, not only what the check of heads finds. */
    test_fake(g, "Inbox.Heads", NULL);
    inbox_tell(g, inbox_entry(g, ++inbox.last, g->arena));
    stream_until(g, c, "id: 14\n");
    test_http_close(c);
    test_http_close(late);
}

/* -- the stop -----------------------------------------------------------------------------------*/

struct request {
    struct tv_call *call;
};

static void keep(struct test_gateway *rig, struct tv_call *call) {
    ((struct request *)rig->memo)->call = call;
}

static void end_well(struct tv_call *call) {
    tv_call_reply(call, tv_pb_new(call->method->output, call->arena));
}

static void test_stop_ends_streams_and_finishes_requests(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    struct request request = {NULL};
    inbox_use(g, &inbox);
    const char *token = inbox_bearer(g, 600);
    struct test_http *stream = stream_open(g, "/v1/events", "");
    g->memo = &request;
    test_fake(g, "Sessions.Me", keep);
    struct test_http *c = begin_held(token);

    int64_t start_us = tv_clock_mono_us();
    test_signal(g->proc, SIGTERM);
    stream_until_over(g, stream);
    assert_true(stream_answer(g, stream).complete); /* in order: the client comes back elsewhere */
    assert_null(strstr(stream_answer(g, stream).body, "session-end"));
    assert_int_equal(test_wait(g->proc, 0), -1); /* for there is a request under way */
    end_well(request.call);
    struct test_answer r = test_ask_end(g, c);
    expect_status(g, &r, 200);
    expect_field(g, &r, "Connection", "close");
    assert_int_equal(test_wait(g->proc, TEST_WAIT_MS), 0);
    assert_true(tv_clock_mono_us() - start_us < 10 * TV_US_PER_S);
    test_http_close(stream);
}

static bool is_cut(void *ctx) { return test_gateway_metric(g, "tv_streams_cut_total") > 0; }
static bool never(void *ctx) { return false; }

/* Neither a service that never answers nor a reader that never reads keeps the gateway. How much a
 * stalled stream takes before it is cut is tried with one; a second takes a little less, and so is
 * still there at the end. */
static void test_stop_has_an_end(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    const char *token = inbox_bearer(g, 600);
    struct test_http *good = stream_open(g, "/v1/events", "");
    struct test_http *tried = stream_open_stalled(g);
    unsigned enough = inbox_flood(g, good, 5000, is_cut, NULL);
    test_http_close(tried);
    struct test_http *stalled = stream_open_stalled(g);
    inbox_flood(g, good, enough - TV_MIN(enough, 24), never, NULL);
    struct test_http *c = begin_held(token);
    test_signal(g->proc, SIGTERM);
    struct test_answer r = test_ask_end(g, c);
    expect_problem(g, &r, TV_ERR_UNAVAILABLE);
    assert_int_equal(test_wait(g->proc, TEST_WAIT_MS), 0);
    test_http_close(stalled);
    test_http_close(good);
}

static void fail_list(struct test_gateway *rig, struct tv_call *call) {
    tv_call_failf(call, TV_ERR_UNAVAILABLE, "The database is away");
}

/* Streams whose first read is under way or is to be tried again end as well. */
static void test_stop_while_streams_read(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    static char list[] = "Inbox.List";
    inbox_use(g, &inbox);
    const char *token = inbox_bearer(g, 600);
    test_fake(g, list, fail_list);
    struct test_http *failed = test_ask_begin(g, "GET", "/v1/events", token, NULL);
    test_gateway_until(g, is_called, list, "the first read");
    test_gateway_until_metric(
        g, "tv_bus_requests_total{subject=\"tv.v1.inbox.list\",outcome=\"ok\"}", 1);
    test_fake(g, list, NULL);
    struct test_http *reading = test_ask_begin(g, "GET", "/v1/events", token, NULL);
    stream_until(g, reading, "retry: ");
    test_signal(g->proc, SIGTERM);
    stream_until_over(g, failed);
    stream_until_over(g, reading);
    assert_int_equal(test_wait(g->proc, TEST_WAIT_MS), 0);
    test_http_close(failed);
    test_http_close(reading);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nats_comes_back, start, stop),
        cmocka_unit_test_setup_teardown(test_stop_ends_streams_and_finishes_requests, start, stop),
        cmocka_unit_test_setup_teardown(test_stop_has_an_end, start_impatient, stop),
        cmocka_unit_test_setup_teardown(test_stop_while_streams_read, start_impatient, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
