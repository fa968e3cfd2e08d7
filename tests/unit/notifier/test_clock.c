/* The notifier's sense of time, with scripted time: every row is a small story of sends, replies,
 * errors and hints, and says when the next Fire is due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/notifier/clock.h"

#define MS INT64_C(1000)
#define S INT64_C(1000000)
#define DB (INT64_C(1790000000) * S) /* the database's time when this host's is 0 */

enum { END, SEND, REPLY, FAIL, HINT, EXPECT, ASLEEP };

/* Times in ms. REPLY: `db` is the database's time (after DB) when it read its clock, `next` the
 * next due time (after DB), NONE for none. EXPECT: the next Fire between `at` and `to`. */
#define NONE INT64_MIN
struct step {
    int what;
    int64_t at, to;
    int64_t db, next;
    bool more;
};
#define SEND_AT(t)                                                                                 \
    { SEND, t, 0, 0, 0, false }
#define REPLY_AT(t, db_, next_)                                                                    \
    { REPLY, t, 0, db_, next_, false }
#define REPLY_MORE(t, db_)                                                                         \
    { REPLY, t, 0, db_, NONE, true }
#define FAIL_AT(t)                                                                                 \
    { FAIL, t, 0, 0, 0, false }
#define HINT_AT(t)                                                                                 \
    { HINT, t, 0, 0, 0, false }
#define FIRES(from, until)                                                                         \
    { EXPECT, from, until, 0, 0, false }
#define FALLS_ASLEEP                                                                               \
    { ASLEEP, 0, 0, 0, 0, false }
#define NOT_WHILE_IN_FLIGHT                                                                        \
    { EXPECT, NONE, NONE, 0, 0, false }

#define NEVER NOT_WHILE_IN_FLIGHT

