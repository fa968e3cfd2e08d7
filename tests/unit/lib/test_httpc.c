/* The HTTP client against servers that answer well, badly, late, too much, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/httpc.h"
#include "tests/harness/proc.h"
#include "tests/harness/raw.h"

#define PATIENCE_US (20 * TV_US_PER_S)

struct outcome {
    unsigned calls;
    enum tv_err err;
    char detail[256];
    unsigned status;
    char content_type[64];
    size_t body_len;
    char body[64];
    uint32_t retry_after_s;
};

static void on_done(void *ctx, enum tv_err err, const struct tv_error *e,
                    const struct tv_httpc_response *r) {
    struct outcome *o = ctx;
    o->calls++;
    o->err = err;
    assert_int_equal(e->code, err);
    snprintf(o->detail, sizeof o->detail, "%s", e->detail);
    assert_true((err == TV_OK) == (r != NULL));
    if (r != NULL) {
        o->status = r->status;
        o->retry_after_s = r->retry_after_s;
        o->body_len = r->body.len;
        snprintf(o->content_type, sizeof o->content_type, "%.*s", TV_STR_ARGS(r->content_type));
        snprintf(o->body, sizeof o->body, "%.*s", TV_STR_ARGS(r->body));
    }
}

static bool is_done(void *ctx) { return ((struct outcome *)ctx)->calls > 0; }

static struct tv_loop *loop;
static struct tv_httpc *client;

static int set_up(void **state) {
    loop = tv_loop_new();
    client = tv_httpc_new(loop, 4);
    return 0;
}

static int tear_down(void **state) {
    tv_httpc_free(client);
    tv_loop_free(loop);
    return 0;
}

static const char *const headers[] = {"Content-Type: application/protobuf",
                                      "Authorization: Bearer x", NULL};

static void post(const char *url, int64_t timeout_us, struct outcome *o) {
    struct tv_httpc_request r = {.url = url,
                                 .headers = headers,
                                 .body = TV_S("a\0b"),
                                 .timeout_us = timeout_us,
                                 .max_response_bytes = 1000};
    *o = (struct outcome){.calls = 0};
    tv_httpc_post(client, &r, on_done, o);
    assert_int_equal(o->calls, 0); /* never from within */
}

static const char *url_of(const struct test_raw *s) {
    static char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/twirp/x", test_raw_port(s));
    return url;
}

static void exchange(const char *url, int64_t timeout_us, struct outcome *o) {
    post(url, timeout_us, o);
    assert_true(tv_loop_run_until(loop, is_done, o, PATIENCE_US));
    assert_int_equal(o->calls, 1);
}

static void test_a_good_answer(void **state) {
    static const struct test_raw_step step = {
        .text = TEST_RAW_HEAD("200 OK", "application/protobuf; v=1", "5") "hello"};
    struct test_raw *s = test_raw_start(&step, 1);
    struct outcome o;
    exchange(url_of(s), PATIENCE_US, &o);
    assert_int_equal(o.err, TV_OK);
    assert_int_equal(o.status, 200);
    assert_string_equal(o.content_type, "application/protobuf; v=1");
    assert_string_equal(o.body, "hello");
    assert_int_equal(o.retry_after_s, 0);

    size_t len;
    char *request = test_raw_last(s, &len);
    assert_non_null(request);
    assert_memory_equal(request, "POST /twirp/x HTTP/1.1\r\n", 24);
    assert_non_null(strstr(request, "\r\nContent-Type: application/protobuf\r\n"));
    assert_non_null(strstr(request, "\r\nAuthorization: Bearer x\r\n"));
    assert_null(strcasestr(request, "Expect:"));
    assert_null(strcasestr(request, "User-Agent:"));
    assert_memory_equal(request + len - 7, "\r\n\r\na\0b", 7);
    free(request);
    test_raw_stop(s);
}

