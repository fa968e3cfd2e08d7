/* tokens.c - the two operations of the service.
 *
 * Issue:     the grant is opened (grant.h), its room is known or made (rooms.h), the token is
 *            signed. Most of the time nothing is waited for.
 * CloseRoom: the room is forgotten and deleted. One that is just being made is waited for first,
 *            for otherwise the making might overtake the deleting.
 * Both may be repeated without harm.
 */
#include "services/tokens/tokens.h"

#include <stdlib.h>

#include <google/protobuf/empty.pb-c.h>

#include "lib/clock.h"
#include "lib/jwt.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/pb.h"
#include "services/tokens/grant.h"
#include "televisit/v1/tokens.pb-c.h"

#define IN_FLIGHT_MAX 1024

static struct tv_metric issued_metric = {
    .name = "tv_tokens_issued_total",
    .help = "LiveKit tokens that were signed",
    .type = TV_COUNTER,
};

/* One operation under way; lives in the arena of its call. */
struct operation {
    struct tokens *tokens;
    struct tv_call *call;
    struct tv_rooms_waiter waiter;
    struct tv_grant grant; /* of Issue */
    const char *room;      /* of CloseRoom */
};

static struct operation *operation_new(struct tv_call *call) {
    struct operation *o = TV_ARENA_NEW(call->arena, struct operation);
    o->tokens = call->service_ctx;
    o->call = call;
    return o;
}

/* -- Issue --------------------------------------------------------------------------------------*/

static void sign(struct operation *o) {
    struct tokens *t = o->tokens;
    struct tv_arena *a = o->call->arena;
    struct tv_jwt_key key = {NULL, tv_str(t->conf->api_secret)};
    struct tv_str token;
    struct tv_error e = TV_ERROR_INIT;
    if (tv_jwt_sign(&key, NULL, tv_grant_claims(&o->grant, t->conf->api_key, a), a, &token, &e) !=
        TV_OK) {
        tv_call_fail(o->call, &e);
        return;
    }
    Televisit__V1__IssueReply reply = TELEVISIT__V1__ISSUE_REPLY__INIT;
    reply.server_url = tv_arena_strdup(a, t->conf->livekit_url);
    reply.token = tv_arena_str(a, token);
    reply.expires_at = tv_pb_time(o->grant.expires_s * TV_US_PER_S, a);
    tv_inc(tv_metric_single(&issued_metric));
    tv_call_reply(o->call, &reply.base);
}

static void on_made(void *ctx, enum tv_err err, const struct tv_error *e) {
    struct operation *o = ctx;
    if (err == TV_OK)
        sign(o);
    else
        tv_call_fail(o->call, e);
}

static void issue(struct tv_call *call) {
    struct operation *o = operation_new(call);
    struct tokens *t = o->tokens;
    const Televisit__V1__IssueRequest *request = (const void *)call->request;
    struct tv_str sealed = {(const char *)request->sealed_grant.data, request->sealed_grant.len};
    struct tv_error e = TV_ERROR_INIT;
    enum tv_err err =
        tv_grant_open(sealed, t->grant_key, tv_clock_wall_us(), call->arena, &o->grant, &e);
    if (err != TV_OK) {
        tv_log_warn("a grant was refused", F_STR(REASON, e.detail));
        tv_call_fail(o->call, &e);
        return;
    }
    if (tv_rooms_known(t->rooms, o->grant.room)) {
        sign(o);
        return;
    }
    struct tv_rooms_wish wish = {o->grant.room, o->grant.open_s, o->grant.participants_max};
    o->waiter = (struct tv_rooms_waiter){.on_made = on_made, .ctx = o};
    if (tv_rooms_make(t->rooms, &wish, &o->waiter, &e) != TV_OK)
        tv_call_fail(o->call, &e);
}

/* -- CloseRoom ----------------------------------------------------------------------------------*/

static void on_deleted(void *ctx, enum tv_err err, const struct tv_error *e,
                       const ProtobufCMessage *reply) {
    struct operation *o = ctx;
    tv_rooms_forget(o->tokens->rooms, o->room);
    if (err != TV_OK && err != TV_ERR_NOT_FOUND) {
        tv_call_fail(o->call, e);
        return;
    }
    tv_log_info("room closed", F_STR(ROOM, o->room));
    Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
    tv_call_reply(o->call, &empty.base);
}

