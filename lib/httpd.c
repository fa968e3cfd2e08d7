/* httpd.c - see httpd.h.
 *
 * How long a client may take is guarded by httpd_turns.h. The timeouts of libmicrohttpd, which
 * start anew with each byte, are off.
 *
 * libmicrohttpd is run once a turn of the loop (`run`), after everything that the turn brought has
 * queued its answers. A request that on_request answers at once is never suspended: suspending
 * costs two epoll_ctl and an eventfd. No other thread exists, so nobody can resume a connection
 * between on_request and MHD_suspend_connection.
 *
 * What libmicrohttpd refuses by itself it answers with an HTML page of its own and closes; there
 * is no hook for it, neither in 0.9.75 nor in 1.0.1. Its limits therefore lie above ours, and its
 * rules are left to us where an option allows it, so that only these cases remain:
 *   400  a request line or a field that cannot be parsed; a Content-Length that is no number, a
 *        broken chunk; since 1.0: no Host, a second Content-Length, a chunk with an extension
 *   413  a Content-Length or a chunk size above 2^64
 *   414, 431  a head larger than the memory of a connection (header_bytes_max and POOL_BYTES)
 *   505  not HTTP/1.x
 */
#include "lib/httpd.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/httpd_head.h"
#include "lib/httpd_socket.h"
#include "lib/httpd_turns.h"

/* A body that is refused is read to its end and forgotten up to this size, so that the client
 * reads our answer instead of a reset, and may go on with the connection. */
#define DISCARD_MAX_BYTES (256 * 1024)
/* Memory of a connection besides its head. All of it is cleared after each request: more costs. */
#define POOL_BYTES 8192
#define RUNS_A_TURN_MAX 16 /* of MHD_run, while it says that it has more to do */
#define STOP_ROUNDS_MAX 100

/* One TCP connection. */
struct conn {
    struct tv_httpd *d;
    struct tv_http *exchange;  /* under way, else NULL */
    struct tv_httpd_turn turn; /* its descriptor is libmicrohttpd's */
    LIST_ENTRY(conn) link;
};

struct tv_httpd {
    struct tv_httpd_config config;
    struct tv_loop *loop;
    struct MHD_Daemon *mhd;
    struct tv_watch *watch;
    struct tv_turn run;
    struct tv_httpd_turns turns;
    struct tv_timer *again; /* libmicrohttpd has more to do than one turn should wait for */
    LIST_HEAD(, conn) conns;
    LIST_HEAD(, tv_http) open; /* every exchange */
    unsigned port;
    unsigned connections;
    bool seeing_off, quiesced;
};

struct tv_http {
    struct tv_httpd *d;
    struct conn *conn;
    struct MHD_Connection *mhd;
    struct tv_arena *arena;
    void *user;
    LIST_ENTRY(tv_http) link;

    const char *method;
    struct tv_str path, query;
    size_t target_bytes;
    const char *peer; /* NULL until asked for */
    struct tv_buf body;
    size_t discarded_bytes;

    /* in the order in which they become true */
    bool begun;     /* the head has been looked at */
    bool told;      /* a callback knows it: on_end is owed */
    bool handed;    /* on_request was called */
    bool answered;  /* `response` was made, by tv_httpd_respond or _stream */
    bool queued;    /* libmicrohttpd has it */
    bool suspended; /* comes and goes */
    bool cut;       /* to be closed without another word */
    bool has_body;

    unsigned status;
    struct MHD_Response *response; /* owned until it is queued */

    bool stream;
    bool closing; /* end of the stream after what is queued */
    struct tv_buf out;
    size_t out_sent; /* bytes of `out` that libmicrohttpd has taken */
};

/* -- running libmicrohttpd ----------------------------------------------------------------------*/

static void run(void *ctx) {
    struct tv_httpd *d = ctx;
    MHD_UNSIGNED_LONG_LONG wait_ms;

    for (int i = 0; i < RUNS_A_TURN_MAX; i++) {
        MHD_run(d->mhd);
        if (MHD_get_timeout(d->mhd, &wait_ms) == MHD_NO || wait_ms > 0)
            return;
    }
    tv_timer_set(d->again, 0);
}

static void arm_run(void *ctx) {
    struct tv_httpd *d = ctx;

    tv_turn_arm(d->loop, &d->run);
}

