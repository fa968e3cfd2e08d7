/* bus_nats.c - the only file that knows libnats: it translates, and decides nothing. ADR 0002 says
 * why libnats is used in this way. */
#include <fcntl.h>
#include <nats/nats.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "bus_internal.h"
#include "crypto.h"

enum {
    CONNECT_TIMEOUT_MS = 2000,
    PINGS_UNANSWERED = 2,
    DRAIN_TIMEOUT_MS = 5000,
    SIGN_ATTEMPTS = 5,
    DISCARDED_MAX = 128,
    DISCARDED_BYTES_MAX = 256 * 1024,
    SERVERS_MAX = 16,
};

int64_t tv_bus_ping_interval_ms = 2000;

struct tv_bus_nats {
    struct tv_bus_wire *wire;
    natsOptions *options;
    natsConnection *connection; /* owned; the present one, or NULL */
    natsStatistics *statistics;
    bool has_tls;
    struct tv_bus_nkey nkey; /* if there is one */
    atomic_bool sign_again;  /* see on_nonce() */
    uint64_t arrived;        /* messages that libnats has read on this connection */
    natsMsg *discarded[DISCARDED_MAX];
    size_t discarded_count, discarded_bytes;
};

/* -- messages -----------------------------------------------------------------------------------*/

const char *tv_bus_nats_subject(const void *message) { return natsMsg_GetSubject(message); }
const char *tv_bus_nats_reply_to(const void *message) { return natsMsg_GetReply(message); }

struct tv_str tv_bus_subject(const struct tv_bus_message *m) {
    return tv_str(natsMsg_GetSubject(m->nats));
}

struct tv_str tv_bus_body(const struct tv_bus_message *m) {
    return (struct tv_str){natsMsg_GetData(m->nats), (size_t)natsMsg_GetDataLength(m->nats)};
}

/* The name as the sender wrote it. A message without upper-case names is searched only once. */
static const char *header_in_any_case(struct tv_bus_message *m, const char *name) {
    const char **keys = NULL, *found = NULL;
    int count = 0;

    if (m->header_case == TV_CASE_LOWER)
        return NULL;
    m->header_case = TV_CASE_LOWER; /* unless there is another one */
    if (natsMsgHeader_Keys(m->nats, &keys, &count) != NATS_OK)
        return NULL;
    for (int i = 0; i < count; i++) {
        for (const char *p = keys[i]; *p != '\0'; p++) {
            if (*p >= 'A' && *p <= 'Z')
                m->header_case = TV_CASE_MIXED;
        }
        if (found == NULL && strcasecmp(keys[i], name) == 0)
            found = keys[i];
    }
    const char *value = NULL;
    if (found != NULL && natsMsgHeader_Get(m->nats, found, &value) != NATS_OK)
        value = NULL;
    free(keys);
    return value;
}

const char *tv_bus_header(const struct tv_bus_message *m, const char *name) {
    const char *value = NULL;

    if (natsMsgHeader_Get(m->nats, name, &value) == NATS_OK)
        return value;
    /* What it remembers of the case is a cache, not part of the message. */
    return header_in_any_case((struct tv_bus_message *)(uintptr_t)m, name);
}

static void destroy_discarded(struct tv_bus_nats *n) {
    while (n->discarded_count > 0)
        natsMsg_Destroy(n->discarded[--n->discarded_count]);
    n->discarded_bytes = 0;
}

void tv_bus_nats_discard(struct tv_bus_nats *n, void *message) {
    if (message == NULL)
        return;
    n->discarded[n->discarded_count++] = message;
    n->discarded_bytes += (size_t)natsMsg_GetDataLength(message);
    if (n->discarded_count == DISCARDED_MAX || n->discarded_bytes > DISCARDED_BYTES_MAX)
        destroy_discarded(n);
}

void tv_bus_nats_destroy(void *message) { natsMsg_Destroy(message); }

/* -- publishing ---------------------------------------------------------------------------------*/

static bool is_header_value(const char *value) { return value[strcspn(value, "\r\n")] == '\0'; }

