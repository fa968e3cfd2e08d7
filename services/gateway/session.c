#include "services/gateway/session.h"

#include <stdlib.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/jwt.h"
#include "televisit/v1/gateway.pb-c.h"

#define KEYS_MAX 4
#define KEY_BYTES_MAX 64
#define REMEMBERED 1024 /* verified tokens, a power of two */
#define TOKEN_TYPE "at+jwt"
#define ISSUER "televisit"

struct remembered {
    char *token; /* owned; NULL: free */
    size_t len;
    struct tv_actor actor;
    int64_t expires_us;
};

struct tv_sessions {
    struct tv_jwt_key keys[KEYS_MAX];
    size_t key_count;
    char ids[KEYS_MAX][33];
    unsigned char bytes[KEYS_MAX][KEY_BYTES_MAX];
    char *origin; /* scheme://host[:port] */
    int64_t access_ttl_us;
    struct remembered remembered[REMEMBERED]; /* by hash of the token; a newer one takes over */
};

/* -- keys and origin ----------------------------------------------------------------------------*/

static enum tv_err read_key(struct tv_sessions *s, struct tv_str line, struct tv_error *e) {
    struct tv_str secret = line;
    struct tv_str id = tv_str_cut(&secret, ':');
    if (s->key_count == KEYS_MAX)
        return tv_fail(e, TV_ERR_INVALID, "more than %d session keys", KEYS_MAX);
    size_t n = s->key_count;
    size_t len;
    if (secret.p == NULL || id.len == 0 || id.len >= sizeof s->ids[0])
        return tv_fail(e, TV_ERR_INVALID, "session key %zu is not of the form kid:base64url",
                       n + 1);
    if (!tv_base64url_decode(secret, s->bytes[n], KEY_BYTES_MAX, &len) ||
        len < TV_JWT_MIN_KEY_BYTES)
        return tv_fail(e, TV_ERR_INVALID, "session key %zu is not %d to %d bytes in base64url",
                       n + 1, TV_JWT_MIN_KEY_BYTES, KEY_BYTES_MAX);
    memcpy(s->ids[n], id.p, id.len);
    s->ids[n][id.len] = '\0';
    for (size_t i = 0; i < n; i++)
        if (strcmp(s->ids[i], s->ids[n]) == 0)
            return tv_fail(e, TV_ERR_INVALID, "two session keys have the kid %s", s->ids[n]);
    s->keys[n] = (struct tv_jwt_key){s->ids[n], {(const char *)s->bytes[n], len}};
    s->key_count++;
    return TV_OK;
}

static enum tv_err read_keys(struct tv_sessions *s, const char *text, struct tv_error *e) {
    struct tv_str rest = tv_str(text);
    while (rest.p != NULL) {
        struct tv_str line = tv_str_trim(tv_str_cut(&rest, '\n'));
        enum tv_err err = line.len == 0 ? TV_OK : read_key(s, line, e);
        if (err != TV_OK)
            return err;
    }
    return s->key_count > 0 ? TV_OK : tv_fail(e, TV_ERR_INVALID, "there is no session key");
}

/* The origin of a URL as browsers write it: scheme and host in lower case, without the port that
 * the scheme has anyway (RFC 6454 section 6.2). Returns owned. */
