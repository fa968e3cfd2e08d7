#include "services/notifier/ask.h"

#include "lib/crypto.h"

void tv_ask(struct tv_bus *b, const ProtobufCServiceDescriptor *service, const char *method,
            const ProtobufCMessage *request, int64_t deadline_us, struct tv_arena *a,
            tv_rpc_reply_fn *on_reply, void *ctx) {
    struct tv_context context = {.actor.role = TV_ROLE_SERVICE, .deadline_us = deadline_us};

    tv_uuid(context.request_id);
    tv_rpc_call(b, service, protobuf_c_service_descriptor_get_method_by_name(service, method),
                &context, request, a, on_reply, ctx);
}
