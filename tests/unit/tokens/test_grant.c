/* Grants: sealed by us and nobody else, fresh, whole; and exactly what a token may say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/jwt.h"
#include "lib/pb.h"
#include "livekit/livekit.pb-c.h"
#include "services/tokens/grant.h"
#include "televisit/v1/tokens.pb-c.h"

#define NOW_S INT64_C(1774774800)
#define NOW_US (NOW_S * TV_US_PER_S)
#define TYPE(name) TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__##name

static const unsigned char key[TV_SEAL_KEY_BYTES] = "0123456789abcdef0123456789abcdef";
static const struct tv_seal_keys keys = {{"0123456789abcdef0123456789abcdef"}, 1};

/* A grant that is good at NOW_US. Times are borrowed by the caller's changes. */
static Televisit__V1__Grant *good(struct tv_arena *a) {
    Televisit__V1__Grant *g = TV_PB_NEW(a, Televisit__V1__Grant, televisit__v1__grant__descriptor);
    g->room = tv_arena_strdup(a, "room_7f1c");
    g->identity = tv_arena_strdup(a, "p_0b0e");
    g->participant_type = TYPE(PATIENT);
    g->issued_at = tv_pb_time(NOW_US, a);
    g->valid_until = tv_pb_time(NOW_US + 10 * TV_US_PER_S, a);
    g->closes_at = tv_pb_time(NOW_US + 7200 * TV_US_PER_S, a);
    g->participants_max = 4;
    g->sealed_at = tv_pb_time(NOW_US, a);
    return g;
}

static struct tv_str seal(struct tv_str bytes, struct tv_arena *a) {
    char *sealed = tv_arena_alloc(a, bytes.len + TV_SEAL_BYTES);
    memcpy(sealed, bytes.p, bytes.len);
    tv_seal(bytes, key, (unsigned char *)sealed + bytes.len);
    return (struct tv_str){sealed, bytes.len + TV_SEAL_BYTES};
}

static enum tv_err open_at(const Televisit__V1__Grant *g, int64_t now_us, struct tv_arena *a,
                           struct tv_grant *ret) {
    struct tv_error e = TV_ERROR_INIT;
    enum tv_err err = tv_grant_open(seal(tv_pb_pack(&g->base, a), a), &keys, now_us, a, ret, &e);
    assert_int_equal(e.code, err);
    return err;
}

static void test_open(void **state) {
    struct tv_arena *a = tv_arena_new();
    struct tv_grant g;
    assert_int_equal(open_at(good(a), NOW_US, a, &g), TV_OK);
    assert_string_equal(g.room, "room_7f1c");
    assert_string_equal(g.identity, "p_0b0e");
    assert_int_equal(g.type, TYPE(PATIENT));
    assert_int_equal(g.participants_max, 4);
    assert_int_equal(g.open_s, 7200);
    assert_true(g.now_s == NOW_S && g.expires_s == NOW_S + 600);
    tv_arena_free(a);
}

/* Each bit of bytes and seal counts, and so does each byte that is missing. */
static void test_seal(void **state) {
    struct tv_arena *a = tv_arena_new();
    struct tv_str sealed = seal(tv_pb_pack(&good(a)->base, a), a);
    char *bytes = tv_arena_strndup(a, sealed.p, sealed.len);
    struct tv_grant g;
    struct tv_error e;
    for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(
            tv_grant_open((struct tv_str){bytes, sealed.len}, &keys, NOW_US, a, &g, &e),
            TV_ERR_FORBIDDEN);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
    }
    for (size_t len = 0; len < sealed.len; len++) {
        assert_int_equal(tv_grant_open((struct tv_str){bytes, len}, &keys, NOW_US, a, &g, &e),
                         TV_ERR_FORBIDDEN);
        assert_int_equal(
            tv_grant_open((struct tv_str){bytes + sealed.len - len, len}, &keys, NOW_US, a, &g, &e),
            TV_ERR_FORBIDDEN);
    }
    static const struct tv_seal_keys other = {{"fedcba9876543210fedcba9876543210"}, 1};
    assert_int_equal(tv_grant_open(sealed, &other, NOW_US, a, &g, &e), TV_ERR_FORBIDDEN);
    assert_int_equal(tv_grant_open(sealed, &keys, NOW_US, a, &g, &e), TV_OK);
    tv_arena_free(a);
}

