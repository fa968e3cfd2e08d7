/* jwt.h - JSON Web Tokens, HS256 and nothing else (RFC 7519, RFC 8725): the only file that knows
 * libjwt. Works with libjwt 1.10 and 1.17. */
#ifndef TV_JWT_H
#define TV_JWT_H

#include "arena.h"
#include "base.h"
#include "err.h"
#include "str.h"

#define TV_JWT_MAX_BYTES 4096
#define TV_JWT_MIN_KEY_BYTES 32 /* RFC 7518 section 3.2 */

struct tv_jwt_key {
    const char *id;    /* `kid`; NULL: no such header */
    struct tv_str key; /* raw bytes, at least TV_JWT_MIN_KEY_BYTES; borrowed */
};

/* Signs a JSON object of claims. `type` is the `typ` header (NULL: "JWT"). Text in the arena. */
TV_MUST_CHECK enum tv_err tv_jwt_sign(const struct tv_jwt_key *key, const char *type,
                                      struct tv_str claims_json, struct tv_arena *a,
                                      struct tv_str *ret, struct tv_error *e);

/* Checks form, alg (HS256 exactly), typ, kid (one of `keys`; without kid the first) and signature
 * in constant time, and gives the claims as JSON text in the arena. The times and names in the
 * claims are for the caller to judge. TV_ERR_UNAUTHENTICATED for anything wrong; the detail never
 * repeats the token. */
TV_MUST_CHECK enum tv_err tv_jwt_verify(const struct tv_jwt_key *keys, size_t key_count,
                                        const char *type, struct tv_str token, struct tv_arena *a,
                                        struct tv_str *ret_claims_json, struct tv_error *e);

#endif
