/* proc.c - see proc.h.
 *
 * Everything a child needs (environment, log file, user) is prepared before fork(), for a test may
 * have threads and the child may then call async-signal-safe functions only.
 */
#include "tests/harness/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define POLL_MS 3
#define STOP_MS 5000

struct test_proc {
    pid_t pid;
    int pidfd;
    bool ended; /* reaped: the pid may belong to someone else now */
    int status; /* what test_wait() answers, when ended */
    char log_path[512];
    off_t log_start; /* an earlier process of the same name wrote what stands before */
    LIST_ENTRY(test_proc) link;
};

/* Every process that was not stopped yet; test_spawn() puts in, free_proc() takes out. */
static LIST_HEAD(, test_proc) procs = LIST_HEAD_INITIALIZER(procs);
static char dir[256];
static pid_t dir_owner;

static int64_t now_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the directory --- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)remove(path);
    return 0;
}

static void free_proc(struct test_proc *p) {
    LIST_REMOVE(p, link);
    (void)close(p->pidfd);
    free(p);
}

/* What a failed test left behind. TEST_KEEP=1 keeps the directory with its logs. */
static void clean_up(void) {
    if (getpid() != dir_owner)
        return; /* a child that a test forked itself */
    while (!LIST_EMPTY(&procs)) {
        struct test_proc *p = LIST_FIRST(&procs);
        test_signal(p, SIGKILL);
        (void)test_wait(p, STOP_MS);
        free_proc(p);
    }
    if (getenv("TEST_KEEP") != NULL)
        (void)fprintf(stderr, "kept: %s\n", dir);
    else
        (void)nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_dir(void) {
    if (dir[0] != '\0')
        return dir;
    const char *base = getenv("TMPDIR");
    char path[sizeof(dir)];
    int len = snprintf(path, sizeof(path), "%s/televisit-test-XXXXXX",
                       base == NULL || base[0] == '\0' ? "/tmp" : base);
    if (len < 0 || (size_t)len >= sizeof(path) || mkdtemp(path) == NULL)
        fail_msg("no directory for the test: %s", strerror(errno));
    (void)chmod(path, 0711); /* a process of another user may have its own directory below */
    memcpy(dir, path, sizeof(dir));
    dir_owner = getpid();
    (void)atexit(clean_up);
    return dir;
}

/* --- starting --- */

/* Whether `list` sets the variable of `entry` ("NAME=value"). */
static bool env_sets(char *const list[], const char *entry) {
    size_t name = strcspn(entry, "=") + 1;
    for (; list != NULL && *list != NULL; list++)
        if (strncmp(*list, entry, name) == 0)
            return true;
    return false;
}

/* Our environment with `added` over it. Returns owned; the strings are borrowed. */
static char **merge_env(char *const added[]) {
    size_t count = 1;
    for (char **e = environ; *e != NULL; e++)
        count++;
    for (char *const *e = added; e != NULL && *e != NULL; e++)
        count++;
    char **all = calloc(count, sizeof(*all));
    if (all == NULL)
        abort();
    size_t n = 0;
    for (char **e = environ; *e != NULL; e++)
        if (!env_sets(added, *e))
            all[n++] = *e;
    for (char *const *e = added; e != NULL && *e != NULL; e++)
        all[n++] = *e;
    return all;
}

struct child {
    char *const *argv;
    char *const *env;
    int log_fd;
    int report_fd; /* gets errno when the program cannot be run; closed by exec otherwise */
    pid_t parent;
    bool change_user;
    uid_t uid;
    gid_t gid;
};

static int become(const struct child *c) {
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (c->change_user &&
        (setgroups(1, &c->gid) != 0 || setgid(c->gid) != 0 || setuid(c->uid) != 0))
        return errno;
    /* After setuid(), which forgets it. A parent that died before is seen by getppid(). */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return errno;
    if (getppid() != c->parent)
        return ESRCH;
    int in = open("/dev/null", O_RDONLY);
    if (in < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(c->log_fd, STDOUT_FILENO) < 0 ||
        dup2(c->log_fd, STDERR_FILENO) < 0)
        return errno;
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    (void)execvpe(c->argv[0], c->argv, c->env);
    return errno;
}

/* Forks and runs; the pid, or -1 with errno. */
static pid_t start_child(struct child *c) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return -1;
    c->report_fd = report[1];
    c->parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        int fault = become(c);
        ssize_t written = write(c->report_fd, &fault, sizeof(fault));
        _exit(written > 0 ? 127 : 126);
    }
    (void)close(report[1]);
    int fault = pid < 0 ? errno : 0;
    ssize_t n;
    do
        n = read(report[0], &fault, sizeof(fault));
    while (n < 0 && errno == EINTR);
    (void)close(report[0]);
    if (fault != 0) {
        if (pid > 0)
            (void)waitpid(pid, NULL, 0);
        errno = fault;
        return -1;
    }
    return pid;
}

