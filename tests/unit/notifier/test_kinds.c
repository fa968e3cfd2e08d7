/* The kinds of work: how long a failed job waits, what is not worth another attempt, the names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/notifier/kinds.h"

static void test_waits(void **state) {
    static const struct {
        const char *kind;
        int32_t attempts, most_ms;
    } rows[] = {
        {"close_room", 1, 500},          {"close_room", 2, 1000},     {"close_room", 3, 2000},
        {"close_room", 4, 4000},         {"close_room", 5, 8000},     {"close_room", 6, 8000},
        {"close_room", 60, 8000},        {"close_room", 0, 500},      {"close_room", -7, 500},
        {"close_room", INT32_MAX, 8000}, {"reconcile_call", 1, 1000}, {"reconcile_call", 5, 15000},
        {"reconcile_call", 99, 15000},
    };
    uint64_t random = 42;

    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        const struct tv_kind *k = tv_kind_find(rows[i].kind);
        int32_t least = INT32_MAX, most = 0;

        for (int n = 0; n < 500; n++) {
            int32_t ms = tv_kind_wait_ms(k, rows[i].attempts, &random);

            assert_in_range(ms, rows[i].most_ms * 3 / 4, rows[i].most_ms);
            least = TV_MIN(least, ms);
            most = TV_MAX(most, ms);
        }
        assert_true(most - least > rows[i].most_ms / 5); /* spread over the quarter */
    }
}

static void test_short_waits_stay_positive(void **state) {
    const struct tv_kind quick = {.name = "quick", .wait_min_ms = 1, .wait_max_ms = 1};
    uint64_t random = 7;

    for (int i = 0; i < 100; i++)
        assert_int_equal(tv_kind_wait_ms(&quick, i, &random), 1);
}

static void test_what_is_hopeless(void **state) {
    static const enum tv_err hopeless[] = {TV_ERR_INVALID, TV_ERR_NOT_FOUND, TV_ERR_FORBIDDEN,
                                           TV_ERR_MALFORMED, TV_ERR_TOO_LARGE},
                             passing[] = {TV_ERR_MEDIA_UNAVAILABLE,
                                          TV_ERR_UNAVAILABLE,
                                          TV_ERR_DEADLINE,
                                          TV_ERR_UNKNOWN_OUTCOME,
                                          TV_ERR_INTERNAL,
                                          TV_ERR_CONFLICT,
                                          TV_ERR_STALE,
                                          TV_ERR_RATE_LIMITED};

    for (size_t i = 0; i < TV_ARRAY_LEN(hopeless); i++)
        assert_true(tv_kind_is_hopeless(hopeless[i]));
    for (size_t i = 0; i < TV_ARRAY_LEN(passing); i++)
        assert_false(tv_kind_is_hopeless(passing[i]));
    for (int err = TV_OK + 1; err < TV_ERR_COUNT; err++) {
        if (tv_err_info((enum tv_err)err)->retryable)
            assert_false(tv_kind_is_hopeless((enum tv_err)err));
    }
}

/* The names are those that the schema allows, and each is there once. */
static void test_names(void **state) {
    assert_null(tv_kind_find(""));
    assert_null(tv_kind_find("close_rooms"));
    for (size_t i = 0; i < tv_kind_count; i++) {
        assert_ptr_equal(tv_kind_find(tv_kinds[i].name), &tv_kinds[i]);
        assert_in_range(strlen(tv_kinds[i].name), 1, 40);
        assert_int_equal(strspn(tv_kinds[i].name, "abcdefghijklmnopqrstuvwxyz_"),
                         strlen(tv_kinds[i].name));
        assert_true(tv_kinds[i].wait_min_ms > 0);
        assert_true(tv_kinds[i].wait_max_ms >= tv_kinds[i].wait_min_ms);
        assert_true(tv_kinds[i].attempts_max >= 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_short_waits_stay_positive),
        cmocka_unit_test(test_what_is_hopeless),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
