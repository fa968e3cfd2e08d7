/* flow_session.c - log in, refresh, log out: appointments knows people and refresh tokens, the
 * gateway signs access tokens and minds the cookies. */
#include "lib/clock.h"
#include "lib/crypto.h"
#include "services/gateway/answer.h"
#include "services/gateway/call.h"
#include "services/gateway/flows.h"
#include "services/gateway/gateway.h"
#include "services/gateway/problem.h"
#include "televisit/v1/gateway.pb-c.h"
#include "televisit/v1/sessions.pb-c.h"

static const struct call_target open_session = {&televisit__v1__sessions__descriptor, "Open",
                                                .retry = false};
static const struct call_target renew_session = {&televisit__v1__sessions__descriptor, "Renew",
                                                 .retry = false};
static const struct call_target close_session = {&televisit__v1__sessions__descriptor, "Close",
                                                 .retry = true};

#define REFRESH_TOKEN_MAX 128 /* as in message RefreshRequest */

static bool copy_id(char out[static TV_UUID_TEXT], const char *id) {
    if (!tv_str_is_uuid(tv_str(id)))
        return false;
    memcpy(out, id, TV_UUID_TEXT);
    return true;
}

/* Who the session is for; false when the service left something out. */
static bool read_actor(const Televisit__V1__OpenSession *s, struct tv_actor *actor) {
    *actor = (struct tv_actor){.role = TV_ROLE_NONE};
    if (s->person == NULL || s->refresh_expires_at == NULL || s->refresh_token[0] == '\0' ||
        !copy_id(actor->clinic_id, s->person->clinic_id) ||
        !copy_id(actor->person_id, s->person->id) || !copy_id(actor->session_id, s->session_id) ||
        (int)s->person->role < TV_ROLE_PATIENT || (int)s->person->role > TV_ROLE_GUEST)
        return false;
    actor->role = (enum tv_role)s->person->role;
    return true;
}

/* Answers with a session: as tokens in the body, or as cookies. */
static void answer_session(struct flight *f, const ProtobufCMessage *reply) {
    const Televisit__V1__OpenSession *s = (const Televisit__V1__OpenSession *)reply;
    struct tv_actor actor;
    struct tv_error e;
    if (!read_actor(s, &actor)) {
        tv_problem_answerf(f, TV_ERR_INTERNAL, "The service gave an incomplete answer");
        return;
    }
    int64_t now_us = tv_clock_wall_us(), expires_us;
    struct tv_str token;
    if (tv_session_sign(f->gateway->sessions, &actor, now_us, f->arena, &token, &expires_us, &e) !=
        TV_OK) {
        tv_problem_answer(f, &e);
        return;
    }
    Televisit__V1__Session session = TELEVISIT__V1__SESSION__INIT;
    session.person = s->person;
    session.expires_at = tv_pb_time(expires_us, f->arena);
    session.refresh_expires_at = s->refresh_expires_at;
    if (!f->by_cookie) {
        session.access_token = tv_arena_str(f->arena, token);
        session.refresh_token = s->refresh_token;
        answer_with(f, 0, &session.base, NULL, 0);
        return;
    }
    int64_t refresh_s = (tv_pb_time_us(s->refresh_expires_at) - now_us) / TV_US_PER_S;
    struct tv_http_field cookies[] = {
        {"Set-Cookie", tv_session_set_cookie(TV_COOKIE_SESSION, token,
                                             (expires_us - now_us) / TV_US_PER_S, f->arena)},
        {"Set-Cookie",
         tv_session_set_cookie(TV_COOKIE_REFRESH, tv_str(s->refresh_token), refresh_s, f->arena)},
    };
    answer_with(f, 0, &session.base, cookies, TV_ARRAY_LEN(cookies));
}

/* Cookies are set for and read from our own pages only, also before there is a session: else a
 * foreign page could log its visitor in as somebody else. */
static bool refuse_cross_site(struct flight *f) {
    if (!f->by_cookie || tv_session_same_origin(f->gateway->sessions, f->http))
        return false;
    tv_problem_answerf(f, TV_ERR_CROSS_SITE, "Cookies work from the clinic's own pages only");
    return true;
}

void flow_log_in(struct flight *f, const ProtobufCMessage *request) {
    const Televisit__V1__LogInRequest *in = (const Televisit__V1__LogInRequest *)request;
    f->by_cookie = in->cookie;
    if (refuse_cross_site(f))
        return;
    Televisit__V1__OpenSessionRequest *out =
        TV_PB_NEW(f->arena, Televisit__V1__OpenSessionRequest,
                  televisit__v1__open_session_request__descriptor);
    out->clinic = in->clinic;
    out->email = in->email;
    out->password = in->password;
    call_start(f, &open_session, &out->base, answer_session);
}

void flow_refresh(struct flight *f, const ProtobufCMessage *request) {
    const Televisit__V1__RefreshRequest *in = (const Televisit__V1__RefreshRequest *)request;
    struct tv_str token = tv_str(in->refresh_token);
    f->by_cookie = token.len == 0;
    if (f->by_cookie)
        token = tv_session_cookie(f->http, TV_COOKIE_REFRESH);
    /* A cookie has passed no rules of a message. */
    if (token.len == 0 || token.len > REFRESH_TOKEN_MAX || !tv_str_is_utf8(token)) {
        tv_problem_answerf(f, TV_ERR_UNAUTHENTICATED, "There is no refresh token");
        return;
    }
    if (refuse_cross_site(f))
        return;
    Televisit__V1__RenewSessionRequest *out =
        TV_PB_NEW(f->arena, Televisit__V1__RenewSessionRequest,
                  televisit__v1__renew_session_request__descriptor);
    out->refresh_token = tv_arena_str(f->arena, token);
    call_start(f, &renew_session, &out->base, answer_session);
}

static void on_closed(struct flight *f, const ProtobufCMessage *reply) {
    (void)reply;
    struct tv_str none = {"", 0};
    struct tv_http_field cookies[] = {
        {"Set-Cookie", tv_session_set_cookie(TV_COOKIE_SESSION, none, 0, f->arena)},
        {"Set-Cookie", tv_session_set_cookie(TV_COOKIE_REFRESH, none, 0, f->arena)},
    };
    answer_empty(f, 204, cookies, TV_ARRAY_LEN(cookies));
}

void flow_log_out(struct flight *f, const ProtobufCMessage *request) {
    (void)request;
    Televisit__V1__CloseSessionRequest *out =
        TV_PB_NEW(f->arena, Televisit__V1__CloseSessionRequest,
                  televisit__v1__close_session_request__descriptor);
    out->session_id = f->context.actor.session_id;
    call_start(f, &close_session, &out->base, on_closed);
}
