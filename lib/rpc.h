/* rpc.h - remote calls: protobuf services over the bus, with who asks, until when, and errors.
 *
 * A protobuf service is served by its descriptor: methods[i] of the descriptor is handlers[i], and
 * a missing handler is found at start. A call carries the actor, the deadline and the trace; its
 * arena holds request, reply and everything between. Handlers end a call exactly once, with
 * tv_call_reply() or tv_call_fail(), then or later. A call whose deadline has passed is dropped
 * before the handler sees it and not answered after it: nobody waits any more.
 *
 * Subjects are `tv.v1.<service>.<method>` in lower case. What a call says about itself stands in a
 * head before the packed request, one line:
 *   tv1 <budget left, ms> <clinic> <person> <role> <session> <request id> <traceparent> LF
 * with "-" for what is absent (ADR 0003 says why not in NATS headers). A message without a head is
 * read by its headers instead: `tv-deadline-ms`, `tv-actor` (the four words), `traceparent` (W3C),
 * `tv-request-id`; that is for tools. An error reply carries the packed Problem.
 */
#ifndef TV_RPC_H
#define TV_RPC_H

#include "arena.h"
#include "base.h"
#include "bus.h"
#include "err.h"
#include "pb.h"
#include "str.h"

/* Televisit.V1.Role, see proto/televisit/v1/common.proto. */
enum tv_role {
    TV_ROLE_NONE = 0, /* nobody: before log-in */
    TV_ROLE_PATIENT = 1,
    TV_ROLE_DOCTOR = 2,
    TV_ROLE_STAFF = 3,
    TV_ROLE_ADMIN = 4,
    TV_ROLE_INTERPRETER = 5,
    TV_ROLE_GUEST = 6,
    TV_ROLE_SERVICE = 7, /* one of ours acting for time: the notifier */
};
const char *tv_role_name(enum tv_role r); /* "patient" */

/* Who asks. On the bus it is text: "clinic person role session", "-" for what is absent. */
struct tv_actor {
    char clinic_id[37]; /* empty when absent */
    char person_id[37];
    char session_id[37];
    enum tv_role role;
};
#define TV_ACTOR_TEXT_MAX 160
void tv_actor_format(const struct tv_actor *actor, char out[static TV_ACTOR_TEXT_MAX]);
TV_MUST_CHECK bool tv_actor_parse(const char *text, struct tv_actor *ret);

#define TV_REQUEST_ID_TEXT 37
#define TV_TRACEPARENT_TEXT 56
/* What every step of one request carries along. */
struct tv_context {
    struct tv_actor actor;
    int64_t deadline_us;                   /* on tv_clock_mono_us() of this host */
    char request_id[TV_REQUEST_ID_TEXT];   /* empty: none */
    char traceparent[TV_TRACEPARENT_TEXT]; /* empty: none */
};

/* -- the serving side ---------------------------------------------------------------------------*/
struct tv_rpc_server;

/* One call being served. The public members are for handlers to read. */
struct tv_call {
    struct tv_arena *arena;
    struct tv_context context;
    const ProtobufCMethodDescriptor *method;
    const ProtobufCMessage *request;
    void *service_ctx; /* as given to tv_rpc_serve */
    /* private from here on */
    struct tv_bus_call *bus_call;
    struct tv_rpc_server *server;
};

typedef void tv_rpc_handler(struct tv_call *call);

/* Packs and sends the reply, ends the call and frees its arena. */
void tv_call_reply(struct tv_call *call, const ProtobufCMessage *reply);
/* Answers with the error (code, detail, pointer, members as message Problem), ends the call. */
void tv_call_fail(struct tv_call *call, const struct tv_error *e);
/* The short form without members. */
void tv_call_failf(struct tv_call *call, enum tv_err err, const char *fmt, ...) TV_PRINTF(3, 4);

/* Serves all methods of `service`; `handlers` has service->n_methods entries in the order of the
 * descriptor, none NULL (checked: panic at start). `in_flight_max` calls at a time, above it
 * UNAVAILABLE with Retry-After. Borrows `handlers` for ever. */
struct tv_rpc_server *tv_rpc_serve(struct tv_bus *b, const ProtobufCServiceDescriptor *service,
                                   tv_rpc_handler *const *handlers, void *service_ctx,
                                   unsigned in_flight_max);
unsigned tv_rpc_in_flight(const struct tv_rpc_server *s);
void tv_rpc_server_free(struct tv_rpc_server *s); /* after the bus; no call may be in flight */

/* -- the calling side ---------------------------------------------------------------------------*/
/* `reply` is NULL unless err is TV_OK; it lives in the arena given to tv_rpc_call(). `e` carries
 * code, detail, pointer and members of the problem. */
typedef void tv_rpc_reply_fn(void *ctx, enum tv_err err, const struct tv_error *e,
                             ProtobufCMessage *reply);

/* Calls `method` of `service`. `request` is packed before this returns. Everything that is not a
 * good reply is an error: a malformed reply is TV_ERR_INTERNAL. No retries here. */
tv_bus_token tv_rpc_call(struct tv_bus *b, const ProtobufCServiceDescriptor *service,
                         const ProtobufCMethodDescriptor *method, const struct tv_context *context,
                         const ProtobufCMessage *request, struct tv_arena *a,
                         tv_rpc_reply_fn *on_reply, void *ctx);
/* tv_bus_cancel() forgets a pending call. */

/* -- problems on the wire -----------------------------------------------------------------------*/
struct Televisit__V1__Problem;
/* A Problem message of an error, in the arena; and back. Members are matched by JSON name. */
struct Televisit__V1__Problem *tv_problem_from_error(const struct tv_error *e, struct tv_arena *a);
void tv_problem_to_error(const struct Televisit__V1__Problem *p, struct tv_error *ret);

#endif
