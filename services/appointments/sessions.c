/* sessions.c - opening and renewing sessions (docs/adr/0007-refresh-tokens.md).
 *
 * Open: the hash of the mail address is read, the password is checked on a worker, then the session
 * is written. For an unknown clinic or address the same check runs against a hash that no password
 * fits, so time does not tell who has an account. A check takes tens of milliseconds and its memory
 * on purpose, so at most PENDING_MAX may wait; more are told to come again. */
#include <stdio.h>
#include <stdlib.h>

#include "appointments_sql.h"
#include "lib/clock.h"
#include "services/appointments/app.h"
#include "services/appointments/bind.h"
#include "services/appointments/view.h"
#include "televisit/v1/sessions.pb-c.h"

enum { PENDING_MAX = 64, TOKEN_BYTES = 32 };
#define TOKEN_TEXT 44 /* base64url of TOKEN_BYTES, with NUL */
#define HASH_TEXT (2 * TV_SHA256_BYTES + 1)
/* A token that was used may come again for so long. */
#define RENEW_GRACE "10"

struct sessions {
    struct app *app;
    unsigned pending;
    char nobody[TV_PASSWORD_HASH_MAX]; /* hash of a password that nobody has */
};

/* A log-in under way; lives in the call's arena. */
struct login {
    struct tv_work work;
    struct tv_call *call;
    struct sessions *sessions;
    bool known;
    bool right; /* the password; written by the worker */
    char clinic_id[TV_UUID_TEXT], person_id[TV_UUID_TEXT];
    char hash[TV_PASSWORD_HASH_MAX];
};

/* -- tokens -------------------------------------------------------------------------------------*/

