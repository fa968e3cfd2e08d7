/* httpc.c - HTTP client on the loop: libcurl's multi_socket interface, one request step by step.
 *
 *  1. tv_httpc_post() makes an exchange: an easy handle, its deadline timer, a place on the list.
 *     The end of the turn starts it.
 *  2. libcurl tells which sockets it waits for (on_socket: a watch each) and when it wants to be
 *     called again (on_timer: one timer for all); watches and timer call drive().
 *  3. drive() lets libcurl work and then ends what is complete. The deadline may end it before.
 *     Either way end() takes the exchange off the list and calls on_done, once.
 * Connections stay open in the multi handle and are used again.
 */
#include "httpc.h"

#include <curl/curl.h>
#include <stdlib.h>

struct exchange {
    struct tv_httpc *client;
    CURL *easy;
    struct curl_slist *headers;
    struct tv_timer *deadline;
    struct tv_buf body; /* of the answer */
    bool head_complete; /* libcurl takes a head that breaks off for an answer */
    tv_httpc_done *on_done;
    void *ctx;
    TAILQ_ENTRY(exchange) link;
};

struct tv_httpc {
    struct tv_loop *loop;
    CURLM *multi;
    struct tv_timer *timer;           /* libcurl's wish to be called */
    struct tv_turn start;             /* armed when exchanges were made in this turn */
    TAILQ_HEAD(, exchange) exchanges; /* not ended yet */
};

/* A socket that libcurl waits for; libcurl keeps the pointer for us. */
struct socket {
    struct tv_httpc *client;
    struct tv_watch *watch;
    curl_socket_t fd;
};

/* -- the end of an exchange ---------------------------------------------------------------------*/

/* What a person who operates the service should look at. libcurl's own texts carry host names. */
static const struct {
    CURLcode code;
    const char *text;
} faults[] = {
    {CURLE_URL_MALFORMAT, "the address is not a URL"},
    {CURLE_COULDNT_RESOLVE_HOST, "the host name is not known"},
    {CURLE_COULDNT_CONNECT, "the connection was refused"},
    {CURLE_SSL_CONNECT_ERROR, "TLS could not be agreed"},
    {CURLE_PEER_FAILED_VERIFICATION, "the TLS certificate is not accepted"},
    {CURLE_SEND_ERROR, "the connection was lost while sending"},
    {CURLE_RECV_ERROR, "the connection was lost before the answer"},
    {CURLE_GOT_NOTHING, "the connection was closed without an answer"},
    {CURLE_PARTIAL_FILE, "the answer broke off"},
    {CURLE_WRITE_ERROR, "the answer is too long"},
    {CURLE_FILESIZE_EXCEEDED, "the answer is too long"},
    {CURLE_UNSUPPORTED_PROTOCOL, "the address or the answer is not HTTP"},
    {CURLE_WEIRD_SERVER_REPLY, "the answer is not HTTP"},
    {CURLE_BAD_CONTENT_ENCODING, "the answer is not HTTP"},
    {CURLE_OUT_OF_MEMORY, "the answer is not HTTP"}, /* headers without end count as this */
};

static const char *fault_text(CURLcode code) {
    for (size_t i = 0; i < TV_ARRAY_LEN(faults); i++) {
        if (faults[i].code == code) {
            return faults[i].text;
        }
    }
    return curl_easy_strerror(code);
}

static struct tv_httpc_response response_of(struct exchange *x) {
    long status = 0;
    char *content_type = NULL;
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(x->easy, CURLINFO_CONTENT_TYPE, &content_type);
    curl_easy_getinfo(x->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    return (struct tv_httpc_response){
        .status = (unsigned)status,
        .content_type = content_type == NULL ? TV_S("") : tv_str(content_type),
        .body = x->body.data == NULL ? TV_S("") : tv_buf_view(&x->body),
        .retry_after_s = (uint32_t)TV_MAX(0, TV_MIN(retry_after_s, (curl_off_t)UINT32_MAX)),
    };
}

/* Takes the exchange off the list, tells its owner, and frees it. */
static void end(struct exchange *x, enum tv_err err, const char *detail) {
    struct tv_error e = TV_ERROR_INIT;
    struct tv_httpc_response response;
    curl_multi_remove_handle(x->client->multi, x->easy);
    TAILQ_REMOVE(&x->client->exchanges, x, link);
    if (err == TV_OK) {
        response = response_of(x);
        x->on_done(x->ctx, TV_OK, &e, &response);
    } else {
        x->on_done(x->ctx, tv_fail(&e, err, "%s", detail), &e, NULL);
    }
    curl_easy_cleanup(x->easy);
    curl_slist_free_all(x->headers);
    tv_timer_free(x->deadline);
    tv_buf_done(&x->body);
    free(x);
}

static void end_as(struct exchange *x, CURLcode code) {
    if (code == CURLE_OK && !x->head_complete) {
        code = CURLE_PARTIAL_FILE;
    }
    end(x, code == CURLE_OK ? TV_OK : TV_ERR_UNAVAILABLE, fault_text(code));
}

static void on_deadline(void *ctx) { end(ctx, TV_ERR_DEADLINE, "no complete answer came in time"); }

/* -- driving libcurl ----------------------------------------------------------------------------*/

static void drive(struct tv_httpc *c, curl_socket_t fd, int events) {
    int running;
    curl_multi_socket_action(c->multi, fd, events, &running);
    for (;;) { /* an on_done may make new exchanges, and end others by freeing what they need */
        int left;
        const CURLMsg *message = curl_multi_info_read(c->multi, &left);
        if (message == NULL) {
            return;
        }
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        void *x = NULL;
        CURLcode code = message->data.result; /* the message dies with the handle */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &x);
        end_as(x, code);
    }
}

