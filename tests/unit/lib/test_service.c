/* A whole service, as a process: this program runs itself with TEST_AS_SERVICE set and is then the
 * small service below. What is asked here is asked of every service. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/service.h"
#include "lib/str.h"
#include "tests/harness/nats.h"
#include "tests/harness/proc.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define PATIENCE_MS 10000

/* -- the service that is run --------------------------------------------------------------------*/

struct conf {
    const char *key;
    int64_t busy_us;
    bool fails;
};

struct state {
    const struct conf *conf;
    bool store_met;
    int64_t drained_us;
};

static bool store_met(void *ctx, char why[static 128]) {
    struct state *s = ctx;

    snprintf(why, 128, "far away");
    return s->store_met;
}

static enum tv_err start(const struct tv_service_env *env, void **ret_state,
                         struct tv_need needs[TV_SERVICE_NEEDS_MAX], size_t *ret_need_count,
                         struct tv_error *e) {
    const struct conf *conf = env->conf;
    struct state *s;

    if (conf->fails)
        return tv_fail(e, TV_ERR_UNAVAILABLE, "told to fail");
    s = tv_calloc(1, sizeof(*s));
    s->conf = conf;
    s->store_met = conf->key == NULL || strcmp(conf->key, "no store") != 0;
    needs[0] = (struct tv_need){"store", store_met, s};
    *ret_need_count = 1;
    *ret_state = s;
    return TV_OK;
}

static void leave(void *state) { tv_log_info("test: leave"); }

static void drain(void *state) {
    struct state *s = state;

    s->drained_us = tv_clock_mono_us();
    tv_log_info("test: drain");
}

static bool busy(void *state) {
    struct state *s = state;

    return tv_clock_mono_us() < s->drained_us + s->conf->busy_us;
}

static void stop(void *state) {
    tv_log_info("test: stop");
    free(state);
}

static int run_command(const void *conf, int argc, char **argv) {
    const struct conf *c = conf;

    printf("%s %s %d\n", argv[0], argc > 1 ? argv[1] : "",
           c->key != NULL && strcmp(c->key, "s3cret") == 0);
    return 7;
}

static const struct tv_conf_row conf_rows[] = {
    {"TELEVISIT_TEST_KEY", TV_CONF_SECRET, offsetof(struct conf, key), NULL, 0, 0, 0, NULL,
     "A secret."},
    {"TELEVISIT_TEST_BUSY", TV_CONF_DURATION, offsetof(struct conf, busy_us), "0s", 0, 0, 0, NULL,
     "How long a stop finds it busy."},
    {"TELEVISIT_TEST_FAILS", TV_CONF_BOOL, offsetof(struct conf, fails), "false", 0, 0, 0, NULL,
     "Whether it cannot start."},
};
static const struct tv_service_command commands[] = {{"migrate", "Does something.", run_command}};
static const struct tv_service service = {
    .name = "tester",
    .description = "Is tested.",
    .conf_rows = conf_rows,
    .conf_row_count = TV_ARRAY_LEN(conf_rows),
    .conf_bytes = sizeof(struct conf),
    .commands = commands,
    .command_count = TV_ARRAY_LEN(commands),
    .start = start,
    .leave = leave,
    .drain = drain,
    .busy = busy,
    .stop = stop,
};

/* -- running it ---------------------------------------------------------------------------------*/

static char exe[512];
static struct test_nats nats;

#define ENV_MAX 6
/* Runs the service with up to two arguments and these variables besides NATS_URL. */
static struct test_proc *run(const char *arg1, const char *arg2, const char *const env[]) {
    static unsigned runs;
    char name[32], url[100], as[] = "TEST_AS_SERVICE=1";
    char *argv[4] = {exe, (char *)arg1, (char *)arg2, NULL}, *all[ENV_MAX + 3] = {as, url};

    snprintf(name, sizeof(name), "tester-%u", ++runs);
    snprintf(url, sizeof(url), "NATS_URL=%s", nats.url);
    for (size_t i = 0; env != NULL && env[i] != NULL; i++)
        all[i + 2] = (char *)env[i];
    return test_spawn(name, argv, all, NULL);
}

static bool log_has(struct test_proc *p, const char *text) {
    char *log = test_proc_log(p);
    bool has = strstr(log, text) != NULL;

    free(log);
    return has;
}

struct awaited {
    struct test_proc *p;
    const char *text;
    unsigned port;
    int status;
};

static bool has_logged(void *ctx) {
    struct awaited *a = ctx;

    return log_has(a->p, a->text);
}

