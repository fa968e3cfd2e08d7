/* The loop: what runs when within a turn, mail from other threads, timers, sockets, workers. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/loop.h"

/* What happened, as letters in order; most tests compare it. */
static char story[256];

static void tell(const char *what) {
    size_t told = strlen(story);

    assert_true(told + strlen(what) < sizeof(story));
    snprintf(story + told, sizeof(story) - told, "%s", what);
}

static struct tv_loop *loop;

static int set_up(void **state) {
    story[0] = '\0';
    loop = tv_loop_new();
    return 0;
}

static int tear_down(void **state) {
    tv_loop_free(loop);
    return 0;
}

static bool story_is(void *ctx) { return strcmp(story, ctx) == 0; }

static void run_to(const char *expected) {
    char copy[sizeof(story)];

    snprintf(copy, sizeof(copy), "%s", expected);
    tv_loop_run_until(loop, story_is, copy, 5 * TV_US_PER_S);
    assert_string_equal(story, expected);
}

/* -- turns --------------------------------------------------------------------------------------*/

static struct tv_turn turn_a, turn_b;

static void tell_a(void *ctx) { tell("a"); }
static void tell_b_arm_a(void *ctx) {
    tell("b");
    tv_turn_arm(loop, &turn_a);
}

static void init_turns(void) {
    turn_a = (struct tv_turn){.fn = tell_a};
    turn_b = (struct tv_turn){.fn = tell_b_arm_a};
}

static void timer_arms(void *ctx) {
    tell("t");
    tv_turn_arm(loop, &turn_b);
    tv_turn_arm(loop, &turn_b); /* once, however often armed */
}

static void test_turn_ends_after_a_timer_and_may_arm_more(void **state) {
    init_turns();
    struct tv_timer *t = tv_timer_new(loop, timer_arms, NULL);
    tv_timer_set(t, 1000);
    run_to("tba");
    tv_timer_free(t);
}

/* The end must come before the loop sleeps again, though nothing else would wake it. */
static void socket_arms(void *ctx, unsigned events) {
    char byte;

    assert_int_equal(read(*(int *)ctx, &byte, 1), 1);
    tell("s");
    tv_turn_arm(loop, &turn_b);
}

static void test_turn_ends_after_all_sockets(void **state) {
    int one[2], two[2];
    init_turns();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, one), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, two), 0);
    struct tv_watch *w1 = tv_watch_new(loop, one[0], TV_READABLE, socket_arms, &one[0]);
    struct tv_watch *w2 = tv_watch_new(loop, two[0], TV_READABLE, socket_arms, &two[0]);
    assert_int_equal(write(one[1], "x", 1), 1);
    assert_int_equal(write(two[1], "x", 1), 1);
    run_to("ssba");
    tv_watch_free(w1);
    tv_watch_free(w2);
    for (int i = 0; i < 2; i++) {
        close(one[i]);
        close(two[i]);
    }
}

static void mail_arms(struct tv_mail *m) {
    tell("m");
    tv_turn_arm(loop, &turn_b);
}

static void test_turn_ends_after_mail(void **state) {
    struct tv_mail m = {.fn = mail_arms};
    init_turns();
    tv_loop_post(loop, &m);
    run_to("mba");
}

static void work_nothing(struct tv_work *w) {}
static void work_arms(struct tv_work *w) {
    tell("w");
    tv_turn_arm(loop, &turn_b);
}

static void test_turn_ends_after_work(void **state) {
    struct tv_work w = {.work = work_nothing, .done = work_arms};
    init_turns();
    tv_loop_work(loop, &w);
    run_to("wba");
}

static void test_turn_armed_outside_the_loop(void **state) {
    init_turns();
    tv_turn_arm(loop, &turn_b);
    run_to("ba");
}

static void test_disarmed_turn_does_not_run(void **state) {
    init_turns();
    tv_turn_arm(loop, &turn_a);
    tv_turn_arm(loop, &turn_b);
    tv_turn_disarm(loop, &turn_a);
    tv_turn_disarm(loop, &turn_a);
    run_to("ba"); /* b arms a again */
}

