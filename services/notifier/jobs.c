/* jobs.c - see jobs.h. */
#include "services/notifier/jobs.h"

#include <stdlib.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/rpc.h"
#include "services/notifier/ask.h"
#include "services/notifier/clock.h"
#include "services/notifier/due.h"
#include "services/notifier/kinds.h"
#include "services/notifier/tell.h"

#define CLAIM_DEADLINE_US (4 * TV_US_PER_S)
#define STEP_DEADLINE_US (3 * TV_US_PER_S)
#define FINISH_US (500 * TV_US_PER_MS) /* of the lease, kept for saying how it went */
#define LEASE_US (TV_JOBS_LEASE_MS * TV_US_PER_MS)
#define BUS_POLL_US (20 * TV_US_PER_MS)
#define STUBBORN_ATTEMPTS 10 /* after so many a job is worth a line in the log */

#define OUTCOME(name) TELEVISIT__V1__FINISH_JOB_REQUEST__OUTCOME__##name

struct tv_job {
    struct tv_jobs *jobs;
    struct tv_arena *arena; /* of everything below, and of the job itself */
    const Televisit__V1__Job *row;
    const struct tv_kind *kind; /* NULL: none of ours */
    int64_t claimed_us;         /* when the Claim was sent: the lease began later */
    int64_t asked_us;           /* the latest step */
    tv_job_next_fn *next;
    tv_job_otherwise_fn *otherwise;
    Televisit__V1__FinishJobRequest__Outcome ended; /* UNSPECIFIED while it runs */
    int32_t again_ms;
    const char *reason; /* static */
    LIST_ENTRY(tv_job) link;
};

struct tv_jobs {
    struct tv_loop *loop;
    struct tv_bus *bus;
    struct tv_due_clock clock;
    struct tv_timer *timer;        /* of the clock's next_us */
    struct tv_arena *arena;        /* of the Claim in flight, else NULL */
    LIST_HEAD(, tv_job) under_way; /* from its claim until it is finished or lost */
    unsigned count;                /* of them */
    bool draining;
};

/* -- what is counted ----------------------------------------------------------------------------*/

static const double second_buckets[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                        1,     2,    5,     10,   30,  60,   300};
static struct tv_metric jobs_total = {
    .name = "tv_jobs_total",
    .help = "Jobs by kind and how they went; lost: the lease ended first.",
    .type = TV_COUNTER,
    .labels = {"kind", "outcome"},
};
static struct tv_metric job_seconds = {
    .name = "tv_job_seconds",
    .help = "From the claim of a job until its end was recorded, by kind.",
    .type = TV_HISTOGRAM,
    .labels = {"kind"},
    .buckets = second_buckets,
    .bucket_count = TV_ARRAY_LEN(second_buckets),
};
static struct tv_metric job_lateness = {
    .name = "tv_job_lateness_seconds",
    .help = "How long after its time a job was claimed.",
    .type = TV_HISTOGRAM,
    .buckets = second_buckets,
    .bucket_count = TV_ARRAY_LEN(second_buckets),
};
static struct tv_metric backlog = {
    .name = "tv_jobs_backlog",
    .help = "Jobs whose time had come and that nobody had claimed at the last Claim, up to 1000.",
    .type = TV_GAUGE,
};
static struct tv_metric dead = {
    .name = "tv_jobs_dead",
    .help = "Jobs that failed for good, at the last Claim, up to 1000.",
    .type = TV_GAUGE,
};
static struct tv_metric claim_errors = {
    .name = "tv_jobs_claim_errors_total",
    .help = "Claims that failed, by code.",
    .type = TV_COUNTER,
    .labels = {"code"},
};

static const char *const ways[] = {"done", "again", "retry", "dead", "lost"};
static const enum tv_err usual_errors[] = {TV_ERR_UNAVAILABLE, TV_ERR_DEADLINE,
                                           TV_ERR_UNKNOWN_OUTCOME, TV_ERR_INTERNAL};

static void register_metrics(void) {
    tv_metric_register(&jobs_total);
    tv_metric_register(&job_seconds);
    for (size_t i = 0; i < tv_kind_count; i++) {
        for (size_t o = 0; o < TV_ARRAY_LEN(ways); o++)
            (void)tv_metric_series(&jobs_total, tv_kinds[i].name, ways[o], NULL, NULL);
        (void)tv_metric_series(&job_seconds, tv_kinds[i].name, NULL, NULL, NULL);
    }
    (void)tv_metric_single(&job_lateness);
    (void)tv_metric_single(&backlog);
    (void)tv_metric_single(&dead);
    for (size_t i = 0; i < TV_ARRAY_LEN(usual_errors); i++)
        (void)tv_metric_series(&claim_errors, tv_err_info(usual_errors[i])->slug, NULL, NULL, NULL);
}

