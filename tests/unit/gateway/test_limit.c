/* Token buckets: bursts pass, then one at the rate; callers do not disturb each other. */
#include "services/gateway/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/crypto.h"

#define START_US (1000 * TV_US_PER_S)

static unsigned pass_at_once(struct tv_limits *l, enum tv_rate_class class, const char *caller,
                             int64_t now_us) {
    unsigned passed = 0;
    while (passed < 10000 && tv_limits_take(l, class, tv_str(caller), now_us).pass)
        passed++;
    return passed;
}

static void test_burst_and_rate(void **state) {
    static const struct {
        enum tv_rate_class class;
        unsigned burst, per_second;
    } rows[] = {
        {TV_RATE_READ, 100, 50}, {TV_RATE_WRITE, 30, 10},       {TV_RATE_JOIN, 20, 5},
        {TV_RATE_LOG_IN, 10, 1}, {TV_RATE_WEBHOOK, 4000, 2000},
    };
    assert_int_equal(TV_ARRAY_LEN(rows), TV_RATE_COUNT);
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_limits *l = tv_limits_new(64, 100);
        assert_int_equal(pass_at_once(l, rows[i].class, "ada", START_US), rows[i].burst);
        assert_int_equal(pass_at_once(l, rows[i].class, "bob", START_US), rows[i].burst);
        assert_int_equal(pass_at_once(l, rows[i].class, "ada", START_US + 2 * TV_US_PER_S),
                         TV_MIN(rows[i].burst, 2 * rows[i].per_second));
        assert_int_equal(pass_at_once(l, rows[i].class, "ada", START_US + 3600 * TV_US_PER_S),
                         rows[i].burst);
        tv_limits_free(l);
    }
}

static void test_retry_after(void **state) {
    struct tv_limits *l = tv_limits_new(64, 100);
    (void)pass_at_once(l, TV_RATE_LOG_IN, "ada", START_US);
    struct limit_verdict v = tv_limits_take(l, TV_RATE_LOG_IN, TV_S("ada"), START_US);
    assert_false(v.pass);
    assert_in_range(v.retry_after_s, 1, 2);
    assert_int_equal(v.limit, 10);
    v = tv_limits_take(l, TV_RATE_LOG_IN, TV_S("ada"), START_US + v.retry_after_s * TV_US_PER_S);
    assert_true(v.pass); /* what it said holds */
    tv_limits_free(l);
}

static void test_classes_are_apart(void **state) {
    struct tv_limits *l = tv_limits_new(64, 100);
    (void)pass_at_once(l, TV_RATE_WRITE, "ada", START_US);
    assert_false(tv_limits_take(l, TV_RATE_WRITE, TV_S("ada"), START_US).pass);
    assert_true(tv_limits_take(l, TV_RATE_READ, TV_S("ada"), START_US).pass);
    tv_limits_free(l);
}

static void test_scale(void **state) {
    struct tv_limits *off = tv_limits_new(64, 0);
    assert_int_equal(pass_at_once(off, TV_RATE_LOG_IN, "ada", START_US), 10000);
    struct tv_limits *twice = tv_limits_new(64, 200);
    assert_int_equal(pass_at_once(twice, TV_RATE_LOG_IN, "ada", START_US), 20);
    struct tv_limits *least = tv_limits_new(64, 1);
    assert_int_equal(pass_at_once(least, TV_RATE_LOG_IN, "ada", START_US), 1);
    tv_limits_free(off);
    tv_limits_free(twice);
    tv_limits_free(least);
}

/* More callers than buckets: nothing grows, and nobody is refused because of others. */
static void test_full_table(void **state) {
    struct tv_limits *l = tv_limits_new(16, 100);
    for (unsigned i = 0; i < 5000; i++) {
        char caller[16];
        snprintf(caller, sizeof caller, "caller-%u", i);
        assert_true(tv_limits_take(l, TV_RATE_LOG_IN, tv_str(caller), START_US + i).pass);
    }
    tv_limits_free(l);
}

/* A clock that steps back gives no tokens and takes none. */
static void test_clock_back(void **state) {
    struct tv_limits *l = tv_limits_new(64, 100);
    (void)pass_at_once(l, TV_RATE_JOIN, "ada", START_US);
    assert_false(tv_limits_take(l, TV_RATE_JOIN, TV_S("ada"), START_US - TV_US_PER_S).pass);
    tv_limits_free(l);
}

static void test_network(void **state) {
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
        {"2001:db8:1:2::1", "2001:0DB8:0001:0002::abcd", true},
        {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
        {"::1", "::2", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"no address", "no address", true},
        {"no address", "nor this", false},
        {"", "", true},
        {"2001:db8:1:2::1 and then much more text than an address can have", "2001:db8:1:2::1",
         false},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        char a[LIMIT_NETWORK_BYTES], b[LIMIT_NETWORK_BYTES];
        if (tv_str_eq(tv_limits_network(tv_str(rows[i].a), a),
                      tv_limits_network(tv_str(rows[i].b), b)) != rows[i].same)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
    }
}

static int setup(void **state) {
    tv_crypto_init();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_and_rate),    cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_classes_are_apart), cmocka_unit_test(test_scale),
        cmocka_unit_test(test_full_table),        cmocka_unit_test(test_clock_back),
        cmocka_unit_test(test_network),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
