/* livekit.c - see livekit.h. */
#include "services/tokens/livekit.h"

#include <stdlib.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/httpc.h"
#include "lib/jwt.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/pb.h"

#define BUDGET_US (1500 * TV_US_PER_MS) /* of one call, its second attempt included */
#define RETRY_AFTER_S 2                 /* what people are told */
#define CONNECTIONS 16
#define KIB 1024
#define ROOMS_BYTES_MAX (8 * KIB * KIB) /* of all rooms: a Room has about 250 */

#define FAILURES_MAX 3               /* in a row; then the circuit is open */
#define OPEN_US (300 * TV_US_PER_MS) /* short: a return should be noticed at once */

#define ADMIN_TOKEN_S 60        /* is good for so long */
#define ADMIN_TOKEN_REUSED_S 30 /* and is used for so long */

enum method { CREATE_ROOM, DELETE_ROOM, FIND_ROOM, LIST_ROOMS, LIST_PEOPLE, METHOD_COUNT };

static const struct {
    const char *name;
    const ProtobufCMessageDescriptor *reply;
    size_t bytes_max; /* of the reply; a longer one is no proper answer */
} methods[METHOD_COUNT] = {
    [CREATE_ROOM] = {"CreateRoom", &livekit__room__descriptor, 64 * KIB},
    [DELETE_ROOM] = {"DeleteRoom", &livekit__delete_room_response__descriptor, 64 * KIB},
    [FIND_ROOM] = {"ListRooms", &livekit__list_rooms_response__descriptor, 64 * KIB},
    [LIST_ROOMS] = {"ListRooms", &livekit__list_rooms_response__descriptor, ROOMS_BYTES_MAX},
    [LIST_PEOPLE] = {"ListParticipants", &livekit__list_participants_response__descriptor,
                     256 * KIB},
};

static struct tv_metric calls_metric = {
    .name = "tv_livekit_calls_total",
    .help = "Calls of LiveKit's API by outcome",
    .type = TV_COUNTER,
    .labels = {"method", "outcome"},
};
static struct tv_metric seconds_metric = {
    .name = "tv_livekit_call_seconds",
    .help = "Time that calls of LiveKit's API took, second attempts included",
    .type = TV_HISTOGRAM,
    .labels = {"method"},
};

/* How a call ended. The first two are proper answers. */
enum outcome { DONE, SAID_NO, REFUSED_KEY, BROKEN, OUTCOME_COUNT };
static const char *const outcome_names[OUTCOME_COUNT] = {
    [DONE] = "ok", [SAID_NO] = "said_no", [REFUSED_KEY] = "refused_key", [BROKEN] = "broken"};

struct tv_livekit {
    struct tv_livekit_config config;
    struct tv_httpc *http;
    unsigned failures;     /* in a row */
    int64_t open_until_us; /* on the monotonic clock; the circuit is open until then */
    bool trying;           /* one call is under way to see whether LiveKit is back */
    bool key_was_refused;  /* told once, not with every call */
    char admin_token[2048];
    int64_t admin_made_us;
    struct tv_series *calls[METHOD_COUNT][OUTCOME_COUNT];
    struct tv_series *seconds[METHOD_COUNT];
};

struct call {
    struct tv_livekit *lk;
    struct tv_arena *arena;
    enum method method;
    struct tv_str request;
    const char *token; /* of this call's own; NULL: the one that rooms are made with */
    int64_t began_us;
    bool second; /* attempt */
    tv_livekit_done *on_done;
    void *ctx;
};

/* -- the circuit --------------------------------------------------------------------------------*/

static bool circuit_lets_through(struct tv_livekit *lk, enum method method) {
    if (lk->http == NULL)
        return false; /* on the way out */
    if (lk->failures < FAILURES_MAX || method == FIND_ROOM)
        return true;
    if (lk->trying || tv_clock_mono_us() < lk->open_until_us)
        return false;
    lk->trying = true;
    return true;
}

static void circuit_learns(struct tv_livekit *lk, bool answered) {
    lk->trying = false;
    if (answered) {
        if (lk->failures == FAILURES_MAX)
            tv_log_info("LiveKit answers again");
        lk->failures = 0;
        return;
    }
    lk->failures = TV_MIN(lk->failures + 1, FAILURES_MAX);
    lk->open_until_us = tv_clock_mono_us() + OPEN_US;
    if (lk->config.on_failing != NULL)
        lk->config.on_failing(lk->config.ctx);
}

