/* Known answers, and that nothing forged or malformed passes. */
#include "lib/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sodium.h>

static int setup(void **state) {
    tv_crypto_init();
    tv_crypto_init(); /* again is harmless */
    return 0;
}

/* The reserve is used from end to end and across its refills, and gives no bytes twice. */
static void test_random_names(void **state) {
    unsigned char last[16] = {0}, next[16], large[4096] = {0};
    for (unsigned i = 0; i < 200; i++) {
        tv_random_name(next, sizeof(next));
        assert_memory_not_equal(next, last, sizeof(next));
        memcpy(last, next, sizeof(last));
    }
    tv_random_name(large, sizeof(large)); /* larger than the reserve */
    assert_memory_not_equal(large, large + 2048, 2048);
}

static void test_random_below(void **state) {
    assert_int_equal(tv_random_below(1), 0);
    unsigned seen[5] = {0};
    for (int i = 0; i < 2000; i++)
        seen[tv_random_below(5)]++;
    for (int i = 0; i < 5; i++)
        assert_in_range(seen[i], 250, 600); /* 400 expected; 8 standard deviations */
    const uint64_t large = (UINT64_C(1) << 63) + 1;
    for (int i = 0; i < 100; i++)
        assert_true(tv_random_below(large) < large);
}

static void test_uuid(void **state) {
    char one[TV_UUID_TEXT], two[TV_UUID_TEXT];
    for (int i = 0; i < 200; i++) {
        tv_uuid(one);
        tv_uuid(two);
        assert_true(tv_str_is_uuid(tv_str(one)));
        assert_int_equal(one[14], '4');
        assert_non_null(strchr("89ab", one[19]));
        assert_string_not_equal(one, two);
    }
}

static void hex_equal(const unsigned char *bytes, size_t len, const char *hex) {
    char text[129];
    assert_string_equal(sodium_bin2hex(text, sizeof(text), bytes, len), hex);
}

