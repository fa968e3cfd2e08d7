/* Access tokens: keys, signatures, claims, memory; where they travel, and from which pages. */
#include "services/gateway/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/jwt.h"
#include "tests/unit/gateway/fake_http.h"

/* 32, 33, 31, 64 and 65 bytes in base64url. */
#define KEY_32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define KEY_33 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"
#define KEY_31 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg"
#define KEY_64 KEY_33 "ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-Pw"
#define KEY_65 KEY_33 "ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-P0A"
#define OTHER_32 "__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA"

#define NOW_US (INT64_C(1800000000) * TV_US_PER_S)
#define TTL_US (900 * TV_US_PER_S)

static const struct tv_actor patient = {
    .clinic_id = "11111111-1111-4111-8111-111111111111",
    .person_id = "22222222-2222-4222-8222-222222222222",
    .session_id = "33333333-3333-4333-8333-333333333333",
    .role = TV_ROLE_PATIENT,
};

static struct tv_arena *arena;

static int setup(void **state) {
    tv_crypto_init();
    arena = tv_arena_new();
    return 0;
}

static int teardown(void **state) {
    tv_arena_free(arena);
    return 0;
}

static struct tv_sessions *sessions_of(const char *keys, const char *url) {
    struct tv_sessions *s = NULL;
    struct tv_error e = TV_ERROR_INIT;
    if (tv_sessions_new(keys, url, TTL_US, &s, &e) != TV_OK)
        fail_msg("%s", e.detail);
    return s;
}

static struct tv_sessions *new_sessions(const char *keys) {
    return sessions_of(keys, "https://visits.example.org");
}

/* -- keys ---------------------------------------------------------------------------------------*/

