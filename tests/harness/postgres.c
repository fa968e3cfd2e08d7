/* postgres.c - see postgres.h. PostgreSQL refuses to run as root: then it runs as `postgres`. */
#include "tests/harness/postgres.h"

#include <errno.h>
#include <glob.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/pg.h"

#define TOOL_MS 60000
#define START_MS 30000
#define STOP_MS 20000
#define START_ATTEMPTS 5

static const char *user_name(void) { return geteuid() == 0 ? "postgres" : NULL; }

static bool is_program(const char *dir, const char *name, char *out, size_t size) {
    (void)snprintf(out, size, "%s/%s", dir, name);
    return access(out, X_OK) == 0;
}

/* The path of a program of the server, which Debian keeps out of PATH. */
static void find_program(const char *name, char *out, size_t size) {
    char dir[256] = "";
    FILE *f = popen("pg_config --bindir 2>/dev/null", "re");
    if (f != NULL) {
        if (fgets(dir, sizeof(dir), f) != NULL)
            dir[strcspn(dir, "\n")] = '\0';
        (void)pclose(f);
    }
    if (dir[0] != '\0' && is_program(dir, name, out, size))
        return;
    glob_t found = {0};
    bool ok = false;
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && !ok; i++)
            ok = is_program(found.gl_pathv[i], name, out, size);
    globfree(&found);
    if (!ok)
        fail_msg("PostgreSQL's %s is not installed", name);
}

/* A folder for a cluster that belongs to the user who will run it. */
static void make_folder(char *out, size_t size) {
    static unsigned count;
    (void)snprintf(out, size, "%s/pg-%u", test_dir(), count++);
    if (mkdir(out, 0700) != 0)
        fail_msg("cannot make %s: %s", out, strerror(errno));
    const struct passwd *pw = user_name() == NULL ? NULL : getpwnam(user_name());
    if (pw != NULL && chown(out, pw->pw_uid, pw->pw_gid) != 0)
        fail_msg("cannot give %s to %s: %s", out, user_name(), strerror(errno));
}

/* Runs a program to its end, as `user`; fails the test when it does not end well. */
static void run_program(const char *name, char *const argv[], const char *user) {
    struct test_proc *p = test_spawn(name, argv, NULL, user);
    if (test_wait(p, TOOL_MS) != 0) {
        char *log = test_proc_log(p);
        print_error("%s\n", log);
        free(log);
        fail_msg("%s failed", name);
    }
    test_stop(p);
}

static void init_cluster(const char *initdb, char *data) {
    char *argv[] = {(char *)(uintptr_t)initdb,
                    (char[]){"-D"},
                    data,
                    (char[]){"-A"},
                    (char[]){"trust"},
                    (char[]){"-U"},
                    (char[]){"postgres"},
                    (char[]){"-E"},
                    (char[]){"UTF8"},
                    (char[]){"--locale=C"},
                    (char[]){"--no-sync"},
                    NULL};
    run_program("initdb", argv, user_name());
}

/* The folder `to` becomes what `from` is, owners and all. */
static void copy_folder(const char *from, const char *to) {
    char inside[600];
    (void)snprintf(inside, sizeof(inside), "%s/.", from);
    char *argv[] = {(char[]){"cp"}, (char[]){"-a"}, inside, (char *)(uintptr_t)to, NULL};
    run_program("cp", argv, NULL);
}

/* initdb costs a processor more than a second: one cluster is made for each version of PostgreSQL
 * and kept in build/, the others are copies of it. */
static void make_cluster(char *data) {
    char initdb[512], kept[544] = "build/postgres", draft[560];
    find_program("initdb", initdb, sizeof(initdb));
    size_t len = strlen(kept);
    for (const char *c = initdb; *c != '\0'; c++)
        kept[len++] = *c == '/' ? '-' : *c;
    kept[len] = '\0';
    if (access(kept, F_OK) == 0) {
        copy_folder(kept, data);
        return;
    }
    init_cluster(initdb, data);
    (void)snprintf(draft, sizeof(draft), "%s.%d", kept, (int)getpid());
    copy_folder(data, draft);
    if (rename(draft, kept) == 0)
        return;
    if (errno != ENOTEMPTY && errno != EEXIST) /* else another test was first */
        fail_msg("cannot make %s: %s", kept, strerror(errno));
    char *argv[] = {(char[]){"rm"}, (char[]){"-rf"}, draft, NULL};
    run_program("rm", argv, NULL);
}

