/* The HTTP server and clients that are careless or hostile: limits, slowness, leaving. */
#include "tests/unit/lib/httpd_rig.h"

/* -- limits and refusals ------------------------------------------------------------------------*/

#define A100                                                                                       \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaa"
#define A1000 A100 A100 A100 A100 A100 A100 A100 A100 A100 A100

#define P20 "&a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=0&a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=0"
#define P200 P20 P20 P20 P20 P20 P20 P20 P20 P20 P20

/* Closed; libmicrohttpd 0.9.75 says 400 first, 1.0 says nothing. */
#define NO_ANSWER 0

static const struct refusal {
    const char *what;
    const char *request;
    int status;
    const char *part;
    bool goes_on; /* the connection can be used afterwards */
} refusals[] = {
    {"body at the cap", "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n" A1000, 200,
     "\r\n\r\n" A1000, true},
    {"body over the cap", "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n" A1000 "b",
     413, "application/problem+json", true},
    {"its problem", "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n" A1000 "b", 413,
     "{\"type\":\"/problems/too-large\"", true},
    {"body over the head's cap",
     "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n12345678901", 413, "too-large",
     true},
    {"body at the head's cap",
     "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n1234567890", 200, "1234567890",
     true},
    {"chunks at the cap",
     "POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" A1000
     "\r\n0\r\n\r\n",
     200, A1000, true},
    {"chunks over the cap",
     "POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n3e8\r\n" A1000
     "\r\n1\r\nb\r\n0\r\n\r\n",
     413, "problem+json", true},
    {"a length that is not worth reading",
     "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", 413, "problem+json",
     false},
    {"a body that waits, too large",
     "POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n", 413,
     "problem+json", false},
    {"refused by its head", "POST /forbidden HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
     401, "who are you", true},
    {"refused by its head, no body", GET("/forbidden"), 401, "who are you", true},
    {"refused by its head, over the cap",
     "POST /forbidden HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", 401, "who", false},
    {"target", GET("/" A1000 A100), 414, "/problems/uri-too-long", true},
    {"very many parameters", GET("/?" P200), 200, "", true},
    {"query", GET("/?" A1000 A100), 414, "problem+json", true},
    {"fields",
     "GET / HTTP/1.1\r\nHost: h\r\nX-A: " A1000 A1000 "\r\nX-B: " A1000 A1000 A1000 "\r\n\r\n", 431,
     "/problems/headers-too-large", true},
    {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "problem+json", false},
    {"length and chunks",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: "
     "chunked\r\n\r\n0\r\n\r\n",
     400, "", false},
    {"two lengths",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, "",
     false},
    {"other encoding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\nabc", 400, "",
     false},
    {"no host", "GET / HTTP/1.1\r\nX: y\r\n\r\n", 400, "", false},
    {"a space in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400, "", false},
    {"not HTTP", "this is not http\r\n\r\n", NO_ANSWER, "", false},
    {"version", "GET / HTTP/9.1\r\nHost: h\r\n\r\n", 505, "", false},
    {"length no number", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400, "",
     false},
    {"broken chunk", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400,
     "", false},
};

static void test_refusals(void **state) {
    start(usual());
    for (size_t i = 0; i < TV_ARRAY_LEN(refusals); i++) {
        const struct refusal *r = &refusals[i];
        struct client c = dial();

        print_message("    %s\n", r->what);
        say(&c, r->request);
        if (r->status != NO_ANSWER)
            expect(&c, r->status, r->part);
        if (r->goes_on) {
            say(&c, GET("/"));
            expect(&c, 200, "hello");
        } else {
            expect_eof(&c);
        }
        hang_up(&c);
    }
    assert_true(wait_for(nobody_connected, NULL));
}

static void test_refusals_without_on_head(void **state) {
    struct tv_httpd_config config = usual();
    struct client c;

    config.on_head = NULL;
    start(config);
    c = dial();
    say(&c, GET("/" A1000 A100));
    expect(&c, 414, "uri-too-long");
    say(&c, "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n" A1000 "b");
    expect(&c, 413, "too-large");
    hang_up(&c);
    assert_int_equal(t.heads, 2);
    assert_int_equal(t.requests, 0);
}

static void test_expect_continue(void **state) {
    struct client c;

    start(usual());
    c = dial();
    say(&c, "POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    expect(&c, 100, "");
    say(&c, "abc");
    expect(&c, 200, "abc");
    hang_up(&c);
}

static void test_endless_chunks_are_cut(void **state) {
    struct client c;
    char line[1100];
    size_t len = (size_t)snprintf(line, sizeof(line), "3e8\r\n%s\r\n", A1000);

    start(usual());
    c = dial();
    say(&c, "POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1000; i++)
        say_bytes(&c, line, len);
    expect_eof(&c);
    assert_true(wait_for(all_ended, NULL));
    assert_int_equal(t.requests, 0);
    hang_up(&c);
}

static void test_connections_of_one_address(void **state) {
    struct tv_httpd_config config = usual();
    struct client a, b, c;

    config.per_address_max = 2;
    start(config);
    a = dial();
    b = dial();
    say(&a, GET("/"));
    say(&b, GET("/"));
    expect(&a, 200, "hello");
    expect(&b, 200, "hello");
    c = dial();
    expect_eof(&c);
    hang_up(&a);
    hang_up(&b);
    hang_up(&c);
}

static void test_connections_at_all(void **state) {
    struct tv_httpd_config config = usual();
    struct client a, b;

    config.connections_max = 1;
    start(config);
    a = dial();
    say(&a, GET("/"));
    expect(&a, 200, "hello");
    b = dial();
    say(&b, GET("/empty"));
    assert_false(tv_loop_run_until(t.loop, heard, &b, 50 * TV_US_PER_MS));
    hang_up(&a);
    expect(&b, 204, ""); /* it waited and was not lost */
    hang_up(&b);
}

/* -- slow clients -------------------------------------------------------------------------------*/

/* Sends one more byte every few milliseconds, until the server has had enough. */
struct dribble {
    struct client client;
    unsigned sent;
    int64_t last_us;
};

static bool dribbled_out(void *ctx) {
    struct dribble *d = ctx;

    if (tv_clock_mono_us() - d->last_us > 5 * TV_US_PER_MS) {
        d->last_us = tv_clock_mono_us();
        d->sent += send(d->client.fd, "x", 1, MSG_NOSIGNAL) == 1;
    }
    return heard(&d->client);
}

static void dribble_after(const char *begin) {
    struct tv_httpd_config config = usual();
    struct dribble d = {.client.until_eof = true};
    int64_t began_us;

    config.idle_timeout_us = 150 * TV_US_PER_MS;
    start(config);
    d.client = dial();
    d.client.until_eof = true;
    began_us = tv_clock_mono_us();
    say(&d.client, begin);
    assert_true(wait_for(dribbled_out, &d));
    assert_true(d.sent > 5);
    assert_in_range(tv_clock_mono_us() - began_us, 100 * TV_US_PER_MS, 3 * TV_US_PER_S);
    assert_int_equal(t.requests, 0);
    hang_up(&d.client);
    assert_true(wait_for(nobody_connected, NULL));
    tv_httpd_free(t.httpd);
    t.httpd = NULL;
}

static void test_slow_head_is_cut(void **state) { dribble_after("GET / HTTP/1.1\r\nX: "); }

static void test_slow_body_is_cut(void **state) {
    dribble_after("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
}

static void test_silent_client_is_cut(void **state) {
    struct tv_httpd_config config = usual();
    struct client c, kept;
    unsigned one = 1;

    config.idle_timeout_us = 100 * TV_US_PER_MS;
    start(config);
    kept = dial();
    say(&kept, GET("/hold"));
    assert_true(wait_for(held_enough, &one));
    c = dial();
    say(&c, GET("/"));
    expect(&c, 200, "hello");
    expect_eof(&c);
    hang_up(&c);
    assert_true(tv_httpd_connections(t.httpd) == 1); /* who waits for us is not cut */
    respond_text(t.held[0], 200, TV_S("late"));
    expect(&kept, 200, "late");
    hang_up(&kept);
}

static void test_answer_that_is_not_taken(void **state) {
    struct tv_httpd_config config = usual();
    struct client c;

    config.idle_timeout_us = 100 * TV_US_PER_MS;
    start(config);
    c = dial();
    say(&c, GET("/big"));
    assert_true(wait_for(one_ended, NULL));
    assert_true(wait_for(nobody_connected, NULL));
    hang_up(&c);
}

/* Reads a little at each look, for a second. */
struct sip {
    int fd;
    int64_t until_us;
    bool ended;
};

static bool sipped(void *ctx) {
    struct sip *s = ctx;
    char block[65536];

    s->ended = s->ended || recv(s->fd, block, sizeof(block), 0) == 0;
    return s->ended || tv_clock_mono_us() > s->until_us;
}

static void test_answer_that_is_taken_slowly(void **state) {
    struct tv_httpd_config config = usual();
    struct client c;
    struct sip s;

    config.idle_timeout_us = 100 * TV_US_PER_MS;
    start(config);
    c = dial();
    say(&c, GET("/big"));
    s = (struct sip){.fd = c.fd, .until_us = tv_clock_mono_us() + TV_US_PER_S};
    assert_true(wait_for(sipped, &s));
    assert_false(s.ended);
    assert_int_equal(tv_httpd_connections(t.httpd), 1);
    assert_int_equal(t.ends, 0);
    hang_up(&c);
}

static void test_big_answer(void **state) {
    struct client c;
    char *text;

    start(usual());
    c = dial();
    say(&c, GET("/big"));
    text = answer(&c, 200);
    assert_non_null(strstr(text, "Content-Length: 8388608\r\n"));
    free(text);
    hang_up(&c);
}

/* -- clients that leave -------------------------------------------------------------------------*/

static void test_hang_up_while_suspended(void **state) {
    struct client c;
    unsigned one = 1;

    start(usual());
    c = dial();
    say(&c, GET("/hold"));
    assert_true(wait_for(held_enough, &one));
    hang_up(&c);
    assert_false(tv_loop_run_until(t.loop, all_ended, NULL, 20 * TV_US_PER_MS));
    respond_text(t.held[0], 200, TV_S("nobody"));
    assert_true(wait_for(nobody_connected, NULL));
    assert_int_equal(t.ends, 1);
}

static void test_hang_up_in_the_body(void **state) {
    struct client c;

    start(usual());
    c = dial();
    say(&c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc");
    assert_true(wait_for(one_head, NULL));
    hang_up(&c);
    assert_true(wait_for(all_ended, NULL));
    assert_int_equal(t.requests, 0);
}

/* -- all of it at once --------------------------------------------------------------------------*/

static bool never(void *ctx) { return false; }

/* One thing that a client, the owner of the exchanges, or the loop does next. */
static void storm_step(unsigned short dice[3], struct client *one) {
    static const char *const says[] = {
        GET("/hold"),
        GET("/hold") GET("/a") GET("/hold"),
        GET("/stream"),
        GET("/big"),
        "GET /",
        "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab",
        "cde",
        "\r\n\r\n",
        "POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "HEAD /forbidden HTTP/1.1\r\nHost: h\r\n\r\n",
        "\x01\x80 nonsense\r\n\r\n",
    };
    const char *text = says[(size_t)nrand48(dice) % TV_ARRAY_LEN(says)];
    unsigned held = t.held_count == 0 ? 0 : (unsigned)nrand48(dice) % t.held_count;

    switch (nrand48(dice) % 8) {
    case 0:
        hang_up(one);
        *one = dial();
        break;
    case 1:
    case 2:
        (void)!send(one->fd, text, strlen(text), MSG_NOSIGNAL);
        break;
    case 3:
        (void)heard(one);
        tv_buf_clear(&one->in);
        break;
    case 4:
        if (held < t.held_count && t.held[held] != NULL && !tv_http_answered(t.held[held]))
            respond_text(t.held[held], 200, TV_S("now"));
        break;
    case 5:
        if (t.stream != NULL)
            (void)tv_http_write(t.stream, TV_S("data: x\n\n"));
        break;
    case 6:
        if (t.stream != NULL && nrand48(dice) % 5 == 0)
            tv_http_close(t.stream);
        break;
    default:
        (void)tv_loop_run_until(t.loop, never, NULL, 1);
    }
    while (t.held_count > 0 && t.held[t.held_count - 1] == NULL)
        t.held_count--;
}

/* Random clients and a random owner: whatever the order, each exchange ends once, and nothing is
 * touched after its end (the sanitizers watch). */
static void test_storm(void **state) {
    struct tv_httpd_config config = usual();
    struct client c[40] = {{0}};
    unsigned short dice[3] = {1, 2, 3};

    config.idle_timeout_us = 50 * TV_US_PER_MS;
    start(config);
    for (unsigned i = 0; i < TV_ARRAY_LEN(c); i++)
        c[i] = dial();
    for (int step = 0; step < 6000; step++)
        storm_step(dice, &c[(size_t)nrand48(dice) % TV_ARRAY_LEN(c)]);
    print_message("    %u exchanges begun, %u ended by themselves\n", t.heads, t.ends);
    assert_true(t.heads > 300);
    assert_true(t.ends > 200);
    tv_httpd_free(t.httpd);
    t.httpd = NULL;
    assert_int_equal(t.ends, t.heads);
    for (unsigned i = 0; i < TV_ARRAY_LEN(c); i++)
        hang_up(&c[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_refusals),
        T(test_refusals_without_on_head),
        T(test_expect_continue),
        T(test_endless_chunks_are_cut),
        T(test_connections_of_one_address),
        T(test_connections_at_all),
        T(test_slow_head_is_cut),
        T(test_slow_body_is_cut),
        T(test_silent_client_is_cut),
        T(test_answer_that_is_not_taken),
        T(test_answer_that_is_taken_slowly),
        T(test_big_answer),
        T(test_hang_up_while_suspended),
        T(test_hang_up_in_the_body),
        T(test_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