static void test_sha256(void **state) {
    unsigned char out[TV_SHA256_BYTES];
    tv_sha256(TV_S("abc"), out); /* FIPS 180-2, appendix B.1 */
    hex_equal(out, sizeof(out), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    tv_sha256((struct tv_str){NULL, 0}, out);
    hex_equal(out, sizeof(out), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_hash(void **state) {
    assert_true(tv_hash(TV_S("a")) == tv_hash(TV_S("a")));
    assert_true(tv_hash(TV_S("a")) != tv_hash(TV_S("b")));
    assert_true(tv_hash((struct tv_str){NULL, 0}) == tv_hash(TV_S("")));
}

/* RFC 4231 test case 1 has a short key; HMAC pads it with zeros to the block, so the same key
 * padded to 32 bytes gives the same HMAC-SHA-512, of which a seal is the first half. */
static void test_seal_vector(void **state) {
    unsigned char key[TV_SEAL_KEY_BYTES] = {0}, seal[TV_SEAL_BYTES];
    (void)memset(key, 0x0b, 20);
    tv_seal(TV_S("Hi There"), key, seal);
    hex_equal(seal, sizeof(seal),
              "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde");
}

static void test_seal_refuses(void **state) {
    unsigned char key[TV_SEAL_KEY_BYTES], seal[TV_SEAL_BYTES];
    char data[] = "room=7";
    const struct tv_str sealed = {data, sizeof(data) - 1};
    tv_random(key, sizeof(key));
    tv_seal(sealed, key, seal);
    assert_true(tv_seal_ok(sealed, seal, key));
    for (size_t bit = 0; bit < 8 * sizeof(seal); bit++) {
        seal[bit / 8] ^= (unsigned char)(1U << bit % 8);
        assert_false(tv_seal_ok(sealed, seal, key));
        seal[bit / 8] ^= (unsigned char)(1U << bit % 8);
        key[bit / 8] ^= (unsigned char)(1U << bit % 8);
        assert_false(tv_seal_ok(sealed, seal, key));
        key[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
    assert_false(tv_seal_ok((struct tv_str){data, sizeof(data) - 2}, seal, key));
    assert_false(tv_seal_ok((struct tv_str){data, sizeof(data)}, seal, key));
    data[5] = '8';
    assert_false(tv_seal_ok(sealed, seal, key));
    tv_seal((struct tv_str){NULL, 0}, key, seal);
    assert_true(tv_seal_ok(TV_S(""), seal, key));
}

static void test_seal_keys(void **state) {
    unsigned char key[TV_SEAL_KEY_BYTES], expected[TV_SEAL_KEY_BYTES];
    for (size_t i = 0; i < sizeof(expected); i++)
        expected[i] = (unsigned char)(i * 8 + 3);
    char hex[65], base64[44];
    (void)sodium_bin2hex(hex, sizeof(hex), expected, sizeof(expected));
    assert_int_equal(tv_base64url(expected, sizeof(expected), base64), 43);
    assert_true(tv_seal_key_parse(hex, key));
    assert_memory_equal(key, expected, sizeof(key));
    (void)memset(key, 0, sizeof(key));
    assert_true(tv_seal_key_parse(base64, key));
    assert_memory_equal(key, expected, sizeof(key));

    (void)memset(key, 0x55, sizeof(key));
    (void)memset(expected, 0x55, sizeof(expected));
    hex[63] = 'g';
    assert_false(tv_seal_key_parse(hex, key));
    hex[63] = '\xE6';
    assert_false(tv_seal_key_parse(hex, key));
    hex[63] = '\0';
    assert_false(tv_seal_key_parse(hex, key));
    base64[42] = '\0';
    assert_false(tv_seal_key_parse(base64, key));
    assert_false(tv_seal_key_parse("", key));
    assert_false(tv_seal_key_parse(NULL, key));
    assert_memory_equal(key, expected, sizeof(key)); /* written only on success */
}

#define HEX_1 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX_2 "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
#define BASE64_1 "ABEiM0RVZneImaq7zN3u_wARIjNEVWZ3iJmqu8zd7v8"
#define NO_KEY " is neither 64 hex digits nor base64url of 32 bytes"

/* A key that is changed: two lines. */
static void test_seal_keys_of_lines(void **state) {
    static const struct {
        const char *text;
        unsigned first, second; /* bytes that the keys begin with; 0x100: no second */
        const char *fault;
    } cases[] = {
        {HEX_1, 0x00, 0x100, NULL},
        {HEX_1 "\n", 0x00, 0x100, NULL},
        {HEX_1 "\n" HEX_2, 0x00, 0xff, NULL},
        {"\n  " HEX_2 "\t\n\n" BASE64_1 "\n\n", 0xff, 0x00, NULL},
        {HEX_1 "\n" HEX_1, 0x00, 0x00, NULL},
        {NULL, 0, 0, "there is no key"},
        {"", 0, 0, "there is no key"},
        {" \n\t\n", 0, 0, "there is no key"},
        {"secret", 0, 0, "line 1" NO_KEY},
        {HEX_1 "0", 0, 0, "line 1" NO_KEY},
        {HEX_1 HEX_2, 0, 0, "line 1" NO_KEY},
        {HEX_1 "\n\nsecret\n", 0, 0, "line 3" NO_KEY},
        {HEX_1 "," HEX_2, 0, 0, "line 1" NO_KEY},
        {HEX_1 "\n" HEX_2 "\n" HEX_1, 0, 0, "line 3 is one key too many: there may be 2"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        struct tv_seal_keys keys = {.count = 77};
        struct tv_error e = TV_ERROR_INIT;
        enum tv_err err = tv_seal_keys_parse(cases[i].text, &keys, &e);
        assert_int_equal(err, cases[i].fault == NULL ? TV_OK : TV_ERR_INVALID);
        if (err != TV_OK) {
            assert_string_equal(e.detail, cases[i].fault);
            assert_int_equal(keys.count, 77);
            continue;
        }
        assert_int_equal(keys.count, cases[i].second == 0x100 ? 1 : 2);
        assert_int_equal(keys.key[0][0], cases[i].first);
        if (keys.count == 2)
            assert_int_equal(keys.key[1][0], cases[i].second);
    }
    assert_true(sizeof(HEX_1 "\r\n" HEX_2 "\r\n") <= TV_SEAL_KEYS_TEXT_MAX);
}

/* What is sealed for a purpose with either key opens with the keys that are derived of both. */
static void test_seal_keys_open(void **state) {
    struct tv_seal_keys keys, derived;
    unsigned char purpose[TV_SEAL_KEY_BYTES], seal[TV_SEAL_BYTES];
    assert_int_equal(tv_seal_keys_parse(HEX_1 "\n" HEX_2, &keys, NULL), TV_OK);
    tv_seal_keys_derive(&keys, TV_SEAL_EVENTS, &derived);
    assert_int_equal(derived.count, 2);
    for (unsigned i = 0; i < 2; i++) {
        tv_seal(TV_S("grant"), keys.key[i], seal);
        assert_true(tv_seal_keys_ok(TV_S("grant"), seal, &keys));
        assert_false(tv_seal_keys_ok(TV_S("Grant"), seal, &keys));
        assert_false(tv_seal_keys_ok(TV_S("grant"), seal, &derived));
        tv_seal_key_derive(keys.key[i], TV_SEAL_EVENTS, purpose);
        tv_seal(TV_S("event"), purpose, seal);
        assert_true(tv_seal_keys_ok(TV_S("event"), seal, &derived));
        assert_false(tv_seal_keys_ok(TV_S("event"), seal, &keys));
    }
    keys.count = 1; /* the second is gone: what it sealed is a stranger's */
    tv_seal(TV_S("grant"), keys.key[1], seal);
    assert_false(tv_seal_keys_ok(TV_S("grant"), seal, &keys));
}

static void test_base64url_vectors(void **state) {
    static const struct {
        struct tv_str data;
        const char *text;
    } rows[] = {
        /* RFC 4648 section 10, without the padding */
        {TV_S(""), ""},
        {TV_S("f"), "Zg"},
        {TV_S("fo"), "Zm8"},
        {TV_S("foo"), "Zm9v"},
        {TV_S("foob"), "Zm9vYg"},
        {TV_S("fooba"), "Zm9vYmE"},
        {TV_S("foobar"), "Zm9vYmFy"},
        {TV_S("\xFB\xEF\xBE\xFF\xFF\xFF"), "----____"},
        {TV_S("\0\0"), "AAA"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        char text[16];
        assert_int_equal(tv_base64url(rows[i].data.p, rows[i].data.len, text),
                         strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
        unsigned char data[8];
        size_t len = 99;
        assert_true(tv_base64url_decode(tv_str(text), data, rows[i].data.len, &len));
        assert_int_equal(len, rows[i].data.len);
        assert_memory_equal(data, rows[i].data.p, len);
    }
    char text[4];
    assert_int_equal(tv_base64url(NULL, 0, text), 0);
    assert_string_equal(text, "");
}

static void test_base64url_refuses(void **state) {
    static const struct {
        struct tv_str text;
        size_t max;
    } rows[] = {
        {TV_S("Z"), 8},      {TV_S("Zm9vY"), 8}, {TV_S("Zg=="), 8},     {TV_S("Zm8="), 8},
        {TV_S("Zm9v\n"), 8}, {TV_S("Zm 9v"), 8}, {TV_S("+/+/"), 8},     {TV_S("Zm9\0"), 8},
        {TV_S("Zh"), 8}, /* bits that stand for nothing are set: a second text of the same bytes */
        {TV_S("Zm9"), 8},    {TV_S("Zm9v"), 2},  {TV_S("Zm9vYmFy"), 5}, {TV_S("\xC3\xA9zz"), 8},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        unsigned char data[8] = "unused!", before[8] = "unused!";
        size_t len = 99;
        if (tv_base64url_decode(rows[i].text, data, rows[i].max, &len))
            fail_msg("row %zu", i);
        assert_memory_equal(data, before, sizeof(data));
        assert_int_equal(len, 99);
    }
}

/* Each of the 192 bytes outside of the alphabet, at each place. */
static void test_base64url_alphabet(void **state) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (int c = 0; c < 0x100; c++) {
        bool is_one = c != 0 && strchr(alphabet, c) != NULL;
        for (size_t place = 0; place < 4; place++) {
            char text[4] = {'A', 'A', 'A', 'A'};
            unsigned char data[3];
            size_t len;
            text[place] = (char)c;
            assert_int_equal(tv_base64url_decode((struct tv_str){text, 4}, data, 3, &len), is_one);
        }
    }
}

static void test_equal_and_wipe(void **state) {
    assert_true(tv_equal_ct("abc", "abc", 3));
    assert_false(tv_equal_ct("abc", "abd", 3));
    assert_true(tv_equal_ct("abc", "abd", 2));
    assert_true(tv_equal_ct(NULL, NULL, 0));
    char secret[8] = "secret!", zeros[8] = {0};
    tv_wipe(secret, sizeof(secret));
    assert_memory_equal(secret, zeros, sizeof(zeros));
    tv_wipe(NULL, 0);
}

#define PASSES 1
#define MEMORY ((size_t)8192) /* the least that is allowed: tests are in a hurry */

static void test_passwords(void **state) {
    char hash[TV_PASSWORD_HASH_MAX], other[TV_PASSWORD_HASH_MAX];
    assert_true(tv_password_hash(TV_S("correct horse"), PASSES, MEMORY, hash));
    assert_true(tv_password_hash(TV_S("correct horse"), PASSES, MEMORY, other));
    assert_true(tv_str_starts(tv_str(hash), TV_S("$argon2id$v=19$m=8,t=1,p=1$")));
    assert_string_not_equal(hash, other); /* salted */
    assert_true(tv_password_ok(TV_S("correct horse"), hash));
    assert_true(tv_password_ok(TV_S("correct horse"), other));
    assert_false(tv_password_ok(TV_S("correct horsf"), hash));
    assert_false(tv_password_ok(TV_S("correct hors"), hash));
    assert_false(tv_password_ok(TV_S(""), hash));
    assert_true(tv_password_hash((struct tv_str){NULL, 0}, PASSES, MEMORY, hash));
    assert_true(tv_password_ok(TV_S(""), hash));
}

static void test_password_faults(void **state) {
    char hash[TV_PASSWORD_HASH_MAX] = "as before", long_hash[300];
    assert_false(tv_password_hash(TV_S("x"), 0, MEMORY, hash));
    assert_false(tv_password_hash(TV_S("x"), PASSES, 100, hash));
    assert_string_equal(hash, "as before");
    (void)snprintf(long_hash, sizeof(long_hash), "$argon2id$%0200d", 0);
    static const char *const bad[] = {
        NULL,
        "",
        "plain",
        "$argon2id$",
        "$argon2id$v=19$m=8,t=1,p=1$",
        "$argon2i$v=19$m=8,t=3,p=1$",
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(bad); i++)
        assert_false(tv_password_ok(TV_S("x"), bad[i]));
    assert_false(tv_password_ok(TV_S("x"), long_hash));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_names),
        cmocka_unit_test(test_random_below),
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_seal_vector),
        cmocka_unit_test(test_seal_refuses),
        cmocka_unit_test(test_seal_keys),
        cmocka_unit_test(test_seal_keys_of_lines),
        cmocka_unit_test(test_seal_keys_open),
        cmocka_unit_test(test_base64url_vectors),
        cmocka_unit_test(test_base64url_refuses),
        cmocka_unit_test(test_base64url_alphabet),
        cmocka_unit_test(test_equal_and_wipe),
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_password_faults),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
