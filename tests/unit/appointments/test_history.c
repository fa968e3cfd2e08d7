/* The rules of the history, each as a row: what was observed, and what is known then. Every row is
 * folded in every order and with everything doubled; the answer must be the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "services/appointments/history.h"
#include "televisit/v1/calls.pb-c.h"

#define S(seconds) ((int64_t)((seconds)*1e6 + 0.5))

#define OBSERVED(what, when, ...)                                                                  \
    { .kind = TV_OBSERVED_##what, .room_sid = "R", .generation = 1, .at_us = S(when), __VA_ARGS__ }
#define STARTED(when) OBSERVED(STARTED, when)
#define FINISHED(when) OBSERVED(FINISHED, when)
#define GONE(when) OBSERVED(GONE, when, .known = TV_KNOWN_SNAPSHOT)
#define CLOSED(when) OBSERVED(GONE, when, .known = TV_KNOWN_ASSUMED)
#define JOINED(when, who) OBSERVED(JOINED, when, .sid = (who), .identity = (who))
#define SEEN(when, who) OBSERVED(SEEN, when, .sid = (who), .identity = (who))
#define ABORTED(when, who) OBSERVED(ABORTED, when, .sid = (who), .identity = (who))
#define LEFT_FOR(when, who, since, why)                                                            \
    OBSERVED(LEFT, when, .sid = (who), .identity = (who), .joined_us = S(since), .reason = (why))
#define LEFT(when, who, since) LEFT_FOR(when, who, since, "CLIENT_INITIATED")
#define LIST(when, made, ...)                                                                      \
    OBSERVED(SNAPSHOT, when, .created_us = S(made),                                                \
             .people = (const struct tv_person_seen[]){__VA_ARGS__},                               \
             .people_count = sizeof((const struct tv_person_seen[]){__VA_ARGS__}) /                \
                             sizeof(struct tv_person_seen))
#define EMPTY(when, made) OBSERVED(SNAPSHOT, when, .created_us = S(made))
#define IN(who, since)                                                                             \
    { .sid = (who), .identity = (who), .joined_us = S(since) }

#define STEPS_MAX 6

/* Known: "call since-over: sid since-left", each time with a letter for how it is known: w(ebhook),
 * s(napshot), a(ssumed); "..9" is gone_us of an unsure end. What
 * stands after a bar is right as well: in some orders that bound is wider. */
struct row {
    const char *name;
    struct tv_observation steps[STEPS_MAX];
    const char *known;
};

static void write_edge(struct tv_buf *out, struct tv_edge e) {
    static const char letters[] = {
        [TV_KNOWN_ASSUMED] = 'a', [TV_KNOWN_SNAPSHOT] = 's', [TV_KNOWN_WEBHOOK] = 'w'};
    if (e.by == TV_KNOWN_NOT)
        assert_int_equal(e.us, 0);
    else
        tv_buf_printf(out, "%g%c", (double)e.us / 1e6, letters[e.by]);
}

static void write_presence(struct tv_buf *out, const struct tv_presence *p) {
    tv_buf_printf(out, " %s ", p->sid);
    write_edge(out, p->joined);
    tv_buf_char(out, '-');
    write_edge(out, p->left);
    if (tv_presence_is_unsure(p))
        tv_buf_printf(out, "..%g", (double)p->gone_us / 1e6);
}

static void write_history(struct tv_buf *out, const struct tv_history *h) {
    const struct tv_room_call *c;
    TAILQ_FOREACH(c, &h->calls, link) {
        tv_buf_printf(out, "%s%s ", out->len > 0 ? "; " : "", c->room_sid);
        write_edge(out, c->started);
        tv_buf_char(out, '-');
        write_edge(out, c->over);
        const struct tv_presence *p;
        TAILQ_FOREACH(p, &c->presences, link) {
            tv_buf_puts(out, p == TAILQ_FIRST(&c->presences) ? ":" : ",");
            write_presence(out, p);
        }
    }
}

static void check_row(const struct tv_history *h, const struct row *r, const char *where) {
    struct tv_buf out = TV_BUF_INIT(64 * 1024);
    tv_buf_puts(&out, "");
    write_history(&out, h);
    bool right = false;
    for (struct tv_str rest = tv_str(r->known); rest.p != NULL && !right;)
        right = tv_str_eq(tv_buf_view(&out), tv_str_cut(&rest, '|'));
    if (!right)
        fail_msg("%s%s: known is \"%.*s\", not \"%s\"", r->name, where,
                 TV_STR_ARGS(tv_buf_view(&out)), r->known);
    tv_buf_done(&out);
}

