/* livekit.h - a LiveKit server of the test's own: loopback only, rooms only by the API.
 *
 * The program is $TV_LIVEKIT_SERVER, else build/tools/livekit-server (`make livekit`), else
 * livekit-server of the PATH; without any of them the test fails and says so.
 */
#ifndef TV_TEST_LIVEKIT_H
#define TV_TEST_LIVEKIT_H

#include "tests/harness/proc.h"

struct test_livekit {
    struct test_proc *proc;
    unsigned port;     /* HTTP and WebSocket */
    unsigned udp_port; /* media */
    char url[64];      /* http://127.0.0.1:<port> */
    const char *key;
    const char *secret;
};
/* `webhook_url` may be NULL: none. */
struct test_livekit test_livekit_start(const char *webhook_url);
void test_livekit_stop(struct test_livekit *l);
void test_livekit_kill(struct test_livekit *l);    /* SIGKILL: it forgets its rooms */
void test_livekit_restart(struct test_livekit *l); /* on the same ports, after a stop or kill */
/* The same without waiting: test_livekit_get(l, "/") is 200 when it is ready. */
void test_livekit_begin(struct test_livekit *l);

/* GET `path` of it, blocking; the status, 0 when there was no answer. */
unsigned test_livekit_get(const struct test_livekit *l, const char *path);
/* What LiveKit would say to somebody who comes with this token: 200, 401, 404, … */
unsigned test_livekit_validate(const struct test_livekit *l, const char *token);

#endif