/* -- the end of a call --------------------------------------------------------------------------*/

static void fail(struct tv_error *e, const char *detail) {
    (void)tv_fail(e, TV_ERR_MEDIA_UNAVAILABLE, "%s", detail);
    e->retry_after_s = RETRY_AFTER_S;
}

/* The token stands in LiveKit's plain-text refusal, so that text goes nowhere. While the circuit is
 * open, nothing more is said: somebody tries several times a second. */
static void log_outcome(struct call *c, enum outcome outcome, unsigned status, const char *why) {
    struct tv_livekit *lk = c->lk;
    if (outcome == BROKEN && lk->failures < FAILURES_MAX) {
        tv_log_warn("LiveKit gave no proper answer", F_STR(METHOD, methods[c->method].name),
                    F_INT(STATUS, status), F_STR(REASON, why));
    } else if (outcome == REFUSED_KEY && !lk->key_was_refused) {
        tv_log_error("LiveKit refuses our key", F_STR(METHOD, methods[c->method].name));
    }
    if (outcome != BROKEN)
        lk->key_was_refused = outcome == REFUSED_KEY;
}

static void end(struct call *c, enum outcome outcome, enum tv_err err, unsigned status,
                const char *why, const ProtobufCMessage *reply) {
    struct tv_livekit *lk = c->lk;
    struct tv_error e = TV_ERROR_INIT;
    tv_inc(lk->calls[c->method][outcome]);
    tv_observe(lk->seconds[c->method],
               (double)(tv_clock_mono_us() - c->began_us) / (double)TV_US_PER_S);
    log_outcome(c, outcome, status, why);
    if (err == TV_ERR_NOT_FOUND)
        (void)tv_fail(&e, err, "there is no such room");
    else if (err != TV_OK)
        fail(&e, "");
    circuit_learns(lk, outcome == DONE || outcome == SAID_NO);
    c->on_done(c->ctx, err, &e, reply);
    tv_arena_free(c->arena);
}

static bool has_type(const struct tv_httpc_response *r, struct tv_str type) {
    struct tv_str rest = r->content_type;
    return tv_str_eq_nocase(tv_str_trim(tv_str_cut(&rest, ';')), type);
}

/* Whether it is a Twirp error of this code. Other people's 404 (a proxy, a wrong path) is not. */
static bool is_twirp(struct call *c, const struct tv_httpc_response *r, const char *code) {
    ProtobufCMessage *m = NULL;
    return has_type(r, TV_S("application/json")) &&
           tv_pb_from_json(&livekit__twirp_error__descriptor, r->body, TV_PB_LENIENT, c->arena, &m,
                           NULL) == TV_OK &&
           strcmp(((const Livekit__TwirpError *)(const void *)m)->code, code) == 0;
}

static void read_answer(struct call *c, const struct tv_httpc_response *r) {
    if (r->status == 200 && has_type(r, TV_S("application/protobuf"))) {
        const ProtobufCMessage *reply = tv_pb_unpack_long(methods[c->method].reply, r->body,
                                                          methods[c->method].bytes_max, c->arena);
        if (reply != NULL) {
            end(c, DONE, TV_OK, r->status, "", reply);
            return;
        }
    }
    if (r->status == 404 && is_twirp(c, r, "not_found"))
        end(c, SAID_NO, TV_ERR_NOT_FOUND, r->status, "", NULL);
    else if (r->status == 401)
        end(c, REFUSED_KEY, TV_ERR_MEDIA_UNAVAILABLE, r->status, "", NULL);
    else
        end(c, BROKEN, TV_ERR_MEDIA_UNAVAILABLE, r->status,
            r->status == 200 ? "the answer cannot be read" : "the status is no success", NULL);
}

/* -- one attempt --------------------------------------------------------------------------------*/

static void attempt(struct call *c);

