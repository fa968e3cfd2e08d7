/* What follows when the record of a call has changed, row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/pb.h"
#include "services/appointments/news.h"

#define ID "b0000000-0000-4000-8000-00000000000a"
#define ROOM "room_" ID

/* Times of the rows are seconds after this; the window is open from 0 to 7200. */
#define BASE_US INT64_C(1795000000000000)
static int64_t at(long seconds) { return BASE_US + seconds * INT64_C(1000000); }

enum over { RUNNING, OVER, NO_CALL };

struct row {
    const char *name;
    const char *stays; /* "p 10-20 d 15-": who was in from when to when */
    const char *was;   /* "p 10": who is stored as in, since when */
    const char *told;  /* "waiting 1 P 10 started 1 - 20": before, by whom, when */
    long now;
    enum over over;
    enum news_cause cause;
    enum tv_status status; /* NONE: CONFIRMED */
    int32_t room;          /* generation of what was observed; 0: 1, which is the current one */
    const char *expected;
};

static const struct row rows[] = {
    /* waiting */
    {"the patient comes first", "p 10-", "", "", 11, RUNNING, NEWS_CAME, 0, 0,
     "p in; waiting 1 P: D; reconcile_call 15000 once more"},
    {"the doctor comes first: patient and guest are told", "d 10-", "", "", 11, RUNNING, NEWS_CAME,
     0, 0, "d in; waiting 1 D: P G; reconcile_call 15000 once more"},
    {"a guest is the patient's side", "g 10-", "", "", 11, RUNNING, NEWS_CAME, 0, 0,
     "g in; waiting 1 G: D; reconcile_call 15000 once more"},
    {"an interpreter waits for nobody", "i 10-", "", "", 11, RUNNING, NEWS_CAME, 0, 0,
     "i in; reconcile_call 15000 once more"},
    {"a stranger is nobody", "x 10-", "", "", 11, RUNNING, NEWS_CAME, 0, 0,
     "reconcile_call 15000 once more"},
    {"who is in already does not arrive", "p 10-", "p 10", "", 30, RUNNING, NEWS_EVENT, 0, 0,
     "reconcile_call 15000"},
    {"the guest joins the patient who waits: soon after", "p 10- g 30-", "p 10", "waiting 1 P 10",
     31, RUNNING, NEWS_CAME, 0, 0, "g in; reconcile_call 15000 once more"},
    {"back within two minutes", "p 10-20 p 60-", "", "waiting 1 P 10", 61, RUNNING, NEWS_CAME, 0, 0,
     "p in; reconcile_call 15000 once more"},
    {"back just before two minutes are over", "p 10-20 p 129-", "", "waiting 1 P 10", 129, RUNNING,
     NEWS_CAME, 0, 0, "p in; reconcile_call 15000 once more"},
    {"back after two minutes", "p 10-20 p 130-", "", "waiting 1 P 10", 130, RUNNING, NEWS_CAME, 0,
     0, "p in; waiting 2 P: D; reconcile_call 15000 once more"},
    {"back soon, but they met meanwhile", "p 10-40 d 20-30 p 50-", "", "waiting 1 P 10", 51,
     RUNNING, NEWS_CAME, 0, 0, "p in; d left; waiting 2 P: D; reconcile_call 15000 once more"},
    {"they met before it was told, not since", "p 1-5 d 1-5 p 10-20 p 30-", "", "waiting 4 P 10",
     31, RUNNING, NEWS_CAME, 0, 0, "p in; d left; reconcile_call 15000 once more"},
    {"the other side was told, this one was not", "p 10-20 d 30-", "", "waiting 1 P 10", 31,
     RUNNING, NEWS_CAME, 0, 0, "p left; d in; waiting 2 D: P G; reconcile_call 15000 once more"},
    {"found by a snapshot", "p 10-", "", "", 15, RUNNING, NEWS_SNAPSHOT, 0, 0,
     "p in; waiting 1 P: D; reconcile_call 15000"},
    /* started */
    {"both are in", "p 10- d 20-", "p 10", "waiting 1 P 10", 21, RUNNING, NEWS_CAME, 0, 0,
     "d in; started 1: P D G I; reconcile_call 15000 once more"},
    {"both found at once: nobody waits", "p 10- d 20-", "", "", 21, RUNNING, NEWS_SNAPSHOT, 0, 0,
     "p in; d in; started 1: P D G I; reconcile_call 15000"},
    {"once a generation", "p 10- d 20-30 d 40-", "p 10", "started 1 - 20", 41, RUNNING, NEWS_CAME,
     0, 0, "d in; reconcile_call 15000 once more"},
    {"patient and guest are one side", "p 10- g 20-", "p 10", "waiting 1 P 10", 200, RUNNING,
     NEWS_CAME, 0, 0, "g in; waiting 2 G: D; reconcile_call 15000 once more"},
    {"an interpreter is no side", "d 10- i 20-", "d 10", "waiting 1 D 10", 21, RUNNING, NEWS_CAME,
     0, 0, "i in; reconcile_call 15000 once more"},
    /* ended */
    {"finished: the next room has another name", "p 10-20 d 10-20", "p 10 d 10", "started 1 - 10",
     30, OVER, NEWS_FINISHED, 0, 0, "p left; d left; ended 1: P D G I; next"},
    {"finished after nobody came", "", "", "", 30, OVER, NEWS_FINISHED, 0, 0, "next"},
    {"finished twice", "p 10-20", "", "ended 1 - 30", 31, OVER, NEWS_FINISHED, 0, 2, "p left"},
    {"an old room finished late", "p 10-20", "", "", 31, OVER, NEWS_FINISHED, 0, 2,
     "p left; ended 1: P D G I"},
    {"LiveKit lost its rooms", "p 10-20 d 10-20", "p 10 d 10", "started 1 - 10", 30, OVER,
     NEWS_SNAPSHOT, 0, 0, "p left; d left"},
    {"deleted after the window", "p 10-20 d 10-20", "p 10 d 10", "started 1 - 10", 7201, OVER,
     NEWS_CLOSED, 0, 0, "p left; d left; ended 1: P D G I"},
    {"deleted, and finished before", "p 10-20", "", "ended 1 - 30", 7201, OVER, NEWS_CLOSED, 0, 0,
     "p left"},
    {"deleted while it is open", "p 10-20", "p 10", "", 30, OVER, NEWS_CLOSED, 0, 0,
     "p left; ended 1: P D G I; next"},
    {"deleted, never recorded", "", "", "", 7201, NO_CALL, NEWS_CLOSED, 0, 0, ""},
    {"found gone after the window", "p 10-20", "p 10", "", 7300, OVER, NEWS_SNAPSHOT, 0, 0,
     "p left; ended 1: P D G I"},
    /* not open: the room is closed, and nobody is told to come */
    {"cancelled", "p 10-", "", "", 11, RUNNING, NEWS_CAME, TV_STATUS_CANCELLED, 0,
     "p in; close_room 0 once more"},
    {"somebody leaves a cancelled call", "p 10-20 d 10-", "p 10 d 10", "started 1 - 10", 21,
     RUNNING, NEWS_EVENT, TV_STATUS_CANCELLED, 0, "p left; close_room 0"},
    {"too late", "p 7190- d 7201-", "p 7190", "", 7200, RUNNING, NEWS_CAME, 0, 0,
     "d in; close_room 0 once more"},
    {"too early", "p -5-", "", "", -1, RUNNING, NEWS_CAME, 0, 0, "p in; close_room 0 once more"},
    {"the first instant", "p 0-", "", "", 0, RUNNING, NEWS_CAME, 0, 0,
     "p in; waiting 1 P: D; reconcile_call 15000 once more"},
    {"an older room", "p 10-", "", "", 11, RUNNING, NEWS_CAME, 0, 2,
     "p in; close_room 0 once more"},
    {"cancelled and finished", "p 10-20", "p 10", "", 30, OVER, NEWS_FINISHED, TV_STATUS_CANCELLED,
     0, "p left; ended 1: P D G I"},
};

