/* The bus against a real nats-server: every way in which a request may end, services, nudges,
 * discovery, and the server going away and coming back. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "lib/bus.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/metrics.h"
#include "tests/harness/nats.h"

enum { WAIT_US = 10000000 };

static struct test_nats server;
static struct tv_loop *loop;
static struct tv_bus *client, *first, *second; /* two replicas of the service */

/* -- the service under test: what it does is in the subject -------------------------------------*/

enum { ECHO, HOLD, FAIL, DROP, HEADERS, BIG, METHODS };
static const char *const methods[METHODS] = {"echo", "hold", "fail", "drop", "headers", "big"};

struct replica {
    unsigned served;
    struct tv_bus_call *held[64];
    unsigned held_count;
};
static struct replica replicas[2];

static void on_call(void *ctx, unsigned method, struct tv_bus_call *call) {
    const struct tv_bus_message *m = tv_bus_call_message(call);
    struct replica *r = ctx;
    static char big[2 * 1024 * 1024];

    r->served++;
    switch (method) {
    case ECHO:
        tv_bus_reply(call, tv_bus_body(m));
        break;
    case HOLD:
        assert_true(r->held_count < TV_ARRAY_LEN(r->held));
        r->held[r->held_count++] = call;
        break;
    case FAIL:
        tv_bus_reply_error(call, TV_ERR_SLOT_TAKEN, "taken\r\nInjected: yes", tv_bus_body(m));
        break;
    case DROP:
        tv_bus_drop(call);
        break;
    case HEADERS: {
        const char *a = tv_bus_header(m, "tv-actor"), *b = tv_bus_header(m, "tv-none");
        char text[64];
        snprintf(text, sizeof(text), "%s/%s", a != NULL ? a : "-", b != NULL ? b : "-");
        tv_bus_reply(call, tv_str(text));
        break;
    }
    case BIG:
        tv_bus_reply(call, (struct tv_str){big, sizeof(big)});
        break;
    }
}

static void release_held(struct replica *r, const char *body) {
    while (r->held_count > 0)
        tv_bus_reply(r->held[--r->held_count], tv_str(body));
}

static struct tv_bus_service services[2];

/* -- helpers ------------------------------------------------------------------------------------*/

static struct tv_bus *new_bus(const char *url, const char *user, const char *password) {
    struct tv_bus *b = NULL;
    struct tv_error e = TV_ERROR_INIT;
    const struct tv_bus_config c = {.url = url,
                                    .user = user,
                                    .password = password,
                                    .name = "tester",
                                    .version = "1.2.3",
                                    .description = "serves the test"};
    assert_int_equal(tv_bus_new(loop, &c, &b, &e), TV_OK);
    return b;
}

static bool is_connected(void *ctx) { return tv_bus_connected(ctx); }
static bool is_disconnected(void *ctx) { return !tv_bus_connected(ctx); }
static bool is_idle(void *ctx) { return tv_bus_pending(ctx) == 0; }

static void wait_for(bool (*done)(void *ctx), void *ctx) {
    assert_true(tv_loop_run_until(loop, done, ctx, WAIT_US));
}

static void serve(struct tv_bus *b, unsigned replica) {
    replicas[replica] = (struct replica){0};
    services[replica] = (struct tv_bus_service){.name = "proof",
                                                .methods = methods,
                                                .method_count = METHODS,
                                                .on_call = on_call,
                                                .ctx = &replicas[replica]};
    tv_bus_serve(b, &services[replica]);
}

/* What became of one request. */
struct outcome {
    unsigned calls;
    enum tv_err err;
    char body[64], error_code[8], error_text[64], slug[32];
    int64_t took_us;
    int64_t started_us;
};

static void copy(char *to, size_t size, const char *from) {
    snprintf(to, size, "%s", from == NULL ? "" : from);
}

static void on_reply(void *ctx, enum tv_err err, const struct tv_bus_message *reply) {
    struct outcome *o = ctx;

    o->calls++;
    o->err = err;
    o->took_us = tv_clock_mono_us() - o->started_us;
    assert_true((err == TV_OK) == (reply != NULL));
    if (reply == NULL)
        return;
    snprintf(o->body, sizeof(o->body), "%.*s", TV_STR_ARGS(tv_bus_body(reply)));
    copy(o->error_code, sizeof(o->error_code), tv_bus_header(reply, "nats-service-error-code"));
    copy(o->error_text, sizeof(o->error_text), tv_bus_header(reply, "Nats-Service-Error"));
    copy(o->slug, sizeof(o->slug), tv_bus_header(reply, "tv-error"));
}