static const char *kind_label(const struct tv_job *j) {
    return j->kind != NULL ? j->kind->name : "other";
}

static void count(const struct tv_job *j, const char *how) {
    tv_inc(tv_metric_series(&jobs_total, kind_label(j), how, NULL, NULL));
}

/* -- the life of a job --------------------------------------------------------------------------*/

static void arm(struct tv_jobs *s) {
    int64_t next_us = tv_due_clock_next_us(&s->clock);

    if (s->draining || next_us == INT64_MAX || s->count >= TV_JOBS_MAX)
        tv_timer_clear(s->timer);
    else
        tv_timer_set(s->timer, TV_MAX(next_us - tv_clock_mono_us(), INT64_C(0)));
}

static void free_job(struct tv_job *j) {
    struct tv_jobs *s = j->jobs;

    LIST_REMOVE(j, link);
    s->count--;
    tv_arena_free(j->arena);
    arm(s); /* there is room for another one */
}

/* Somebody else has it, or will have it when the lease ends. */
static void lose(struct tv_job *j) {
    count(j, "lost");
    free_job(j);
}

static const char *outcome_label(Televisit__V1__FinishJobRequest__Outcome o) {
    static const char *const labels[] = {
        [OUTCOME(DONE)] = "done",
        [OUTCOME(AGAIN)] = "again",
        [OUTCOME(RETRY)] = "retry",
        [OUTCOME(DEAD)] = "dead",
    };

    return labels[o];
}

static void log_end(const struct tv_job *j) {
    if (j->ended == OUTCOME(DEAD))
        tv_log_error("a job failed for good", F_STR(NAME, kind_label(j)), F_STR(REASON, j->reason),
                     F_INT(ATTEMPT, j->row->attempts),
                     F_STR(APPOINTMENT_ID, j->row->appointment_id));
    else if (j->ended == OUTCOME(RETRY) && j->row->attempts == STUBBORN_ATTEMPTS)
        tv_log_warn("a job keeps failing", F_STR(NAME, kind_label(j)), F_STR(REASON, j->reason),
                    F_INT(ATTEMPT, j->row->attempts),
                    F_STR(APPOINTMENT_ID, j->row->appointment_id));
    else
        tv_log_debug("a job ended", F_STR(NAME, kind_label(j)),
                     F_STR(STATE, outcome_label(j->ended)), F_STR(REASON, j->reason));
}

static void on_finished(void *ctx, enum tv_err err, const struct tv_error *e,
                        ProtobufCMessage *reply) {
    struct tv_job *j = ctx;
    struct tv_jobs *s = j->jobs;
    int64_t now_us = tv_clock_mono_us();

    if (err != TV_OK || !((const Televisit__V1__FinishJobReply *)(const void *)reply)->held) {
        lose(j);
        return;
    }
    count(j, outcome_label(j->ended));
    tv_observe(tv_metric_series(&job_seconds, kind_label(j), NULL, NULL, NULL),
               (double)(now_us - j->claimed_us) / 1e6);
    log_end(j);
    if (j->ended == OUTCOME(AGAIN) || j->ended == OUTCOME(RETRY))
        tv_due_clock_hint(&s->clock, now_us + j->again_ms * TV_US_PER_MS);
    free_job(j);
}

/* The lease binds on the database's clock from the commit of the Claim; here it is counted from
 * before that, so that it never seems to be ours when it is not. False: there is no time left, or
 * no bus, and the job was lost. */
static bool ask(struct tv_job *j, const ProtobufCServiceDescriptor *service, const char *method,
                const ProtobufCMessage *request, int64_t deadline_us, tv_rpc_reply_fn *on_reply) {
    if (deadline_us <= tv_clock_mono_us() || !tv_bus_connected(j->jobs->bus)) {
        lose(j);
        return false;
    }
    tv_ask(j->jobs->bus, service, method, request, deadline_us, j->arena, on_reply, j);
    return true;
}

