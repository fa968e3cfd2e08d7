/* The HTTP server against clients that are bare sockets: what a well-behaved client needs, what a
 * careless one does, and what a hostile one tries. Every test also checks that each exchange which
 * the handlers heard of ended exactly once. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/httpd.h"
#include "lib/loop.h"

#define BODY_MAX 1000
#define QUEUE_MAX 65536 /* of a stream */
#define PATIENCE_US (10 * TV_US_PER_S)
#define HELD_MAX 400

/* -- the server under test ----------------------------------------------------------------------*/

static struct {
    struct tv_loop *loop;
    struct tv_httpd *httpd;
    struct tv_timer *tick;          /* lets the loop look at the clients now and then */
    struct tv_http *held[HELD_MAX]; /* waiting for the test to answer */
    unsigned held_count;
    struct tv_http *stream;
    unsigned heads, requests, ends, refused;
    char peer[64];
} t;

static void on_tick(void *ctx) { tv_timer_set(t.tick, 2 * TV_US_PER_MS); }

static void respond_text(struct tv_http *x, unsigned status, struct tv_str text) {
    const struct tv_http_field fields[] = {{"Content-Type", "text/plain"}};

    tv_httpd_respond(x, status, fields, 1, text);
}

static void on_head(void *ctx, struct tv_http *x) {
    t.heads++;
    tv_http_set_user(x, x);
    if (tv_str_eq(tv_http_path(x), TV_S("/forbidden")))
        respond_text(x, 401, TV_S("who are you"));
    if (tv_str_eq(tv_http_path(x), TV_S("/small")))
        tv_http_set_body_max(x, 10);
}

static void on_request(void *ctx, struct tv_http *x) {
    static char big[8 << 20];
    struct tv_str path = tv_http_path(x);

    t.requests++;
    assert_ptr_equal(tv_http_user(x), x);
    snprintf(t.peer, sizeof(t.peer), "%s", tv_http_peer(x));
    if (tv_str_eq(path, TV_S("/hold"))) {
        assert_true(t.held_count < HELD_MAX);
        t.held[t.held_count++] = x;
    } else if (tv_str_eq(path, TV_S("/stream"))) {
        const struct tv_http_field fields[] = {{"Content-Type", "text/event-stream"}};

        t.stream = x;
        tv_httpd_stream(x, 200, fields, 1, QUEUE_MAX);
    } else if (tv_str_eq(path, TV_S("/empty"))) {
        tv_httpd_respond(x, 204, NULL, 0, TV_S(""));
    } else if (tv_str_eq(path, TV_S("/big"))) {
        respond_text(x, 200, (struct tv_str){big, sizeof(big)});
    } else if (tv_str_eq(path, TV_S("/inject"))) {
        const struct tv_http_field fields[] = {{"X-A", "1\r\nX-B: 2"}, {"X-C", "3"}};

        tv_httpd_respond(x, 200, fields, 2, TV_S("ok"));
    } else if (tv_str_eq(path, TV_S("/field"))) {
        struct tv_str v = tv_http_header(x, "x-test");

        assert_int_equal(tv_http_header_count(x, "x-TEST"), v.p == NULL ? 0 : 2);
        respond_text(x, 200, v.p == NULL ? TV_S("none") : v);
    } else if (tv_http_body(x).len > 0) {
        respond_text(x, 200, tv_http_body(x));
    } else {
        respond_text(x, 200, TV_S("hello"));
    }
}

static void on_end(void *ctx, struct tv_http *x) {
    t.ends++;
    if (t.stream == x)
        t.stream = NULL;
    for (unsigned i = 0; i < t.held_count; i++) {
        if (t.held[i] == x)
            t.held[i] = NULL;
    }
}

static void on_refused(void *ctx, struct tv_http *x, const struct tv_error *e) {
    char text[64];

    t.refused++;
    snprintf(text, sizeof(text), "refused %s", tv_err_info(e->code)->slug);
    respond_text(x, tv_err_info(e->code)->http, tv_str(text));
}

static struct tv_httpd_config usual(void) {
    return (struct tv_httpd_config){
        .address = "127.0.0.1:0",
        .connections_max = 1000,
        .header_bytes_max = 4096,
        .target_bytes_max = 1024,
        .body_bytes_max = BODY_MAX,
        .idle_timeout_us = 20 * TV_US_PER_S,
        .on_head = on_head,
        .on_request = on_request,
        .on_end = on_end,
    };
}

