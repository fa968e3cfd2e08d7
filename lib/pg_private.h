/* pg_private.h - between pg.c, which knows units and queues, and pg_conn.c, which knows libpq.
 *
 * A connection is opened, has the schema checked, prepares and describes all statements in one
 * stroke, and is ready. It then takes units, writes them when it is told to, and gives each back by
 * `on_unit`, in order. One that finds its statements outdated takes no more and is lost when it has
 * given back what it has.
 * When it is lost, for whatever reason and in whatever state, `on_lost` is called once; the units
 * that it had taken and not given back stay on its list for the pool to decide about.
 *
 * Groups. A sync ends a transaction, and libpq before 17 writes to the socket at each sync. So up
 * to GROUP_MAX units that only read and have one statement share a sync. When one of them fails,
 * the server skips those behind it: they come back `TV_PG_SKIPPED` and are sent again `alone`.
 */
#ifndef TV_PG_PRIVATE_H
#define TV_PG_PRIVATE_H

#include "pg.h"

struct pg_result; /* PGresult of libpq */
struct pg_conn;   /* PGconn of libpq */

struct tv_pg_result {
    struct pg_result *rows; /* owned by the unit */
    const struct tv_pg_statement *statement;
};

enum tv_pg_outcome {
    TV_PG_SUCCESS,
    TV_PG_REFUSED,  /* `error` says why */
    TV_PG_COLLIDED, /* with another transaction or a new schema; the unit may succeed now */
    TV_PG_SKIPPED,  /* because of another unit of its group */
};

struct tv_pg_unit {
    TAILQ_ENTRY(tv_pg_unit) link; /* on one list: waiting, ended, or a connection's */
    tv_pg_done *on_done;
    void *ctx;
    int64_t deadline_us;
    int64_t submitted_us;
    int64_t waits_since_us; /* for a connection, this time */
    unsigned count;
    unsigned answered;   /* results so far */
    unsigned collisions; /* times it was sent again for that */
    bool read_only;      /* all its statements are */
    bool resent;         /* after a lost connection */
    bool alone;          /* with a sync of its own */
    bool sent;           /* perhaps in part */
    bool ends_group;     /* a sync was sent behind it */
    enum tv_pg_outcome outcome;
    struct tv_error error;
    struct tv_pg_query query[TV_PG_UNIT_MAX];
    struct tv_pg_result result[TV_PG_UNIT_MAX];
};
TAILQ_HEAD(tv_pg_units, tv_pg_unit);

#define TV_PG_SILENT "the server has stopped to answer"

struct tv_pg_conn;
struct tv_pg_conn_events {
    /* A statement of the configuration was described; `columns` (no rows) is owned from then on. */
    void (*on_described)(void *ctx, size_t statement, struct pg_result *columns);
    void (*on_ready)(void *ctx);
    /* The unit has left the connection and is owned by the callee. */
    void (*on_unit)(void *ctx, struct tv_pg_unit *u);
    /* The server has not answered in time; on_lost follows. */
    void (*on_silence)(void *ctx);
    void (*on_lost)(void *ctx, const char *why);
};

/* Borrows `c` and `events`; returns owned. */
struct tv_pg_conn *tv_pg_conn_new(struct tv_loop *l, const struct tv_pg_config *c,
                                  const struct tv_pg_conn_events *events, void *ctx);
void tv_pg_conn_free(struct tv_pg_conn *c); /* its list must be empty; accepts NULL */
/* From closed only. Ends in on_ready or on_lost, perhaps before it returns. */
void tv_pg_conn_open(struct tv_pg_conn *c);
bool tv_pg_conn_takes(const struct tv_pg_conn *c); /* units */
/* Takes the unit. It is written by the next flush. */
void tv_pg_conn_put(struct tv_pg_conn *c, struct tv_pg_unit *u);
unsigned tv_pg_conn_load(const struct tv_pg_conn *c);
void tv_pg_conn_flush(struct tv_pg_conn *c);
/* Closes without on_lost. */
void tv_pg_conn_close(struct tv_pg_conn *c);
/* The last unit off the list of a closed connection, or NULL. Returns owned. */
struct tv_pg_unit *tv_pg_conn_take_last(struct tv_pg_conn *c);

/* Frees rows; accepts NULL. */
void tv_pg_rows_free(struct pg_result *rows);

/* Connects with our settings, or (`wait` false) starts to. Returns owned, as PQfinish() takes it.
 */
struct pg_conn *tv_pg_connect(const struct tv_pg_config *c, bool wait);

/* For tests. */
unsigned tv_pg_usable_connections(const struct tv_pg *pg);

/* The error of a SQLSTATE, by the table in pg.c. */
enum tv_err tv_pg_sqlstate(const char *sqlstate);

#endif
