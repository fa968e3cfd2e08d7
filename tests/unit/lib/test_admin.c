/* The private port: alive whatever the needs say, ready only when all are met, metrics. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/admin.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/metrics.h"
#include "lib/str.h"

static struct {
    struct tv_loop *loop;
    struct tv_timer *tick;
    struct tv_admin *admin;
    bool bus_met, store_met;
} t;

static void on_tick(void *ctx) { tv_timer_set(t.tick, 2 * TV_US_PER_MS); }

static bool met(void *ctx, char why[static 128]) {
    snprintf(why, 128, "connection refused");
    return *(bool *)ctx;
}

static int set_up(void **state) {
    const struct tv_need needs[] = {{"bus", met, &t.bus_met}, {"postgres", met, &t.store_met}};
    struct tv_error e;

    memset(&t, 0, sizeof(t));
    t.loop = tv_loop_new();
    t.tick = tv_timer_new(t.loop, on_tick, NULL);
    on_tick(NULL);
    return tv_admin_new(t.loop, "127.0.0.1:0", needs, TV_ARRAY_LEN(needs), &t.admin, &e) == TV_OK
               ? 0
               : -1;
}

static int tear_down(void **state) {
    tv_admin_free(t.admin);
    tv_timer_free(t.tick);
    tv_loop_free(t.loop);
    tv_metrics_done();
    return 0;
}

struct reply {
    int fd;
    size_t len;
    char text[65536];
};

static bool complete(void *ctx) {
    struct reply *r = ctx;
    ssize_t n;

    while ((n = recv(r->fd, r->text + r->len, sizeof(r->text) - 1 - r->len, 0)) > 0)
        r->len += (size_t)n;
    return n == 0;
}

/* The whole answer, head and body. Static. */
static const char *ask(const char *method, const char *path) {
    static struct reply r;
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)tv_admin_port(t.admin))};

    memset(&r, 0, sizeof(r));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r.fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(r.fd, (struct sockaddr *)&a, sizeof(a)), 0);
    fcntl(r.fd, F_SETFL, O_NONBLOCK);
    dprintf(r.fd, "%s %s HTTP/1.0\r\n\r\n", method, path);
    assert_true(tv_loop_run_until(t.loop, complete, &r, 5 * TV_US_PER_S));
    close(r.fd);
    return r.text;
}

static int status_of(const char *text) {
    int64_t status = 0;

    assert_true(strlen(text) > 12);
    assert_true(tv_str_to_i64((struct tv_str){text + 9, 3}, 100, 599, &status));
    return (int)status;
}

static void expect(const char *method, const char *path, int status, const char *body) {
    const char *text = ask(method, path);
    const char *found = strstr(text, "\r\n\r\n");

    assert_non_null(found);
    assert_int_equal(status_of(text), status);
    assert_string_equal(found + 4, body);
}

static void test_alive_whatever_happens(void **state) {
    expect("GET", "/livez", 200, "ok\n");
    tv_admin_drain(t.admin);
    expect("GET", "/livez", 200, "ok\n");
}

static void test_ready_when_all_needs_are_met(void **state) {
    static const struct {
        bool bus, store;
        int status;
        const char *body;
    } rows[] = {
        {false, false, 503, "bus: connection refused\npostgres: connection refused\n"},
        {true, false, 503, "bus ok\npostgres: connection refused\n"},
        {false, true, 503, "bus: connection refused\npostgres ok\n"},
        {true, true, 200, "bus ok\npostgres ok\n"},
    };

    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        t.bus_met = rows[i].bus;
        t.store_met = rows[i].store;
        expect("GET", "/readyz", rows[i].status, rows[i].body);
    }
    expect("HEAD", "/readyz", 200, "");
    tv_admin_drain(t.admin);
    expect("GET", "/readyz", 503, "draining\nbus ok\npostgres ok\n");
}

static void forget(const char *line, size_t len) {}

static void test_metrics(void **state) {
    static struct tv_metric made = {
        .name = "tv_test_made_total", .help = "Made.", .type = TV_COUNTER};
    const char *text;

    tv_inc(tv_metric_single(&made));
    text = ask("GET", "/metrics");
    assert_non_null(strstr(text, "Content-Type: text/plain; version=0.0.4"));
    assert_non_null(strstr(text, "\ntv_test_made_total 1\n"));
    assert_non_null(strstr(text, "\nprocess_resident_memory_bytes "));
}

/* What /readyz says in words, and the log by its levels. */
static void test_metrics_of_needs_and_lines(void **state) {
    static const struct {
        bool bus, store;
        const char *lines[3];
    } rows[] = {
        {false, true, {"\ntv_ready 0\n", "{need=\"bus\"} 0\n", "{need=\"postgres\"} 1\n"}},
        {true, false, {"\ntv_ready 0\n", "{need=\"bus\"} 1\n", "{need=\"postgres\"} 0\n"}},
        {true, true, {"\ntv_ready 1\n", "{need=\"bus\"} 1\n", "{need=\"postgres\"} 1\n"}},
    };

    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        t.bus_met = rows[i].bus;
        t.store_met = rows[i].store;
        const char *text = ask("GET", "/metrics");
        for (size_t j = 0; j < TV_ARRAY_LEN(rows[i].lines); j++)
            assert_non_null(strstr(text, rows[i].lines[j]));
    }
    assert_non_null(strstr(ask("GET", "/metrics"), "\ntv_log_lines_total{level=\"error\"} 0\n"));
    tv_log_set_sink(forget);
    tv_log_error("one");
    tv_log_error("two");
    tv_log_set_sink(NULL);
    assert_non_null(strstr(ask("GET", "/metrics"), "\ntv_log_lines_total{level=\"error\"} 2\n"));
    assert_non_null(strstr(ask("GET", "/metrics"), "\ntv_log_lines_total{level=\"error\"} 2\n"));
    tv_admin_drain(t.admin);
    assert_non_null(strstr(ask("GET", "/metrics"), "\ntv_ready 0\n"));
}

static void test_nothing_else(void **state) {
    char path[400] = "/";

    assert_int_equal(status_of(ask("GET", "/")), 404);
    assert_int_equal(status_of(ask("GET", "/livez/")), 404);
    assert_int_equal(status_of(ask("POST", "/livez")), 405);
    assert_non_null(strstr(ask("DELETE", "/metrics"), "Allow: GET, HEAD\r\n"));
    memset(path + 1, 'x', sizeof(path) - 2);
    assert_int_equal(status_of(ask("GET", path)), 414);
}

static void test_an_address_that_cannot_be_had(void **state) {
    struct tv_admin *other;
    struct tv_error e = TV_ERROR_INIT;
    char address[32];

    snprintf(address, sizeof(address), "127.0.0.1:%u", tv_admin_port(t.admin));
    assert_int_equal(tv_admin_new(t.loop, address, NULL, 0, &other, &e), TV_ERR_UNAVAILABLE);
    assert_non_null(strstr(e.detail, "in use"));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_alive_whatever_happens),
        T(test_ready_when_all_needs_are_met),
        T(test_metrics),
        T(test_metrics_of_needs_and_lines),
        T(test_nothing_else),
        T(test_an_address_that_cannot_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
