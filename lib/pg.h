/* pg.h - PostgreSQL without waiting. lib/pg_conn.c and lib/pg_script.c know libpq.
 *
 * A pool of non-blocking connections in pipeline mode. The work of the pool is a *unit*: one or
 * more prepared statements that run as one transaction (the statements between two pipeline
 * syncs), sent in one stroke and answered by one callback. There is no BEGIN, no read-think-write:
 * decisions are made by the statement itself or by a version column. Units of one turn of the loop
 * are written together at its end.
 *
 * Life of a unit: tv_pg_submit() puts it on the queue (`waiting`); at the turn's end it moves to
 * the connection with the least work (`sent`), at most `window` on each; its results come in
 * order, and `on_done` is called once, exactly, whatever happens:
 *   success                    TV_OK, one result per statement
 *   the database refused       the error of its SQLSTATE (table in pg.c); nothing was written
 *   no connection, queue full  TV_ERR_UNAVAILABLE at once; nothing was written
 *   deadline while waiting     TV_ERR_DEADLINE; nothing was written
 *   connection lost after send TV_ERR_UNKNOWN_OUTCOME, unless the server had refused it before;
 *                              a `read_only` unit is sent once more, then TV_ERR_UNAVAILABLE
 * A unit that collides with another transaction (40001, 40P01) is sent again up to three times.
 * A lost connection is made again for ever with decorrelated jitter (100 ms to 5 s); units that
 * were only waiting go to another or to the next connection. A connection is usable when `check`
 * has accepted what it finds there and every statement is prepared: with a schema that is too old
 * the pool stays unusable, says why in tv_pg_last_error(), and comes up by itself after the
 * migration. When the schema changes beneath prepared statements (another database was restored in
 * its place), a unit that met it is sent again elsewhere and its connection is made anew, check
 * included. Host names in the URL are looked up by libpq while the loop waits.
 *
 * A statement that raises SQLSTATE TVnnn (a function tv.fail) is the error with that HTTP number;
 * its message is the slug, its detail what a person may see, and its column, if it has one, the
 * pointer to the member at fault.
 */
#ifndef TV_PG_H
#define TV_PG_H

#include "arena.h"
#include "base.h"
#include "err.h"
#include "loop.h"
#include "str.h"

/* One .sql file, made by tools/gen_sql.py. Static. */
struct tv_pg_statement {
    const char *name;          /* the file's name without .sql */
    const char *text;          /* with $1..$n */
    const char *const *params; /* field names in the order of $1..$n */
    unsigned param_count;
    bool read_only; /* `-- read only` in the header of the file */
};

struct tv_pg_result;

struct tv_pg_config {
    const char *url; /* conninfo or postgres:// URI; borrowed */
    const char *application_name;
    unsigned connections; /* 1..64 */
    unsigned window;      /* units in flight on one connection, 1..64 */
    unsigned queue_max;   /* waiting units; more are refused */
    int64_t statement_timeout_us;
    const struct tv_pg_statement *const *statements; /* prepared on every connection at connect */
    size_t statement_count;
    /* What a new connection is asked before anything is prepared, and who judges the rows; there
     * are none as well when a table of the query is not there. False: `why` becomes the last error,
     * and the connection is tried again. NULL: nothing is asked. */
    const char *check_text;
    bool (*check)(void *ctx, const struct tv_pg_result *rows, char why[static 128]);
    /* Told when the first connection becomes usable, or none is left. */
    void (*on_state)(void *ctx, bool usable);
    void *ctx;
};

struct tv_pg;
struct tv_pg *tv_pg_new(struct tv_loop *l, const struct tv_pg_config *c); /* starts connecting */
/* Answers waiting units with UNAVAILABLE and closes. Units in flight: their outcome as above. */
void tv_pg_free(struct tv_pg *pg);
bool tv_pg_usable(const struct tv_pg *pg);
/* Units waiting or in flight; for draining. */
unsigned tv_pg_pending(const struct tv_pg *pg);
/* Why the last connection attempt failed, "" if none did; for readiness and the log. Borrowed. */
const char *tv_pg_last_error(const struct tv_pg *pg);

/* The columns of a statement, without rows, as the server described them when it was prepared;
 * NULL before the first connection. Borrowed until the next turn. */
const struct tv_pg_result *tv_pg_described(const struct tv_pg *pg, const struct tv_pg_statement *s);

/* Rows of one statement, borrowed until the callback returns. */
unsigned tv_pg_rows(const struct tv_pg_result *r);
unsigned tv_pg_columns(const struct tv_pg_result *r);
const char *tv_pg_column_name(const struct tv_pg_result *r, unsigned column);
int tv_pg_column(const struct tv_pg_result *r, const char *name); /* -1 when there is none */
bool tv_pg_is_null(const struct tv_pg_result *r, unsigned row, unsigned column);
/* Text of a value; empty for NULL. NUL-terminated. */
struct tv_str tv_pg_value(const struct tv_pg_result *r, unsigned row, unsigned column);
/* Timestamps travel as text in ISO form with UTC (set at connect); this reads one, strictly. */
TV_MUST_CHECK bool tv_pg_time(const struct tv_pg_result *r, unsigned row, unsigned column,
                              int64_t *ret_us);
const struct tv_pg_statement *tv_pg_result_statement(const struct tv_pg_result *r);
/* The server's number (OID) of the column's type. */
unsigned tv_pg_column_type(const struct tv_pg_result *r, unsigned column);
unsigned tv_pg_affected(const struct tv_pg_result *r); /* rows an INSERT, UPDATE, DELETE touched */

struct tv_pg_query {
    const struct tv_pg_statement *statement;
    const char *const *params; /* texts, NULL is SQL NULL; must live until on_done (arena) */
};

typedef void tv_pg_done(void *ctx, enum tv_err err, const struct tv_error *e,
                        const struct tv_pg_result *const *results, unsigned count);

#define TV_PG_UNIT_MAX 8

/* Submits a unit of 1..TV_PG_UNIT_MAX queries; the array is copied, the params are borrowed.
 * `deadline_us` is on tv_clock_mono_us(). `on_done` is called later from the loop, never from
 * within this function; it may submit, and must not free the pool. A unit is safe to send again
 * after a lost connection, and is, once, when every statement is read_only. */
void tv_pg_submit(struct tv_pg *pg, const struct tv_pg_query *queries, unsigned count,
                  int64_t deadline_us, tv_pg_done *on_done, void *ctx);

/* -- without the loop: migrations, tools, tests -------------------------------------------------*/
/* A blocking connection that runs scripts of several statements in simple mode. */
struct tv_pg_script;
TV_MUST_CHECK enum tv_err tv_pg_script_open(const char *url, const char *application_name,
                                            struct tv_pg_script **ret, struct tv_error *e);
/* Runs SQL text; `ret_result` (may be NULL) gets the last result's rows, owned by the script until
 * its next run; it may have none. On failure `e->detail` has the server's message with the line. */
TV_MUST_CHECK enum tv_err tv_pg_script_run(struct tv_pg_script *s, const char *sql,
                                           const struct tv_pg_result **ret_result,
                                           struct tv_error *e);
void tv_pg_script_close(struct tv_pg_script *s);

#endif