static natsStatus publish_with_headers(struct tv_bus_nats *n, const char *subject,
                                       const char *reply, const struct tv_bus_header *headers,
                                       size_t header_count, struct tv_str body) {
    natsMsg *m = NULL;
    natsStatus s = natsMsg_Create(&m, subject, reply, body.p, (int)body.len);

    for (size_t i = 0; s == NATS_OK && i < header_count; i++) {
        if (is_header_value(headers[i].value)) /* it would make another header */
            s = natsMsgHeader_Set(m, headers[i].name, headers[i].value);
    }
    if (s == NATS_OK)
        s = natsConnection_PublishMsg(n->connection, m);
    tv_bus_nats_discard(n, m);
    return s;
}

enum tv_err tv_bus_nats_publish(struct tv_bus_nats *n, const char *subject, const char *reply,
                                const struct tv_bus_header *headers, size_t header_count,
                                struct tv_str body) {
    natsStatus s;

    if (body.len > INT32_MAX)
        return TV_ERR_TOO_LARGE;
    if (header_count > 0)
        s = publish_with_headers(n, subject, reply, headers, header_count, body);
    else if (reply == NULL)
        s = natsConnection_Publish(n->connection, subject, body.p, (int)body.len);
    else
        s = natsConnection_PublishRequest(n->connection, subject, reply, body.p, (int)body.len);
    return s == NATS_OK ? TV_OK : s == NATS_MAX_PAYLOAD ? TV_ERR_TOO_LARGE : TV_ERR_UNAVAILABLE;
}

/* -- boxes: synchronous subscriptions -----------------------------------------------------------*/

void *tv_bus_nats_open(struct tv_bus_nats *n, const char *subject, const char *queue) {
    natsSubscription *box = NULL;
    natsStatus s = queue == NULL
                       ? natsConnection_SubscribeSync(&box, n->connection, subject)
                       : natsConnection_QueueSubscribeSync(&box, n->connection, subject, queue);

    if (s != NATS_OK)
        return NULL;
    natsSubscription_SetPendingLimits(box, -1, -1); /* emptied after each read */
    return box;
}

void tv_bus_nats_close(void *box) { natsSubscription_Destroy(box); }

enum tv_bus_taken tv_bus_nats_take(void *box, void **ret) {
    natsMsg *m = NULL;
    uint64_t queued = 0;

    /* Asked first, for an empty NextMsg() builds an error text. */
    if (box == NULL || natsSubscription_QueuedMsgs(box, &queued) != NATS_OK || queued == 0)
        return TV_TAKEN_NOTHING;
    switch (natsSubscription_NextMsg(&m, box, 0)) {
    case NATS_OK:
        *ret = m;
        return TV_TAKEN_MESSAGE;
    case NATS_NO_RESPONDERS:
        return TV_TAKEN_NOBODY;
    default:
        return TV_TAKEN_NOTHING;
    }
}

void tv_bus_nats_drain(void *box) { natsSubscription_DrainTimeout(box, DRAIN_TIMEOUT_MS); }

bool tv_bus_nats_is_draining(void *box) {
    return natsSubscription_DrainCompletionStatus(box) == NATS_ILLEGAL_STATE;
}

/* -- listeners: asynchronous subscriptions ------------------------------------------------------*/

struct listener {
    natsSubscription *nats;
    void (*on_message)(void *ctx, void *message);
    void (*on_end)(void *ctx);
    void *ctx;
};

static void on_nats_message(natsConnection *nc, natsSubscription *sub, natsMsg *m, void *closure) {
    const struct listener *l = closure;

    l->on_message(l->ctx, m);
}

static void on_nats_complete(void *closure) {
    const struct listener *l = closure;

    l->on_end(l->ctx);
}

void *tv_bus_nats_listen(struct tv_bus_nats *n, const char *subject,
                         void (*on_message)(void *ctx, void *message), void (*on_end)(void *ctx),
                         void *ctx) {
    struct listener *l = tv_malloc(sizeof(*l));

    *l = (struct listener){.on_message = on_message, .on_end = on_end, .ctx = ctx};
    if (natsConnection_Subscribe(&l->nats, n->connection, subject, on_nats_message, l) != NATS_OK) {
        free(l);
        return NULL;
    }
    natsSubscription_SetOnCompleteCB(l->nats, on_nats_complete, l);
    natsSubscription_SetPendingLimits(l->nats, -1, -1); /* emptied at once into the mailbox */
    return l;
}