static void check_known(const struct tv_history *h, const char *known, const char *name) {
    check_row(h, &(struct row){.name = name, .known = known}, "");
}

/* The rest of the steps in each order behind those that are placed. */
static void in_every_order(const struct row *r, size_t count, size_t *order, size_t placed) {
    if (placed == count) {
        TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
        struct tv_history once, twice;
        tv_history_init(&once, a);
        tv_history_init(&twice, a);
        char where[2 * STEPS_MAX + 1] = "";
        for (size_t i = 0; i < count; i++) {
            snprintf(where + 2 * i, 3, " %zu", order[i] + 1);
            tv_history_observe(&once, &r->steps[order[i]]);
            tv_history_observe(&twice, &r->steps[order[i]]);
            if (tv_history_observe(&twice, &r->steps[order[i]]))
                fail_msg("%s%s: the same again changed something", r->name, where);
        }
        check_row(&once, r, where);
        check_row(&twice, r, where);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        bool used = false;
        for (size_t j = 0; j < placed; j++)
            used |= order[j] == i;
        order[placed] = i;
        if (!used)
            in_every_order(r, count, order, placed + 1);
    }
}

static size_t steps_of(const struct row *r) {
    size_t count = 0;
    while (count < STEPS_MAX && r->steps[count].room_sid != NULL)
        count++;
    return count;
}

