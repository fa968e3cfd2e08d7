/* crypto.c - see crypto.h. */
#include "lib/crypto.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

static_assert(TV_SHA256_BYTES == crypto_hash_sha256_BYTES, "size of a SHA-256");
static_assert(TV_SEAL_KEY_BYTES == crypto_auth_KEYBYTES, "size of a seal's key");
static_assert(TV_SEAL_BYTES == crypto_auth_BYTES, "size of a seal");
static_assert(TV_PASSWORD_HASH_MAX >= crypto_pwhash_STRBYTES, "size of a password hash");

static unsigned char hash_key[crypto_shorthash_KEYBYTES];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void make_hash_key(void) { randombytes_buf(hash_key, sizeof(hash_key)); }

void tv_crypto_init(void) {
    if (sodium_init() < 0)
        tv_panic("libsodium does not start");
}

/* libsodium wants pointers that are not NULL, also of nothing. */
static const unsigned char *bytes_of(struct tv_str s) {
    return (const unsigned char *)(s.len == 0 ? "" : s.p);
}

void tv_random(void *out, size_t bytes) { randombytes_buf(out, bytes); }

void tv_random_name(void *out, size_t bytes) {
    static _Thread_local unsigned char reserve[512];
    static _Thread_local size_t left;
    if (bytes > sizeof(reserve)) {
        tv_random(out, bytes);
        return;
    }
    if (left < bytes) {
        tv_random(reserve, sizeof(reserve));
        left = sizeof(reserve);
    }
    left -= bytes;
    memcpy(out, reserve + left, bytes);
}

uint64_t tv_random_below(uint64_t limit) {
    if (limit == 0)
        tv_panic("no number is below 0");
    /* The lowest (2^64 mod limit) numbers are thrown away, so that all remainders are equal. */
    uint64_t unfair = (UINT64_C(0) - limit) % limit, random;
    do
        randombytes_buf(&random, sizeof(random));
    while (random < unfair);
    return random % limit;
}

void tv_uuid(char out[static TV_UUID_TEXT]) {
    static const char digits[] = "0123456789abcdef";
    unsigned char random[16];
    tv_random_name(random, sizeof(random));
    random[6] = (unsigned char)(0x40 | (random[6] & 0x0F)); /* version 4 */
    random[8] = (unsigned char)(0x80 | (random[8] & 0x3F)); /* variant of RFC 9562 */
    char *at = out;
    for (size_t i = 0; i < sizeof(random); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[random[i] >> 4];
        *at++ = digits[random[i] & 0x0F];
    }
    *at = '\0';
}

void tv_sha256(struct tv_str data, unsigned char out[static TV_SHA256_BYTES]) {
    (void)crypto_hash_sha256(out, bytes_of(data), data.len);
}

void tv_hmac_sha256(struct tv_str key, struct tv_str data,
                    unsigned char out[static TV_SHA256_BYTES]) {
    crypto_auth_hmacsha256_state state;
    (void)crypto_auth_hmacsha256_init(&state, bytes_of(key), key.len);
    (void)crypto_auth_hmacsha256_update(&state, bytes_of(data), data.len);
    (void)crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof(state));
}

uint64_t tv_hash(struct tv_str data) {
    uint64_t hash;
    static_assert(sizeof(hash) == crypto_shorthash_BYTES, "size of a hash");
    (void)pthread_once(&hash_key_once, make_hash_key);
    (void)crypto_shorthash((unsigned char *)&hash, bytes_of(data), data.len, hash_key);
    return hash;
}

void tv_seal(struct tv_str data, const unsigned char key[static TV_SEAL_KEY_BYTES],
             unsigned char out[static TV_SEAL_BYTES]) {
    (void)crypto_auth(out, bytes_of(data), data.len, key);
}

bool tv_seal_ok(struct tv_str data, const unsigned char seal[static TV_SEAL_BYTES],
                const unsigned char key[static TV_SEAL_KEY_BYTES]) {
    return crypto_auth_verify(seal, bytes_of(data), data.len, key) == 0;
}

void tv_seal_key_derive(const unsigned char key[static TV_SEAL_KEY_BYTES], const char *purpose,
                        unsigned char ret[static TV_SEAL_KEY_BYTES]) {
    static_assert(TV_SEAL_BYTES == TV_SEAL_KEY_BYTES, "a seal is a key");
    tv_seal(tv_str(purpose), key, ret);
}

bool tv_seal_key_parse(const char *text, unsigned char key[static TV_SEAL_KEY_BYTES]) {
    struct tv_str s = tv_str(text);
    unsigned char bytes[TV_SEAL_KEY_BYTES];
    size_t len = 0;
    bool ok = s.len == 2 * sizeof(bytes)
                  ? sodium_hex2bin(bytes, sizeof(bytes), s.p, s.len, NULL, &len, NULL) == 0
                  : tv_base64url_decode(s, bytes, sizeof(bytes), &len);
    ok = ok && len == sizeof(bytes);
    if (ok)
        memcpy(key, bytes, sizeof(bytes));
    tv_wipe(bytes, sizeof(bytes));
    return ok;
}

