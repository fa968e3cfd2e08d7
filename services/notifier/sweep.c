/* sweep.c - see sweep.h. */
#include "services/notifier/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/rpc.h"
#include "services/notifier/ask.h"
#include "services/notifier/tell.h"
#include "televisit/v1/calls.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"

#define PAGE_DEADLINE_US (5 * TV_US_PER_S)
#define MAKE_DEADLINE_US (2 * TV_US_PER_S)
#define MAKE_ATTEMPTS 6
#define MAKE_AGAIN_US (250 * TV_US_PER_MS)

static struct tv_metric sweeps_total = {
    .name = "tv_watch_sweeps_total",
    .help = "Comparisons of LiveKit's rooms with the appointments; unlisted: LiveKit was away.",
    .type = TV_COUNTER,
    .labels = {"outcome"},
};
static struct tv_metric rooms_total = {
    .name = "tv_watch_rooms_total",
    .help = "Rooms found that should not be (stray), missing though a call runs (lost), and made "
            "again (made).",
    .type = TV_COUNTER,
    .labels = {"what"},
};

/* A room to be made again; on one of the lists, or in flight. It lives in its arena. */
struct wish {
    struct tv_sweep *sweep;
    struct tv_arena *arena;
    Televisit__V1__MakeRoomRequest request;
    unsigned attempts;
    TAILQ_ENTRY(wish) link;
};
TAILQ_HEAD(wishes, wish);

struct tv_sweep {
    struct tv_bus *bus;
    const struct tv_pulse *pulse;
    tv_sweep_done_fn *on_done;
    void *ctx;
    bool under_way, draining;
    bool cut;               /* no more is made: the bus is away, or closing for good */
    struct tv_arena *arena; /* of the page in flight; NULL when all pages are through */
    int64_t listed_us;      /* when LiveKit was asked for it */
    char after[TV_PULSE_ROOM_MAX];
    enum tv_pulse_swept how; /* as far as it went */
    enum tv_err err;         /* the latest */
    struct wishes waiting, failed;
    struct wishes making;
    unsigned in_flight;     /* on `making` */
    struct tv_timer *again; /* brings the failed ones back to those who wait */
};

static void list(struct tv_sweep *s);

/* -- the end ------------------------------------------------------------------------------------*/

static void count_room(const char *what, double n) {
    tv_add(tv_metric_series(&rooms_total, what, NULL, NULL, NULL), n);
}

static const char *const outcomes[] = {
    [TV_PULSE_SWEPT] = "done", [TV_PULSE_UNLISTED] = "unlisted", [TV_PULSE_UNSWEPT] = "failed"};

static void end_if_done(struct tv_sweep *s) {
    if (!s->under_way || s->arena != NULL || s->in_flight > 0 || !TAILQ_EMPTY(&s->waiting) ||
        !TAILQ_EMPTY(&s->failed))
        return;
    s->under_way = false;
    tv_inc(tv_metric_series(&sweeps_total, outcomes[s->how], NULL, NULL, NULL));
    s->on_done(s->ctx, s->how, s->err);
}

static void ask(struct tv_sweep *s, const ProtobufCServiceDescriptor *service, const char *method,
                const ProtobufCMessage *request, int64_t within_us, struct tv_arena *a,
                tv_rpc_reply_fn *on_reply, void *ctx) {
    tv_ask(s->bus, service, method, request, tv_clock_mono_us() + within_us, a, on_reply, ctx);
}

/* -- wishes -------------------------------------------------------------------------------------*/

static void drop_all(struct wishes *list) {
    struct wish *w;

    while ((w = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, w, link);
        tv_arena_free(w->arena);
    }
}

static void make_some(struct tv_sweep *s);

static void note_end(const struct wish *w, enum tv_err err) {
    if (err == TV_OK) {
        count_room("made", 1);
        return;
    }
    w->sweep->how = TV_PULSE_UNSWEPT;
    w->sweep->err = err;
    tv_log_warn("a lost room was not made again", F_STR(ROOM, w->request.room),
                F_STR(CODE, tv_err_info(err)->slug), F_INT(ATTEMPT, w->attempts));
}