static bool has_ended(void *ctx) { return ((struct outcome *)ctx)->calls > 0; }

static tv_bus_token start(struct outcome *o, const char *subject, const char *body,
                          int64_t timeout_us) {
    *o = (struct outcome){.started_us = tv_clock_mono_us()};
    return tv_bus_request(client, subject, NULL, 0, tv_str(body), o->started_us + timeout_us,
                          on_reply, o);
}

static struct outcome ask(const char *subject, const char *body, int64_t timeout_us) {
    struct outcome o;

    start(&o, subject, body, timeout_us);
    assert_int_equal(o.calls, 0); /* never from within */
    wait_for(has_ended, &o);
    return o;
}

static bool two_held(void *ctx) { return replicas[0].held_count + replicas[1].held_count >= 2; }
static bool one_held(void *ctx) { return replicas[0].held_count + replicas[1].held_count >= 1; }

static void run_for(int64_t us) {
    struct outcome never = {0};

    tv_loop_run_until(loop, has_ended, &never, us);
}

static double late_replies(void) {
    struct tv_buf out = TV_BUF_INIT(1 << 20);
    tv_metrics_write(&out);
    const char *line = strstr(out.data, "\ntv_bus_late_replies_total ");
    double n = line == NULL ? -1 : strtod(strrchr(line, ' ') == NULL ? "" : line + 27, NULL);
    tv_buf_done(&out);
    return n;
}

static int set_up(void **state) {
    loop = tv_loop_new();
    client = new_bus(server.url, NULL, NULL);
    first = new_bus(server.url, NULL, NULL);
    second = NULL;
    serve(first, 0); /* before the connection stands */
    wait_for(is_connected, client);
    wait_for(is_connected, first);
    /* The service is there when it answers. */
    struct outcome o;
    do
        o = ask("tv.v1.proof.echo", "up", TV_US_PER_S);
    while (o.err == TV_ERR_UNAVAILABLE);
    assert_int_equal(o.err, TV_OK);
    replicas[0].served = 0;
    return 0;
}

static int tear_down(void **state) {
    for (unsigned i = 0; i < 2; i++)
        release_held(&replicas[i], "");
    tv_bus_free(client);
    tv_bus_free(first);
    tv_bus_free(second);
    tv_loop_free(loop);
    tv_metrics_done();
    return 0;
}

static int group_set_up(void **state) {
    server = test_nats_start(NULL);
    return 0;
}

static int group_tear_down(void **state) {
    test_nats_stop(&server);
    return 0;
}

/* -- requests -----------------------------------------------------------------------------------*/

static void test_a_request_is_answered(void **state) {
    struct outcome o = ask("tv.v1.proof.echo", "hello", WAIT_US);

    assert_int_equal(o.err, TV_OK);
    assert_string_equal(o.body, "hello");
    assert_string_equal(o.error_code, "");
    wait_for(is_idle, client);
}

static void test_an_error_reply_has_its_headers(void **state) {
    struct outcome o = ask("tv.v1.proof.fail", "problem", WAIT_US);

    assert_int_equal(o.err, TV_OK);
    assert_string_equal(o.error_code, "409");
    assert_string_equal(o.error_text, "taken  Injected: yes"); /* no header of its own */
    assert_string_equal(o.slug, "slot-taken");
    assert_string_equal(o.body, "problem");
}

static void test_an_unknown_method_is_404(void **state) {
    assert_string_equal(ask("tv.v1.proof.nothing", "", WAIT_US).error_code, "404");
    assert_int_equal(replicas[0].served, 0);
}

static void test_no_responders_at_once(void **state) {
    struct outcome o = ask("tv.v1.nobody.home", "", WAIT_US);

    assert_int_equal(o.err, TV_ERR_UNAVAILABLE);
    assert_true(o.took_us < 100000);
}

static void test_no_responders_hits_only_its_own_request(void **state) {
    struct outcome held, nobody[8];

    start(&held, "tv.v1.proof.hold", "", WAIT_US);
    for (int i = 0; i < 8; i++)
        start(&nobody[i], "tv.v1.nobody.home", "", WAIT_US);
    for (int i = 0; i < 8; i++) {
        wait_for(has_ended, &nobody[i]);
        assert_int_equal(nobody[i].err, TV_ERR_UNAVAILABLE);
    }
    wait_for(one_held, NULL);
    assert_int_equal(held.calls, 0);
    release_held(&replicas[0], "kept");
    wait_for(has_ended, &held);
    assert_string_equal(held.body, "kept");
}

