/* nats.h - a nats-server of the test's own. */
#ifndef TV_TEST_NATS_H
#define TV_TEST_NATS_H

#include "proc.h"

struct test_nats {
    struct test_proc *proc;
    unsigned port;
    char url[64];
};
/* Starts one on a free port; `config_text` is a server configuration that is added (NULL: none). */
struct test_nats test_nats_start(const char *config_text);
void test_nats_stop(struct test_nats *n);
void test_nats_kill(struct test_nats *n);    /* SIGKILL */
void test_nats_restart(struct test_nats *n); /* on the same port, after a stop or kill */

#endif