/* -- mail ---------------------------------------------------------------------------------------*/

struct letter {
    struct tv_mail mail;
    int sender, number;
};

enum { SENDERS = 4, LETTERS = 2000 };
static int next_number[SENDERS];
static int letters_read;

static void on_letter(struct tv_mail *m) {
    struct letter *letter = tv_container_of(m, struct letter, mail);

    assert_int_equal(letter->number, next_number[letter->sender]++);
    letters_read++;
    free(letter);
}

static void *send_letters(void *arg) {
    for (int i = 0; i < LETTERS; i++) {
        struct letter *letter = malloc(sizeof(*letter));
        *letter = (struct letter){.mail.fn = on_letter, .sender = *(int *)arg, .number = i};
        tv_loop_post(loop, &letter->mail);
    }
    return NULL;
}

static bool all_letters(void *ctx) { return letters_read == SENDERS * LETTERS; }

static void test_mail_of_threads_keeps_its_order(void **state) {
    pthread_t threads[SENDERS];
    int ids[SENDERS];

    letters_read = 0;
    memset(next_number, 0, sizeof(next_number));
    for (int i = 0; i < SENDERS; i++) {
        ids[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, send_letters, &ids[i]), 0);
    }
    assert_true(tv_loop_run_until(loop, all_letters, NULL, 20 * TV_US_PER_S));
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
}

static void test_mail_left_in_the_box_is_run_by_free(void **state) {
    struct tv_loop *l = tv_loop_new();
    struct letter *letter = malloc(sizeof(*letter));

    letters_read = 0;
    memset(next_number, 0, sizeof(next_number));
    *letter = (struct letter){.mail.fn = on_letter};
    tv_loop_post(l, &letter->mail);
    tv_loop_free(l); /* LeakSanitizer would see the letter, too */
    assert_int_equal(letters_read, 1);
}

/* -- timers -------------------------------------------------------------------------------------*/

static int64_t fired_at_us;
static void note_time(void *ctx) {
    fired_at_us = tv_clock_mono_us();
    tell("f");
}

static void test_timer_is_never_early(void **state) {
    static const int64_t waits_us[] = {1, 999, 1000, 1001, 2500, 7777, 20000};
    struct tv_timer *t = tv_timer_new(loop, note_time, NULL);

    for (size_t i = 0; i < TV_ARRAY_LEN(waits_us); i++) {
        story[0] = '\0';
        int64_t from_us = tv_clock_mono_us();
        tv_timer_set(t, waits_us[i]);
        run_to("f");
        assert_true(fired_at_us - from_us >= waits_us[i]);
    }
    tv_timer_free(t);
}

static bool never(void *ctx) { return false; }

static void test_timer_set_again_clear_and_free(void **state) {
    struct tv_timer *t = tv_timer_new(loop, note_time, NULL);

    tv_timer_set(t, 1000);
    tv_timer_set(t, 60 * TV_US_PER_S); /* the first setting is forgotten */
    assert_false(tv_loop_run_until(loop, never, NULL, 20000));
    tv_timer_set(t, 1000);
    tv_timer_clear(t);
    assert_false(tv_loop_run_until(loop, never, NULL, 20000));
    assert_string_equal(story, "");
    tv_timer_set(t, -5); /* the past is now */
    run_to("f");
    tv_timer_set(t, 0);
    tv_timer_free(t);
    tv_timer_free(NULL);
    assert_false(tv_loop_run_until(loop, never, NULL, 5000));
    assert_string_equal(story, "f");
}

static void test_now_is_the_time_of_the_turn(void **state) {
    int64_t before_us = tv_clock_mono_us();
    assert_true(tv_loop_now_us(loop) >= before_us);
    tv_loop_run_until(loop, never, NULL, 3000);
    assert_true(tv_loop_now_us(loop) >= before_us + 3000);
    assert_int_equal(tv_loop_now_us(loop), tv_loop_now_us(loop));
}

