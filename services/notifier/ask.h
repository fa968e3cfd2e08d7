/* ask.h - a call to another service in the name of time: nobody's but ours. */
#ifndef TV_NOTIFIER_ASK_H
#define TV_NOTIFIER_ASK_H

#include "lib/rpc.h"

/* Calls the method by its name. `deadline_us` is on tv_clock_mono_us(); the request is packed at
 * once, the reply lives in the arena. */
void tv_ask(struct tv_bus *b, const ProtobufCServiceDescriptor *service, const char *method,
            const ProtobufCMessage *request, int64_t deadline_us, struct tv_arena *a,
            tv_rpc_reply_fn *on_reply, void *ctx);

#endif