void tv_bus_nats_unlisten(void *listener) {
    natsSubscription_Unsubscribe(((struct listener *)listener)->nats);
}

void tv_bus_nats_listened(void *listener) {
    natsSubscription_Destroy(((struct listener *)listener)->nats);
    free(listener);
}

/* -- reading and writing ------------------------------------------------------------------------*/

uint64_t tv_bus_nats_read(struct tv_bus_nats *n) {
    uint64_t arrived = 0, before = n->arrived, unused;

    natsConnection_ProcessReadEvent(n->connection);
    if (natsConnection_GetStats(n->connection, n->statistics) != NATS_OK)
        return 0;
    natsStatistics_GetCounts(n->statistics, &arrived, &unused, &unused, &unused, &unused);
    n->arrived = arrived;
    return arrived - before;
}

void tv_bus_nats_write(struct tv_bus_nats *n) { natsConnection_ProcessWriteEvent(n->connection); }

size_t tv_bus_nats_unsent(const struct tv_bus_nats *n) {
    return (size_t)TV_MAX(natsConnection_Buffered(n->connection), 0);
}

/* -- what libnats tells, on any of its threads or from within our calls -------------------------*/

static natsStatus on_attach(void **user_data, void *nats, natsConnection *nc, natsSock fd) {
    struct tv_bus_nats *n = nats;
    /* A duplicate, for libnats may close its descriptor before the loop has stopped watching. */
    int mine = fcntl((int)fd, F_DUPFD_CLOEXEC, 3);
    /* Since 3.9.2 libnats leaves the closing of its socket to the event loop. */
    bool is_ours = nats_GetVersionNumber() >= 0x030902;

    if (mine < 0)
        return NATS_ERR;
    *user_data = n;
    tv_bus_wire_attach(n->wire, nc, mine, is_ours ? (int)fd : -1);
    return NATS_OK;
}

static natsStatus on_read(void *nats, bool add) {
    if (!add)
        tv_bus_wire_detach(((struct tv_bus_nats *)nats)->wire);
    return NATS_OK;
}

static natsStatus on_write(void *nats, bool add) {
    if (add)
        tv_bus_wire_want_write(((struct tv_bus_nats *)nats)->wire);
    return NATS_OK;
}

static natsStatus on_detach(void *nats) { return NATS_OK; }

/* With the connection's last error in words. */
static void tell(struct tv_bus_nats *n, enum tv_bus_news news, natsConnection *nc, natsStatus s) {
    const char *text = NULL;

    natsConnection_GetLastError(nc, &text);
    tv_bus_wire_tell(n->wire, news, nc,
                     text != NULL && *text != '\0' ? text : natsStatus_GetText(s));
}

static void on_connected(natsConnection *nc, void *nats) {
    tv_bus_wire_tell(((struct tv_bus_nats *)nats)->wire, TV_NEWS_CONNECTED, nc, "");
}

static void on_closed(natsConnection *nc, void *nats) {
    tell(nats, TV_NEWS_CLOSED, nc, NATS_CONNECTION_CLOSED);
}

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus s, void *nats) {
    if (s == NATS_NOT_PERMITTED)
        tell(nats, TV_NEWS_VIOLATION, nc, s);
    else if (s == NATS_SLOW_CONSUMER)
        tell(nats, TV_NEWS_SLOW, nc, s);
}

static int64_t reconnect_delay_ms(natsConnection *nc, int attempts, void *closure) {
    return tv_bus_retry_delay_ms((unsigned)TV_MAX(attempts - 1, 0));
}

/* -- options ------------------------------------------------------------------------------------*/

static natsStatus set_servers(natsOptions *o, const char *urls, bool *ret_tls) {
    const char *servers[SERVERS_MAX];
    char *copies[SERVERS_MAX];
    int count = 0;
    struct tv_str rest = tv_str(urls);

    while (rest.p != NULL && count < SERVERS_MAX) {
        struct tv_str url = tv_str_trim(tv_str_cut(&rest, ','));

        /* To libnats 3.4.1 both schemes are the same. */
        *ret_tls = *ret_tls || tv_str_starts(url, TV_S("tls://"));
        servers[count] = copies[count] = tv_strndup(url.p, url.len);
        count++;
    }
    natsStatus s = rest.p == NULL ? natsOptions_SetServers(o, servers, count) : NATS_INVALID_ARG;
    while (count > 0)
        free(copies[--count]);
    return s;
}

