/* due.c - see due.h. */
#include "services/notifier/due.h"

#include <stdlib.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/pb.h"
#include "lib/rpc.h"
#include "services/notifier/ask.h"
#include "services/notifier/clock.h"
#include "services/notifier/tell.h"
#include "televisit/v1/due.pb-c.h"

#define FIRE_LIMIT 500
#define FIRE_DEADLINE_US (5 * TV_US_PER_S)
#define BUS_POLL_US (20 * TV_US_PER_MS) /* while the bus is away: its return is soon noticed */
#define YEAR_10000_US INT64_C(253402300800000000)

struct tv_due {
    struct tv_loop *loop;
    struct tv_bus *bus;
    struct tv_due_clock clock;
    struct tv_timer *timer; /* of the clock's next_us */
    struct tv_bus_subscription *hints;
    struct tv_arena *arena; /* of the Fire in flight, else NULL */
    tv_due_news_fn *on_news;
    void *ctx;
    bool draining;
};

/* -- what is counted ----------------------------------------------------------------------------*/

static const double lateness_buckets[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                          1,     2,    5,     10,   30,  60,   300};
static struct tv_metric lateness = {
    .name = "tv_notify_lateness_seconds",
    .help = "How long after its due time a notice was committed.",
    .type = TV_HISTOGRAM,
    .buckets = lateness_buckets,
    .bucket_count = TV_ARRAY_LEN(lateness_buckets),
};
static struct tv_metric expired = {
    .name = "tv_notify_expired_total",
    .help = "Due rows that came too late to become events.",
    .type = TV_COUNTER,
};
static struct tv_metric backlog = {
    .name = "tv_notify_backlog",
    .help = "Due rows that waited at the last Fire, up to 1000.",
    .type = TV_GAUGE,
};
static struct tv_metric next_due = {
    .name = "tv_notify_next_due_timestamp_seconds",
    .help =
        "When the earliest due row that has not fired is due, on the database's clock; 0: none.",
    .type = TV_GAUGE,
};
static struct tv_metric last_fire = {
    .name = "tv_notify_last_fire_timestamp_seconds",
    .help = "The database's time at the last Fire that went well; 0: none did.",
    .type = TV_GAUGE,
};
static struct tv_metric fire_errors = {
    .name = "tv_notify_fire_errors_total",
    .help = "Fires that failed, by code.",
    .type = TV_COUNTER,
    .labels = {"code"},
};

static const enum tv_err usual_errors[] = {TV_ERR_UNAVAILABLE, TV_ERR_DEADLINE,
                                           TV_ERR_UNKNOWN_OUTCOME, TV_ERR_INTERNAL};

static void register_metrics(void) {
    (void)tv_metric_single(&lateness);
    (void)tv_metric_single(&expired);
    (void)tv_metric_single(&backlog);
    (void)tv_metric_single(&next_due);
    (void)tv_metric_single(&last_fire);
    /* Those that happen when something is away: there from the start, so that the first is seen. */
    for (size_t i = 0; i < TV_ARRAY_LEN(usual_errors); i++)
        (void)tv_metric_series(&fire_errors, tv_err_info(usual_errors[i])->slug, NULL, NULL, NULL);
}

/* -- firing -------------------------------------------------------------------------------------*/

bool tv_due_is_time(const Google__Protobuf__Timestamp *t) {
    return t != NULL && t->seconds >= 0 && t->seconds < YEAR_10000_US / TV_US_PER_S &&
           t->nanos >= 0 && t->nanos < 1000000000;
}

static void observe_lateness(const Televisit__V1__InboxEntry *entry, int64_t now_db_us) {
    if (tv_due_is_time(entry->due_at))
        tv_observe(tv_metric_single(&lateness),
                   (double)TV_MAX(now_db_us - tv_pb_time_us(entry->due_at), INT64_C(0)) / 1e6);
}

static void arm(struct tv_due *d) {
    int64_t next_us = tv_due_clock_next_us(&d->clock);

    if (d->draining || next_us == INT64_MAX)
        tv_timer_clear(d->timer);
    else
        tv_timer_set(d->timer, TV_MAX(next_us - tv_clock_mono_us(), INT64_C(0)));
}

static void on_failure(struct tv_due *d, enum tv_err err) {
    tv_inc(tv_metric_series(&fire_errors, tv_err_info(err)->slug, NULL, NULL, NULL));
    if (d->clock.failures == 0)
        tv_log_warn("firing fails", F_STR(CODE, tv_err_info(err)->slug));
    tv_due_clock_failed(&d->clock, tv_clock_mono_us());
}