static const struct row rows[] = {
    /* of a call */
    {"started", {STARTED(5)}, "R 5w-"},
    {"told better than seen", {STARTED(5.25), EMPTY(9, 5)}, "R 5.25w-"},
    {"seen better than assumed", {EMPTY(9, 5), ABORTED(3, "a")}, "R 5s-"},
    {"of two assumptions the earlier", {SEEN(9, "a"), SEEN(7, "a")}, "R 7a-: a 7a-"},
    {"a retry is no second start", {STARTED(5.5), STARTED(5.25)}, "R 5.25w-"},
    {"a whole life", {STARTED(5), FINISHED(9)}, "R 5w-9w"},
    {"only its end was told", {FINISHED(9)}, "R 9a-9w"},
    {"over before it started, by whole seconds", {STARTED(5.5), FINISHED(5.25)}, "R 5.5w-5.5w"},
    {"told over, then not listed", {STARTED(5), FINISHED(9), GONE(20)}, "R 5w-9w"},
    {"not listed, then closed", {STARTED(5), GONE(20), CLOSED(22)}, "R 5w-20s"},
    {"gone, but listed after that", {STARTED(5), CLOSED(9), EMPTY(20, 5)}, "R 5w-"},
    {"gone, the last word came late", {CLOSED(9), SEEN(9.75, "a")}, "R 9a-9a: a 9.75a-9.75a"},
    {"told over, and nothing opens it", {FINISHED(9), EMPTY(20, 5)}, "R 5s-9w"},

    /* who came */
    {"joined", {JOINED(6, "a")}, "R 6a-: a 6w-"},
    {"signalling after whole seconds",
     {OBSERVED(JOINED, 6, .sid = "a", .identity = "a", .joined_us = S(6.4))},
     "R 6a-: a 6.4w-"},
    {"a left makes it whole", {LEFT(9, "a", 6)}, "R 6a-: a 6s-9w"},
    {"a left without since", {LEFT(9, "a", 0)}, "R 9a-: a 9a-9w"},
    {"media, not signalling", {JOINED(6.5, "a"), LEFT(9, "a", 6)}, "R 6a-: a 6.5w-9w"},
    {"media, not signalling, listed", {JOINED(6.5, "a"), LIST(9, 5, IN("a", 6))}, "R 5s-: a 6.5w-"},
    {"listed better than a track", {SEEN(9, "a"), LIST(9.5, 5, IN("a", 6))}, "R 5s-: a 6s-"},
    {"two lists, the earlier since",
     {LIST(9, 5, IN("a", 6.01)), LIST(20, 5.02, IN("a", 6))},
     "R 5s-: a 6s-"},
    {"listed, since unknown", {LIST(9, 0, IN("a", 0))}, "R 9a-: a 9a-"},
    {"listed before its since", {LIST(9, 5, IN("a", 9.25))}, "R 5s-: a 9s-"},
    {"never connected", {ABORTED(6, "a")}, "R 6a-"},
    {"in by their beginning",
     {JOINED(8, "b"), JOINED(6, "a"), JOINED(8, "a2")},
     "R 6a-: a 6w-, a2 8w-, b 8w-"},

    /* who left */
    {"left", {JOINED(6, "a"), LEFT(9, "a", 6)}, "R 6a-: a 6w-9w"},
    {"left twice", {LEFT(9.5, "a", 6), LEFT(9, "a", 6)}, "R 6a-: a 6s-9w"},
    {"left before it joined, by whole seconds",
     {JOINED(6.75, "a"), LEFT(6.5, "a", 6.25)},
     "R 6.25a-: a 6.75w-6.75w"},
    {"a track after the left is late", {LEFT(9, "a", 6), SEEN(9.5, "a")}, "R 6a-: a 6s-9w"},
    {"missing in a list", {JOINED(6, "a"), EMPTY(20, 5)}, "R 5s-: a 6w-6s..20"},
    {"seen, then missing", {JOINED(6, "a"), SEEN(9, "a"), EMPTY(20, 5)}, "R 5s-: a 6w-9s..20"},
    {"the first list without it counts",
     {JOINED(6, "a"), LIST(9, 5, IN("a", 6)), EMPTY(20, 5), EMPTY(35, 5)},
     "R 5s-: a 6w-9s..20|R 5s-: a 6w-9s..35"},
    {"missing, then told", {JOINED(6, "a"), EMPTY(20, 5), LEFT(11, "a", 6)}, "R 5s-: a 6w-11w"},
    {"told, and listed by mistake", {LEFT(11, "a", 6), LIST(20, 5, IN("a", 6))}, "R 5s-: a 6s-11w"},
    {"missing by mistake", {EMPTY(20, 5), LIST(35, 5, IN("a", 6))}, "R 5s-: a 6s-"},
    {"a list from before it came", {EMPTY(20, 5), JOINED(30, "a")}, "R 5s-: a 30w-"},
    {"a list from just when it came", {EMPTY(20, 5), JOINED(19.25, "a")}, "R 5s-: a 19.25w-"},
    {"missing, and a list from before",
     {JOINED(6, "a"), EMPTY(35, 5), LIST(20, 5, IN("a", 6))},
     "R 5s-: a 6w-20s..35"},
    {"missing for so short that it is sure",
     {JOINED(6, "a"), SEEN(19.9, "a"), FINISHED(20.1)},
     "R 6a-20.1w: a 6w-19.9a"},

    /* who ends with the call */
    {"told over", {JOINED(6, "a"), FINISHED(20)}, "R 6a-20w: a 6w-6a..20"},
    {"told over, left after all",
     {JOINED(6, "a"), FINISHED(20), LEFT(19, "a", 6)},
     "R 6a-20w: a 6w-19w"},
    {"told over, came late", {FINISHED(20), SEEN(20.25, "a")}, "R 20a-20w: a 20.25a-20.25a"},
    {"lost", {JOINED(6, "a"), SEEN(9, "a"), GONE(20)}, "R 6a-20s: a 6w-9s..20"},
    {"closed", {JOINED(6, "a"), SEEN(9, "a"), CLOSED(20)}, "R 6a-20a: a 6w-9a..20"},
    {"closed just after a word",
     {JOINED(6, "a"), SEEN(19.75, "a"), CLOSED(20)},
     "R 6a-20a: a 6w-19.75a"},
    {"gone by mistake", {JOINED(6, "a"), CLOSED(20), LIST(35, 5, IN("a", 6))}, "R 5s-: a 6w-"},
    {"gone by mistake, and nobody in",
     {JOINED(6, "a"), CLOSED(20), EMPTY(35, 5)},
     "R 5s-: a 6w-6s..35"},
    {"not listed, then told", {JOINED(6, "a"), GONE(40), FINISHED(20)}, "R 6a-20w: a 6w-6a..20"},
    {"missing, then over", {JOINED(6, "a"), EMPTY(20, 5), CLOSED(30)}, "R 5s-30a: a 6w-6s..20"},
};

static void test_rules_in_every_order(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        size_t order[STEPS_MAX];
        in_every_order(&rows[i], steps_of(&rows[i]), order, 0);
    }
}

/* -- one person ---------------------------------------------------------------------------------*/