static void finish(struct tv_job *j, Televisit__V1__FinishJobRequest__Outcome how, int32_t again_ms,
                   const char *reason) {
    Televisit__V1__FinishJobRequest request = TELEVISIT__V1__FINISH_JOB_REQUEST__INIT;

    if (j->ended != OUTCOME(UNSPECIFIED))
        tv_panic("notifier: a job of kind %s ended twice", kind_label(j));
    j->ended = how;
    j->again_ms = again_ms;
    j->reason = reason;
    request.clinic_id = j->row->clinic_id;
    request.id = j->row->id;
    request.lease = j->row->lease;
    request.outcome = how;
    request.again_ms = again_ms;
    request.reason = tv_arena_strdup(j->arena, reason);
    (void)ask(j, &televisit__v1__jobs__descriptor, "Finish", &request.base,
              j->claimed_us + LEASE_US, on_finished);
}

/* -- what kinds use, see job.h ------------------------------------------------------------------*/

const Televisit__V1__Job *tv_job_row(const struct tv_job *j) { return j->row; }
struct tv_arena *tv_job_arena(const struct tv_job *j) {
    return j->arena;
}

int64_t tv_job_step_age_ms(const struct tv_job *j) {
    return (tv_clock_mono_us() - j->asked_us) / TV_US_PER_MS;
}

void tv_job_done(struct tv_job *j) { finish(j, OUTCOME(DONE), 0, ""); }

void tv_job_again(struct tv_job *j, int32_t after_ms) { finish(j, OUTCOME(AGAIN), after_ms, ""); }

void tv_job_fail(struct tv_job *j, enum tv_err err) {
    int32_t attempts = j->row->attempts;

    if (tv_kind_is_hopeless(err) ||
        (j->kind->attempts_max > 0 && attempts >= j->kind->attempts_max))
        finish(j, OUTCOME(DEAD), 0, tv_err_info(err)->slug);
    else
        finish(j, OUTCOME(RETRY), tv_kind_wait_ms(j->kind, attempts, &j->jobs->clock.random),
               tv_err_info(err)->slug);
}

static void on_step(void *ctx, enum tv_err err, const struct tv_error *e, ProtobufCMessage *reply) {
    struct tv_job *j = ctx;
    struct tv_jobs *s = j->jobs;

    if (err == TV_OK) {
        tv_tell_reply(s->bus, reply);
        j->next(j, reply);
    } else if (!tv_bus_connected(s->bus) || (s->draining && err == TV_ERR_UNAVAILABLE)) {
        lose(j); /* with the bus, which may be closing for good */
    } else if (j->otherwise != NULL && !tv_kind_is_hopeless(err)) {
        j->otherwise(j, err);
    } else {
        tv_job_fail(j, err);
    }
}

void tv_job_call(struct tv_job *j, const ProtobufCServiceDescriptor *service, const char *method,
                 const ProtobufCMessage *request, tv_job_next_fn *next,
                 tv_job_otherwise_fn *otherwise) {
    int64_t now_us = tv_clock_mono_us();

    j->next = next;
    j->otherwise = otherwise;
    j->asked_us = now_us;
    (void)ask(j, service, method, request,
              TV_MIN(now_us + STEP_DEADLINE_US, j->claimed_us + LEASE_US - FINISH_US), on_step);
}

/* -- claiming -----------------------------------------------------------------------------------*/

static void observe_lateness(const Televisit__V1__Job *row,
                             const Televisit__V1__ClaimJobsReply *r) {
    if (tv_due_is_time(row->due_at) && tv_due_is_time(r->now))
        tv_observe(tv_metric_single(&job_lateness),
                   (double)TV_MAX(tv_pb_time_us(r->now) - tv_pb_time_us(row->due_at), INT64_C(0)) /
                       1e6);
}

static void begin(struct tv_jobs *s, const Televisit__V1__Job *row) {
    struct tv_arena *a = tv_arena_new();
    struct tv_job *j = TV_ARENA_NEW(a, struct tv_job);

    *j = (struct tv_job){
        .jobs = s,
        .arena = a,
        .row = (const Televisit__V1__Job *)(const void *)tv_pb_unpack(
            &televisit__v1__job__descriptor, tv_pb_pack(&row->base, a), a),
        .kind = tv_kind_find(row->kind),
        .claimed_us = s->clock.sent_us,
    };
    LIST_INSERT_HEAD(&s->under_way, j, link);
    s->count++;
    if (j->kind != NULL)
        j->kind->run(j);
    else
        finish(j, OUTCOME(DEAD), 0, "unknown-kind");
}