static struct outcome many[1000];
static bool all_ended(void *ctx) {
    for (size_t i = 0; i < TV_ARRAY_LEN(many); i++) {
        if (many[i].calls == 0)
            return false;
    }
    return true;
}

static void test_a_thousand_at_once(void **state) {
    char body[16];

    for (int round = 0; round < 2; round++) { /* the second one with used slots */
        for (size_t i = 0; i < TV_ARRAY_LEN(many); i++) {
            snprintf(body, sizeof(body), "%zu", i);
            start(&many[i], "tv.v1.proof.echo", body, WAIT_US);
        }
        wait_for(all_ended, NULL);
        for (size_t i = 0; i < TV_ARRAY_LEN(many); i++) {
            snprintf(body, sizeof(body), "%zu", i);
            assert_int_equal(many[i].calls, 1);
            assert_int_equal(many[i].err, TV_OK);
            assert_string_equal(many[i].body, body);
        }
    }
    assert_int_equal(replicas[0].served, 2000);
}

static bool is_late(void *ctx) { return late_replies() >= *(double *)ctx; }

static void test_deadline_then_the_late_reply_is_dropped(void **state) {
    double wanted = late_replies() + 1;
    struct outcome o = ask("tv.v1.proof.hold", "", 30000);

    assert_int_equal(o.err, TV_ERR_DEADLINE);
    assert_in_range(o.took_us, 30000, 2000000);
    wait_for(one_held, NULL);
    release_held(&replicas[0], "late");
    wait_for(is_late, &wanted);
    assert_int_equal(o.calls, 1);
    for (int i = 0; i < 5; i++) /* the slot's next requests get their own answers */
        assert_string_equal(ask("tv.v1.proof.echo", "mine", WAIT_US).body, "mine");
}

static void test_deadlines_end_in_their_order(void **state) {
    static const int64_t timeouts_us[] = {90000, 30000, 60000, 10000, 120000, 20000};
    struct outcome o[6];

    for (int i = 0; i < 6; i++)
        start(&o[i], "tv.v1.proof.hold", "", timeouts_us[i]);
    for (int i = 0; i < 6; i++)
        wait_for(has_ended, &o[i]);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(o[i].err, TV_ERR_DEADLINE);
        assert_true(o[i].took_us >= timeouts_us[i]);
        for (int j = 0; j < 6; j++) {
            if (timeouts_us[j] < timeouts_us[i])
                assert_true(o[j].started_us + o[j].took_us <= o[i].started_us + o[i].took_us);
        }
    }
}

static void test_a_deadline_in_the_past_sends_nothing(void **state) {
    assert_int_equal(ask("tv.v1.proof.echo", "", -1).err, TV_ERR_DEADLINE);
    assert_int_equal(ask("tv.v1.proof.echo", "", WAIT_US).err, TV_OK);
    assert_int_equal(replicas[0].served, 1);
}

static void test_a_cancelled_request_is_not_called_back(void **state) {
    struct outcome flying, unsent;

    tv_bus_token token = start(&flying, "tv.v1.proof.hold", "", WAIT_US);
    assert_true(token != 0);
    wait_for(one_held, NULL);
    tv_bus_cancel(client, token);
    tv_bus_cancel(client, token);
    tv_bus_cancel(client, 0);
    tv_bus_cancel(client, UINT64_C(0x100000fff));
    assert_int_equal(tv_bus_pending(client), 0);
    release_held(&replicas[0], "too late");
    tv_bus_cancel(client, start(&unsent, "tv.v1.proof.echo", "", -1)); /* already decided */
    assert_string_equal(ask("tv.v1.proof.echo", "next", WAIT_US).body, "next");
    assert_int_equal(flying.calls, 0);
    assert_int_equal(unsent.calls, 0);
}

static void test_too_large_is_told_at_both_ends(void **state) {
    static char big[2 * 1024 * 1024];
    struct outcome o = {.started_us = tv_clock_mono_us()};

    tv_bus_request(client, "tv.v1.proof.echo", NULL, 0, (struct tv_str){big, sizeof(big)},
                   o.started_us + WAIT_US, on_reply, &o);
    wait_for(has_ended, &o);
    assert_int_equal(o.err, TV_ERR_TOO_LARGE);
    o = ask("tv.v1.proof.big", "", WAIT_US);
    assert_string_equal(o.error_code, "500");
    assert_string_equal(o.slug, "internal");
}

