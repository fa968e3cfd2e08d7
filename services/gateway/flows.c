#include "services/gateway/flows.h"

#include "routes.h"
#include "services/gateway/answer.h"
#include "services/gateway/call.h"
#include "services/gateway/gateway.h"
#include "services/gateway/nudge.h"
#include "televisit/v1/gateway.pb-c.h"

static flow_fn flow_health;
static flow_fn flow_openapi;
static flow_fn flow_media;
static flow_fn flow_call;

/* By route id; a route without code of its own is a call over the bus. */
static flow_fn *const local_flows[TV_ROUTE_COUNT] = {
    [TV_ROUTE_GATEWAY_LOG_IN] = flow_log_in,
    [TV_ROUTE_GATEWAY_REFRESH] = flow_refresh,
    [TV_ROUTE_GATEWAY_LOG_OUT] = flow_log_out,
    [TV_ROUTE_GATEWAY_JOIN] = flow_join,
    [TV_ROUTE_GATEWAY_EVENTS] = flow_events,
    [TV_ROUTE_GATEWAY_MEDIA] = flow_media,
    [TV_ROUTE_GATEWAY_HEALTH] = flow_health,
    [TV_ROUTE_GATEWAY_OPEN_API] = flow_openapi,
    [TV_ROUTE_GATEWAY_LIVE_KIT_WEBHOOK] = flow_livekit_webhook,
};

flow_fn *flow_of(const struct tv_route *route) {
    return route->flow == TV_FLOW_LOCAL ? local_flows[route->id] : flow_call;
}

void flows_check(void) {
    for (size_t i = 0; i < TV_ROUTE_COUNT; i++)
        if (flow_of(&tv_routes[i]) == NULL)
            tv_panic("no code for the local operation %s", tv_routes[i].operation);
}

static void flow_health(struct flight *f, const ProtobufCMessage *request) {
    (void)request;
    Televisit__V1__HealthReply *reply =
        TV_PB_NEW(f->arena, Televisit__V1__HealthReply, televisit__v1__health_reply__descriptor);
    reply->status = tv_arena_strdup(f->arena, "ok");
    answer_reply(f, &reply->base);
}

static void flow_media(struct flight *f, const ProtobufCMessage *request) {
    (void)request;
    const char *url = f->gateway->conf->livekit_url;
    Televisit__V1__MediaReply *reply =
        TV_PB_NEW(f->arena, Televisit__V1__MediaReply, televisit__v1__media_reply__descriptor);
    reply->server_url = tv_arena_strdup(f->arena, url != NULL ? url : "");
    answer_reply(f, &reply->base);
}

static void flow_openapi(struct flight *f, const ProtobufCMessage *request) {
    (void)request;
    answer_send(f, 200, "application/json", NULL, 0,
                (struct tv_str){tv_openapi_json, tv_openapi_json_bytes});
}

static void on_called(struct flight *f, const ProtobufCMessage *reply) {
    nudge_from_reply(f->gateway, reply);
    answer_reply(f, reply);
}

static void flow_call(struct flight *f, const ProtobufCMessage *request) {
    call_route(f, request, on_called);
}