#define DEVICE(what, when, device, person, ...)                                                    \
    OBSERVED(what, when, .sid = (device), .identity = (person), ##__VA_ARGS__)
#define OUT(when, device, person, why)                                                             \
    DEVICE(LEFT, when, device, person, .joined_us = S(1), .reason = (why))

/* Of "p": since when it is in, when it left, how long it was there up to second 100. */
static const struct {
    const char *name;
    struct tv_observation steps[STEPS_MAX];
    double since, left, present;
} stays[] = {
    {"never there", {JOINED(10, "q")}, 0, 0, 0},
    {"in", {JOINED(10, "p")}, 10, 0, 90},
    {"left", {JOINED(10, "p"), LEFT(30, "p", 10)}, 0, 30, 20},
    {"came again", {JOINED(10, "p"), LEFT(30, "p", 10), DEVICE(JOINED, 50, "p2", "p")}, 50, 0, 70},
    {"taken over, the new one is not there yet",
     {DEVICE(JOINED, 10, "p1", "p"), OUT(30, "p1", "p", "DUPLICATE_IDENTITY")},
     10,
     0,
     20},
    {"taken over",
     {DEVICE(JOINED, 10, "p1", "p"), OUT(30, "p1", "p", "DUPLICATE_IDENTITY"),
      DEVICE(JOINED, 32, "p2", "p")},
     10,
     0,
     88},
    {"taken over and left",
     {DEVICE(JOINED, 10, "p1", "p"), OUT(30, "p1", "p", "DUPLICATE_IDENTITY"),
      DEVICE(JOINED, 32, "p2", "p"), OUT(40, "p2", "p", "CLIENT_INITIATED")},
     0,
     40,
     28},
    {"taken over, left and came again",
     {DEVICE(JOINED, 10, "p1", "p"), OUT(30, "p1", "p", "DUPLICATE_IDENTITY"),
      DEVICE(JOINED, 32, "p2", "p"), OUT(40, "p2", "p", "CLIENT_INITIATED"),
      DEVICE(JOINED, 45, "p3", "p")},
     45,
     0,
     83},
    {"taken over by what never connected",
     {DEVICE(JOINED, 10, "p1", "p"), OUT(30, "p1", "p", "DUPLICATE_IDENTITY"),
      DEVICE(ABORTED, 45, "p2", "p"), EMPTY(60, 5)},
     0,
     30,
     20},
    {"taken over just before the room ended",
     {DEVICE(JOINED, 10, "p1", "p"), OUT(30, "p1", "p", "DUPLICATE_IDENTITY"), FINISHED(31)},
     0,
     30,
     20},
    {"taken over, but back only much later",
     {DEVICE(JOINED, 10, "p1", "p"), OUT(30, "p1", "p", "DUPLICATE_IDENTITY"),
      DEVICE(JOINED, 51, "p2", "p")},
     51,
     0,
     69},
    {"taken over, nobody said so",
     {DEVICE(JOINED, 10, "p1", "p"), DEVICE(SEEN, 20, "p1", "p"), DEVICE(JOINED, 30, "p2", "p")},
     30,
     0,
     80},
    {"on two devices for a moment",
     {DEVICE(JOINED, 10, "p1", "p"), DEVICE(SEEN, 30, "p1", "p"), DEVICE(JOINED, 29.5, "p2", "p"),
      OUT(30.5, "p1", "p", "CLIENT_INITIATED")},
     10,
     0,
     90},
};

static void fold_all(struct tv_history *h, struct tv_arena *a, const struct tv_observation *steps) {
    tv_history_init(h, a);
    for (size_t i = 0; i < STEPS_MAX && steps[i].room_sid != NULL; i++)
        tv_history_observe(h, &steps[i]);
}

static void test_stays(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(stays); i++) {
        TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
        struct tv_history h;
        fold_all(&h, a, stays[i].steps);
        int64_t since = tv_history_in_since_us(&h, "p"), left = tv_history_left_us(&h, "p");
        assert_int_equal(tv_history_present_us(&h, "p", S(5)), 0);
        int64_t present = tv_history_present_us(&h, "p", S(100));
        if (since != S(stays[i].since) || left != S(stays[i].left) ||
            present != S(stays[i].present))
            fail_msg("%s: in since %g, left %g, present %g", stays[i].name, (double)since / 1e6,
                     (double)left / 1e6, (double)present / 1e6);
    }
}

