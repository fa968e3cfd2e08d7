/* pg_conn.c - one connection. See pg_private.h. */
#include <fcntl.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "pg_private.h"

#define CONNECT_MAX_US (5 * TV_US_PER_S)
#define STALL_GRACE_US TV_US_PER_S
#define GROUP_MAX 16

enum conn_state { CONN_CLOSED, CONN_OPENING, CONN_CHECKING, CONN_PREPARING, CONN_READY };

struct tv_pg_conn {
    struct tv_loop *loop;
    const struct tv_pg_config *config; /* borrowed */
    const struct tv_pg_conn_events *events;
    void *ctx;
    enum conn_state state;
    PGconn *pq;
    int fd; /* a duplicate of libpq's socket, which it may close at any time; -1: none */
    struct tv_watch *watch;
    struct tv_timer *timer; /* opening: gives up; ready: looks for a server that says nothing */
    bool timer_set;
    bool outdated;            /* the schema is not that for which statements were prepared */
    int64_t progress_us;      /* when the server last said something, or was first asked */
    size_t prepared;          /* results of preparing and describing so far */
    struct tv_pg_units units; /* in the order of the pipeline; the first `written` were sent */
    unsigned load;
    struct tv_pg_unit *unsent;  /* first of `units` that is not written; NULL: none */
    struct tv_pg_unit *reading; /* whose results come next; NULL: a sync comes next */
};

static void on_event(void *ctx, unsigned events);
static void on_timer(void *ctx);

/* -- connecting ---------------------------------------------------------------------------------*/

static void ignore_notice(void *arg, const PGresult *notice) { (void)arg, (void)notice; }

/* Server settings by `options`, behind those of the URL. Owned by `out`. */
static void session_options(const struct tv_pg_config *c, struct tv_buf *out) {
    PQconninfoOption *all = PQconninfoParse(c->url, NULL);
    for (PQconninfoOption *o = all; o != NULL && o->keyword != NULL; o++)
        if (strcmp(o->keyword, "options") == 0 && o->val != NULL)
            tv_buf_printf(out, "%s ", o->val);
    PQconninfoFree(all);
    tv_buf_printf(out,
                  "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601 -c bytea_output=hex "
                  "-c extra_float_digits=1 -c plan_cache_mode=force_generic_plan -c jit=off "
                  "-c idle_in_transaction_session_timeout=2s -c statement_timeout=%lld",
                  (long long)(c->statement_timeout_us / TV_US_PER_MS));
}

/* What stands before `dbname` is a default that the URL may change. */
PGconn *tv_pg_connect(const struct tv_pg_config *c, bool wait) {
    struct tv_buf options = TV_BUF_INIT(8192);
    session_options(c, &options);
    const char *const settings[][2] = {
        {"connect_timeout", "10"},
        {"keepalives_idle", "10"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "20000"},
        {"target_session_attrs", "read-write"}, /* no standby: of several hosts the primary */
        {"gssencmode", "disable"},              /* a round trip and 1 MB of Kerberos for nothing */
        {"dbname", c->url},
        {"application_name", c->application_name},
        {"client_encoding", "UTF8"},
        {"options", options.data},
    };
    const char *names[TV_ARRAY_LEN(settings) + 1] = {NULL};
    const char *values[TV_ARRAY_LEN(settings) + 1] = {NULL};
    for (size_t i = 0; i < TV_ARRAY_LEN(settings); i++) {
        names[i] = settings[i][0];
        values[i] = settings[i][1];
    }
    PGconn *pq = (wait ? PQconnectdbParams : PQconnectStartParams)(names, values, 1);
    tv_buf_done(&options);
    if (pq == NULL)
        tv_panic("out of memory");
    PQsetNoticeReceiver(pq, ignore_notice, NULL);
    return pq;
}