enum tv_err tv_seal_keys_parse(const char *text, struct tv_seal_keys *ret, struct tv_error *e) {
    struct tv_seal_keys keys = {.count = 0};
    struct tv_str rest = tv_str(text);
    enum tv_err err = TV_OK;
    for (unsigned number = 1; rest.p != NULL && err == TV_OK; number++) {
        struct tv_str line = tv_str_trim(tv_str_cut(&rest, '\n'));
        char key[2 * TV_SEAL_KEY_BYTES + 1] = "";
        if (line.len == 0)
            continue;
        if (line.len < sizeof(key))
            memcpy(key, line.p, line.len);
        if (keys.count == TV_SEAL_KEYS_MAX)
            err = tv_fail(e, TV_ERR_INVALID, "line %u is one key too many: there may be %d", number,
                          TV_SEAL_KEYS_MAX);
        else if (!tv_seal_key_parse(key, keys.key[keys.count++]))
            err = tv_fail(e, TV_ERR_INVALID,
                          "line %u is neither 64 hex digits nor base64url of 32 bytes", number);
        tv_wipe(key, sizeof(key));
    }
    if (err == TV_OK && keys.count == 0)
        err = tv_fail(e, TV_ERR_INVALID, "there is no key");
    if (err == TV_OK)
        *ret = keys;
    tv_wipe(&keys, sizeof(keys));
    return err;
}

void tv_seal_keys_derive(const struct tv_seal_keys *keys, const char *purpose,
                         struct tv_seal_keys *ret) {
    for (unsigned i = 0; i < keys->count; i++)
        tv_seal_key_derive(keys->key[i], purpose, ret->key[i]);
    ret->count = keys->count;
}

bool tv_seal_keys_ok(struct tv_str data, const unsigned char seal[static TV_SEAL_BYTES],
                     const struct tv_seal_keys *keys) {
    for (unsigned i = 0; i < keys->count; i++)
        if (tv_seal_ok(data, seal, keys->key[i]))
            return true;
    return false;
}

bool tv_equal_ct(const void *a, const void *b, size_t len) {
    return len == 0 || sodium_memcmp(a, b, len) == 0;
}

void tv_wipe(void *p, size_t len) {
    if (len > 0)
        sodium_memzero(p, len);
}

#define BASE64URL sodium_base64_VARIANT_URLSAFE_NO_PADDING

size_t tv_base64url(const void *data, size_t len, char *out) {
    const unsigned char *bytes = bytes_of((struct tv_str){data, len});
    size_t room = sodium_base64_encoded_len(len, BASE64URL);
    (void)sodium_bin2base64(out, room, bytes, len, BASE64URL);
    return room - 1;
}

static bool is_base64url(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool tv_base64url_decode(struct tv_str text, void *out, size_t max, size_t *ret_len) {
    size_t len = text.len / 4 * 3 + text.len % 4 * 3 / 4;
    if (text.len % 4 == 1 || len > max)
        return false;
    /* libsodium 1.0.18 decodes some bytes above 0x7F as if they were of the alphabet. */
    for (size_t i = 0; i < text.len; i++)
        if (!is_base64url(text.p[i]))
            return false;
    if (len == 0) {
        *ret_len = 0;
        return true;
    }
    /* Decoded aside, for a fault may be in the last character. */
    unsigned char *bytes = tv_malloc(len);
    size_t decoded;
    bool ok =
        sodium_base642bin(bytes, len, text.p, text.len, NULL, &decoded, NULL, BASE64URL) == 0 &&
        decoded == len;
    if (ok) {
        memcpy(out, bytes, len);
        *ret_len = len;
    }
    tv_wipe(bytes, len);
    free(bytes);
    return ok;
}

bool tv_password_hash(struct tv_str password, uint64_t passes, size_t memory_bytes,
                      char out[static TV_PASSWORD_HASH_MAX]) {
    char hash[crypto_pwhash_STRBYTES];
    if (crypto_pwhash_str_alg(hash, (const char *)bytes_of(password), password.len, passes,
                              memory_bytes, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return false;
    memcpy(out, hash, sizeof(hash));
    return true;
}

bool tv_password_ok(struct tv_str password, const char *hash) {
    if (hash == NULL || strnlen(hash, crypto_pwhash_STRBYTES) >= crypto_pwhash_STRBYTES ||
        !tv_str_starts(tv_str(hash), TV_S(crypto_pwhash_argon2id_STRPREFIX)))
        return false;
    return crypto_pwhash_str_verify(hash, (const char *)bytes_of(password), password.len) == 0;
}
