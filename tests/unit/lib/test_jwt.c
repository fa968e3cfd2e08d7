/* JSON Web Tokens: made by us and by libjwt, checked by us and by libjwt, and forged in all ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jwt.h>

#include "lib/crypto.h"
#include "lib/jwt.h"

#define KEY_TEXT "0123456789abcdef0123456789abcdef"
#define OTHER_TEXT "fedcba9876543210fedcba9876543210"

static const struct tv_jwt_key plain = {NULL, {KEY_TEXT, sizeof KEY_TEXT - 1}};
static const struct tv_jwt_key named = {"2026-11", {KEY_TEXT, sizeof KEY_TEXT - 1}};
static const struct tv_jwt_key other = {"2026-10", {OTHER_TEXT, sizeof OTHER_TEXT - 1}};

static void append_part(struct tv_buf *b, struct tv_str bytes) {
    char *text = tv_malloc(2 * bytes.len + 8);
    tv_buf_append(b, text, tv_base64url(bytes.p, bytes.len, text));
    free(text);
}

/* A token with any header and claims, properly signed with KEY_TEXT. Returns owned. */
static char *forge(struct tv_str head, struct tv_str claims) {
    struct tv_buf b = TV_BUF_INIT(1 << 16);
    unsigned char mac[TV_SHA256_BYTES];
    append_part(&b, head);
    tv_buf_char(&b, '.');
    append_part(&b, claims);
    tv_hmac_sha256(plain.key, tv_buf_view(&b), mac);
    tv_buf_char(&b, '.');
    append_part(&b, (struct tv_str){(const char *)mac, sizeof mac});
    return b.data;
}

static enum tv_err verify(const struct tv_jwt_key *keys, size_t count, const char *type,
                          const char *token) {
    struct tv_arena *a = tv_arena_new();
    struct tv_str claims = TV_S("untouched");
    struct tv_error e = TV_ERROR_INIT;
    enum tv_err err = tv_jwt_verify(keys, count, type, tv_str(token), a, &claims, &e);
    if (err != TV_OK) {
        assert_true(tv_str_eqz(claims, "untouched"));
        assert_int_equal(e.code, TV_ERR_UNAUTHENTICATED);
        assert_true(e.detail[0] != '\0');
        assert_true(strlen(token) < 8 || strstr(e.detail, token) == NULL);
    }
    tv_arena_free(a);
    return err;
}

#define REFUSED TV_ERR_UNAUTHENTICATED

