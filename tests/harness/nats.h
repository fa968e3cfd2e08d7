/* nats.h - a nats-server of the test's own. */
#ifndef TV_TEST_NATS_H
#define TV_TEST_NATS_H

#include "proc.h"

struct test_nats {
    struct test_proc *proc;
    unsigned port;
    char url[64];
    char tls_url[64]; /* with the name that certificates are for */
};
/* Starts one on a free port; `config_text` is a server configuration that is added (NULL: none). */
struct test_nats test_nats_start(const char *config_text);
/* Replaces the configuration; for a restart, or a SIGHUP. */
void test_nats_configure(const struct test_nats *n, const char *config_text);
/* A directory with good/, stranger/ (the same by another authority) and elsewhere/ (for another
 * name), each with ca.crt, tls.crt and tls.key; and with first.nkey and second.nkey. */
const char *test_nats_secrets(void);
/* The whole of such a file, NUL-terminated. Returns owned. */
char *test_nats_secret(const char *name);
void test_nats_stop(struct test_nats *n);
void test_nats_kill(struct test_nats *n);    /* SIGKILL */
void test_nats_restart(struct test_nats *n); /* on the same port, after a stop or kill */

#endif
