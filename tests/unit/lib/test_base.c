/* Small macros, and allocation that never answers NULL. */
#include "lib/base.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct node {
    int value;
    TAILQ_ENTRY(node) link;
};

static void test_macros(void **state) {
    struct node n = {.value = 4};
    assert_ptr_equal(tv_container_of(&n.link, struct node, link), &n);
    assert_int_equal(TV_MIN(3, 5), 3);
    assert_int_equal(TV_MAX(3, 5), 5);
    int *p = &n.value;
    int *taken = TV_TAKE_PTR(p);
    assert_ptr_equal(taken, &n.value);
    assert_null(p);
}

static void test_tailq_removal_while_walking(void **state) {
    TAILQ_HEAD(, node) head = TAILQ_HEAD_INITIALIZER(head);
    for (int i = 0; i < 5; i++) {
        struct node *n = tv_malloc(sizeof(*n));
        n->value = i;
        TAILQ_INSERT_TAIL(&head, n, link);
    }
    int sum = 0;
    struct node *n, *next;
    TV_TAILQ_FOREACH_SAFE(n, &head, link, next) {
        sum = sum * 10 + n->value;
        TAILQ_REMOVE(&head, n, link);
        free(n);
    }
    assert_int_equal(sum, 1234);
    assert_true(TAILQ_EMPTY(&head));
}

static void test_allocation(void **state) {
    char *p = tv_malloc(0);
    assert_non_null(p);
    p = tv_realloc(p, 0);
    assert_non_null(p);
    free(p);
    unsigned char *zeroed = tv_calloc(7, 3);
    for (int i = 0; i < 21; i++)
        assert_int_equal(zeroed[i], 0);
    free(zeroed);
    p = tv_calloc(0, 8);
    assert_non_null(p);
    free(p);
}

static void test_copies(void **state) {
    static const struct {
        const char *in;
        size_t len;
        const char *out;
    } rows[] = {{"abc", 2, "ab"}, {"abc", 3, "abc"}, {"abc", 9, "abc"}, {"", 4, ""}, {"x", 0, ""}};
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        char *copy = tv_strndup(rows[i].in, rows[i].len);
        assert_string_equal(copy, rows[i].out);
        free(copy);
    }
    char *copy = tv_strdup("whole");
    assert_string_equal(copy, "whole");
    free(copy);
    /* No NUL within `len`: nothing behind may be read. */
    const char no_end[3] = {'a', 'b', 'c'};
    copy = tv_strndup(no_end, sizeof(no_end));
    assert_string_equal(copy, "abc");
    free(copy);
}

static void test_panic_aborts_with_its_message(void **state) {
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(fds[1], STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        tv_panic("row %d", 7);
    }
    (void)close(fds[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    char text[64] = "";
    assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "panic: row 7\n");
    (void)close(fds[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_macros),
        cmocka_unit_test(test_tailq_removal_while_walking),
        cmocka_unit_test(test_allocation),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_panic_aborts_with_its_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
