/* history.c - folds observations into the history; what follows from it is in history_sums.c. */
#include "services/appointments/history.h"

#include <string.h>

/* One instant proves something about an earlier one only when both cannot be the same. */
static bool well_after(int64_t a_us, int64_t b_us) {
    return a_us > b_us && a_us - b_us > TV_HISTORY_FUZZ_US;
}

static bool improve(struct tv_edge *e, int64_t us, enum tv_known by) {
    if (by < e->by || (by == e->by && us >= e->us))
        return false;
    *e = (struct tv_edge){us, by};
    return true;
}

static bool edge_eq(struct tv_edge a, struct tv_edge b) { return a.us == b.us && a.by == b.by; }

/* Of presences with the same identity in one call the later one threw the earlier one out. */
static bool succeeds(const struct tv_presence *q, const struct tv_presence *p) {
    if (q == p || strcmp(q->identity, p->identity) != 0)
        return false;
    return q->joined.us > p->joined.us ||
           (q->joined.us == p->joined.us && strcmp(q->sid, p->sid) > 0);
}

/* -- order and memory ---------------------------------------------------------------------------*/

static bool presence_before(const struct tv_presence *a, const struct tv_presence *b) {
    return a->joined.us < b->joined.us ||
           (a->joined.us == b->joined.us && strcmp(a->sid, b->sid) < 0);
}

static bool call_before(const struct tv_room_call *a, const struct tv_room_call *b) {
    return a->started.us < b->started.us ||
           (a->started.us == b->started.us && strcmp(a->room_sid, b->room_sid) < 0);
}

/* Most come last: the place is looked for from there. */
static void place_presence(struct tv_room_call *c, struct tv_presence *p) {
    struct tv_presence *at;
    TAILQ_FOREACH_REVERSE(at, &c->presences, tv_presences, link) {
        if (presence_before(at, p)) {
            TAILQ_INSERT_AFTER(&c->presences, at, p, link);
            return;
        }
    }
    TAILQ_INSERT_HEAD(&c->presences, p, link);
}

static void place_call(struct tv_history *h, struct tv_room_call *c) {
    struct tv_room_call *at;
    TAILQ_FOREACH_REVERSE(at, &h->calls, tv_room_calls, link) {
        if (call_before(at, c)) {
            TAILQ_INSERT_AFTER(&h->calls, at, c, link);
            return;
        }
    }
    TAILQ_INSERT_HEAD(&h->calls, c, link);
}

/* After edges have moved. */
static void place_all(struct tv_history *h, struct tv_room_call *c) {
    struct tv_presence *p, *next;
    TV_TAILQ_FOREACH_SAFE(p, &c->presences, link, next) {
        struct tv_presence *last = TAILQ_PREV(p, tv_presences, link);
        if (last != NULL && presence_before(p, last)) {
            TAILQ_REMOVE(&c->presences, p, link);
            place_presence(c, p);
        }
    }
    TAILQ_REMOVE(&h->calls, c, link);
    place_call(h, c);
}

void tv_history_init(struct tv_history *h, struct tv_arena *a) {
    *h = (struct tv_history){.arena = a};
    TAILQ_INIT(&h->calls);
}

struct tv_room_call *tv_history_add_call(struct tv_history *h, const struct tv_room_call *c) {
    struct tv_room_call *mine = TV_ARENA_NEW(h->arena, struct tv_room_call);
    *mine = *c;
    mine->changed = false;
    TAILQ_INIT(&mine->presences);
    place_call(h, mine);
    return mine;
}

static struct tv_presence *add_presence(struct tv_history *h, struct tv_room_call *c,
                                        const struct tv_presence *p) {
    struct tv_presence *mine = TV_ARENA_NEW(h->arena, struct tv_presence);
    *mine = *p;
    h->presences_count++;
    place_presence(c, mine);
    return mine;
}

void tv_history_add_presence(struct tv_history *h, struct tv_room_call *c,
                             const struct tv_presence *p) {
    add_presence(h, c, p);
}

