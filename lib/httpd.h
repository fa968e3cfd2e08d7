/* httpd.h - HTTP server on the loop: the only file that knows libmicrohttpd.
 *
 * libmicrohttpd runs without a thread: its epoll descriptor is watched by the loop. One request,
 * step by step:
 *   1. the head is read (within idle_timeout_us); `on_head` may refuse it, before a byte of body,
 *      or set its body cap, and may attach a `user` pointer
 *   2. the body is gathered up to the cap (TV_ERR_TOO_LARGE beyond), within idle_timeout_us
 *   3. `on_request` is called once, complete; unless it answers at once the connection is
 *      suspended, so no thread and no poll waits for it
 *   4. somebody calls tv_httpd_respond…() or tv_httpd_stream(), then or later, exactly once
 *   5. `on_end` is called once when the exchange is over (sent, or the client went away): whoever
 *      owns `user` frees it there. A client that hangs up while suspended is noticed only when
 *      the answer is written: deadlines are the owner's (flight.h). It comes for each exchange
 *      that one of the other callbacks was called for, and only for those.
 * What the limits below refuse is answered by `on_refused`, so that every error has the same form.
 * Only a head that is no HTTP at all gets a page of libmicrohttpd's own (httpd.c lists the cases).
 */
#ifndef TV_HTTPD_H
#define TV_HTTPD_H

#include "arena.h"
#include "base.h"
#include "err.h"
#include "loop.h"
#include "str.h"

struct tv_httpd;
struct tv_http; /* one exchange */

struct tv_httpd_config {
    const char *address;      /* "127.0.0.1:8080", "[::]:8080"; port 0: any */
    unsigned connections_max; /* accepted; more wait for one to close */
    unsigned per_address_max; /* connections from one address, more are closed; 0: no limit */
    size_t header_bytes_max;  /* request line and fields: 431 beyond */
    size_t target_bytes_max;  /* of the request target: 414 beyond */
    size_t body_bytes_max;    /* unless on_head says less or more: 413 beyond */
    int64_t idle_timeout_us;  /* for a head to come whole, for a body, for an answer to move on */
    void (*on_head)(void *ctx, struct tv_http *x); /* may be NULL */
    /* Answers what the limits refuse, with tv_httpd_respond(), at once. */
    void (*on_refused)(void *ctx, struct tv_http *x, const struct tv_error *e);
    void (*on_request)(void *ctx, struct tv_http *x);
    void (*on_end)(void *ctx, struct tv_http *x); /* may be NULL */
    void *ctx;
};

/* TV_ERR_UNAVAILABLE when the address cannot be had; the detail says why. */
TV_MUST_CHECK enum tv_err tv_httpd_new(struct tv_loop *l, const struct tv_httpd_config *c,
                                       struct tv_httpd **ret, struct tv_error *e);
unsigned tv_httpd_port(const struct tv_httpd *d); /* the real one */
unsigned tv_httpd_connections(const struct tv_httpd *d);
/* Goes on as before, but each answer carries `Connection: close`: clients that keep connections
 * leave one by one, each with its answer. */
void tv_httpd_see_off(struct tv_httpd *d);
/* That, and stops accepting; connections that ask for nothing are closed. */
void tv_httpd_quiesce(struct tv_httpd *d);
/* Cuts what is still open; on_end comes from within for all of it. Not from a callback. */
void tv_httpd_free(struct tv_httpd *d);

/* -- the request; slices are borrowed until on_end ----------------------------------------------*/
struct tv_str tv_http_method(const struct tv_http *x);
struct tv_str tv_http_path(const struct tv_http *x);  /* as sent, percent-encoding kept, no query */
struct tv_str tv_http_query(const struct tv_http *x); /* after '?', as sent; empty without */
/* Value of a field, any case; p NULL when absent. Several of one name: the first. */
struct tv_str tv_http_header(const struct tv_http *x, const char *name);
unsigned tv_http_header_count(const struct tv_http *x, const char *name);
struct tv_str tv_http_body(const struct tv_http *x);
/* Numeric address of the peer without the port. */
const char *tv_http_peer(const struct tv_http *x);
struct tv_arena *tv_http_arena(struct tv_http *x); /* dies with the exchange */
void tv_http_set_user(struct tv_http *x, void *user);
void *tv_http_user(const struct tv_http *x);
/* In on_head only: another body cap for this request. */
void tv_http_set_body_max(struct tv_http *x, size_t bytes);

/* -- the answer ---------------------------------------------------------------------------------*/
struct tv_http_field {
    const char *name;
    const char *value;
};
/* Queues the answer; copies the body and the fields. In on_head it refuses the request. HEAD gets
 * no body, 204 and 304 neither. */
void tv_httpd_respond(struct tv_http *x, unsigned status, const struct tv_http_field *fields,
                      size_t field_count, struct tv_str body);
/* The same without a copy of the body: its bytes stay as they are until tv_httpd_free(). */
void tv_httpd_respond_lasting(struct tv_http *x, unsigned status,
                              const struct tv_http_field *fields, size_t field_count,
                              struct tv_str body);
bool tv_http_answered(const struct tv_http *x);

/* Begins an endless answer (Server-Sent Events). Bytes are queued by tv_http_write() up to
 * `queue_bytes_max`; a reader too slow for that is cut. */
void tv_httpd_stream(struct tv_http *x, unsigned status, const struct tv_http_field *fields,
                     size_t field_count, size_t queue_bytes_max);
/* False when the stream was cut, is closed, or this write cut it; on_end follows. */
bool tv_http_write(struct tv_http *x, struct tv_str bytes);
void tv_http_close(struct tv_http *x); /* ends a stream after what is queued; on_end follows */

#endif