/* Signs the server's nonce. Before 3.8.0 libnats loses a signature that begins with a zero byte:
 * then another attempt gets another nonce. */
static natsStatus on_nonce(char **ret_error, unsigned char **ret_signature, int *ret_len,
                           const char *nonce, void *nats) {
    struct tv_bus_nats *n = nats;
    natsStatus s = nats_Sign(n->nkey.seed, nonce, ret_signature, ret_len);

    if (s == NATS_OK && (*ret_signature)[0] == 0 && nats_GetVersionNumber() < 0x030800) {
        free(*ret_signature);
        *ret_signature = NULL;
        atomic_store(&n->sign_again, true);
        s = NATS_ERR;
    }
    return s;
}

static enum tv_err set_nkey(struct tv_bus_nats *n, const char *text, struct tv_error *e) {
    enum tv_err err = tv_bus_nkey_parse(text, &n->nkey, e);

    if (err == TV_OK && natsOptions_SetNKey(n->options, n->nkey.public, on_nonce, n) != NATS_OK)
        err = tv_fail(e, TV_ERR_INVALID, "the nkey for NATS is not usable");
    return err;
}

/* Whom we believe. Where we do not ask for TLS but the server does, libnats would go along, on
 * terms that nobody has chosen: a name that no server has makes that an error; see reason(). */
static enum tv_err set_tls(struct tv_bus_nats *n, const struct tv_bus_config *c,
                           struct tv_error *e) {
    natsOptions *o = n->options;

    n->has_tls = n->has_tls || c->ca_file != NULL;
    if ((n->has_tls ? natsOptions_SetSecure(o, true)
                    : natsOptions_SetExpectedHostname(o, "tls.invalid")) != NATS_OK)
        return tv_fail(e, TV_ERR_INTERNAL, "libnats has no TLS");
    if (c->ca_file != NULL && natsOptions_LoadCATrustedCertificates(o, c->ca_file) != NATS_OK)
        return tv_fail(e, TV_ERR_INVALID, "NATS_CA_FILE: no CA certificates can be read from %s",
                       c->ca_file);
    return TV_OK;
}

/* Who we are. */
static enum tv_err set_identity(struct tv_bus_nats *n, const struct tv_bus_config *c,
                                struct tv_error *e) {
    natsOptions *o = n->options;

    if (c->nkey != NULL && (c->user != NULL || c->creds_file != NULL))
        return tv_fail(e, TV_ERR_INVALID,
                       "NATS_NKEY_FILE goes without NATS_USER and NATS_CREDS_FILE");
    if (c->user != NULL && natsOptions_SetUserInfo(o, c->user, c->password) != NATS_OK)
        return tv_fail(e, TV_ERR_INVALID, "the NATS user is not usable");
    if (c->creds_file != NULL &&
        natsOptions_SetUserCredentialsFromFiles(o, c->creds_file, NULL) != NATS_OK)
        return tv_fail(e, TV_ERR_INVALID, "the NATS credentials are not usable");
    return c->nkey != NULL ? set_nkey(n, c->nkey, e) : TV_OK;
}

