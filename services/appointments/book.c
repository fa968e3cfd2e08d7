#include "services/appointments/book.h"

#include "lib/pb.h"
#include "services/appointments/view.h"

/* The numbers of our enums go into messages as they are. */
#define SAME(ours, theirs) static_assert((int)(ours) == (int)(theirs), "as in the proto")
SAME(TV_KNOWN_NOT, TELEVISIT__V1__KNOWN_BY__VALUE__UNSPECIFIED);
SAME(TV_KNOWN_ASSUMED, TELEVISIT__V1__KNOWN_BY__VALUE__ASSUMED);
SAME(TV_KNOWN_SNAPSHOT, TELEVISIT__V1__KNOWN_BY__VALUE__SNAPSHOT);
SAME(TV_KNOWN_WEBHOOK, TELEVISIT__V1__KNOWN_BY__VALUE__WEBHOOK);
#define X(name, number) SAME(TV_PARTICIPANT_##name, TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__##name);
TV_PARTICIPANT_MAP(X)
#undef X
#define X(name, number) SAME(TV_STATUS_##name, TELEVISIT__V1__APPOINTMENT_STATUS__VALUE__##name);
TV_STATUS_MAP(X)
#undef X

static int64_t us_of(const Google__Protobuf__Timestamp *t) {
    return t == NULL ? 0 : tv_pb_time_us(t);
}

static Google__Protobuf__Timestamp *time_of_us(int64_t us, struct tv_arena *a) {
    return us == 0 ? NULL : tv_pb_time(us, a);
}

static struct tv_edge edge_of(const Google__Protobuf__Timestamp *t,
                              Televisit__V1__KnownBy__Value by) {
    return (struct tv_edge){us_of(t), t == NULL ? TV_KNOWN_NOT : (enum tv_known)by};
}

/* -- out of the database ------------------------------------------------------------------------*/

static void read_people(const Televisit__V1__Book *m, struct tv_arena *a, struct book *b) {
    b->people_count = m->n_people;
    b->people = tv_arena_calloc(a, m->n_people, sizeof(*b->people));
    for (size_t i = 0; i < m->n_people; i++) {
        const Televisit__V1__BookPerson *p = m->people[i];
        b->people[i] = (struct book_person){
            .id = p->id,
            .person_id = p->person_id,
            .type = (enum tv_participant)p->type,
            .in_since_us = us_of(p->in_call_since),
            .left_us = us_of(p->left_call_at),
            .media_missed_us = us_of(p->media_missed_at),
        };
    }
}

static void read_told(const Televisit__V1__Book *m, struct tv_arena *a, struct book *b) {
    b->told_count = m->n_told;
    b->told = tv_arena_calloc(a, m->n_told, sizeof(*b->told));
    for (size_t i = 0; i < m->n_told; i++) {
        const Televisit__V1__BookTold *t = m->told[i];
        b->told[i] = (struct book_told){t->type, t->nth, t->actor_id, us_of(t->at)};
    }
}

static void read_presences(const Televisit__V1__Book *m, struct tv_history *h,
                           struct tv_room_call *c) {
    for (size_t i = 0; i < m->n_presences; i++) {
        const Televisit__V1__BookPresence *p = m->presences[i];
        if (strcmp(p->room_sid, c->room_sid) != 0)
            continue;
        const struct tv_presence presence = {
            .sid = p->sid,
            .identity = p->identity,
            .joined = edge_of(p->joined_at, p->joined_by),
            .left = edge_of(p->left_at, p->left_by),
            .seen_us = us_of(p->seen_at),
            .gone_us = us_of(p->gone_at),
            .reason = p->reason,
        };
        tv_history_add_presence(h, c, &presence);
    }
}

static void read_calls(const Televisit__V1__Book *m, struct tv_history *h) {
    for (size_t i = 0; i < m->n_calls; i++) {
        const Televisit__V1__BookCall *c = m->calls[i];
        const struct tv_room_call call = {
            .room_sid = c->room_sid,
            .generation = c->generation,
            .started = edge_of(c->started_at, c->started_by),
            .over = edge_of(c->over_at, c->over_by),
            .lost_us = us_of(c->lost_at),
            .snapshot_us = us_of(c->snapshot_at),
        };
        read_presences(m, h, tv_history_add_call(h, &call));
    }
}