static void test_keys_text(void **state) {
    static const struct {
        const char *text;
        const char *fault; /* a part of the message; NULL: good */
    } rows[] = {
        {"a:" KEY_32, NULL},
        {"a:" KEY_32 "\n", NULL},
        {"\n\n  a:" KEY_33 "  \r\n\n", "not 32 to 64 bytes"}, /* a carriage return is no blank */
        {"\n\n  a:" KEY_33 "  \n\n", NULL},
        {"a:" KEY_64, NULL},
        {"a:" KEY_32 "\nb:" OTHER_32 "\nc:" KEY_33 "\nd:" KEY_64, NULL},
        {"", "no session key"},
        {"\n \n", "no session key"},
        {KEY_32, "not of the form"},
        {":" KEY_32, "not of the form"},
        {"a:", "not 32 to 64 bytes"},
        {"a:" KEY_31, "not 32 to 64 bytes"},
        {"a:" KEY_65, "not 32 to 64 bytes"},
        {"a:" KEY_32 "=", "not 32 to 64 bytes"},
        {"a:" KEY_31 "+A", "not 32 to 64 bytes"},
        {"a b:" KEY_32, NULL},
        {"01234567890123456789012345678901:" KEY_32, NULL},
        {"012345678901234567890123456789012:" KEY_32, "not of the form"},
        {"a:" KEY_32 "\na:" OTHER_32, "two session keys have the kid a"},
        {"a:" KEY_32 "\nb", "session key 2 is not of the form"},
        {"a:" KEY_32 "\nb:" KEY_32 "\nc:" KEY_32 "\nd:" KEY_32 "\ne:" KEY_32, "more than 4"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_sessions *s = NULL;
        struct tv_error e = TV_ERROR_INIT;
        enum tv_err err = tv_sessions_new(rows[i].text, "https://a.example", TTL_US, &s, &e);
        if (rows[i].fault == NULL) {
            assert_int_equal(err, TV_OK);
            assert_non_null(s);
        } else {
            assert_int_equal(err, TV_ERR_INVALID);
            assert_null(s);
            if (strstr(e.detail, rows[i].fault) == NULL)
                fail_msg("row %zu: %s", i, e.detail);
            assert_null(strstr(e.detail, "AAECAwQF")); /* never the key itself */
        }
        tv_sessions_free(s);
    }
    tv_sessions_free(NULL);
}

/* -- sign and verify ----------------------------------------------------------------------------*/

static struct tv_str sign(struct tv_sessions *s) {
    struct tv_str token;
    int64_t expires_us;
    assert_int_equal(tv_session_sign(s, &patient, NOW_US, arena, &token, &expires_us, NULL), TV_OK);
    assert_int_equal(expires_us, NOW_US + TTL_US);
    return token;
}

static enum tv_err verify(struct tv_sessions *s, struct tv_str token, int64_t now_us) {
    struct tv_actor actor = {.role = TV_ROLE_NONE};
    int64_t expires_us = -1;
    struct tv_error e = TV_ERROR_INIT;
    enum tv_err err = tv_session_verify(s, token, now_us, arena, &actor, &expires_us, &e);
    assert_int_equal(err == TV_OK, actor.role != TV_ROLE_NONE); /* outputs only on success */
    assert_int_equal(err == TV_OK, expires_us != -1);
    if (err != TV_OK)
        assert_int_equal(e.code, err);
    return err;
}

static void test_sign_and_verify(void **state) {
    struct tv_sessions *s = new_sessions("a:" KEY_32);
    struct tv_str token = sign(s);
    for (int round = 0; round < 2; round++) { /* the second is from memory */
        struct tv_actor actor;
        int64_t expires_us;
        assert_int_equal(tv_session_verify(s, token, NOW_US + 1, arena, &actor, &expires_us, NULL),
                         TV_OK);
        assert_memory_equal(actor.clinic_id, patient.clinic_id, sizeof actor.clinic_id);
        assert_memory_equal(actor.person_id, patient.person_id, sizeof actor.person_id);
        assert_memory_equal(actor.session_id, patient.session_id, sizeof actor.session_id);
        assert_int_equal(actor.role, TV_ROLE_PATIENT);
        assert_int_equal(expires_us, NOW_US + TTL_US);
    }
    tv_sessions_free(s);
}

static void test_every_role_of_people(void **state) {
    struct tv_sessions *s = new_sessions("a:" KEY_32);
    for (int role = TV_ROLE_NONE; role <= TV_ROLE_SERVICE + 1; role++) {
        struct tv_actor actor = patient;
        struct tv_str token;
        int64_t expires_us;
        actor.role = (enum tv_role)role;
        assert_int_equal(tv_session_sign(s, &actor, NOW_US, arena, &token, &expires_us, NULL),
                         TV_OK);
        bool person = role >= TV_ROLE_PATIENT && role <= TV_ROLE_GUEST;
        assert_int_equal(verify(s, token, NOW_US), person ? TV_OK : TV_ERR_UNAUTHENTICATED);
    }
    tv_sessions_free(s);
}

static void test_rotation(void **state) {
    struct tv_sessions *old = new_sessions("a:" KEY_32);
    struct tv_sessions *both = new_sessions("b:" OTHER_32 "\na:" KEY_32);
    struct tv_sessions *new = new_sessions("b:" OTHER_32);
    assert_int_equal(verify(both, sign(old), NOW_US), TV_OK);
    assert_int_equal(verify(both, sign(new), NOW_US), TV_OK);
    assert_int_equal(verify(new, sign(both), NOW_US), TV_OK); /* the first key signs */
    assert_int_equal(verify(old, sign(both), NOW_US), TV_ERR_UNAUTHENTICATED);
    assert_int_equal(verify(new, sign(old), NOW_US), TV_ERR_UNAUTHENTICATED);
    tv_sessions_free(old);
    tv_sessions_free(both);
    tv_sessions_free(new);

    /* The same kid with another key is another key. */
    struct tv_sessions *here = new_sessions("a:" KEY_32), *there = new_sessions("a:" OTHER_32);
    assert_int_equal(verify(here, sign(there), NOW_US), TV_ERR_UNAUTHENTICATED);
    tv_sessions_free(here);
    tv_sessions_free(there);
}

/* The memory of verified tokens neither outlives a token nor takes a similar one for it. */
static void test_memory(void **state) {
    struct tv_sessions *s = new_sessions("a:" KEY_32);
    struct tv_str token = sign(s);
    assert_int_equal(verify(s, token, NOW_US + TTL_US - 1), TV_OK);
    assert_int_equal(verify(s, token, NOW_US + TTL_US), TV_ERR_SESSION_EXPIRED);
    assert_int_equal(verify(s, token, NOW_US + TTL_US + TV_US_PER_S), TV_ERR_SESSION_EXPIRED);
    assert_int_equal(verify(s, token, NOW_US), TV_OK);

    for (size_t i = 0; i < token.len; i++) {
        char *copy = tv_arena_str(arena, token);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        assert_int_equal(verify(s, (struct tv_str){copy, token.len}, NOW_US),
                         TV_ERR_UNAUTHENTICATED);
        assert_int_equal(verify(s, (struct tv_str){token.p, i}, NOW_US), TV_ERR_UNAUTHENTICATED);
    }
    assert_int_equal(verify(s, token, NOW_US), TV_OK);
    tv_sessions_free(s);

    /* A token that comes expired for the first time is not remembered as good either. */
    s = new_sessions("a:" KEY_32);
    assert_int_equal(verify(s, token, NOW_US + TTL_US), TV_ERR_SESSION_EXPIRED);
    assert_int_equal(verify(s, token, NOW_US + TTL_US), TV_ERR_SESSION_EXPIRED);
    tv_sessions_free(s);
}

/* More tokens than are remembered: the newer takes the place, and all stay good. */
static void test_memory_is_bounded(void **state) {
    enum { TOKENS = 3000 };
    struct tv_sessions *s = new_sessions("a:" KEY_32);
    struct tv_str first = sign(s);
    for (int i = 0; i < TOKENS; i++) {
        struct tv_actor actor = patient;
        struct tv_str token;
        int64_t expires_us;
        tv_uuid(actor.session_id);
        assert_int_equal(tv_session_sign(s, &actor, NOW_US, arena, &token, &expires_us, NULL),
                         TV_OK);
        assert_int_equal(verify(s, token, NOW_US), TV_OK);
        assert_int_equal(verify(s, token, NOW_US), TV_OK);
    }
    assert_int_equal(verify(s, first, NOW_US), TV_OK);
    tv_sessions_free(s);
}

/* -- claims that are not ours -------------------------------------------------------------------*/

#define GOOD_IDS                                                                                   \
    "\"sub\":\"22222222-2222-4222-8222-222222222222\","                                            \
    "\"cid\":\"11111111-1111-4111-8111-111111111111\","                                            \
    "\"sid\":\"33333333-3333-4333-8333-333333333333\","
#define GOOD_NAMES "\"iss\":\"televisit\",\"aud\":\"televisit\","
#define GOOD_TIMES "\"iat\":1800000000,\"exp\":1800000900"

static void test_claims(void **state) {
    static const struct {
        const char *claims;
        enum tv_err err;
    } rows[] = {
        {"{" GOOD_NAMES GOOD_IDS "\"role\":1," GOOD_TIMES "}", TV_OK},
        {"{" GOOD_NAMES GOOD_IDS "\"role\":\"DOCTOR\"," GOOD_TIMES "}", TV_OK},
        {"{\"iss\":\"other\",\"aud\":\"televisit\"," GOOD_IDS "\"role\":1," GOOD_TIMES "}",
         TV_ERR_UNAUTHENTICATED},
        {"{\"iss\":\"televisit\",\"aud\":\"other\"," GOOD_IDS "\"role\":1," GOOD_TIMES "}",
         TV_ERR_UNAUTHENTICATED},
        {"{\"iss\":\"televisit\",\"aud\":[\"televisit\"]," GOOD_IDS "\"role\":1," GOOD_TIMES "}",
         TV_ERR_UNAUTHENTICATED},
        {"{" GOOD_IDS "\"role\":1," GOOD_TIMES "}", TV_ERR_UNAUTHENTICATED},
        {"{" GOOD_NAMES GOOD_IDS GOOD_TIMES "}", TV_ERR_UNAUTHENTICATED}, /* no role */
        {"{" GOOD_NAMES GOOD_IDS "\"role\":0," GOOD_TIMES "}", TV_ERR_UNAUTHENTICATED},
        {"{" GOOD_NAMES GOOD_IDS "\"role\":7," GOOD_TIMES "}", TV_ERR_UNAUTHENTICATED},
        {"{" GOOD_NAMES GOOD_IDS "\"role\":-1," GOOD_TIMES "}", TV_ERR_UNAUTHENTICATED},
        {"{" GOOD_NAMES GOOD_IDS "\"role\":\"KING\"," GOOD_TIMES "}", TV_ERR_UNAUTHENTICATED},
        {"{" GOOD_NAMES GOOD_IDS "\"role\":1,\"admin\":true," GOOD_TIMES "}",
         TV_ERR_UNAUTHENTICATED},
        {"{" GOOD_NAMES "\"sub\":\"x\",\"cid\":\"y\",\"sid\":\"z\",\"role\":1," GOOD_TIMES "}",
         TV_ERR_UNAUTHENTICATED},
        {"{" GOOD_NAMES "\"role\":1," GOOD_TIMES "}", TV_ERR_UNAUTHENTICATED}, /* nobody */
        {"{" GOOD_NAMES GOOD_IDS "\"role\":1,\"iat\":1800000000}", TV_ERR_UNAUTHENTICATED},
        {"{" GOOD_NAMES GOOD_IDS "\"role\":1,\"exp\":-1}", TV_ERR_UNAUTHENTICATED},
        {"{" GOOD_NAMES GOOD_IDS "\"role\":1,\"exp\":\"9223372036854775807\"}",
         TV_ERR_UNAUTHENTICATED},
        {"{" GOOD_NAMES GOOD_IDS "\"role\":1,\"exp\":1}", TV_ERR_SESSION_EXPIRED},
        {"{" GOOD_NAMES GOOD_IDS "\"role\":1,\"exp\":1800000000}", TV_ERR_SESSION_EXPIRED},
        {"{" GOOD_NAMES GOOD_IDS "\"role\":1,\"exp\":1800000001}", TV_OK},
        {"{}", TV_ERR_UNAUTHENTICATED},
    };
    unsigned char bytes[32];
    size_t len;
    assert_true(tv_base64url_decode(TV_S(KEY_32), bytes, sizeof bytes, &len));
    const struct tv_jwt_key key = {"a", {(const char *)bytes, len}};
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_sessions *s = new_sessions("a:" KEY_32);
        struct tv_str token;
        assert_int_equal(tv_jwt_sign(&key, "at+jwt", tv_str(rows[i].claims), arena, &token, NULL),
                         TV_OK);
        enum tv_err err = verify(s, token, NOW_US);
        if (err != rows[i].err)
            fail_msg("row %zu: %d", i, err);
        tv_sessions_free(s);
    }
}