struct tv_room_call *tv_history_call(const struct tv_history *h, const char *room_sid) {
    struct tv_room_call *c;
    TAILQ_FOREACH(c, &h->calls, link) {
        if (strcmp(c->room_sid, room_sid) == 0)
            return c;
    }
    return NULL;
}

static struct tv_presence *find_presence(const struct tv_history *h, const char *sid,
                                         struct tv_room_call **ret_call) {
    struct tv_room_call *c;
    TAILQ_FOREACH(c, &h->calls, link) {
        struct tv_presence *p;
        TAILQ_FOREACH(p, &c->presences, link) {
            if (strcmp(p->sid, sid) == 0) {
                *ret_call = c;
                return p;
            }
        }
    }
    return NULL;
}

/* -- what follows for a call when something was learnt ------------------------------------------*/

/* The last instant at which the room was there for certain. */
static int64_t alive_us(const struct tv_room_call *c) {
    int64_t us = TV_MAX(c->started.us, c->snapshot_us);
    const struct tv_presence *p;
    TAILQ_FOREACH(p, &c->presences, link)
        us = TV_MAX(us, p->seen_us);
    return us;
}

static void forget_gone(struct tv_presence *p) {
    p->gone_us = 0;
    p->left = (struct tv_edge){0, TV_KNOWN_NOT};
}

/* Takes back what followed from the call's end, which is not what it was. */
static void forget_over(struct tv_room_call *c) {
    struct tv_presence *p;
    TAILQ_FOREACH(p, &c->presences, link) {
        if (p->left.by != TV_KNOWN_WEBHOOK && p->gone_us >= c->over.us)
            forget_gone(p);
    }
    c->over = (struct tv_edge){0, TV_KNOWN_NOT};
    c->changed = true;
}

static void end_call(struct tv_room_call *c, int64_t us, enum tv_known by) {
    struct tv_edge over = c->over;
    if (!improve(&over, TV_MAX(us, c->started.us), by))
        return;
    if (tv_room_call_is_over(c))
        forget_over(c);
    c->over = over;
    c->changed = true;
}

/* It was not there at `us`, which is later than all that proves it was. */
static void gone(struct tv_presence *p, int64_t us, enum tv_known by) {
    if (p->gone_us == 0 || us < p->gone_us)
        p->gone_us = us;
    p->left.by = TV_MAX(p->left.by, by);
}

/* Makes its times agree with each other. */
static void settle_times(struct tv_presence *p) {
    p->seen_us = TV_MAX(p->seen_us, p->joined.us);
    if (p->left.by == TV_KNOWN_WEBHOOK) {
        p->left.us = TV_MAX(p->left.us, p->joined.us);
        p->seen_us = p->gone_us = p->left.us;
    } else if (!well_after(p->gone_us, p->seen_us)) {
        forget_gone(p);
    }
}

/* Ends it where the others and the call prove that it is gone. */
static void settle_end(const struct tv_room_call *c, struct tv_presence *p) {
    if (well_after(c->snapshot_us, p->seen_us))
        gone(p, c->snapshot_us, TV_KNOWN_SNAPSHOT);
    const struct tv_presence *q;
    TAILQ_FOREACH(q, &c->presences, link) {
        if (succeeds(q, p) && well_after(q->seen_us, p->seen_us))
            gone(p, TV_MAX(q->joined.us, p->seen_us), TV_KNOWN_ASSUMED);
    }
    int64_t last_us = p->seen_us;
    if (tv_room_call_is_over(c)) {
        last_us = TV_MAX(p->joined.us, TV_MIN(last_us, c->over.us));
        gone(p, TV_MAX(p->joined.us, c->over.us),
             c->over.by == TV_KNOWN_SNAPSHOT ? TV_KNOWN_SNAPSHOT : TV_KNOWN_ASSUMED);
    }
    if (p->left.by != TV_KNOWN_NOT)
        p->left.us = last_us;
}