struct test_proc *test_spawn(const char *name, char *const argv[], char *const env[],
                             const char *user) {
    struct test_proc *p = calloc(1, sizeof(*p));
    if (p == NULL)
        abort();
    (void)snprintf(p->log_path, sizeof(p->log_path), "%s/%s.log", test_dir(), name);
    struct child c = {.argv = argv, .change_user = user != NULL && geteuid() == 0};
    if (c.change_user) {
        const struct passwd *pw = getpwnam(user);
        if (pw == NULL)
            fail_msg("%s: no user %s", name, user);
        c.uid = pw->pw_uid;
        c.gid = pw->pw_gid;
    }
    c.log_fd = open(p->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    struct stat st;
    if (c.log_fd < 0 || fstat(c.log_fd, &st) != 0)
        fail_msg("%s: %s: %s", name, p->log_path, strerror(errno));
    p->log_start = st.st_size;

    char **all = merge_env(env);
    c.env = all;
    p->pid = start_child(&c);
    int fault = errno;
    free(all);
    (void)close(c.log_fd);
    if (p->pid < 0) {
        free(p);
        fail_msg("%s: cannot run %s: %s", name, argv[0], strerror(fault));
        return NULL;
    }
    p->pidfd = pidfd_open(p->pid, 0);
    LIST_INSERT_HEAD(&procs, p, link);
    if (p->pidfd < 0)
        fail_msg("%s: pidfd_open: %s", name, strerror(errno));
    return p;
}

/* --- ending --- */

pid_t test_proc_pid(const struct test_proc *p) { return p->pid; }

void test_signal(struct test_proc *p, int signo) {
    if (!p->ended)
        (void)kill(p->pid, signo);
}

int test_wait(struct test_proc *p, int64_t timeout_ms) {
    int64_t end = now_ms() + timeout_ms;
    while (!p->ended) {
        int64_t left = end - now_ms();
        struct pollfd fd = {.fd = p->pidfd, .events = POLLIN};
        int ready = poll(&fd, 1, left > 0 ? (int)left : 0);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return -1;
        int status;
        if (waitpid(p->pid, &status, 0) != p->pid)
            return -1;
        p->ended = true;
        p->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    return p->status;
}

void test_stop(struct test_proc *p) {
    if (p == NULL)
        return;
    test_signal(p, SIGTERM);
    test_signal(p, SIGCONT); /* a paused one hears SIGTERM only when it goes on */
    if (test_wait(p, STOP_MS) < 0) {
        test_signal(p, SIGKILL);
        (void)test_wait(p, STOP_MS);
    }
    free_proc(p);
}

char *test_proc_log(const struct test_proc *p) {
    int fd = open(p->log_path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        fail_msg("%s: %s", p->log_path, strerror(errno));
    size_t size = st.st_size > p->log_start ? (size_t)(st.st_size - p->log_start) : 0;
    char *text = calloc(1, size + 1);
    if (text == NULL)
        abort();
    ssize_t n = pread(fd, text, size, p->log_start);
    (void)close(fd);
    if (n < 0)
        fail_msg("%s: %s", p->log_path, strerror(errno));
    return text;
}

bool test_panics(void (*fn)(void)) {
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(nowhere, STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        fail_msg("no child: %s", strerror(errno));
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* --- waiting --- */

bool test_until(bool (*ok)(void *ctx), void *ctx, int64_t timeout_ms) {
    int64_t end = now_ms() + timeout_ms;
    for (;;) {
        bool last = now_ms() >= end; /* asked before ok(), so that ok() is asked at least once */
        if (ok(ctx))
            return true;
        if (last)
            return false;
        (void)poll(NULL, 0, POLL_MS);
    }
}

static struct sockaddr_in loopback(unsigned port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Below the range from which kernels take the ports of outgoing connections, so that nothing but
 * another test takes the port before the one who asked for it does. */
unsigned test_free_port(void) {
    enum { FIRST = 16384, COUNT = 16384 };
    for (int attempt = 0; attempt < 1000; attempt++) {
        uint16_t random;
        if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
            continue;
        unsigned port = FIRST + random % COUNT;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in a = loopback(port);
        bool is_free = fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0;
        if (fd >= 0)
            (void)close(fd);
        if (is_free)
            return port;
    }
    fail_msg("no free port");
    return 0;
}

static bool connects(void *ctx) {
    const unsigned *port = ctx;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = loopback(*port);
    bool ok = fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0;
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

bool test_listening(unsigned port, int64_t timeout_ms) {
    return test_until(connects, &port, timeout_ms);
}
