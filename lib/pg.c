/* pg.c - the pool: units, their queue and deadlines, connections that come and go. See pg.h for
 * the story and pg_private.h for what a connection promises.
 *
 * A unit is on exactly one list: `waiting` (queue_unit), a connection's (dispatch), or `ended`
 * (end_unit), from where its callback is called and it is freed. */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "metrics.h"
#include "pg_private.h"

#define BACKOFF_MIN_US (100 * TV_US_PER_MS)
#define BACKOFF_MAX_US (5 * TV_US_PER_S)
#define COLLISIONS_MAX 3

/* One connection and when to try again. */
struct link {
    struct tv_pg *pg;
    struct tv_pg_conn *conn;
    struct tv_timer *retry;
    int64_t backoff_us;
    bool usable;
};

/* What is known of a statement of the configuration; sorted by its address. */
struct known {
    const struct tv_pg_statement *statement;
    struct tv_series *ok, *seconds;
    struct tv_pg_result described; /* rows is NULL before the first connection */
};

struct tv_pg {
    struct tv_loop *loop;
    struct tv_pg_config config;
    struct link links[64];
    unsigned usable; /* links */
    struct known *known;
    struct tv_series *waits;
    struct tv_pg_units waiting;
    unsigned waiting_count;
    struct tv_pg_units ended; /* to be told at the turn's end */
    unsigned ended_count;
    struct tv_turn turn;
    struct tv_timer *deadline;
    int64_t deadline_us; /* when that timer fires; 0: not set */
    bool closing;
    char last_error[256];
};

/* -- metrics ------------------------------------------------------------------------------------*/

static struct tv_metric queries_metric = {
    .name = "tv_pg_queries_total",
    .help = "Units by their first statement and outcome (ok, refused, failed, unknown)",
    .type = TV_COUNTER,
    .labels = {"statement", "outcome"},
};
static const char *const bad_outcomes[] = {"refused", "failed", "unknown"};
static struct tv_metric seconds_metric = {
    .name = "tv_pg_seconds",
    .help = "Time of a unit from submitting to its answer, by its first statement",
    .type = TV_HISTOGRAM,
    .labels = {"statement"},
};
static const double wait_buckets[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                      0.05,   0.1,   0.25,   0.5,   1,    5};
static struct tv_metric wait_metric = {
    .name = "tv_pg_wait_seconds",
    .help = "Time that units waited for a connection before they were sent to it",
    .type = TV_HISTOGRAM,
    .buckets = wait_buckets,
    .bucket_count = TV_ARRAY_LEN(wait_buckets),
};
static struct tv_metric unsent_metric = {
    .name = "tv_pg_unsent_total",
    .help = "Units that no connection got: there was none, the queue was full, or it took too long",
    .type = TV_COUNTER,
    .labels = {"reason"},
};
static struct tv_metric waiting_metric = {
    .name = "tv_pg_waiting", .help = "Units that wait for a connection", .type = TV_GAUGE};
static struct tv_metric connections_metric = {
    .name = "tv_pg_connections",
    .help = "Connections by state (usable, down)",
    .type = TV_GAUGE,
    .labels = {"state"},
};
static struct tv_metric reconnects_metric = {
    .name = "tv_pg_reconnects_total", .help = "Connections lost or refused", .type = TV_COUNTER};

/* Why a unit was not sent. */
enum unsent { NO_CONNECTION, QUEUE_FULL, WAITED_TOO_LONG, UNSENT_COUNT };
static const char *const unsent_labels[UNSENT_COUNT] = {
    [NO_CONNECTION] = "no_connection",
    [QUEUE_FULL] = "queue_full",
    [WAITED_TOO_LONG] = "waited_too_long",
};

static struct tv_series *unsent_series(enum unsent why) {
    return tv_metric_series(&unsent_metric, unsent_labels[why], NULL, NULL, NULL);
}

static void register_metrics(void) {
    (void)tv_metric_single(&wait_metric);
    (void)tv_metric_single(&waiting_metric);
    (void)tv_metric_single(&reconnects_metric);
    for (enum unsent why = 0; why < UNSENT_COUNT; why++)
        (void)unsent_series(why);
}

static void show_waiting(const struct tv_pg *pg) {
    tv_set(tv_metric_single(&waiting_metric), pg->waiting_count);
}

static void show_connections(const struct tv_pg *pg) {
    tv_set(tv_metric_series(&connections_metric, "usable", NULL, NULL, NULL), pg->usable);
    tv_set(tv_metric_series(&connections_metric, "down", NULL, NULL, NULL),
           pg->config.connections - pg->usable);
}