static void hash_token(const unsigned char token[static TOKEN_BYTES], char out[static HASH_TEXT]) {
    unsigned char hash[TV_SHA256_BYTES];
    tv_sha256((struct tv_str){(const char *)token, TOKEN_BYTES}, hash);
    for (size_t i = 0; i < sizeof(hash); i++)
        (void)snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

/* A new refresh token for the client, and what is kept of it; both in the arena. */
static char *new_token(struct tv_arena *a, char **ret_hash) {
    unsigned char token[TOKEN_BYTES];
    tv_random(token, sizeof(token));
    char *text = tv_arena_alloc(a, TOKEN_TEXT);
    (void)tv_base64url(token, sizeof(token), text);
    *ret_hash = tv_arena_alloc(a, HASH_TEXT);
    hash_token(token, *ret_hash);
    tv_wipe(token, sizeof(token));
    return text;
}

/* NULL for a text that no token has. */
static char *hash_of_text(const char *text, struct tv_arena *a) {
    unsigned char token[TOKEN_BYTES];
    size_t len = 0;
    if (!tv_base64url_decode(tv_str(text), token, sizeof(token), &len) || len != sizeof(token))
        return NULL;
    char *hash = tv_arena_alloc(a, HASH_TEXT);
    hash_token(token, hash);
    return hash;
}

static const char *seconds_text(struct tv_arena *a, int64_t us) {
    return tv_arena_printf(a, "%lld", (long long)(us / TV_US_PER_S));
}

static void submit(struct tv_call *call, const struct tv_pg_statement *st, const struct bind *binds,
                   size_t count, tv_pg_done *on_done, void *ctx) {
    struct app *app = call->service_ctx;
    const struct tv_pg_query query = {
        st, bind_params(st, &call->context.actor, binds, count, call->arena)};
    tv_pg_submit(app->pg, &query, 1, call->context.deadline_us, on_done, ctx);
}

/* Replies with the columns of sql/parts/open_session.sql and the new token. */
static void reply_session(struct tv_call *call, const struct tv_pg_result *r, char *token) {
    struct tv_error e = TV_ERROR_INIT;
    Televisit__V1__OpenSession *reply =
        TV_PB_NEW(call->arena, Televisit__V1__OpenSession, televisit__v1__open_session__descriptor);
    ProtobufCMessage *person = NULL;
    int64_t expires_at_us = 0;
    int expires = tv_pg_column(r, "refresh_expires_at");
    if (view_json(r, 0, "person", &televisit__v1__person__descriptor, call->arena, &person, &e) !=
        TV_OK) {
        tv_call_fail(call, &e);
        return;
    }
    if (expires < 0 || !tv_pg_time(r, 0, (unsigned)expires, &expires_at_us)) {
        tv_call_failf(call, TV_ERR_INTERNAL, "A session could not be read");
        return;
    }
    reply->session_id = tv_arena_strdup(call->arena, view_text(r, 0, "session_id"));
    reply->person = (void *)person;
    reply->refresh_token = token;
    reply->refresh_expires_at = tv_pb_time(expires_at_us, call->arena);
    tv_call_reply(call, &reply->base);
}

/* -- open ---------------------------------------------------------------------------------------*/

struct opening {
    struct tv_call *call;
    char *token;
};

static void on_opened(void *ctx, enum tv_err err, const struct tv_error *e,
                      const struct tv_pg_result *const *results, unsigned count) {
    struct opening *o = ctx;
    if (err != TV_OK)
        tv_call_fail(o->call, e);
    else if (tv_pg_rows(results[0]) == 0)
        tv_call_failf(o->call, TV_ERR_BAD_CREDENTIALS, "%s", "");
    else
        reply_session(o->call, results[0], o->token);
}

static void open_session(struct login *l) {
    struct tv_call *call = l->call;
    const struct app_conf *conf = l->sessions->app->conf;
    struct opening *o = TV_ARENA_NEW(call->arena, struct opening);
    char *hash = NULL;
    o->call = call;
    o->token = new_token(call->arena, &hash);
    const struct bind binds[] = {
        {"clinic_id", l->clinic_id},
        {"person_id", l->person_id},
        {"token_sha256", hash},
        {"idle_s", seconds_text(call->arena, conf->session_idle_us)},
        {"length_s", seconds_text(call->arena, conf->session_length_us)},
    };
    submit(call, &sql_sessions_open, binds, TV_ARRAY_LEN(binds), on_opened, o);
}

static void on_refusal_written(void *ctx, enum tv_err err, const struct tv_error *e,
                               const struct tv_pg_result *const *results, unsigned count) {
    tv_arena_free(ctx);
}

/* Nobody waits for this row: an answer that came later for people who exist would tell of them. */
static void record_refusal(const struct login *l) {
    struct tv_arena *a = tv_arena_new();
    const char *clinic = l->clinic_id, *person = l->person_id, *session = NULL;
    const char *action = "session.open", *subject = "", *decision = "REFUSED";
    const char *request = l->call->context.request_id;
    const struct bind binds[] = {
        {"clinic_ids", bind_array(&clinic, 1, a)},   {"person_ids", bind_array(&person, 1, a)},
        {"session_ids", bind_array(&session, 1, a)}, {"actions", bind_array(&action, 1, a)},
        {"subjects", bind_array(&subject, 1, a)},    {"decisions", bind_array(&decision, 1, a)},
        {"request_ids", bind_array(&request, 1, a)},
    };
    const struct tv_pg_query query = {
        &sql_audit_write,
        bind_params(&sql_audit_write, &l->call->context.actor, binds, TV_ARRAY_LEN(binds), a)};
    tv_pg_submit(l->sessions->app->pg, &query, 1, tv_clock_mono_us() + 10 * TV_US_PER_S,
                 on_refusal_written, a);
}

/* On a worker: touches nothing but the login. */
static void check_password(struct tv_work *w) {
    struct login *l = tv_container_of(w, struct login, work);
    const Televisit__V1__OpenSessionRequest *request = (const void *)l->call->request;
    l->right = tv_password_ok(tv_str(request->password), l->hash) && l->known;
}

static void on_checked(struct tv_work *w) {
    struct login *l = tv_container_of(w, struct login, work);
    l->sessions->pending--;
    if (l->right) {
        open_session(l);
        return;
    }
    if (l->known)
        record_refusal(l);
    tv_call_failf(l->call, TV_ERR_BAD_CREDENTIALS, "%s", "");
}

static void on_found(void *ctx, enum tv_err err, const struct tv_error *e,
                     const struct tv_pg_result *const *results, unsigned count) {
    struct login *l = ctx;
    if (err != TV_OK) {
        tv_call_fail(l->call, e);
        return;
    }
    if (l->sessions->pending >= PENDING_MAX) {
        struct tv_error busy = TV_ERROR_INIT;
        (void)tv_fail(&busy, TV_ERR_UNAVAILABLE, "Too many people are logging in just now");
        busy.retry_after_s = 1;
        tv_call_fail(l->call, &busy);
        return;
    }
    l->known = tv_pg_rows(results[0]) > 0;
    if (l->known) {
        const struct tv_pg_result *r = results[0];
        (void)snprintf(l->clinic_id, sizeof(l->clinic_id), "%s", view_text(r, 0, "clinic_id"));
        (void)snprintf(l->person_id, sizeof(l->person_id), "%s", view_text(r, 0, "person_id"));
        (void)snprintf(l->hash, sizeof(l->hash), "%s", view_text(r, 0, "password_hash"));
    } else {
        memcpy(l->hash, l->sessions->nobody, sizeof(l->hash));
    }
    l->sessions->pending++;
    l->work = (struct tv_work){.work = check_password, .done = on_checked};
    tv_loop_work(l->sessions->app->loop, &l->work);
}

void sessions_open(struct tv_call *call) {
    struct app *app = call->service_ctx;
    const Televisit__V1__OpenSessionRequest *request = (const void *)call->request;
    struct login *l = TV_ARENA_NEW(call->arena, struct login);
    l->call = call;
    l->sessions = app->sessions;
    const struct bind binds[] = {{"clinic", request->clinic}, {"email", request->email}};
    submit(call, &sql_sessions_find, binds, TV_ARRAY_LEN(binds), on_found, l);
}

/* -- renew --------------------------------------------------------------------------------------*/

static void on_renewed(void *ctx, enum tv_err err, const struct tv_error *e,
                       const struct tv_pg_result *const *results, unsigned count) {
    struct opening *o = ctx;
    if (err != TV_OK)
        tv_call_fail(o->call, e);
    else if (tv_pg_rows(results[0]) == 0 ||
             !tv_str_eqz(tv_str(view_text(results[0], 0, "outcome")), "renewed"))
        tv_call_failf(o->call, TV_ERR_SESSION_EXPIRED, "%s", "");
    else
        reply_session(o->call, results[0], o->token);
}

void sessions_renew(struct tv_call *call) {
    struct app *app = call->service_ctx;
    const Televisit__V1__RenewSessionRequest *request = (const void *)call->request;
    char *shown = hash_of_text(request->refresh_token, call->arena), *next = NULL;
    if (shown == NULL) {
        tv_call_failf(call, TV_ERR_SESSION_EXPIRED, "%s", "");
        return;
    }
    struct opening *o = TV_ARENA_NEW(call->arena, struct opening);
    o->call = call;
    o->token = new_token(call->arena, &next);
    const struct bind binds[] = {
        {"token_sha256", shown},
        {"next_sha256", next},
        {"idle_s", seconds_text(call->arena, app->conf->session_idle_us)},
        {"grace_s", RENEW_GRACE},
    };
    submit(call, &sql_sessions_renew, binds, TV_ARRAY_LEN(binds), on_renewed, o);
}

/* -- start and end ------------------------------------------------------------------------------*/

struct sessions *sessions_new(struct app *app) {
    struct sessions *s = tv_calloc(1, sizeof(*s));
    s->app = app;
    char secret[TOKEN_BYTES];
    tv_random(secret, sizeof(secret));
    if (!tv_password_hash((struct tv_str){secret, sizeof(secret)},
                          (uint64_t)app->conf->password_passes,
                          (size_t)app->conf->password_memory_mib << 20, s->nobody))
        tv_panic("no memory to check passwords");
    return s;
}

unsigned sessions_pending(const struct sessions *s) { return s->pending; }

void sessions_free(struct sessions *s) { free(s); }