static void expect_log(struct test_proc *p, const char *text) {
    struct awaited a = {.p = p, .text = text};

    if (!test_until(has_logged, &a, PATIENCE_MS)) {
        char *log = test_proc_log(p);
        fail_msg("\"%s\" was not logged: %s", text, log);
    }
}

static unsigned admin_port(struct test_proc *p) {
    unsigned port = 0;
    char *log, *at;

    expect_log(p, "\"admin port\"");
    log = test_proc_log(p);
    at = strstr(log, "\"admin port\"");
    at = strstr(at, "\"port\":");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"port\":%u", &port), 1);
    free(log);
    return port;
}

/* The status of GET; `text` gets the answer. 0 when nobody answers. */
static int get(unsigned port, const char *path, char *text, size_t size) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), status = 0;
    size_t len = 0;
    ssize_t n = 0;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
        dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path);
        while (len < size - 1 && (n = recv(fd, text + len, size - 1 - len, 0)) > 0)
            len += (size_t)n;
    }
    close(fd);
    text[len] = '\0';
    return sscanf(text, "HTTP/%*s %d", &status) == 1 ? status : 0;
}

static bool is_ready(void *ctx) {
    struct awaited *a = ctx;
    char text[4096];

    return get(a->port, "/readyz", text, sizeof(text)) == a->status;
}

static void expect_readiness(struct test_proc *p, int status) {
    struct awaited a = {.port = admin_port(p), .status = status};

    assert_true(test_until(is_ready, &a, PATIENCE_MS));
}

static int group_set_up(void **state) {
    nats = test_nats_start(NULL);
    return 0;
}

static int group_tear_down(void **state) {
    test_nats_stop(&nats);
    return 0;
}

/* -- options ------------------------------------------------------------------------------------*/

static void test_options(void **state) {
    static const struct {
        const char *arg1, *arg2;
        const char *env[ENV_MAX];
        int status;
        const char *says, *never;
    } rows[] = {
        {"--help", NULL, {0}, 0, "tester migrate", NULL},
        {"--help", NULL, {0}, 0, "--check-config", NULL},
        {"--version", NULL, {0}, 0, "tester 0.", NULL},
        {"--help-config", NULL, {0}, 0, "TELEVISIT_DRAIN_TIMEOUT", NULL},
        {"--help-config", NULL, {0}, 0, "TELEVISIT_TEST_BUSY", NULL},
        {"--check-config",
         NULL,
         {"TELEVISIT_TEST_KEY=s3cret"},
         0,
         "TELEVISIT_TEST_BUSY=",
         "s3cret"},
        {"--check-config", NULL, {"TELEVISIT_TEST_BUSY=soon"}, 1, "TELEVISIT_TEST_BUSY", NULL},
        {"--check-config", NULL, {"TELEVISIT_TYPO=1"}, 1, "TELEVISIT_TYPO", NULL},
        {"--help", "more", {0}, 2, "usage", NULL},
        {"--what", NULL, {0}, 2, "usage", NULL},
        {"what", NULL, {0}, 2, "usage", NULL},
        {"migrate", "now", {"TELEVISIT_TEST_KEY=s3cret"}, 7, "migrate now 1", NULL},
        {"migrate", NULL, {0}, 7, "migrate  0", NULL},
        {"migrate", NULL, {"TELEVISIT_TYPO=1"}, 1, "TELEVISIT_TYPO", NULL},
        {NULL,
         NULL,
         {"TELEVISIT_TYPO=1", "TELEVISIT_LOG_LEVEL=loud"},
         1,
         "TELEVISIT_LOG_LEVEL",
         "starting"},
    };

    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct test_proc *p = run(rows[i].arg1, rows[i].arg2, rows[i].env);

        print_message("    %s\n", rows[i].arg1 != NULL ? rows[i].arg1 : "no argument");
        assert_int_equal(test_wait(p, PATIENCE_MS), rows[i].status);
        assert_true(log_has(p, rows[i].says));
        if (rows[i].never != NULL)
            assert_false(log_has(p, rows[i].never));
        test_stop(p);
    }
}

/* -- start --------------------------------------------------------------------------------------*/

static void test_start_tells_its_configuration(void **state) {
    const char *env[] = {"TELEVISIT_TEST_KEY=hush-hush", NULL};
    struct test_proc *p = run(NULL, NULL, env);

    expect_log(p, "\"admin port\"");
    assert_true(log_has(p, "\"starting\""));
    assert_true(log_has(p, "\"TELEVISIT_TEST_BUSY\""));
    assert_true(log_has(p, "\"TELEVISIT_TEST_KEY\""));
    assert_false(log_has(p, "hush-hush"));
    test_signal(p, SIGINT);
    assert_int_equal(test_wait(p, PATIENCE_MS), 0);
    test_stop(p);
}

