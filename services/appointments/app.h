/* app.h - the appointments service: what its files share.
 *
 * A request comes as a protobuf message over the bus. Most methods are one statement: dispatch.c
 * runs the .sql file of the method's name, parameters from the request's fields, reply's fields
 * from its columns. A method that decides something has a handler in C (appointments.c, admit.c,
 * calls.c, sessions.c): it reads, asks a pure function (gate, status), and writes with a statement
 * that only succeeds while what was read still holds. Errors leave as struct tv_error, once.
 */
#ifndef APPOINTMENTS_APP_H
#define APPOINTMENTS_APP_H

#include "lib/admin.h"
#include "lib/crypto.h"
#include "lib/loop.h"
#include "lib/pg.h"
#include "lib/rpc.h"

struct app_conf {
    const char *database_url;
    const char *grant_key;
    int64_t pg_connections;
    int64_t pg_statement_timeout_us;
    int64_t password_memory_mib;
    int64_t password_passes;
    int64_t session_idle_us;
    int64_t session_length_us;
};

struct admit;    /* admit.c */
struct sessions; /* sessions.c */
struct dispatch; /* dispatch.c */
struct store;    /* store.c */

struct app {
    struct tv_loop *loop;
    struct tv_bus *bus;
    const struct app_conf *conf; /* borrowed */
    struct tv_pg *pg;
    struct tv_seal_keys grant_keys;
    struct tv_seal_keys event_keys; /* derived from them: seal events of calls */
    struct admit *admit;
    struct sessions *sessions;
    struct dispatch *dispatch; /* NULL until the database was there for the first time */
    struct store *store;
};

/* -- store.c ------------------------------------------------------------------------------------*/
#define STORE_NEEDS 2
/* Opens app->pg, with the needs "postgres" and "schema". Requests are taken from the first sight of
 * a database with our schema on: until then another replica that has it answers them better.
 * Needs app->loop, bus and conf. Returns owned. */
struct store *store_open(struct app *app, struct tv_need needs[static STORE_NEEDS]);
void store_free(struct store *s); /* closes app->pg: what waits there ends, and may look at app */

/* -- dispatch.c ---------------------------------------------------------------------------------*/
/* Serves all protobuf services of this program; every method has a handler or a statement, or this
 * panics. */
struct dispatch *dispatch_new(struct app *app, struct tv_bus *bus);
/* Whether the statements that stand for methods fit their messages, once they are prepared. */
TV_MUST_CHECK enum tv_err dispatch_check(const struct app *app, struct tv_error *e);
unsigned dispatch_in_flight(const struct dispatch *d);
void dispatch_free(struct dispatch *d); /* after the bus; accepts NULL */

/* -- handlers; service_ctx is the app -----------------------------------------------------------*/
void appointments_book(struct tv_call *call);
void appointments_list(struct tv_call *call);
void appointments_get(struct tv_call *call);
void appointments_confirm(struct tv_call *call);
void appointments_decline(struct tv_call *call);
void appointments_cancel(struct tv_call *call);
void appointments_move(struct tv_call *call);
void appointments_end(struct tv_call *call);
void appointments_complete(struct tv_call *call);
void appointments_no_show(struct tv_call *call);
void admit_admit(struct tv_call *call);
void calls_list(struct tv_call *call);
void calls_record(struct tv_call *call);
void calls_snapshot(struct tv_call *call);
void calls_closed(struct tv_call *call);
void calls_settle(struct tv_call *call);
void calls_count_from_zero(void); /* registers what is counted of LiveKit's events */
void sessions_open(struct tv_call *call);
void sessions_renew(struct tv_call *call);

struct admit *admit_new(struct app *app);
void admit_free(struct admit *a); /* fails what waits; accepts NULL */

struct sessions *sessions_new(struct app *app);
/* Password checks that are waiting or running on a worker. */
unsigned sessions_pending(const struct sessions *s);
void sessions_free(struct sessions *s); /* none may be pending; accepts NULL */

#endif