/* A device that nobody told to have left ended when another of the same person was there. */
static void test_one_device_throws_the_other_out(void **state) {
    static const struct row thrown[] = {
        {"nobody said so",
         {DEVICE(JOINED, 10, "p1", "p"), DEVICE(SEEN, 20, "p1", "p"),
          DEVICE(JOINED, 30, "p2", "p")},
         "R 10a-: p1 10w-20a..30, p2 30w-"},
        {"by three",
         {DEVICE(JOINED, 10, "p1", "p"), DEVICE(JOINED, 20, "p2", "p"),
          DEVICE(JOINED, 30, "p3", "p")},
         "R 10a-: p1 10w-10a..20, p2 20w-20a..30, p3 30w-"},
        {"the other is known better later",
         {DEVICE(JOINED, 10, "p1", "p"), DEVICE(SEEN, 11.5, "p1", "p"), DEVICE(SEEN, 15, "p2", "p"),
          DEVICE(LEFT, 20, "p2", "p", .joined_us = S(12))},
         "R 10a-: p1 10w-11.5a, p2 12s-20w"},
        {"another person throws nobody out",
         {DEVICE(JOINED, 10, "p1", "p"), DEVICE(JOINED, 30, "q1", "q")},
         "R 10a-: p1 10w-, q1 30w-"},
        {"said after all",
         {DEVICE(JOINED, 10, "p1", "p"), DEVICE(JOINED, 30, "p2", "p"),
          OUT(29, "p1", "p", "DUPLICATE_IDENTITY")},
         "R 1a-: p1 10w-29w, p2 30w-"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(thrown); i++) {
        size_t order[STEPS_MAX];
        in_every_order(&thrown[i], steps_of(&thrown[i]), order, 0);
    }
}

/* -- two sides ----------------------------------------------------------------------------------*/

static enum tv_side side_of(void *ctx, const char *identity) {
    static const struct {
        char letter;
        enum tv_side side;
    } sides[] = {{'d', TV_SIDE_DOCTOR}, {'p', TV_SIDE_PATIENT}, {'g', TV_SIDE_PATIENT}};
    for (size_t i = 0; i < TV_ARRAY_LEN(sides); i++) {
        if (identity[0] == sides[i].letter)
            return sides[i].side;
    }
    return TV_SIDE_NONE;
}

/* Up to second 100; talk is of the doctor "d". Who came and is in: letters of both sides. */
static const struct {
    const char *name;
    struct tv_observation steps[STEPS_MAX];
    double together, first, last, talk;
    const char *came, *in;
} meetings[] = {
    {"nobody", {STARTED(5)}, 0, 0, 0, 0, "", ""},
    {"one waits", {JOINED(10, "p")}, 0, 0, 0, 0, "p", "p"},
    {"both are in", {JOINED(10, "p"), JOINED(20, "d")}, 80, 20, 100, 80, "pd", "pd"},
    {"both were in",
     {JOINED(10, "p"), JOINED(20, "d"), LEFT(50, "p", 10), LEFT(60, "d", 20)},
     30,
     20,
     50,
     30,
     "pd",
     ""},
    {"they missed each other",
     {JOINED(10, "p"), LEFT(20, "p", 10), JOINED(30, "d")},
     0,
     0,
     0,
     0,
     "pd",
     "d"},
    {"one left as the other came",
     {JOINED(10, "p"), LEFT(20, "p", 10), JOINED(20, "d")},
     0,
     0,
     0,
     0,
     "pd",
     "d"},
    {"of one just an instant is known",
     {JOINED(10, "d"), JOINED(20, "p"), LIST(40, 5, IN("d", 10)), LEFT(60, "d", 10)},
     0,
     20,
     20,
     0,
     "pd",
     ""},
    {"they met twice",
     {JOINED(10, "d"), JOINED(20, "p"), LEFT(30, "p", 20), DEVICE(JOINED, 50, "p2", "p"),
      OUT(60, "p2", "p", "CLIENT_INITIATED")},
     20,
     20,
     60,
     20,
     "pd",
     "d"},
    {"a guest stands for the patient's side",
     {JOINED(10, "d"), JOINED(20, "p"), JOINED(25, "g"), LEFT(30, "p", 20), LEFT(40, "g", 25)},
     20,
     20,
     40,
     20,
     "pd",
     "d"},
    {"an interpreter is no side",
     {JOINED(10, "d"), JOINED(20, "i"), LEFT(30, "i", 20)},
     0,
     0,
     0,
     0,
     "d",
     "d"},
    {"taken over, the new one is not there yet",
     {JOINED(10, "d"), DEVICE(JOINED, 20, "p1", "p"), OUT(30, "p1", "p", "DUPLICATE_IDENTITY")},
     10,
     20,
     30,
     10,
     "pd",
     "pd"},
};

static void check_sides(const char *name, const char *expected, const bool *is) {
    char letters[3] = "";
    size_t n = 0;
    if (is[TV_SIDE_PATIENT])
        letters[n++] = 'p';
    if (is[TV_SIDE_DOCTOR])
        letters[n++] = 'd';
    if (strcmp(letters, expected) != 0)
        fail_msg("%s: sides are \"%s\", not \"%s\"", name, letters, expected);
}

static void test_meetings(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(meetings); i++) {
        TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
        struct tv_history h;
        fold_all(&h, a, meetings[i].steps);
        struct tv_meeting m = tv_history_meeting(&h, side_of, NULL, S(100));
        int64_t talk = tv_history_talk_us(&h, "d", side_of, NULL, S(100));
        if (m.together_us != S(meetings[i].together) || m.first_us != S(meetings[i].first) ||
            m.last_us != S(meetings[i].last) || talk != S(meetings[i].talk))
            fail_msg("%s: together %g, first %g, last %g, talk %g", meetings[i].name,
                     (double)m.together_us / 1e6, (double)m.first_us / 1e6, (double)m.last_us / 1e6,
                     (double)talk / 1e6);
        check_sides(meetings[i].name, meetings[i].came, m.came);
        check_sides(meetings[i].name, meetings[i].in, m.in);
    }
}