static void test_times(void **state) {
    static const struct {
        int64_t now_ms, closes_ms; /* after it was issued */
        enum tv_err err;
        int64_t expires_s;
    } cases[] = {
        {0, 7200000, TV_OK, 600},
        {10000, 7200000, TV_OK, 610},
        {70000, 7200000, TV_OK, 670}, /* valid for 10 s, and the clocks may differ by 60 s */
        {70001, 7200000, TV_ERR_FORBIDDEN, 0},
        {-60000, 7200000, TV_OK, 540}, /* a clock that is slow: LiveKit's is as this one */
        {-60001, 7200000, TV_ERR_FORBIDDEN, 0},
        {0, 600000, TV_OK, 600},
        {0, 599999, TV_OK, 599},
        {0, 30000, TV_OK, 30},
        {4000, 30000, TV_OK, 30}, /* it ends with the window, however long the way was */
        {4999, 30000, TV_OK, 30},
        {9000, 10000, TV_OK, 10},
        {9001, 10000, TV_ERR_TOO_LATE, 0},
        {15000, 30000, TV_OK, 35}, /* clocks that differ: at most the way is taken off */
        {-5000, 30000, TV_OK, 25},
        {0, 1000, TV_OK, 1},
        {0, 999, TV_ERR_TOO_LATE, 0},
        {0, 0, TV_ERR_TOO_LATE, 0},
        {0, -1, TV_ERR_INTERNAL, 0},
        {0, INT64_C(5000000000000), TV_ERR_INTERNAL, 0},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        struct tv_arena *a = tv_arena_new();
        struct tv_grant ret;
        Televisit__V1__Grant *g = good(a);
        int64_t valid_ms = TV_MAX(0, TV_MIN(10000, cases[i].closes_ms));
        g->valid_until = tv_pb_time(NOW_US + valid_ms * 1000, a);
        g->closes_at = tv_pb_time(NOW_US + cases[i].closes_ms * 1000, a);
        enum tv_err err = open_at(g, NOW_US + cases[i].now_ms * 1000, a, &ret);
        if (err != cases[i].err || (err == TV_OK && ret.expires_s != NOW_S + cases[i].expires_s))
            fail_msg("case %zu: %d, %lld", i, err, (long long)(ret.expires_s - NOW_S));
        tv_arena_free(a);
    }
}

enum lack {
    NO_ROOM,
    LONG_ROOM,
    NO_IDENTITY,
    LONG_IDENTITY,
    NO_TYPE,
    ODD_TYPE,
    NO_ISSUED,
    NO_SEALED,
    NO_VALID,
    NO_CLOSES,
    NO_MAX,
    BAD_MAX,
    OLD_ISSUED,
    LACKS
};

