/* The exact text that Prometheus reads. */
#include "lib/metrics.h"

#include <fcntl.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/proc.h"

static struct tv_metric requests = {.name = "tv_requests_total",
                                    .help = "Requests\nby route \\ code \"x\".",
                                    .type = TV_COUNTER,
                                    .labels = {"route", "code"}};
static struct tv_metric open_flights = {.name = "tv_flights", .help = "Open.", .type = TV_GAUGE};
static const double bounds[] = {0.1, 0.5, 2};
static struct tv_metric latency = {.name = "tv_latency_seconds",
                                   .help = "Time.",
                                   .type = TV_HISTOGRAM,
                                   .labels = {"route"},
                                   .buckets = bounds,
                                   .bucket_count = 3};

static double asked(void *ctx) { return *(const double *)ctx; }
static double depth = 2.5;
static struct tv_metric queue = {
    .name = "tv_queue", .help = "Depth.", .type = TV_GAUGE, .read = asked, .read_ctx = &depth};

static int teardown(void **state) {
    tv_metrics_done();
    return 0;
}

/* What is written before the process's own families. Returns owned. */
static char *ours(void) {
    struct tv_buf b = TV_BUF_INIT(1 << 20);
    tv_metrics_write(&b);
    assert_false(b.overflow);
    char *process = strstr(b.data, "# HELP process_cpu_seconds_total");
    assert_non_null(process);
    *process = '\0';
    return b.data;
}

static void expect(const char *text) {
    char *written = ours();
    assert_string_equal(written, text);
    free(written);
}

static void test_counter(void **state) {
    tv_inc(tv_metric_series(&requests, "/v1/me", "200", NULL, NULL));
    tv_inc(tv_metric_series(&requests, "/v1/me", "200", NULL, NULL));
    tv_add(tv_metric_series(&requests, "a\"b\\c\nd", "500", NULL, NULL), 1.5);
    expect("# HELP tv_requests_total Requests\\nby route \\\\ code \"x\".\n"
           "# TYPE tv_requests_total counter\n"
           "tv_requests_total{route=\"/v1/me\",code=\"200\"} 2\n"
           "tv_requests_total{route=\"a\\\"b\\\\c\\nd\",code=\"500\"} 1.5\n");
    assert_true(tv_series_value(tv_metric_series(&requests, "/v1/me", "200", NULL, NULL)) >= 2);
    assert_int_equal(requests.series_count, 2);
}

/* "a","b,c" and values that look like what separates them are different series. */
static void test_series_are_told_apart(void **state) {
    struct tv_series *one = tv_metric_series(&requests, "x", "y\",code=\"z", NULL, NULL);
    struct tv_series *two = tv_metric_series(&requests, "x\",code=\"y", "z", NULL, NULL);
    assert_ptr_not_equal(one, two);
    assert_ptr_equal(one, tv_metric_series(&requests, "x", "y\",code=\"z", NULL, NULL));
}

static void test_gauges(void **state) {
    tv_metric_register(&open_flights);
    tv_metric_register(&open_flights); /* again changes nothing */
    tv_metric_register(&queue);
    expect("# HELP tv_flights Open.\n# TYPE tv_flights gauge\ntv_flights 0\n"
           "# HELP tv_queue Depth.\n# TYPE tv_queue gauge\ntv_queue 2.5\n");
    tv_set(tv_metric_single(&open_flights), -7);
    tv_add(tv_metric_single(&open_flights), -1);
    depth = 3;
    expect("# HELP tv_flights Open.\n# TYPE tv_flights gauge\ntv_flights -8\n"
           "# HELP tv_queue Depth.\n# TYPE tv_queue gauge\ntv_queue 3\n");
}

static void test_histogram(void **state) {
    struct tv_series *s = tv_metric_series(&latency, "/", NULL, NULL, NULL);
    static const double observed[] = {0.05, 0.1, 0.25, 2, 2.5, 100};
    for (size_t i = 0; i < TV_ARRAY_LEN(observed); i++)
        tv_observe(s, observed[i]);
    expect("# HELP tv_latency_seconds Time.\n"
           "# TYPE tv_latency_seconds histogram\n"
           "tv_latency_seconds_bucket{route=\"/\",le=\"0.1\"} 2\n"
           "tv_latency_seconds_bucket{route=\"/\",le=\"0.5\"} 3\n"
           "tv_latency_seconds_bucket{route=\"/\",le=\"2\"} 4\n"
           "tv_latency_seconds_bucket{route=\"/\",le=\"+Inf\"} 6\n"
           "tv_latency_seconds_sum{route=\"/\"} 104.9\n"
           "tv_latency_seconds_count{route=\"/\"} 6\n");
    assert_true(tv_series_value(s) >= 6);
}

