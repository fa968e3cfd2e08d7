/* rooms.c - see rooms.h. */
#include "services/tokens/rooms.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/log.h"
#include "lib/metrics.h"

#define BUCKETS 4096
#define WATCH_US (2 * TV_US_PER_S)
#define SID_MAX 64  /* bytes; LiveKit's have 15 */
#define MARGIN_S 60 /* a room outlives its call a little; closing it is CloseRoom's work */

static struct tv_metric lookups_metric = {
    .name = "tv_tokens_room_lookups_total",
    .help = "How joins came to their room: known, made, shared with another join's, failed",
    .type = TV_COUNTER,
    .labels = {"result"},
};
static struct tv_metric known_metric = {
    .name = "tv_tokens_rooms_known",
    .help = "Rooms that LiveKit is known to have",
    .type = TV_GAUGE,
};
enum lookup { KNOWN, MADE, SHARED, FAILED, LOOKUP_COUNT };
static const char *const lookup_names[LOOKUP_COUNT] = {"known", "made", "shared", "failed"};

/* A room is known and on `by_use`, or in the making and not. Either way it is in its bucket. */
struct room {
    struct tv_rooms *rooms;
    bool making;
    int64_t until_us;      /* known: remembered until then, on the monotonic clock */
    char sid[SID_MAX + 1]; /* known: as LiveKit said when it was made; empty: it did not say */
    STAILQ_HEAD(, tv_rooms_waiter) waiters; /* making: all who wait */
    LIST_ENTRY(room) in_bucket;
    TAILQ_ENTRY(room) by_use;
    char name[];
};

struct tv_rooms {
    struct tv_livekit *livekit;
    LIST_HEAD(, room) buckets[BUCKETS];
    TAILQ_HEAD(, room) by_use; /* known; what was not used longest comes first */
    size_t known;
    struct tv_timer *watch;
    bool watching; /* LiveKit was asked, for the room `watched` */
    char *watched; /* owned; a name */
    struct tv_series *lookups[LOOKUP_COUNT];
    struct tv_series *known_gauge;
};

/* -- the table ----------------------------------------------------------------------------------*/

static struct room *find(struct tv_rooms *r, const char *name) {
    struct room *room;
    LIST_FOREACH(room, &r->buckets[tv_hash(tv_str(name)) % BUCKETS], in_bucket) {
        if (strcmp(room->name, name) == 0)
            return room;
    }
    return NULL;
}

static struct room *add(struct tv_rooms *r, const char *name) {
    size_t size = strlen(name) + 1;
    struct room *room = tv_calloc(1, sizeof *room + size);
    room->rooms = r;
    room->making = true;
    STAILQ_INIT(&room->waiters);
    memcpy(room->name, name, size);
    LIST_INSERT_HEAD(&r->buckets[tv_hash(tv_str(name)) % BUCKETS], room, in_bucket);
    return room;
}

static void count_known(struct tv_rooms *r, int change) {
    r->known = (size_t)((ssize_t)r->known + change);
    tv_set(r->known_gauge, (double)r->known);
}

static void drop(struct room *room) {
    if (!room->making) {
        TAILQ_REMOVE(&room->rooms->by_use, room, by_use);
        count_known(room->rooms, -1);
    }
    LIST_REMOVE(room, in_bucket);
    free(room);
}

bool tv_rooms_known(struct tv_rooms *r, const char *name) {
    struct room *room = find(r, name);
    if (room == NULL || room->making)
        return false;
    if (room->until_us <= tv_clock_mono_us()) {
        drop(room);
        return false;
    }
    TAILQ_REMOVE(&r->by_use, room, by_use);
    TAILQ_INSERT_TAIL(&r->by_use, room, by_use);
    tv_inc(r->lookups[KNOWN]);
    return true;
}

size_t tv_rooms_count(const struct tv_rooms *r) { return r->known; }

void tv_rooms_forget(struct tv_rooms *r, const char *name) {
    struct room *room = find(r, name);
    if (room != NULL && !room->making)
        drop(room);
}

void tv_rooms_forget_all(struct tv_rooms *r) {
    struct room *room, *next;
    TV_TAILQ_FOREACH_SAFE(room, &r->by_use, by_use, next) {
        drop(room);
    }
}

void tv_rooms_seen(struct tv_rooms *r, const char *name, const char *sid) {
    const struct room *room = find(r, name);
    if (r->known == 0)
        return;
    if (sid[0] != '\0' &&
        (room == NULL || room->making || room->sid[0] == '\0' || strcmp(room->sid, sid) == 0))
        return;
    tv_log_info("a room is gone from LiveKit: asking for each again", F_INT(COUNT, r->known));
    tv_rooms_forget_all(r);
}

/* -- making -------------------------------------------------------------------------------------*/