enum tv_err book_read(const struct tv_pg_result *r, struct tv_arena *a, struct book *ret,
                      struct tv_error *e) {
    ProtobufCMessage *base = NULL;
    enum tv_err err = view_json(r, 0, "book", &televisit__v1__book__descriptor, a, &base, e);
    if (err != TV_OK)
        return err;
    const Televisit__V1__Book *m = (const Televisit__V1__Book *)(void *)base;
    *ret = (struct book){
        .clinic_id = m->clinic_id,
        .appointment_id = m->appointment_id,
        .version = m->version,
        .generation = m->generation,
        .call_rev = m->call_rev,
        .status = (enum tv_status)m->status,
        .opens_us = us_of(m->opens_at),
        .closed = m->closed,
        .now_us = us_of(m->now),
        .recorded = m->recorded,
    };
    read_people(m, a, ret);
    read_told(m, a, ret);
    tv_history_init(&ret->history, a);
    read_calls(m, &ret->history);
    return TV_OK;
}

/* -- what it says -------------------------------------------------------------------------------*/

bool book_is_open(const struct book *b, int32_t generation) {
    return b->status == TV_STATUS_CONFIRMED && b->opens_us <= b->now_us && !b->closed &&
           generation == b->generation;
}

enum tv_side book_side(enum tv_participant type) {
    switch (type) {
    case TV_PARTICIPANT_PATIENT:
    case TV_PARTICIPANT_GUEST:
        return TV_SIDE_PATIENT;
    case TV_PARTICIPANT_DOCTOR:
        return TV_SIDE_DOCTOR;
    case TV_PARTICIPANT_INTERPRETER:
    case TV_PARTICIPANT_NONE:
        break;
    }
    return TV_SIDE_NONE;
}

enum tv_side book_side_of(void *ctx, const char *identity) {
    const struct book *b = ctx;
    for (size_t i = 0; i < b->people_count; i++)
        if (strcmp(b->people[i].id, identity) == 0)
            return book_side(b->people[i].type);
    return TV_SIDE_NONE;
}

/* -- and back -----------------------------------------------------------------------------------*/

static Televisit__V1__BookCall *call_message(const struct tv_room_call *c, struct tv_arena *a) {
    Televisit__V1__BookCall *m =
        TV_PB_NEW(a, Televisit__V1__BookCall, televisit__v1__book_call__descriptor);
    m->room_sid = tv_arena_strdup(a, c->room_sid);
    m->generation = c->generation;
    m->started_at = time_of_us(c->started.us, a);
    m->started_by = (Televisit__V1__KnownBy__Value)c->started.by;
    m->over_at = c->over.by == TV_KNOWN_NOT ? NULL : time_of_us(c->over.us, a);
    m->over_by = (Televisit__V1__KnownBy__Value)c->over.by;
    m->lost_at = time_of_us(c->lost_us, a);
    m->snapshot_at = time_of_us(c->snapshot_us, a);
    return m;
}

static Televisit__V1__BookPresence *
presence_message(const struct tv_room_call *c, const struct tv_presence *p, struct tv_arena *a) {
    Televisit__V1__BookPresence *m =
        TV_PB_NEW(a, Televisit__V1__BookPresence, televisit__v1__book_presence__descriptor);
    m->room_sid = tv_arena_strdup(a, c->room_sid);
    m->sid = tv_arena_strdup(a, p->sid);
    m->identity = tv_arena_strdup(a, p->identity);
    m->joined_at = time_of_us(p->joined.us, a);
    m->joined_by = (Televisit__V1__KnownBy__Value)p->joined.by;
    m->left_at = p->left.by == TV_KNOWN_NOT ? NULL : time_of_us(p->left.us, a);
    m->left_by = (Televisit__V1__KnownBy__Value)p->left.by;
    m->seen_at = time_of_us(p->seen_us, a);
    m->gone_at = time_of_us(p->gone_us, a);
    m->reason = tv_arena_strdup(a, p->reason);
    return m;
}

void book_add_changes(const struct book *b, struct tv_arena *a, Televisit__V1__BookChange *to) {
    size_t calls = 0, presences = 0;
    const struct tv_room_call *c;
    const struct tv_presence *p;
    TAILQ_FOREACH(c, &b->history.calls, link) {
        calls++;
        TAILQ_FOREACH(p, &c->presences, link)
            presences++;
    }
    to->calls = tv_arena_calloc(a, calls, sizeof(*to->calls));
    to->presences = tv_arena_calloc(a, presences, sizeof(*to->presences));
    TAILQ_FOREACH(c, &b->history.calls, link) {
        if (!c->changed)
            continue;
        to->calls[to->n_calls++] = call_message(c, a);
        TAILQ_FOREACH(p, &c->presences, link)
            to->presences[to->n_presences++] = presence_message(c, p, a);
    }
}