struct tv_pg_conn *tv_pg_conn_new(struct tv_loop *l, const struct tv_pg_config *config,
                                  const struct tv_pg_conn_events *events, void *ctx) {
    struct tv_pg_conn *c = tv_calloc(1, sizeof *c);
    *c = (struct tv_pg_conn){.loop = l, .config = config, .events = events, .ctx = ctx, .fd = -1};
    c->timer = tv_timer_new(l, on_timer, c);
    TAILQ_INIT(&c->units);
    return c;
}

void tv_pg_conn_free(struct tv_pg_conn *c) {
    if (c == NULL)
        return;
    assert(TAILQ_EMPTY(&c->units));
    tv_pg_conn_close(c);
    tv_timer_free(c->timer);
    free(c);
}

static void unwatch(struct tv_pg_conn *c) {
    tv_watch_free(TV_TAKE_PTR(c->watch));
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void tv_pg_conn_close(struct tv_pg_conn *c) {
    unwatch(c);
    tv_timer_clear(c->timer);
    c->timer_set = false;
    PQfinish(TV_TAKE_PTR(c->pq));
    c->outdated = false;
    c->state = CONN_CLOSED;
}

static void lose(struct tv_pg_conn *c, const char *why) {
    char text[256];
    struct tv_str line = tv_str(why);
    line = tv_str_trim(tv_str_cut(&line, '\n'));
    snprintf(text, sizeof text, "%.*s", TV_STR_ARGS(line)); /* `why` may be libpq's */
    tv_pg_conn_close(c);
    c->events->on_lost(c->ctx, text[0] == '\0' ? "the connection was lost" : text);
}

static void set_timer(struct tv_pg_conn *c, int64_t after_us) {
    tv_timer_set(c->timer, after_us);
    c->timer_set = true;
}

/* Watches libpq's socket, which may be another after each step of connecting. */
static bool watch_socket(struct tv_pg_conn *c, unsigned events) {
    unwatch(c);
    c->fd = fcntl(PQsocket(c->pq), F_DUPFD_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    c->watch = tv_watch_new(c->loop, c->fd, events, on_event, c);
    return true;
}

void tv_pg_conn_open(struct tv_pg_conn *c) {
    assert(c->state == CONN_CLOSED);
    c->state = CONN_OPENING;
    c->pq = tv_pg_connect(c->config, false);
    set_timer(c, CONNECT_MAX_US);
    if (PQstatus(c->pq) == CONNECTION_BAD)
        lose(c, PQerrorMessage(c->pq));
    else if (!watch_socket(c, TV_WRITABLE))
        lose(c, "too many open files");
}

static bool send_sync(struct tv_pg_conn *c) {
#ifdef LIBPQ_HAS_SEND_PIPELINE_SYNC
    return PQsendPipelineSync(c->pq) == 1; /* without writing to the socket at once */
#else
    return PQpipelineSync(c->pq) == 1;
#endif
}

static void flush(struct tv_pg_conn *c) {
    int left = PQflush(c->pq);
    if (left < 0)
        lose(c, PQerrorMessage(c->pq));
    else
        tv_watch_set(c->watch, left > 0 ? TV_READABLE | TV_WRITABLE : TV_READABLE);
}

static void become_ready(struct tv_pg_conn *c) {
    tv_timer_clear(c->timer);
    c->timer_set = false;
    c->state = CONN_READY;
    c->events->on_ready(c->ctx);
}

static void prepare_all(struct tv_pg_conn *c) {
    const struct tv_pg_config *config = c->config;
    c->state = CONN_PREPARING;
    c->prepared = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < config->statement_count; i++) {
        const struct tv_pg_statement *s = config->statements[i];
        ok = PQsendPrepare(c->pq, s->name, s->text, 0, NULL) == 1 &&
             PQsendDescribePrepared(c->pq, s->name) == 1;
    }
    if (ok && send_sync(c))
        flush(c);
    else
        lose(c, PQerrorMessage(c->pq));
}

/* Statements are prepared on what the check has accepted: their faults would only name the first
 * thing that is missing. */
static void begin_session(struct tv_pg_conn *c) {
    if (PQsetnonblocking(c->pq, 1) != 0 || PQenterPipelineMode(c->pq) != 1) {
        lose(c, PQerrorMessage(c->pq));
        return;
    }
    if (c->config->check == NULL) {
        prepare_all(c);
        return;
    }
    c->state = CONN_CHECKING;
    if (PQsendQueryParams(c->pq, c->config->check_text, 0, NULL, NULL, NULL, NULL, 0) == 1 &&
        send_sync(c))
        flush(c);
    else
        lose(c, PQerrorMessage(c->pq));
}

static void continue_opening(struct tv_pg_conn *c) {
    switch (PQconnectPoll(c->pq)) {
    case PGRES_POLLING_READING:
        if (!watch_socket(c, TV_READABLE))
            lose(c, "too many open files");
        break;
    case PGRES_POLLING_WRITING:
        if (!watch_socket(c, TV_WRITABLE))
            lose(c, "too many open files");
        break;
    case PGRES_POLLING_OK:
        if (!watch_socket(c, TV_READABLE))
            lose(c, "too many open files");
        else
            begin_session(c);
        break;
    case PGRES_POLLING_ACTIVE: /* unused by libpq */
    case PGRES_POLLING_FAILED:
        lose(c, PQerrorMessage(c->pq));
        break;
    }
}

/* -- writing ------------------------------------------------------------------------------------*/

bool tv_pg_conn_takes(const struct tv_pg_conn *c) { return c->state == CONN_READY && !c->outdated; }
unsigned tv_pg_conn_load(const struct tv_pg_conn *c) { return c->load; }

void tv_pg_conn_put(struct tv_pg_conn *c, struct tv_pg_unit *u) {
    u->answered = 0;
    u->sent = u->ends_group = false;
    u->outcome = TV_PG_SUCCESS;
    TAILQ_INSERT_TAIL(&c->units, u, link);
    c->load++;
    if (c->unsent == NULL)
        c->unsent = u;
}

struct tv_pg_unit *tv_pg_conn_take_last(struct tv_pg_conn *c) {
    assert(c->state == CONN_CLOSED);
    struct tv_pg_unit *u = TAILQ_LAST(&c->units, tv_pg_units);
    if (u == NULL)
        return NULL;
    TAILQ_REMOVE(&c->units, u, link);
    c->load--;
    c->unsent = c->reading = NULL;
    return u;
}

static bool send_unit(struct tv_pg_conn *c, struct tv_pg_unit *u) {
    u->sent = true;
    for (unsigned i = 0; i < u->count; i++) {
        const struct tv_pg_statement *s = u->query[i].statement;
        if (PQsendQueryPrepared(c->pq, s->name, (int)s->param_count, u->query[i].params, NULL, NULL,
                                0) != 1)
            return false;
    }
    return true;
}

static bool may_share_sync(const struct tv_pg_unit *u) {
    return u->read_only && u->count == 1 && !u->alone;
}

void tv_pg_conn_flush(struct tv_pg_conn *c) {
    if (c->state != CONN_READY || c->unsent == NULL)
        return;
    if (c->unsent == TAILQ_FIRST(&c->units)) {
        c->reading = c->unsent;
        c->progress_us = tv_clock_mono_us();
    }
    unsigned group = 0;
    while (c->unsent != NULL) {
        struct tv_pg_unit *u = c->unsent;
        struct tv_pg_unit *next = TAILQ_NEXT(u, link);
        group++;
        u->ends_group =
            !may_share_sync(u) || next == NULL || !may_share_sync(next) || group == GROUP_MAX;
        if (!send_unit(c, u) || (u->ends_group && !send_sync(c))) {
            lose(c, PQerrorMessage(c->pq));
            return;
        }
        if (u->ends_group)
            group = 0;
        c->unsent = next;
    }
    if (!c->timer_set && c->config->statement_timeout_us > 0)
        set_timer(c, c->config->statement_timeout_us + STALL_GRACE_US);
    flush(c);
}

/* -- reading ------------------------------------------------------------------------------------*/

static bool is_fatal(const PGresult *r) {
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    /* libpq's own words for a broken connection have neither severity nor SQLSTATE. */
    return severity == NULL || strcmp(severity, "ERROR") != 0;
}

static const char *field(const PGresult *r, int code) {
    const char *text = PQresultErrorField(r, code);
    return text == NULL ? "" : text;
}

/* The server ended the session in place of a result: the transaction is rolled back for sure. */
static bool was_shut_down(const PGresult *r) {
    return strcmp(field(r, PG_DIAG_SQLSTATE), "57P01") == 0;
}

/* What a prepared statement is refused with when the schema has changed beneath it. */
static const char *const outdated_states[] = {
    "0A000", /* the result would have another type */
    "26000", /* it is not prepared: another server took over the connection */
    "3F000", /* no such schema */
    "42P01", /* no such table */
    "42703", /* no such column */
    "42883", /* no such function */
};

static bool is_outdated(const char *sqlstate) {
    for (size_t i = 0; i < TV_ARRAY_LEN(outdated_states); i++)
        if (strcmp(sqlstate, outdated_states[i]) == 0)
            return true;
    return false;
}

static const char *statement_name(const struct tv_pg_unit *u) {
    return u->query[u->answered < u->count ? u->answered : 0].statement->name;
}

/* It was prepared on this connection, so it fitted: nothing was written, and what it meets on a
 * connection of now may be right. */
static void refuse_outdated(struct tv_pg_conn *c, struct tv_pg_unit *u, const char *state) {
    if (!c->outdated)
        tv_log_warn("the schema has changed beneath a statement", F_STR(SQLSTATE, state),
                    F_STR(STATEMENT, statement_name(u)));
    c->outdated = true;
    u->outcome = TV_PG_COLLIDED;
    tv_fail(&u->error, TV_ERR_UNAVAILABLE, "%s", "");
}

static void refuse(struct tv_pg_conn *c, struct tv_pg_unit *u, const PGresult *r) {
    if (u->outcome == TV_PG_REFUSED || u->outcome == TV_PG_COLLIDED)
        return; /* the first error of a transaction is the one that tells */
    const char *state = field(r, PG_DIAG_SQLSTATE);
    if (is_outdated(state)) {
        refuse_outdated(c, u, state);
        return;
    }
    bool collided = strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0;
    u->outcome = collided ? TV_PG_COLLIDED : TV_PG_REFUSED;
    if (strncmp(state, "TV", 2) == 0) {
        enum tv_err code = tv_err_by_slug(field(r, PG_DIAG_MESSAGE_PRIMARY));
        tv_fail_at(&u->error, code == TV_OK ? TV_ERR_INTERNAL : code,
                   code == TV_OK ? "" : field(r, PG_DIAG_COLUMN_NAME), "%s",
                   code == TV_OK ? "" : field(r, PG_DIAG_MESSAGE_DETAIL));
        return;
    }
    /* The server's own words may hold values and names: they are not for people. */
    tv_fail(&u->error, tv_pg_sqlstate(state), "%s", "");
    tv_log_debug("statement refused", F_STR(SQLSTATE, state), F_STR(STATEMENT, statement_name(u)));
}

/* A sync: the units of the group are answered and leave. */
static void end_group(struct tv_pg_conn *c) {
    bool last;
    do {
        struct tv_pg_unit *u = TAILQ_FIRST(&c->units);
        last = u->ends_group;
        TAILQ_REMOVE(&c->units, u, link);
        c->load--;
        c->events->on_unit(c->ctx, u);
    } while (!last);
    c->reading = TAILQ_FIRST(&c->units) == c->unsent ? NULL : TAILQ_FIRST(&c->units);
}

/* A refusal behind the last result, as from a deferred constraint: the whole group. */
static void refuse_group(struct tv_pg_conn *c, const PGresult *r) {
    struct tv_pg_unit *u;
    TAILQ_FOREACH(u, &c->units, link) {
        refuse(c, u, r);
        if (u->ends_group)
            break;
    }
}

/* One result of a unit; owns `r`. False when it means the end of the connection. */
static bool take_result(struct tv_pg_conn *c, PGresult *r) {
    ExecStatusType status = PQresultStatus(r);
    struct tv_pg_unit *u = c->reading;
    bool alive = true;
    if (status == PGRES_PIPELINE_SYNC) {
        end_group(c);
    } else if (u == NULL) {
        alive = !is_fatal(r);
        if (alive)
            refuse_group(c, r);
    } else if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        u->result[u->answered].statement = u->query[u->answered].statement;
        u->result[u->answered].rows = TV_TAKE_PTR(r);
    } else if (status == PGRES_PIPELINE_ABORTED) {
        if (u->outcome == TV_PG_SUCCESS)
            u->outcome = TV_PG_SKIPPED;
    } else {
        alive = !is_fatal(r);
        if (alive || was_shut_down(r))
            refuse(c, u, r);
    }
    PQclear(r);
    return alive;
}

