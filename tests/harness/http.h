/* http.h - HTTP clients on the test's own loop, so that what answers may live in the same thread.
 *
 * A client is one TCP connection that keeps what came. test_http_answer() takes the answer apart;
 * an answer that never ends (an event stream) is looked at while it grows.
 */
#ifndef TV_TEST_HTTP_H
#define TV_TEST_HTTP_H

#include "lib/arena.h"
#include "lib/loop.h"

struct test_http;
/* Connects to the loopback port. With `receive_bytes` the kernel keeps little of what is not read;
 * 0: as usual. Fails the test when it cannot. */
struct test_http *test_http_open(struct tv_loop *l, unsigned port, int receive_bytes);
void test_http_close(struct test_http *c); /* accepts NULL */
void test_http_send(struct test_http *c, const char *text);
void test_http_send_bytes(struct test_http *c, struct tv_str bytes);
/* Stops reading, as a browser does whose machine sleeps; and goes on. */
void test_http_pause(struct test_http *c);
void test_http_go_on(struct test_http *c);
/* Whether the other side has closed. */
bool test_http_closed(const struct test_http *c);
/* Bytes that came so far. */
size_t test_http_received(const struct test_http *c);

struct test_answer {
    unsigned status; /* 0: the head is not there yet */
    bool complete;   /* the body is there to its end */
    char *head;      /* as it came, NUL-terminated */
    char *body;      /* without chunks, NUL-terminated */
    size_t body_bytes;
};
/* What came so far, in the arena; `head_only` for an answer to HEAD. A "100 Continue" before the
 * answer is passed over. */
struct test_answer test_http_answer(const struct test_http *c, bool head_only, struct tv_arena *a);
/* The value of a field of the answer's head, in the arena; NULL when it is absent. `nth` from 0. */
const char *test_answer_field(const struct test_answer *r, const char *name, unsigned nth,
                              struct tv_arena *a);

#endif
