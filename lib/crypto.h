/* crypto.h - randomness, authentication, passwords: the only file that knows libsodium. */
#ifndef TV_CRYPTO_H
#define TV_CRYPTO_H

#include "base.h"
#include "err.h"
#include "str.h"

void tv_crypto_init(void); /* once at start; aborts when the machine has no randomness */

void tv_random(void *out, size_t bytes);
/* The same for names that need not be secret (request and trace ids), out of a reserve of this
 * thread: most of them cost no system call. */
void tv_random_name(void *out, size_t bytes);
uint64_t tv_random_below(uint64_t limit); /* uniform, limit > 0 */

#define TV_UUID_TEXT 37                      /* with NUL */
void tv_uuid(char out[static TV_UUID_TEXT]); /* version 4, RFC 9562 section 5.4 */

#define TV_SHA256_BYTES 32
void tv_sha256(struct tv_str data, unsigned char out[static TV_SHA256_BYTES]);

/* SipHash-2-4 with a random key of this process: for tables keyed by other people's text. */
uint64_t tv_hash(struct tv_str data);

/* HMAC-SHA-256 (RFC 2104) with a key of any length, for JSON Web Tokens. */
void tv_hmac_sha256(struct tv_str key, struct tv_str data,
                    unsigned char out[static TV_SHA256_BYTES]);

/* HMAC-SHA512-256 (libsodium crypto_auth). */
#define TV_SEAL_KEY_BYTES 32
#define TV_SEAL_BYTES 32
void tv_seal(struct tv_str data, const unsigned char key[static TV_SEAL_KEY_BYTES],
             unsigned char out[static TV_SEAL_BYTES]);
TV_MUST_CHECK bool tv_seal_ok(struct tv_str data, const unsigned char seal[static TV_SEAL_BYTES],
                              const unsigned char key[static TV_SEAL_KEY_BYTES]);
/* A key for another purpose, so that what is sealed for one is nothing for the other; `purpose` is
 * a word of the source code. */
void tv_seal_key_derive(const unsigned char key[static TV_SEAL_KEY_BYTES], const char *purpose,
                        unsigned char ret[static TV_SEAL_KEY_BYTES]);
#define TV_SEAL_EVENTS "call-event" /* of tokens to appointments: message CallEvent */
/* A key from its configured text: 64 hex digits, or base64url of 32 bytes. */
TV_MUST_CHECK bool tv_seal_key_parse(const char *text, unsigned char key[static TV_SEAL_KEY_BYTES]);

/* The keys of a time in which one is changed: the first seals (tv_seal), each of them opens. */
#define TV_SEAL_KEYS_MAX 2
struct tv_seal_keys {
    unsigned char key[TV_SEAL_KEYS_MAX][TV_SEAL_KEY_BYTES];
    unsigned count;
};
/* One key a line; lines without anything do not count. TV_ERR_INVALID names the line, never what
 * stands in it. NULL is no key. */
TV_MUST_CHECK enum tv_err tv_seal_keys_parse(const char *text, struct tv_seal_keys *ret,
                                             struct tv_error *e);
#define TV_SEAL_KEYS_TEXT_MAX 144 /* bytes of the configured text */
void tv_seal_keys_derive(const struct tv_seal_keys *keys, const char *purpose,
                         struct tv_seal_keys *ret);
TV_MUST_CHECK bool tv_seal_keys_ok(struct tv_str data,
                                   const unsigned char seal[static TV_SEAL_BYTES],
                                   const struct tv_seal_keys *keys);

bool tv_equal_ct(const void *a, const void *b, size_t len); /* constant time */
void tv_wipe(void *p, size_t len);

/* base64url without padding, RFC 4648 section 5. `out` gets a NUL; needs 4*ceil(n/3)+1 bytes.
 * Decoding refuses padding, other characters, wrong lengths: false, and nothing is written. */
size_t tv_base64url(const void *data, size_t len, char *out);
TV_MUST_CHECK bool tv_base64url_decode(struct tv_str text, void *out, size_t max, size_t *ret_len);

/* argon2id. These take tens of milliseconds and `memory_bytes`: workers only (tv_loop_work). */
#define TV_PASSWORD_HASH_MAX 128
TV_MUST_CHECK bool tv_password_hash(struct tv_str password, uint64_t passes, size_t memory_bytes,
                                    char out[static TV_PASSWORD_HASH_MAX]);
TV_MUST_CHECK bool tv_password_ok(struct tv_str password, const char *hash);

#endif