static void on_claim_failed(struct tv_jobs *s, enum tv_err err) {
    tv_inc(tv_metric_series(&claim_errors, tv_err_info(err)->slug, NULL, NULL, NULL));
    if (s->clock.failures == 0)
        tv_log_warn("claiming jobs fails", F_STR(CODE, tv_err_info(err)->slug));
    tv_due_clock_failed(&s->clock, tv_clock_mono_us());
}

static void on_claimed(struct tv_jobs *s, const Televisit__V1__ClaimJobsReply *reply) {
    bool has_now = tv_due_is_time(reply->now);
    const struct tv_due_reply r = {
        .now_db_us = has_now ? tv_pb_time_us(reply->now) : 0,
        .has_next = tv_due_is_time(reply->next_run_at),
        .next_due_db_us =
            tv_due_is_time(reply->next_run_at) ? tv_pb_time_us(reply->next_run_at) : 0,
        .more = reply->more,
    };

    tv_set(tv_metric_single(&backlog), reply->backlog);
    tv_set(tv_metric_single(&dead), reply->dead);
    if (!has_now || (reply->next_run_at != NULL && !r.has_next)) {
        on_claim_failed(s, TV_ERR_INTERNAL);
    } else {
        if (s->clock.failures > 0)
            tv_log_info("claiming jobs works again", F_INT(ATTEMPT, s->clock.failures));
        tv_due_clock_replied(&s->clock, tv_clock_mono_us(), &r);
    }
    /* They are claimed, whatever else is wrong with the reply, and also when we drain. */
    for (size_t i = 0; i < reply->n_jobs; i++) {
        observe_lateness(reply->jobs[i], reply);
        begin(s, reply->jobs[i]);
    }
}

static void on_claim_reply(void *ctx, enum tv_err err, const struct tv_error *e,
                           ProtobufCMessage *reply) {
    struct tv_jobs *s = ctx;

    if (err == TV_OK)
        on_claimed(s, (const Televisit__V1__ClaimJobsReply *)(const void *)reply);
    else
        on_claim_failed(s, err);
    tv_arena_free(TV_TAKE_PTR(s->arena));
    arm(s);
}

static void claim(void *ctx) {
    struct tv_jobs *s = ctx;
    Televisit__V1__ClaimJobsRequest request = TELEVISIT__V1__CLAIM_JOBS_REQUEST__INIT;

    if (!tv_bus_connected(s->bus)) {
        tv_timer_set(s->timer, BUS_POLL_US);
        return;
    }
    s->arena = tv_arena_new();
    request.limit = (int32_t)(TV_JOBS_MAX - s->count);
    request.lease_ms = TV_JOBS_LEASE_MS;
    /* What a newer release has added is for its own notifiers. */
    request.kinds = tv_arena_calloc(s->arena, tv_kind_count, sizeof(*request.kinds));
    for (; request.n_kinds < tv_kind_count; request.n_kinds++)
        request.kinds[request.n_kinds] = tv_arena_strdup(s->arena, tv_kinds[request.n_kinds].name);
    tv_due_clock_sent(&s->clock, tv_clock_mono_us());
    tv_ask(s->bus, &televisit__v1__jobs__descriptor, "Claim", &request.base,
           tv_clock_mono_us() + CLAIM_DEADLINE_US, s->arena, on_claim_reply, s);
}

/* -- the whole ----------------------------------------------------------------------------------*/

struct tv_jobs *tv_jobs_new(struct tv_loop *l, struct tv_bus *b) {
    struct tv_jobs *s = tv_calloc(1, sizeof(*s));
    uint64_t seed;

    s->loop = l;
    s->bus = b;
    LIST_INIT(&s->under_way);
    register_metrics();
    tv_random(&seed, sizeof(seed));
    tv_due_clock_init_asleep(&s->clock, seed);
    s->timer = tv_timer_new(l, claim, s);
    return s;
}

void tv_jobs_hint(struct tv_jobs *s, int64_t at_us) {
    tv_due_clock_hint(&s->clock, at_us);
    arm(s);
}

void tv_jobs_drain(struct tv_jobs *s) {
    s->draining = true;
    arm(s);
}

bool tv_jobs_busy(const struct tv_jobs *s) { return s->arena != NULL || s->count > 0; }

void tv_jobs_free(struct tv_jobs *s) {
    struct tv_job *j;

    if (s == NULL)
        return;
    while ((j = LIST_FIRST(&s->under_way)) != NULL) {
        LIST_REMOVE(j, link);
        tv_arena_free(j->arena);
    }
    tv_timer_free(s->timer);
    tv_arena_free(s->arena);
    free(s);
}
