#include "services/gateway/call.h"

#include "lib/clock.h"
#include "lib/crypto.h"
#include "services/gateway/gateway.h"
#include "services/gateway/problem.h"

#define ATTEMPTS_MAX 3
#define PAUSE_MIN_US (10 * TV_US_PER_MS)
#define PAUSE_SPREAD_US (40 * TV_US_PER_MS)

struct call {
    struct flight *flight;
    const ProtobufCServiceDescriptor *service;
    const ProtobufCMethodDescriptor *method;
    const ProtobufCMessage *request;
    call_reply *on_reply;
    call_error *on_error;
    struct tv_timer *pause; /* NULL until the first retry */
    tv_bus_token token;     /* of the attempt under way; 0: none, as in a pause */
    bool retry;
    unsigned attempts;
};

static void send_call(struct call *c);

static void on_pause_over(void *ctx) { send_call(ctx); }

static bool may_retry(const struct call *c, enum tv_err err) {
    int64_t left_us = c->flight->context.deadline_us - tv_loop_now_us(c->flight->gateway->loop);
    return err == TV_ERR_UNAVAILABLE && c->retry && c->attempts < ATTEMPTS_MAX &&
           !c->flight->gateway->draining && left_us > PAUSE_MIN_US + PAUSE_SPREAD_US;
}

static void on_result(void *ctx, enum tv_err err, const struct tv_error *e,
                      ProtobufCMessage *reply) {
    struct call *c = ctx;
    struct flight *f = c->flight;
    c->token = 0;
    if (may_retry(c, err)) {
        if (c->pause == NULL)
            c->pause = tv_timer_new(f->gateway->loop, on_pause_over, c);
        tv_timer_set(c->pause, PAUSE_MIN_US + (int64_t)tv_random_below(PAUSE_SPREAD_US));
        return;
    }
    tv_timer_free(c->pause);
    f->call = NULL;
    if (err == TV_OK)
        c->on_reply(f, reply);
    else
        c->on_error(f, e);
}

static void send_call(struct call *c) {
    struct flight *f = c->flight;
    c->attempts++;
    c->token = tv_rpc_call(f->gateway->bus, c->service, c->method, &f->context, c->request,
                           f->arena, on_result, c);
}

static void start(struct flight *f, struct call call) {
    assert(f->call == NULL);
    struct call *c = TV_ARENA_NEW(f->arena, struct call);
    *c = call;
    c->flight = f;
    f->call = c;
    if (f->state != FLIGHT_CALLING)
        flight_move(f, FLIGHT_CALLING);
    send_call(c);
}

void call_start(struct flight *f, const struct call_target *target, const ProtobufCMessage *request,
                call_reply *on_reply) {
    start(f,
          (struct call){.service = target->service,
                        .method = protobuf_c_service_descriptor_get_method_by_name(target->service,
                                                                                   target->method),
                        .request = request,
                        .on_reply = on_reply,
                        .on_error = target->on_error != NULL ? target->on_error : tv_problem_answer,
                        .retry = target->retry});
}

void call_route(struct flight *f, const ProtobufCMessage *request, call_reply *on_reply) {
    start(f, (struct call){.service = f->route->service,
                           .method = tv_route_method(f->route),
                           .request = request,
                           .on_reply = on_reply,
                           .on_error = tv_problem_answer,
                           .retry = f->route->retry_safe});
}

void call_cancel(struct flight *f) {
    struct call *c = f->call;
    if (c == NULL)
        return;
    f->call = NULL;
    tv_timer_free(c->pause);
    if (c->token != 0 && f->gateway->bus != NULL)
        tv_bus_cancel(f->gateway->bus, c->token);
}