static void test_headers_in_any_case_and_without_injection(void **state) {
    static const struct {
        struct tv_bus_header headers[2];
        size_t count;
        const char *seen;
    } rows[] = {
        {{{"tv-actor", "a"}, {"tv-x", "y"}}, 2, "a/-"},
        {{{"TV-Actor", "b"}, {"tv-x", "y"}}, 2, "b/-"},
        {{{"tv-x", "y"}, {"Tv-None", "n"}}, 2, "-/n"},
        {{{"tv-x", "y"}}, 1, "-/-"},
        {{{"tv-x", "y\r\ntv-none: z"}, {"tv-actor", "c"}}, 2, "c/-"},
        {{{0}}, 0, "-/-"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct outcome o = {.started_us = tv_clock_mono_us()};
        tv_bus_request(client, "tv.v1.proof.headers", rows[i].headers, rows[i].count, TV_S(""),
                       o.started_us + WAIT_US, on_reply, &o);
        wait_for(has_ended, &o);
        assert_string_equal(o.body, rows[i].seen);
    }
}

/* -- services -----------------------------------------------------------------------------------*/

static void test_two_replicas_share_the_calls(void **state) {
    second = new_bus(server.url, NULL, NULL);
    wait_for(is_connected, second);
    serve(second, 1);
    /* Each answers once it is known to the server. */
    while (replicas[1].served == 0)
        ask("tv.v1.proof.echo", "", WAIT_US);
    replicas[0].served = replicas[1].served = 0;
    for (size_t i = 0; i < TV_ARRAY_LEN(many); i++)
        start(&many[i], "tv.v1.proof.echo", "", WAIT_US);
    wait_for(all_ended, NULL);
    assert_int_equal(replicas[0].served + replicas[1].served, TV_ARRAY_LEN(many));
    assert_true(replicas[0].served > 0 && replicas[1].served > 0);
}

static void test_drain_finishes_what_was_sent(void **state) {
    second = new_bus(server.url, NULL, NULL);
    wait_for(is_connected, second);
    serve(second, 1);
    while (replicas[1].served == 0)
        ask("tv.v1.proof.echo", "", WAIT_US);
    for (size_t i = 0; i < TV_ARRAY_LEN(many); i++) {
        start(&many[i], "tv.v1.proof.echo", "", WAIT_US);
        if (i == 500) { /* in the middle of traffic */
            run_for(1000);
            tv_bus_drain(first);
        }
    }
    wait_for(all_ended, NULL);
    for (size_t i = 0; i < TV_ARRAY_LEN(many); i++)
        assert_int_equal(many[i].err, TV_OK); /* none was lost */
    wait_for(is_idle, first);
    replicas[0].served = 0;
    for (int i = 0; i < 50; i++)
        assert_int_equal(ask("tv.v1.proof.echo", "", WAIT_US).err, TV_OK);
    assert_int_equal(replicas[0].served, 0);
}

static void test_calls_may_outlive_the_bus(void **state) {
    struct outcome o;

    start(&o, "tv.v1.proof.hold", "", WAIT_US);
    wait_for(one_held, NULL);
    tv_bus_free(TV_TAKE_PTR(first));
    release_held(&replicas[0], "nobody hears it"); /* ASan watches */
    tv_bus_free(TV_TAKE_PTR(client));
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.err, TV_ERR_UNAVAILABLE);
}

/* -- nudges -------------------------------------------------------------------------------------*/

static unsigned nudges;
static void on_nudge(void *ctx, const struct tv_bus_message *m) {
    assert_true(tv_str_eqz(tv_bus_body(m), "psst"));
    assert_true(tv_str_starts(tv_bus_subject(m), TV_S("tv.v1.inbox.")));
    nudges++;
}
static bool nudged(void *ctx) { return nudges >= *(unsigned *)ctx; }

static void test_nudges(void **state) {
    struct tv_bus_subscription *all[300];
    char subject[64];
    unsigned wanted = TV_ARRAY_LEN(all);

    nudges = 0;
    for (unsigned i = 0; i < TV_ARRAY_LEN(all); i++) {
        snprintf(subject, sizeof(subject), "tv.v1.inbox.c%u.*", i);
        all[i] = tv_bus_subscribe(first, subject, on_nudge, NULL);
    }
    ask("tv.v1.proof.echo", "", WAIT_US); /* its answer comes after the subscriptions */
    for (unsigned i = 0; i < TV_ARRAY_LEN(all); i++) {
        snprintf(subject, sizeof(subject), "tv.v1.inbox.c%u.p", i);
        assert_int_equal(tv_bus_publish(client, subject, NULL, 0, TV_S("psst")), TV_OK);
    }
    wait_for(nudged, &wanted);
    tv_bus_unsubscribe(NULL);
    for (unsigned i = 0; i < TV_ARRAY_LEN(all); i++) {
        snprintf(subject, sizeof(subject), "tv.v1.inbox.c%u.p", i);
        (void)tv_bus_publish(client, subject, NULL, 0, TV_S("psst"));
        tv_bus_unsubscribe(all[i]); /* nudges may be under way */
    }
    ask("tv.v1.proof.echo", "", WAIT_US);
    run_for(20000);
    assert_int_equal(nudges, wanted);
}