static void on_readable(void *ctx, unsigned events) { arm_run(ctx); }

static void resume(struct tv_http *x) {
    if (!x->suspended)
        return;
    x->suspended = false;
    MHD_resume_connection(x->mhd);
    arm_run(x->d);
}

static void suspend(struct tv_http *x) {
    x->suspended = true;
    MHD_suspend_connection(x->mhd);
}

static void cut(struct tv_http *x) {
    if (x->cut)
        return;
    x->cut = true;
    shutdown(x->conn->turn.fd, SHUT_RDWR);
    resume(x);
}

/* -- refusals -----------------------------------------------------------------------------------*/

static void refuse(struct tv_http *x, enum tv_err err, const char *detail) {
    struct tv_error e;

    tv_fail(&e, err, "%s", detail);
    x->told = true;
    x->d->config.on_refused(x->d->config.ctx, x, &e);
}

static enum MHD_Result on_field(void *ctx, enum MHD_ValueKind kind, const char *name,
                                size_t name_len, const char *value, size_t value_len) {
    tv_httpd_head_field(ctx, (struct tv_str){name, name_len}, (struct tv_str){value, value_len});
    return MHD_YES;
}

static size_t header_bytes(struct MHD_Connection *mhd) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    return info == NULL ? 0 : info->header_size;
}

/* -- the access handler -------------------------------------------------------------------------*/

static enum MHD_Result queue(struct tv_http *x) {
    enum MHD_Result done;

    if (x->stream)
        tv_httpd_turn_ours(&x->conn->turn);
    else
        tv_httpd_turn_theirs(&x->conn->turn, true);
    done = MHD_queue_response(x->mhd, x->status, x->response);
    MHD_destroy_response(TV_TAKE_PTR(x->response));
    x->queued = true;
    return done;
}

/* The head is complete. */
static enum MHD_Result begin(struct tv_http *x, const char *method, const char *version) {
    const struct tv_httpd_config *c = &x->d->config;
    struct tv_httpd_head h = {0};
    const char *fault;
    uint64_t length = 0;
    bool malformed;

    x->begun = true;
    x->method = method;
    x->body.max = c->body_bytes_max;
    tv_httpd_turn_theirs(&x->conn->turn, false);
    MHD_get_connection_values_n(x->mhd, MHD_HEADER_KIND, on_field, &h);
    x->has_body = h.chunked || (h.lengths == 1 && !tv_str_eqz(h.length, "0"));
    fault = tv_httpd_head_fault(&h, version);
    malformed = fault != NULL || x->path.len == 0 || memchr(x->path.p, ' ', x->path.len) != NULL;
    if (malformed)
        refuse(x, TV_ERR_MALFORMED, fault != NULL ? fault : "The request target is malformed.");
    else if (x->target_bytes > c->target_bytes_max)
        refuse(x, TV_ERR_URI_TOO_LONG, "");
    else if (header_bytes(x->mhd) > c->header_bytes_max)
        refuse(x, TV_ERR_HEADERS_TOO_LARGE, "");
    else if (c->on_head != NULL) {
        x->told = true;
        c->on_head(c->ctx, x);
    }
    if (h.lengths == 1 && !tv_str_to_u64(h.length, 0, UINT64_MAX, &length))
        length = UINT64_MAX;
    if (!x->answered && length > x->body.max)
        refuse(x, TV_ERR_TOO_LARGE, "");
    /* An answer before the body ends the connection: only when the body is not worth reading. */
    if (x->answered && (malformed || (x->has_body && (h.waits || length > DISCARD_MAX_BYTES))))
        return queue(x);
    return MHD_YES;
}

static enum MHD_Result take_body(struct tv_http *x, const char *data, size_t len) {
    if (!x->answered && !x->body.overflow)
        tv_buf_append(&x->body, data, len);
    if (x->answered || x->body.overflow)
        x->discarded_bytes += len;
    return x->discarded_bytes <= DISCARD_MAX_BYTES ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *mhd, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_len, void **con_cls) {
    struct tv_httpd *d = ctx;
    struct tv_http *x = *con_cls; /* from on_uri */

    if (x == NULL || x->cut)
        return MHD_NO;
    if (!x->begun)
        return begin(x, method, version);
    if (*upload_len > 0) {
        size_t len = *upload_len;

        *upload_len = 0;
        return take_body(x, upload, len);
    }
    if (!x->handed) {
        x->handed = true;
        tv_httpd_turn_ours(&x->conn->turn);
        if (!x->answered && x->body.overflow)
            refuse(x, TV_ERR_TOO_LARGE, "");
        if (!x->answered) {
            x->told = true;
            d->config.on_request(d->config.ctx, x);
        }
    }
    if (x->cut)
        return MHD_NO;
    if (x->answered)
        return queue(x);
    suspend(x);
    return MHD_YES;
}