static struct book_person people[] = {
    {.id = "p", .person_id = "P", .type = TV_PARTICIPANT_PATIENT},
    {.id = "d", .person_id = "D", .type = TV_PARTICIPANT_DOCTOR},
    {.id = "g", .person_id = "G", .type = TV_PARTICIPANT_GUEST},
    {.id = "i", .person_id = "I", .type = TV_PARTICIPANT_INTERPRETER},
};

static struct tv_arena *arena;
static int set_up(void **state) {
    arena = tv_arena_new();
    return 0;
}
static int tear_down(void **state) {
    tv_arena_free(arena);
    return 0;
}

/* The stays of the row, each a presence of its own in the one call. */
static void add_stays(struct book *b, struct tv_room_call *c, const char *stays) {
    char identity[2];
    long from = 0, to = 0;
    int n = 0, count = 0;
    for (; sscanf(stays, " %1s %ld-%n", identity, &from, &n) == 2; stays += n) {
        struct tv_presence p = {
            .sid = tv_arena_printf(arena, "PA_%d", count++),
            .identity = tv_arena_strdup(arena, identity),
            .joined = {at(from), TV_KNOWN_WEBHOOK},
            .seen_us = at(from),
            .reason = "",
        };
        if (stays[n] >= '0' && stays[n] <= '9') {
            char *end = NULL;
            to = strtol(stays + n, &end, 10);
            n = (int)(end - stays);
            p.left = (struct tv_edge){at(to), TV_KNOWN_WEBHOOK};
            p.seen_us = at(to);
            p.reason = "CLIENT_INITIATED";
        }
        tv_history_add_presence(&b->history, c, &p);
    }
}