static void test_ready_soon(void **state) {
    int64_t best_us = INT64_MAX;

    for (int i = 0; i < 5; i++) {
        int64_t began_us = tv_clock_mono_us();
        struct test_proc *p = run(NULL, NULL, NULL);

        expect_readiness(p, 200);
        best_us = TV_MIN(best_us, tv_clock_mono_us() - began_us);
        test_stop(p);
    }
    print_message("    ready after %d ms\n", (int)(best_us / TV_US_PER_MS));
    assert_true(best_us < (SANITIZED ? 3000 : 200) * TV_US_PER_MS);
}

static long status_kib(struct test_proc *p, const char *name) {
    char path[64], line[256];
    long kib = -1;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)test_proc_pid(p));
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            assert_int_equal(sscanf(line + strlen(name), ": %ld", &kib), 1);
    }
    fclose(f);
    return kib;
}

static void test_idle_memory(void **state) {
    struct test_proc *p = run(NULL, NULL, NULL);
    long kib;

    expect_readiness(p, 200);
    kib = status_kib(p, "VmRSS");
    print_message("    %ld KiB resident\n", kib);
    assert_true(kib > 0);
    if (!SANITIZED)
        assert_true(kib < 16 * 1024);
    test_stop(p);
}

static void test_process_limits(void **state) {
    struct test_proc *p = run(NULL, NULL, NULL);
    char path[64], line[256], soft[32], hard[32];
    bool core = false, files = false;
    FILE *f;

    expect_readiness(p, 200);
    snprintf(path, sizeof(path), "/proc/%d/limits", (int)test_proc_pid(p));
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "Max core file size %31s %31s", soft, hard) == 2)
            core = strcmp(soft, "0") == 0 && strcmp(hard, "0") == 0;
        if (sscanf(line, "Max open files %31s %31s", soft, hard) == 2)
            files = strcmp(soft, hard) == 0;
    }
    fclose(f);
    assert_true(core);
    assert_true(files);
    test_stop(p);
}

static void test_starts_that_fail(void **state) {
    char address[64];
    struct test_proc *first = run(NULL, NULL, NULL), *p;
    const char *taken[] = {address, NULL}, *fails[] = {"TELEVISIT_TEST_FAILS=true", NULL};
    const char *bad[] = {"NATS_CA_FILE=/nowhere/ca.pem", NULL};

    snprintf(address, sizeof(address), "TELEVISIT_ADMIN_ADDRESS=127.0.0.1:%u", admin_port(first));
    p = run(NULL, NULL, taken);
    assert_int_equal(test_wait(p, PATIENCE_MS), 1);
    assert_true(log_has(p, "in use"));
    assert_true(log_has(p, "test: stop"));
    test_stop(p);
    p = run(NULL, NULL, fails);
    assert_int_equal(test_wait(p, PATIENCE_MS), 1);
    assert_true(log_has(p, "told to fail"));
    assert_false(log_has(p, "test: stop"));
    test_stop(p);
    p = run(NULL, NULL, bad);
    assert_int_equal(test_wait(p, PATIENCE_MS), 1);
    assert_true(log_has(p, "cannot start"));
    test_stop(p);
    test_stop(first);
}

/* -- readiness ----------------------------------------------------------------------------------*/

static void test_the_bus_is_a_need(void **state) {
    char text[4096];
    struct test_proc *p;
    unsigned port;

    test_nats_kill(&nats);
    p = run(NULL, NULL, NULL);
    port = admin_port(p);
    assert_int_equal(get(port, "/livez", text, sizeof(text)), 200);
    assert_int_equal(get(port, "/readyz", text, sizeof(text)), 503);
    assert_non_null(strstr(text, "\r\n\r\nbus: not connected\nstore ok\n"));
    test_nats_restart(&nats);
    expect_readiness(p, 200);
    test_nats_kill(&nats);
    expect_readiness(p, 503);
    assert_int_equal(get(port, "/livez", text, sizeof(text)), 200);
    test_nats_restart(&nats);
    expect_readiness(p, 200);
    assert_int_equal(get(port, "/metrics", text, sizeof(text)), 200);
    test_stop(p);
}

static bool lacks_only_the_store(void *ctx) {
    struct awaited *a = ctx;
    char text[4096];

    return get(a->port, "/readyz", text, sizeof(text)) == 503 &&
           strstr(text, "\r\n\r\nbus ok\nstore: far away\n") != NULL;
}

