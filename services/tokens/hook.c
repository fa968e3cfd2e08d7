/* hook.c - ReadWebhook: the webhook is verified and read (webhook.h), what it says is sealed for
 * appointments. The gateway, which strangers reach, carries events and cannot make one.
 *
 * What is refused is counted, and logged by its verdict only: neither token nor body, and each
 * verdict once a minute, for anybody may send such things. */
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/pb.h"
#include "services/tokens/operations.h"
#include "services/tokens/webhook.h"
#include "televisit/v1/tokens.pb-c.h"

#define LOG_EVERY_US (60 * TV_US_PER_S)

static struct tv_metric webhooks_metric = {
    .name = "tv_tokens_webhooks_total",
    .help = "Webhooks that came, by LiveKit's event and how reading them ended",
    .type = TV_COUNTER,
    .labels = {"event", "outcome"},
};

struct tokens_hook {
    unsigned char key[TV_SEAL_KEY_BYTES];
    struct tv_series *counts[TV_WEBHOOK_KINDS][TV_WEBHOOK_VERDICT_COUNT];
    struct {
        int64_t next_us; /* monotonic: not logged before */
        unsigned since;  /* that was last */
    } logged[TV_WEBHOOK_VERDICT_COUNT];
};

struct tokens_hook *tokens_hook_new(const unsigned char grant_key[static TV_SEAL_KEY_BYTES]) {
    struct tokens_hook *h = tv_calloc(1, sizeof *h);
    tv_seal_key_derive(grant_key, TV_SEAL_EVENTS, h->key);
    for (unsigned k = 0; k < TV_WEBHOOK_KINDS; k++) {
        for (unsigned v = 0; v < TV_WEBHOOK_VERDICT_COUNT; v++)
            h->counts[k][v] = tv_metric_series(&webhooks_metric, tv_webhook_kind(k),
                                               tv_webhook_word(v), NULL, NULL);
    }
    return h;
}

void tokens_hook_free(struct tokens_hook *h) {
    if (h == NULL)
        return;
    tv_wipe(h->key, sizeof h->key);
    free(h);
}

static void log_refusal(struct tokens_hook *h, enum tv_webhook_verdict v) {
    int64_t now_us = tv_clock_mono_us();
    h->logged[v].since++;
    if (now_us < h->logged[v].next_us)
        return;
    tv_log_warn("a webhook was refused", F_STR(REASON, tv_webhook_word(v)),
                F_INT(COUNT, h->logged[v].since));
    h->logged[v].since = 0;
    h->logged[v].next_us = now_us + LOG_EVERY_US;
}

static ProtobufCBinaryData seal(const struct tokens_hook *h, const Televisit__V1__CallEvent *record,
                                struct tv_arena *a) {
    struct tv_str bytes = tv_pb_pack(&record->base, a);
    uint8_t *sealed = tv_arena_alloc(a, bytes.len + TV_SEAL_BYTES);
    memcpy(sealed, bytes.p, bytes.len);
    tv_seal(bytes, h->key, sealed + bytes.len);
    return (ProtobufCBinaryData){bytes.len + TV_SEAL_BYTES, sealed};
}

void tokens_read_webhook(struct tv_call *call) {
    struct tokens *t = call->service_ctx;
    const Televisit__V1__ReadWebhookRequest *request = (const void *)call->request;
    struct tv_webhook w = {{(const char *)request->body.data, request->body.len},
                           tv_str(request->authorization)};
    struct tv_webhook_event event;
    enum tv_webhook_verdict v =
        tv_webhook_read(&w, &t->signers, tv_clock_wall_us(), call->arena, &event);
    tv_inc(t->hook->counts[event.kind][v]);
    if (tv_webhook_error(v) != TV_OK) {
        log_refusal(t->hook, v);
        tv_call_failf(call, tv_webhook_error(v), "this is no webhook that can be taken: %s",
                      tv_webhook_word(v));
        return;
    }
    Televisit__V1__ReadWebhookReply reply = TELEVISIT__V1__READ_WEBHOOK_REPLY__INIT;
    if (event.record != NULL) {
        if (event.record->type == TELEVISIT__V1__CALL_EVENT__TYPE__ROOM_FINISHED)
            tv_rooms_forget(t->rooms, event.record->room);
        reply.sealed_event = seal(t->hook, event.record, call->arena);
    }
    tv_call_reply(call, &reply.base);
}