static void add_told(struct book *b, const char *told) {
    char type[16], actor[2];
    int nth = 0, n = 0;
    long when = 0;
    b->told = tv_arena_calloc(arena, 8, sizeof(*b->told));
    for (; sscanf(told, " %15s %d %1s %ld%n", type, &nth, actor, &when, &n) == 4; told += n)
        b->told[b->told_count++] =
            (struct book_told){tv_arena_printf(arena, "call.%s", type), nth,
                               actor[0] == '-' ? "" : tv_arena_strdup(arena, actor), at(when)};
}

static void set_people(struct book *b, const char *was) {
    char id[2];
    long since = 0;
    int n = 0;
    b->people_count = TV_ARRAY_LEN(people);
    b->people = tv_arena_alloc(arena, sizeof(people));
    memcpy(b->people, people, sizeof(people));
    for (; sscanf(was, " %1s %ld%n", id, &since, &n) == 2; was += n)
        for (size_t i = 0; i < b->people_count; i++)
            if (strcmp(b->people[i].id, id) == 0)
                b->people[i].in_since_us = at(since);
}

static void open_book(const struct row *row, struct book *b) {
    *b = (struct book){
        .appointment_id = ID,
        .generation = row->room == 0 ? 1 : row->room,
        .status = row->status == TV_STATUS_NONE ? TV_STATUS_CONFIRMED : row->status,
        .opens_us = at(0),
        .closed = row->now >= 7200,
        .now_us = at(row->now),
    };
    set_people(b, row->was);
    add_told(b, row->told);
    tv_history_init(&b->history, arena);
    if (row->over == NO_CALL)
        return;
    const struct tv_room_call call = {
        .room_sid = "RM_1",
        .generation = 1,
        .started = {at(-10), TV_KNOWN_WEBHOOK},
        .over = {row->over == OVER ? at(row->now) : 0,
                 row->over == OVER ? TV_KNOWN_WEBHOOK : TV_KNOWN_NOT},
    };
    add_stays(b, tv_history_add_call(&b->history, &call), row->stays);
}

