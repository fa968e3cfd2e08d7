#include "tests/harness/raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define CONNECTIONS_MAX 64
#define REQUEST_MAX 65536

struct connection {
    int fd; /* -1: free */
    size_t len;
    bool hanging;
    char request[REQUEST_MAX];
};

struct test_raw {
    const struct test_raw_step *steps;
    size_t step_count;
    unsigned port;
    int listener, wake;
    pthread_t thread;
    atomic_uint connections, requests;
    pthread_mutex_t mutex; /* guards last, last_len */
    char *last;
    size_t last_len;
    struct connection connection[CONNECTIONS_MAX];
};

/* False when the client has gone. */
static bool send_all(int fd, const char *p, size_t len) {
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static void close_connection(struct connection *c, bool reset) {
    if (reset) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    close(c->fd);
    c->fd = -1;
}

static void play(struct test_raw *s, struct connection *c) {
    unsigned index = atomic_fetch_add(&s->requests, 1);
    const struct test_raw_step *step = &s->steps[index < s->step_count ? index : s->step_count - 1];
    if (step->delay_ms > 0) {
        struct timespec t = {step->delay_ms / 1000, step->delay_ms % 1000 * 1000000L};
        nanosleep(&t, NULL);
    }
    bool open = true;
    if (step->text != NULL) {
        open = send_all(c->fd, step->text, step->len > 0 ? step->len : strlen(step->text));
    }
    static const char filler[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    for (size_t left = step->filler; open && left > 0;) {
        size_t n = left < sizeof filler - 1 ? left : sizeof filler - 1;
        open = send_all(c->fd, filler, n);
        left -= n;
    }
    c->len = 0;
    if (!open || step->then == TEST_RAW_CLOSE || step->then == TEST_RAW_RESET) {
        close_connection(c, step->then == TEST_RAW_RESET);
    } else {
        c->hanging = step->then == TEST_RAW_HANG;
    }
}

/* Bytes of head and body when all of them are there, else 0. */
static size_t complete(const struct connection *c) {
    const char *end = memmem(c->request, c->len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    size_t head = (size_t)(end + 4 - c->request), body = 0;
    for (const char *line = c->request; line < end; line = strstr(line, "\r\n") + 2) {
        if (strncasecmp(line, "Content-Length:", 15) == 0) {
            body = strtoul(line + 15, NULL, 10);
        }
    }
    return c->len >= head + body ? head + body : 0;
}

static void hear(struct test_raw *s, struct connection *c) {
    ssize_t n = recv(c->fd, c->request + c->len, sizeof c->request - 1 - c->len, 0);
    if (n <= 0) {
        close_connection(c, false);
        return;
    }
    c->len += (size_t)n;
    c->request[c->len] = '\0';
    if (c->hanging || complete(c) == 0) {
        return;
    }
    pthread_mutex_lock(&s->mutex);
    free(s->last);
    s->last_len = complete(c);
    s->last = malloc(s->last_len);
    if (s->last != NULL) {
        memcpy(s->last, c->request, s->last_len);
    }
    pthread_mutex_unlock(&s->mutex);
    play(s, c);
}

static void welcome(struct test_raw *s) {
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < CONNECTIONS_MAX; i++) {
        if (s->connection[i].fd < 0) {
            s->connection[i].fd = fd;
            s->connection[i].len = 0;
            s->connection[i].hanging = false;
            atomic_fetch_add(&s->connections, 1);
            return;
        }
    }
    close(fd);
}

static void *serve(void *arg) {
    struct test_raw *s = arg;
    for (;;) {
        struct pollfd fds[CONNECTIONS_MAX + 2] = {{s->wake, POLLIN, 0}, {s->listener, POLLIN, 0}};
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
            fds[i + 2] = (struct pollfd){s->connection[i].fd, POLLIN, 0};
        }
        if (poll(fds, CONNECTIONS_MAX + 2, -1) < 0 && errno != EINTR) {
            return NULL;
        }
        if (fds[0].revents != 0) {
            return NULL;
        }
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
            if (fds[i + 2].revents != 0) {
                hear(s, &s->connection[i]);
            }
        }
        if (fds[1].revents != 0) {
            welcome(s);
        }
    }
}

struct test_raw *test_raw_start(const struct test_raw_step *steps, size_t count) {
    struct test_raw *s = calloc(1, sizeof *s);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_non_null(s);
    s->steps = steps;
    s->step_count = count;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    s->wake = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(s->listener, CONNECTIONS_MAX), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &len), 0);
    s->port = ntohs(address.sin_port);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        s->connection[i].fd = -1;
    }
    pthread_mutex_init(&s->mutex, NULL);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    return s;
}

unsigned test_raw_port(const struct test_raw *s) { return s->port; }
unsigned test_raw_connections(struct test_raw *s) { return atomic_load(&s->connections); }
unsigned test_raw_requests(struct test_raw *s) { return atomic_load(&s->requests); }

char *test_raw_last(struct test_raw *s, size_t *ret_len) {
    char *copy = NULL;
    pthread_mutex_lock(&s->mutex);
    if (s->last != NULL && (copy = malloc(s->last_len + 1)) != NULL) {
        memcpy(copy, s->last, s->last_len);
        copy[s->last_len] = '\0';
        *ret_len = s->last_len;
    }
    pthread_mutex_unlock(&s->mutex);
    return copy;
}

void test_raw_stop(struct test_raw *s) {
    if (s == NULL) {
        return;
    }
    uint64_t one = 1;
    assert_int_equal(write(s->wake, &one, sizeof one), sizeof one);
    pthread_join(s->thread, NULL);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (s->connection[i].fd >= 0) {
            close(s->connection[i].fd);
        }
    }
    close(s->listener);
    close(s->wake);
    pthread_mutex_destroy(&s->mutex);
    free(s->last);
    free(s);
}