static enum tv_err set_options(struct tv_bus_nats *n, const struct tv_bus_config *c,
                               struct tv_error *e) {
    natsOptions *o = n->options;
    const natsStatus results[] = {
        natsOptions_SetName(o, c->name),
        natsOptions_SetEventLoop(o, n, on_attach, on_read, on_write, on_detach),
        natsOptions_SetSendAsap(o, true), /* else a thread would flush */
        natsOptions_UseGlobalMessageDelivery(o, true),
        natsOptions_SetTimeout(o, CONNECT_TIMEOUT_MS),
        natsOptions_SetPingInterval(o, tv_bus_ping_interval_ms),
        natsOptions_SetMaxPingsOut(o, PINGS_UNANSWERED),
        natsOptions_SetMaxReconnect(o, -1),
        natsOptions_SetCustomReconnectDelay(o, reconnect_delay_ms, NULL),
        natsOptions_SetReconnectBufSize(o, 0), /* nothing is sent later */
        natsOptions_SetReconnectedCB(o, on_connected, n),
        natsOptions_SetClosedCB(o, on_closed, n),
        natsOptions_SetErrorHandler(o, on_error, n),
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(results); i++) {
        if (results[i] != NATS_OK)
            return tv_fail(e, TV_ERR_INTERNAL, "NATS option %zu: %s", i,
                           natsStatus_GetText(results[i]));
    }
    if (set_servers(o, c->url, &n->has_tls) != NATS_OK)
        return tv_fail(e, TV_ERR_INVALID, "the NATS URL is not usable");
    enum tv_err err = set_identity(n, c, e);
    return err == TV_OK ? set_tls(n, c, e) : err;
}

enum tv_err tv_bus_nats_new(const struct tv_bus_config *c, struct tv_bus_wire *wire,
                            struct tv_bus_nats **ret, struct tv_error *e) {
    struct tv_bus_nats *n = tv_calloc(1, sizeof(*n));

    n->wire = wire;
    if (natsOptions_Create(&n->options) != NATS_OK ||
        natsStatistics_Create(&n->statistics) != NATS_OK)
        tv_panic("libnats cannot start");
    enum tv_err err = set_options(n, c, e);
    if (err != TV_OK)
        tv_bus_nats_free(n);
    else
        *ret = n;
    return err;
}

void tv_bus_nats_free(struct tv_bus_nats *n) {
    if (n == NULL)
        return;
    destroy_discarded(n);
    natsStatistics_Destroy(n->statistics);
    natsOptions_Destroy(n->options);
    tv_wipe(&n->nkey, sizeof(n->nkey));
    free(n);
}

bool tv_bus_nats_has_tls(const struct tv_bus_nats *n) { return n->has_tls; }

/* -- the connection -----------------------------------------------------------------------------*/

/* An error of libnats as it told its own thread: "(conn.c:1905): Authorization Violation". */
static const char *last_error(natsStatus s) {
    natsStatus unused;
    const char *text = nats_GetLastError(&unused);
    const char *words = text == NULL ? NULL : strstr(text, "): ");

    return words != NULL ? words + 3 : natsStatus_GetText(s);
}

/* A refusal in words. */
static const char *reason(const struct tv_bus_nats *n, natsStatus s) {
    if (s == NATS_SSL_ERROR && !n->has_tls)
        return "the server demands TLS: NATS_URL must begin with tls://";
    if (s == NATS_SECURE_CONNECTION_WANTED)
        return "the server has no TLS, and nothing is sent to it without";
    return last_error(s);
}

/* libnats could also try the first connection for ever, but loses the reason of a refusal. */
enum tv_bus_connect tv_bus_nats_connect(struct tv_bus_nats *n, void **ret_connection,
                                        char ret_reason[static TV_BUS_REASON_TEXT]) {
    natsConnection *nc = NULL;
    natsStatus s;
    int attempts = 0;

    do {
        atomic_store(&n->sign_again, false);
        s = natsConnection_Connect(&nc, n->options);
    } while (s != NATS_OK && atomic_load(&n->sign_again) && ++attempts < SIGN_ATTEMPTS);
    snprintf(ret_reason, TV_BUS_REASON_TEXT, "%s", reason(n, s));
    *ret_connection = nc;
    switch (s) {
    case NATS_OK:
        return TV_CONNECT_OK;
    case NATS_NO_SERVER:
    case NATS_TIMEOUT:
    case NATS_IO_ERROR:
    case NATS_CONNECTION_CLOSED:
        return TV_CONNECT_AWAY;
    default:
        return TV_CONNECT_REFUSED;
    }
}

void tv_bus_nats_hang_up(void *connection) { natsConnection_Close(connection); }

void tv_bus_nats_use(struct tv_bus_nats *n, void *connection) {
    if (n->connection == connection)
        return;
    natsConnection_Destroy(n->connection);
    n->connection = connection;
    n->arrived = 0;
}