static void test_usual_buckets_without_labels(void **state) {
    static struct tv_metric m = {.name = "tv_t_seconds", .help = "T.", .type = TV_HISTOGRAM};
    tv_observe(tv_metric_single(&m), 0.001);
    char *text = ours();
    assert_non_null(strstr(text, "tv_t_seconds_bucket{le=\"0.0005\"} 0\n"));
    assert_non_null(strstr(text, "tv_t_seconds_bucket{le=\"0.001\"} 1\n"));
    assert_non_null(strstr(text, "tv_t_seconds_bucket{le=\"+Inf\"} 1\n"));
    assert_non_null(strstr(text, "tv_t_seconds_sum 0.001\ntv_t_seconds_count 1\n"));
    free(text);
}

static void test_numbers(void **state) {
    static const struct {
        double v;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "0"},
        {1e6, "1000000"},
        {9007199254740991.0, "9007199254740991"},
        {1e300, "1e+300"},
        {0.1, "0.1"},
        {0.30000000000000004, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {1795422600.123456, "1795422600.123456"},
        {-1.5e-9, "-1.5e-09"},
        {HUGE_VAL, "+Inf"},
        {-HUGE_VAL, "-Inf"},
    };
    tv_metric_register(&queue);
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        depth = rows[i].v;
        char *text = ours(), line[80];
        (void)snprintf(line, sizeof(line), "\ntv_queue %s\n", rows[i].text);
        if (strstr(text, line) == NULL)
            fail_msg("no %s in %s", line, text);
        free(text);
    }
    depth = nan("");
    char *text = ours();
    assert_non_null(strstr(text, "\ntv_queue NaN\n"));
    free(text);
    depth = 2.5;
}

static void test_done_forgets(void **state) {
    tv_inc(tv_metric_series(&requests, "/", "200", NULL, NULL));
    tv_metrics_done();
    tv_metrics_done();
    expect("");
    assert_true(tv_series_value(tv_metric_series(&requests, "/", "200", NULL, NULL)) <= 0);
}

static double process_value(const char *name) {
    struct tv_buf b = TV_BUF_INIT(1 << 20);
    tv_metrics_write(&b);
    char line[80];
    (void)snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(b.data, line);
    if (at == NULL) {
        fail_msg("no %s", name);
        return 0;
    }
    double v = strtod(at + strlen(line), NULL);
    tv_buf_done(&b);
    return v;
}

static void test_process(void **state) {
    double now = (double)time(NULL), start = process_value("process_start_time_seconds");
    assert_true(start <= now + 2 && start > now - 600); /* this program is young */
    assert_true(process_value("process_start_time_seconds") >= start);
    double cpu = process_value("process_cpu_seconds_total");
    assert_true(cpu >= 0 && cpu < 600);
    assert_true(process_value("process_resident_memory_bytes") > 100000);
    double fds = process_value("process_open_fds");
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(process_value("process_open_fds") - fds > 0.5);
    (void)close(fd);
    assert_true(process_value("process_open_fds") - fds < 0.5); /* and none is leaked */
}

static void too_few_labels(void) { (void)tv_metric_series(&requests, "/", NULL, NULL, NULL); }
static void too_many_labels(void) { (void)tv_metric_series(&latency, "/", "x", NULL, NULL); }
static void counter_falls(void) { tv_add(tv_metric_series(&requests, "/", "200", NULL, NULL), -1); }
static void too_many_series(void) {
    for (int i = 0; i < 513; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "%d", i);
        (void)tv_metric_series(&latency, id, NULL, NULL, NULL);
    }
}
static void buckets_fall(void) {
    static const double falling[] = {1, 1};
    static struct tv_metric m = {
        .name = "tv_x", .help = "X.", .type = TV_HISTOGRAM, .buckets = falling, .bucket_count = 2};
    tv_metric_register(&m);
}

static void test_misuse_panics(void **state) {
    assert_true(test_panics(too_few_labels));
    assert_true(test_panics(too_many_labels));
    assert_true(test_panics(counter_falls));
    assert_true(test_panics(too_many_series));
    assert_true(test_panics(buckets_fall));
}

static void test_cap(void **state) {
    tv_inc(tv_metric_series(&requests, "/", "200", NULL, NULL));
    struct tv_buf b = TV_BUF_INIT(60);
    tv_metrics_write(&b);
    assert_true(b.overflow);
    assert_true(b.len <= 60);
    tv_buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_counter, teardown),
        cmocka_unit_test_teardown(test_series_are_told_apart, teardown),
        cmocka_unit_test_teardown(test_gauges, teardown),
        cmocka_unit_test_teardown(test_histogram, teardown),
        cmocka_unit_test_teardown(test_usual_buckets_without_labels, teardown),
        cmocka_unit_test_teardown(test_numbers, teardown),
        cmocka_unit_test_teardown(test_done_forgets, teardown),
        cmocka_unit_test_teardown(test_process, teardown),
        cmocka_unit_test_teardown(test_misuse_panics, teardown),
        cmocka_unit_test_teardown(test_cap, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