static void start(struct tv_httpd_config c) {
    struct tv_error e;

    assert_int_equal(tv_httpd_new(t.loop, &c, &t.httpd, &e), TV_OK);
    assert_true(tv_httpd_port(t.httpd) > 0);
}

static int set_up(void **state) {
    memset(&t, 0, sizeof(t));
    t.loop = tv_loop_new();
    t.tick = tv_timer_new(t.loop, on_tick, NULL);
    on_tick(NULL);
    return 0;
}

static int tear_down(void **state) {
    tv_httpd_free(t.httpd);
    tv_timer_free(t.tick);
    tv_loop_free(t.loop);
    /* Each exchange that a handler heard of ended once; refusals were heard of by on_refused. */
    return t.ends == t.heads + t.refused ? 0 : -1;
}

static bool wait_for(bool (*done)(void *ctx), void *ctx) {
    return tv_loop_run_until(t.loop, done, ctx, PATIENCE_US);
}

static bool all_ended(void *ctx) { return t.ends == t.heads; }
static bool one_head(void *ctx) { return t.heads == 1; }
static bool one_ended(void *ctx) { return t.ends == 1; }
static bool nobody_connected(void *ctx) { return tv_httpd_connections(t.httpd) == 0; }
static bool held_enough(void *ctx) { return t.held_count >= *(unsigned *)ctx; }
static bool stream_open(void *ctx) { return t.stream != NULL; }

/* -- clients ------------------------------------------------------------------------------------*/

struct client {
    int fd;
    struct tv_buf in; /* received and not consumed */
    bool eof;
    bool head;      /* the answer that is awaited has no body */
    size_t answer;  /* bytes of the first answer in `in` */
    bool until_eof; /* waits for the end of the connection */
};

static struct client dial(void) {
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)tv_httpd_port(t.httpd))};
    struct client c = {.fd = socket(AF_INET, SOCK_STREAM, 0), .in = TV_BUF_INIT(16 << 20)};
    int small = 4096;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(c.fd >= 0);
    setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    assert_int_equal(connect(c.fd, (struct sockaddr *)&a, sizeof(a)), 0);
    fcntl(c.fd, F_SETFL, O_NONBLOCK);
    return c;
}

static void hang_up(struct client *c) {
    close(c->fd);
    tv_buf_done(&c->in);
}

static void say_bytes(struct client *c, const char *p, size_t len) {
    while (len > 0) {
        ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN) {
            tv_loop_run_until(t.loop, nobody_connected, NULL, TV_US_PER_MS);
            continue;
        }
        if (n < 0)
            return; /* the server closed: what it said is still to be read */
        p += n;
        len -= (size_t)n;
    }
}
static void say(struct client *c, const char *text) { say_bytes(c, text, strlen(text)); }

static size_t chunked_len(const char *p) {
    const char *end = strstr(p, "0\r\n\r\n");

    return end == NULL ? SIZE_MAX : (size_t)(end - p) + 5;
}

/* Reads what there is; true when a whole answer is there, or the end that was waited for. */
static bool heard(void *ctx) {
    struct client *c = ctx;
    char block[65536];
    ssize_t n;
    const char *end, *field;
    size_t body;

    while (!c->eof && (n = recv(c->fd, block, sizeof(block), 0)) != -1) {
        c->eof = n == 0;
        tv_buf_append(&c->in, block, (size_t)n);
    }
    if (!c->eof && errno != EAGAIN)
        c->eof = true;
    if (c->until_eof || c->in.len == 0 || (end = strstr(c->in.data, "\r\n\r\n")) == NULL)
        return c->eof;
    end += 4;
    field = strcasestr(c->in.data, "\r\nContent-Length:");
    if (c->head || strncmp(c->in.data + 9, "204", 3) == 0 || c->in.data[9] == '1')
        body = 0;
    else if (field != NULL && field < end)
        body = (size_t)atoi(field + 17);
    else
        body = chunked_len(end);
    c->answer = (size_t)(end - c->in.data) + body;
    return c->eof || (body != SIZE_MAX && c->in.len >= c->answer);
}

/* Waits for an answer with this status and cuts it off `in`. Returns owned. */
static char *answer(struct client *c, int status) {
    char *text;

    assert_true(wait_for(heard, c));
    if (c->answer == 0 || c->answer > c->in.len)
        fail_msg("the connection ended instead of an answer %d: %s", status,
                 c->in.len > 0 ? c->in.data : "");
    text = strndup(c->in.data, c->answer);
    if (atoi(text + 9) != status)
        fail_msg("%d expected, got: %s", status, text);
    memmove(c->in.data, c->in.data + c->answer, c->in.len - c->answer + 1);
    c->in.len -= c->answer;
    c->answer = 0;
    return text;
}

