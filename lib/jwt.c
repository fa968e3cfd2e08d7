/* jwt.c - JSON Web Tokens with HS256.
 *
 * libjwt signs. It does not verify here, for two traits of libjwt 1.10 (Debian 12): it compares
 * signatures with strcmp(), which tells by its time how much was right, and it takes and writes no
 * `typ` but "JWT". So tokens are taken apart below, and tokens of another type are put together
 * below, in the same form as libjwt's (RFC 7515 section 7.1). Each way is tested against the other.
 */
#include "jwt.h"

#include <jwt.h>
#include <stdlib.h>

#include "crypto.h"
#include "pb.h"
#include "televisit/v1/common.pb-c.h"

#define TYPE_STANDARD "JWT"
#define BASE64_MAX(bytes) (4 * (((bytes) + 2) / 3) + 1)

/* -- signing ------------------------------------------------------------------------------------*/

static bool sign_by_library(const struct tv_jwt_key *key, const char *claims, struct tv_arena *a,
                            struct tv_str *ret) {
    jwt_t *jwt = NULL;
    char *token = NULL;
    if (jwt_new(&jwt) == 0 &&
        jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)key->key.p, (int)key->key.len) ==
            0 &&
        (key->id == NULL || jwt_add_header(jwt, "kid", key->id) == 0) &&
        jwt_add_grants_json(jwt, claims) == 0) {
        token = jwt_encode_str(jwt);
    }
    jwt_free(jwt);
    if (token == NULL) {
        return false;
    }
    *ret = tv_str(tv_arena_strdup(a, token));
    free(token); /* jwt_free_str() does not exist in 1.10, and is free() in 1.17 */
    return true;
}

static void append_base64url(struct tv_buf *b, const void *data, size_t len, struct tv_arena *a) {
    char *text = tv_arena_alloc(a, BASE64_MAX(len));
    tv_buf_append(b, text, tv_base64url(data, len, text));
}

/* The members of the header stand in the order in which libjwt writes them. */
static void compose(const struct tv_jwt_key *key, const char *type, struct tv_str claims,
                    struct tv_arena *a, struct tv_buf *token) {
    struct tv_buf head = TV_BUF_INIT(TV_JWT_MAX_BYTES);
    tv_buf_puts(&head, "{\"alg\":\"HS256\",");
    if (key->id != NULL) {
        tv_buf_puts(&head, "\"kid\":");
        tv_buf_json(&head, tv_str(key->id));
        tv_buf_char(&head, ',');
    }
    tv_buf_puts(&head, "\"typ\":");
    tv_buf_json(&head, tv_str(type));
    tv_buf_char(&head, '}');

    append_base64url(token, head.data, head.len, a);
    tv_buf_char(token, '.');
    append_base64url(token, claims.p, claims.len, a);
    unsigned char mac[TV_SHA256_BYTES];
    tv_hmac_sha256(key->key, tv_buf_view(token), mac);
    tv_buf_char(token, '.');
    append_base64url(token, mac, sizeof mac, a);
    tv_buf_done(&head);
}

static bool looks_like_object(struct tv_str json) {
    return json.len >= 2 && json.p[0] == '{' && json.p[json.len - 1] == '}';
}

enum tv_err tv_jwt_sign(const struct tv_jwt_key *key, const char *type, struct tv_str claims_json,
                        struct tv_arena *a, struct tv_str *ret, struct tv_error *e) {
    if (key->key.len < TV_JWT_MIN_KEY_BYTES || !looks_like_object(claims_json) ||
        claims_json.len > TV_JWT_MAX_BYTES) {
        return tv_fail(e, TV_ERR_INTERNAL, "the token cannot be signed");
    }
    struct tv_str token;
    if (type == NULL || strcmp(type, TYPE_STANDARD) == 0) {
        if (!sign_by_library(key, tv_arena_str(a, claims_json), a, &token)) {
            return tv_fail(e, TV_ERR_INTERNAL, "the token cannot be signed");
        }
    } else {
        struct tv_buf text = TV_BUF_INIT(2 * TV_JWT_MAX_BYTES);
        compose(key, type, claims_json, a, &text);
        token = (struct tv_str){tv_arena_strndup(a, text.data, text.len), text.len};
        tv_buf_done(&text);
    }
    if (token.len > TV_JWT_MAX_BYTES) {
        return tv_fail(e, TV_ERR_INTERNAL, "the token is too long");
    }
    *ret = token;
    return TV_OK;
}

