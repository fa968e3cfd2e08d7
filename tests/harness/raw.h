/* raw.h - an HTTP server that misbehaves on purpose: it plays a list of steps.
 *
 * It runs on a thread of its own. Each complete request, on whatever connection, takes the next
 * step; when the list is at its end, the last step is played again.
 */
#ifndef TV_TEST_RAW_H
#define TV_TEST_RAW_H

#include <stddef.h>

enum test_raw_then {
    TEST_RAW_KEEP,  /* the connection is kept for a further request */
    TEST_RAW_CLOSE, /* closed in order */
    TEST_RAW_RESET, /* closed with a TCP reset */
    TEST_RAW_HANG,  /* left open, and nothing more is said */
};

struct test_raw_step {
    const char *text; /* written as it is; NULL: nothing */
    size_t len;       /* 0: strlen(text) */
    size_t filler;    /* so many bytes 'x' follow, until the client goes away */
    int delay_ms;     /* before the answer */
    enum test_raw_then then;
};

struct test_raw;
/* On a free loopback port. Borrows `steps` until test_raw_stop(). Fails the test when it cannot. */
struct test_raw *test_raw_start(const struct test_raw_step *steps, size_t count);
unsigned test_raw_port(const struct test_raw *s);
unsigned test_raw_connections(struct test_raw *s); /* accepted so far */
unsigned test_raw_requests(struct test_raw *s);    /* complete requests so far */
/* The last complete request, head and body. Returns owned, NUL-terminated; NULL: none yet. */
char *test_raw_last(struct test_raw *s, size_t *ret_len);
void test_raw_stop(struct test_raw *s); /* accepts NULL */

/* "HTTP/1.1 200 OK", a type, a length, an empty line, `body`: most answers are this. */
#define TEST_RAW_HEAD(status, type, length)                                                        \
    "HTTP/1.1 " status "\r\nContent-Type: " type "\r\nContent-Length: " length "\r\n\r\n"

#endif