static void expect(struct client *c, int status, const char *part) {
    char *text = answer(c, status);

    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text);
    free(text);
}

static void expect_eof(struct client *c) {
    c->until_eof = true;
    assert_true(wait_for(heard, c));
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

/* -- ordinary clients ---------------------------------------------------------------------------*/

static void test_one_connection_many_requests(void **state) {
    struct client c;

    start(usual());
    c = dial();
    say(&c, GET("/a?x=1"));
    expect(&c, 200, "\r\n\r\nhello");
    assert_string_equal(t.peer, "127.0.0.1");
    say(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    expect(&c, 200, "\r\n\r\nabc");
    say(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n");
    expect(&c, 200, "\r\n\r\nabcdefg");
    say(&c, GET("/empty"));
    expect(&c, 204, "\r\n");
    say(&c, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    c.head = true;
    expect(&c, 200, "Content-Length: 5\r\n");
    c.head = false;
    say(&c, GET("/a"));
    expect(&c, 200, "hello"); /* nothing of the HEAD's body came before it */
    say(&c, "GET /field HTTP/1.1\r\nhost: h\r\nX-TEST: one\r\nx-test: two\r\n\r\n");
    expect(&c, 200, "\r\n\r\none");
    say(&c, GET("/field"));
    expect(&c, 200, "\r\n\r\nnone");
    assert_int_equal(t.requests, 8);
    assert_int_equal(tv_httpd_connections(t.httpd), 1);
    hang_up(&c);
    assert_true(wait_for(nobody_connected, NULL));
}

static void test_the_target_is_kept_as_sent(void **state) {
    struct client c;
    unsigned one = 1;

    start(usual());
    c = dial();
    say(&c, GET("/hold?a=%2F&b=+c?d"));
    assert_true(wait_for(held_enough, &one));
    assert_true(tv_str_eq(tv_http_query(t.held[0]), TV_S("a=%2F&b=+c?d")));
    assert_true(tv_str_eq(tv_http_path(t.held[0]), TV_S("/hold")));
    assert_true(tv_str_eq(tv_http_method(t.held[0]), TV_S("GET")));
    assert_false(tv_http_answered(t.held[0]));
    respond_text(t.held[0], 200, TV_S("x"));
    expect(&c, 200, "x");
    say(&c, GET("/%68old/%2e%2e?"));
    expect(&c, 200, "hello"); /* not /hold: nothing was decoded */
    hang_up(&c);
}

static void test_pipelining(void **state) {
    struct client c;
    unsigned one = 1;

    start(usual());
    c = dial();
    say(&c, GET("/1") GET("/hold") "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nzz" GET(
                "/field") GET("/empty"));
    assert_true(wait_for(held_enough, &one));
    expect(&c, 200, "hello");
    assert_int_equal(t.requests, 2); /* the rest waits for its turn */
    respond_text(t.held[0], 202, TV_S("later"));
    expect(&c, 202, "later");
    expect(&c, 200, "zz");
    expect(&c, 200, "none");
    expect(&c, 204, "");
    hang_up(&c);
}

static void test_many_deferred(void **state) {
    static struct client c[300];
    unsigned n = TV_ARRAY_LEN(c);

    start(usual());
    for (unsigned i = 0; i < n; i++) {
        c[i] = dial();
        say(&c[i], GET("/hold"));
    }
    assert_true(wait_for(held_enough, &n));
    for (unsigned i = n; i-- > 0;)
        respond_text(t.held[i], i % 2 ? 409 : 200, TV_S("done"));
    for (unsigned i = 0; i < n; i++) {
        char *text;

        assert_true(wait_for(heard, &c[i]));
        text = answer(&c[i], atoi(c[i].in.data + 9));
        assert_non_null(strstr(text, "done"));
        free(text);
        hang_up(&c[i]);
    }
    assert_true(wait_for(all_ended, NULL));
    assert_int_equal(t.ends, n);
}

static void test_old_client(void **state) {
    struct client c;

    start(usual());
    c = dial();
    say(&c, "GET / HTTP/1.0\r\n\r\n");
    expect(&c, 200, "hello");
    expect_eof(&c);
    hang_up(&c);
}

static void test_no_injection_into_fields(void **state) {
    struct client c;
    char *text;

    start(usual());
    c = dial();
    say(&c, GET("/inject"));
    text = answer(&c, 200);
    assert_null(strstr(text, "X-B"));
    assert_non_null(strstr(text, "X-C: 3"));
    free(text);
    hang_up(&c);
}

/* -- limits and refusals ------------------------------------------------------------------------*/

#define A100                                                                                       \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaa"
#define A1000 A100 A100 A100 A100 A100 A100 A100 A100 A100 A100

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
     "{\"type\":\"/problems/too-large\",\"title\":\"The request is too large\",\"status\":413",
     true},
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
    {"not HTTP", "this is not http\r\n\r\n", 400, "", false},
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
        char *text;

        print_message("    %s\n", r->what);
        say(&c, r->request);
        text = answer(&c, r->status);
        if (strstr(text, r->part) == NULL)
            fail_msg("\"%s\" is not in: %s", r->part, text);
        free(text);
        if (r->goes_on) {
            say(&c, GET("/"));
            expect(&c, 200, "hello");
        } else {
            expect_eof(&c);
        }
        hang_up(&c);
        t.refused = 0;
    }
    assert_true(wait_for(nobody_connected, NULL));
}

static void test_refusals_in_the_owners_form(void **state) {
    struct tv_httpd_config config = usual();
    struct client c;

    config.on_refused = on_refused;
    config.on_head = NULL;
    config.on_request = NULL; /* never reached */
    start(config);
    c = dial();
    say(&c, GET("/" A1000 A100));
    expect(&c, 414, "refused uri-too-long");
    say(&c, "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n" A1000 "b");
    expect(&c, 413, "refused too-large");
    hang_up(&c);
    assert_int_equal(t.refused, 2);
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

/* -- streams ------------------------------------------------------------------------------------*/

static struct client open_stream(void) {
    struct client c = dial();

    say(&c, GET("/stream"));
    assert_true(wait_for(stream_open, NULL));
    return c;
}

struct wanted {
    struct client *client;
    const char *text;
};

static bool has_text(void *ctx) {
    struct wanted *w = ctx;

    heard(w->client);
    return w->client->in.len > 0 && strstr(w->client->in.data, w->text) != NULL;
}

static void expect_text(struct client *c, const char *text) {
    struct wanted w = {c, text};

    assert_true(wait_for(has_text, &w));
}

static void test_stream(void **state) {
    struct client c;

    start(usual());
    c = open_stream();
    expect_text(&c, "Content-Type: text/event-stream\r\n");
    assert_true(tv_http_write(t.stream, TV_S("data: one\n\n")));
    expect_text(&c, "data: one\n\n");
    for (int i = 0; i < 2000; i++) { /* in sum far more than the queue */
        char text[64];

        snprintf(text, sizeof(text), "data: event %d .................\n\n", i);
        assert_true(tv_http_write(t.stream, tv_str(text)));
        if (i % 20 == 19)
            expect_text(&c, text);
    }
    assert_true(tv_http_write(t.stream, TV_S("last")));
    tv_http_close(t.stream);
    assert_false(tv_http_write(t.stream, TV_S("too late")));
    expect_text(&c, "last\r\n0\r\n\r\n");
    assert_true(wait_for(all_ended, NULL));
    assert_null(strstr(c.in.data, "too late"));
    hang_up(&c);
}

static bool write_until_cut(void *ctx) {
    static const char event[QUEUE_MAX / 2] = {[0 ... QUEUE_MAX / 2 - 2] = 'x'};
    bool *ok = ctx;

    if (t.stream != NULL && *ok)
        *ok = tv_http_write(t.stream, tv_str(event));
    return t.stream == NULL;
}

static void test_slow_reader_is_cut(void **state) {
    struct client c;
    bool ok = true;

    start(usual());
    c = open_stream();
    assert_true(wait_for(write_until_cut, &ok));
    assert_false(ok);
    assert_true(wait_for(nobody_connected, NULL));
    assert_int_equal(t.ends, 1);
    hang_up(&c);
}

static void test_one_write_above_the_queue(void **state) {
    static const char event[QUEUE_MAX + 2] = {[0 ... QUEUE_MAX] = 'x'};
    struct client c;

    start(usual());
    c = open_stream();
    assert_false(tv_http_write(t.stream, tv_str(event)));
    assert_true(wait_for(all_ended, NULL));
    hang_up(&c);
}

static void test_stream_whose_reader_left(void **state) {
    struct client c;

    start(usual());
    c = open_stream();
    assert_true(tv_http_write(t.stream, TV_S(": here\n\n")));
    expect_text(&c, ": here");
    hang_up(&c);
    assert_false(tv_loop_run_until(t.loop, all_ended, NULL, 20 * TV_US_PER_MS));
    assert_false(tv_http_write(t.stream, TV_S(": heartbeat\n\n"))); /* the first one tells */
    assert_true(wait_for(all_ended, NULL));
}

/* -- the end ------------------------------------------------------------------------------------*/

static void test_quiesce(void **state) {
    struct client c, stream, late;
    unsigned one = 1;
    struct sockaddr_in a = {.sin_family = AF_INET};

    start(usual());
    c = dial();
    stream = open_stream();
    say(&c, GET("/hold"));
    assert_true(wait_for(held_enough, &one));
    tv_httpd_quiesce(t.httpd);
    late.fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_port = htons((uint16_t)tv_httpd_port(t.httpd));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(late.fd, (struct sockaddr *)&a, sizeof(a)), -1);
    close(late.fd);
    respond_text(t.held[0], 200, TV_S("the last"));
    expect(&c, 200, "Connection: close\r\n");
    expect_eof(&c);
    tv_http_close(t.stream);
    expect_eof(&stream);
    assert_true(wait_for(nobody_connected, NULL));
    hang_up(&c);
    hang_up(&stream);
}

static void test_stop_with_everything_open(void **state) {
    struct client idle, half, body, held, stream;
    unsigned one = 1;

    start(usual());
    idle = dial();
    say(&idle, GET("/"));
    expect(&idle, 200, "hello");
    half = dial();
    say(&half, "GET / HT");
    body = dial();
    say(&body, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc");
    held = dial();
    say(&held, GET("/hold"));
    stream = open_stream();
    assert_true(wait_for(held_enough, &one));
    tv_httpd_free(t.httpd);
    t.httpd = NULL;
    assert_int_equal(t.ends, t.heads);
    assert_null(t.held[0]);
    assert_null(t.stream);
    expect_eof(&idle);
    expect_eof(&half);
    expect_eof(&body);
    expect_eof(&held);
    expect_eof(&stream);
    hang_up(&idle);
    hang_up(&half);
    hang_up(&body);
    hang_up(&held);
    hang_up(&stream);
}

static void test_addresses(void **state) {
    static const struct {
        const char *address;
        bool ok;
    } rows[] = {
        {"127.0.0.1:0", true}, {"[::]:0", true},       {"0.0.0.0:0", true},
        {"127.0.0.1", false},  {":8080", false},       {"", false},
        {"[::1", false},       {"999.1.1.1:0", false}, {"192.0.2.1:0", false}, /* not ours */
    };

    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_httpd_config config = usual();
        struct tv_httpd *d;
        struct tv_error e = TV_ERROR_INIT;

        config.address = rows[i].address;
        if (rows[i].ok) {
            assert_int_equal(tv_httpd_new(t.loop, &config, &d, &e), TV_OK);
            tv_httpd_free(d);
        } else {
            assert_int_equal(tv_httpd_new(t.loop, &config, &d, &e), TV_ERR_UNAVAILABLE);
            assert_true(strlen(e.detail) > 0);
        }
    }
}

static void test_both_families_on_one_socket(void **state) {
    struct tv_httpd_config config = usual();
    struct client c;

    config.address = "[::]:0";
    start(config);
    c = dial();
    say(&c, GET("/"));
    expect(&c, 200, "hello");
    assert_string_equal(t.peer, "127.0.0.1"); /* not ::ffff:127.0.0.1 */
    hang_up(&c);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_one_connection_many_requests),
        T(test_the_target_is_kept_as_sent),
        T(test_pipelining),
        T(test_many_deferred),
        T(test_old_client),
        T(test_no_injection_into_fields),
        T(test_refusals),
        T(test_refusals_in_the_owners_form),
        T(test_expect_continue),
        T(test_endless_chunks_are_cut),
        T(test_connections_of_one_address),
        T(test_connections_at_all),
        T(test_slow_head_is_cut),
        T(test_slow_body_is_cut),
        T(test_silent_client_is_cut),
        T(test_answer_that_is_not_taken),
        T(test_big_answer),
        T(test_hang_up_while_suspended),
        T(test_hang_up_in_the_body),
        T(test_stream),
        T(test_slow_reader_is_cut),
        T(test_one_write_above_the_queue),
        T(test_stream_whose_reader_left),
        T(test_quiesce),
        T(test_stop_with_everything_open),
        T(test_addresses),
        T(test_both_families_on_one_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