/* A token of LiveKit's or of another use of the same key has another type. */
static void test_type(void **state) {
    unsigned char bytes[32];
    size_t len;
    assert_true(tv_base64url_decode(TV_S(KEY_32), bytes, sizeof bytes, &len));
    const struct tv_jwt_key key = {"a", {(const char *)bytes, len}};
    struct tv_sessions *s = new_sessions("a:" KEY_32);
    struct tv_str token;
    struct tv_str claims = TV_S("{" GOOD_NAMES GOOD_IDS "\"role\":1," GOOD_TIMES "}");
    assert_int_equal(tv_jwt_sign(&key, NULL, claims, arena, &token, NULL), TV_OK);
    assert_int_equal(verify(s, token, NOW_US), TV_ERR_UNAUTHENTICATED);
    assert_int_equal(verify(s, TV_S(""), NOW_US), TV_ERR_UNAUTHENTICATED);
    assert_int_equal(verify(s, TV_S("a.b.c"), NOW_US), TV_ERR_UNAUTHENTICATED);
    tv_sessions_free(s);
}

/* -- where a token travels ----------------------------------------------------------------------*/

static void test_token_of_a_request(void **state) {
    static const struct {
        const char *authorization, *cookie;
        const char *token; /* NULL: none */
        bool by_cookie;
        enum tv_err err;
    } rows[] = {
        {NULL, NULL, NULL, false, TV_OK},
        {"Bearer abc", NULL, "abc", false, TV_OK},
        {"bearer abc", NULL, "abc", false, TV_OK},
        {"  BEARER   abc  ", NULL, "abc", false, TV_OK},
        {"Bearer ", NULL, NULL, false, TV_ERR_UNAUTHENTICATED},
        {"Bearer", NULL, NULL, false, TV_ERR_UNAUTHENTICATED},
        {"", NULL, NULL, false, TV_ERR_UNAUTHENTICATED},
        {"Basic YTpi", NULL, NULL, false, TV_ERR_UNAUTHENTICATED},
        {"Bearerabc", NULL, NULL, false, TV_ERR_UNAUTHENTICATED},
        /* The field wins: a client that sends it does not mean the cookie. */
        {"Bearer abc", "__Host-tv_session=def", "abc", false, TV_OK},
        {"Basic YTpi", "__Host-tv_session=def", NULL, false, TV_ERR_UNAUTHENTICATED},
        {NULL, "__Host-tv_session=def", "def", true, TV_OK},
        {NULL, "a=b; __Host-tv_session=def; c=d", "def", true, TV_OK},
        {NULL, "a=b;__Host-tv_session=def", "def", true, TV_OK},
        {NULL, "__Host-tv_session=", "", true, TV_OK},
        {NULL, "__Host-tv_session", NULL, false, TV_OK},
        {NULL, "tv_session=def", NULL, false, TV_OK},
        {NULL, "__host-tv_session=def", NULL, false, TV_OK},
        {NULL, "x__Host-tv_session=def", NULL, false, TV_OK},
        {NULL, "__Host-tv_session=a=b", "a=b", true, TV_OK},
        {NULL, ";;;=;", NULL, false, TV_OK},
        {NULL, "", NULL, false, TV_OK},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_http x = {0};
        size_t n = 0;
        if (rows[i].authorization != NULL)
            x.fields[n++] = (struct tv_http_field){"Authorization", rows[i].authorization};
        if (rows[i].cookie != NULL)
            x.fields[n++] = (struct tv_http_field){"Cookie", rows[i].cookie};
        struct tv_str token = {NULL, 0};
        bool by_cookie = false;
        struct tv_error e = TV_ERROR_INIT;
        enum tv_err err = tv_session_token(&x, &token, &by_cookie, &e);
        if (err != rows[i].err || by_cookie != rows[i].by_cookie ||
            (token.p == NULL) != (rows[i].token == NULL) ||
            (token.p != NULL && !tv_str_eqz(token, rows[i].token)))
            fail_msg("row %zu: %d, %.*s", i, err, TV_STR_ARGS(token));
    }
}