static void delete_room(struct operation *o) {
    struct tv_error e = TV_ERROR_INIT;
    tv_rooms_forget(o->tokens->rooms, o->room);
    if (tv_livekit_delete_room(o->tokens->livekit, o->room, on_deleted, o, &e) != TV_OK)
        tv_call_fail(o->call, &e);
}

/* Made or not: if it is there, it has to go. */
static void on_made_before_close(void *ctx, enum tv_err err, const struct tv_error *e) {
    delete_room(ctx);
}

static void close_room(struct tv_call *call) {
    struct operation *o = operation_new(call);
    const Televisit__V1__CloseRoomRequest *request = (const void *)call->request;
    size_t len = strlen(request->room);
    if (len == 0 || len > TV_GRANT_NAME_MAX) {
        tv_call_failf(call, TV_ERR_INVALID, "the name of a room has 1 to %d bytes",
                      TV_GRANT_NAME_MAX);
        return;
    }
    o->room = request->room;
    o->waiter = (struct tv_rooms_waiter){.on_made = on_made_before_close, .ctx = o};
    if (!tv_rooms_wait(o->tokens->rooms, o->room, &o->waiter))
        delete_room(o);
}

/* -- the service --------------------------------------------------------------------------------*/

/* In the order of proto/televisit/v1/tokens.proto. */
static void unready(struct tv_call *call) { tv_call_failf(call, TV_ERR_UNAVAILABLE, "%s", ""); }
static tv_rpc_handler *const handlers[] = {issue,   close_room, unready, unready,
                                           unready, unready,    unready};

char *tokens_api_url(const char *livekit_url) {
    static const struct {
        struct tv_str is, becomes;
    } schemes[] = {{TV_S("ws://"), TV_S("http://")}, {TV_S("wss://"), TV_S("https://")}};
    struct tv_str rest = tv_str(livekit_url);
    struct tv_buf url = TV_BUF_INIT(rest.len + sizeof "https://");
    for (size_t i = 0; i < TV_ARRAY_LEN(schemes); i++) {
        if (tv_str_starts(rest, schemes[i].is)) {
            tv_buf_str(&url, schemes[i].becomes);
            rest.p += schemes[i].is.len;
            rest.len -= schemes[i].is.len;
            break;
        }
    }
    while (rest.len > 0 && rest.p[rest.len - 1] == '/')
        rest.len--;
    tv_buf_str(&url, rest);
    return url.data == NULL ? tv_strdup("") : url.data;
}

static void on_livekit_failing(void *ctx) {
    struct tokens *t = ctx;
    if (t->rooms != NULL)
        tv_rooms_forget_all(t->rooms);
}

enum tv_err tokens_new(struct tv_loop *l, struct tv_bus *b, const struct tokens_conf *conf,
                       struct tokens **ret, struct tv_error *e) {
    struct tokens *t = tv_calloc(1, sizeof *t);
    t->conf = conf;
    if (!tv_seal_key_parse(conf->grant_key, t->grant_key)) {
        free(t);
        return tv_fail(e, TV_ERR_INVALID,
                       "TELEVISIT_GRANT_KEY is neither 64 hex digits nor base64url of 32 bytes");
    }
    t->api_url =
        tokens_api_url(conf->livekit_api_url != NULL ? conf->livekit_api_url : conf->livekit_url);
    struct tv_livekit_config livekit = {
        .api_url = t->api_url,
        .api_key = conf->api_key,
        .api_secret = tv_str(conf->api_secret),
        .on_failing = on_livekit_failing,
        .ctx = t,
    };
    t->livekit = tv_livekit_new(l, &livekit);
    t->rooms = tv_rooms_new(l, t->livekit);
    t->server = tv_rpc_serve(b, &televisit__v1__tokens__descriptor, handlers, t, IN_FLIGHT_MAX);
    *ret = t;
    return TV_OK;
}

void tokens_free(struct tokens *t) {
    if (t == NULL)
        return;
    tv_livekit_free(t->livekit); /* ends the calls that still wait for LiveKit */
    tv_rooms_free(t->rooms);
    tv_rpc_server_free(t->server);
    tv_wipe(t->grant_key, sizeof t->grant_key);
    free(t->api_url);
    free(t);
}