static void test_its_own_needs(void **state) {
    const char *env[] = {"TELEVISIT_TEST_KEY=no store", NULL};
    struct test_proc *p = run(NULL, NULL, env);
    struct awaited a = {.port = admin_port(p)};

    assert_true(test_until(lacks_only_the_store, &a, PATIENCE_MS));
    test_stop(p);
}

/* -- stop ---------------------------------------------------------------------------------------*/

static void test_stop_waits_for_work(void **state) {
    const char *env[] = {"TELEVISIT_TEST_BUSY=300ms", NULL};
    struct test_proc *p = run(NULL, NULL, env);
    int64_t began_us;
    char text[4096], *log, *drained, *stopped;
    unsigned port;

    expect_readiness(p, 200);
    port = admin_port(p);
    began_us = tv_clock_mono_us();
    test_signal(p, SIGTERM);
    expect_log(p, "test: drain");
    assert_int_equal(get(port, "/readyz", text, sizeof(text)), 503);
    assert_non_null(strstr(text, "\r\n\r\ndraining\n"));
    assert_int_equal(get(port, "/livez", text, sizeof(text)), 200);
    assert_int_equal(test_wait(p, PATIENCE_MS), 0);
    assert_true(tv_clock_mono_us() - began_us >= 300 * TV_US_PER_MS);
    log = test_proc_log(p);
    drained = strstr(log, "test: drain");
    stopped = strstr(log, "test: stop");
    assert_true(drained != NULL && stopped != NULL && drained < stopped);
    free(log);
    test_stop(p);
}

static void test_stop_waits_not_for_ever(void **state) {
    const char *env[] = {"TELEVISIT_TEST_BUSY=1h", "TELEVISIT_DRAIN_TIMEOUT=100ms", NULL};
    struct test_proc *p = run(NULL, NULL, env);

    expect_readiness(p, 200);
    test_signal(p, SIGTERM);
    assert_int_equal(test_wait(p, PATIENCE_MS), 0);
    assert_true(log_has(p, "still under way"));
    assert_true(log_has(p, "test: stop"));
    test_stop(p);
}

static void test_unready_before_the_drain(void **state) {
    const char *env[] = {"TELEVISIT_DRAIN_DELAY=300ms", NULL};
    struct test_proc *p = run(NULL, NULL, env);

    expect_readiness(p, 200);
    test_signal(p, SIGTERM);
    expect_readiness(p, 503);
    assert_true(log_has(p, "test: leave"));
    assert_false(log_has(p, "test: drain"));
    assert_int_equal(test_wait(p, PATIENCE_MS), 0);
    assert_true(log_has(p, "test: drain"));
    test_stop(p);
}

static void test_a_second_signal_ends_it(void **state) {
    const char *env[] = {"TELEVISIT_TEST_BUSY=1h", NULL};
    struct test_proc *p = run(NULL, NULL, env);

    expect_readiness(p, 200);
    test_signal(p, SIGTERM);
    expect_log(p, "test: drain");
    test_signal(p, SIGINT);
    assert_int_equal(test_wait(p, PATIENCE_MS), 128 + SIGINT);
    assert_false(log_has(p, "test: stop"));
    test_stop(p);
}

static void test_stop_without_a_bus(void **state) {
    struct test_proc *p;

    test_nats_kill(&nats);
    p = run(NULL, NULL, NULL);
    expect_readiness(p, 503);
    test_signal(p, SIGTERM);
    assert_int_equal(test_wait(p, PATIENCE_MS), 0);
    test_nats_restart(&nats);
    test_stop(p);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_start_tells_its_configuration),
        cmocka_unit_test(test_ready_soon),
        cmocka_unit_test(test_idle_memory),
        cmocka_unit_test(test_process_limits),
        cmocka_unit_test(test_starts_that_fail),
        cmocka_unit_test(test_the_bus_is_a_need),
        cmocka_unit_test(test_its_own_needs),
        cmocka_unit_test(test_stop_waits_for_work),
        cmocka_unit_test(test_stop_waits_not_for_ever),
        cmocka_unit_test(test_unready_before_the_drain),
        cmocka_unit_test(test_a_second_signal_ends_it),
        cmocka_unit_test(test_stop_without_a_bus),
    };
    ssize_t len;

    if (getenv("TEST_AS_SERVICE") != NULL)
        return tv_service_run(&service, argc, argv);
    len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    assert_true(len > 0);
    exe[len] = '\0';
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