/* Each talks as long as somebody of the other side is there; who has no side talks to nobody. */
static void test_talk_is_each_ones_own(void **state) {
    TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
    const struct tv_observation steps[STEPS_MAX] = {JOINED(10, "d"),   JOINED(20, "p"),
                                                    JOINED(40, "g"),   LEFT(60, "p", 20),
                                                    LEFT(90, "d", 10), JOINED(5, "i")};
    struct tv_history h;
    fold_all(&h, a, steps);
    static const struct {
        const char *who;
        double talk;
    } talks[] = {{"d", 70}, {"p", 40}, {"g", 50}, {"i", 0}, {"nobody", 0}};
    for (size_t i = 0; i < TV_ARRAY_LEN(talks); i++)
        assert_int_equal(tv_history_talk_us(&h, talks[i].who, side_of, NULL, S(100)),
                         S(talks[i].talk));
}

/* What happens in the room that was made after the first was lost belongs to the same people. */
static void test_two_calls(void **state) {
    TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
    const struct tv_observation steps[STEPS_MAX] = {JOINED(10, "d"), JOINED(20, "p"), GONE(40)};
    struct tv_history h;
    fold_all(&h, a, steps);
    struct tv_observation again = DEVICE(JOINED, 51, "d2", "d");
    again.room_sid = "R2";
    assert_true(tv_history_observe(&h, &again));
    again.at_us = S(52);
    again.sid = "p2";
    again.identity = "p";
    assert_true(tv_history_observe(&h, &again));
    check_known(&h, "R 10a-40s: d 10w-10s..40, p 20w-20s..40; R2 51a-: d2 51w-, p2 52w-", "two");
    struct tv_meeting m = tv_history_meeting(&h, side_of, NULL, S(100));
    assert_int_equal(m.together_us, S(48));
    assert_int_equal(m.first_us, S(52));
    assert_int_equal(tv_history_in_since_us(&h, "p"), S(52));
    assert_int_equal(tv_history_call(&h, "R")->lost_us, S(40));
    assert_int_equal(tv_history_call(&h, "R2")->lost_us, 0);
    assert_null(tv_history_call(&h, "R3"));
}

/* -- the rest -----------------------------------------------------------------------------------*/

/* lost_us was written when the room was missed first; the list that is folded came later. */
static void test_lost_since(void **state) {
    static const struct {
        double seen, lost, over;
    } cases[] = {{20, 30, 30}, {29.5, 29, 29}, {35, 30, 50}, {20, 60, 50}};
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
        struct tv_history h;
        tv_history_init(&h, a);
        tv_history_add_call(&h, &(struct tv_room_call){.room_sid = "R",
                                                       .generation = 1,
                                                       .started = {S(5), TV_KNOWN_WEBHOOK},
                                                       .lost_us = S(cases[i].lost)});
        const struct tv_observation seen = SEEN(cases[i].seen, "a"), gone = GONE(50);
        assert_true(tv_history_observe(&h, &seen));
        assert_true(tv_history_observe(&h, &gone));
        assert_int_equal(tv_history_call(&h, "R")->over.us, S(cases[i].over));
        assert_false(tv_history_observe(&h, &gone));
    }
}

/* Of two lists without somebody the earlier one counts, also when it comes later. */
static void test_an_old_list_tells_when_it_was(void **state) {
    TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
    const struct tv_observation steps[STEPS_MAX] = {JOINED(6, "a"), EMPTY(35, 5), EMPTY(20, 5)};
    struct tv_history h;
    fold_all(&h, a, steps);
    check_known(&h, "R 5s-: a 6w-6s..20", "an old list");
    assert_int_equal(tv_history_call(&h, "R")->snapshot_us, S(35));
}