static void on_answer(void *ctx, enum tv_err err, const struct tv_error *e,
                      const struct tv_httpc_response *response) {
    struct call *c = ctx;
    if (err == TV_OK) {
        read_answer(c, response);
    } else if (err == TV_ERR_UNAVAILABLE && !c->second && c->lk->http != NULL) {
        c->second = true; /* every method may be sent twice */
        attempt(c);
    } else {
        end(c, BROKEN, TV_ERR_MEDIA_UNAVAILABLE, 0, e->detail, NULL);
    }
}

/* A token for the API; `grants` is JSON. Lives in the arena. */
static struct tv_str sign(const struct tv_livekit *lk, struct tv_str grants, struct tv_arena *a) {
    struct tv_buf claims = TV_BUF_INIT(TV_JWT_MAX_BYTES);
    struct tv_jwt_key key = {NULL, lk->config.api_secret};
    struct tv_str token = {NULL, 0};
    int64_t now_s = tv_clock_wall_us() / TV_US_PER_S;
    tv_buf_puts(&claims, "{\"iss\":");
    tv_buf_json(&claims, tv_str(lk->config.api_key));
    tv_buf_printf(&claims, ",\"nbf\":%lld,\"exp\":%lld,\"video\":", (long long)now_s - 10,
                  (long long)now_s + ADMIN_TOKEN_S);
    tv_buf_str(&claims, grants);
    tv_buf_char(&claims, '}');
    if (claims.overflow || tv_jwt_sign(&key, NULL, tv_buf_view(&claims), a, &token, NULL) != TV_OK)
        tv_panic("no token can be signed with LIVEKIT_API_KEY and LIVEKIT_API_SECRET");
    tv_buf_done(&claims);
    return token;
}

/* Makes, deletes and lists rooms: the same for all calls of half a minute. */
static const char *rooms_token(struct tv_livekit *lk, struct tv_arena *a) {
    int64_t now_us = tv_clock_wall_us(), age_us = now_us - lk->admin_made_us;
    if (lk->admin_token[0] != '\0' && age_us >= 0 && age_us < ADMIN_TOKEN_REUSED_S * TV_US_PER_S)
        return lk->admin_token;
    struct tv_str token = sign(lk, TV_S("{\"roomCreate\":true,\"roomList\":true}"), a);
    if (token.len >= sizeof lk->admin_token)
        tv_panic("LIVEKIT_API_KEY is too long");
    memcpy(lk->admin_token, token.p, token.len + 1);
    lk->admin_made_us = now_us;
    return lk->admin_token;
}

/* Looks into one room. */
static const char *room_token(struct tv_livekit *lk, const char *room, struct tv_arena *a) {
    struct tv_buf grants = TV_BUF_INIT(TV_JWT_MAX_BYTES);
    tv_buf_puts(&grants, "{\"room\":");
    tv_buf_json(&grants, tv_str(room));
    tv_buf_puts(&grants, ",\"roomAdmin\":true}");
    struct tv_str token = sign(lk, tv_buf_view(&grants), a);
    tv_buf_done(&grants);
    return token.p;
}

static void attempt(struct call *c) {
    struct tv_livekit *lk = c->lk;
    const char *const headers[] = {
        "Content-Type: application/protobuf",
        tv_arena_printf(c->arena, "Authorization: Bearer %s",
                        c->token != NULL ? c->token : rooms_token(lk, c->arena)),
        NULL,
    };
    struct tv_httpc_request r = {
        .url = tv_arena_printf(c->arena, "%s/twirp/livekit.RoomService/%s", lk->config.api_url,
                               methods[c->method].name),
        .headers = headers,
        .body = c->request,
        .timeout_us = TV_MAX(0, c->began_us + BUDGET_US - tv_clock_mono_us()),
        .max_response_bytes = methods[c->method].bytes_max,
    };
    tv_httpc_post(lk->http, &r, on_answer, c);
}

/* NULL, with the error, while the circuit is open. */
static struct call *call_new(struct tv_livekit *lk, enum method method,
                             const ProtobufCMessage *request, tv_livekit_done *on_done, void *ctx,
                             struct tv_error *e) {
    if (!circuit_lets_through(lk, method)) {
        fail(e, "");
        return NULL;
    }
    struct tv_arena *a = tv_arena_new();
    struct call *c = TV_ARENA_NEW(a, struct call);
    *c = (struct call){.lk = lk,
                       .arena = a,
                       .method = method,
                       .request = tv_pb_pack(request, a),
                       .began_us = tv_clock_mono_us(),
                       .on_done = on_done,
                       .ctx = ctx};
    return c;
}