static void end_exchange(struct tv_http *x) {
    struct tv_httpd *d = x->d;

    x->cut = true; /* writes from within on_end go nowhere */
    if (x->told && d->config.on_end != NULL)
        d->config.on_end(d->config.ctx, x);
    if (x->response != NULL)
        MHD_destroy_response(x->response);
    LIST_REMOVE(x, link);
    x->conn->exchange = NULL;
    tv_buf_done(&x->body);
    tv_buf_done(&x->out);
    tv_arena_free(x->arena); /* and x with it */
}

/* The request line was read; `uri` is what it says, before libmicrohttpd decodes it in place. It
 * would go on to parse the query into the memory of the connection, and fall silent when that is
 * not enough for many parameters; so it finds none. */
static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *mhd) {
    struct tv_arena *arena = tv_arena_new();
    struct tv_http *x = TV_ARENA_NEW(arena, struct tv_http);

    x->d = ctx;
    x->conn = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    x->mhd = mhd;
    x->arena = arena;
    if (uri != NULL) {
        x->target_bytes = strlen(uri);
        x->query = tv_str(tv_arena_strndup(arena, uri, x->target_bytes));
        x->path = tv_str_cut(&x->query, '?');
        if (x->query.len > 0)
            ((char *)(uintptr_t)uri)[x->path.len + 1] = '\0';
    }
    if (x->conn->exchange != NULL)
        end_exchange(x->conn->exchange); /* refused by libmicrohttpd without a word to us */
    x->conn->exchange = x;
    LIST_INSERT_HEAD(&x->d->open, x, link);
    return x;
}

static void on_completed(void *ctx, struct MHD_Connection *mhd, void **con_cls,
                         enum MHD_RequestTerminationCode why) {
    struct tv_httpd *d = ctx;
    struct tv_http *x = *con_cls;

    if (x == NULL)
        return;
    struct conn *c = x->conn;
    *con_cls = NULL;
    end_exchange(x);
    tv_httpd_turn_theirs(&c->turn, false); /* the next request, or the end of the connection */
    if (d->quiesced)
        shutdown(c->turn.fd, SHUT_RDWR); /* a stream began without Connection: close */
}

static void on_connection(void *ctx, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode what) {
    struct tv_httpd *d = ctx;
    struct conn *c = *socket_context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        c = tv_calloc(1, sizeof(*c));
        c->d = d;
        c->turn.turns = &d->turns;
        c->turn.fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        *socket_context = c;
        d->connections++;
        LIST_INSERT_HEAD(&d->conns, c, link);
        tv_httpd_turn_theirs(&c->turn, false);
    } else if (c != NULL) {
        if (c->exchange != NULL)
            end_exchange(c->exchange);
        tv_httpd_turn_ours(&c->turn);
        if (d->connections-- == d->config.connections_max)
            arm_run(d); /* accepts again from its next run on */
        LIST_REMOVE(c, link);
        free(c);
        *socket_context = NULL;
    }
}

/* -- the server ---------------------------------------------------------------------------------*/

/* Strict parsing (1) refuses bare line feeds and folded fields since 1.0, and we want that; in
 * 0.9.75 it only adds checks that we make ourselves, with a better answer. */
static int strictness(void) { return MHD_get_version()[0] == '0' ? 0 : 1; }

