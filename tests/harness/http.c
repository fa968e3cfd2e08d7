/* http.c - see http.h. */
#include "tests/harness/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define RECEIVED_MAX (64 << 20)

struct test_http {
    int fd;
    struct tv_watch *watch;
    struct tv_buf in;
    bool closed;
};

static void on_event(void *ctx, unsigned events) {
    struct test_http *c = ctx;
    char bytes[65536];
    for (;;) {
        ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n > 0) {
            tv_buf_append(&c->in, bytes, (size_t)n);
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        c->closed = true;
        tv_watch_set(c->watch, 0);
        return;
    }
}

struct test_http *test_http_open(struct tv_loop *l, unsigned port, int receive_bytes) {
    struct test_http *c = tv_calloc(1, sizeof *c);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->in = TV_BUF_INIT(RECEIVED_MAX);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd >= 0 && receive_bytes > 0)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&a, sizeof a) != 0)
        fail_msg("no connection to port %u: %s", port, strerror(errno));
    c->watch = tv_watch_new(l, c->fd, TV_READABLE, on_event, c);
    return c;
}

void test_http_close(struct test_http *c) {
    if (c == NULL)
        return;
    tv_watch_free(c->watch);
    (void)close(c->fd);
    tv_buf_done(&c->in);
    free(c);
}

void test_http_send(struct test_http *c, const char *text) {
    test_http_send_bytes(c, tv_str(text));
}

void test_http_send_bytes(struct test_http *c, struct tv_str bytes) {
    for (size_t sent = 0; sent < bytes.len;) {
        ssize_t n = send(c->fd, bytes.p + sent, bytes.len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return; /* refused in the middle: what came back says why */
        sent += (size_t)n;
    }
}

void test_http_pause(struct test_http *c) { tv_watch_set(c->watch, 0); }
void test_http_go_on(struct test_http *c) {
    if (!c->closed)
        tv_watch_set(c->watch, TV_READABLE);
}
bool test_http_closed(const struct test_http *c) { return c->closed; }
size_t test_http_received(const struct test_http *c) { return c->in.len; }

/* -- taking an answer apart ---------------------------------------------------------------------*/

const char *test_answer_field(const struct test_answer *r, const char *name, unsigned nth,
                              struct tv_arena *a) {
    struct tv_str rest = tv_str(r->head);
    while (rest.p != NULL) {
        struct tv_str value = tv_str_cut(&rest, '\n');
        if (value.len > 0 && value.p[value.len - 1] == '\r')
            value.len--;
        struct tv_str key = tv_str_cut(&value, ':');
        if (value.p != NULL && tv_str_eq_nocase(key, tv_str(name)) && nth-- == 0)
            return tv_arena_str(a, tv_str_trim(value));
    }
    return NULL;
}

/* Appends the chunks of `text` that are complete to `out`; true when the last one was there. */
static bool dechunk(struct tv_str text, struct tv_buf *out) {
    while (text.len > 0) {
        const char *line_end = memchr(text.p, '\n', text.len);
        if (line_end == NULL)
            return false;
        size_t size = strtoul(text.p, NULL, 16);
        size_t line = (size_t)(line_end - text.p) + 1;
        if (size == 0)
            return true;
        if (text.len < line + size)
            return false;
        tv_buf_append(out, text.p + line, size);
        size_t step = TV_MIN(line + size + 2, text.len);
        text = (struct tv_str){text.p + step, text.len - step};
    }
    return false;
}

struct test_answer test_http_answer(const struct test_http *c, bool head_only, struct tv_arena *a) {
    static const char head_end[] = "\r\n\r\n", go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct test_answer r = {.head = tv_arena_strdup(a, ""), .body = tv_arena_strdup(a, "")};
    struct tv_str in = tv_buf_view(&c->in);
    if (tv_str_starts(in, tv_str(go_on)))
        in = (struct tv_str){in.p + strlen(go_on), in.len - strlen(go_on)};
    const char *end = in.len == 0 ? NULL : memmem(in.p, in.len, head_end, 4);
    if (end == NULL)
        return r;
    size_t head_bytes = (size_t)(end - in.p) + 2;
    struct tv_str rest = {end + 4, in.len - head_bytes - 2};
    r.head = tv_arena_strndup(a, in.p, head_bytes);
    assert_memory_equal(r.head, "HTTP/1.1 ", 9);
    r.status = (unsigned)strtoul(r.head + 9, NULL, 10);

    struct tv_buf body = TV_BUF_INIT(RECEIVED_MAX);
    const char *length = test_answer_field(&r, "Content-Length", 0, a);
    if (head_only || r.status == 204 || r.status == 304) {
        r.complete = true;
        tv_buf_str(&body, rest); /* which there must not be */
    } else if (length != NULL) {
        tv_buf_str(&body, rest);
        r.complete = rest.len >= strtoul(length, NULL, 10);
    } else {
        r.complete = dechunk(rest, &body);
    }
    r.body_bytes = body.len;
    r.body = tv_arena_strndup(a, body.len > 0 ? body.data : "", body.len);
    tv_buf_done(&body);
    return r;
}
