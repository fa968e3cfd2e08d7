/* session.h - access tokens: signed and verified here, with nobody asked.
 *
 * An access token is a JWT (HS256) that says who somebody is for a quarter of an hour. It comes as
 * `Authorization: Bearer` or in the cookie `__Host-tv_session`. Keys rotate: the first of the
 * configured keys signs, all of them verify. A token that was verified once is remembered until it
 * expires, so that a busy client costs one comparison and no HMAC.
 */
#ifndef TV_SESSION_H
#define TV_SESSION_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/httpd.h"
#include "lib/rpc.h"

#define TV_COOKIE_SESSION "__Host-tv_session"
#define TV_COOKIE_REFRESH "__Host-tv_refresh"

struct tv_sessions;

/* `keys_text` is one to four lines `kid:base64url` of at least 32 bytes each; `public_url` gives
 * the origin that cookies may be used from. TV_ERR_INVALID says what is wrong with them. */
TV_MUST_CHECK enum tv_err tv_sessions_new(const char *keys_text, const char *public_url,
                                          int64_t access_ttl_us, struct tv_sessions **ret,
                                          struct tv_error *e);
void tv_sessions_free(struct tv_sessions *s);

/* A token for this person and session; text in the arena. */
TV_MUST_CHECK enum tv_err tv_session_sign(struct tv_sessions *s, const struct tv_actor *actor,
                                          int64_t now_us, struct tv_arena *a,
                                          struct tv_str *ret_token, int64_t *ret_expires_us,
                                          struct tv_error *e);
/* UNAUTHENTICATED for a token that is not ours, SESSION_EXPIRED for one that was. */
TV_MUST_CHECK enum tv_err tv_session_verify(struct tv_sessions *s, struct tv_str token,
                                            int64_t now_us, struct tv_arena *a,
                                            struct tv_actor *ret_actor, int64_t *ret_expires_us,
                                            struct tv_error *e);

/* The token of a request: `*ret_token` has p NULL when it has none. UNAUTHENTICATED when the
 * Authorization field is of another kind. */
TV_MUST_CHECK enum tv_err tv_session_token(const struct tv_http *x, struct tv_str *ret_token,
                                           bool *ret_by_cookie, struct tv_error *e);
/* Value of a cookie; p NULL when it is absent. */
struct tv_str tv_session_cookie(const struct tv_http *x, const char *name);

/* Whether a request that changes something and is carried by cookies comes from our own pages:
 * Sec-Fetch-Site same-origin, or else an Origin that is ours. */
bool tv_session_same_origin(const struct tv_sessions *s, const struct tv_http *x);

/* Set-Cookie values, in the arena. An empty value removes the cookie. */
const char *tv_session_set_cookie(const char *name, struct tv_str value, int64_t max_age_s,
                                  struct tv_arena *a);

#endif