enum tv_err tv_httpd_new(struct tv_loop *l, const struct tv_httpd_config *c, struct tv_httpd **ret,
                         struct tv_error *e) {
    struct tv_httpd *d = tv_calloc(1, sizeof(*d));
    enum tv_err err;
    int fd = -1;

    d->config = *c;
    d->loop = l;
    LIST_INIT(&d->conns);
    LIST_INIT(&d->open);
    err = tv_httpd_listen(c->address, &fd, &d->port, e);
    if (err != TV_OK) {
        free(d);
        return err;
    }
    d->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access, d,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd, MHD_OPTION_CONNECTION_LIMIT, c->connections_max,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, c->per_address_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        c->header_bytes_max + POOL_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, 0U,
        MHD_OPTION_STRICT_FOR_CLIENT, strictness(), MHD_OPTION_URI_LOG_CALLBACK, on_uri, d,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, d, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        d, MHD_OPTION_END);
    if (d->mhd == NULL) {
        close(fd);
        free(d);
        return tv_fail(e, TV_ERR_UNAVAILABLE, "%.100s: the HTTP server does not start", c->address);
    }
    d->run = (struct tv_turn){.fn = run, .ctx = d};
    tv_httpd_turns_init(&d->turns, l, c->idle_timeout_us);
    d->again = tv_timer_new(l, arm_run, d);
    d->watch = tv_watch_new(l, MHD_get_daemon_info(d->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
                            TV_READABLE, on_readable, d);
    arm_run(d); /* the first run puts the listening socket into the epoll set */
    *ret = d;
    return TV_OK;
}

unsigned tv_httpd_port(const struct tv_httpd *d) { return d->port; }
unsigned tv_httpd_connections(const struct tv_httpd *d) { return d->connections; }

void tv_httpd_see_off(struct tv_httpd *d) { d->seeing_off = true; }

void tv_httpd_quiesce(struct tv_httpd *d) {
    struct tv_http *x;
    struct conn *c;

    if (d->quiesced)
        return;
    d->seeing_off = d->quiesced = true;
    close(MHD_quiesce_daemon(d->mhd));
    /* For libmicrohttpd these clients now hang up; a request that has come already is still read.
     */
    LIST_FOREACH(c, &d->conns, link)
        if (c->exchange == NULL)
            shutdown(c->turn.fd, SHUT_RD);
    /* libmicrohttpd does not see an end that came together with a part of the request: nobody shall
     * wait for the rest of it now. */
    LIST_FOREACH(x, &d->open, link)
        if (!x->handed && tv_httpd_hung_up(x->conn->turn.fd))
            cut(x);
}

void tv_httpd_free(struct tv_httpd *d) {
    struct tv_http *x;

    if (d == NULL)
        return;
    tv_httpd_quiesce(d);
    /* Answers that are under way get what fits into the socket; then everything is cut.
     * Stopping libmicrohttpd with a suspended connection is not allowed. */
    run(d);
    LIST_FOREACH(x, &d->open, link)
        cut(x);
    for (int i = 0; i < STOP_ROUNDS_MAX && !LIST_EMPTY(&d->open); i++)
        run(d);
    MHD_stop_daemon(d->mhd);
    tv_turn_disarm(d->loop, &d->run);
    tv_watch_free(d->watch);
    tv_httpd_turns_done(&d->turns);
    tv_timer_free(d->again);
    free(d);
}

/* -- the request --------------------------------------------------------------------------------*/

struct tv_str tv_http_method(const struct tv_http *x) {
    return tv_str(x->method);
}
struct tv_str tv_http_path(const struct tv_http *x) {
    return x->path;
}
struct tv_str tv_http_query(const struct tv_http *x) {
    return x->query;
}
struct tv_str tv_http_body(const struct tv_http *x) {
    return tv_buf_view(&x->body);
}
struct tv_arena *tv_http_arena(struct tv_http *x) {
    return x->arena;
}
void tv_http_set_user(struct tv_http *x, void *user) { x->user = user; }
void *tv_http_user(const struct tv_http *x) { return x->user; }
void tv_http_set_body_max(struct tv_http *x, size_t bytes) { x->body.max = bytes; }
bool tv_http_answered(const struct tv_http *x) { return x->answered; }

struct tv_str tv_http_header(const struct tv_http *x, const char *name) {
    const char *value = NULL;
    size_t len = 0;

    if (MHD_lookup_connection_value_n(x->mhd, MHD_HEADER_KIND, name, strlen(name), &value, &len) ==
        MHD_NO)
        return (struct tv_str){NULL, 0};
    return (struct tv_str){value != NULL ? value : "", len};
}

struct count {
    struct tv_str name;
    unsigned n;
};

static enum MHD_Result count_field(void *ctx, enum MHD_ValueKind kind, const char *name,
                                   size_t name_len, const char *value, size_t value_len) {
    struct count *c = ctx;
    c->n += tv_str_eq_nocase(c->name, (struct tv_str){name, name_len});
    return MHD_YES;
}