static void on_start(void *ctx) { drive(ctx, CURL_SOCKET_TIMEOUT, 0); }

static int on_timer(CURLM *multi, long timeout_ms, void *ctx) {
    struct tv_httpc *c = ctx;
    if (timeout_ms < 0) {
        tv_timer_clear(c->timer);
    } else {
        tv_timer_set(c->timer, (int64_t)timeout_ms * 1000);
    }
    return 0;
}

static void on_watch(void *ctx, unsigned events) {
    struct socket *s = ctx;
    int curl_events = ((events & TV_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
                      ((events & TV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0);
    drive(s->client, s->fd, curl_events); /* may free `s` */
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx) {
    struct tv_httpc *c = ctx;
    struct socket *s = socket_ctx;
    if (what == CURL_POLL_REMOVE) {
        if (s != NULL) {
            tv_watch_free(s->watch);
            free(s);
            curl_multi_assign(c->multi, fd, NULL);
        }
        return 0;
    }
    unsigned events = ((what & CURL_POLL_IN) != 0 ? (unsigned)TV_READABLE : 0) |
                      ((what & CURL_POLL_OUT) != 0 ? (unsigned)TV_WRITABLE : 0);
    if (s == NULL) {
        s = tv_calloc(1, sizeof *s);
        *s = (struct socket){.client = c, .fd = fd};
        s->watch = tv_watch_new(c->loop, fd, events, on_watch, s);
        curl_multi_assign(c->multi, fd, s);
    } else {
        tv_watch_set(s->watch, events);
    }
    return 0;
}

static size_t on_head_line(char *data, size_t size, size_t count, void *ctx) {
    struct exchange *x = ctx;
    x->head_complete = x->head_complete || size * count <= 2; /* the empty line */
    return size * count;
}

/* Anything less than all is an error for libcurl, which then ends the transfer. */
static size_t on_body(char *data, size_t size, size_t count, void *ctx) {
    struct exchange *x = ctx;
    tv_buf_append(&x->body, data, size * count);
    return x->body.overflow ? 0 : size * count;
}

/* -- the client ---------------------------------------------------------------------------------*/

struct tv_httpc *tv_httpc_new(struct tv_loop *l, unsigned connections) {
    struct tv_httpc *c = tv_calloc(1, sizeof *c);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    c->loop = l;
    c->multi = curl_multi_init();
    if (c->multi == NULL) {
        tv_panic("libcurl could not be started");
    }
    c->timer = tv_timer_new(l, on_start, c);
    c->start = (struct tv_turn){.fn = on_start, .ctx = c};
    TAILQ_INIT(&c->exchanges);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)connections);
    return c;
}

void tv_httpc_free(struct tv_httpc *c) {
    struct exchange *x;
    if (c == NULL) {
        return;
    }
    while ((x = TAILQ_FIRST(&c->exchanges)) != NULL) {
        end(x, TV_ERR_UNAVAILABLE, "the service is stopping");
    }
    curl_multi_cleanup(c->multi); /* frees the watches by on_socket */
    tv_turn_disarm(c->loop, &c->start);
    tv_timer_free(c->timer);
    free(c);
    curl_global_cleanup();
}

/* What holds for every request: http or https directly to where the URL says and nowhere else. */
static void set_rules(CURL *easy) {
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* also none from the environment */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 60L);
}

void tv_httpc_post(struct tv_httpc *c, const struct tv_httpc_request *r, tv_httpc_done *on_done,
                   void *ctx) {
    struct exchange *x = tv_calloc(1, sizeof *x);
    *x = (struct exchange){.client = c,
                           .easy = curl_easy_init(),
                           .on_done = on_done,
                           .ctx = ctx,
                           .body = TV_BUF_INIT(r->max_response_bytes)};
    if (x->easy == NULL) {
        tv_panic("libcurl is out of memory");
    }
    for (const char *const *h = r->headers; h != NULL && *h != NULL; h++) {
        x->headers = curl_slist_append(x->headers, *h);
    }
    x->headers = curl_slist_append(x->headers, "Expect:"); /* a round trip that nobody needs */
    set_rules(x->easy);
    curl_easy_setopt(x->easy, CURLOPT_URL, r->url);
    curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
    curl_easy_setopt(x->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, r->body.len == 0 ? "" : r->body.p);
    curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
    curl_easy_setopt(x->easy, CURLOPT_HEADERFUNCTION, on_head_line);
    curl_easy_setopt(x->easy, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(x->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)r->max_response_bytes);
    curl_easy_setopt(x->easy, CURLOPT_PRIVATE, x);
    x->deadline = tv_timer_new(c->loop, on_deadline, x);
    tv_timer_set(x->deadline, TV_MAX(r->timeout_us, 0));
    TAILQ_INSERT_TAIL(&c->exchanges, x, link);
    curl_multi_add_handle(c->multi, x->easy);
    tv_turn_arm(c->loop, &c->start); /* libcurl's own wish would wait for the next millisecond */
}
