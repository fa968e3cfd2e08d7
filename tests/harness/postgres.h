/* postgres.h - a PostgreSQL cluster of the test's own (never as root; loopback only). */
#ifndef TV_TEST_POSTGRES_H
#define TV_TEST_POSTGRES_H

#include "proc.h"

struct test_postgres {
    struct test_proc *proc;
    unsigned port;
    char url[160]; /* of an empty database that the user owns */
    char data[256];
};
/* initdb once per test program, then postgres itself as a child (no pg_ctl), fsync off. */
struct test_postgres test_postgres_start(void);
void test_postgres_stop(struct test_postgres *p); /* fast shutdown */
void test_postgres_kill(struct test_postgres *p); /* SIGKILL */
void test_postgres_restart(struct test_postgres *p);
/* Runs SQL by a blocking connection; fails the test on an error. The first value of the first row,
 * owned, or NULL when there are no rows. */
char *test_sql(const struct test_postgres *p, const char *sql);

#endif