static void on_made(void *ctx, enum tv_err err, const struct tv_error *e, ProtobufCMessage *reply) {
    struct wish *w = ctx;
    struct tv_sweep *s = w->sweep;

    TAILQ_REMOVE(&s->making, w, link);
    s->in_flight--;
    if (err != TV_OK && (s->draining || !tv_bus_connected(s->bus)))
        s->cut = true;
    if (err != TV_OK && tv_err_info(err)->http >= 500 && w->attempts < MAKE_ATTEMPTS && !s->cut) {
        TAILQ_INSERT_TAIL(&s->failed, w, link);
        tv_timer_set(s->again, MAKE_AGAIN_US);
    } else {
        note_end(w, err);
        tv_arena_free(w->arena);
    }
    make_some(s);
    end_if_done(s);
}

static void make_some(struct tv_sweep *s) {
    struct wish *w;

    if (s->cut) {
        if (!TAILQ_EMPTY(&s->waiting) || !TAILQ_EMPTY(&s->failed))
            s->how = TV_PULSE_UNSWEPT;
        drop_all(&s->waiting);
        drop_all(&s->failed);
    }
    while (s->in_flight < TV_SWEEP_MAKES_MAX && (w = TAILQ_FIRST(&s->waiting)) != NULL) {
        TAILQ_REMOVE(&s->waiting, w, link);
        TAILQ_INSERT_TAIL(&s->making, w, link);
        s->in_flight++;
        w->attempts++;
        ask(s, &televisit__v1__tokens__descriptor, "MakeRoom", &w->request.base, MAKE_DEADLINE_US,
            w->arena, on_made, w);
    }
}

static void on_again(void *ctx) {
    struct tv_sweep *s = ctx;

    TAILQ_CONCAT(&s->waiting, &s->failed, link);
    make_some(s);
    end_if_done(s);
}

static void wish_for(struct tv_sweep *s, const Televisit__V1__MakeRoomRequest *request) {
    struct tv_arena *a = tv_arena_new();
    struct wish *w = TV_ARENA_NEW(a, struct wish);

    w->sweep = s;
    w->arena = a;
    w->request = *request;
    w->request.room = tv_arena_strdup(a, request->room);
    TAILQ_INSERT_TAIL(&s->waiting, w, link);
}

/* -- pages --------------------------------------------------------------------------------------*/

static void end_pages(struct tv_sweep *s, enum tv_pulse_swept how, enum tv_err err) {
    if (how != TV_PULSE_SWEPT) {
        s->how = how;
        s->err = err;
    }
    tv_arena_free(TV_TAKE_PTR(s->arena));
    end_if_done(s);
}

static void on_swept(void *ctx, enum tv_err err, const struct tv_error *e,
                     ProtobufCMessage *reply) {
    struct tv_sweep *s = ctx;
    const Televisit__V1__SweepReply *r = (const Televisit__V1__SweepReply *)(const void *)reply;

    if (err != TV_OK) {
        tv_log_debug("comparing the rooms failed", F_STR(CODE, tv_err_info(err)->slug));
        end_pages(s, TV_PULSE_UNSWEPT, err);
        return;
    }
    tv_tell_reply(s->bus, reply);
    count_room("stray", TV_MAX(r->strays, 0));
    count_room("lost", TV_MAX(r->lost, 0));
    if (r->strays > 0 || r->lost > 0 || r->n_make > 0)
        tv_log_info("LiveKit's rooms differ from the record", F_INT(COUNT, r->strays),
                    F_INT(VALUE, r->lost));
    for (size_t i = 0; i < r->n_make; i++)
        wish_for(s, r->make[i]);
    make_some(s);
    if (s->after[0] == '\0')
        end_pages(s, TV_PULSE_SWEPT, TV_OK);
    else
        list(s);
}

