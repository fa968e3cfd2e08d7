/* bus_metrics.c - what the bus counts. Everything is looked up once and then counted in one step.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus_internal.h"
#include "clock.h"

static struct tv_metric requests_metric = {.name = "tv_bus_requests_total",
                                           .help = "Requests by subject and how they ended.",
                                           .type = TV_COUNTER,
                                           .labels = {"subject", "outcome"}};
/* A call over the bus that takes longer has met a deadline. */
static const double seconds_buckets[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                         0.05,   0.1,   0.25,   0.5,   1,    5};
static struct tv_metric request_seconds_metric = {
    .name = "tv_bus_request_seconds",
    .help = "Time from a request to its reply, or to the end of waiting, by subject.",
    .type = TV_HISTOGRAM,
    .labels = {"subject"},
    .buckets = seconds_buckets,
    .bucket_count = TV_ARRAY_LEN(seconds_buckets),
};
static struct tv_metric served_metric = {.name = "tv_bus_served_total",
                                         .help = "Calls served by subject and how they ended.",
                                         .type = TV_COUNTER,
                                         .labels = {"subject", "outcome"}};
static struct tv_metric served_seconds_metric = {
    .name = "tv_bus_served_seconds",
    .help = "Time from the arrival of a call to its answer, by subject.",
    .type = TV_HISTOGRAM,
    .labels = {"subject"},
    .buckets = seconds_buckets,
    .bucket_count = TV_ARRAY_LEN(seconds_buckets),
};
static struct tv_metric late_metric = {.name = "tv_bus_late_replies_total",
                                       .help = "Replies that came when nobody waited any more.",
                                       .type = TV_COUNTER};
static struct tv_metric reconnects_metric = {.name = "tv_bus_reconnects_total",
                                             .help = "Connections to NATS made after a loss.",
                                             .type = TV_COUNTER};
static struct tv_metric violations_metric = {.name = "tv_bus_permission_violations_total",
                                             .help = "Operations that NATS did not permit.",
                                             .type = TV_COUNTER};
static struct tv_metric slow_metric = {.name = "tv_bus_slow_consumer_total",
                                       .help = "Times that NATS messages were dropped here.",
                                       .type = TV_COUNTER};

struct tv_bus_counted {
    char *subject;
    struct tv_series *ended[TV_ERR_COUNT]; /* the usual ones from the start, others when they are */
    struct tv_series *seconds;
};

/* How requests end when the bus ends them: there from the start, so that the first is seen. */
static const enum tv_err usual_ends[] = {TV_OK, TV_ERR_UNAVAILABLE, TV_ERR_DEADLINE,
                                         TV_ERR_UNKNOWN_OUTCOME};

void tv_bus_counters_init(struct tv_bus_counters *c) {
    tv_metric_register(&requests_metric);
    tv_metric_register(&request_seconds_metric);
    tv_metric_register(&served_metric);
    tv_metric_register(&served_seconds_metric);
    *c = (struct tv_bus_counters){.late = tv_metric_single(&late_metric),
                                  .reconnects = tv_metric_single(&reconnects_metric),
                                  .violations = tv_metric_single(&violations_metric),
                                  .slow = tv_metric_single(&slow_metric)};
}

static struct tv_series *end_series(struct tv_bus_counted *c, enum tv_err err) {
    if (c->ended[err] == NULL)
        c->ended[err] = tv_metric_series(&requests_metric, c->subject,
                                         err == TV_OK ? "ok" : tv_err_info(err)->slug, NULL, NULL);
    return c->ended[err];
}

static struct tv_bus_counted *new_counted(const char *subject) {
    struct tv_bus_counted *c = tv_calloc(1, sizeof(*c));

    c->subject = tv_strdup(subject);
    for (size_t i = 0; i < TV_ARRAY_LEN(usual_ends); i++)
        (void)end_series(c, usual_ends[i]);
    c->seconds = tv_metric_series(&request_seconds_metric, subject, NULL, NULL, NULL);
    return c;
}

static void free_counted(struct tv_bus_counted *c) {
    if (c != NULL)
        free(c->subject);
    free(c);
}

void tv_bus_counters_done(struct tv_bus_counters *c) {
    for (size_t i = 0; i < TV_ARRAY_LEN(c->subjects); i++)
        free_counted(c->subjects[i]);
    free_counted(c->other);
}

struct tv_bus_counted *tv_bus_counters_of(struct tv_bus_counters *c, const char *subject) {
    uint32_t at = 2166136261u; /* FNV-1a */

    for (const char *p = subject; *p != '\0'; p++)
        at = (at ^ (unsigned char)*p) * 16777619u;
    for (at %= TV_ARRAY_LEN(c->subjects); c->subjects[at] != NULL;
         at = (at + 1) % TV_ARRAY_LEN(c->subjects)) {
        if (strcmp(c->subjects[at]->subject, subject) == 0)
            return c->subjects[at];
    }
    if (c->count < TV_BUS_COUNTED_MAX) {
        c->count++;
        return c->subjects[at] = new_counted(subject);
    }
    if (c->other == NULL)
        c->other = new_counted("other");
    return c->other;
}

void tv_bus_count_end(struct tv_bus_counted *c, enum tv_err err, int64_t took_us) {
    tv_inc(end_series(c, err));
    tv_observe(c->seconds, (double)took_us / (double)TV_US_PER_S);
}

void tv_bus_served_init(struct tv_bus_served *s, const char *service, const char *method) {
    static const char *const names[TV_SERVED_OUTCOMES] = {"ok", "refused", "failed", "dropped"};
    char subject[192];

    snprintf(subject, sizeof(subject), "tv.v1.%s.%s", service, method);
    for (size_t i = 0; i < TV_ARRAY_LEN(names); i++)
        s->ended[i] = tv_metric_series(&served_metric, subject, names[i], NULL, NULL);
    s->seconds = tv_metric_series(&served_seconds_metric, subject, NULL, NULL, NULL);
}

void tv_bus_count_served(struct tv_bus_served *s, enum tv_bus_outcome outcome, int64_t took_us) {
    tv_inc(s->ended[outcome]);
    tv_observe(s->seconds, (double)took_us / (double)TV_US_PER_S);
}