static void test_headers(void **state) {
    static const struct {
        const char *what;
        struct tv_str head;
        const char *type;
        enum tv_err err;
    } cases[] = {
        {"as it should be", TV_S("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), NULL, TV_OK},
        {"spaces", TV_S(" { \"typ\" : \"JWT\" , \"alg\" : \"HS256\" } "), NULL, TV_OK},
        {"typ in lower case", TV_S("{\"alg\":\"HS256\",\"typ\":\"jwt\"}"), NULL, TV_OK},
        {"another type", TV_S("{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}"), "at+jwt", TV_OK},
        {"kid", TV_S("{\"alg\":\"HS256\",\"kid\":\"2026-11\",\"typ\":\"JWT\"}"), NULL, TV_OK},
        {"none", TV_S("{\"alg\":\"none\",\"typ\":\"JWT\"}"), NULL, REFUSED},
        {"None", TV_S("{\"alg\":\"None\",\"typ\":\"JWT\"}"), NULL, REFUSED},
        {"HS384", TV_S("{\"alg\":\"HS384\",\"typ\":\"JWT\"}"), NULL, REFUSED},
        {"HS512", TV_S("{\"alg\":\"HS512\",\"typ\":\"JWT\"}"), NULL, REFUSED},
        {"RS256", TV_S("{\"alg\":\"RS256\",\"typ\":\"JWT\"}"), NULL, REFUSED},
        {"hs256", TV_S("{\"alg\":\"hs256\",\"typ\":\"JWT\"}"), NULL, REFUSED},
        {"no alg", TV_S("{\"typ\":\"JWT\"}"), NULL, REFUSED},
        {"alg is a list", TV_S("{\"alg\":[\"HS256\"],\"typ\":\"JWT\"}"), NULL, REFUSED},
        {"alg twice", TV_S("{\"alg\":\"none\",\"alg\":\"HS256\",\"typ\":\"JWT\"}"), NULL, REFUSED},
        {"no typ", TV_S("{\"alg\":\"HS256\"}"), NULL, REFUSED},
        {"no typ, wanted another", TV_S("{\"alg\":\"HS256\"}"), "at+jwt", REFUSED},
        {"JWT, wanted another", TV_S("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), "at+jwt", REFUSED},
        {"another, wanted JWT", TV_S("{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}"), NULL, REFUSED},
        {"unknown kid", TV_S("{\"alg\":\"HS256\",\"kid\":\"x\",\"typ\":\"JWT\"}"), NULL, REFUSED},
        {"kid of another key", TV_S("{\"alg\":\"HS256\",\"kid\":\"2026-10\",\"typ\":\"JWT\"}"),
         NULL, REFUSED},
        {"kid is a number", TV_S("{\"alg\":\"HS256\",\"kid\":7,\"typ\":\"JWT\"}"), NULL, REFUSED},
        {"crit", TV_S("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"crit\":[\"b64\"],\"b64\":false}"), NULL,
         REFUSED},
        {"jku", TV_S("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"jku\":\"https://x.example\"}"), NULL,
         REFUSED},
        {"no object", TV_S("[]"), NULL, REFUSED},
        {"no JSON", TV_S("alg=HS256"), NULL, REFUSED},
        {"cut JSON", TV_S("{\"alg\":\"HS256\",\"typ\":\"JWT\""), NULL, REFUSED},
        {"NUL after it", TV_S("{\"alg\":\"HS256\",\"typ\":\"JWT\"}\0"), NULL, REFUSED},
    };
    const struct tv_jwt_key keys[] = {named, other};
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        char *token = forge(cases[i].head, TV_S("{\"sub\":\"x\"}"));
        enum tv_err err = verify(keys, 2, cases[i].type, token);
        free(token);
        if (err != cases[i].err) {
            fail_msg("%s: %s", cases[i].what, err == TV_OK ? "accepted" : "refused");
        }
    }
}

static const struct tv_str good_head = TV_S("{\"alg\":\"HS256\",\"typ\":\"JWT\"}");

static void test_claims(void **state) {
    static const struct {
        struct tv_str claims;
        enum tv_err err;
    } cases[] = {
        {TV_S("{}"), TV_OK},       {TV_S("{\"sub\":\"x\"}"), TV_OK}, {TV_S("[]"), REFUSED},
        {TV_S("\"{}\""), REFUSED}, {TV_S("null"), REFUSED},          {TV_S("17"), REFUSED},
        {{"", 0}, REFUSED},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        char *token = forge(good_head, cases[i].claims);
        assert_int_equal(verify(&plain, 1, NULL, token), cases[i].err);
        free(token);
    }
}

/* Every single character counts, also the last one, whose low bits carry nothing. */
static void test_every_character_counts(void **state) {
    char *token = forge(good_head, TV_S("{\"sub\":\"x\"}"));
    size_t len = strlen(token);
    assert_int_equal(verify(&plain, 1, NULL, token), TV_OK);
    static const char instead[] = "AB9-_.=+/ \n";
    for (size_t i = 0; i < len; i++) {
        char was = token[i];
        for (size_t k = 0; k < sizeof instead - 1; k++) {
            token[i] = instead[k];
            assert_int_equal(verify(&plain, 1, NULL, token), instead[k] == was ? TV_OK : REFUSED);
        }
        token[i] = '\0'; /* and what is left of it */
        assert_int_equal(verify(&plain, 1, NULL, token), REFUSED);
        token[i] = was;
    }
    free(token);
}

static void test_forms(void **state) {
    char *token = forge(good_head, TV_S("{\"sub\":\"x\"}")), text[1024];
    static const char *const forms[] = {
        "",     ".",   "..",  "...", "x",    "a.b.c",     "%s.",   ".%s",
        "%s.x", "%s ", " %s", "%s=", "%s\n", "Bearer %s", "%s.%s",
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(forms); i++) {
        struct tv_buf b = TV_BUF_INIT(sizeof text - 1);
        for (const char *p = forms[i]; *p != '\0'; p++) {
            if (p[0] == '%' && p[1] == 's') {
                tv_buf_puts(&b, token);
                p++;
            } else {
                tv_buf_char(&b, *p);
            }
        }
        assert_int_equal(verify(&plain, 1, NULL, b.len == 0 ? "" : b.data), REFUSED);
        tv_buf_done(&b);
    }
    assert_int_equal(verify(&plain, 0, NULL, token), REFUSED); /* no keys at all */
    const struct tv_jwt_key wrong = {NULL, other.key};
    assert_int_equal(verify(&wrong, 1, NULL, token), REFUSED);
    const struct tv_jwt_key weak = {NULL, {KEY_TEXT, 31}};
    assert_int_equal(verify(&weak, 1, NULL, token), REFUSED);
    const struct tv_jwt_key keys[] = {other, named}; /* without kid the first, not any */
    assert_int_equal(verify(keys, 2, NULL, token), REFUSED);
    free(token);
}

static void test_sizes(void **state) {
    char *text = tv_calloc(1, 1 << 20);
    memset(text, 'A', (1 << 20) - 1);
    assert_int_equal(verify(&plain, 1, NULL, text), REFUSED);
    memset(text, '.', (1 << 20) - 1);
    assert_int_equal(verify(&plain, 1, NULL, text), REFUSED);

    /* the longest token that is accepted, and one that is a little longer */
    for (size_t claims = 2900; claims < 3100; claims++) {
        memset(text, ' ', claims);
        text[0] = '{';
        text[claims - 1] = '}';
        char *token = forge(good_head, (struct tv_str){text, claims});
        bool fits = strlen(token) <= TV_JWT_MAX_BYTES;
        assert_int_equal(verify(&plain, 1, NULL, token), fits ? TV_OK : REFUSED);
        free(token);
    }
    free(text);
}

/* RFC 7515, appendix A.1. */
static void test_example_of_the_standard(void **state) {
    unsigned char key[64];
    size_t len;
    assert_true(tv_base64url_decode(TV_S("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKt"
                                         "MN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"),
                                    key, sizeof key, &len));
    const struct tv_jwt_key k = {NULL, {(const char *)key, len}};
    struct tv_arena *a = tv_arena_new();
    struct tv_str claims;
    assert_int_equal(
        tv_jwt_verify(&k, 1, NULL,
                      TV_S("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAi"
                           "OjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
                           "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
                      a, &claims, NULL),
        TV_OK);
    assert_true(tv_str_eqz(claims, "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
                                   "\"http://example.com/is_root\":true}"));
    tv_arena_free(a);
}

/* -- signing ------------------------------------------------------------------------------------*/

/* Keys sorted and compact, as libjwt writes them. */
#define CLAIMS "{\"exp\":1795399685,\"iss\":\"me\",\"sub\":\"\xc3\xa9\",\"video\":{\"a\":[true]}}"

static struct tv_str sign(const struct tv_jwt_key *key, const char *type, struct tv_arena *a) {
    struct tv_str token;
    assert_int_equal(tv_jwt_sign(key, type, TV_S(CLAIMS), a, &token, NULL), TV_OK);
    assert_int_equal(token.p[token.len], '\0');
    return token;
}

static void test_signed_by_us(void **state) {
    static const struct {
        const struct tv_jwt_key *key;
        const char *type;
    } cases[] = {
        {&plain, NULL}, {&plain, "JWT"}, {&named, NULL}, {&plain, "at+jwt"}, {&named, "at+jwt"}};
    const struct tv_jwt_key keys[] = {named, other};
    struct tv_arena *a = tv_arena_new();
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        struct tv_str token = sign(cases[i].key, cases[i].type, a), claims = {NULL, 0};
        assert_int_equal(tv_jwt_verify(keys, 2, cases[i].type, token, a, &claims, NULL), TV_OK);
        assert_true(tv_str_eqz(claims, CLAIMS));
    }
    tv_arena_free(a);
}

static void test_libjwt_accepts_ours(void **state) {
    struct tv_arena *a = tv_arena_new();
    jwt_t *jwt = NULL;
    struct tv_str token = sign(&named, NULL, a);
    assert_int_equal(jwt_decode(&jwt, token.p, (const unsigned char *)KEY_TEXT, 32), 0);
    assert_int_equal(jwt_get_alg(jwt), JWT_ALG_HS256);
    assert_string_equal(jwt_get_header(jwt, "kid"), "2026-11");
    assert_string_equal(jwt_get_grant(jwt, "iss"), "me");
    jwt_free(jwt);

    /* What we put together is what libjwt writes: only typ differs. */
    char *standard =
        forge(TV_S("{\"alg\":\"HS256\",\"kid\":\"2026-11\",\"typ\":\"JWT\"}"), TV_S(CLAIMS));
    assert_true(tv_str_eqz(token, standard));
    free(standard);
    char *typed =
        forge(TV_S("{\"alg\":\"HS256\",\"kid\":\"2026-11\",\"typ\":\"at+jwt\"}"), TV_S(CLAIMS));
    assert_true(tv_str_eqz(sign(&named, "at+jwt", a), typed));
    free(typed);
    tv_arena_free(a);
}

static void test_not_signed(void **state) {
    static char long_claims[TV_JWT_MAX_BYTES];
    memset(long_claims, ' ', sizeof long_claims);
    long_claims[0] = '{';
    long_claims[sizeof long_claims - 1] = '}';
    const struct tv_jwt_key weak = {NULL, {KEY_TEXT, 31}};
    const struct {
        const struct tv_jwt_key *key;
        struct tv_str claims;
        const char *type;
    } cases[] = {
        {&weak, TV_S("{}"), NULL},
        {&weak, TV_S("{}"), "at+jwt"},
        {&plain, TV_S("[]"), NULL},
        {&plain, TV_S("[]"), "at+jwt"},
        {&plain, TV_S("{\"a\":}"), NULL},
        {&plain, {"", 0}, NULL},
        {&plain, {long_claims, sizeof long_claims}, "at+jwt"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        struct tv_arena *a = tv_arena_new();
        struct tv_str token = TV_S("untouched");
        struct tv_error e = TV_ERROR_INIT;
        assert_int_equal(tv_jwt_sign(cases[i].key, cases[i].type, cases[i].claims, a, &token, &e),
                         TV_ERR_INTERNAL);
        assert_int_equal(e.code, TV_ERR_INTERNAL);
        assert_true(tv_str_eqz(token, "untouched"));
        tv_arena_free(a);
    }
}

int main(void) {
    tv_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_every_character_counts),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_example_of_the_standard),
        cmocka_unit_test(test_signed_by_us),
        cmocka_unit_test(test_libjwt_accepts_ours),
        cmocka_unit_test(test_not_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