static void test_same_origin(void **state) {
    static const struct {
        const char *url, *site, *origin;
        bool same;
    } rows[] = {
        {"https://a.example", "same-origin", NULL, true},
        {"https://a.example", "same-origin", "https://b.example", true}, /* the browser's word */
        {"https://a.example", "same-site", "https://a.example", false},
        {"https://a.example", "cross-site", "https://a.example", false},
        {"https://a.example", "none", "https://a.example", false},
        {"https://a.example", "", "https://a.example", false},
        {"https://a.example", "Same-Origin", NULL, false},
        {"https://a.example", NULL, "https://a.example", true},
        {"https://a.example/app/", NULL, "https://a.example", true},
        {"https://a.example:8443/app", NULL, "https://a.example:8443", true},
        {"https://A.Example:443/", NULL, "https://a.example", true},
        {"http://a.example:80", NULL, "http://a.example", true},
        {"http://a.example:443", NULL, "http://a.example:443", true},
        {"https://a.example?x", NULL, "https://a.example", true},
        {"https://a.example:8443", NULL, "https://a.example", false},
        {"https://a.example", NULL, "http://a.example", false},
        {"https://a.example", NULL, "https://a.example.evil.example", false},
        {"https://a.example", NULL, "https://evil.example/https://a.example", false},
        {"https://a.example", NULL, "null", false},
        {"https://a.example", NULL, "", false},
        {"https://a.example", NULL, NULL, false},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_sessions *s = sessions_of("a:" KEY_32, rows[i].url);
        struct tv_http x = {0};
        size_t n = 0;
        if (rows[i].site != NULL)
            x.fields[n++] = (struct tv_http_field){"Sec-Fetch-Site", rows[i].site};
        if (rows[i].origin != NULL)
            x.fields[n++] = (struct tv_http_field){"Origin", rows[i].origin};
        if (tv_session_same_origin(s, &x) != rows[i].same)
            fail_msg("row %zu", i);
        tv_sessions_free(s);
    }
}

static void test_set_cookie(void **state) {
    assert_string_equal(
        tv_session_set_cookie(TV_COOKIE_SESSION, TV_S("abc"), 900, arena),
        "__Host-tv_session=abc; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Strict");
    assert_string_equal(tv_session_set_cookie(TV_COOKIE_REFRESH, TV_S(""), 0, arena),
                        "__Host-tv_refresh=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_text),
        cmocka_unit_test(test_sign_and_verify),
        cmocka_unit_test(test_every_role_of_people),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_type),
        cmocka_unit_test(test_token_of_a_request),
        cmocka_unit_test(test_same_origin),
        cmocka_unit_test(test_set_cookie),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
