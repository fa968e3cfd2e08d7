/* httpd_socket.h - what the HTTP server needs of sockets, besides libmicrohttpd. */
#ifndef TV_HTTPD_SOCKET_H
#define TV_HTTPD_SOCKET_H

#include <netinet/in.h>

#include "lib/base.h"
#include "lib/err.h"

/* "host:port", "[v6]:port"; port 0 takes a free one. An IPv6 socket serves IPv4 clients too.
 * The caller closes `*ret_fd`. TV_ERR_UNAVAILABLE with the reason otherwise. */
TV_MUST_CHECK enum tv_err tv_httpd_listen(const char *address, int *ret_fd, unsigned *ret_port,
                                          struct tv_error *e);

/* Numeric, without the port; an IPv4 client of an IPv6 socket by its IPv4 address, or limits would
 * see two clients. Empty for other families and NULL. */
void tv_httpd_address_text(const struct sockaddr *a, char out[static INET6_ADDRSTRLEN]);

/* Bytes that the peer has acknowledged since the connection began. */
uint64_t tv_httpd_acked_bytes(int fd);
/* Whether the peer closed its side, or the connection broke. */
bool tv_httpd_hung_up(int fd);

#endif