/* The change as the rows write it. */
static const char *render(const Televisit__V1__BookChange *change) {
    struct tv_buf out = TV_BUF_INIT(4096);
    for (size_t i = 0; i < change->n_people; i++)
        tv_buf_printf(&out, "; %s %s", change->people[i]->id,
                      change->people[i]->in_call_since != NULL  ? "in"
                      : change->people[i]->left_call_at != NULL ? "left"
                                                                : "never");
    for (size_t i = 0; i < change->n_notices; i++) {
        const Televisit__V1__BookNotice *notice = change->notices[i];
        tv_buf_printf(&out, "; %s %d%s%s:", notice->type + strlen("call."), notice->nth,
                      notice->actor_id[0] == '\0' ? "" : " ", notice->actor_id);
        for (size_t p = 0; p < notice->n_person_ids; p++)
            tv_buf_printf(&out, " %s", notice->person_ids[p]);
    }
    for (size_t i = 0; i < change->n_jobs; i++) {
        assert_string_equal(change->jobs[i]->key, ROOM);
        tv_buf_printf(&out, "; %s %d%s", change->jobs[i]->kind, change->jobs[i]->in_ms,
                      change->jobs[i]->once_more ? " once more" : "");
    }
    if (change->next_generation)
        tv_buf_puts(&out, "; next");
    const char *text = out.len == 0 ? "" : tv_arena_str(arena, tv_buf_view(&out)) + 2;
    tv_buf_done(&out);
    return text;
}

static Televisit__V1__BookChange *follow(const struct row *row, const struct book *b) {
    Televisit__V1__BookChange *change =
        TV_PB_NEW(arena, Televisit__V1__BookChange, televisit__v1__book_change__descriptor);
    news_follow(b, row->cause, 1, arena, change);
    return change;
}

static void test_rows(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct book b;
        open_book(&rows[i], &b);
        const char *told = render(follow(&rows[i], &b));
        if (strcmp(told, rows[i].expected) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", rows[i].name, told, rows[i].expected);
    }
}

/* When LiveKit has two rooms of one name, one after the other, both must be over. */
static void test_a_room_made_again(void **state) {
    const struct row row = {"", "p 10-20", "p 10", "", 40, OVER, NEWS_FINISHED, 0, 0, ""};
    struct book b;
    open_book(&row, &b);
    const struct tv_room_call again = {
        .room_sid = "RM_2", .generation = 1, .started = {at(30), TV_KNOWN_WEBHOOK}};
    add_stays(&b, tv_history_add_call(&b.history, &again), "d 31-");
    assert_true(news_is_running(&b, 1));
    assert_string_equal(render(follow(&row, &b)),
                        "p left; d in; waiting 1 D: P G; reconcile_call 15000");
}

/* A join is what somebody has missed, also when the time of it was known before. */
static void test_nothing_is_missed_any_more(void **state) {
    const struct row row = {"", "p 10-", "p 10", "", 40, RUNNING, NEWS_EVENT, 0, 0, ""};
    struct book b;
    open_book(&row, &b);
    b.people[0].media_missed_us = at(5);
    b.people[1].media_missed_us = at(5);
    assert_string_equal(render(follow(&row, &b)), "p in; reconcile_call 15000");
}

static void test_times_of_people(void **state) {
    const struct row row = {"", "p 10-20 d 15-", "p 10", "", 40, RUNNING, NEWS_EVENT, 0, 0, ""};
    struct book b;
    open_book(&row, &b);
    const Televisit__V1__BookChange *change = follow(&row, &b);
    assert_int_equal(change->n_people, 2);
    assert_string_equal(change->people[0]->id, "p");
    assert_null(change->people[0]->in_call_since);
    assert_int_equal(tv_pb_time_us(change->people[0]->left_call_at), at(20));
    assert_string_equal(change->people[1]->id, "d");
    assert_int_equal(tv_pb_time_us(change->people[1]->in_call_since), at(15));
    assert_null(change->people[1]->left_call_at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_room_made_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_missed_any_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_times_of_people, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