static void settle_call(struct tv_room_call *c) {
    if (tv_room_call_is_over(c) && c->over.by != TV_KNOWN_WEBHOOK &&
        well_after(alive_us(c), c->over.us))
        forget_over(c);
    if (tv_room_call_is_over(c) && c->over.us < c->started.us) {
        c->over.us = c->started.us;
        c->changed = true;
    }
    struct tv_presence *p;
    TAILQ_FOREACH(p, &c->presences, link) {
        struct tv_presence was = *p;
        if (p->left.by != TV_KNOWN_WEBHOOK)
            settle_end(c, p);
        c->changed |= was.gone_us != p->gone_us || !edge_eq(was.left, p->left);
    }
}

/* -- observations -------------------------------------------------------------------------------*/

/* What an observation says of one person. */
struct saying {
    const char *sid, *identity, *reason;
    int64_t seen_us;
    struct tv_edge joined, left; /* as far as it says */
};

static bool is_sid(const char *sid) {
    return sid != NULL && sid[0] != '\0' && strlen(sid) <= TV_HISTORY_SID_MAX;
}

static struct tv_presence *know_presence(struct tv_history *h, struct tv_room_call *c,
                                         const struct saying *s) {
    if (!is_sid(s->sid))
        return NULL;
    struct tv_room_call *of = NULL;
    struct tv_presence *p = find_presence(h, s->sid, &of);
    if (p != NULL)
        return of == c ? p : NULL;
    if (h->presences_count >= TV_HISTORY_PRESENCES_MAX)
        return NULL;
    c->changed = true;
    struct tv_presence new = {.sid = tv_arena_strdup(h->arena, s->sid),
                              .identity = tv_arena_strdup(h->arena, s->identity ?: ""),
                              .joined = {s->seen_us, TV_KNOWN_ASSUMED},
                              .seen_us = s->seen_us,
                              .reason = ""};
    return add_presence(h, c, &new);
}

static void fold_person(struct tv_history *h, struct tv_room_call *c, const struct saying *s) {
    if (s->joined.by != TV_KNOWN_NOT)
        c->changed |= improve(&c->started, s->joined.us, TV_KNOWN_ASSUMED);
    struct tv_presence *p = know_presence(h, c, s);
    if (p == NULL)
        return;
    bool learnt = improve(&p->joined, s->seen_us, TV_KNOWN_ASSUMED);
    learnt |= improve(&p->joined, s->joined.us, s->joined.by);
    /* Of whoever left by webhook nothing is seen any more. */
    if (s->seen_us > p->seen_us && p->left.by != TV_KNOWN_WEBHOOK) {
        p->seen_us = s->seen_us;
        learnt = true;
    }
    if (improve(&p->left, TV_MAX(s->left.us, p->joined.us), s->left.by)) {
        p->reason = tv_arena_strdup(h->arena, s->reason ?: "");
        learnt = true;
    }
    if (learnt) {
        settle_times(p);
        c->changed = true;
    }
}

static struct tv_edge edge_said(int64_t us, enum tv_known by) {
    return us > 0 ? (struct tv_edge){us, by} : (struct tv_edge){0, TV_KNOWN_NOT};
}

static void fold_joined(struct tv_history *h, struct tv_room_call *c,
                        const struct tv_observation *o) {
    int64_t us = TV_MAX(o->at_us, o->joined_us);
    fold_person(h, c,
                &(struct saying){.sid = o->sid,
                                 .identity = o->identity,
                                 .seen_us = us,
                                 .joined = {us, TV_KNOWN_WEBHOOK}});
}

static void fold_left(struct tv_history *h, struct tv_room_call *c,
                      const struct tv_observation *o) {
    fold_person(h, c,
                &(struct saying){.sid = o->sid,
                                 .identity = o->identity,
                                 .reason = o->reason,
                                 .seen_us = o->at_us,
                                 .joined = edge_said(o->joined_us, TV_KNOWN_SNAPSHOT),
                                 .left = {o->at_us, TV_KNOWN_WEBHOOK}});
}

static void fold_seen(struct tv_history *h, struct tv_room_call *c,
                      const struct tv_observation *o) {
    fold_person(h, c,
                &(struct saying){.sid = o->sid, .identity = o->identity, .seen_us = o->at_us});
}

