/* flow_webhook.c - what LiveKit tells: tokens verifies and seals it, appointments records it. The
 * gateway carries the sealed event and can neither make nor change one.
 *
 * LiveKit takes every answer below 500 for "delivered" and sends the same event again after 5xx,
 * 1, 2, 4 and 8 s later. So 200 comes after the commit and not before; what is not LiveKit's is
 * refused by tokens for good; and an event that is LiveKit's is never refused here, whatever is
 * wrong on our side.
 */
#include "lib/clock.h"
#include "lib/log.h"
#include "services/gateway/answer.h"
#include "services/gateway/call.h"
#include "services/gateway/flows.h"
#include "services/gateway/gateway.h"
#include "services/gateway/nudge.h"
#include "services/gateway/problem.h"
#include "televisit/v1/calls.pb-c.h"
#include "televisit/v1/gateway.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"

#define LOG_EVERY_US (10 * TV_US_PER_S)

static call_error on_not_recorded;

/* Both may be sent again: an event is recorded once, by its id. */
static const struct call_target read_webhook = {&televisit__v1__tokens__descriptor, "ReadWebhook",
                                                .retry = true};
static const struct call_target record = {&televisit__v1__calls__descriptor, "Record",
                                          .retry = true, .on_error = on_not_recorded};

static void answer(struct flight *f, bool recorded) {
    Televisit__V1__LiveKitWebhookReply reply = TELEVISIT__V1__LIVE_KIT_WEBHOOK_REPLY__INIT;
    reply.recorded = recorded;
    answer_with(f, 0, &reply.base, NULL, 0);
}

static void on_recorded(struct flight *f, const ProtobufCMessage *reply) {
    nudge_from_reply(f->gateway, reply);
    answer(f, ((const Televisit__V1__CallReply *)reply)->recorded);
}

/* Seldom: all events are refused for the same reason, and each comes five times. */
static void log_refusal(const struct flight *f, const struct tv_error *e) {
    static int64_t quiet_until_us;
    int64_t now_us = tv_clock_mono_us();
    if (now_us < quiet_until_us)
        return;
    quiet_until_us = now_us + LOG_EVERY_US;
    tv_log_context_set(f->context.request_id, NULL);
    tv_log_error("a genuine event of LiveKit is refused by appointments: do both services have the "
                 "same grant key and version?",
                 F_STR(CODE, tv_err_info(e->code)->slug), F_STR(ERROR, e->detail));
    tv_log_context_set(NULL, NULL);
}

/* A genuine event that appointments does not take: the two services disagree on the key of the
 * seal or on the messages. LiveKit's retries may outlast the mending of it. */
static void on_not_recorded(struct flight *f, const struct tv_error *e) {
    if (tv_err_info(e->code)->http >= 500) {
        tv_problem_answer(f, e);
        return;
    }
    log_refusal(f, e);
    tv_problem_answerf(f, TV_ERR_UNAVAILABLE, "The event could not be recorded");
}

static void on_read(struct flight *f, const ProtobufCMessage *reply) {
    const Televisit__V1__ReadWebhookReply *read = (const Televisit__V1__ReadWebhookReply *)reply;
    if (read->sealed_event.len == 0) {
        answer(f, false);
        return;
    }
    Televisit__V1__RecordCallRequest *out = TV_PB_NEW(
        f->arena, Televisit__V1__RecordCallRequest, televisit__v1__record_call_request__descriptor);
    out->sealed_event = read->sealed_event;
    call_start(f, &record, &out->base, on_recorded);
}

void flow_livekit_webhook(struct flight *f, const ProtobufCMessage *request) {
    const Televisit__V1__LiveKitWebhookRequest *in =
        (const Televisit__V1__LiveKitWebhookRequest *)request;
    Televisit__V1__ReadWebhookRequest *out =
        TV_PB_NEW(f->arena, Televisit__V1__ReadWebhookRequest,
                  televisit__v1__read_webhook_request__descriptor);
    out->body = in->body;
    out->authorization = in->authorization;
    call_start(f, &read_webhook, &out->base, on_read);
}