static void test_subscription_may_outlive_the_bus(void **state) {
    struct tv_bus_subscription *s = tv_bus_subscribe(first, "tv.v1.inbox.x", on_nudge, NULL);
    tv_bus_free(TV_TAKE_PTR(first));
    tv_bus_unsubscribe(s);
    struct tv_bus *away = new_bus("nats://127.0.0.1:1", NULL, NULL);
    s = tv_bus_subscribe(away, "tv.v1.inbox.y", on_nudge, NULL);
    tv_bus_free(away);
    tv_bus_unsubscribe(s);
}

/* -- the server goes away -----------------------------------------------------------------------*/

static void test_server_killed_and_back(void **state) {
    struct outcome held[2], unsent, down;
    unsigned wanted = 1;

    nudges = 0;
    struct tv_bus_subscription *s = tv_bus_subscribe(client, "tv.v1.inbox.*", on_nudge, NULL);
    start(&held[0], "tv.v1.proof.hold", "", WAIT_US);
    start(&held[1], "tv.v1.proof.hold", "", WAIT_US);
    wait_for(two_held, NULL);
    test_nats_kill(&server);
    start(&unsent, "tv.v1.proof.echo", "", WAIT_US);
    wait_for(is_disconnected, client);
    for (int i = 0; i < 2; i++) {
        wait_for(has_ended, &held[i]);
        assert_int_equal(held[i].err, TV_ERR_UNKNOWN_OUTCOME);
    }
    wait_for(has_ended, &unsent);
    assert_int_not_equal(unsent.err, TV_OK);
    wait_for(is_disconnected, first);

    down = ask("tv.v1.proof.echo", "never", WAIT_US); /* nothing is kept for later */
    assert_int_equal(down.err, TV_ERR_UNAVAILABLE);
    assert_true(down.took_us < 100000);
    assert_int_equal(tv_bus_publish(client, "tv.v1.inbox.a", NULL, 0, TV_S("lost")),
                     TV_ERR_UNAVAILABLE);
    struct tv_bus_subscription *t = tv_bus_subscribe(client, "tv.v1.inbox.b.*", on_nudge, NULL);
    release_held(&replicas[0], "into the void");
    assert_true(tv_bus_healthy(client));

    replicas[0].served = 0;
    test_nats_restart(&server);
    wait_for(is_connected, client);
    wait_for(is_connected, first);
    struct outcome o;
    do
        o = ask("tv.v1.proof.echo", "again", WAIT_US);
    while (o.err == TV_ERR_UNAVAILABLE);
    assert_string_equal(o.body, "again");
    assert_int_equal(replicas[0].served, 1);
    assert_int_equal(tv_bus_publish(first, "tv.v1.inbox.b.c", NULL, 0, TV_S("psst")), TV_OK);
    wait_for(nudged, &wanted);
    assert_int_equal(nudges, 1);
    tv_bus_unsubscribe(s);
    tv_bus_unsubscribe(t);
}

static void test_start_without_a_server(void **state) {
    struct test_nats late = test_nats_start(NULL);
    test_nats_kill(&late);
    struct tv_bus *b = new_bus(late.url, NULL, NULL);
    int64_t from_us = tv_clock_mono_us();
    run_for(100000);
    assert_true(tv_clock_mono_us() - from_us < 1000000); /* the loop turns meanwhile */
    assert_false(tv_bus_connected(b));
    assert_true(tv_bus_healthy(b));
    test_nats_restart(&late);
    wait_for(is_connected, b);
    tv_bus_free(b);
    test_nats_stop(&late);
}