static void test_not_whole(void **state) {
    static char long_name[TV_GRANT_NAME_MAX + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    for (enum lack lack = NO_ROOM; lack < LACKS; lack++) {
        struct tv_arena *a = tv_arena_new();
        struct tv_grant ret;
        Televisit__V1__Grant *g = good(a);
        switch (lack) {
        case NO_ROOM:
            g->room = tv_arena_strdup(a, "");
            break;
        case LONG_ROOM:
            g->room = long_name;
            break;
        case NO_IDENTITY:
            g->identity = tv_arena_strdup(a, "");
            break;
        case LONG_IDENTITY:
            g->identity = long_name;
            break;
        case NO_TYPE:
            g->participant_type = TYPE(UNSPECIFIED);
            break;
        case ODD_TYPE:
            g->participant_type = 99;
            break;
        case NO_ISSUED:
            g->issued_at = NULL;
            break;
        case NO_SEALED:
            g->sealed_at = NULL;
            break;
        case NO_VALID:
            g->valid_until = NULL;
            break;
        case NO_CLOSES:
            g->closes_at = NULL;
            break;
        case NO_MAX:
            g->participants_max = 0;
            break;
        case BAD_MAX:
            g->participants_max = -1;
            break;
        case OLD_ISSUED:
            g->issued_at->seconds = INT64_MIN;
            break;
        case LACKS:
            break;
        }
        assert_int_equal(open_at(g, NOW_US, a, &ret), TV_ERR_INTERNAL);
        tv_arena_free(a);
    }
    struct tv_arena *a = tv_arena_new();
    struct tv_grant ret;
    struct tv_error e;
    assert_int_equal(tv_grant_open(seal(TV_S("\xff\xff"), a), &keys, NOW_US, a, &ret, &e),
                     TV_ERR_INTERNAL);
    assert_int_equal(tv_grant_open(seal((struct tv_str){"", 0}, a), &keys, NOW_US, a, &ret, &e),
                     TV_ERR_INTERNAL);
    tv_arena_free(a);
}

/* A grant that was sealed before the key was changed, or by one who has the new one already. */
static void test_change_of_key(void **state) {
#define NEW "fedcba9876543210fedcba9876543210"
#define OLD "0123456789abcdef0123456789abcdef"
#define NONE "00000000000000000000000000000000"
    static const struct {
        struct tv_seal_keys keys;
        enum tv_err err;
    } cases[] = {
        {{{OLD}, 1}, TV_OK},
        {{{OLD, NEW}, 2}, TV_OK},
        {{{NEW, OLD}, 2}, TV_OK},
        {{{NEW}, 1}, TV_ERR_FORBIDDEN},
        {{{NEW, NONE}, 2}, TV_ERR_FORBIDDEN},
        {{{NEW, OLD}, 1}, TV_ERR_FORBIDDEN}, /* what is not counted is no key */
        {{{OLD}, 0}, TV_ERR_FORBIDDEN},
    };
    struct tv_arena *a = tv_arena_new();
    struct tv_str sealed = seal(tv_pb_pack(&good(a)->base, a), a);
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        struct tv_grant g;
        struct tv_error e;
        if (tv_grant_open(sealed, &cases[i].keys, NOW_US, a, &g, &e) != cases[i].err)
            fail_msg("case %zu", i);
    }
    tv_arena_free(a);
}

/* The whole text: a member more, were it only a false one, would fail here. */
static void test_claims(void **state) {
    static const struct {
        int type;
        const char *sources;
    } cases[] = {
        {TYPE(PATIENT), "[\"camera\",\"microphone\",\"screen_share\",\"screen_share_audio\"]"},
        {TYPE(DOCTOR), "[\"camera\",\"microphone\",\"screen_share\",\"screen_share_audio\"]"},
        {TYPE(INTERPRETER), "[\"camera\",\"microphone\"]"},
        {TYPE(GUEST), "[\"camera\",\"microphone\"]"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        struct tv_arena *a = tv_arena_new();
        struct tv_grant ret;
        Televisit__V1__Grant *g = good(a);
        g->participant_type = (Televisit__V1__ParticipantType__Value)cases[i].type;
        assert_int_equal(open_at(g, NOW_US, a, &ret), TV_OK);
        char *expected = tv_arena_printf(
            a,
            "{\"iss\":\"key\",\"sub\":\"p_0b0e\",\"nbf\":1774774790,\"exp\":1774775400,"
            "\"video\":{\"room\":\"room_7f1c\",\"roomJoin\":true,\"canPublish\":true,"
            "\"canSubscribe\":true,\"canPublishData\":true,\"canPublishSources\":%s}}",
            cases[i].sources);
        assert_true(tv_str_eqz(tv_grant_claims(&ret, "key", a), expected));
        tv_arena_free(a);
    }
}

/* What a name contains cannot become a claim. */
static void test_claims_cannot_be_injected(void **state) {
    struct tv_arena *a = tv_arena_new();
    struct tv_grant ret;
    struct tv_error e = TV_ERROR_INIT;
    ProtobufCMessage *m = NULL;
    Televisit__V1__Grant *g = good(a);
    g->identity = tv_arena_strdup(a, "x\",\"video\":{\"roomAdmin\":true},\"y\":\"\\\n\x7f");
    assert_int_equal(open_at(g, NOW_US, a, &ret), TV_OK);
    assert_int_equal(tv_pb_from_json(&livekit__access_token__descriptor,
                                     tv_grant_claims(&ret, "key", a), 0, a, &m, &e),
                     TV_OK);
    const Livekit__AccessToken *t = (const void *)m;
    assert_string_equal(t->sub, g->identity);
    assert_false(t->video->room_admin);
    assert_true(t->video->room_join);
    tv_arena_free(a);
}

int main(void) {
    tv_crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_change_of_key),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_not_whole),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_claims_cannot_be_injected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
