#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "services/appointments/cursor.h"

#define ID "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9"

static void test_round_trip(void **state) {
    static const int64_t times[] = {
        0,
        1,
        -1,
        INT64_C(1772000000000000),
        INT64_C(253402300799999999),
        INT64_C(-62135596800000000),
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(times); i++) {
        const struct tv_cursor in = {.starts_at_us = times[i], .id = ID};
        char text[TV_CURSOR_TEXT];
        tv_cursor_format(&in, text);
        assert_true(strlen(text) < sizeof(text));
        struct tv_cursor out;
        assert_true(tv_cursor_parse(tv_str(text), &out));
        assert_int_equal(out.starts_at_us, times[i]);
        assert_string_equal(out.id, ID);
    }
}

static void test_bad_input(void **state) {
    const struct tv_cursor in = {.starts_at_us = INT64_C(1772000000000000), .id = ID};
    char good[TV_CURSOR_TEXT];
    tv_cursor_format(&in, good);

    struct tv_cursor out = {.starts_at_us = 42, .id = "untouched"};
    static const char *const bad[] = {
        "",
        "=",
        "A",
        "AAAA",
        "not base64!",
        "AQ==",
        /* another version, a time beyond the years of RFC 3339, either way */
        "AgAGS5_K4AAADx4tPEtaSXiGlaSzwtHg-Q",
        "AX________-_Dx4tPEtaSXiGlaSzwtHg-Q",
        "AYAAAAAAAAAADx4tPEtaSXiGlaSzwtHg-Q",
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(bad); i++)
        if (tv_cursor_parse(tv_str(bad[i]), &out))
            fail_msg("taken: %s", bad[i]);
    /* every length but the right one */
    for (size_t len = 0; len < strlen(good); len++)
        assert_false(tv_cursor_parse((struct tv_str){good, len}, &out));
    char longer[TV_CURSOR_TEXT + 8];
    (void)snprintf(longer, sizeof(longer), "%sAAAA", good);
    assert_false(tv_cursor_parse(tv_str(longer), &out));

    assert_int_equal(out.starts_at_us, 42);
    assert_string_equal(out.id, "untouched");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