/* What else the reply says, for the jobs and for the watch. */
static void tell_news(struct tv_due *d, const Televisit__V1__FireReply *reply) {
    struct tv_due_news news = {
        .asked_us = d->clock.sent_us,
        .next_job_us = INT64_MAX,
        .watched = reply->watched,
        .media_missed = reply->media_missed,
    };

    if (tv_due_is_time(reply->next_job_at))
        news.next_job_us = tv_pb_time_us(reply->next_job_at) - tv_due_clock_offset_us(&d->clock);
    d->on_news(d->ctx, &news);
}

static void on_fired(struct tv_due *d, const Televisit__V1__FireReply *reply) {
    bool has_now = tv_due_is_time(reply->now);
    int64_t now_db_us = has_now ? tv_pb_time_us(reply->now) : 0;
    const struct tv_due_reply r = {
        .now_db_us = now_db_us,
        .has_next = tv_due_is_time(reply->next_due_at),
        .next_due_db_us =
            tv_due_is_time(reply->next_due_at) ? tv_pb_time_us(reply->next_due_at) : 0,
        .more = reply->more,
    };

    /* They are committed, so they are told, whatever else is wrong with the reply. */
    tv_tell_reply(d->bus, &reply->base);
    for (size_t i = 0; has_now && i < reply->n_told; i++)
        observe_lateness(reply->told[i], now_db_us);
    if (reply->expired > 0)
        tv_add(tv_metric_single(&expired), reply->expired);
    tv_set(tv_metric_single(&backlog), reply->backlog);
    if (!has_now || (reply->next_due_at != NULL && !r.has_next)) {
        on_failure(d, TV_ERR_INTERNAL);
        return;
    }
    if (d->clock.failures > 0)
        tv_log_info("firing works again", F_INT(ATTEMPT, d->clock.failures));
    if (reply->fired > 0 || reply->expired > 0)
        tv_log_debug("fired", F_INT(COUNT, reply->fired), F_INT(VALUE, reply->expired));
    tv_set(tv_metric_single(&next_due), (double)r.next_due_db_us / 1e6);
    tv_set(tv_metric_single(&last_fire), (double)now_db_us / 1e6);
    tv_due_clock_replied(&d->clock, tv_clock_mono_us(), &r);
    tell_news(d, reply);
}

static void on_reply(void *ctx, enum tv_err err, const struct tv_error *e,
                     ProtobufCMessage *reply) {
    struct tv_due *d = ctx;

    if (err == TV_OK)
        on_fired(d, (const Televisit__V1__FireReply *)reply);
    else
        on_failure(d, err);
    tv_arena_free(TV_TAKE_PTR(d->arena));
    arm(d);
}

static void fire(void *ctx) {
    struct tv_due *d = ctx;
    Televisit__V1__FireRequest request = TELEVISIT__V1__FIRE_REQUEST__INIT;

    if (!tv_bus_connected(d->bus)) {
        tv_timer_set(d->timer, BUS_POLL_US);
        return;
    }
    request.limit = FIRE_LIMIT;
    d->arena = tv_arena_new();
    tv_due_clock_sent(&d->clock, tv_clock_mono_us());
    tv_ask(d->bus, &televisit__v1__due__descriptor, "Fire", &request.base,
           tv_clock_mono_us() + FIRE_DEADLINE_US, d->arena, on_reply, d);
}

static void on_hint(void *ctx, const struct tv_bus_message *m) {
    struct tv_due *d = ctx;

    tv_due_clock_hint(&d->clock, tv_clock_mono_us());
    arm(d);
}

/* -- the whole ----------------------------------------------------------------------------------*/

struct tv_due *tv_due_new(struct tv_loop *l, struct tv_bus *b, tv_due_news_fn *on_news, void *ctx) {
    struct tv_due *d = tv_calloc(1, sizeof(*d));
    uint64_t seed;

    d->loop = l;
    d->bus = b;
    d->on_news = on_news;
    d->ctx = ctx;
    register_metrics();
    tv_random(&seed, sizeof(seed));
    tv_due_clock_init(&d->clock, tv_clock_mono_us(), seed);
    d->timer = tv_timer_new(l, fire, d);
    d->hints = tv_bus_subscribe(b, TV_HINT_SUBJECT, on_hint, d);
    arm(d);
    return d;
}

void tv_due_drain(struct tv_due *d) {
    d->draining = true;
    tv_bus_unsubscribe(TV_TAKE_PTR(d->hints));
    arm(d);
}

bool tv_due_busy(const struct tv_due *d) { return d->arena != NULL; }

void tv_due_free(struct tv_due *d) {
    if (d == NULL)
        return;
    tv_bus_unsubscribe(d->hints); /* of a start that failed later on: nobody drained */
    tv_timer_free(d->timer);
    tv_arena_free(d->arena);
    free(d);
}