static void test_bad_urls(void **state) {
    static const char *const urls[] = {"",
                                       "127.0.0.1:4222",
                                       "http://127.0.0.1:4222",
                                       "nats://",
                                       "nats://:4222",
                                       "nats://h:0",
                                       "nats://h:65536",
                                       "nats://h:x",
                                       "nats://a:1,",
                                       "nats://a:1,,nats://b:1"};
    struct tv_bus *b = NULL;

    for (size_t i = 0; i < TV_ARRAY_LEN(urls); i++) {
        struct tv_error e = TV_ERROR_INIT;
        const struct tv_bus_config c = {.url = urls[i], .name = "x"};
        if (tv_bus_new(loop, &c, &b, &e) != TV_ERR_INVALID)
            fail_msg("accepted: \"%s\"", urls[i]);
    }
    assert_null(b);
}

/* -- permissions --------------------------------------------------------------------------------*/

static bool is_unhealthy(void *ctx) { return !tv_bus_healthy(ctx); }

static void silence(const char *line, size_t len) {}

static double violations(void) {
    struct tv_buf out = TV_BUF_INIT(1 << 20);
    tv_metrics_write(&out);
    const char *at = strstr(out.data, "\ntv_bus_permission_violations_total ");
    double n = at == NULL ? 0 : atof(strchr(at, ' '));
    tv_buf_done(&out);
    return n;
}
struct violations {
    double before;
};
static bool are_more(void *ctx) { return violations() > ((struct violations *)ctx)->before; }

static void test_permission_violation_is_seen(void **state) {
    struct test_nats strict =
        test_nats_start("authorization { users = [ { user: u, password: p, permissions: {\n"
                        "  publish: { allow: [\"tv.v1.allowed.>\"] },\n"
                        "  subscribe: { allow: [\"_INBOX_tester.>\"] } } } ] }\n");
    struct tv_bus *b = new_bus(strict.url, "u", "p");
    struct outcome o = {.started_us = tv_clock_mono_us()};

    tv_log_set_sink(silence);
    wait_for(is_connected, b);
    /* Its own inbox works: no responders come back. */
    tv_bus_request(b, "tv.v1.allowed.x", NULL, 0, TV_S(""), o.started_us + WAIT_US, on_reply, &o);
    wait_for(has_ended, &o);
    assert_int_equal(o.err, TV_ERR_UNAVAILABLE);
    assert_true(tv_bus_healthy(b));
    /* An answer that may not be given any more says nothing of the list. */
    struct violations more = {violations()};
    assert_int_equal(tv_bus_publish(b, "_INBOX_other.x.y", NULL, 0, TV_S("")), TV_OK);
    wait_for(are_more, &more);
    assert_true(tv_bus_healthy(b));
    assert_int_equal(tv_bus_publish(b, "tv.v1.forbidden.x", NULL, 0, TV_S("")), TV_OK);
    wait_for(is_unhealthy, b);
    assert_true(tv_bus_connected(b));
    tv_bus_free(b);

    b = new_bus(strict.url, "u", "p");
    wait_for(is_connected, b);
    struct tv_bus_subscription *s = tv_bus_subscribe(b, "_INBOX.>", on_nudge, NULL);
    wait_for(is_unhealthy, b);
    tv_bus_unsubscribe(s);
    tv_bus_free(b);
    tv_log_set_sink(NULL);
    test_nats_stop(&strict);
}

/* -- malformed input ----------------------------------------------------------------------------*/

/* Speaks the protocol by hand, to send what libnats would not. */
static int raw_connect(void) {
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)server.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    static const char hello[] =
        "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n"
        "SUB raw.reply 1\r\n";
    assert_int_equal(write(fd, hello, sizeof(hello) - 1), sizeof(hello) - 1);
    return fd;
}

struct raw {
    int fd;
    char text[4096];
    size_t len;
};
static bool raw_answered(void *ctx) {
    struct raw *r = ctx;
    ssize_t n = recv(r->fd, r->text + r->len, sizeof(r->text) - r->len - 1, MSG_DONTWAIT);
    r->len += n > 0 ? (size_t)n : 0;
    r->text[r->len] = '\0';
    char *reply = strstr(r->text, "MSG raw.reply 1 ");
    return reply != NULL && strstr(reply, "\r\n") != NULL;
}

static void wait_for_raw(struct raw *r) { /* its socket does not wake the loop */
    int64_t until_us = tv_clock_mono_us() + WAIT_US;
    while (!raw_answered(r)) {
        assert_true(tv_clock_mono_us() < until_us);
        run_for(1000);
    }
}