/* NULL from libpq: the statement has no more results. */
static void end_statement(struct tv_pg_conn *c) {
    struct tv_pg_unit *u = c->reading;
    if (u == NULL || ++u->answered < u->count)
        return;
    c->reading = u->ends_group ? NULL : TAILQ_NEXT(u, link);
}

static void read_units(struct tv_pg_conn *c) {
    /* `load` counts what is unsent too; those have no results to wait for. */
    while (TAILQ_FIRST(&c->units) != c->unsent && !PQisBusy(c->pq)) {
        PGresult *r = PQgetResult(c->pq);
        if (r == NULL) {
            end_statement(c);
        } else if (!take_result(c, r)) {
            lose(c, PQerrorMessage(c->pq));
            return;
        }
    }
    if (c->outdated && TAILQ_EMPTY(&c->units))
        lose(c, "the schema has changed");
}

/* The result of the check; the connection is lost unless it is good. A table that is not there is a
 * table without rows. */
static void judge(struct tv_pg_conn *c, PGresult *r) {
    const struct tv_pg_result rows = {.rows = (struct pg_result *)r};
    ExecStatusType status = PQresultStatus(r);
    const char *state = field(r, PG_DIAG_SQLSTATE);
    char why[128] = "";
    if (status != PGRES_TUPLES_OK && strcmp(state, "42P01") != 0 && strcmp(state, "3F000") != 0)
        lose(c, state[0] == '\0' ? PQerrorMessage(c->pq) : field(r, PG_DIAG_MESSAGE_PRIMARY));
    else if (!c->config->check(c->config->ctx, &rows, why))
        lose(c, why);
}

