/* load - sends HTTP requests over a fixed number of connections and measures each.
 *
 *   load --port 8080 --connections 32 --seconds 5 [--rate 4000 | --once] requests.txt
 *
 * requests.txt holds one request a line: METHOD, path, bearer token and body, separated by tabs;
 * the connections go round it, with --once a single time and then it ends. Without --rate each
 * connection sends its next request when the answer to the last has come (closed loop). With --rate
 * requests are due at fixed instants, and latency is counted from that instant, so that waiting for
 * a free connection is part of it. One JSON object on stdout: counts by status, and latency
 * percentiles in milliseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX 65536
#define SAMPLES_MAX 4000000
#define STATUS_MAX 600

struct request {
    char *bytes;
    size_t len;
};

struct connection {
    int fd;
    bool busy;
    int64_t due_us;
    size_t got;
    char answer[ANSWER_MAX];
};

static struct request *requests;
static size_t request_count, next_request;
static bool once; /* each request is sent a single time */
static unsigned status_counts[STATUS_MAX];
static float *samples_ms;
static size_t sample_count;
static char first_failure[2048];

static void die(const char *what) {
    perror(what);
    exit(2);
}

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void read_requests(const char *path) {
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    if (f == NULL)
        die(path);
    while ((len = getline(&line, &size, f)) > 0) {
        char *rest = line;
        line[strcspn(line, "\n")] = '\0';
        const char *method = strsep(&rest, "\t"), *target = strsep(&rest, "\t");
        const char *token = strsep(&rest, "\t"), *body = rest == NULL ? "" : rest;
        if (token == NULL) {
            fprintf(stderr, "%s: a line is not method, path, token, body\n", path);
            exit(2);
        }
        requests = realloc(requests, (request_count + 1) * sizeof *requests);
        struct request *r = &requests[request_count++];
        int n = asprintf(&r->bytes,
                         "%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s%sContent-Type: "
                         "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                         method, target, *token ? "Authorization: Bearer " : "", token,
                         *token ? "\r\n" : "", strlen(body), body);
        if (n < 0)
            die("asprintf");
        r->len = (size_t)n;
    }
    free(line);
    fclose(f);
    if (request_count == 0) {
        fprintf(stderr, "%s: no requests\n", path);
        exit(2);
    }
}

static void open_connection(struct connection *c, unsigned port, int epoll) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0)
        die("epoll_ctl");
}

static void send_next(struct connection *c, int64_t due_us) {
    const struct request *r = &requests[next_request];
    next_request++;
    if (!once)
        next_request %= request_count;
    c->busy = true;
    c->due_us = due_us;
    c->got = 0;
    if (send(c->fd, r->bytes, r->len, MSG_NOSIGNAL) != (ssize_t)r->len)
        die("send");
}

/* Bytes of the whole answer in the buffer, or 0 when it is not complete. */
static size_t answer_len(const struct connection *c) {
    const char *end = memmem(c->answer, c->got, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    size_t head = (size_t)(end - c->answer) + 4, body = 0;
    for (const char *p = c->answer; p < end; p = memchr(p, '\n', (size_t)(end + 4 - p)) + 1)
        if (strncasecmp(p, "Content-Length:", 15) == 0)
            body = strtoul(p + 15, NULL, 10);
    return c->got >= head + body ? head + body : 0;
}

static bool take_answer(struct connection *c) {
    ssize_t n = recv(c->fd, c->answer + c->got, ANSWER_MAX - 1 - c->got, 0);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0)
        die("the server closed a connection");
    c->got += (size_t)n;
    c->answer[c->got] = '\0';
    if (answer_len(c) == 0)
        return false;
    unsigned status = (unsigned)strtoul(c->answer + 9, NULL, 10);
    status_counts[status < STATUS_MAX ? status : 0]++;
    if (status >= 300 && first_failure[0] == '\0')
        snprintf(first_failure, sizeof first_failure, "%.2000s", c->answer);
    if (sample_count < SAMPLES_MAX)
        samples_ms[sample_count++] = (float)(now_us() - c->due_us) / 1000.0f;
    c->busy = false;
    return true;
}

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double percentile(double p) {
    if (sample_count == 0)
        return 0;
    size_t i = (size_t)(p * (double)(sample_count - 1) + 0.5);
    return samples_ms[i];
}