unsigned tv_http_header_count(const struct tv_http *x, const char *name) {
    struct count c = {tv_str(name), 0};

    MHD_get_connection_values_n(x->mhd, MHD_HEADER_KIND, count_field, &c);
    return c.n;
}

const char *tv_http_peer(const struct tv_http *x) {
    const union MHD_ConnectionInfo *info;
    char text[INET6_ADDRSTRLEN] = "";

    if (x->peer == NULL) {
        info = MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        if (info != NULL)
            tv_httpd_address_text(info->client_addr, text);
        ((struct tv_http *)x)->peer = tv_arena_strdup(x->arena, text);
    }
    return x->peer;
}

/* -- the answer ---------------------------------------------------------------------------------*/

/* Takes `response`; from now on the exchange is answered. */
static void answer(struct tv_http *x, unsigned status, struct MHD_Response *response,
                   const struct tv_http_field *fields, size_t field_count) {
    if (x->answered)
        tv_panic("httpd: an exchange was answered twice");
    if (response == NULL)
        tv_panic("httpd: out of memory");
    /* A value that cannot be a field (a line feed) is refused by libmicrohttpd and left out. */
    for (size_t i = 0; i < field_count; i++)
        (void)MHD_add_response_header(response, fields[i].name, fields[i].value);
    if (x->d->seeing_off)
        (void)MHD_add_response_header(response, "Connection", "close");
    x->status = status;
    x->response = response;
    x->answered = true;
    resume(x);
}

void tv_httpd_respond_lasting(struct tv_http *x, unsigned status,
                              const struct tv_http_field *fields, size_t field_count,
                              struct tv_str body) {
    void *bytes = (void *)(uintptr_t)body.p; /* it only reads them */

    answer(x, status, MHD_create_response_from_buffer(body.len, bytes, MHD_RESPMEM_PERSISTENT),
           fields, field_count);
}

void tv_httpd_respond(struct tv_http *x, unsigned status, const struct tv_http_field *fields,
                      size_t field_count, struct tv_str body) {
    char *copy = NULL;

    if (body.len > 0) {
        copy = tv_arena_alloc(x->arena, body.len);
        memcpy(copy, body.p, body.len);
    }
    /* The arena outlives the sending: it is freed when libmicrohttpd says that it is done. */
    tv_httpd_respond_lasting(x, status, fields, field_count, (struct tv_str){copy, body.len});
}

/* libmicrohttpd asks for more of a stream. */
static ssize_t on_more(void *ctx, uint64_t pos, char *to, size_t max) {
    struct tv_http *x = ctx;
    size_t len = TV_MIN(x->out.len - x->out_sent, max);

    if (x->cut)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (len == 0) {
        if (x->closing)
            return MHD_CONTENT_READER_END_OF_STREAM;
        suspend(x);
        return 0;
    }
    memcpy(to, x->out.data + x->out_sent, len);
    x->out_sent += len;
    if (x->out_sent == x->out.len) {
        tv_buf_clear(&x->out);
        x->out_sent = 0;
    }
    return (ssize_t)len;
}

void tv_httpd_stream(struct tv_http *x, unsigned status, const struct tv_http_field *fields,
                     size_t field_count, size_t queue_bytes_max) {
    x->stream = true;
    x->out.max = queue_bytes_max;
    answer(x, status, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1024, on_more, x, NULL),
           fields, field_count);
}

bool tv_http_write(struct tv_http *x, struct tv_str bytes) {
    if (!x->stream || x->cut || x->closing)
        return false;
    if (x->out_sent > 0 && x->out.len + bytes.len > x->out.max) {
        memmove(x->out.data, x->out.data + x->out_sent, x->out.len - x->out_sent);
        x->out.len -= x->out_sent;
        x->out_sent = 0;
    }
    tv_buf_str(&x->out, bytes);
    /* A suspended connection is watched by nobody, and the first write after a hang-up succeeds. */
    if (x->out.overflow || tv_httpd_hung_up(x->conn->turn.fd)) {
        cut(x);
        return false;
    }
    resume(x);
    return true;
}

void tv_http_close(struct tv_http *x) {
    if (!x->stream || x->closing)
        return;
    x->closing = true;
    resume(x);
}