static void test_malformed_headers_and_bodies_are_answered(void **state) {
    static const struct {
        const char *headers, *body;
    } rows[] = {
        {"NATS/1.0\r\n\r\n", ""},
        {"NATS/1.0\r\ntv-actor\r\n\r\n", "x"},
        {"NATS/1.0\r\n: : :\r\n\r\n", "x"},
        {"NATS/9.9 nonsense\r\n\r\n", "\xff\xfe"},
        {"garbage", "x"},
        {"NATS/1.0\r\ntv-actor: \x01\x02\r\n\r\n", ""},
        {"NATS/1.0 503\r\n\r\n", ""}, /* looks like "no responders" */
    };
    char out[512];

    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        for (unsigned m = 0; m < METHODS; m++) {
            if (m == HOLD || m == DROP)
                continue;
            struct raw r = {.fd = raw_connect()};
            size_t h = strlen(rows[i].headers), b = strlen(rows[i].body);
            int n = snprintf(out, sizeof(out), "HPUB tv.v1.proof.%s raw.reply %zu %zu\r\n%s%s\r\n",
                             methods[m], h, h + b, rows[i].headers, rows[i].body);
            assert_int_equal(write(r.fd, out, (size_t)n), n);
            /* The last row is indistinguishable from the server's own word, and is dropped. */
            if (i == TV_ARRAY_LEN(rows) - 1)
                run_for(2000);
            else
                wait_for_raw(&r);
            close(r.fd);
        }
    }
    assert_string_equal(ask("tv.v1.proof.echo", "alive", WAIT_US).body, "alive");
}

static char seen_subject[128];
static void on_any_reply(void *ctx, const struct tv_bus_message *m) {
    snprintf(seen_subject, sizeof(seen_subject), "%.*s", TV_STR_ARGS(tv_bus_subject(m)));
}
static bool has_seen(void *ctx) { return seen_subject[0] != '\0'; }

static void test_foreign_replies_do_no_harm(void **state) {
    /* Somebody who knows our inbox publishes into it: old generations, future ones, nonsense. */
    static const char *const tails[] = {"0", "1", "x", "-1", "4294967295", "99999999999999999999"};
    struct outcome o;
    char prefix[128], subject[160];

    seen_subject[0] = '\0';
    struct tv_bus_subscription *spy =
        tv_bus_subscribe(first, "_INBOX_tester.>", on_any_reply, NULL);
    ask("tv.v1.proof.echo", "", WAIT_US);
    ask("tv.v1.proof.echo", "", WAIT_US);
    wait_for(has_seen, NULL);
    tv_bus_unsubscribe(spy);
    snprintf(prefix, sizeof(prefix), "%s", seen_subject);
    *strrchr(prefix, '.') = '\0';
    double wanted = late_replies() + TV_ARRAY_LEN(tails);

    start(&o, "tv.v1.proof.hold", "", WAIT_US);
    wait_for(one_held, NULL);
    for (size_t i = 0; i < TV_ARRAY_LEN(tails); i++) {
        snprintf(subject, sizeof(subject), "%s.%s", prefix, tails[i]);
        assert_int_equal(tv_bus_publish(first, subject, NULL, 0, TV_S("evil")), TV_OK);
    }
    wait_for(is_late, &wanted);
    assert_int_equal(o.calls, 0);
    release_held(&replicas[0], "good");
    wait_for(has_ended, &o);
    assert_string_equal(o.body, "good");
}

/* -- discovery and statistics (ADR-32), read with an independent JSON parser --------------------*/

static json_t *question(const char *subject) {
    static char text[16384];
    struct raw r = {.fd = raw_connect()};
    char out[256];
    int n = snprintf(out, sizeof(out), "PUB %s raw.reply 0\r\n\r\n", subject);

    assert_int_equal(write(r.fd, out, (size_t)n), n);
    wait_for_raw(&r);
    size_t want = strtoul(strstr(r.text, "raw.reply 1 ") + 12, NULL, 10);
    const char *body = strstr(strstr(r.text, "raw.reply 1 "), "\r\n") + 2;
    while (strlen(body) < want) {
        ssize_t more = recv(r.fd, r.text + r.len, sizeof(r.text) - r.len - 1, 0);
        assert_true(more > 0);
        r.len += (size_t)more;
        r.text[r.len] = '\0';
    }
    close(r.fd);
    snprintf(text, sizeof(text), "%.*s", (int)want, body);
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(j);
    assert_string_equal(json_string_value(json_object_get(j, "name")), "proof");
    assert_string_equal(json_string_value(json_object_get(j, "version")), "1.2.3");
    assert_true(json_is_object(json_object_get(j, "metadata")));
    return j;
}

static const char *text_of(const json_t *j, const char *key) {
    const char *s = json_string_value(json_object_get(j, key));
    assert_non_null(s);
    return s;
}

