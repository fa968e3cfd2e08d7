/* livekit.c - see livekit.h. */
#include "tests/harness/livekit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#define START_MS 20000
#define START_ATTEMPTS 3
#define ANSWER_S 10

static char *server_program(void) {
    static char built[] = "build/tools/livekit-server", in_path[] = "livekit-server";
    char *named = getenv("TV_LIVEKIT_SERVER");
    if (named != NULL && named[0] != '\0')
        return named;
    return access(built, X_OK) == 0 ? built : in_path;
}

static unsigned free_udp_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void config_path(const struct test_livekit *l, char *out, size_t size) {
    (void)snprintf(out, size, "%s/livekit-%u.yaml", test_dir(), l->port);
}

static void write_config(const struct test_livekit *l, const char *webhook_url) {
    char path[512];
    config_path(l, path, sizeof path);
    FILE *f = fopen(path, "we");
    if (f == NULL)
        fail_msg("cannot write %s", path);
    (void)fprintf(f,
                  "port: %u\n"
                  "bind_addresses: [127.0.0.1]\n"
                  "logging: {level: info, json: true}\n"
                  "keys: {%s: %s}\n"
                  "rtc:\n"
                  "  node_ip: 127.0.0.1\n"
                  "  use_external_ip: false\n"
                  "  enable_loopback_candidate: true\n"
                  "  ips: {includes: [127.0.0.1/32]}\n"
                  "  udp_port: %u\n"
                  "  tcp_port: 0\n"                     /* else it listens on all addresses */
                  "  stun_servers: [\"127.0.0.1:9\"]\n" /* nobody: keeps the defaults out */
                  "room: {auto_create: false, empty_timeout: 300, departure_timeout: 20}\n",
                  l->port, l->key, l->secret, l->udp_port);
    if (webhook_url != NULL)
        (void)fprintf(f, "webhook: {api_key: %s, urls: [\"%s\"]}\n", l->key, webhook_url);
    if (fclose(f) != 0)
        fail_msg("cannot write %s", path);
}

unsigned test_livekit_get(const struct test_livekit *l, const char *path) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)l->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = ANSWER_S};
    char text[8192];
    unsigned status = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    int len = snprintf(text, sizeof text,
                       "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n\r\n", path,
                       l->port);
    assert_true(len > 0 && (size_t)len < sizeof text);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, text, (size_t)len, MSG_NOSIGNAL) == len) {
        ssize_t n = recv(fd, text, 12, MSG_WAITALL); /* "HTTP/1.1 200" */
        text[n > 0 ? n : 0] = '\0';
        if (sscanf(text, "HTTP/1.1 %3u", &status) != 1)
            status = 0;
    }
    (void)close(fd);
    return status;
}

unsigned test_livekit_validate(const struct test_livekit *l, const char *token) {
    char path[6000];
    int len = snprintf(path, sizeof path, "/rtc/validate?access_token=%s", token);
    assert_true(len > 0 && (size_t)len < sizeof path);
    return test_livekit_get(l, path);
}

/* True when the start is decided: the server is ready, or it ended. */
static bool is_decided(void *ctx) {
    struct test_livekit *l = ctx;
    return test_wait(l->proc, 0) >= 0 || test_livekit_get(l, "/") == 200;
}

void test_livekit_begin(struct test_livekit *l) {
    char config[512], name[32], option[] = "--config";
    config_path(l, config, sizeof config);
    (void)snprintf(name, sizeof name, "livekit-%u", l->port);
    char *argv[] = {server_program(), option, config, NULL};
    l->proc = test_spawn(name, argv, NULL, NULL);
}

static bool run(struct test_livekit *l) {
    test_livekit_begin(l);
    if (test_until(is_decided, l, START_MS) && test_wait(l->proc, 0) < 0)
        return true;
    char *log = test_proc_log(l->proc);
    print_error("%s did not start (`make livekit` builds it, TV_LIVEKIT_SERVER names it):\n%s\n",
                server_program(), log);
    free(log);
    test_stop(l->proc);
    l->proc = NULL;
    return false;
}

struct test_livekit test_livekit_start(const char *webhook_url) {
    struct test_livekit l = {.key = "testkey",
                             .secret = "a-secret-of-tests-that-is-long-enough-0123456789"};
    for (int attempt = 0; attempt < START_ATTEMPTS; attempt++) {
        l.port = test_free_port();
        l.udp_port = free_udp_port();
        (void)snprintf(l.url, sizeof l.url, "http://127.0.0.1:%u", l.port);
        write_config(&l, webhook_url);
        if (run(&l))
            return l;
    }
    fail_msg("no LiveKit server");
    return l;
}

void test_livekit_stop(struct test_livekit *l) {
    test_stop(l->proc);
    l->proc = NULL;
}

void test_livekit_kill(struct test_livekit *l) {
    test_signal(l->proc, SIGKILL);
    (void)test_wait(l->proc, START_MS);
    test_livekit_stop(l);
}

void test_livekit_restart(struct test_livekit *l) {
    if (!run(l))
        fail_msg("LiveKit did not come back");
}
