/* The test harness itself: what other tests rely on when things go wrong. */
#include "tests/harness/proc.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/harness/nats.h"

static struct test_proc *shell(const char *name, char *script, char *const env[]) {
    char sh[] = "sh", c[] = "-c";
    char *argv[] = {sh, c, script, NULL};
    return test_spawn(name, argv, env, NULL);
}

static void test_exit_status_and_log(void **state) {
    char script[] = "echo \"to stdout $WHO\"; echo to stderr >&2; exit 7";
    char who[] = "WHO=tester";
    char *env[] = {who, NULL};
    struct test_proc *p = shell("status", script, env);
    assert_int_equal(test_wait(p, 5000), 7);
    assert_int_equal(test_wait(p, 0), 7); /* asking again is harmless */
    char *log = test_proc_log(p);
    assert_string_equal(log, "to stdout tester\nto stderr\n");
    free(log);
    test_stop(p);

    char again[] = "echo second";
    p = shell("status", again, NULL);
    assert_int_equal(test_wait(p, 5000), 0);
    log = test_proc_log(p);
    assert_string_equal(log, "second\n"); /* not what the first of this name wrote */
    free(log);
    test_stop(p);
}

static void test_signals(void **state) {
    char script[] = "exec sleep 1000";
    struct test_proc *p = shell("sleeper", script, NULL);
    assert_int_equal(test_wait(p, 20), -1);
    test_signal(p, SIGKILL);
    assert_int_equal(test_wait(p, 5000), 128 + SIGKILL);
    test_stop(p);

    p = shell("paused", script, NULL);
    test_signal(p, SIGSTOP);
    pid_t pid = test_proc_pid(p);
    test_stop(p); /* does not hang on a paused process */
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    test_stop(NULL);
}

static void test_other_user(void **state) {
    if (geteuid() != 0)
        skip();
    char script[] = "id -un; id -G";
    char sh[] = "sh", c[] = "-c";
    char *argv[] = {sh, c, script, NULL};
    struct test_proc *p = test_spawn("user", argv, NULL, "nobody");
    assert_int_equal(test_wait(p, 5000), 0);
    char *log = test_proc_log(p);
    assert_true(strncmp(log, "nobody\n", 7) == 0);
    assert_null(strstr(log + 7, " ")); /* one group: root's are gone */
    free(log);
    test_stop(p);
}

static bool is_gone(void *ctx) {
    const pid_t *pid = ctx;
    return kill(*pid, 0) != 0 && errno == ESRCH;
}

/* A test program that dies takes its processes along. */
static void test_children_die_with_parent(void **state) {
    (void)test_dir(); /* made here, so that the one that is killed leaves none */
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent == 0) {
        char script[] = "exec sleep 1000";
        pid_t pid = test_proc_pid(shell("orphan", script, NULL));
        if (write(fds[1], &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
            _exit(1);
        (void)raise(SIGKILL);
    }
    pid_t pid;
    assert_int_equal(read(fds[0], &pid, sizeof(pid)), sizeof(pid));
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    assert_true(test_until(is_gone, &pid, 5000));
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_directory(void **state) {
    struct stat st;
    assert_int_equal(stat(test_dir(), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_ptr_equal(test_dir(), test_dir());
}

static void do_nothing(void) {}
static void do_exit(void) { _exit(1); }

static void test_panics_tells_aborts_only(void **state) {
    assert_true(test_panics(abort));
    assert_false(test_panics(do_nothing));
    assert_false(test_panics(do_exit));
}

static bool never(void *ctx) {
    ++*(int *)ctx;
    return false;
}

static void test_until_asks_at_least_once(void **state) {
    int asked = 0;
    assert_false(test_until(never, &asked, 0));
    assert_int_equal(asked, 1);
    assert_false(test_until(never, &asked, 20));
    assert_true(asked > 2);
}

static void test_nats_server(void **state) {
    struct test_nats n = test_nats_start("max_payload: 4096\n");
    assert_true(test_listening(n.port, 0));
    unsigned port = n.port;
    test_nats_kill(&n);
    assert_false(test_listening(port, 0));
    test_nats_restart(&n);
    assert_int_equal(n.port, port);
    assert_true(test_listening(port, 0));
    test_nats_stop(&n);
    assert_false(test_listening(port, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_status_and_log),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_other_user),
        cmocka_unit_test(test_children_die_with_parent),
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_panics_tells_aborts_only),
        cmocka_unit_test(test_until_asks_at_least_once),
        cmocka_unit_test(test_nats_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