static void remember(struct room *room, const Livekit__Room *made) {
    struct tv_rooms *r = room->rooms;
    size_t sid_len = made == NULL ? 0 : strlen(made->sid);
    if (sid_len > 0 && sid_len <= SID_MAX)
        memcpy(room->sid, made->sid, sid_len + 1);
    if (r->known == TV_ROOMS_MAX)
        drop(TAILQ_FIRST(&r->by_use));
    room->making = false;
    TAILQ_INSERT_TAIL(&r->by_use, room, by_use);
    count_known(r, +1);
    if (r->known == 1)
        tv_timer_set(r->watch, WATCH_US);
}

static void on_created(void *ctx, enum tv_err err, const struct tv_error *e,
                       const ProtobufCMessage *reply) {
    struct room *room = ctx;
    struct tv_rooms *r = room->rooms;
    STAILQ_HEAD(, tv_rooms_waiter) waiters = STAILQ_HEAD_INITIALIZER(waiters);
    struct tv_rooms_waiter *w;
    STAILQ_CONCAT(&waiters, &room->waiters);
    if (err == TV_OK)
        remember(room, (const void *)reply);
    else
        drop(room);
    enum lookup lookup = MADE; /* the first one; the others shared it */
    while ((w = STAILQ_FIRST(&waiters)) != NULL) {
        STAILQ_REMOVE_HEAD(&waiters, link);
        tv_inc(r->lookups[err == TV_OK ? lookup : FAILED]);
        lookup = SHARED;
        w->on_made(w->ctx, err, e); /* the waiter may be gone afterwards */
    }
}

bool tv_rooms_wait(struct tv_rooms *r, const char *name, struct tv_rooms_waiter *w) {
    struct room *room = find(r, name);
    if (room == NULL || !room->making)
        return false;
    STAILQ_INSERT_TAIL(&room->waiters, w, link);
    return true;
}

enum tv_err tv_rooms_make(struct tv_rooms *r, const struct tv_rooms_wish *wish,
                          struct tv_rooms_waiter *w, struct tv_error *e) {
    if (tv_rooms_wait(r, wish->name, w))
        return TV_OK;
    /* The room must outlast everybody's absence: who looks in and leaves does not end the call. */
    uint32_t stays_s = wish->open_s > UINT32_MAX - MARGIN_S ? UINT32_MAX : wish->open_s + MARGIN_S;
    struct room *room = add(r, wish->name);
    room->until_us = tv_clock_mono_us() + (int64_t)wish->open_s * TV_US_PER_S;
    Livekit__CreateRoomRequest request = LIVEKIT__CREATE_ROOM_REQUEST__INIT;
    request.name = room->name;
    request.empty_timeout = stays_s;
    request.departure_timeout = stays_s;
    request.max_participants = wish->participants_max;
    enum tv_err err = tv_livekit_create_room(r->livekit, &request, on_created, room, e);
    if (err != TV_OK) {
        tv_inc(r->lookups[FAILED]);
        drop(room);
        return err;
    }
    STAILQ_INSERT_TAIL(&room->waiters, w, link);
    return TV_OK;
}

/* -- the watch ----------------------------------------------------------------------------------*/

static void on_found(void *ctx, enum tv_err err, const struct tv_error *e,
                     const ProtobufCMessage *reply) {
    struct tv_rooms *r = ctx;
    r->watching = false;
    if (err == TV_OK) {
        const Livekit__Room *room = tv_livekit_found(reply, r->watched);
        tv_rooms_seen(r, r->watched, room == NULL ? "" : room->sid);
    }
    if (r->known > 0)
        tv_timer_set(r->watch, WATCH_US);
}

static void on_watch(void *ctx) {
    struct tv_rooms *r = ctx;
    struct room *room;
    int64_t now_us = tv_clock_mono_us();
    while ((room = TAILQ_FIRST(&r->by_use)) != NULL && room->until_us <= now_us)
        drop(room);
    if (room == NULL || r->watching)
        return;
    TAILQ_REMOVE(&r->by_use, room, by_use); /* the next one next time */
    TAILQ_INSERT_TAIL(&r->by_use, room, by_use);
    struct tv_error e;
    free(r->watched);
    r->watched = tv_strdup(room->name);
    r->watching = tv_livekit_find_room(r->livekit, r->watched, on_found, r, &e) == TV_OK;
    if (!r->watching)
        tv_timer_set(r->watch, WATCH_US);
}

struct tv_rooms *tv_rooms_new(struct tv_loop *l, struct tv_livekit *lk) {
    struct tv_rooms *r = tv_calloc(1, sizeof *r);
    r->livekit = lk;
    TAILQ_INIT(&r->by_use);
    for (size_t i = 0; i < BUCKETS; i++)
        LIST_INIT(&r->buckets[i]);
    r->watch = tv_timer_new(l, on_watch, r);
    for (unsigned i = 0; i < LOOKUP_COUNT; i++)
        r->lookups[i] = tv_metric_series(&lookups_metric, lookup_names[i], NULL, NULL, NULL);
    r->known_gauge = tv_metric_single(&known_metric);
    return r;
}

void tv_rooms_free(struct tv_rooms *r) {
    if (r == NULL)
        return;
    tv_rooms_forget_all(r);
    tv_timer_free(r->watch);
    free(r->watched);
    free(r);
}
