/* nats.c - see nats.h. The server is ready when its own log says so: that something listens on the
 * port could also be somebody else's server. */
#include "tests/harness/nats.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define START_MS 15000
#define START_ATTEMPTS 5

/* Debian installs the server in /usr/sbin, which is not in everyone's PATH. */
static char *server_program(void) {
    static char in_path[] = "nats-server", in_sbin[] = "/usr/sbin/nats-server";
    return access(in_sbin, X_OK) == 0 ? in_sbin : in_path;
}

static void config_path(unsigned port, char *out, size_t size) {
    (void)snprintf(out, size, "%s/nats-%u.conf", test_dir(), port);
}

static void write_config(unsigned port, const char *text) {
    char path[512];
    config_path(port, path, sizeof(path));
    FILE *f = fopen(path, "we");
    if (f == NULL)
        fail_msg("cannot write %s", path);
    if (text != NULL)
        (void)fputs(text, f);
    if (fclose(f) != 0)
        fail_msg("cannot write %s", path);
}

/* True when the start is decided: the server is ready, or it ended. */
static bool is_decided(void *ctx) {
    struct test_proc *p = ctx;
    char *log = test_proc_log(p);
    bool ready = strstr(log, "Server is ready") != NULL;
    free(log);
    return ready || test_wait(p, 0) >= 0;
}

/* Runs the server with the configuration written before; NULL when it did not come up. */
static struct test_proc *run(unsigned port) {
    char config[512], port_text[16], name[32];
    config_path(port, config, sizeof(config));
    (void)snprintf(port_text, sizeof(port_text), "%u", port);
    (void)snprintf(name, sizeof(name), "nats-%u", port);
    char a[] = "-a", address[] = "127.0.0.1", p[] = "-p", c[] = "-c";
    char *argv[] = {server_program(), a, address, p, port_text, c, config, NULL};
    struct test_proc *proc = test_spawn(name, argv, NULL, NULL);
    if (test_until(is_decided, proc, START_MS) && test_wait(proc, 0) < 0)
        return proc;
    char *log = test_proc_log(proc);
    print_error("nats-server on port %u did not start:\n%s\n", port, log);
    free(log);
    test_stop(proc);
    return NULL;
}

struct test_nats test_nats_start(const char *config_text) {
    struct test_nats n = {0};
    for (int attempt = 0; n.proc == NULL && attempt < START_ATTEMPTS; attempt++) {
        n.port = test_free_port();
        write_config(n.port, config_text);
        n.proc = run(n.port);
    }
    if (n.proc == NULL)
        fail_msg("nats-server does not start");
    (void)snprintf(n.url, sizeof(n.url), "nats://127.0.0.1:%u", n.port);
    (void)snprintf(n.tls_url, sizeof(n.tls_url), "tls://localhost:%u", n.port);
    return n;
}

void test_nats_configure(const struct test_nats *n, const char *config_text) {
    write_config(n->port, config_text);
}

const char *test_nats_secrets(void) {
    static char dir[256];
    if (dir[0] != '\0')
        return dir;
    (void)snprintf(dir, sizeof(dir), "%s", test_dir());
    char python[] = "python3", script[] = "tests/harness/nats_secrets.py";
    char *argv[] = {python, script, dir, NULL};
    struct test_proc *p = test_spawn("nats-secrets", argv, NULL, NULL);
    if (test_wait(p, START_MS) != 0)
        fail_msg("%s failed:\n%s", script, test_proc_log(p));
    test_stop(p);
    return dir;
}

char *test_nats_secret(const char *name) {
    char path[512], *text = NULL;
    size_t size = 0;
    (void)snprintf(path, sizeof(path), "%s/%s", test_nats_secrets(), name);
    FILE *f = fopen(path, "re");
    if (f == NULL || getdelim(&text, &size, '\0', f) < 0)
        fail_msg("cannot read %s", path);
    (void)fclose(f);
    return text;
}

void test_nats_stop(struct test_nats *n) {
    test_stop(n->proc);
    n->proc = NULL;
}

void test_nats_kill(struct test_nats *n) {
    if (n->proc != NULL)
        test_signal(n->proc, SIGKILL);
    test_nats_stop(n);
}

void test_nats_restart(struct test_nats *n) {
    if (n->proc != NULL)
        fail_msg("nats-server on port %u still runs", n->port);
    n->proc = run(n->port);
    if (n->proc == NULL)
        fail_msg("nats-server does not start again");
}