static void fold_snapshot(struct tv_history *h, struct tv_room_call *c,
                          const struct tv_observation *o) {
    if (o->created_us > 0)
        c->changed |= improve(&c->started, o->created_us, TV_KNOWN_SNAPSHOT);
    if (o->at_us > c->snapshot_us) {
        c->snapshot_us = o->at_us;
        c->changed = true;
    }
    for (size_t i = 0; i < o->people_count; i++) {
        const struct tv_person_seen *who = &o->people[i];
        int64_t joined_us = TV_MIN(who->joined_us, o->at_us);
        fold_person(h, c,
                    &(struct saying){.sid = who->sid,
                                     .identity = who->identity,
                                     .seen_us = o->at_us,
                                     .joined = edge_said(joined_us, TV_KNOWN_SNAPSHOT)});
    }
    /* Those who are in it have just been seen, so this concerns the others. */
    struct tv_presence *p;
    TAILQ_FOREACH(p, &c->presences, link) {
        struct tv_presence was = *p;
        if (p->left.by != TV_KNOWN_WEBHOOK && well_after(o->at_us, p->seen_us))
            gone(p, o->at_us, TV_KNOWN_SNAPSHOT);
        c->changed |= was.gone_us != p->gone_us || was.left.by != p->left.by;
    }
}

static void fold_gone(struct tv_room_call *c, const struct tv_observation *o) {
    int64_t alive = alive_us(c), us = o->at_us;
    enum tv_known by = TV_MIN(o->known, TV_KNOWN_SNAPSHOT);
    if (well_after(alive, us))
        return;
    if (c->lost_us > 0 && c->lost_us < us && !well_after(alive, c->lost_us))
        us = c->lost_us;
    bool finished = c->over.by == TV_KNOWN_WEBHOOK; /* as it should */
    if (by == TV_KNOWN_SNAPSHOT && !finished && (c->lost_us == 0 || us < c->lost_us)) {
        c->lost_us = us;
        c->changed = true;
    }
    end_call(c, us, TV_MAX(by, TV_KNOWN_ASSUMED));
}

static struct tv_room_call *know_call(struct tv_history *h, const struct tv_observation *o) {
    struct tv_room_call *c = tv_history_call(h, o->room_sid);
    if (c != NULL)
        return c;
    return tv_history_add_call(
        h, &(struct tv_room_call){.room_sid = tv_arena_strdup(h->arena, o->room_sid),
                                  .generation = o->generation});
}

static void fold(struct tv_history *h, struct tv_room_call *c, const struct tv_observation *o) {
    switch (o->kind) {
    case TV_OBSERVED_STARTED:
        c->changed |= improve(&c->started, o->at_us, TV_KNOWN_WEBHOOK);
        break;
    case TV_OBSERVED_FINISHED:
        end_call(c, o->at_us, TV_KNOWN_WEBHOOK);
        break;
    case TV_OBSERVED_JOINED:
        fold_joined(h, c, o);
        break;
    case TV_OBSERVED_LEFT:
        fold_left(h, c, o);
        break;
    case TV_OBSERVED_ABORTED:
        break;
    case TV_OBSERVED_SEEN:
        fold_seen(h, c, o);
        break;
    case TV_OBSERVED_SNAPSHOT:
        fold_snapshot(h, c, o);
        break;
    case TV_OBSERVED_GONE:
        fold_gone(c, o);
        break;
    }
}

bool tv_history_observe(struct tv_history *h, const struct tv_observation *o) {
    if (!is_sid(o->room_sid) || o->at_us <= 0)
        return false;
    struct tv_room_call *c = know_call(h, o);
    bool changed_before = c->changed;
    c->changed = improve(&c->started, o->at_us, TV_KNOWN_ASSUMED);
    fold(h, c, o);
    settle_call(c);
    place_all(h, c);
    bool changed = c->changed;
    c->changed |= changed_before;
    return changed;
}

bool tv_presence_is_unsure(const struct tv_presence *p) {
    return !tv_presence_is_in(p) && p->left.by != TV_KNOWN_WEBHOOK &&
           p->gone_us - p->left.us > TV_HISTORY_FUZZ_US / 2;
}