static bool is_decided(void *ctx) {
    struct test_proc *p = ctx;
    char *log = test_proc_log(p);
    bool ready = strstr(log, "database system is ready to accept connections") != NULL;
    free(log);
    return ready || test_wait(p, 0) >= 0;
}

/* Starts the server in the folder; NULL when it did not come up: the port was taken, or processes
 * of a killed server still hold the folder. */
static struct test_proc *run(char *data, unsigned port) {
    char postgres[512], port_text[16];
    find_program("postgres", postgres, sizeof(postgres));
    (void)snprintf(port_text, sizeof(port_text), "%u", port);
    static unsigned count; /* a log of its own for each start: it is searched for "ready" */
    char name[48];
    (void)snprintf(name, sizeof(name), "postgres-%u-%u", port, count++);
#define SETTING(text)                                                                              \
    (char[]){"-c"}, (char[]) { text }
    char *argv[] = {postgres,
                    (char[]){"-D"},
                    data,
                    (char[]){"-p"},
                    port_text,
                    SETTING("listen_addresses=127.0.0.1"),
                    SETTING("unix_socket_directories="),
                    SETTING("fsync=off"),
                    SETTING("shared_buffers=16MB"),
                    SETTING("max_connections=64"),
                    SETTING("max_prepared_transactions=2"),
                    SETTING("log_min_messages=warning"),
                    NULL};
#undef SETTING
    struct test_proc *proc = test_spawn(name, argv, NULL, user_name());
    if (test_until(is_decided, proc, START_MS) && test_wait(proc, 0) < 0)
        return proc;
    char *log = test_proc_log(proc);
    print_error("postgres on port %u did not start:\n%s\n", port, log);
    free(log);
    test_stop(proc);
    return NULL;
}

static char *run_sql(const char *url, const char *sql) {
    struct tv_pg_script *script = NULL;
    const struct tv_pg_result *r = NULL;
    struct tv_error e = TV_ERROR_INIT;
    if (tv_pg_script_open(url, "test", &script, &e) != TV_OK)
        fail_msg("cannot connect to %s: %s", url, e.detail);
    if (tv_pg_script_run(script, sql, &r, &e) != TV_OK) {
        tv_pg_script_close(script);
        fail_msg("%s\n%s", sql, e.detail);
    }
    char *value = NULL;
    if (tv_pg_columns(r) > 0 && tv_pg_rows(r) > 0)
        value = tv_strdup(tv_pg_value(r, 0, 0).p);
    tv_pg_script_close(script);
    return value;
}

char *test_sql(const struct test_postgres *p, const char *sql) { return run_sql(p->url, sql); }

struct test_postgres test_postgres_start(void) {
    struct test_postgres p = {0};
    make_folder(p.data, sizeof(p.data));
    make_cluster(p.data);
    for (int attempt = 0; p.proc == NULL && attempt < START_ATTEMPTS; attempt++) {
        p.port = test_free_port();
        p.proc = run(p.data, p.port);
    }
    if (p.proc == NULL)
        fail_msg("postgres does not start");
    /* Our services are never superusers: the role owns its database and no more. */
    char admin[160];
    (void)snprintf(admin, sizeof(admin), "postgres://postgres@127.0.0.1:%u/postgres", p.port);
    free(run_sql(admin, "create role televisit login"));
    free(run_sql(admin, "create database televisit owner televisit"));
    (void)snprintf(p.url, sizeof(p.url), "postgres://televisit@127.0.0.1:%u/televisit", p.port);
    return p;
}

void test_postgres_stop(struct test_postgres *p) {
    if (p->proc == NULL)
        return;
    test_signal(p->proc, SIGINT); /* fast: it does not wait for its clients */
    if (test_wait(p->proc, STOP_MS) < 0)
        print_error("postgres on port %u does not stop\n", p->port);
    test_stop(p->proc);
    p->proc = NULL;
}

void test_postgres_kill(struct test_postgres *p) {
    if (p->proc == NULL)
        return;
    test_signal(p->proc, SIGKILL); /* its children notice and leave */
    (void)test_wait(p->proc, STOP_MS);
    test_stop(p->proc);
    p->proc = NULL;
}

void test_postgres_restart(struct test_postgres *p) {
    if (p->proc != NULL)
        fail_msg("postgres on port %u still runs", p->port);
    for (int attempt = 0; p->proc == NULL && attempt < START_ATTEMPTS; attempt++)
        p->proc = run(p->data, p->port);
    if (p->proc == NULL)
        fail_msg("postgres does not start again");
}
