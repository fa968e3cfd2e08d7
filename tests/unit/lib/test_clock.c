/* Instants as text, checked against the rules of RFC 3339 and against libc. */
#include "lib/clock.h"

#include <inttypes.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define YEAR_1 (INT64_C(-62135596800) * TV_US_PER_S)
#define YEAR_9999_END (INT64_C(253402300800) * TV_US_PER_S - 1)

static void test_parse(void **state) {
    static const struct {
        const char *text;
        int64_t us;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01T00:00:00+00:00", 0},
        {"1970-01-01T00:00:00-00:00", 0},
        {"1970-01-01T01:30:00+01:30", 0},
        {"1969-12-31T22:15:00-01:45", 0},
        {"1970-01-01T23:59:00+23:59", 0},
        {"1970-01-01T00:00:00.5Z", 500000},
        {"1970-01-01T00:00:00.000001Z", 1},
        {"1970-01-01T00:00:00.123456789Z", 123456}, /* cut, not rounded */
        {"1970-01-01T00:00:00.999999999Z", 999999},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"1969-12-31T23:59:59.9999999Z", -1},
        {"2000-02-29T00:00:00Z", INT64_C(951782400) * TV_US_PER_S},
        {"2024-02-29T12:00:00Z", INT64_C(1709208000) * TV_US_PER_S},
        {"2024-12-31T23:59:59Z", INT64_C(1735689599) * TV_US_PER_S},
        {"2026-11-23T09:30:00+01:00", INT64_C(1795422600) * TV_US_PER_S},
        {"0001-01-01T00:00:00Z", YEAR_1},
        {"0001-01-01T01:00:00+01:00", YEAR_1},
        {"9999-12-31T23:59:59.999999Z", YEAR_9999_END},
        {"9999-12-31T23:59:59.999999999Z", YEAR_9999_END},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        int64_t us = 42;
        if (!tv_time_parse(tv_str(rows[i].text), &us) || us != rows[i].us)
            fail_msg("%s: %" PRId64, rows[i].text, us);
    }
}

static void test_parse_refuses(void **state) {
    static const char *const rows[] = {
        "",
        "now",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00Z",
        "1970-01-01 00:00:00Z",
        " 1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z ",
        "1970-01-01T00:00:00ZZ",
        "1970-1-01T00:00:00Z",
        "70-01-01T00:00:00Z",
        "+1970-01-01T00:00:00Z",
        "-001-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "1970-00-01T00:00:00Z",
        "1970-13-01T00:00:00Z",
        "1970-01-00T00:00:00Z",
        "1970-01-32T00:00:00Z",
        "1970-04-31T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "2016-12-31T23:59:60Z",
        "1970-01-01T00:00:61Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00,5Z",
        "1970-01-01T00:00:00.1234567890Z",
        "1970-01-01T00:00:00.5",
        "1970-01-01T00:00:00+0100",
        "1970-01-01T00:00:00+01",
        "1970-01-01T00:00:00+1:00",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+01:60",
        "1970-01-01T00:00:00\xE2\x88\x92\x30\x31:00", /* U+2212 for a minus */
        "1970-01-01T00:00:00 Z",
        "1970-01-01T0 :00:00Z",
        "1970-01-01T-1:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        int64_t us = 42;
        if (tv_time_parse(tv_str(rows[i]), &us))
            fail_msg("accepted: %s", rows[i]);
        assert_int_equal(us, 42);
    }
    int64_t us = 42;
    assert_false(tv_time_parse(TV_S("1970-01-01T00:00:00Z\0"), &us));
    assert_false(tv_time_parse((struct tv_str){NULL, 0}, &us));
    /* Every shorter piece of a good text is bad, and nothing behind it is read. */
    struct tv_str good = TV_S("1970-01-01T00:00:00.25+01:00");
    for (size_t len = 0; len < good.len; len++) {
        char *copy = malloc(len + 1);
        assert_non_null(copy);
        (void)memcpy(copy, good.p, len);
        assert_false(tv_time_parse((struct tv_str){copy, len}, &us));
        free(copy);
    }
}

static void test_format(void **state) {
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1, "1970-01-01T00:00:00.000001Z"},
        {1000, "1970-01-01T00:00:00.001Z"},
        {500000, "1970-01-01T00:00:00.500Z"},
        {500010, "1970-01-01T00:00:00.500010Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {YEAR_1, "0001-01-01T00:00:00Z"},
        {YEAR_9999_END, "9999-12-31T23:59:59.999999Z"},
        {INT64_MAX, "294247-01-10T04:00:54.775807Z"},
        {INT64_MIN, "-290308-12-21T19:59:05.224192Z"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        char text[TV_TIME_TEXT_MAX];
        size_t len = tv_time_format(rows[i].us, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(len, strlen(text));
    }
}

/* Every day of 800 years, both ways, against libc's calendar. */
static void test_agrees_with_libc(void **state) {
    for (int64_t day = -200 * 365; day < 600 * 365; day++) {
        time_t seconds = (time_t)(day * 86400 + day % 86400 * 7);
        struct tm tm;
        char expected[64], text[TV_TIME_TEXT_MAX];
        assert_non_null(gmtime_r(&seconds, &tm));
        (void)strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &tm);
        (void)tv_time_format((int64_t)seconds * TV_US_PER_S, text);
        if (strcmp(text, expected) != 0)
            fail_msg("%s is not %s", text, expected);
        int64_t back;
        assert_true(tv_time_parse(tv_str(text), &back));
        assert_int_equal(back, (int64_t)seconds * TV_US_PER_S);
    }
}

static int64_t scripted(void) { return 123; }

static void test_clocks(void **state) {
    int64_t one = tv_clock_mono_us(), two = tv_clock_mono_us();
    assert_true(two >= one);
    int64_t wall_s = tv_clock_wall_us() / TV_US_PER_S;
    assert_true(wall_s - (int64_t)time(NULL) <= 1 && (int64_t)time(NULL) - wall_s <= 1);
    tv_clock_set_source(scripted);
    assert_int_equal(tv_clock_mono_us(), 123);
    assert_int_equal(tv_clock_wall_us(), 123);
    tv_clock_set_source(NULL);
    assert_true(tv_clock_wall_us() > 123);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),  cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_format), cmocka_unit_test(test_agrees_with_libc),
        cmocka_unit_test(test_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