/* Whether the page can be believed: names that rise from where it was to begin, and an end. */
static bool is_page(const struct tv_sweep *s, const Televisit__V1__ListRoomsReply *page) {
    const char *before = s->after;

    for (size_t i = 0; i < page->n_rooms; i++) {
        if (strcmp(page->rooms[i]->room, before) <= 0)
            return false;
        before = page->rooms[i]->room;
    }
    return !page->more || (page->n_rooms > 0 && strlen(before) < sizeof(s->after));
}

static void on_listed(void *ctx, enum tv_err err, const struct tv_error *e,
                      ProtobufCMessage *reply) {
    struct tv_sweep *s = ctx;
    const Televisit__V1__ListRoomsReply *page =
        (const Televisit__V1__ListRoomsReply *)(const void *)reply;
    Televisit__V1__SweepRequest request = TELEVISIT__V1__SWEEP_REQUEST__INIT;
    char before[sizeof(s->after)];
    int64_t now_us = tv_clock_mono_us();

    if (err != TV_OK) {
        end_pages(s, TV_PULSE_UNLISTED, err);
        return;
    }
    if (!is_page(s, page)) {
        tv_log_error("a list of rooms is not in order");
        end_pages(s, TV_PULSE_UNSWEPT, TV_ERR_INTERNAL);
        return;
    }
    memcpy(before, s->after, sizeof(before));
    s->after[0] = '\0';
    if (page->more) {
        const char *last = page->rooms[page->n_rooms - 1]->room;

        memcpy(s->after, last, strlen(last) + 1);
    }
    request.n_rooms = page->n_rooms;
    request.rooms = page->rooms;
    request.after = before;
    request.last = s->after;
    request.age_ms = (now_us - s->listed_us) / TV_US_PER_MS;
    request.alive_age_ms = tv_pulse_alive_age_ms(s->pulse, now_us);
    ask(s, &televisit__v1__calls__descriptor, "Sweep", &request.base, PAGE_DEADLINE_US, s->arena,
        on_swept, s);
}

static void list(struct tv_sweep *s) {
    Televisit__V1__ListRoomsRequest request = TELEVISIT__V1__LIST_ROOMS_REQUEST__INIT;

    tv_arena_free(s->arena);
    s->arena = tv_arena_new();
    s->listed_us = tv_clock_mono_us();
    request.after = s->after;
    request.limit = TV_SWEEP_PAGE;
    ask(s, &televisit__v1__tokens__descriptor, "ListRooms", &request.base, PAGE_DEADLINE_US,
        s->arena, on_listed, s);
}

/* -- the whole ----------------------------------------------------------------------------------*/

struct tv_sweep *tv_sweep_new(struct tv_loop *l, struct tv_bus *b, const struct tv_pulse *pulse,
                              tv_sweep_done_fn *on_done, void *ctx) {
    struct tv_sweep *s = tv_calloc(1, sizeof(*s));

    s->bus = b;
    s->pulse = pulse;
    s->on_done = on_done;
    s->ctx = ctx;
    TAILQ_INIT(&s->waiting);
    TAILQ_INIT(&s->failed);
    TAILQ_INIT(&s->making);
    s->again = tv_timer_new(l, on_again, s);
    for (size_t i = 0; i < TV_ARRAY_LEN(outcomes); i++)
        (void)tv_metric_series(&sweeps_total, outcomes[i], NULL, NULL, NULL);
    count_room("stray", 0);
    count_room("lost", 0);
    count_room("made", 0);
    return s;
}

void tv_sweep_start(struct tv_sweep *s) {
    if (s->under_way)
        tv_panic("notifier: two sweeps at a time");
    s->under_way = true;
    s->how = TV_PULSE_SWEPT;
    s->err = TV_OK;
    s->cut = false;
    s->after[0] = '\0';
    list(s);
}

void tv_sweep_drain(struct tv_sweep *s) { s->draining = true; }

bool tv_sweep_busy(const struct tv_sweep *s) { return s->under_way; }

void tv_sweep_free(struct tv_sweep *s) {
    if (s == NULL)
        return;
    drop_all(&s->waiting);
    drop_all(&s->failed);
    drop_all(&s->making);
    tv_timer_free(s->again);
    tv_arena_free(s->arena);
    free(s);
}