/* -- verifying ----------------------------------------------------------------------------------*/

static bool decode_part(struct tv_str text, struct tv_arena *a, struct tv_str *ret) {
    char *bytes = tv_arena_alloc(a, text.len + 1);
    ret->p = bytes;
    return text.len > 0 && tv_base64url_decode(text, bytes, text.len, &ret->len);
}

/* The key that the header asks for, or NULL when the header is not as it must be. Unknown members
 * are refused with the rest: `crit` must not be ignored (RFC 7515 section 4.1.11), and `jku`, `jwk`
 * and `x5u` are invitations to take somebody else's key. */
static const struct tv_jwt_key *key_for(struct tv_str head_json, const struct tv_jwt_key *keys,
                                        size_t key_count, const char *type, struct tv_arena *a) {
    ProtobufCMessage *m = NULL;
    if (tv_pb_from_json(&televisit__v1__jose_header__descriptor, head_json, 0, a, &m, NULL) !=
        TV_OK) {
        return NULL;
    }
    const Televisit__V1__JoseHeader *head = (const Televisit__V1__JoseHeader *)(void *)m;
    if (strcmp(head->alg, "HS256") != 0 ||
        !tv_str_eq_nocase(tv_str(head->typ), tv_str(type == NULL ? TYPE_STANDARD : type))) {
        return NULL; /* media types are equal in any case (RFC 7519 section 5.1) */
    }
    for (size_t i = 0; i < key_count; i++) {
        bool named = head->kid[0] != '\0';
        if (!named || (keys[i].id != NULL && strcmp(keys[i].id, head->kid) == 0)) {
            return &keys[i];
        }
    }
    return NULL;
}

static bool signature_ok(const struct tv_jwt_key *key, struct tv_str signed_text,
                         struct tv_str signature) {
    unsigned char expected[TV_SHA256_BYTES];
    tv_hmac_sha256(key->key, signed_text, expected);
    return signature.len == sizeof expected && tv_equal_ct(signature.p, expected, sizeof expected);
}

enum tv_err tv_jwt_verify(const struct tv_jwt_key *keys, size_t key_count, const char *type,
                          struct tv_str token, struct tv_arena *a, struct tv_str *ret_claims_json,
                          struct tv_error *e) {
    struct tv_str rest = token, head, claims, signature;
    if (token.len > TV_JWT_MAX_BYTES) {
        return tv_fail(e, TV_ERR_UNAUTHENTICATED, "the token is too long");
    }
    struct tv_str head_text = tv_str_cut(&rest, '.');
    struct tv_str claims_text = tv_str_cut(&rest, '.');
    struct tv_str signed_text = {token.p, head_text.len + 1 + claims_text.len};
    if (!decode_part(head_text, a, &head) || !decode_part(claims_text, a, &claims) ||
        !decode_part(rest, a, &signature)) { /* a further dot is no base64url */
        return tv_fail(e, TV_ERR_UNAUTHENTICATED, "the token is not a JSON Web Token");
    }
    const struct tv_jwt_key *key = key_for(head, keys, key_count, type, a);
    if (key == NULL || key->key.len < TV_JWT_MIN_KEY_BYTES) {
        return tv_fail(e, TV_ERR_UNAUTHENTICATED, "the token is of a kind that is not accepted");
    }
    if (!signature_ok(key, signed_text, signature)) {
        return tv_fail(e, TV_ERR_UNAUTHENTICATED, "the token's signature is wrong");
    }
    if (!looks_like_object(claims)) {
        return tv_fail(e, TV_ERR_UNAUTHENTICATED, "the token has no claims");
    }
    *ret_claims_json = claims;
    return TV_OK;
}
