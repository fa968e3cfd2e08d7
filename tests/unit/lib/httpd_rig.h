/* httpd_rig.h - an HTTP server with a few paths, and clients that are bare sockets, all in one
 * thread.
 *
 * A test waits for something by turning the loop until it is true; a tick lets the loop look at
 * the clients' sockets now and then. tear_down() checks that each exchange which a handler heard of
 * ended exactly once.
 */
#ifndef TV_TEST_HTTPD_RIG_H
#define TV_TEST_HTTPD_RIG_H

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
    unsigned heads, requests, ends;
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
    } else if (tv_str_eq(path, TV_S("/lasting"))) {
        size_t used = tv_arena_used(tv_http_arena(x));

        memset(big, 'b', sizeof(big));
        tv_httpd_respond_lasting(x, 200, NULL, 0, (struct tv_str){big, sizeof(big)});
        assert_int_equal(tv_arena_used(tv_http_arena(x)), used); /* no copy */
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
    const struct tv_http_field fields[] = {{"Content-Type", "application/problem+json"}};
    const struct tv_err_info *info = tv_err_info(e->code);
    char text[400];

    t.heads += tv_http_user(x) == NULL; /* refused before on_head */
    snprintf(text, sizeof(text), "{\"type\":\"/problems/%s\",\"detail\":\"%s\"}", info->slug,
             e->detail);
    tv_httpd_respond(x, info->http, fields, 1, tv_str(text));
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
        .on_refused = on_refused,
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
    /* Each exchange that a handler heard of ended once. */
    return t.ends == t.heads ? 0 : -1;
}

static bool wait_for(bool (*done)(void *ctx), void *ctx) {
    return tv_loop_run_until(t.loop, done, ctx, PATIENCE_US);
}

static bool all_ended(void *ctx) { return t.ends == t.heads; }
static inline bool one_head(void *ctx) { return t.heads == 1; }
static inline bool one_ended(void *ctx) { return t.ends == 1; }
static bool nobody_connected(void *ctx) { return tv_httpd_connections(t.httpd) == 0; }
static bool held_enough(void *ctx) { return t.held_count >= *(unsigned *)ctx; }
static inline bool stream_open(void *ctx) { return t.stream != NULL; }

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

/* The decimal number that `p` begins with. */
static size_t number(const char *p) {
    size_t n = 0;

    while (*p == ' ')
        p++;
    while (*p >= '0' && *p <= '9')
        n = n * 10 + (size_t)(*p++ - '0');
    return n;
}

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
        body = number(field + 17);
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
    if (number(text + 9) != (size_t)status)
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

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
