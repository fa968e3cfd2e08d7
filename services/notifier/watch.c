/* watch.c - see watch.h. */
#include "services/notifier/watch.h"

#include <stdlib.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/rpc.h"
#include "services/notifier/ask.h"
#include "services/notifier/pulse.h"
#include "services/notifier/sweep.h"
#include "services/notifier/tell.h"
#include "televisit/v1/calls.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"

#define PROBE_DEADLINE_US (2 * TV_US_PER_S)
#define RESTORE_DEADLINE_US (5 * TV_US_PER_S)
#define BUS_POLL_US (20 * TV_US_PER_MS) /* while the bus is away: its return is soon noticed */
#define BUS_LOOK_US (1 * TV_US_PER_S)   /* else: that it went away */

struct tv_media_watch {
    struct tv_loop *loop;
    struct tv_bus *bus;
    struct tv_pulse pulse;
    struct tv_sweep *sweep;
    struct tv_timer *timer;   /* of what the pulse wants next */
    struct tv_arena *probe;   /* of the Probe in flight, else NULL */
    struct tv_arena *restore; /* of the RestoreMedia in flight, else NULL */
    bool blind;               /* LiveKit is not known to be down: tokens, which asks it, is away */
    bool draining;
};

/* -- what is counted ----------------------------------------------------------------------------*/

static struct tv_metric livekit_up = {
    .name = "tv_watch_livekit_up",
    .help = "Whether LiveKit answered when it was asked last; absent before that.",
    .type = TV_GAUGE,
};
static const double outage_buckets[] = {0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200};
static struct tv_metric outage = {
    .name = "tv_watch_outage_seconds",
    .help = "How long LiveKit did not answer.",
    .type = TV_HISTOGRAM,
    .buckets = outage_buckets,
    .bucket_count = TV_ARRAY_LEN(outage_buckets),
};

/* Says once that LiveKit is away, and once that it is back. `err` is why it did not answer. */
static void take_news(struct tv_media_watch *w, enum tv_pulse_news news, int64_t now_us,
                      enum tv_err err) {
    bool is_down = w->pulse.livekit == TV_PULSE_DOWN, was_blind = w->blind;
    int64_t away_us = now_us - w->pulse.down_us;

    w->blind = is_down && (was_blind || news == TV_PULSE_LOST) &&
               (err == TV_ERR_UNAVAILABLE || err == TV_OK /* of a sweep that ends just now */);
    if (w->pulse.livekit != TV_PULSE_UNKNOWN && !w->blind)
        tv_set(tv_metric_single(&livekit_up), !is_down);
    if (w->blind && news == TV_PULSE_LOST)
        tv_log_warn("LiveKit cannot be asked: tokens is away");
    else if (news == TV_PULSE_LOST || (is_down && was_blind && !w->blind))
        tv_log_warn("LiveKit does not answer", F_STR(CODE, tv_err_info(err)->slug));
    else if (news == TV_PULSE_BACK)
        tv_log_info("LiveKit answers again", F_INT(DURATION_US, away_us));
    else if (news == TV_PULSE_RESTARTED)
        tv_log_info("a running room is not in LiveKit as it was", F_STR(ROOM, w->pulse.room));
    if (news == TV_PULSE_BACK && !was_blind)
        tv_observe(tv_metric_single(&outage), (double)away_us / 1e6);
}

/* -- asking -------------------------------------------------------------------------------------*/

static void arm(struct tv_media_watch *w) {
    int64_t next_us = TV_MIN(tv_pulse_next_probe_us(&w->pulse), tv_pulse_next_sweep_us(&w->pulse));
    int64_t now_us = tv_clock_mono_us();

    if (w->draining)
        tv_timer_clear(w->timer);
    else if (w->pulse.away)
        tv_timer_set(w->timer, BUS_POLL_US);
    else if (next_us <= now_us)
        tv_timer_set(w->timer, 0);
    else
        tv_timer_set(w->timer, TV_MIN(next_us - now_us, BUS_LOOK_US));
}

static struct tv_arena *ask(struct tv_media_watch *w, const ProtobufCServiceDescriptor *service,
                            const char *method, const ProtobufCMessage *request, int64_t within_us,
                            tv_rpc_reply_fn *on_reply) {
    struct tv_arena *a = tv_arena_new();

    tv_ask(w->bus, service, method, request, tv_clock_mono_us() + within_us, a, on_reply, w);
    return a;
}

static void on_restored(void *ctx, enum tv_err err, const struct tv_error *e,
                        ProtobufCMessage *reply) {
    struct tv_media_watch *w = ctx;

    if (err == TV_OK) {
        tv_tell_reply(w->bus, reply);
        tv_pulse_restored(&w->pulse, tv_clock_mono_us());
    } /* else: after the next probe */
    tv_arena_free(TV_TAKE_PTR(w->restore));
    arm(w);
}

