#include "services/appointments/news.h"

#include <stdio.h>
#include <string.h>

#include "lib/pb.h"
#include "services/appointments/room.h"

enum { NOTICES_MAX = 4, JOBS_MAX = 1 };

/* What is looked at while the change is being filled. */
struct news {
    const struct book *b;
    enum news_cause cause;
    int32_t generation;
    struct tv_arena *a;
    Televisit__V1__BookChange *to;
    bool open;
    bool running;
    bool in[TV_SIDES];      /* somebody of this side is in now */
    bool arrived[TV_SIDES]; /* and has just come */
    const char *who[TV_SIDES];
};

static char *copy(const struct news *n, const char *text) { return tv_arena_strdup(n->a, text); }

bool news_is_running(const struct book *b, int32_t generation) {
    const struct tv_room_call *c;
    TAILQ_FOREACH(c, &b->history.calls, link)
        if (c->generation == generation && c->over.by == TV_KNOWN_NOT)
            return true;
    return false;
}

/* -- people -------------------------------------------------------------------------------------*/

static void move_person(const struct news *n, const struct book_person *p, int64_t in_us,
                        int64_t left_us) {
    Televisit__V1__BookPerson *m =
        TV_PB_NEW(n->a, Televisit__V1__BookPerson, televisit__v1__book_person__descriptor);
    m->id = copy(n, p->id);
    m->in_call_since = in_us == 0 ? NULL : tv_pb_time(in_us, n->a);
    m->left_call_at = left_us == 0 ? NULL : tv_pb_time(left_us, n->a);
    n->to->people[n->to->n_people++] = m;
}

static void look_at_people(struct news *n) {
    n->to->people = tv_arena_calloc(n->a, n->b->people_count, sizeof(*n->to->people));
    for (size_t i = 0; i < n->b->people_count; i++) {
        const struct book_person *p = &n->b->people[i];
        enum tv_side side = book_side(p->type);
        int64_t in_us = tv_history_in_since_us(&n->b->history, p->id);
        int64_t left_us = tv_history_left_us(&n->b->history, p->id);
        if (in_us != 0)
            n->in[side] = true;
        if (in_us != 0 && p->in_since_us == 0 && !n->arrived[side]) {
            n->arrived[side] = true;
            n->who[side] = p->person_id;
        }
        if (in_us != p->in_since_us)
            n->to->hint = true;
        if (in_us != p->in_since_us || left_us != p->left_us ||
            (in_us != 0 && p->media_missed_us != 0))
            move_person(n, p, in_us, left_us);
    }
}

/* -- notices ------------------------------------------------------------------------------------*/

/* To everybody, or to those of one side. */
static void tell(const struct news *n, const char *type, int32_t nth, const char *actor_id,
                 enum tv_side only) {
    Televisit__V1__BookNotice *m =
        TV_PB_NEW(n->a, Televisit__V1__BookNotice, televisit__v1__book_notice__descriptor);
    m->type = copy(n, type);
    m->nth = nth;
    m->actor_id = copy(n, actor_id);
    m->person_ids = tv_arena_calloc(n->a, n->b->people_count, sizeof(*m->person_ids));
    for (size_t i = 0; i < n->b->people_count; i++)
        if (only == TV_SIDE_NONE || book_side(n->b->people[i].type) == only)
            m->person_ids[m->n_person_ids++] = copy(n, n->b->people[i].person_id);
    n->to->notices[n->to->n_notices++] = m;
}

static bool was_told(const struct book *b, const char *type, int32_t nth) {
    for (size_t i = 0; i < b->told_count; i++)
        if (b->told[i].nth == nth && strcmp(b->told[i].type, type) == 0)
            return true;
    return false;
}

/* The side of a person who was an actor before. */
static enum tv_side side_of_person(const struct book *b, const char *person_id) {
    for (size_t i = 0; i < b->people_count; i++)
        if (strcmp(b->people[i].person_id, person_id) == 0)
            return book_side(b->people[i].type);
    return TV_SIDE_NONE;
}

/* When the other side was told the last time that this one waits (0: never), and how often anybody
 * was told that anybody waits. */