static void read_check(struct tv_pg_conn *c) {
    while (c->state == CONN_CHECKING && !PQisBusy(c->pq)) {
        PGresult *r = PQgetResult(c->pq);
        if (r == NULL)
            continue; /* the end of the query; its sync follows */
        if (PQresultStatus(r) == PGRES_PIPELINE_SYNC)
            prepare_all(c);
        else
            judge(c, r);
        PQclear(r);
    }
}

/* Results of prepare_all(): for each statement that it is prepared, and its columns. */
static void read_prepared(struct tv_pg_conn *c) {
    while (c->state == CONN_PREPARING && !PQisBusy(c->pq)) {
        PGresult *r = PQgetResult(c->pq);
        if (r == NULL) {
            c->prepared++;
            continue;
        }
        ExecStatusType status = PQresultStatus(r);
        if (status == PGRES_PIPELINE_SYNC) {
            become_ready(c);
        } else if (status == PGRES_COMMAND_OK) {
            if (c->prepared % 2 == 1)
                c->events->on_described(c->ctx, c->prepared / 2, TV_TAKE_PTR(r));
        } else {
            char why[256];
            size_t i = c->prepared / 2;
            snprintf(why, sizeof why, "statement %s: %s",
                     i < c->config->statement_count ? c->config->statements[i]->name : "?",
                     field(r, PG_DIAG_MESSAGE_PRIMARY));
            lose(c, why);
        }
        PQclear(r);
    }
}

