/* issue.c - Issue: the grant is opened (grant.h), its room is known or made (rooms.h), the token is
 * signed. Most of the time nothing is waited for. May be repeated without harm. */
#include "lib/clock.h"
#include "lib/jwt.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/pb.h"
#include "services/tokens/grant.h"
#include "services/tokens/operations.h"
#include "televisit/v1/tokens.pb-c.h"

static struct tv_metric issued_metric = {
    .name = "tv_tokens_issued_total",
    .help = "LiveKit tokens that were signed",
    .type = TV_COUNTER,
};

/* Lives in the arena of its call. */
struct issue {
    struct tokens *tokens;
    struct tv_call *call;
    struct tv_rooms_waiter waiter;
    struct tv_grant grant;
};

static void sign(struct issue *i) {
    struct tokens *t = i->tokens;
    struct tv_arena *a = i->call->arena;
    struct tv_jwt_key key = {NULL, tv_str(t->conf->api_secret)};
    struct tv_str token;
    struct tv_error e = TV_ERROR_INIT;
    if (tv_jwt_sign(&key, NULL, tv_grant_claims(&i->grant, t->conf->api_key, a), a, &token, &e) !=
        TV_OK) {
        tv_call_fail(i->call, &e);
        return;
    }
    Televisit__V1__IssueReply reply = TELEVISIT__V1__ISSUE_REPLY__INIT;
    reply.server_url = tv_arena_strdup(a, t->conf->livekit_url);
    reply.token = tv_arena_str(a, token);
    reply.expires_at = tv_pb_time(i->grant.expires_s * TV_US_PER_S, a);
    tv_inc(tv_metric_single(&issued_metric));
    tv_call_reply(i->call, &reply.base);
}

static void on_made(void *ctx, enum tv_err err, const struct tv_error *e) {
    struct issue *i = ctx;
    if (err == TV_OK)
        sign(i);
    else
        tv_call_fail(i->call, e);
}

void tokens_issue(struct tv_call *call) {
    struct tokens *t = call->service_ctx;
    struct issue *i = TV_ARENA_NEW(call->arena, struct issue);
    const Televisit__V1__IssueRequest *request = (const void *)call->request;
    struct tv_str sealed = {(const char *)request->sealed_grant.data, request->sealed_grant.len};
    struct tv_error e = TV_ERROR_INIT;
    *i = (struct issue){.tokens = t, .call = call, .waiter = {.on_made = on_made, .ctx = i}};
    if (tv_grant_open(sealed, &t->grant_keys, tv_clock_wall_us(), call->arena, &i->grant, &e) !=
        TV_OK) {
        tv_log_warn("a grant was refused", F_STR(REASON, e.detail));
        tv_call_fail(call, &e);
        return;
    }
    if (tv_rooms_known(t->rooms, i->grant.room)) {
        sign(i);
        return;
    }
    struct tv_rooms_wish wish = {i->grant.room, i->grant.open_s, i->grant.participants_max};
    if (tv_rooms_make(t->rooms, &wish, &i->waiter, &e) != TV_OK)
        tv_call_fail(call, &e);
}