/* -- errors -------------------------------------------------------------------------------------*/

/* The first prefix that fits decides. Anything else is a fault of ours. */
static const struct {
    const char *prefix;
    enum tv_err code;
} sqlstates[] = {
    {"08", TV_ERR_UNAVAILABLE},    /* connection exception */
    {"22", TV_ERR_INVALID},        /* data exception */
    {"23502", TV_ERR_INVALID},     /* not null */
    {"23503", TV_ERR_NOT_FOUND},   /* foreign key */
    {"23505", TV_ERR_CONFLICT},    /* unique */
    {"23514", TV_ERR_INVALID},     /* check */
    {"23P01", TV_ERR_SLOT_TAKEN},  /* exclusion constraint */
    {"25006", TV_ERR_UNAVAILABLE}, /* read only: a standby */
    {"40", TV_ERR_UNAVAILABLE},    /* rolled back by the server, after our attempts */
    {"53", TV_ERR_UNAVAILABLE},    /* out of resources */
    {"55P03", TV_ERR_UNAVAILABLE}, /* lock_timeout */
    {"57014", TV_ERR_DEADLINE},    /* statement_timeout */
    {"57P0", TV_ERR_UNAVAILABLE},  /* shutdown, start-up */
};

enum tv_err tv_pg_sqlstate(const char *sqlstate) {
    struct tv_str state = tv_str(sqlstate);
    for (size_t i = 0; i < TV_ARRAY_LEN(sqlstates); i++)
        if (tv_str_starts(state, tv_str(sqlstates[i].prefix)))
            return sqlstates[i].code;
    return TV_ERR_INTERNAL;
}

/* -- statements ---------------------------------------------------------------------------------*/

static int compare_known(const void *a, const void *b) {
    uintptr_t x = (uintptr_t)((const struct known *)a)->statement;
    uintptr_t y = (uintptr_t)((const struct known *)b)->statement;
    return (x > y) - (x < y);
}

static struct known *find_known(const struct tv_pg *pg, const struct tv_pg_statement *s) {
    if (pg->config.statement_count == 0)
        return NULL;
    const struct known key = {.statement = s};
    return bsearch(&key, pg->known, pg->config.statement_count, sizeof key, compare_known);
}

static struct known *must_know(const struct tv_pg *pg, const struct tv_pg_statement *s) {
    struct known *k = find_known(pg, s);
    if (k == NULL)
        tv_panic("statement %s is not of this pool", s->name);
    return k;
}

static struct known *learn_statements(const struct tv_pg_config *c) {
    struct known *known = tv_calloc(c->statement_count + 1, sizeof *known);
    for (size_t i = 0; i < c->statement_count; i++) {
        const char *name = c->statements[i]->name;
        known[i].statement = known[i].described.statement = c->statements[i];
        known[i].ok = tv_metric_series(&queries_metric, name, "ok", NULL, NULL);
        for (size_t j = 0; j < TV_ARRAY_LEN(bad_outcomes); j++)
            (void)tv_metric_series(&queries_metric, name, bad_outcomes[j], NULL, NULL);
        known[i].seconds = tv_metric_series(&seconds_metric, name, NULL, NULL, NULL);
    }
    qsort(known, c->statement_count, sizeof *known, compare_known);
    return known;
}

const struct tv_pg_result *tv_pg_described(const struct tv_pg *pg,
                                           const struct tv_pg_statement *s) {
    const struct known *k = find_known(pg, s);
    return k == NULL || k->described.rows == NULL ? NULL : &k->described;
}

/* -- the end of a unit --------------------------------------------------------------------------*/

static void free_results(struct tv_pg_unit *u) {
    for (unsigned i = 0; i < u->count; i++) {
        tv_pg_rows_free(u->result[i].rows);
        u->result[i].rows = NULL;
    }
}

static const char *outcome_label(enum tv_err err) {
    if (err == TV_ERR_UNKNOWN_OUTCOME)
        return bad_outcomes[2];
    return bad_outcomes[tv_err_info(err)->http < 500 ? 0 : 1];
}

static void count_unit(const struct tv_pg *pg, const struct tv_pg_unit *u) {
    const struct known *k = must_know(pg, u->query[0].statement);
    enum tv_err err = u->error.code;
    tv_inc(err == TV_OK ? k->ok
                        : tv_metric_series(&queries_metric, k->statement->name, outcome_label(err),
                                           NULL, NULL));
    tv_observe(k->seconds, (double)(tv_clock_mono_us() - u->submitted_us) / 1e6);
}