static const struct {
    const char *what;
    struct step steps[48];
} rows[] = {
    {"at once after the start", {FIRES(0, 0)}},
    {"never two at a time", {SEND_AT(0), NOT_WHILE_IN_FLIGHT, HINT_AT(1), NOT_WHILE_IN_FLIGHT}},
    {"nothing waits: the idle poll", {SEND_AT(0), REPLY_AT(2, 1, NONE), FIRES(902, 1002)}},
    {"at the due time", {SEND_AT(0), REPLY_AT(2, 1, 301), FIRES(301, 301)}},
    {"a due time beyond the poll", {SEND_AT(0), REPLY_AT(2, 1, 3600000), FIRES(902, 1002)}},
    {"more: at once", {SEND_AT(0), REPLY_MORE(2, 1), FIRES(2, 2)}},
    {"due and not ours: soon, but not in a spin",
     {SEND_AT(0), REPLY_AT(2, 1, 1), FIRES(22, 22), SEND_AT(22), REPLY_AT(24, 23, 1),
      FIRES(44, 44)}},
    {"due since long and not ours", {SEND_AT(0), REPLY_AT(2, 1, -100000), FIRES(22, 22)}},
    {"fired a moment early: once more at the time",
     {SEND_AT(0), REPLY_AT(2, 1, 301), SEND_AT(300), REPLY_AT(302, 300, 301), FIRES(302, 302)}},
    {"hint while it sleeps", {SEND_AT(0), REPLY_AT(2, 1, NONE), HINT_AT(500), FIRES(500, 500)}},
    {"hint while in flight: another one follows",
     {SEND_AT(0), HINT_AT(1), REPLY_AT(2, 1, NONE), FIRES(2, 2), SEND_AT(2), REPLY_AT(4, 3, NONE),
      FIRES(904, 1004)}},
    {"a hint before a send is answered by it",
     {SEND_AT(0), REPLY_AT(2, 1, NONE), HINT_AT(3), SEND_AT(3), REPLY_AT(5, 4, NONE),
      FIRES(905, 1005)}},
    {"errors: 100 ms, doubling to 2 s",
     {SEND_AT(0),        FAIL_AT(0),        FIRES(75, 100),    SEND_AT(100),     FAIL_AT(100),
      FIRES(250, 300),   SEND_AT(300),      FAIL_AT(300),      FIRES(600, 700),  SEND_AT(700),
      FAIL_AT(700),      FIRES(1300, 1500), SEND_AT(1500),     FAIL_AT(1500),    FIRES(2700, 3100),
      SEND_AT(3100),     FAIL_AT(3100),     FIRES(4600, 5100), SEND_AT(5100),    FAIL_AT(5100),
      FIRES(6600, 7100), SEND_AT(7100),     FAIL_AT(7100),     FIRES(8600, 9100)}},
    {"a success forgets the errors",
     {SEND_AT(0), FAIL_AT(0), SEND_AT(100), FAIL_AT(100), SEND_AT(300), REPLY_AT(302, 301, NONE),
      FIRES(1202, 1302), SEND_AT(1300), FAIL_AT(1300), FIRES(1375, 1400)}},
    {"hints do not shorten the wait after an error",
     {SEND_AT(0), HINT_AT(0), FAIL_AT(0), HINT_AT(1), FIRES(75, 100)}},
    {"a failure keeps what was learned",
     {SEND_AT(0), REPLY_AT(2, 1, NONE), SEND_AT(1000), FAIL_AT(1001), SEND_AT(1100),
      REPLY_AT(1300, 1299, 1500), FIRES(1500, 1500)}},
    /* The slow exchange alone would put the offset 99 ms wrong; the fast one is believed. */
    {"the fastest exchange counts, before",
     {SEND_AT(0), REPLY_AT(2, 1, NONE), SEND_AT(1000), REPLY_AT(1200, 1199, 1500),
      FIRES(1500, 1500)}},
    {"the fastest exchange counts, after",
     {SEND_AT(0), REPLY_AT(200, 199, 400), FIRES(301, 301), SEND_AT(301), REPLY_AT(303, 302, 400),
      FIRES(400, 400)}},
    {"an old fast exchange is forgotten after 16",
     {SEND_AT(0),     REPLY_AT(0, 5, NONE),     SEND_AT(10),     REPLY_AT(12, 11, NONE),
      SEND_AT(20),    REPLY_AT(22, 21, NONE),   SEND_AT(30),     REPLY_AT(32, 31, NONE),
      SEND_AT(40),    REPLY_AT(42, 41, NONE),   SEND_AT(50),     REPLY_AT(52, 51, NONE),
      SEND_AT(60),    REPLY_AT(62, 61, NONE),   SEND_AT(70),     REPLY_AT(72, 71, NONE),
      SEND_AT(80),    REPLY_AT(82, 81, NONE),   SEND_AT(90),     REPLY_AT(92, 91, NONE),
      SEND_AT(100),   REPLY_AT(102, 101, NONE), SEND_AT(110),    REPLY_AT(112, 111, NONE),
      SEND_AT(120),   REPLY_AT(122, 121, NONE), SEND_AT(130),    REPLY_AT(132, 131, NONE),
      SEND_AT(140),   REPLY_AT(142, 141, 500),  FIRES(495, 495), /* still 5 ms off */
      SEND_AT(150),   REPLY_AT(152, 151, NONE), SEND_AT(160),    REPLY_AT(162, 161, 500),
      FIRES(500, 500)}},
    {"the database's clock is set back",
     {SEND_AT(0), REPLY_AT(2, 1, NONE), SEND_AT(1000), REPLY_AT(1010, -58995, -58495),
      FIRES(1505, 1505)}},
    {"the database's clock is set ahead",
     {SEND_AT(0), REPLY_AT(2, 1, NONE), SEND_AT(1000), REPLY_AT(1010, 61005, 61505),
      FIRES(1505, 1505)}},
    {"a due time that has passed on the way",
     {SEND_AT(0), REPLY_AT(2, 1, NONE), SEND_AT(1000), REPLY_AT(1400, 1001, 1300),
      FIRES(1400, 1400)}},
    {"a hint of something to come",
     {SEND_AT(0), REPLY_AT(2, 1, NONE), HINT_AT(500), HINT_AT(700), FIRES(500, 500)}},
    {"a hint of something to come, while in flight",
     {SEND_AT(0), HINT_AT(300), HINT_AT(200), REPLY_AT(2, 1, NONE), FIRES(200, 200)}},
    {"a hint is used up",
     {SEND_AT(0), HINT_AT(1), REPLY_AT(2, 1, NONE), FIRES(2, 2), SEND_AT(2), FAIL_AT(3),
      SEND_AT(100), REPLY_AT(102, 101, NONE), FIRES(1002, 1102)}},
    {"asleep: never", {FALLS_ASLEEP, NEVER}},
    {"asleep: when it is told", {FALLS_ASLEEP, HINT_AT(700), HINT_AT(500), FIRES(500, 500)}},
    {"asleep: nothing waits", {FALLS_ASLEEP, HINT_AT(5), SEND_AT(5), REPLY_AT(7, 6, NONE), NEVER}},
    {"asleep: what waits longer than a second",
     {FALLS_ASLEEP, HINT_AT(5), SEND_AT(5), REPLY_AT(7, 6, 15000), FIRES(15000, 15000)}},
    {"asleep: an error is looked into",
     {FALLS_ASLEEP, HINT_AT(5), SEND_AT(5), FAIL_AT(5), FIRES(80, 105)}},
    {"asleep: due and not ours",
     {FALLS_ASLEEP, HINT_AT(5), SEND_AT(5), REPLY_AT(7, 6, 3), FIRES(27, 27)}},
    {"asleep: more", {FALLS_ASLEEP, HINT_AT(5), SEND_AT(5), REPLY_MORE(7, 6), FIRES(7, 7)}},
    {"far future", {SEND_AT(0), REPLY_AT(2, 1, INT64_C(250000000000)), FIRES(902, 1002)}},
};