static void test_any_status_is_an_answer(void **state) {
    static const struct {
        struct test_raw_step step;
        unsigned status;
        uint32_t retry_after_s;
        size_t body_len;
    } cases[] = {
        {{.text = TEST_RAW_HEAD("404 Not Found", "text/html", "4") "nope"}, 404, 0, 4},
        {{.text = "HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"}, 503, 7, 0},
        {{.text = "HTTP/1.1 204 No\r\n\r\n"}, 204, 0, 0},
        {{.text = "HTTP/1.0 200 OK\r\n\r\nuntil the end", .then = TEST_RAW_CLOSE}, 200, 0, 13},
        {{.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
         200,
         0,
         3},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        struct test_raw *s = test_raw_start(&cases[i].step, 1);
        struct outcome o;
        exchange(url_of(s), PATIENCE_US, &o);
        assert_int_equal(o.err, TV_OK);
        assert_int_equal(o.status, cases[i].status);
        assert_int_equal(o.retry_after_s, cases[i].retry_after_s);
        assert_int_equal(o.body_len, cases[i].body_len);
        test_raw_stop(s);
    }
}

/* A redirect would carry the bearer token to wherever it points. */
static void test_redirects_are_answers(void **state) {
    static const struct test_raw_step never = {.text = TEST_RAW_HEAD("200 OK", "text/plain", "0")};
    struct test_raw *target = test_raw_start(&never, 1);
    char text[200];
    snprintf(text, sizeof text,
             "HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:%u/\r\nContent-Length: 0\r\n\r\n",
             test_raw_port(target));
    struct test_raw_step step = {.text = text};
    struct test_raw *s = test_raw_start(&step, 1);
    struct outcome o;
    exchange(url_of(s), PATIENCE_US, &o);
    assert_int_equal(o.err, TV_OK);
    assert_int_equal(o.status, 307);
    assert_int_equal(test_raw_connections(target), 0);
    test_raw_stop(s);
    test_raw_stop(target);
}

static void test_bad_answers(void **state) {
    static const struct {
        const char *what;
        struct test_raw_step step;
        const char *detail;
    } cases[] = {
        {"closed", {.then = TEST_RAW_CLOSE}, "without an answer"},
        {"reset", {.then = TEST_RAW_RESET}, "connection was lost"},
        {"garbage", {.text = "\x16\x03\x01 garbage\n\n", .then = TEST_RAW_CLOSE}, "not HTTP"},
        {"HTML without a head", {.text = "<html></html>", .then = TEST_RAW_CLOSE}, "not HTTP"},
        {"cut in the head", {.text = "HTTP/1.1 200 OK\r\nConte", .then = TEST_RAW_CLOSE}, ""},
        {"cut in the body",
         {.text = TEST_RAW_HEAD("200 OK", "x/y", "9") "abc", .then = TEST_RAW_CLOSE},
         "broke off"},
        {"reset in the body",
         {.text = TEST_RAW_HEAD("200 OK", "x/y", "9") "abc", .then = TEST_RAW_RESET},
         "connection was lost"},
        {"cut in a chunk",
         {.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
          .then = TEST_RAW_CLOSE},
         "broke off"},
        {"bad chunks",
         {.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"},
         ""},
        {"10 MB announced",
         {.text = TEST_RAW_HEAD("200 OK", "x/y", "10000000"), .filler = 10000000},
         "too long"},
        {"10 MB not announced",
         {.text = "HTTP/1.1 200 OK\r\n\r\n", .filler = 10000000, .then = TEST_RAW_CLOSE},
         "too long"},
        {"one byte too many",
         {.text = TEST_RAW_HEAD("200 OK", "x/y", "1001"), .filler = 1001},
         "too long"},
        {"10 MB of header", {.text = "HTTP/1.1 200 OK\r\nX: ", .filler = 10000000}, ""},
        {"a length that is none",
         {.text = "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc", .then = TEST_RAW_CLOSE},
         ""},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        struct test_raw *s = test_raw_start(&cases[i].step, 1);
        struct outcome o;
        exchange(url_of(s), PATIENCE_US, &o);
        if (o.err != TV_ERR_UNAVAILABLE || o.detail[0] == '\0' ||
            strstr(o.detail, cases[i].detail) == NULL || strstr(o.detail, "127.0.0.1") != NULL) {
            fail_msg("%s: %d \"%s\"", cases[i].what, o.err, o.detail);
        }
        test_raw_stop(s);
    }
}

static void test_the_cap_itself_fits(void **state) {
    static const struct test_raw_step step = {.text = TEST_RAW_HEAD("200 OK", "x/y", "1000"),
                                              .filler = 1000};
    struct test_raw *s = test_raw_start(&step, 1);
    struct outcome o;
    exchange(url_of(s), PATIENCE_US, &o);
    assert_int_equal(o.err, TV_OK);
    assert_int_equal(o.body_len, 1000);
    test_raw_stop(s);
}

static void test_deadline(void **state) {
    static const struct test_raw_step steps[] = {
        {.then = TEST_RAW_HANG},
        {.text = "HTTP/1.1 200 OK\r\nContent-Le", .then = TEST_RAW_HANG},
        {.text = TEST_RAW_HEAD("200 OK", "x/y", "9") "abc", .then = TEST_RAW_HANG},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(steps); i++) {
        struct test_raw *s = test_raw_start(&steps[i], 1);
        struct outcome o;
        int64_t began_us = tv_clock_mono_us();
        exchange(url_of(s), 60 * TV_US_PER_MS, &o);
        assert_true(tv_clock_mono_us() - began_us >= 60 * TV_US_PER_MS);
        assert_int_equal(o.err, TV_ERR_DEADLINE);
        assert_true(o.detail[0] != '\0');
        test_raw_stop(s);
    }
}

static void test_nobody_there(void **state) {
    char url[64];
    struct outcome o;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", test_free_port());
    exchange(url, PATIENCE_US, &o);
    assert_int_equal(o.err, TV_ERR_UNAVAILABLE);
    assert_string_equal(o.detail, "the connection was refused");
    exchange("http://name.invalid/", PATIENCE_US, &o);
    assert_int_equal(o.err, TV_ERR_UNAVAILABLE);
    assert_string_equal(o.detail, "the host name is not known");
}

static void test_other_schemes(void **state) {
    static const char *const urls[] = {
        "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://x/", "dict://127.0.0.1/", "",
        "nonsense:",          "http://"};
    for (size_t i = 0; i < TV_ARRAY_LEN(urls); i++) {
        struct outcome o;
        exchange(urls[i], PATIENCE_US, &o);
        assert_int_equal(o.err, TV_ERR_UNAVAILABLE);
        assert_true(o.detail[0] != '\0');
    }
}

static void test_no_proxy_from_the_environment(void **state) {
    static const struct test_raw_step step = {.text = TEST_RAW_HEAD("200 OK", "x/y", "0")};
    struct test_raw *s = test_raw_start(&step, 1), *proxy = test_raw_start(&step, 1);
    char address[64];
    snprintf(address, sizeof address, "http://127.0.0.1:%u", test_raw_port(proxy));
    setenv("http_proxy", address, 1);
    setenv("ALL_PROXY", address, 1);
    struct outcome o;
    exchange(url_of(s), PATIENCE_US, &o);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    assert_int_equal(o.err, TV_OK);
    assert_int_equal(test_raw_requests(s), 1);
    assert_int_equal(test_raw_connections(proxy), 0);
    test_raw_stop(s);
    test_raw_stop(proxy);
}

static void test_connections_are_used_again(void **state) {
    static const struct test_raw_step steps[] = {
        {.text = TEST_RAW_HEAD("200 OK", "x/y", "2") "ok"},
        {.text = TEST_RAW_HEAD("200 OK", "x/y", "2") "ok"},
        {.text = TEST_RAW_HEAD("200 OK", "x/y", "2") "ok", .then = TEST_RAW_CLOSE},
        {.text = TEST_RAW_HEAD("200 OK", "x/y", "2") "ok"},
    };
    struct test_raw *s = test_raw_start(steps, TV_ARRAY_LEN(steps));
    struct outcome o;
    for (unsigned i = 0; i < 3; i++) {
        exchange(url_of(s), PATIENCE_US, &o);
        assert_int_equal(o.err, TV_OK);
    }
    assert_int_equal(test_raw_connections(s), 1);
    exchange(url_of(s), PATIENCE_US, &o); /* the server has closed it meanwhile: a new one */
    assert_int_equal(o.err, TV_OK);
    assert_int_equal(test_raw_connections(s), 2);
    test_raw_stop(s);
}

static void test_many_at_once(void **state) {
    static const struct test_raw_step step = {.text = TEST_RAW_HEAD("200 OK", "x/y", "2") "ok"};
    struct test_raw *s = test_raw_start(&step, 1);
    struct outcome o[100];
    for (size_t i = 0; i < TV_ARRAY_LEN(o); i++) {
        post(url_of(s), PATIENCE_US, &o[i]);
    }
    for (size_t i = 0; i < TV_ARRAY_LEN(o); i++) {
        assert_true(tv_loop_run_until(loop, is_done, &o[i], PATIENCE_US));
        assert_int_equal(o[i].err, TV_OK);
        assert_int_equal(o[i].calls, 1);
    }
    assert_true(test_raw_connections(s) <= 4); /* as tv_httpc_new() was told */
    assert_int_equal(test_raw_requests(s), 100);
    test_raw_stop(s);
}

/* The deadline also holds for those that still wait for a connection. */
static void test_deadline_in_the_queue(void **state) {
    static const struct test_raw_step step = {.then = TEST_RAW_HANG};
    struct test_raw *s = test_raw_start(&step, 1);
    struct outcome o[8];
    for (size_t i = 0; i < TV_ARRAY_LEN(o); i++) {
        post(url_of(s), (i < 4 ? 300 : 60) * TV_US_PER_MS, &o[i]);
    }
    int64_t began_us = tv_clock_mono_us();
    for (size_t i = TV_ARRAY_LEN(o); i-- > 0;) {
        assert_true(tv_loop_run_until(loop, is_done, &o[i], PATIENCE_US));
        assert_int_equal(o[i].err, TV_ERR_DEADLINE);
        assert_true(i < 4 || o[0].calls == 0);
    }
    assert_true(tv_clock_mono_us() - began_us < PATIENCE_US / 2);
    test_raw_stop(s);
}

static void test_free_ends_what_is_under_way(void **state) {
    static const struct test_raw_step step = {.then = TEST_RAW_HANG};
    struct test_raw *s = test_raw_start(&step, 1);
    struct outcome running, fresh;
    post(url_of(s), PATIENCE_US, &running);
    post("http://127.0.0.1:1/", 1, &fresh);
    assert_true(tv_loop_run_until(loop, is_done, &fresh, PATIENCE_US));
    post(url_of(s), PATIENCE_US, &fresh);
    tv_httpc_free(client);
    client = NULL;
    assert_int_equal(running.err, TV_ERR_UNAVAILABLE);
    assert_int_equal(running.calls, 1);
    assert_int_equal(fresh.err, TV_ERR_UNAVAILABLE);
    assert_int_equal(fresh.calls, 1);
    test_raw_stop(s);
}

/* on_done may begin the next request: a retry does. */
struct chain {
    const char *url;
    unsigned left;
    struct outcome last;
};

static void on_link(void *ctx, enum tv_err err, const struct tv_error *e,
                    const struct tv_httpc_response *r) {
    struct chain *chain = ctx;
    if (chain->left-- == 1) {
        on_done(&chain->last, err, e, r);
        return;
    }
    struct tv_httpc_request next = {
        .url = chain->url, .timeout_us = PATIENCE_US, .max_response_bytes = 10};
    tv_httpc_post(client, &next, on_link, chain);
}

static void test_requests_from_on_done(void **state) {
    static const struct test_raw_step steps[] = {
        {.then = TEST_RAW_RESET},
        {.text = TEST_RAW_HEAD("200 OK", "x/y", "0")},
    };
    struct test_raw *s = test_raw_start(steps, TV_ARRAY_LEN(steps));
    struct chain chain = {.url = url_of(s), .left = 5};
    struct tv_httpc_request first = {
        .url = chain.url, .timeout_us = PATIENCE_US, .max_response_bytes = 10};
    tv_httpc_post(client, &first, on_link, &chain);
    assert_true(tv_loop_run_until(loop, is_done, &chain.last, PATIENCE_US));
    assert_int_equal(chain.last.err, TV_OK);
    assert_int_equal(test_raw_requests(s), 5);
    test_raw_stop(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_good_answer),
        TEST(test_any_status_is_an_answer),
        TEST(test_redirects_are_answers),
        TEST(test_bad_answers),
        TEST(test_the_cap_itself_fits),
        TEST(test_deadline),
        TEST(test_nobody_there),
        TEST(test_other_schemes),
        TEST(test_no_proxy_from_the_environment),
        TEST(test_connections_are_used_again),
        TEST(test_many_at_once),
        TEST(test_deadline_in_the_queue),
        TEST(test_free_ends_what_is_under_way),
        TEST(test_requests_from_on_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
