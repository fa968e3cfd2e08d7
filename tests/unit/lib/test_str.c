/* Slices, strict numbers, UTF-8, and buffers at their cap. */
#include "lib/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_equality(void **state) {
    const struct tv_str none = {NULL, 0};
    assert_true(tv_str_eq(none, TV_S("")));
    assert_true(tv_str_eqz(none, NULL));
    assert_false(tv_str_eq(TV_S("a"), TV_S("b")));
    assert_false(tv_str_eq(TV_S("a"), TV_S("ab")));
    assert_true(tv_str_eq_nocase(TV_S("Content-TYPE"), TV_S("content-type")));
    assert_false(tv_str_eq_nocase(TV_S("a["), TV_S("A{"))); /* 0x20 apart, but no letters */
    assert_false(tv_str_eq_nocase(TV_S("\xC4"), TV_S("\xE4")));
    assert_true(tv_str_starts(TV_S("tv.v1.x"), TV_S("tv.v1.")));
    assert_true(tv_str_starts(none, none));
    assert_false(tv_str_starts(TV_S("tv"), TV_S("tv.")));
}

static void test_trim(void **state) {
    static const char *const rows[][2] = {
        {"", ""}, {" ", ""}, {"\t \t", ""}, {" a b\t", "a b"}, {"a", "a"}, {"\na ", "\na"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++)
        assert_true(tv_str_eqz(tv_str_trim(tv_str(rows[i][0])), rows[i][1]));
    assert_int_equal(tv_str_trim((struct tv_str){NULL, 0}).len, 0);
}

static void test_cut(void **state) {
    struct tv_str rest = TV_S("a,,bc,");
    assert_true(tv_str_eqz(tv_str_cut(&rest, ','), "a"));
    assert_true(tv_str_eqz(tv_str_cut(&rest, ','), ""));
    assert_true(tv_str_eqz(tv_str_cut(&rest, ','), "bc"));
    assert_non_null(rest.p); /* something stood after the last comma: an empty piece */
    assert_true(tv_str_eqz(tv_str_cut(&rest, ','), ""));
    assert_null(rest.p);
    assert_true(tv_str_eqz(tv_str_cut(&rest, ','), ""));
}

static void test_numbers(void **state) {
    static const struct {
        const char *text;
        uint64_t min, max;
        bool ok;
        uint64_t value;
    } rows[] = {
        {"0", 0, UINT64_MAX, true, 0},
        {"007", 0, 10, true, 7},
        {"18446744073709551615", 0, UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", 0, UINT64_MAX, false, 0},
        {"99999999999999999999999", 0, UINT64_MAX, false, 0},
        {"", 0, 9, false, 0},
        {"-1", 0, 9, false, 0},
        {"+1", 0, 9, false, 0},
        {" 1", 0, 9, false, 0},
        {"1 ", 0, 9, false, 0},
        {"1.0", 0, 9, false, 0},
        {"0x1", 0, 99, false, 0},
        {"\xD9\xA1", 0, 9, false, 0},
        {"4", 5, 9, false, 0},
        {"5", 5, 9, true, 5},
        {"9", 5, 9, true, 9},
        {"10", 5, 9, false, 0},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        uint64_t value = 77;
        bool ok = tv_str_to_u64(tv_str(rows[i].text), rows[i].min, rows[i].max, &value);
        assert_int_equal(ok, rows[i].ok);
        assert_int_equal(value, ok ? rows[i].value : 77); /* written only on success */
    }
    uint64_t value = 77;
    assert_false(tv_str_to_u64((struct tv_str){"1\0", 2}, 0, 99, &value));
}

static void test_signed_numbers(void **state) {
    int64_t value = 77;
    assert_true(tv_str_to_i64(TV_S("9223372036854775807"), INT64_MIN, INT64_MAX, &value));
    assert_int_equal(value, INT64_MAX);
    value = 77;
    assert_false(tv_str_to_i64(TV_S("9223372036854775808"), INT64_MIN, INT64_MAX, &value));
    assert_false(tv_str_to_i64(TV_S("-5"), INT64_MIN, INT64_MAX, &value));
    assert_false(tv_str_to_i64(TV_S("0"), INT64_MIN, -1, &value));
    assert_false(tv_str_to_i64(TV_S("4"), 5, 9, &value));
    assert_int_equal(value, 77);
    assert_true(tv_str_to_i64(TV_S("0"), -5, 5, &value));
    assert_int_equal(value, 0);
}

static void test_uuid(void **state) {
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {"01234567-89ab-4cde-8f01-23456789abcd", true},
        {"00000000-0000-0000-0000-000000000000", true},
        {"01234567-89AB-4cde-8f01-23456789abcd", false},
        {"01234567-89ab-4cde-8f01-23456789abc", false},
        {"01234567-89ab-4cde-8f01-23456789abcde", false},
        {"01234567089ab-4cde-8f01-23456789abcd", false},
        {"0123456-789ab-4cde-8f01-23456789abcd", false},
        {"g1234567-89ab-4cde-8f01-23456789abcd", false},
        {"{1234567-89ab-4cde-8f01-23456789abc}", false},
        {"", false},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++)
        assert_int_equal(tv_str_is_uuid(tv_str(rows[i].text)), rows[i].ok);
}

static void test_utf8(void **state) {
    static const struct {
        struct tv_str text;
        bool ok;
    } rows[] = {
        {TV_S(""), true},
        {TV_S("plain"), true},
        {TV_S("\x7F"), true},
        {TV_S("a\0b"), false},
        {TV_S("\xC2\x80"), true},  /* U+0080, the first of two bytes */
        {TV_S("\xDF\xBF"), true},  /* U+07FF */
        {TV_S("\xC0\x80"), false}, /* overlong NUL */
        {TV_S("\xC1\xBF"), false}, /* overlong DEL */
        {TV_S("\x80"), false},     /* continuation alone */
        {TV_S("\xC3"), false},     /* unfinished */
        {TV_S("\xC3("), false},
        {TV_S("\xE0\xA0\x80"), true},  /* U+0800 */
        {TV_S("\xE0\x9F\xBF"), false}, /* overlong */
        {TV_S("\xED\x9F\xBF"), true},  /* U+D7FF */
        {TV_S("\xED\xA0\x80"), false}, /* surrogate U+D800 */
        {TV_S("\xED\xBF\xBF"), false}, /* surrogate U+DFFF */
        {TV_S("\xEE\x80\x80"), true},  /* U+E000 */
        {TV_S("\xEF\xBF\xBF"), true},  /* U+FFFF */
        {TV_S("\xE2\x82"), false},
        {TV_S("\xF0\x90\x80\x80"), true},  /* U+10000 */
        {TV_S("\xF0\x8F\xBF\xBF"), false}, /* overlong */
        {TV_S("\xF4\x8F\xBF\xBF"), true},  /* U+10FFFF */
        {TV_S("\xF4\x90\x80\x80"), false}, /* past the end of Unicode */
        {TV_S("\xF5\x80\x80\x80"), false},
        {TV_S("\xF0\x9F\x98"), false},
        {TV_S("\xFE"), false},
        {TV_S("\xFF"), false},
        {TV_S("ok \xE2\x82\xAC \xF0\x9F\x98\x80 ok"), true},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        if (tv_str_is_utf8(rows[i].text) != rows[i].ok)
            fail_msg("row %zu", i);
        /* On the heap, so that a read behind the end is seen. */
        char *copy = rows[i].text.len == 0 ? NULL : malloc(rows[i].text.len);
        if (copy != NULL)
            (void)memcpy(copy, rows[i].text.p, rows[i].text.len);
        assert_int_equal(tv_str_is_utf8((struct tv_str){copy, rows[i].text.len}), rows[i].ok);
        free(copy);
    }
}

static void test_buffer_grows_to_its_cap(void **state) {
    struct tv_buf b = TV_BUF_INIT(1000);
    for (int i = 0; i < 1000; i++)
        tv_buf_char(&b, (char)('a' + i % 26));
    assert_false(b.overflow);
    assert_int_equal(b.len, 1000);
    assert_int_equal(strlen(b.data), 1000);
    assert_true(b.size <= 1001);
    tv_buf_puts(&b, ""); /* nothing still fits */
    assert_false(b.overflow);
    tv_buf_char(&b, 'x');
    assert_true(b.overflow);
    assert_int_equal(b.len, 1000);
    tv_buf_clear(&b);
    assert_false(b.overflow);
    assert_string_equal(b.data, "");
    tv_buf_done(&b);
    tv_buf_done(&b);
    assert_null(b.data);
    assert_int_equal(b.max, 1000);
}

static void test_overflow_is_whole_and_lasting(void **state) {
    struct tv_buf b = TV_BUF_INIT(5);
    tv_buf_puts(&b, "abc");
    tv_buf_puts(&b, "def"); /* does not fit: nothing of it is there */
    tv_buf_puts(&b, "g");   /* would fit, but something is missing before it */
    assert_true(b.overflow);
    assert_string_equal(b.data, "abc");
    tv_buf_done(&b);

    b = TV_BUF_INIT(5);
    tv_buf_printf(&b, "%s", "abcde");
    assert_string_equal(b.data, "abcde");
    assert_false(b.overflow);
    tv_buf_printf(&b, "%d", 7);
    assert_true(b.overflow);
    assert_string_equal(b.data, "abcde");
    tv_buf_done(&b);

    b = TV_BUF_INIT(0);
    tv_buf_append(&b, NULL, 0);
    assert_string_equal(b.data, "");
    tv_buf_char(&b, 'x');
    assert_true(b.overflow);
    tv_buf_done(&b);

    b = TV_BUF_INIT(SIZE_MAX);
    tv_buf_puts(&b, "no cap");
    assert_string_equal(b.data, "no cap");
    tv_buf_done(&b);
}

static void test_printf_grows(void **state) {
    struct tv_buf b = TV_BUF_INIT(4096);
    for (int i = 0; i < 3; i++)
        tv_buf_printf(&b, "%0*d,", 300, i);
    assert_int_equal(b.len, 903);
    assert_int_equal(b.data[299], '0');
    assert_int_equal(b.data[902], ',');
    assert_int_equal(b.data[901], '2');
    tv_buf_done(&b);
}

static void test_json_strings(void **state) {
    static const struct {
        struct tv_str in;
        const char *out;
    } rows[] = {
        {TV_S(""), "\"\""},
        {TV_S("plain"), "\"plain\""},
        {TV_S("a\"b\\c/"), "\"a\\\"b\\\\c/\""},
        {TV_S("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {TV_S("\x01x\x1F"), "\"\\u0001x\\u001f\""},
        {TV_S("a\0b"), "\"a\\u0000b\""},
        {TV_S("\xE2\x82\xAC\x7F"), "\"\xE2\x82\xAC\x7F\""},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_buf b = TV_BUF_INIT(100);
        tv_buf_json(&b, rows[i].in);
        assert_string_equal(b.data, rows[i].out);
        tv_buf_done(&b);
    }
    struct tv_buf b = TV_BUF_INIT(100);
    tv_buf_json(&b, (struct tv_str){NULL, 0});
    assert_string_equal(b.data, "\"\"");
    tv_buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_signed_numbers),
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_buffer_grows_to_its_cap),
        cmocka_unit_test(test_overflow_is_whole_and_lasting),
        cmocka_unit_test(test_printf_grows),
        cmocka_unit_test(test_json_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