static void test_discovery_answers_all_nine_subjects(void **state) {
    static const char *const verbs[] = {"PING", "INFO", "STATS"},
                             *const types[] = {"io.nats.micro.v1.ping_response",
                                               "io.nats.micro.v1.info_response",
                                               "io.nats.micro.v1.stats_response"};
    char subject[128], id[64] = "";

    for (size_t v = 0; v < TV_ARRAY_LEN(verbs); v++) {
        for (int form = 0; form < 3; form++) {
            snprintf(subject, sizeof(subject), "$SRV.%s%s%s%s", verbs[v], form >= 1 ? ".proof" : "",
                     form >= 2 ? "." : "", form >= 2 ? id : "");
            json_t *j = question(subject);
            assert_string_equal(text_of(j, "type"), types[v]);
            if (id[0] == '\0')
                snprintf(id, sizeof(id), "%s", text_of(j, "id"));
            assert_string_equal(text_of(j, "id"), id); /* the same instance */
            json_decref(j);
        }
    }
}

static void test_info_and_stats_tell_the_methods(void **state) {
    ask("tv.v1.proof.fail", "", WAIT_US);
    for (int i = 0; i < 3; i++)
        ask("tv.v1.proof.echo", "", WAIT_US);
    json_t *info = question("$SRV.INFO.proof"), *stats = question("$SRV.STATS.proof");
    assert_string_equal(text_of(info, "description"), "serves the test");
    int64_t us;
    assert_true(tv_time_parse(tv_str(text_of(stats, "started")), &us));
    assert_in_range(tv_clock_wall_us() - us, 0, 60 * TV_US_PER_S);

    json_t *in_info = json_object_get(info, "endpoints");
    json_t *in_stats = json_object_get(stats, "endpoints");
    assert_int_equal(json_array_size(in_info), METHODS);
    assert_int_equal(json_array_size(in_stats), METHODS);
    for (size_t i = 0; i < METHODS; i++) {
        json_t *a = json_array_get(in_info, i), *b = json_array_get(in_stats, i);
        char subject[64];
        snprintf(subject, sizeof(subject), "tv.v1.proof.%s", methods[i]);
        assert_string_equal(text_of(a, "name"), methods[i]);
        assert_string_equal(text_of(a, "subject"), subject);
        assert_string_equal(text_of(a, "queue_group"), "tester");
        assert_true(json_is_object(json_object_get(a, "metadata")));
        assert_string_equal(text_of(b, "name"), methods[i]);
        assert_string_equal(text_of(b, "subject"), subject);
        json_int_t requests = json_integer_value(json_object_get(b, "num_requests"));
        json_int_t took = json_integer_value(json_object_get(b, "processing_time"));
        assert_int_equal(json_integer_value(json_object_get(b, "num_errors")), i == FAIL ? 1 : 0);
        assert_string_equal(text_of(b, "last_error"), i == FAIL ? "slot-taken" : "");
        assert_true(i == ECHO ? requests >= 4 : requests == (i == FAIL ? 1 : 0));
        assert_int_equal(json_integer_value(json_object_get(b, "average_processing_time")),
                         requests == 0 ? 0 : took / requests);
    }
    json_decref(info);
    json_decref(stats);
}

int main(void) {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_request_is_answered),
        TEST(test_an_error_reply_has_its_headers),
        TEST(test_an_unknown_method_is_404),
        TEST(test_no_responders_at_once),
        TEST(test_no_responders_hits_only_its_own_request),
        TEST(test_a_thousand_at_once),
        TEST(test_deadline_then_the_late_reply_is_dropped),
        TEST(test_deadlines_end_in_their_order),
        TEST(test_a_deadline_in_the_past_sends_nothing),
        TEST(test_a_cancelled_request_is_not_called_back),
        TEST(test_too_large_is_told_at_both_ends),
        TEST(test_headers_in_any_case_and_without_injection),
        TEST(test_two_replicas_share_the_calls),
        TEST(test_drain_finishes_what_was_sent),
        TEST(test_calls_may_outlive_the_bus),
        TEST(test_nudges),
        TEST(test_subscription_may_outlive_the_bus),
        TEST(test_server_killed_and_back),
        TEST(test_start_without_a_server),
        TEST(test_bad_urls),
        TEST(test_permission_violation_is_seen),
        TEST(test_malformed_headers_and_bodies_are_answered),
        TEST(test_foreign_replies_do_no_harm),
        TEST(test_discovery_answers_all_nine_subjects),
        TEST(test_info_and_stats_tell_the_methods),
    };
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
