/* proc.h - processes that a test starts: on free ports, logged to a file, ended by pid.
 *
 * Every process started here is ended when the test program ends, also when it aborts (the child
 * asks the kernel for SIGKILL on the death of its parent).
 */
#ifndef TV_TEST_PROC_H
#define TV_TEST_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A loopback TCP port that was free a moment ago. */
unsigned test_free_port(void);
/* A directory of its own for this test program below $TMPDIR (or /tmp), removed at exit. */
const char *test_dir(void);

struct test_proc;
/* Starts argv[0] with `env` added to the environment (NULL-ended "NAME=value"; may be NULL);
 * stdout and stderr go to <test_dir>/<name>.log. `user` is a user name to run as when the test is
 * root (PostgreSQL refuses root), or NULL. Fails the test when it cannot. */
struct test_proc *test_spawn(const char *name, char *const argv[], char *const env[],
                             const char *user);
pid_t test_proc_pid(const struct test_proc *p);
/* Sends a signal. */
void test_signal(struct test_proc *p, int signo);
/* Waits for the end at most `timeout_ms`; the exit status, 128+n for a signal, -1 on time-out. */
int test_wait(struct test_proc *p, int64_t timeout_ms);
/* SIGTERM, then SIGKILL after 5 s; frees. Accepts NULL. */
void test_stop(struct test_proc *p);
/* What it wrote so far. Returns owned, NUL-terminated. */
char *test_proc_log(const struct test_proc *p);

/* Whether `fn` aborts, tried in a child whose stderr goes nowhere; for broken invariants. */
bool test_panics(void (*fn)(void));

/* Polls `ok(ctx)` every few ms until it is true or the time is over; returns the last answer. */
bool test_until(bool (*ok)(void *ctx), void *ctx, int64_t timeout_ms);
/* Waits until something listens on the loopback port. */
bool test_listening(unsigned port, int64_t timeout_ms);

#endif