static char *origin_of(const char *url) {
    static const char *const usual_ports[][2] = {{"https:", ":443"}, {"http:", ":80"}};
    const char *host = strstr(url, "://");
    host = host == NULL ? url : host + 3;
    char *origin = tv_strndup(url, (size_t)(host - url) + strcspn(host, "/?#"));
    for (char *c = origin; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    size_t len = strlen(origin);
    for (size_t i = 0; i < TV_ARRAY_LEN(usual_ports); i++) {
        const char *scheme = usual_ports[i][0], *port = usual_ports[i][1];
        if (strncmp(origin, scheme, strlen(scheme)) == 0 && len > strlen(port) &&
            strcmp(origin + len - strlen(port), port) == 0)
            origin[len - strlen(port)] = '\0';
    }
    return origin;
}

enum tv_err tv_sessions_new(const char *keys_text, const char *public_url, int64_t access_ttl_us,
                            struct tv_sessions **ret, struct tv_error *e) {
    struct tv_sessions *s = tv_calloc(1, sizeof *s);
    s->access_ttl_us = access_ttl_us;
    s->origin = origin_of(public_url);
    enum tv_err err = read_keys(s, keys_text, e);
    if (err != TV_OK) {
        tv_sessions_free(s);
        return err;
    }
    *ret = s;
    return TV_OK;
}

void tv_sessions_free(struct tv_sessions *s) {
    if (s == NULL)
        return;
    for (size_t i = 0; i < REMEMBERED; i++)
        free(s->remembered[i].token);
    tv_wipe(s->bytes, sizeof s->bytes);
    free(s->origin);
    free(s);
}

/* -- tokens -------------------------------------------------------------------------------------*/

enum tv_err tv_session_sign(struct tv_sessions *s, const struct tv_actor *actor, int64_t now_us,
                            struct tv_arena *a, struct tv_str *ret_token, int64_t *ret_expires_us,
                            struct tv_error *e) {
    int64_t now_s = now_us / TV_US_PER_S;
    int64_t expires_s = (now_us + s->access_ttl_us) / TV_US_PER_S;
    /* Every value is an id or a number of ours: nothing needs escaping. */
    const char *claims = tv_arena_printf(a,
                                         "{\"iss\":\"" ISSUER "\",\"aud\":\"" ISSUER
                                         "\",\"sub\":\"%s\",\"cid\":\"%s\","
                                         "\"sid\":\"%s\",\"role\":%d,\"iat\":%lld,\"exp\":%lld}",
                                         actor->person_id, actor->clinic_id, actor->session_id,
                                         (int)actor->role, (long long)now_s, (long long)expires_s);
    enum tv_err err = tv_jwt_sign(&s->keys[0], TOKEN_TYPE, tv_str(claims), a, ret_token, e);
    if (err == TV_OK)
        *ret_expires_us = expires_s * TV_US_PER_S;
    return err;
}

static bool copy_id(char out[static TV_UUID_TEXT], const char *id) {
    if (!tv_str_is_uuid(tv_str(id)))
        return false;
    memcpy(out, id, TV_UUID_TEXT);
    return true;
}

/* Checks the claims of a token whose signature is good. */
static enum tv_err read_claims(struct tv_str json, struct tv_arena *a, struct tv_actor *actor,
                               int64_t *expires_us, struct tv_error *e) {
    ProtobufCMessage *m;
    struct tv_error ignored;
    if (tv_pb_from_json(&televisit__v1__access_claims__descriptor, json, 0, a, &m, &ignored) !=
        TV_OK)
        return tv_fail(e, TV_ERR_UNAUTHENTICATED, "The token has other claims than ours");
    const Televisit__V1__AccessClaims *c = (const Televisit__V1__AccessClaims *)m;
    if (strcmp(c->iss, ISSUER) != 0 || strcmp(c->aud, ISSUER) != 0 ||
        !copy_id(actor->person_id, c->sub) || !copy_id(actor->clinic_id, c->cid) ||
        !copy_id(actor->session_id, c->sid) || (int)c->role < TV_ROLE_PATIENT ||
        (int)c->role > TV_ROLE_GUEST || c->exp <= 0 || c->exp > INT64_MAX / TV_US_PER_S)
        return tv_fail(e, TV_ERR_UNAUTHENTICATED, "The token is not for this service");
    actor->role = (enum tv_role)c->role;
    *expires_us = c->exp * TV_US_PER_S;
    return TV_OK;
}

static struct remembered *slot_of(struct tv_sessions *s, struct tv_str token) {
    return &s->remembered[tv_hash(token) & (REMEMBERED - 1)];
}

static void remember(struct tv_sessions *s, struct tv_str token, const struct tv_actor *actor,
                     int64_t expires_us) {
    struct remembered *r = slot_of(s, token);
    free(r->token);
    *r = (struct remembered){tv_strndup(token.p, token.len), token.len, *actor, expires_us};
}

enum tv_err tv_session_verify(struct tv_sessions *s, struct tv_str token, int64_t now_us,
                              struct tv_arena *a, struct tv_actor *ret_actor,
                              int64_t *ret_expires_us, struct tv_error *e) {
    const struct remembered *r = slot_of(s, token);
    /* An ordinary comparison: a keyed hash chose the slot, so a guess cannot be led to a token. */
    bool known =
        r->token != NULL && r->len == token.len && memcmp(r->token, token.p, token.len) == 0;
    struct tv_actor actor = {.role = TV_ROLE_NONE};
    int64_t expires_us = 0;
    if (known) {
        actor = r->actor;
        expires_us = r->expires_us;
    } else {
        struct tv_str claims;
        enum tv_err err = tv_jwt_verify(s->keys, s->key_count, TOKEN_TYPE, token, a, &claims, e);
        if (err == TV_OK)
            err = read_claims(claims, a, &actor, &expires_us, e);
        if (err != TV_OK)
            return err;
    }
    if (expires_us <= now_us)
        return tv_fail(e, TV_ERR_SESSION_EXPIRED, "Use the refresh token, or log in again");
    if (!known)
        remember(s, token, &actor, expires_us);
    *ret_actor = actor;
    *ret_expires_us = expires_us;
    return TV_OK;
}

/* -- where a token travels ----------------------------------------------------------------------*/

struct tv_str tv_session_cookie(const struct tv_http *x, const char *name) {
    struct tv_str rest = tv_http_header(x, "Cookie");
    while (rest.p != NULL) {
        struct tv_str value = tv_str_trim(tv_str_cut(&rest, ';'));
        struct tv_str key = tv_str_cut(&value, '=');
        if (value.p != NULL && tv_str_eqz(key, name))
            return value;
    }
    return (struct tv_str){NULL, 0};
}

enum tv_err tv_session_token(const struct tv_http *x, struct tv_str *ret_token, bool *ret_by_cookie,
                             struct tv_error *e) {
    struct tv_str field = tv_http_header(x, "Authorization");
    if (field.p == NULL) {
        *ret_token = tv_session_cookie(x, TV_COOKIE_SESSION);
        *ret_by_cookie = ret_token->p != NULL;
        return TV_OK;
    }
    struct tv_str token = tv_str_trim(field);
    struct tv_str scheme = tv_str_cut(&token, ' ');
    if (!tv_str_eq_nocase(scheme, TV_S("Bearer")) || token.p == NULL)
        return tv_fail_at(e, TV_ERR_UNAUTHENTICATED, "Authorization",
                          "Authorization must be a Bearer token");
    *ret_token = tv_str_trim(token);
    *ret_by_cookie = false;
    return TV_OK;
}

bool tv_session_same_origin(const struct tv_sessions *s, const struct tv_http *x) {
    struct tv_str site = tv_http_header(x, "Sec-Fetch-Site");
    if (site.p != NULL)
        return tv_str_eq(site, TV_S("same-origin"));
    return tv_str_eqz(tv_http_header(x, "Origin"), s->origin);
}

const char *tv_session_set_cookie(const char *name, struct tv_str value, int64_t max_age_s,
                                  struct tv_arena *a) {
    return tv_arena_printf(a, "%s=%.*s; Path=/; Max-Age=%lld; HttpOnly; Secure; SameSite=Strict",
                           name, TV_STR_ARGS(value), (long long)max_age_s);
}