static void play(const struct step *steps, uint64_t seed) {
    struct tv_due_clock c;

    tv_due_clock_init(&c, 0, seed);
    for (const struct step *s = steps; s->what != END; s++) {
        int64_t at_us = s->at == NONE ? 0 : s->at * MS;
        struct tv_due_reply r = {.now_db_us = DB + s->db * MS,
                                 .has_next = s->next != NONE,
                                 .next_due_db_us = s->next == NONE ? 0 : DB + s->next * MS,
                                 .more = s->more};

        switch (s->what) {
        case SEND:
            tv_due_clock_sent(&c, at_us);
            break;
        case REPLY:
            tv_due_clock_replied(&c, at_us, &r);
            break;
        case FAIL:
            tv_due_clock_failed(&c, at_us);
            break;
        case ASLEEP:
            tv_due_clock_init_asleep(&c, seed);
            break;
        case HINT:
            tv_due_clock_hint(&c, at_us);
            break;
        default:
            if (s->at == NONE)
                assert_true(tv_due_clock_next_us(&c) == INT64_MAX);
            else if (tv_due_clock_next_us(&c) < at_us || tv_due_clock_next_us(&c) > s->to * MS)
                fail_msg("step %d: fires at %.3f ms, not in %d to %d ms", (int)(s - steps),
                         (double)tv_due_clock_next_us(&c) / 1e3, (int)s->at, (int)s->to);
        }
    }
}

static void test_stories(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        print_message("    %s\n", rows[i].what);
        for (uint64_t seed = 0; seed < 50; seed++)
            play(rows[i].steps, seed);
    }
}

static void test_jitter_spreads_replicas(void **state) {
    const struct tv_due_reply idle = {.now_db_us = DB};
    int64_t least = INT64_MAX, most = 0;

    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct tv_due_clock c;

        tv_due_clock_init(&c, 0, seed * UINT64_C(0x9e3779b97f4a7c15));
        tv_due_clock_sent(&c, 0);
        tv_due_clock_replied(&c, 0, &idle);
        least = TV_MIN(least, tv_due_clock_next_us(&c));
        most = TV_MAX(most, tv_due_clock_next_us(&c));
    }
    assert_in_range(least, 900 * MS, 930 * MS);
    assert_in_range(most, 970 * MS, 1000 * MS);
}

/* Whatever the delays, the estimate is wrong by no more than half of the fastest exchange. */
static void test_the_error_of_the_estimate_is_bounded(void **state) {
    unsigned short dice[3] = {7, 8, 9};

    for (int round = 0; round < 200; round++) {
        struct tv_due_clock c;
        int64_t now_us = 0, fastest_us = INT64_MAX;

        tv_due_clock_init(&c, 0, (uint64_t)round);
        for (int i = 0; i < 10; i++) {
            int64_t there_us = nrand48(dice) % 50000, back_us = nrand48(dice) % 50000;
            struct tv_due_reply r = {.now_db_us = DB + now_us + there_us};

            tv_due_clock_sent(&c, now_us);
            now_us += there_us + back_us;
            tv_due_clock_replied(&c, now_us, &r);
            fastest_us = TV_MIN(fastest_us, there_us + back_us);
            assert_true(llabs(tv_due_clock_offset_us(&c) - DB) <= fastest_us / 2 + 1);
            now_us += 1000000;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_jitter_spreads_replicas),
        cmocka_unit_test(test_the_error_of_the_estimate_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