static int64_t last_waiting_us(const struct book *b, enum tv_side waits, int32_t *ret_count) {
    int64_t last = 0;
    *ret_count = 0;
    for (size_t i = 0; i < b->told_count; i++) {
        const struct book_told *t = &b->told[i];
        if (strcmp(t->type, "call.waiting") != 0)
            continue;
        *ret_count = TV_MAX(*ret_count, t->nth);
        if (side_of_person(b, t->actor_id) == waits)
            last = TV_MAX(last, t->us);
    }
    return last;
}

static void tell_waiting(const struct news *n, enum tv_side waits, enum tv_side other) {
    if (!n->arrived[waits] || n->in[other])
        return;
    int32_t count = 0;
    int64_t last = last_waiting_us(n->b, waits, &count);
    struct tv_meeting meeting =
        tv_history_meeting(&n->b->history, book_side_of, (void *)(uintptr_t)n->b, n->b->now_us);
    if (last != 0 && meeting.last_us <= last && n->b->now_us - last < TV_NEWS_WAITING_AGAIN_US)
        return;
    tell(n, "call.waiting", count + 1, n->who[waits], other);
}

static void tell_started(const struct news *n) {
    if (n->in[TV_SIDE_PATIENT] && n->in[TV_SIDE_DOCTOR] &&
        !was_told(n->b, "call.started", n->generation))
        tell(n, "call.started", n->generation, "", TV_SIDE_NONE);
}

static bool somebody_was_in(const struct book *b, int32_t generation) {
    const struct tv_room_call *c;
    TAILQ_FOREACH(c, &b->history.calls, link)
        if (c->generation == generation && !TAILQ_EMPTY(&c->presences))
            return true;
    return false;
}

/* The room is gone for good, not only lost by LiveKit. */
static bool is_over(const struct news *n) {
    bool final = n->cause == NEWS_FINISHED || n->cause == NEWS_CLOSED || !n->open;
    return final && !n->running;
}

static void tell_ended(const struct news *n) {
    if (is_over(n) && somebody_was_in(n->b, n->generation) &&
        !was_told(n->b, "call.ended", n->generation))
        tell(n, "call.ended", n->generation, "", TV_SIDE_NONE);
}

/* -- work ---------------------------------------------------------------------------------------*/

static void add_job(const struct news *n, const char *kind, int32_t in_ms) {
    struct tv_room room = {.generation = n->generation};
    char name[TV_ROOM_NAME_MAX];
    (void)snprintf(room.appointment_id, sizeof(room.appointment_id), "%s", n->b->appointment_id);
    tv_room_format(&room, name);
    Televisit__V1__BookJob *m =
        TV_PB_NEW(n->a, Televisit__V1__BookJob, televisit__v1__book_job__descriptor);
    m->kind = copy(n, kind);
    m->key = copy(n, name);
    m->in_ms = in_ms;
    m->once_more = n->cause == NEWS_CAME;
    n->to->jobs[n->to->n_jobs++] = m;
}

void news_follow(const struct book *b, enum news_cause cause, int32_t generation,
                 struct tv_arena *a, Televisit__V1__BookChange *to) {
    struct news n = {.b = b,
                     .cause = cause,
                     .generation = generation,
                     .a = a,
                     .to = to,
                     .open = book_is_open(b, generation),
                     .running = news_is_running(b, generation)};
    to->notices = tv_arena_calloc(a, NOTICES_MAX, sizeof(*to->notices));
    to->jobs = tv_arena_calloc(a, JOBS_MAX, sizeof(*to->jobs));
    look_at_people(&n);
    if (n.open) {
        tell_waiting(&n, TV_SIDE_PATIENT, TV_SIDE_DOCTOR);
        tell_waiting(&n, TV_SIDE_DOCTOR, TV_SIDE_PATIENT);
        tell_started(&n);
    }
    tell_ended(&n);
    if (n.running)
        add_job(&n, n.open ? "reconcile_call" : "close_room", n.open ? TV_NEWS_RECONCILE_MS : 0);
    /* LiveKit may still be closing what had this name: who comes next gets another. */
    to->next_generation = n.open && is_over(&n);
}
