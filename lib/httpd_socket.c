/* httpd_socket.c - see httpd_socket.h. */
#include "lib/httpd_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/str.h"

enum tv_err tv_httpd_listen(const char *address, int *ret_fd, unsigned *ret_port,
                            struct tv_error *e) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    const char *colon = strrchr(address, ':');
    struct tv_str host = {address, colon == NULL ? 0 : (size_t)(colon - address)};
    struct addrinfo *found = NULL;
    struct sockaddr_storage bound;
    socklen_t bound_len = sizeof(bound);
    char name[256];
    int fd, on = 1, off = 0, rc;

    if (host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
        host = (struct tv_str){host.p + 1, host.len - 2};
    if (host.len == 0 || host.len >= sizeof(name))
        return tv_fail(e, TV_ERR_UNAVAILABLE, "%.100s is not an address with a port", address);
    snprintf(name, sizeof(name), "%.*s", TV_STR_ARGS(host));
    rc = getaddrinfo(name, colon + 1, &hints, &found);
    if (rc != 0)
        return tv_fail(e, TV_ERR_UNAVAILABLE, "%.100s: %s", address, gai_strerror(rc));
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (found->ai_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &bound_len) != 0) {
        tv_fail(e, TV_ERR_UNAVAILABLE, "%.100s: %s", address, strerror(errno));
        if (fd >= 0)
            close(fd);
        freeaddrinfo(found);
        return TV_ERR_UNAVAILABLE;
    }
    freeaddrinfo(found);
    *ret_fd = fd;
    *ret_port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                  : ((struct sockaddr_in *)&bound)->sin_port);
    return TV_OK;
}

void tv_httpd_address_text(const struct sockaddr *a, char out[static INET6_ADDRSTRLEN]) {
    const struct in6_addr *in6;

    out[0] = '\0';
    if (a != NULL && a->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a)->sin_addr, out,
                  INET6_ADDRSTRLEN);
    } else if (a != NULL && a->sa_family == AF_INET6) {
        in6 = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(in6))
            inet_ntop(AF_INET, &in6->s6_addr[12], out, INET6_ADDRSTRLEN);
        else
            inet_ntop(AF_INET6, in6, out, INET6_ADDRSTRLEN);
    }
}

uint64_t tv_httpd_acked_bytes(int fd) {
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? info.tcpi_bytes_acked : 0;
}

bool tv_httpd_hung_up(int fd) {
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}