/* A room that ended as it should is rightly missing in a list. */
static void test_what_has_finished_is_not_lost(void **state) {
    TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
    const struct tv_observation steps[STEPS_MAX] = {STARTED(5), FINISHED(9), GONE(20)};
    struct tv_history h;
    fold_all(&h, a, steps);
    assert_int_equal(tv_history_call(&h, "R")->lost_us, 0);
}

/* What is read back is what was known, and goes on from there. */
static void test_stored_and_read_again(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
        struct tv_history h;
        tv_history_init(&h, a);
        for (size_t k = 0; k < steps_of(&rows[i]); k++) {
            struct tv_history copy;
            tv_history_init(&copy, a);
            struct tv_room_call *c;
            TAILQ_FOREACH_REVERSE(c, &h.calls, tv_room_calls, link) {
                struct tv_room_call *mine = tv_history_add_call(&copy, c);
                assert_false(mine->changed);
                struct tv_presence *p;
                TAILQ_FOREACH_REVERSE(p, &c->presences, tv_presences, link)
                tv_history_add_presence(&copy, mine, p);
            }
            assert_int_equal(copy.presences_count, h.presences_count);
            h = copy;
            TAILQ_INIT(&h.calls);
            TAILQ_CONCAT(&h.calls, &copy.calls, link);
            bool changed = tv_history_observe(&h, &rows[i].steps[k]);
            assert_true(tv_history_call(&h, "R")->changed == changed);
        }
        check_row(&h, &rows[i], ", read again");
    }
}

static void test_reasons(void **state) {
    TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
    const struct tv_observation steps[STEPS_MAX] = {JOINED(6, "a"), EMPTY(20, 5),
                                                    LEFT_FOR(11, "b", 6, NULL),
                                                    LEFT_FOR(12, "c", 6, "ROOM_DELETED")};
    struct tv_history h;
    fold_all(&h, a, steps);
    static const char *const reasons[] = {"c", "ROOM_DELETED", "b", "", "a", ""};
    const struct tv_presence *p;
    TAILQ_FOREACH(p, &TAILQ_FIRST(&h.calls)->presences, link) {
        for (size_t i = 0; i < TV_ARRAY_LEN(reasons); i += 2) {
            if (strcmp(p->sid, reasons[i]) == 0)
                assert_string_equal(p->reason, reasons[i + 1]);
        }
    }
    assert_int_equal(h.presences_count, 3);
}

/* Nothing of the caller's is kept. */
static void test_text_is_copied(void **state) {
    TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
    struct tv_history h;
    tv_history_init(&h, a);
    char room[] = "R", sid[] = "s", identity[] = "i", reason[] = "why";
    tv_history_observe(&h, &(struct tv_observation){.kind = TV_OBSERVED_LEFT,
                                                    .room_sid = room,
                                                    .at_us = S(9),
                                                    .sid = sid,
                                                    .identity = identity,
                                                    .joined_us = S(6),
                                                    .reason = reason});
    room[0] = sid[0] = identity[0] = reason[0] = '?';
    check_known(&h, "R 6a-: s 6s-9w", "text");
    const struct tv_presence *p = TAILQ_FIRST(&tv_history_call(&h, "R")->presences);
    assert_string_equal(p->identity, "i");
    assert_string_equal(p->reason, "why");
}

