/* floor_http - what libmicrohttpd alone costs: answers every request with 700 bytes of JSON.
 *
 *   floor_http PORT      runs until SIGTERM
 *
 * The same kind of daemon as the gateway's (epoll, one thread, no thread of its own), the body read
 * and thrown away, nothing else done.
 */
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define ANSWER_BYTES 700

static char answer[ANSWER_BYTES];
static volatile sig_atomic_t stopped;

static void on_signal(int signo) {
    (void)signo;
    stopped = 1;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *bytes, void **state) {
    static int seen;
    (void)cls, (void)url, (void)method, (void)version, (void)data;
    if (*state == NULL) {
        *state = &seen;
        return MHD_YES;
    }
    if (*bytes > 0) {
        *bytes = 0;
        return MHD_YES;
    }
    struct MHD_Response *r =
        MHD_create_response_from_buffer(sizeof answer, answer, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(r, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(c, 200, r);
    MHD_destroy_response(r);
    return result;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: floor_http PORT\n");
        return 2;
    }
    memset(answer, ' ', sizeof answer);
    answer[0] = '{', answer[sizeof answer - 1] = '}';
    signal(SIGTERM, on_signal);
    struct MHD_Daemon *d =
        MHD_start_daemon(MHD_USE_EPOLL, (uint16_t)atoi(argv[1]), NULL, NULL, on_request, NULL,
                         MHD_OPTION_CONNECTION_LIMIT, 4096u, MHD_OPTION_END);
    if (d == NULL) {
        fprintf(stderr, "cannot listen on port %s\n", argv[1]);
        return 1;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(d, MHD_DAEMON_INFO_EPOLL_FD);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, info->epoll_fd, &ev);
    while (!stopped) {
        epoll_wait(epoll, &ev, 1, 1000);
        MHD_run(d);
    }
    MHD_stop_daemon(d);
    return 0;
}
