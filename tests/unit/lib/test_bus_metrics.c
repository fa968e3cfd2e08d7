/* What the bus counts: by subject and by method, how it ended and how long it took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bus_internal.h"
#include "lib/clock.h"

static struct tv_bus_counters counters;

static int set_up(void **state) {
    tv_bus_counters_init(&counters);
    return 0;
}

static int tear_down(void **state) {
    tv_bus_counters_done(&counters);
    tv_metrics_done();
    return 0;
}

static void expect(const char *line) {
    struct tv_buf out = TV_BUF_INIT(1 << 20);
    char whole[256];

    tv_metrics_write(&out);
    snprintf(whole, sizeof(whole), "\n%s\n", line);
    bool found = strstr(out.data, whole) != NULL;
    tv_buf_done(&out);
    if (!found)
        fail_msg("no line %s", line);
}

static void test_requests(void **state) {
    struct tv_bus_counted *c = tv_bus_counters_of(&counters, "tv.v1.proof.ask");

    /* Whoever asks how often nobody answered sees the first time, too. */
    expect("tv_bus_requests_total{subject=\"tv.v1.proof.ask\",outcome=\"ok\"} 0");
    expect("tv_bus_requests_total{subject=\"tv.v1.proof.ask\",outcome=\"unavailable\"} 0");
    expect("tv_bus_requests_total{subject=\"tv.v1.proof.ask\",outcome=\"deadline\"} 0");
    expect("tv_bus_requests_total{subject=\"tv.v1.proof.ask\",outcome=\"unknown-outcome\"} 0");
    expect("tv_bus_request_seconds_count{subject=\"tv.v1.proof.ask\"} 0");

    tv_bus_count_end(c, TV_OK, 700);
    tv_bus_count_end(c, TV_OK, 30 * TV_US_PER_MS);
    tv_bus_count_end(c, TV_ERR_DEADLINE, 7 * TV_US_PER_S);
    tv_bus_count_end(c, TV_ERR_TOO_LARGE, 0);
    expect("tv_bus_requests_total{subject=\"tv.v1.proof.ask\",outcome=\"ok\"} 2");
    expect("tv_bus_requests_total{subject=\"tv.v1.proof.ask\",outcome=\"deadline\"} 1");
    expect("tv_bus_requests_total{subject=\"tv.v1.proof.ask\",outcome=\"too-large\"} 1");
    expect("tv_bus_request_seconds_bucket{subject=\"tv.v1.proof.ask\",le=\"0.0005\"} 1");
    expect("tv_bus_request_seconds_bucket{subject=\"tv.v1.proof.ask\",le=\"0.001\"} 2");
    expect("tv_bus_request_seconds_bucket{subject=\"tv.v1.proof.ask\",le=\"0.05\"} 3");
    expect("tv_bus_request_seconds_bucket{subject=\"tv.v1.proof.ask\",le=\"5\"} 3");
    expect("tv_bus_request_seconds_count{subject=\"tv.v1.proof.ask\"} 4");
}

static void test_served(void **state) {
    struct tv_bus_served s;

    tv_bus_served_init(&s, "proof", "ask");
    expect("tv_bus_served_total{subject=\"tv.v1.proof.ask\",outcome=\"refused\"} 0");
    tv_bus_count_served(&s, TV_SERVED_OK, 2 * TV_US_PER_MS);
    tv_bus_count_served(&s, TV_SERVED_REFUSED, 0);
    tv_bus_count_served(&s, TV_SERVED_REFUSED, 0);
    tv_bus_count_served(&s, TV_SERVED_FAILED, 2 * TV_US_PER_S);
    expect("tv_bus_served_total{subject=\"tv.v1.proof.ask\",outcome=\"ok\"} 1");
    expect("tv_bus_served_total{subject=\"tv.v1.proof.ask\",outcome=\"refused\"} 2");
    expect("tv_bus_served_total{subject=\"tv.v1.proof.ask\",outcome=\"failed\"} 1");
    expect("tv_bus_served_total{subject=\"tv.v1.proof.ask\",outcome=\"dropped\"} 0");
    expect("tv_bus_served_seconds_bucket{subject=\"tv.v1.proof.ask\",le=\"0.0025\"} 3");
    expect("tv_bus_served_seconds_count{subject=\"tv.v1.proof.ask\"} 4");
    expect("tv_bus_served_seconds_sum{subject=\"tv.v1.proof.ask\"} 2.002");
}

/* What the operator must see without a first time. */
static void test_there_from_the_start(void **state) {
    expect("tv_bus_reconnects_total 0");
    expect("tv_bus_permission_violations_total 0");
    expect("tv_bus_slow_consumer_total 0");
    expect("tv_bus_late_replies_total 0");
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {T(test_requests), T(test_served),
                                       T(test_there_from_the_start)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