/* -- sockets ------------------------------------------------------------------------------------*/

static unsigned seen_events;
static void note_events(void *ctx, unsigned events) {
    seen_events |= events;
    tv_watch_set(*(struct tv_watch **)ctx, 0);
}
static bool seen_any(void *ctx) { return seen_events != 0; }

static void test_watch_tells_only_what_was_asked(void **state) {
    int s[2];
    struct tv_watch *w;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    w = tv_watch_new(loop, s[0], 0, note_events, &w);

    seen_events = 0;
    assert_false(tv_loop_run_until(loop, seen_any, NULL, 5000));
    tv_watch_set(w, TV_READABLE); /* writable all the time, but not asked */
    assert_false(tv_loop_run_until(loop, seen_any, NULL, 5000));
    tv_watch_set(w, TV_READABLE | TV_WRITABLE);
    assert_true(tv_loop_run_until(loop, seen_any, NULL, 5 * TV_US_PER_S));
    assert_int_equal(seen_events, TV_WRITABLE);

    seen_events = 0;
    close(s[1]); /* the end of a stream is readable */
    tv_watch_set(w, TV_READABLE);
    assert_true(tv_loop_run_until(loop, seen_any, NULL, 5 * TV_US_PER_S));
    assert_true((seen_events & TV_READABLE) != 0);
    tv_watch_free(w);
    tv_watch_free(NULL);
    close(s[0]);
}

/* -- workers ------------------------------------------------------------------------------------*/

static atomic_int working, most_working;
static int works_done;

struct job {
    struct tv_work work;
    int number;
};

static void job_work(struct tv_work *w) {
    int now = atomic_fetch_add(&working, 1) + 1, most = atomic_load(&most_working);
    while (now > most && !atomic_compare_exchange_weak(&most_working, &most, now)) {
    }
    usleep(2000); /* is the work */
    atomic_fetch_sub(&working, 1);
}

static void job_done(struct tv_work *w) {
    works_done++;
    free(tv_container_of(w, struct job, work));
}

static bool all_jobs(void *ctx) { return works_done == 20; }

static void test_at_most_two_works_at_a_time(void **state) {
    works_done = 0;
    for (int i = 0; i < 20; i++) {
        struct job *job = calloc(1, sizeof(*job));
        *job = (struct job){.work = {.work = job_work, .done = job_done}, .number = i};
        tv_loop_work(loop, &job->work);
    }
    assert_true(tv_loop_run_until(loop, all_jobs, NULL, 20 * TV_US_PER_S));
    assert_in_range(atomic_load(&most_working), 1, 2);
}

/* -- signals, stop ------------------------------------------------------------------------------*/

static void on_signal(void *ctx, int signo) {
    tell(signo == SIGTERM ? "T" : "I");
    tv_loop_stop(loop);
}

static void test_signals_arrive_on_the_loop_and_stop_it(void **state) {
    tv_loop_on_terminate(loop, on_signal, NULL);
    kill(getpid(), SIGTERM);
    tv_loop_run(loop);
    kill(getpid(), SIGINT);
    tv_loop_run(loop);
    assert_string_equal(story, "TI");
}

int main(void) {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_turn_ends_after_a_timer_and_may_arm_more),
        TEST(test_turn_ends_after_all_sockets),
        TEST(test_turn_ends_after_mail),
        TEST(test_turn_ends_after_work),
        TEST(test_turn_armed_outside_the_loop),
        TEST(test_disarmed_turn_does_not_run),
        TEST(test_mail_of_threads_keeps_its_order),
        TEST(test_mail_left_in_the_box_is_run_by_free),
        TEST(test_timer_is_never_early),
        TEST(test_timer_set_again_clear_and_free),
        TEST(test_now_is_the_time_of_the_turn),
        TEST(test_watch_tells_only_what_was_asked),
        TEST(test_at_most_two_works_at_a_time),
        TEST(test_signals_arrive_on_the_loop_and_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