static void on_event(void *ctx, unsigned events) {
    struct tv_pg_conn *c = ctx;
    if (c->state == CONN_OPENING) {
        continue_opening(c);
        return;
    }
    if (events & TV_WRITABLE)
        flush(c);
    if (c->state == CONN_CLOSED || !(events & TV_READABLE))
        return;
    bool alive = PQconsumeInput(c->pq) == 1;
    c->progress_us = tv_clock_mono_us();
    /* Also when it is lost: what came before counts. */
    if (c->state == CONN_CHECKING)
        read_check(c);
    if (c->state == CONN_PREPARING)
        read_prepared(c);
    if (c->state == CONN_READY)
        read_units(c);
    if (c->state != CONN_CLOSED && (!alive || PQstatus(c->pq) == CONNECTION_BAD))
        lose(c, PQerrorMessage(c->pq));
}

/* How long the server may be silent: it answers a group when all of it is done. */
static int64_t silence_max_us(const struct tv_pg_conn *c) {
    int64_t us = STALL_GRACE_US;
    const struct tv_pg_unit *u;
    TAILQ_FOREACH(u, &c->units, link) {
        us += u->count * c->config->statement_timeout_us;
        if (u->ends_group)
            break;
    }
    return us;
}

static void on_timer(void *ctx) {
    struct tv_pg_conn *c = ctx;
    c->timer_set = false;
    if (c->state != CONN_READY) {
        lose(c, "the server does not answer");
        return;
    }
    if (TAILQ_EMPTY(&c->units))
        return;
    int64_t left_us = c->progress_us + silence_max_us(c) - tv_clock_mono_us();
    if (left_us > 0) {
        set_timer(c, left_us);
        return;
    }
    c->events->on_silence(c->ctx);
    lose(c, TV_PG_SILENT);
}