static void restore_media(struct tv_media_watch *w) {
    const Google__Protobuf__Empty nothing = GOOGLE__PROTOBUF__EMPTY__INIT;

    if (!w->draining && w->restore == NULL && tv_pulse_may_restore(&w->pulse))
        w->restore = ask(w, &televisit__v1__calls__descriptor, "RestoreMedia", &nothing.base,
                         RESTORE_DEADLINE_US, on_restored);
}

static void on_probed(void *ctx, enum tv_err err, const struct tv_error *e,
                      ProtobufCMessage *reply) {
    struct tv_media_watch *w = ctx;
    int64_t now_us = tv_clock_mono_us();

    if (err == TV_OK) {
        const char *sid = ((const Televisit__V1__ProbeReply *)(const void *)reply)->room_sid;

        take_news(w, tv_pulse_probe_answered(&w->pulse, now_us, sid), now_us, err);
        restore_media(w);
    } else if (w->draining || !tv_bus_connected(w->bus)) {
        tv_pulse_probe_lost(&w->pulse);
    } else {
        take_news(w, tv_pulse_probe_failed(&w->pulse, now_us), now_us, err);
    }
    tv_arena_free(TV_TAKE_PTR(w->probe));
    arm(w);
}

static void probe(struct tv_media_watch *w) {
    Televisit__V1__ProbeRequest request = TELEVISIT__V1__PROBE_REQUEST__INIT;

    request.room = w->pulse.room;
    tv_pulse_probe_sent(&w->pulse, tv_clock_mono_us());
    w->probe = ask(w, &televisit__v1__tokens__descriptor, "Probe", &request.base, PROBE_DEADLINE_US,
                   on_probed);
}

static void on_swept(void *ctx, enum tv_pulse_swept how, enum tv_err err) {
    struct tv_media_watch *w = ctx;
    int64_t now_us = tv_clock_mono_us();

    if (!tv_bus_connected(w->bus))
        tv_pulse_bus_away(&w->pulse);
    take_news(w, tv_pulse_sweep_done(&w->pulse, now_us, how), now_us, err);
    arm(w);
}

static void on_timer(void *ctx) {
    struct tv_media_watch *w = ctx;
    int64_t now_us = tv_clock_mono_us();

    if (!tv_bus_connected(w->bus)) {
        tv_pulse_bus_away(&w->pulse);
    } else {
        tv_pulse_bus_back(&w->pulse, now_us);
        if (tv_pulse_next_probe_us(&w->pulse) <= now_us)
            probe(w);
        if (tv_pulse_next_sweep_us(&w->pulse) <= now_us) {
            tv_pulse_sweep_sent(&w->pulse, now_us);
            tv_sweep_start(w->sweep);
        }
    }
    arm(w);
}

/* -- the whole ----------------------------------------------------------------------------------*/

struct tv_media_watch *tv_media_watch_new(struct tv_loop *l, struct tv_bus *b) {
    struct tv_media_watch *w = tv_calloc(1, sizeof(*w));
    uint64_t seed;

    w->loop = l;
    w->bus = b;
    /* livekit_up waits for the first answer: nobody shall be woken by a 0 that means "not known".
     */
    (void)tv_metric_single(&outage);
    tv_random(&seed, sizeof(seed));
    tv_pulse_init(&w->pulse, seed);
    w->sweep = tv_sweep_new(l, b, &w->pulse, on_swept, w);
    w->timer = tv_timer_new(l, on_timer, w);
    arm(w);
    return w;
}

void tv_media_watch_news(struct tv_media_watch *w, const struct tv_due_news *news) {
    const Televisit__V1__WatchedRoom *room = news->watched;

    tv_pulse_need(&w->pulse, news->asked_us, tv_clock_mono_us(), room != NULL ? room->room : NULL,
                  room != NULL ? room->room_sid : NULL, news->media_missed);
    arm(w);
}

void tv_media_watch_drain(struct tv_media_watch *w) {
    w->draining = true;
    tv_sweep_drain(w->sweep);
    arm(w);
}

bool tv_media_watch_busy(const struct tv_media_watch *w) {
    return w->probe != NULL || w->restore != NULL || tv_sweep_busy(w->sweep);
}

void tv_media_watch_free(struct tv_media_watch *w) {
    if (w == NULL)
        return;
    tv_sweep_free(w->sweep);
    tv_timer_free(w->timer);
    tv_arena_free(w->probe);
    tv_arena_free(w->restore);
    free(w);
}
