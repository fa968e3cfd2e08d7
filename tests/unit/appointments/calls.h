/* calls.h - runs handlers without a bus: a call made by hand, its one answer caught.
 *
 * To be included first; then the .c file with the handlers is. As in rpc.c the arena of a call goes
 * with its answer, so a handler that touches the call afterwards is found by the sanitizer.
 */
#ifndef TESTS_APPOINTMENTS_CALLS_H
#define TESTS_APPOINTMENTS_CALLS_H

#define tv_call_reply calls_reply
#define tv_call_fail calls_fail
#define tv_call_failf calls_failf

#include "fixture.h"
#include "lib/pb.h"
#include "lib/rpc.h"
#include "services/appointments/app.h"

struct outcome {
    struct tv_call call;
    const ProtobufCMessageDescriptor *reply_type;
    struct tv_arena *arena; /* of what is kept */
    bool done;
    struct tv_error error; /* code TV_OK: there is a reply */
    struct tv_str bytes;   /* of the reply */
    void *reply;           /* the message */
};

static inline void end_call(struct outcome *o) {
    if (o->done)
        fail_msg("answered twice");
    o->done = true;
    tv_arena_free(o->call.arena);
    o->call.arena = NULL;
    o->call.request = NULL;
}

void calls_reply(struct tv_call *call, const ProtobufCMessage *reply) {
    struct outcome *o = tv_container_of(call, struct outcome, call);
    assert_ptr_equal(reply->descriptor, o->reply_type);
    o->bytes = tv_pb_pack(reply, o->arena);
    o->reply = tv_pb_unpack(o->reply_type, o->bytes, o->arena);
    assert_non_null(o->reply);
    end_call(o);
}

void calls_fail(struct tv_call *call, const struct tv_error *e) {
    struct outcome *o = tv_container_of(call, struct outcome, call);
    assert_int_not_equal(e->code, TV_OK);
    o->error = *e;
    end_call(o);
}

void calls_failf(struct tv_call *call, enum tv_err err, const char *fmt, ...) {
    struct tv_error e = TV_ERROR_INIT;
    va_list args;
    va_start(args, fmt);
    e.code = err;
    (void)vsnprintf(e.detail, sizeof(e.detail), fmt, args);
    va_end(args);
    calls_fail(call, &e);
}

/* Calls the handler with a copy of the request; the answer comes when the loop runs. */
static inline struct outcome *call_submit(struct app *app, tv_rpc_handler *handler,
                                          const struct tv_actor *who,
                                          const ProtobufCMessage *request,
                                          const ProtobufCMessageDescriptor *reply_type) {
    struct tv_arena *kept = tv_arena_new();
    struct outcome *o = TV_ARENA_NEW(kept, struct outcome);
    o->arena = kept;
    o->reply_type = reply_type;
    o->call.arena = tv_arena_new();
    o->call.context.actor = *who;
    o->call.context.deadline_us = tv_clock_mono_us() + 30 * TV_US_PER_S;
    (void)snprintf(o->call.context.request_id, sizeof(o->call.context.request_id), "%s", UNKNOWN);
    o->call.request =
        tv_pb_unpack(request->descriptor, tv_pb_pack(request, o->call.arena), o->call.arena);
    o->call.service_ctx = app;
    handler(&o->call);
    return o;
}

static inline bool outcome_is_done(void *ctx) { return ((const struct outcome *)ctx)->done; }

static inline void call_wait(struct app *app, struct outcome *o) {
    if (!o->done)
        assert_true(tv_loop_run_until(app->loop, outcome_is_done, o, 40 * TV_US_PER_S));
}

static inline struct outcome *call_handler(struct app *app, tv_rpc_handler *handler,
                                           struct tv_actor who, const ProtobufCMessage *request,
                                           const ProtobufCMessageDescriptor *reply_type) {
    struct outcome *o = call_submit(app, handler, &who, request, reply_type);
    call_wait(app, o);
    return o;
}

static inline void outcome_free(struct outcome *o) { tv_arena_free(o->arena); }

static inline void assert_outcome(const struct outcome *o, enum tv_err expected) {
    if (o->error.code != expected)
        fail_msg("%s (%s), not %s",
                 o->error.code == TV_OK ? "ok" : tv_err_info(o->error.code)->slug, o->error.detail,
                 expected == TV_OK ? "ok" : tv_err_info(expected)->slug);
}

/* A member of the problem as text: RFC 3339, or the string. */
static inline const char *outcome_member(const struct outcome *o, const char *name) {
    static char text[TV_TIME_TEXT_MAX];
    for (unsigned i = 0; i < o->error.members; i++) {
        const struct tv_error_member *m = &o->error.member[i];
        if (strcmp(m->name, name) != 0)
            continue;
        if (m->string != NULL)
            return m->string;
        (void)tv_time_format(m->time_us, text);
        return text;
    }
    return "";
}

/* Borrowed until the next call. */
static inline const char *time_of(const struct Google__Protobuf__Timestamp *t) {
    static char text[TV_TIME_TEXT_MAX];
    if (t == NULL)
        return "";
    (void)tv_time_format(tv_pb_time_us(t), text);
    return text;
}

#endif