static void report(double seconds) {
    qsort(samples_ms, sample_count, sizeof *samples_ms, compare_floats);
    printf("{\"seconds\":%.3f,\"requests\":%zu,\"per_second\":%.1f,\"p50_ms\":%.3f,"
           "\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"status\":{",
           seconds, sample_count, (double)sample_count / seconds, percentile(0.5), percentile(0.9),
           percentile(0.99), percentile(1));
    const char *comma = "";
    for (unsigned s = 0; s < STATUS_MAX; s++)
        if (status_counts[s] > 0) {
            printf("%s\"%u\":%u", comma, s, status_counts[s]);
            comma = ",";
        }
    printf("}}\n");
    if (first_failure[0] != '\0')
        fprintf(stderr, "the first answer that is not a success:\n%s\n", first_failure);
}

static struct connection *find_idle(struct connection *all, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (!all[i].busy)
            return &all[i];
    return NULL;
}

static bool all_sent(void) { return once && next_request == request_count; }

static void run(struct connection *all, unsigned count, int epoll, int64_t for_us, double rate) {
    int64_t start_us = now_us(), end_us = start_us + for_us;
    uint64_t sent = 0;
    bool open_loop = rate > 0;
    struct epoll_event events[64];
    for (unsigned i = 0; !open_loop && i < count && !all_sent(); i++)
        send_next(&all[i], now_us());
    for (;;) {
        int64_t now = now_us();
        int wait_ms = 100;
        while (open_loop && now < end_us) {
            int64_t due = start_us + (int64_t)((double)sent * 1e6 / rate);
            struct connection *idle = find_idle(all, count);
            if (due > now) {
                wait_ms = due - now >= 1000 ? (int)((due - now) / 1000) : 0;
                break;
            }
            if (idle == NULL)
                break;
            send_next(idle, due);
            sent++;
        }
        if (now >= end_us || all_sent()) {
            bool busy = false;
            for (unsigned i = 0; i < count; i++)
                busy = busy || all[i].busy;
            if (!busy || now > end_us + 5000000)
                return;
        }
        int n = epoll_wait(epoll, events, 64, wait_ms);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (take_answer(c) && !open_loop && now_us() < end_us && !all_sent())
                send_next(c, now_us());
        }
    }
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},    {"connections", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 's'}, {"rate", required_argument, NULL, 'r'},
        {"once", no_argument, NULL, 'o'},          {NULL, 0, NULL, 0}};
    unsigned port = 0, count = 1;
    double seconds = 5, rate = 0;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case 'p':
            port = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'c':
            count = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 's':
            seconds = strtod(optarg, NULL);
            break;
        case 'r':
            rate = strtod(optarg, NULL);
            break;
        case 'o':
            once = true;
            break;
        default:
            return 2;
        }
    }
    if (optind != argc - 1 || port == 0 || count == 0 || count > 4096 || seconds > 600 ||
        (once && rate > 0)) {
        fprintf(stderr,
                "usage: load --port N --connections N --seconds S [--rate R | --once] FILE\n");
        return 2;
    }
    read_requests(argv[optind]);
    samples_ms = calloc(SAMPLES_MAX, sizeof *samples_ms);
    struct connection *all = calloc(count, sizeof *all);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (samples_ms == NULL || all == NULL || epoll < 0)
        die("start");
    for (unsigned i = 0; i < count; i++)
        open_connection(&all[i], port, epoll);
    int64_t start_us = now_us();
    run(all, count, epoll, (int64_t)(seconds * 1e6), rate);
    report((double)(now_us() - start_us) / 1e6);
    return 0;
}
