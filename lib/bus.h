/* bus.h - NATS: requests, services, nudges. bus_internal.h tells how it is made.
 *
 * One connection per process. It carries three things:
 *
 *  requests   tv_bus_request() publishes with a reply subject `<inbox>.<slot>.<generation>` of our
 *             own inbox and remembers the pending request in that slot.
 *             Exactly one of these ends it, and the callback is called once: the reply, the
 *             deadline (TV_ERR_DEADLINE), "no responders" from the server (TV_ERR_UNAVAILABLE, at
 *             once), the loss of the connection (TV_ERR_UNKNOWN_OUTCOME after it was written,
 *             TV_ERR_UNAVAILABLE when it was not), tv_bus_cancel(). A late or doubled reply finds
 *             the slot's generation changed: counted and dropped.
 *  service    tv_bus_serve() subscribes `tv.v1.<service>.*` in a queue group and hands each
 *             message to the handler on the loop, with its headers; it answers whenever it likes.
 *             Discovery and statistics (ADR-32 `$SRV.PING|INFO|STATS`) come with it.
 *  nudges     tv_bus_publish() and tv_bus_subscribe(): fire and forget, may be lost.
 *
 * Nothing is buffered while the server is away: a publish or request fails at once. Reconnects for
 * ever (wait 50 ms to 2 s with jitter), pings every 2 s and gives up on a silent server after two
 * that were not answered. A server that refuses us (wrong key) or that we refuse (wrong certificate
 * or none) is logged, turns `healthy` off and is tried again. A permission
 * violation is counted, logged and turns `healthy` off for good: a wrong allow-list must be seen.
 * One of an answer is only counted and logged.
 */
#ifndef TV_BUS_H
#define TV_BUS_H

#include "arena.h"
#include "base.h"
#include "err.h"
#include "loop.h"
#include "str.h"

struct tv_bus_config {
    const char *url;        /* nats://host:port[,...]; tls:// once is TLS for all; borrowed */
    const char *user;       /* NULL: none */
    const char *password;   /* NULL: none */
    const char *creds_file; /* NULL: none; NATS credentials (nkey + JWT) */
    const char *nkey;       /* NULL: none; seed and public key, a line each */
    const char *ca_file;    /* NULL: no TLS unless the URL is tls:// */
    const char *name;       /* of the service: client name, queue group, inbox prefix */
    const char *version;    /* SemVer, for ADR-32 */
    const char *description;
    void (*on_state)(void *ctx, bool connected); /* on the loop; may be NULL */
    void *ctx;
};

struct tv_bus;
/* Starts to connect; a server that is away is not an error. TV_ERR_INVALID for a bad URL. */
TV_MUST_CHECK enum tv_err tv_bus_new(struct tv_loop *l, const struct tv_bus_config *c,
                                     struct tv_bus **ret, struct tv_error *e);
bool tv_bus_connected(const struct tv_bus *b);
/* False after a permission violation, and while the server refuses us. */
bool tv_bus_healthy(const struct tv_bus *b);
/* Stops taking requests (unsubscribes the services); what is under way goes on. */
void tv_bus_drain(struct tv_bus *b);
/* Messages handed to handlers and not answered yet, plus requests pending, plus unsent bytes. */
size_t tv_bus_pending(const struct tv_bus *b);
/* Ends pending requests with TV_ERR_UNAVAILABLE, then lets written bytes out and closes, for which
 * it runs the loop for at most 1 s. Calls not answered and subscriptions not given back stay valid
 * for their owners: a later answer is dropped, a later tv_bus_unsubscribe() frees. */
void tv_bus_free(struct tv_bus *b);

/* -- headers: lower case when written, any case when read ---------------------------------------*/
#define TV_BUS_HEADERS_MAX 8
struct tv_bus_header {
    const char *name;  /* static */
    const char *value; /* borrowed until the call returns */
};

struct tv_bus_message; /* borrowed inside callbacks; of a call, until it is answered */
struct tv_str tv_bus_subject(const struct tv_bus_message *m);
struct tv_str tv_bus_body(const struct tv_bus_message *m);
/* NULL when absent; borrowed from the message. */
const char *tv_bus_header(const struct tv_bus_message *m, const char *name);

/* -- requests -----------------------------------------------------------------------------------*/
/* `err` is TV_OK when a reply came; then `reply` is borrowed for the time of the call. An error
 * reply of the service (Nats-Service-Error-Code) is a reply too: rpc.h reads it. */
typedef void tv_bus_reply_fn(void *ctx, enum tv_err err, const struct tv_bus_message *reply);

typedef uint64_t tv_bus_token; /* 0 is none */

/* Publishes at the end of this turn. The callback comes later from the loop, never from within. */
tv_bus_token tv_bus_request(struct tv_bus *b, const char *subject,
                            const struct tv_bus_header *headers, size_t header_count,
                            struct tv_str body, int64_t deadline_us, tv_bus_reply_fn *on_reply,
                            void *ctx);
/* Forgets a pending request: its callback will not be called. Unknown tokens do nothing. */
void tv_bus_cancel(struct tv_bus *b, tv_bus_token token);

/* -- services -----------------------------------------------------------------------------------*/
/* One message for a method of a served service; lives until it is answered or dropped, which must
 * happen exactly once. */
struct tv_bus_call;
const struct tv_bus_message *tv_bus_call_message(const struct tv_bus_call *c);
void tv_bus_reply(struct tv_bus_call *c, struct tv_str body);
/* ADR-32 error: headers Nats-Service-Error-Code (http number) and Nats-Service-Error (title, and
 * the slug in `tv-error`), body as given. */
void tv_bus_reply_error(struct tv_bus_call *c, enum tv_err err, const char *detail,
                        struct tv_str body);
void tv_bus_drop(struct tv_bus_call *c); /* no answer: nobody waits any more */

struct tv_bus_service {
    const char *name;           /* lower case, e.g. "appointments": subjects tv.v1.<name>.* */
    const char *const *methods; /* lower case, in the order of their indices */
    size_t method_count;
    /* `method` indexes `methods`; an unknown method was answered 404 already. */
    void (*on_call)(void *ctx, unsigned method, struct tv_bus_call *call);
    void *ctx;
};
/* Borrows `s` for the life of the bus. May be called for several services, before or after the
 * connection stands. */
void tv_bus_serve(struct tv_bus *b, const struct tv_bus_service *s);

/* -- nudges -------------------------------------------------------------------------------------*/
/* UNAVAILABLE when not connected; otherwise it was handed to the socket, no more is promised. */
enum tv_err tv_bus_publish(struct tv_bus *b, const char *subject,
                           const struct tv_bus_header *headers, size_t header_count,
                           struct tv_str body);
struct tv_bus_subscription;
/* Returns owned; survives reconnects. There may be thousands of them. */
struct tv_bus_subscription *
tv_bus_subscribe(struct tv_bus *b, const char *subject,
                 void (*on_message)(void *ctx, const struct tv_bus_message *m), void *ctx);
void tv_bus_unsubscribe(struct tv_bus_subscription *s); /* accepts NULL; no call comes after it */

#endif