static enum tv_err begin(struct tv_livekit *lk, enum method method, const ProtobufCMessage *request,
                         tv_livekit_done *on_done, void *ctx, struct tv_error *e) {
    struct call *c = call_new(lk, method, request, on_done, ctx, e);
    if (c == NULL)
        return TV_ERR_MEDIA_UNAVAILABLE;
    attempt(c);
    return TV_OK;
}

/* -- the methods --------------------------------------------------------------------------------*/

enum tv_err tv_livekit_create_room(struct tv_livekit *lk, const Livekit__CreateRoomRequest *request,
                                   tv_livekit_done *on_done, void *ctx, struct tv_error *e) {
    return begin(lk, CREATE_ROOM, &request->base, on_done, ctx, e);
}

enum tv_err tv_livekit_delete_room(struct tv_livekit *lk, const char *room,
                                   tv_livekit_done *on_done, void *ctx, struct tv_error *e) {
    Livekit__DeleteRoomRequest request = LIVEKIT__DELETE_ROOM_REQUEST__INIT;
    request.room = (char *)(uintptr_t)room; /* protobuf-c does not know const */
    return begin(lk, DELETE_ROOM, &request.base, on_done, ctx, e);
}

enum tv_err tv_livekit_find_room(struct tv_livekit *lk, const char *room, tv_livekit_done *on_done,
                                 void *ctx, struct tv_error *e) {
    Livekit__ListRoomsRequest request = LIVEKIT__LIST_ROOMS_REQUEST__INIT;
    char *names[] = {(char *)(uintptr_t)room};
    request.names = names;
    request.n_names = TV_ARRAY_LEN(names);
    return begin(lk, FIND_ROOM, &request.base, on_done, ctx, e);
}

enum tv_err tv_livekit_list_rooms(struct tv_livekit *lk, tv_livekit_done *on_done, void *ctx,
                                  struct tv_error *e) {
    Livekit__ListRoomsRequest request = LIVEKIT__LIST_ROOMS_REQUEST__INIT;
    return begin(lk, LIST_ROOMS, &request.base, on_done, ctx, e);
}

enum tv_err tv_livekit_list_people(struct tv_livekit *lk, const char *room,
                                   tv_livekit_done *on_done, void *ctx, struct tv_error *e) {
    Livekit__ListParticipantsRequest request = LIVEKIT__LIST_PARTICIPANTS_REQUEST__INIT;
    request.room = (char *)(uintptr_t)room;
    struct call *c = call_new(lk, LIST_PEOPLE, &request.base, on_done, ctx, e);
    if (c == NULL)
        return TV_ERR_MEDIA_UNAVAILABLE;
    c->token = room_token(lk, room, c->arena);
    attempt(c);
    return TV_OK;
}

const Livekit__Room *tv_livekit_found(const ProtobufCMessage *reply, const char *name) {
    const Livekit__ListRoomsResponse *list = (const void *)reply;
    for (size_t i = 0; i < list->n_rooms; i++) {
        if (strcmp(list->rooms[i]->name, name) == 0)
            return list->rooms[i];
    }
    return NULL;
}

struct tv_livekit *tv_livekit_new(struct tv_loop *l, const struct tv_livekit_config *c) {
    struct tv_livekit *lk = tv_calloc(1, sizeof *lk);
    lk->config = *c;
    lk->http = tv_httpc_new(l, CONNECTIONS);
    for (unsigned m = 0; m < METHOD_COUNT; m++) {
        for (unsigned o = 0; o < OUTCOME_COUNT; o++)
            lk->calls[m][o] =
                tv_metric_series(&calls_metric, methods[m].name, outcome_names[o], NULL, NULL);
        lk->seconds[m] = tv_metric_series(&seconds_metric, methods[m].name, NULL, NULL, NULL);
    }
    return lk;
}

void tv_livekit_free(struct tv_livekit *lk) {
    if (lk == NULL)
        return;
    tv_httpc_free(TV_TAKE_PTR(lk->http)); /* calls that end now are not tried again */
    tv_wipe(lk->admin_token, sizeof lk->admin_token);
    free(lk);
}
