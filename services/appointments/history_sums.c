/* history_sums.c - what follows from a history: who is in, for how long, and who met whom. */
#include "services/appointments/history.h"

#include <stdlib.h>
#include <string.h>

/* Times at which somebody was there, both ends included. */
struct span {
    int64_t from_us, to_us;
    int64_t reach_us; /* who is there again by then never left */
    bool awaited;     /* and still may be */
};
struct spans {
    size_t count;
    struct span list[TV_HISTORY_PRESENCES_MAX];
};

#define NO_END INT64_MAX

static struct span span_of(const struct tv_room_call *c, const struct tv_presence *p) {
    if (tv_presence_is_in(p))
        return (struct span){p->joined.us, NO_END, NO_END, true};
    struct span s = {p->joined.us, p->left.us, p->left.us, false};
    if (strcmp(p->reason, "DUPLICATE_IDENTITY") == 0) {
        s.reach_us += TV_HISTORY_HANDOVER_US;
        s.awaited = !tv_room_call_is_over(c) && c->snapshot_us <= s.reach_us;
    }
    return s;
}

static int compare_spans(const void *a, const void *b) {
    const struct span *x = a, *y = b;
    if (x->from_us != y->from_us)
        return x->from_us < y->from_us ? -1 : 1;
    return (x->to_us > y->to_us) - (x->to_us < y->to_us);
}

/* Whose presences are meant: those of an identity, else those of a side. */
struct who {
    const char *identity;
    tv_history_side *side_of;
    void *ctx;
    enum tv_side side;
};

static bool is_meant(const struct who *w, const struct tv_presence *p) {
    if (w->identity != NULL)
        return strcmp(w->identity, p->identity) == 0;
    return w->side_of(w->ctx, p->identity) == w->side;
}

/* By their beginning. */
static void collect(const struct tv_history *h, const struct who *w, struct spans *ret) {
    ret->count = 0;
    const struct tv_room_call *c;
    TAILQ_FOREACH(c, &h->calls, link) {
        const struct tv_presence *p;
        TAILQ_FOREACH(p, &c->presences, link) {
            if (ret->count < TV_ARRAY_LEN(ret->list) && is_meant(w, p))
                ret->list[ret->count++] = span_of(c, p);
        }
    }
    qsort(ret->list, ret->count, sizeof(ret->list[0]), compare_spans);
}

int64_t tv_history_in_since_us(const struct tv_history *h, const char *identity) {
    struct spans all;
    collect(h, &(struct who){.identity = identity}, &all);
    struct span stay = {.reach_us = -1};
    for (size_t i = 0; i < all.count; i++) {
        const struct span *s = &all.list[i];
        if (s->from_us > stay.reach_us)
            stay = *s;
        else if (s->to_us >= stay.to_us)
            stay = (struct span){stay.from_us, s->to_us, s->reach_us, s->awaited};
    }
    return stay.awaited ? stay.from_us : 0;
}

int64_t tv_history_left_us(const struct tv_history *h, const char *identity) {
    if (tv_history_in_since_us(h, identity) != 0)
        return 0;
    struct spans all;
    collect(h, &(struct who){.identity = identity}, &all);
    int64_t left_us = 0;
    for (size_t i = 0; i < all.count; i++)
        left_us = TV_MAX(left_us, all.list[i].to_us);
    return left_us;
}

/* Up to now, without overlap. */
static void unite(struct spans *s, int64_t now_us) {
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct span next = s->list[i];
        next.to_us = TV_MIN(next.to_us, now_us);
        if (next.from_us > now_us)
            continue;
        if (kept > 0 && next.from_us <= s->list[kept - 1].to_us)
            s->list[kept - 1].to_us = TV_MAX(s->list[kept - 1].to_us, next.to_us);
        else
            s->list[kept++] = next;
    }
    s->count = kept;
}

static bool is_instant(const struct span *s) { return s->from_us == s->to_us; }

/* Two that only touch did not meet, but one of whom just an instant is known was there then. */
static bool meet(const struct span *a, const struct span *b, struct span *ret) {
    ret->from_us = TV_MAX(a->from_us, b->from_us);
    ret->to_us = TV_MIN(a->to_us, b->to_us);
    return ret->from_us < ret->to_us ||
           (ret->from_us == ret->to_us && (is_instant(a) || is_instant(b)));
}

/* Both united. */
static struct tv_meeting meeting_of(const struct spans *a, const struct spans *b) {
    struct tv_meeting m = {0};
    for (size_t i = 0, j = 0; i < a->count && j < b->count;) {
        struct span s;
        if (meet(&a->list[i], &b->list[j], &s)) {
            if (m.first_us == 0)
                m.first_us = s.from_us;
            m.last_us = s.to_us;
            m.together_us += s.to_us - s.from_us;
        }
        if (a->list[i].to_us < b->list[j].to_us)
            i++;
        else
            j++;
    }
    return m;
}

int64_t tv_history_present_us(const struct tv_history *h, const char *identity, int64_t now_us) {
    struct spans all;
    collect(h, &(struct who){.identity = identity}, &all);
    unite(&all, now_us);
    int64_t us = 0;
    for (size_t i = 0; i < all.count; i++)
        us += all.list[i].to_us - all.list[i].from_us;
    return us;
}

static void find_sides(const struct tv_history *h, const struct who *w, struct tv_meeting *m) {
    const struct tv_room_call *c;
    TAILQ_FOREACH(c, &h->calls, link) {
        const struct tv_presence *p;
        TAILQ_FOREACH(p, &c->presences, link) {
            enum tv_side side = w->side_of(w->ctx, p->identity);
            m->came[side] = true;
            if (!m->in[side] && span_of(c, p).awaited)
                m->in[side] = tv_history_in_since_us(h, p->identity) != 0;
        }
    }
}

struct tv_meeting tv_history_meeting(const struct tv_history *h, tv_history_side *side_of,
                                     void *ctx, int64_t now_us) {
    struct who w = {.side_of = side_of, .ctx = ctx};
    struct spans patients, doctors;
    w.side = TV_SIDE_PATIENT;
    collect(h, &w, &patients);
    w.side = TV_SIDE_DOCTOR;
    collect(h, &w, &doctors);
    unite(&patients, now_us);
    unite(&doctors, now_us);
    struct tv_meeting m = meeting_of(&patients, &doctors);
    find_sides(h, &w, &m);
    return m;
}

int64_t tv_history_talk_us(const struct tv_history *h, const char *identity,
                           tv_history_side *side_of, void *ctx, int64_t now_us) {
    static const enum tv_side other_side[TV_SIDES] = {
        [TV_SIDE_PATIENT] = TV_SIDE_DOCTOR, [TV_SIDE_DOCTOR] = TV_SIDE_PATIENT};
    enum tv_side other = other_side[side_of(ctx, identity)];
    if (other == TV_SIDE_NONE)
        return 0;
    struct spans own, others;
    collect(h, &(struct who){.identity = identity}, &own);
    collect(h, &(struct who){.side_of = side_of, .ctx = ctx, .side = other}, &others);
    unite(&own, now_us);
    unite(&others, now_us);
    return meeting_of(&own, &others).together_us;
}