/* Tells its owner and frees it. */
static void tell_unit(struct tv_pg *pg, struct tv_pg_unit *u) {
    count_unit(pg, u);
    enum tv_err err = u->error.code;
    const struct tv_pg_result *results[TV_PG_UNIT_MAX];
    for (unsigned i = 0; i < u->count; i++)
        results[i] = &u->result[i];
    u->on_done(u->ctx, err, &u->error, err == TV_OK ? results : NULL, err == TV_OK ? u->count : 0);
    free_results(u);
    free(u);
}

static void tell_ended(struct tv_pg *pg) {
    struct tv_pg_unit *u;
    while ((u = TAILQ_FIRST(&pg->ended)) != NULL) {
        TAILQ_REMOVE(&pg->ended, u, link);
        pg->ended_count--;
        tell_unit(pg, u);
    }
}

/* The unit has failed; its callback comes at the end of the turn. */
static void end_unit(struct tv_pg *pg, struct tv_pg_unit *u, enum tv_err err) {
    if (u->error.code == TV_OK) /* otherwise the server had refused it before */
        tv_fail(&u->error, err, "%s", "");
    if (u->error.code == TV_ERR_UNAVAILABLE)
        u->error.retry_after_s = 1;
    TAILQ_INSERT_TAIL(&pg->ended, u, link);
    pg->ended_count++;
    tv_turn_arm(pg->loop, &pg->turn);
}

/* -- waiting ------------------------------------------------------------------------------------*/

/* The timer fires at the earliest deadline, or before it when that one was served already. */
static void set_deadline(struct tv_pg *pg, int64_t at_us) {
    if (pg->deadline_us != 0 && pg->deadline_us <= at_us)
        return;
    pg->deadline_us = at_us;
    tv_timer_set(pg->deadline, TV_MAX(at_us - tv_clock_mono_us(), 0));
}

static void on_deadline(void *ctx) {
    struct tv_pg *pg = ctx;
    pg->deadline_us = 0;
    int64_t now_us = tv_clock_mono_us();
    int64_t next_us = INT64_MAX;
    struct tv_pg_unit *u, *next;
    TV_TAILQ_FOREACH_SAFE(u, &pg->waiting, link, next) {
        if (u->deadline_us > now_us) {
            next_us = TV_MIN(next_us, u->deadline_us);
            continue;
        }
        TAILQ_REMOVE(&pg->waiting, u, link);
        pg->waiting_count--;
        tv_inc(unsent_series(WAITED_TOO_LONG));
        end_unit(pg, u, TV_ERR_DEADLINE);
    }
    if (next_us != INT64_MAX)
        set_deadline(pg, next_us);
    show_waiting(pg);
}

static void unit_waits(struct tv_pg *pg, struct tv_pg_unit *u) {
    pg->waiting_count++;
    u->waits_since_us = tv_clock_mono_us();
    set_deadline(pg, u->deadline_us);
    tv_turn_arm(pg->loop, &pg->turn);
}

/* Sends it again, before those that came later. */
static void send_again(struct tv_pg *pg, struct tv_pg_unit *u) {
    free_results(u);
    u->error = TV_ERROR_INIT;
    TAILQ_INSERT_HEAD(&pg->waiting, u, link);
    unit_waits(pg, u);
}

static struct tv_pg_conn *least_loaded(const struct tv_pg *pg) {
    struct tv_pg_conn *best = NULL;
    unsigned best_load = pg->config.window;
    for (unsigned i = 0; i < pg->config.connections; i++) {
        const struct link *l = &pg->links[i];
        if (l->usable && tv_pg_conn_takes(l->conn) && tv_pg_conn_load(l->conn) < best_load) {
            best = l->conn;
            best_load = tv_pg_conn_load(best);
        }
    }
    return best;
}

static void dispatch(struct tv_pg *pg) {
    int64_t now_us = tv_clock_mono_us();
    struct tv_pg_unit *u;
    while ((u = TAILQ_FIRST(&pg->waiting)) != NULL) {
        struct tv_pg_conn *conn = NULL;
        if (u->deadline_us > now_us && (conn = least_loaded(pg)) == NULL)
            break;
        TAILQ_REMOVE(&pg->waiting, u, link);
        pg->waiting_count--;
        if (conn == NULL) {
            tv_inc(unsent_series(WAITED_TOO_LONG));
            end_unit(pg, u, TV_ERR_DEADLINE);
        } else {
            tv_observe(pg->waits, (double)(now_us - u->waits_since_us) / 1e6);
            tv_pg_conn_put(conn, u);
        }
    }
    for (unsigned i = 0; i < pg->config.connections; i++)
        tv_pg_conn_flush(pg->links[i].conn);
    show_waiting(pg);
}