/* -- results ------------------------------------------------------------------------------------*/

void tv_pg_rows_free(struct pg_result *rows) { PQclear(rows); }
unsigned tv_pg_rows(const struct tv_pg_result *r) { return (unsigned)PQntuples(r->rows); }
unsigned tv_pg_columns(const struct tv_pg_result *r) { return (unsigned)PQnfields(r->rows); }
const char *tv_pg_column_name(const struct tv_pg_result *r, unsigned column) {
    return PQfname(r->rows, (int)column);
}
unsigned tv_pg_column_type(const struct tv_pg_result *r, unsigned column) {
    return PQftype(r->rows, (int)column);
}
int tv_pg_column(const struct tv_pg_result *r, const char *name) {
    /* Not PQfnumber(): it folds case and reads quotes. */
    for (int i = 0; i < PQnfields(r->rows); i++)
        if (strcmp(PQfname(r->rows, i), name) == 0)
            return i;
    return -1;
}
bool tv_pg_is_null(const struct tv_pg_result *r, unsigned row, unsigned column) {
    return PQgetisnull(r->rows, (int)row, (int)column) == 1;
}
struct tv_str tv_pg_value(const struct tv_pg_result *r, unsigned row, unsigned column) {
    return (struct tv_str){PQgetvalue(r->rows, (int)row, (int)column),
                           (size_t)PQgetlength(r->rows, (int)row, (int)column)};
}
const struct tv_pg_statement *tv_pg_result_statement(const struct tv_pg_result *r) {
    return r->statement;
}
unsigned tv_pg_affected(const struct tv_pg_result *r) {
    uint64_t n = 0;
    /* Not const in libpq, and not changed by it. */
    const char *text = PQcmdTuples((PGresult *)(uintptr_t)r->rows);
    return tv_str_to_u64(tv_str(text), 0, UINT32_MAX, &n) ? (unsigned)n : 0;
}