static void test_bad_input_changes_nothing(void **state) {
    static const char too_long[] =
        "0123456789012345678901234567890123456789012345678901234567890123x";
    static const struct tv_observation bad[] = {
        {.kind = TV_OBSERVED_JOINED, .at_us = S(9), .sid = "a", .identity = "a"},
        {.kind = TV_OBSERVED_JOINED, .room_sid = "", .at_us = S(9), .sid = "a", .identity = "a"},
        {.kind = TV_OBSERVED_JOINED, .room_sid = too_long, .at_us = S(9), .sid = "a"},
        OBSERVED(JOINED, 0, .sid = "a", .identity = "a"),
        {.kind = TV_OBSERVED_JOINED, .room_sid = "R", .at_us = -1, .sid = "a", .identity = "a"},
        OBSERVED(JOINED, 9, .identity = "a"),
        OBSERVED(SEEN, 9, .sid = "", .identity = "a"),
        OBSERVED(LEFT, 9, .sid = too_long, .identity = "a"),
        {.kind = TV_OBSERVED_SEEN, .room_sid = "R2", .at_us = S(9), .sid = "x", .identity = "x"},
        {.kind = (enum tv_observation_kind)99, .room_sid = "R", .at_us = S(9), .sid = "a"},
    };
    TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
    const struct tv_observation steps[STEPS_MAX] = {STARTED(5), JOINED(6, "x")};
    struct tv_history h;
    fold_all(&h, a, steps);
    struct tv_observation other = STARTED(5);
    other.room_sid = "R2";
    tv_history_observe(&h, &other);
    for (size_t i = 0; i < TV_ARRAY_LEN(bad); i++) {
        if (tv_history_observe(&h, &bad[i]))
            fail_msg("bad observation %zu was folded in", i);
    }
    check_known(&h, "R 5w-: x 6w-; R2 5w-", "bad input");
    const struct tv_observation nameless = OBSERVED(JOINED, 9, .sid = "n");
    assert_true(tv_history_observe(&h, &nameless));
    check_known(&h, "R 5w-: x 6w-, n 9w-; R2 5w-", "no identity");
    const struct tv_observation extremes[] = {
        {.kind = TV_OBSERVED_LEFT,
         .room_sid = "R3",
         .at_us = INT64_MAX,
         .sid = "y",
         .joined_us = 1},
        {.kind = TV_OBSERVED_JOINED,
         .room_sid = "R3",
         .at_us = 1,
         .sid = "z",
         .joined_us = INT64_MIN},
        {.kind = TV_OBSERVED_SNAPSHOT,
         .room_sid = "R3",
         .at_us = INT64_MAX,
         .created_us = INT64_MIN},
        {.kind = TV_OBSERVED_GONE, .room_sid = "R3", .at_us = INT64_MAX, .known = TV_KNOWN_WEBHOOK},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(extremes); i++)
        assert_true(tv_history_observe(&h, &extremes[i]));
    assert_int_equal(tv_history_call(&h, "R3")->over.by, TV_KNOWN_SNAPSHOT);
    struct tv_meeting m = tv_history_meeting(&h, side_of, NULL, S(100));
    assert_int_equal(m.first_us, 0);
}

/* A flood of new sids ends at the bound; those who are known are still followed. */
static void test_presences_have_a_bound(void **state) {
    TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
    struct tv_history h;
    tv_history_init(&h, a);
    char sid[16];
    for (int i = 0; i < TV_HISTORY_PRESENCES_MAX; i++) {
        snprintf(sid, sizeof(sid), "s%d", i);
        const struct tv_observation o = DEVICE(LEFT, 20 + i, sid, "p", .joined_us = S(19.5 + i));
        assert_true(tv_history_observe(&h, &o));
    }
    const struct tv_observation one_more = JOINED(9000, "x"), known = JOINED(19.75, "s0");
    assert_false(tv_history_observe(&h, &one_more));
    assert_true(tv_history_observe(&h, &known));
    assert_int_equal(h.presences_count, TV_HISTORY_PRESENCES_MAX);
    assert_int_equal(tv_history_present_us(&h, "p", S(9999)),
                     S(0.25 + 0.5 * (TV_HISTORY_PRESENCES_MAX - 1)));
    struct tv_meeting m = tv_history_meeting(&h, side_of, NULL, S(9999));
    assert_true(m.came[TV_SIDE_PATIENT] && !m.in[TV_SIDE_PATIENT]);
}

static void test_numbers_are_those_of_the_proto(void **state) {
    assert_int_equal(TV_KNOWN_NOT, TELEVISIT__V1__KNOWN_BY__VALUE__UNSPECIFIED);
    assert_int_equal(TV_KNOWN_ASSUMED, TELEVISIT__V1__KNOWN_BY__VALUE__ASSUMED);
    assert_int_equal(TV_KNOWN_SNAPSHOT, TELEVISIT__V1__KNOWN_BY__VALUE__SNAPSHOT);
    assert_int_equal(TV_KNOWN_WEBHOOK, TELEVISIT__V1__KNOWN_BY__VALUE__WEBHOOK);
    assert_int_equal(televisit__v1__known_by__value__descriptor.n_values, TV_KNOWN_WEBHOOK + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_in_every_order),
        cmocka_unit_test(test_stays),
        cmocka_unit_test(test_one_device_throws_the_other_out),
        cmocka_unit_test(test_meetings),
        cmocka_unit_test(test_talk_is_each_ones_own),
        cmocka_unit_test(test_two_calls),
        cmocka_unit_test(test_lost_since),
        cmocka_unit_test(test_an_old_list_tells_when_it_was),
        cmocka_unit_test(test_what_has_finished_is_not_lost),
        cmocka_unit_test(test_stored_and_read_again),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_text_is_copied),
        cmocka_unit_test(test_bad_input_changes_nothing),
        cmocka_unit_test(test_presences_have_a_bound),
        cmocka_unit_test(test_numbers_are_those_of_the_proto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