static void on_turn(void *ctx) {
    struct tv_pg *pg = ctx;
    dispatch(pg);
    tell_ended(pg);
}

void tv_pg_submit(struct tv_pg *pg, const struct tv_pg_query *queries, unsigned count,
                  int64_t deadline_us, tv_pg_done *on_done, void *ctx) {
    assert(count >= 1 && count <= TV_PG_UNIT_MAX);
    struct tv_pg_unit *u = tv_calloc(1, sizeof *u);
    u->on_done = on_done;
    u->ctx = ctx;
    u->deadline_us = deadline_us;
    u->submitted_us = tv_clock_mono_us();
    u->count = count;
    u->read_only = true;
    for (unsigned i = 0; i < count; i++) {
        must_know(pg, queries[i].statement);
        u->query[i] = queries[i];
        u->read_only = u->read_only && queries[i].statement->read_only;
    }
    if (pg->closing || pg->usable == 0 || pg->waiting_count >= pg->config.queue_max) {
        tv_inc(unsent_series(pg->closing || pg->usable == 0 ? NO_CONNECTION : QUEUE_FULL));
        end_unit(pg, u, TV_ERR_UNAVAILABLE);
        return;
    }
    TAILQ_INSERT_TAIL(&pg->waiting, u, link);
    unit_waits(pg, u);
}

/* -- what a connection tells --------------------------------------------------------------------*/

static void on_described(void *ctx, size_t statement, struct pg_result *columns) {
    struct link *l = ctx;
    struct known *k = must_know(l->pg, l->pg->config.statements[statement]);
    tv_pg_rows_free(k->described.rows);
    k->described.rows = columns;
}

static void set_usable(struct link *l, bool usable) {
    struct tv_pg *pg = l->pg;
    if (l->usable == usable)
        return;
    l->usable = usable;
    unsigned before = pg->usable;
    pg->usable = usable ? before + 1 : before - 1;
    show_connections(pg);
    if ((before == 0 || pg->usable == 0) && pg->config.on_state != NULL && !pg->closing)
        pg->config.on_state(pg->config.ctx, pg->usable > 0);
}

static void on_ready(void *ctx) {
    struct link *l = ctx;
    l->backoff_us = BACKOFF_MIN_US;
    l->pg->last_error[0] = '\0';
    set_usable(l, true);
    tv_turn_arm(l->pg->loop, &l->pg->turn);
}

static void on_unit(void *ctx, struct tv_pg_unit *u) {
    struct link *l = ctx;
    struct tv_pg *pg = l->pg;
    set_usable(l, true);
    if (u->outcome == TV_PG_SKIPPED) {
        u->alone = true;
        send_again(pg, u);
    } else if (u->outcome == TV_PG_COLLIDED && u->collisions < COLLISIONS_MAX) {
        u->collisions++;
        send_again(pg, u);
    } else {
        if (!TAILQ_EMPTY(&pg->waiting)) /* there is room for one more */
            tv_turn_arm(pg->loop, &pg->turn);
        tell_unit(pg, u);
    }
}

/* A unit of a lost connection. */
static void on_unit_lost(struct tv_pg *pg, struct tv_pg_unit *u) {
    if (!u->sent) {
        send_again(pg, u);
    } else if (u->read_only && !u->resent) {
        u->resent = true;
        send_again(pg, u);
    } else if (u->read_only) {
        end_unit(pg, u, TV_ERR_UNAVAILABLE);
    } else {
        end_unit(pg, u, TV_ERR_UNKNOWN_OUTCOME);
    }
}

/* Decorrelated jitter: between the least and three times the last, so that the connections of all
 * replicas come back at different times. */
static int64_t next_backoff(int64_t last_us) {
    uint32_t span_us = (uint32_t)(last_us * 3 - BACKOFF_MIN_US);
    return TV_MIN(BACKOFF_MIN_US + (int64_t)arc4random_uniform(span_us + 1), BACKOFF_MAX_US);
}

static void on_lost(void *ctx, const char *why) {
    struct link *l = ctx;
    struct tv_pg *pg = l->pg;
    snprintf(pg->last_error, sizeof pg->last_error, "%s", why);
    tv_inc(tv_metric_single(&reconnects_metric));
    struct tv_pg_unit *u;
    while ((u = tv_pg_conn_take_last(l->conn)) != NULL)
        on_unit_lost(pg, u);
    tv_timer_set(l->retry, l->backoff_us);
    l->backoff_us = next_backoff(l->backoff_us);
    set_usable(l, false);
}

/* A server that is frozen is silent on all connections, and each would only find out in its own
 * time, with somebody's request. Those without work are made anew: that tells at once, and costs
 * little when it was the one only. The others are not usable until they answer (on_unit). */
static void on_silence(void *ctx) {
    struct tv_pg *pg = ((struct link *)ctx)->pg;
    for (unsigned i = 0; i < pg->config.connections; i++) {
        struct link *l = &pg->links[i];
        if (l == ctx || !l->usable)
            continue;
        if (tv_pg_conn_load(l->conn) == 0) {
            tv_pg_conn_close(l->conn);
            on_lost(l, TV_PG_SILENT);
        } else {
            set_usable(l, false);
        }
    }
}

static const struct tv_pg_conn_events conn_events = {.on_described = on_described,
                                                     .on_ready = on_ready,
                                                     .on_unit = on_unit,
                                                     .on_silence = on_silence,
                                                     .on_lost = on_lost};

/* -- lifecycle ----------------------------------------------------------------------------------*/

static void on_retry(void *ctx) {
    struct link *l = ctx;
    tv_pg_conn_open(l->conn);
}

struct tv_pg *tv_pg_new(struct tv_loop *l, const struct tv_pg_config *c) {
    assert(c->connections >= 1 && c->connections <= 64 && c->window >= 1);
    struct tv_pg *pg = tv_calloc(1, sizeof *pg);
    pg->loop = l;
    pg->config = *c;
    pg->turn = (struct tv_turn){.fn = on_turn, .ctx = pg};
    pg->deadline = tv_timer_new(l, on_deadline, pg);
    pg->known = learn_statements(c);
    register_metrics();
    pg->waits = tv_metric_single(&wait_metric);
    TAILQ_INIT(&pg->waiting);
    TAILQ_INIT(&pg->ended);
    for (unsigned i = 0; i < c->connections; i++) {
        struct link *k = &pg->links[i];
        *k = (struct link){.pg = pg, .backoff_us = BACKOFF_MIN_US};
        k->conn = tv_pg_conn_new(l, &pg->config, &conn_events, k);
        k->retry = tv_timer_new(l, on_retry, k);
        tv_timer_set(k->retry, 0); /* from the loop, so that on_state is not called from here */
    }
    show_connections(pg);
    return pg;
}

void tv_pg_free(struct tv_pg *pg) {
    if (pg == NULL)
        return;
    pg->closing = true;
    struct tv_pg_unit *u;
    for (unsigned i = 0; i < pg->config.connections; i++) {
        struct link *l = &pg->links[i];
        tv_pg_conn_close(l->conn);
        set_usable(l, false);
        while ((u = tv_pg_conn_take_last(l->conn)) != NULL) {
            u->resent = true;
            on_unit_lost(pg, u);
        }
        tv_pg_conn_free(l->conn);
        tv_timer_free(l->retry);
    }
    while ((u = TAILQ_FIRST(&pg->waiting)) != NULL) {
        TAILQ_REMOVE(&pg->waiting, u, link);
        end_unit(pg, u, TV_ERR_UNAVAILABLE);
    }
    tell_ended(pg);
    tv_turn_disarm(pg->loop, &pg->turn);
    tv_timer_free(pg->deadline);
    for (size_t i = 0; i < pg->config.statement_count; i++)
        tv_pg_rows_free(pg->known[i].described.rows);
    free(pg->known);
    free(pg);
}

bool tv_pg_usable(const struct tv_pg *pg) { return pg->usable > 0; }
unsigned tv_pg_usable_connections(const struct tv_pg *pg) { return pg->usable; }
const char *tv_pg_last_error(const struct tv_pg *pg) { return pg->last_error; }

unsigned tv_pg_pending(const struct tv_pg *pg) {
    unsigned n = pg->waiting_count + pg->ended_count;
    for (unsigned i = 0; i < pg->config.connections; i++)
        n += tv_pg_conn_load(pg->links[i].conn);
    return n;
}

/* -- values -------------------------------------------------------------------------------------*/

/* "2026-11-23 08:21:58.5+00": rewritten as RFC 3339, which clock.c reads strictly. */
bool tv_pg_time(const struct tv_pg_result *r, unsigned row, unsigned column, int64_t *ret_us) {
    struct tv_str value = tv_pg_value(r, row, column);
    char text[TV_TIME_TEXT_MAX];
    if (value.len < 22 || value.len >= sizeof text || value.p[10] != ' ' ||
        memcmp(value.p + value.len - 3, "+00", 3) != 0)
        return false;
    memcpy(text, value.p, value.len);
    text[10] = 'T';
    text[value.len - 3] = 'Z';
    return tv_time_parse((struct tv_str){text, value.len - 2}, ret_us);
}
