#include "bus.h"

#include <fcntl.h>
#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "bus_internal.h"
#include "clock.h"
#include "log.h"

/* The story of a request (ADR 0002 has the reasons and the figures):
 *
 * tv_bus_request() takes a slot and publishes with the reply subject `<inbox>.<slot>.<generation>`.
 * libnats only appends to its buffer and asks for a write event; that arms the turn's end, where
 * all that this turn published goes out in one write. When the socket is readable, libnats parses
 * what came into the queues of its subscriptions, and we empty those: first the services', then
 * the slots' that are flying, oldest first, until as many messages are found as came. No message
 * passes through another thread, except nudges.
 *
 * libnats' own threads (connecting, pinging, closing) call the on_*_event functions; these post
 * mail. While it is not connected libnats holds its lock for as long as it tries to connect, so
 * nothing of it may be called then: `usable()` first, always.
 */

enum {
    CONNECT_TIMEOUT_MS = 2000,
    PING_INTERVAL_MS = 10000,
    PINGS_UNANSWERED = 2,
    RECONNECT_MIN_MS = 50,
    RECONNECT_MAX_MS = 2000,
    DRAIN_TIMEOUT_MS = 5000,
    FLUSH_AT_END_US = 1000000,
    CLOSE_TIMEOUT_US = 5000000,
    ID_TEXT = 23,
    INBOX_TEXT = 96,
    SUBJECT_TEXT = 192,
    COUNTED_SUBJECTS_MAX = 256, /* a power of two */
    DISCARDED_MAX = 128,
    DISCARDED_BYTES_MAX = 256 * 1024,
};

struct tv_bus_message {
    natsMsg *nats;
    enum { CASE_UNKNOWN, CASE_LOWER, CASE_MIXED } header_case;
};

struct service {
    struct tv_bus *bus;
    const struct tv_bus_service *def;
    char subject[SUBJECT_TEXT]; /* tv.v1.<name>.* */
    size_t prefix_len;
    natsSubscription *subscription; /* NULL until connected */
    struct tv_bus_srv *srv;
    struct tv_series **served; /* [method * OUTCOMES + outcome] */
    bool draining;
    STAILQ_ENTRY(service) link;
};

struct tv_bus_call {
    struct tv_bus_message message;
    struct service *service;
    unsigned method;
    unsigned socket_no; /* of the socket that brought it */
    int64_t started_us;
    LIST_ENTRY(tv_bus_call) link;
};

struct tv_bus_subscription {
    struct tv_bus *bus;
    char *subject;
    void (*on_message)(void *ctx, const struct tv_bus_message *m);
    void *ctx;
    natsSubscription *nats; /* NULL: not subscribed (yet) */
    bool dead;              /* unsubscribed by its owner; freed when libnats has finished it */
    TAILQ_ENTRY(tv_bus_subscription) link;
};

/* The counters of one request subject. */
struct counted_subject {
    char *subject;
    struct tv_series *ok, *failed[TV_ERR_COUNT];
};

struct tv_bus {
    struct tv_loop *loop;
    pthread_t thread; /* the loop's */
    void (*on_state)(void *ctx, bool connected);
    void *ctx;
    char id[ID_TEXT], inbox[INBOX_TEXT];
    char *name, *version, *description;
    struct tv_bus_identity identity;

    natsOptions *options;
    natsConnection *nats; /* NULL: none yet, or given up */
    natsStatistics *statistics;
    struct tv_work connect_work;
    natsStatus connect_status;
    bool connecting, freeing, freed, told_connected, closed;
    bool connected;       /* as far as the loop knows */
    atomic_bool attached; /* libnats has a socket; cleared by any thread */
    bool violated;
    unsigned socket_no;               /* counts the sockets that there were */
    struct tv_timer *reconnect_timer; /* after libnats gave up */

    struct tv_watch *watch; /* of `fd`, our duplicate of libnats' socket */
    int fd, nats_fd;
    struct tv_turn write_turn, end_turn;
    uint64_t arrived;                  /* messages that libnats has read */
    natsMsg *discarded[DISCARDED_MAX]; /* see discard() */
    size_t discarded_count, discarded_bytes;

    struct tv_bus_slots slots;
    struct tv_timer *deadline_timer;
    int64_t timer_at_us;        /* 0: not set */
    uint64_t requests, written; /* number of the last request, and of the last one written */
    struct counted_subject *counted[COUNTED_SUBJECTS_MAX];

    STAILQ_HEAD(, service) services;
    LIST_HEAD(, tv_bus_call) spare_calls;
    size_t calls; /* handed out and not answered */
    TAILQ_HEAD(, tv_bus_subscription) subscriptions;
};

/* -- counting -----------------------------------------------------------------------------------*/

static struct tv_metric requests_metric = {.name = "tv_bus_requests_total",
                                           .help = "Requests by subject and how they ended.",
                                           .type = TV_COUNTER,
                                           .labels = {"subject", "outcome"}};
static struct tv_metric served_metric = {.name = "tv_bus_served_total",
                                         .help = "Calls served by method and how they ended.",
                                         .type = TV_COUNTER,
                                         .labels = {"service", "method", "outcome"}};
static struct tv_metric late_metric = {.name = "tv_bus_late_replies_total",
                                       .help = "Replies that came when nobody waited any more.",
                                       .type = TV_COUNTER};
static struct tv_metric reconnects_metric = {.name = "tv_bus_reconnects_total",
                                             .help = "Connections to NATS made after a loss.",
                                             .type = TV_COUNTER};
static struct tv_metric violations_metric = {.name = "tv_bus_permission_violations_total",
                                             .help = "Operations that NATS did not permit.",
                                             .type = TV_COUNTER};
static struct tv_metric slow_metric = {.name = "tv_bus_slow_consumer_total",
                                       .help = "Times that NATS messages were dropped here.",
                                       .type = TV_COUNTER};

enum served_outcome { SERVED_OK, SERVED_ERROR, SERVED_DROPPED, SERVED_OUTCOMES };
static const char *const served_outcomes[] = {"ok", "error", "dropped"};

static void register_metrics(void) {
    struct tv_metric *const single[] = {&late_metric, &reconnects_metric, &violations_metric,
                                        &slow_metric};

    tv_metric_register(&requests_metric);
    tv_metric_register(&served_metric);
    for (size_t i = 0; i < TV_ARRAY_LEN(single); i++)
        tv_metric_single(single[i]); /* shown from the start, at 0 */
}

/* The counters of a subject, found by its text: there are as many as methods, and no more. */
static struct counted_subject *count_subject(struct tv_bus *b, const char *subject) {
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (const char *p = subject; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    for (uint32_t i = 0; i < COUNTED_SUBJECTS_MAX; i++) {
        struct counted_subject **at = &b->counted[(hash + i) & (COUNTED_SUBJECTS_MAX - 1)];

        if (*at == NULL) {
            *at = tv_calloc(1, sizeof(**at));
            (*at)->subject = tv_strdup(subject);
            (*at)->ok = tv_metric_series(&requests_metric, subject, "ok", NULL, NULL);
        }
        if (strcmp((*at)->subject, subject) == 0)
            return *at;
    }
    tv_panic("more than %d request subjects, the last is %s", COUNTED_SUBJECTS_MAX, subject);
}

static void count_end(struct counted_subject *c, enum tv_err err) {
    if (err == TV_OK) {
        tv_inc(c->ok);
        return;
    }
    if (c->failed[err] == NULL)
        c->failed[err] =
            tv_metric_series(&requests_metric, c->subject, tv_err_info(err)->slug, NULL, NULL);
    tv_inc(c->failed[err]);
}

/* -- messages -----------------------------------------------------------------------------------*/

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

    if (m->header_case == CASE_LOWER || natsMsgHeader_Keys(m->nats, &keys, &count) != NATS_OK)
        return NULL;
    m->header_case = CASE_LOWER;
    for (int i = 0; i < count; i++) {
        for (const char *p = keys[i]; *p != '\0'; p++) {
            if (*p >= 'A' && *p <= 'Z')
                m->header_case = CASE_MIXED;
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

static bool is_header_value(const char *value) { return value[strcspn(value, "\r\n")] == '\0'; }

static bool usable(const struct tv_bus *b) { return b->connected && atomic_load(&b->attached); }

static enum tv_err publish_error(natsStatus s) {
    return s == NATS_OK ? TV_OK : s == NATS_MAX_PAYLOAD ? TV_ERR_TOO_LARGE : TV_ERR_UNAVAILABLE;
}

static void destroy_discarded(struct tv_bus *b) {
    while (b->discarded_count > 0)
        natsMsg_Destroy(b->discarded[--b->discarded_count]);
    b->discarded_bytes = 0;
}

/* Takes `m`; NULL is nothing. libnats frees messages on a thread of its own, and each one that is
 * handed over wakes that thread: a batch wakes it once. */
static void discard(struct tv_bus *b, natsMsg *m) {
    if (m == NULL)
        return;
    b->discarded[b->discarded_count++] = m;
    b->discarded_bytes += (size_t)natsMsg_GetDataLength(m);
    if (b->discarded_count == DISCARDED_MAX || b->discarded_bytes > DISCARDED_BYTES_MAX)
        destroy_discarded(b);
}

/* Appends a message to libnats' buffer. */
static enum tv_err publish(struct tv_bus *b, const char *subject, const char *reply,
                           const struct tv_bus_header *headers, size_t header_count,
                           struct tv_str body) {
    natsMsg *m = NULL;
    natsStatus s;

    if (!usable(b))
        return TV_ERR_UNAVAILABLE;
    if (body.len > INT32_MAX)
        return TV_ERR_TOO_LARGE;
    if (header_count == 0 && reply == NULL)
        return publish_error(natsConnection_Publish(b->nats, subject, body.p, (int)body.len));
    if (header_count == 0)
        return publish_error(
            natsConnection_PublishRequest(b->nats, subject, reply, body.p, (int)body.len));
    s = natsMsg_Create(&m, subject, reply, body.p, (int)body.len);
    for (size_t i = 0; s == NATS_OK && i < header_count; i++) {
        if (is_header_value(headers[i].value)) /* it would make another header */
            s = natsMsgHeader_Set(m, headers[i].name, headers[i].value);
    }
    if (s == NATS_OK)
        s = natsConnection_PublishMsg(b->nats, m);
    discard(b, m);
    return publish_error(s);
}

/* -- requests -----------------------------------------------------------------------------------*/

/* Calls back everything that has ended. Callbacks may request and cancel as they like. */
static void deliver_ended(struct tv_bus *b) {
    struct tv_bus_slot *slot;

    while ((slot = TAILQ_FIRST(&b->slots.ended)) != NULL) {
        struct tv_bus_message reply = {.nats = TV_TAKE_PTR(slot->reply)};
        tv_bus_reply_fn *on_reply = slot->on_reply;
        void *ctx = slot->ctx;
        enum tv_err err = slot->err;

        count_end(slot->counters, err);
        tv_bus_slots_drop(&b->slots, slot);
        on_reply(ctx, err, err == TV_OK ? &reply : NULL);
        discard(b, reply.nats);
    }
}

static void on_end_turn(void *ctx) { deliver_ended(ctx); }

static void set_deadline_timer(struct tv_bus *b) {
    if (b->slots.flying_count == 0)
        return;
    int64_t first_us = b->slots.heap[0]->deadline_us;
    if (b->timer_at_us != 0 && b->timer_at_us <= first_us)
        return; /* it looks again when it fires */
    b->timer_at_us = first_us;
    tv_timer_set(b->deadline_timer, first_us - tv_clock_mono_us());
}

static void on_deadline(void *ctx) {
    struct tv_bus *b = ctx;
    int64_t now_us = tv_clock_mono_us();

    b->timer_at_us = 0;
    while (b->slots.flying_count > 0 && b->slots.heap[0]->deadline_us <= now_us)
        tv_bus_slots_end(&b->slots, b->slots.heap[0], TV_ERR_DEADLINE, false);
    deliver_ended(b);
    set_deadline_timer(b);
}

/* Makes sure that the slot has its own fresh subscription. */
static enum tv_err subscribe_slot(struct tv_bus *b, struct tv_bus_slot *slot) {
    char subject[SUBJECT_TEXT];
    natsSubscription *s = NULL;

    if (slot->subscription != NULL && !slot->renew)
        return TV_OK;
    natsSubscription_Destroy(TV_TAKE_PTR(slot->subscription)); /* unsubscribes */
    snprintf(subject, sizeof(subject), "%s.%u.*", b->inbox, slot->index);
    if (natsConnection_SubscribeSync(&s, b->nats, subject) != NATS_OK)
        return TV_ERR_UNAVAILABLE;
    slot->subscription = s;
    slot->renew = false;
    return TV_OK;
}

tv_bus_token tv_bus_request(struct tv_bus *b, const char *subject,
                            const struct tv_bus_header *headers, size_t header_count,
                            struct tv_str body, int64_t deadline_us, tv_bus_reply_fn *on_reply,
                            void *ctx) {
    char reply[SUBJECT_TEXT];
    struct tv_bus_slot *slot = tv_bus_slots_take(&b->slots, deadline_us);
    enum tv_err err = TV_ERR_UNAVAILABLE;

    slot->on_reply = on_reply;
    slot->ctx = ctx;
    slot->counters = count_subject(b, subject);
    if (deadline_us <= tv_loop_now_us(b->loop))
        err = TV_ERR_DEADLINE;
    else if (usable(b) && !b->freeing && (err = subscribe_slot(b, slot)) == TV_OK) {
        snprintf(reply, sizeof(reply), "%s.%u.%u", b->inbox, slot->index, slot->generation);
        err = publish(b, subject, reply, headers, header_count, body);
        slot->number = ++b->requests;
    }
    if (err == TV_OK) {
        set_deadline_timer(b);
    } else { /* nothing was sent; told at the end of the turn */
        tv_bus_slots_end(&b->slots, slot, err, true);
        tv_turn_arm(b->loop, &b->end_turn);
    }
    return tv_bus_slot_token(slot);
}

void tv_bus_cancel(struct tv_bus *b, tv_bus_token token) {
    struct tv_bus_slot *slot = tv_bus_slots_find(&b->slots, token);

    if (slot == NULL)
        return;
    discard(b, TV_TAKE_PTR(slot->reply));
    tv_bus_slots_drop(&b->slots, slot);
}

/* The generation in `<inbox>.<slot>.<generation>`; 0 for anything else. */
static uint32_t generation_of(const char *subject) {
    uint64_t generation;
    const char *dot = strrchr(subject, '.');

    return dot != NULL && tv_str_to_u64(tv_str(dot + 1), 1, UINT32_MAX, &generation)
               ? (uint32_t)generation
               : 0;
}

static bool has_mail(natsSubscription *s) {
    uint64_t queued = 0;

    return s != NULL && natsSubscription_QueuedMsgs(s, &queued) == NATS_OK && queued > 0;
}

/* Takes what came for a slot; returns how many messages. The first one that answers its present
 * (or, when retired, its last) request decides, others are late or doubled. */
static uint64_t read_slot(struct tv_bus *b, struct tv_bus_slot *slot) {
    uint64_t count = 0;

    while (has_mail(slot->subscription)) {
        natsMsg *m = NULL;
        natsStatus s = natsSubscription_NextMsg(&m, slot->subscription, 0);

        count++;
        if (s != NATS_OK && s != NATS_NO_RESPONDERS)
            break;
        bool mine = m == NULL || generation_of(natsMsg_GetSubject(m)) == slot->generation;
        if (mine && slot->state == TV_SLOT_FLYING) {
            tv_bus_slots_end(&b->slots, slot, m == NULL ? TV_ERR_UNAVAILABLE : TV_OK, true);
            slot->reply = m;
            continue;
        }
        if (mine && slot->state == TV_SLOT_RETIRED)
            tv_bus_slots_reprieve(&b->slots, slot);
        tv_inc(tv_metric_single(&late_metric));
        discard(b, m);
    }
    return count;
}

static void read_replies(struct tv_bus *b, uint64_t expected) {
    struct tv_bus_slot_list *const lists[] = {&b->slots.flying, &b->slots.retired};
    struct tv_bus_slot *slot, *next;

    for (size_t i = 0; i < TV_ARRAY_LEN(lists); i++) {
        for (slot = TAILQ_FIRST(lists[i]); slot != NULL && expected > 0; slot = next) {
            next = TAILQ_NEXT(slot, link);
            uint64_t found = read_slot(b, slot);
            expected -= TV_MIN(found, expected);
        }
    }
    deliver_ended(b);
}

/* -- services -----------------------------------------------------------------------------------*/

static void free_bus_memory(struct tv_bus *b);

static void end_call(struct tv_bus_call *c, enum served_outcome outcome, const char *error) {
    struct service *service = c->service;
    struct tv_bus *b = service->bus;

    discard(b, TV_TAKE_PTR(c->message.nats));
    b->calls--;
    if (b->freed) { /* the bus has waited for this call */
        free(c);
        if (b->calls == 0)
            free_bus_memory(b);
        return;
    }
    tv_inc(service->served[c->method * SERVED_OUTCOMES + outcome]);
    tv_bus_srv_count(service->srv, c->method, tv_clock_mono_us() - c->started_us, error);
    LIST_INSERT_HEAD(&b->spare_calls, c, link);
}

const struct tv_bus_message *tv_bus_call_message(const struct tv_bus_call *c) {
    return &c->message;
}

/* Answers with an error; the text may come from anywhere and must fit a header. */
static enum tv_err send_error(struct tv_bus *b, const char *reply, enum tv_err err,
                              const char *detail, struct tv_str body) {
    const struct tv_err_info *info = tv_err_info(err);
    char code[8], text[256];

    snprintf(code, sizeof(code), "%u", info->http);
    snprintf(text, sizeof(text), "%s", detail != NULL && *detail != '\0' ? detail : info->title);
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ')
            *p = ' ';
    }
    const struct tv_bus_header headers[] = {
        {"Nats-Service-Error-Code", code}, {"Nats-Service-Error", text}, {"tv-error", info->slug}};
    return publish(b, reply, NULL, headers, TV_ARRAY_LEN(headers), body);
}

/* The server gives the right to answer to the connection that it sent the request over. On a later
 * one the answer would be a violation, and nobody is waiting for it. */
static bool may_answer(const struct tv_bus_call *c) {
    return c->socket_no == c->service->bus->socket_no;
}

void tv_bus_reply_error(struct tv_bus_call *c, enum tv_err err, const char *detail,
                        struct tv_str body) {
    if (!may_answer(c)) {
        tv_bus_drop(c);
        return;
    }
    (void)send_error(c->service->bus, natsMsg_GetReply(c->message.nats), err, detail, body);
    end_call(c, SERVED_ERROR, tv_err_info(err)->slug); /* of a closed list: no text of people */
}

void tv_bus_reply(struct tv_bus_call *c, struct tv_str body) {
    if (!may_answer(c)) {
        tv_bus_drop(c);
        return;
    }
    enum tv_err err =
        publish(c->service->bus, natsMsg_GetReply(c->message.nats), NULL, NULL, 0, body);

    if (err == TV_ERR_TOO_LARGE)
        tv_bus_reply_error(c, TV_ERR_INTERNAL, "the reply is too large", TV_S(""));
    else
        end_call(c, err == TV_OK ? SERVED_OK : SERVED_DROPPED,
                 err == TV_OK ? NULL : tv_err_info(err)->slug);
}

void tv_bus_drop(struct tv_bus_call *c) { end_call(c, SERVED_DROPPED, "dropped"); }

static bool find_method(const struct service *s, const char *subject, unsigned *ret) {
    for (size_t i = 0; i < s->def->method_count; i++) {
        if (strcmp(s->def->methods[i], subject + s->prefix_len) == 0) {
            *ret = (unsigned)i;
            return true;
        }
    }
    return false;
}

/* Takes `m`. */
static void serve(struct service *s, natsMsg *m) {
    struct tv_bus *b = s->bus;
    const char *reply = natsMsg_GetReply(m);
    unsigned method;

    if (reply == NULL || !find_method(s, natsMsg_GetSubject(m), &method)) {
        if (reply != NULL)
            (void)send_error(b, reply, TV_ERR_NOT_FOUND, "there is no such method", TV_S(""));
        discard(b, m);
        return;
    }
    struct tv_bus_call *c = LIST_FIRST(&b->spare_calls);
    if (c == NULL)
        c = tv_malloc(sizeof(*c));
    else
        LIST_REMOVE(c, link);
    *c = (struct tv_bus_call){.message = {.nats = m},
                              .service = s,
                              .method = method,
                              .socket_no = b->socket_no,
                              .started_us = tv_clock_mono_us()};
    b->calls++;
    s->def->on_call(s->def->ctx, method, c);
}

static void subscribe_service(struct service *s) {
    if (s->subscription != NULL || s->draining)
        return;
    if (natsConnection_QueueSubscribeSync(&s->subscription, s->bus->nats, s->subject,
                                          s->bus->name) == NATS_OK)
        natsSubscription_SetPendingLimits(s->subscription, -1, -1);
}

static uint64_t read_services(struct tv_bus *b) {
    uint64_t count = 0;
    struct service *s;

    STAILQ_FOREACH(s, &b->services, link) {
        natsMsg *m = NULL;

        while (has_mail(s->subscription)) {
            natsStatus status = natsSubscription_NextMsg(&m, s->subscription, 0);

            if (status == NATS_OK)
                serve(s, m);
            else if (status != NATS_NO_RESPONDERS) /* a request that looks so: dropped by libnats */
                break;
            count++;
        }
    }
    return count;
}

void tv_bus_serve(struct tv_bus *b, const struct tv_bus_service *def) {
    struct service *s = tv_calloc(1, sizeof(*s));
    int len = snprintf(s->subject, sizeof(s->subject), "tv.v1.%s.*", def->name);

    assert(len > 0 && (size_t)len < sizeof(s->subject));
    s->bus = b;
    s->def = def;
    s->prefix_len = (size_t)len - 1;
    s->served = tv_calloc(def->method_count * SERVED_OUTCOMES, sizeof(struct tv_series *));
    for (size_t i = 0; i < def->method_count * SERVED_OUTCOMES; i++)
        s->served[i] =
            tv_metric_series(&served_metric, def->name, def->methods[i / SERVED_OUTCOMES],
                             served_outcomes[i % SERVED_OUTCOMES], NULL);
    s->srv = tv_bus_srv_new(b, &b->identity, def);
    STAILQ_INSERT_TAIL(&b->services, s, link);
    if (usable(b))
        subscribe_service(s);
}

void tv_bus_drain(struct tv_bus *b) {
    struct service *s;

    STAILQ_FOREACH(s, &b->services, link) {
        if (s->draining)
            continue;
        s->draining = true;
        /* Unsubscribes, and goes on until the server has confirmed: what it had sent is served. */
        if (s->subscription != NULL && usable(b))
            natsSubscription_DrainTimeout(s->subscription, DRAIN_TIMEOUT_MS);
    }
}

/* -- nudges -------------------------------------------------------------------------------------*/

struct nudge {
    struct tv_mail mail;
    struct tv_bus_subscription *subscription;
    natsMsg *message; /* NULL: the subscription has ended, nothing follows */
};

/* Takes it off the bus. It is freed when its owner does not want it any more, who may say so after
 * the bus is gone. */
static void forget_subscription(struct tv_bus_subscription *s) {
    if (s->bus != NULL)
        TAILQ_REMOVE(&s->bus->subscriptions, s, link);
    s->bus = NULL;
    if (s->dead) {
        free(s->subject);
        free(s);
    }
}

static void on_nudge(struct tv_mail *mail) {
    struct nudge *n = tv_container_of(mail, struct nudge, mail);
    struct tv_bus_subscription *s = n->subscription;

    if (n->message != NULL) {
        const struct tv_bus_message m = {.nats = n->message};
        if (!s->dead && !s->bus->freeing)
            s->on_message(s->ctx, &m);
        natsMsg_Destroy(n->message);
    } else {
        natsSubscription_Destroy(TV_TAKE_PTR(s->nats));
        if (s->dead || s->bus->freeing)
            forget_subscription(s);
    }
    free(n);
}

static void post_nudge(struct tv_bus_subscription *s, natsMsg *message) {
    struct nudge *n = tv_malloc(sizeof(*n));

    *n = (struct nudge){.mail.fn = on_nudge, .subscription = s, .message = message};
    tv_loop_post(s->bus->loop, &n->mail);
}

/* These two on libnats' delivery thread. */
static void on_nats_message(natsConnection *nc, natsSubscription *sub, natsMsg *m, void *closure) {
    post_nudge(closure, m);
}
static void on_nats_complete(void *closure) { post_nudge(closure, NULL); }

static void subscribe_nudges(struct tv_bus_subscription *s) {
    natsSubscription *sub = NULL;

    if (s->nats != NULL || s->dead)
        return;
    if (natsConnection_Subscribe(&sub, s->bus->nats, s->subject, on_nats_message, s) != NATS_OK)
        return;
    natsSubscription_SetOnCompleteCB(sub, on_nats_complete, s);
    natsSubscription_SetPendingLimits(sub, -1, -1); /* emptied at once into the mailbox */
    s->nats = sub;
}

enum tv_err tv_bus_publish(struct tv_bus *b, const char *subject,
                           const struct tv_bus_header *headers, size_t header_count,
                           struct tv_str body) {
    return publish(b, subject, NULL, headers, header_count, body);
}

void tv_bus_respond(struct tv_bus *b, const struct tv_bus_message *m, struct tv_str body) {
    if (natsMsg_GetReply(m->nats) != NULL)
        (void)publish(b, natsMsg_GetReply(m->nats), NULL, NULL, 0, body);
}

struct tv_bus_subscription *
tv_bus_subscribe(struct tv_bus *b, const char *subject,
                 void (*on_message)(void *ctx, const struct tv_bus_message *m), void *ctx) {
    struct tv_bus_subscription *s = tv_calloc(1, sizeof(*s));

    *s = (struct tv_bus_subscription){
        .bus = b, .subject = tv_strdup(subject), .on_message = on_message, .ctx = ctx};
    TAILQ_INSERT_TAIL(&b->subscriptions, s, link);
    if (usable(b))
        subscribe_nudges(s);
    return s;
}

void tv_bus_unsubscribe(struct tv_bus_subscription *s) {
    if (s == NULL)
        return;
    s->dead = true;
    if (s->nats == NULL)
        forget_subscription(s);
    else if (usable(s->bus)) /* otherwise when the connection is back */
        natsSubscription_Unsubscribe(s->nats);
}

/* -- the socket ---------------------------------------------------------------------------------*/

static void write_out(struct tv_bus *b) {
    b->written = b->requests;                 /* or in part: then nobody knows how far */
    if (natsConnection_Buffered(b->nats) > 0) /* writing nothing is an error to libnats */
        natsConnection_ProcessWriteEvent(b->nats);
    if (b->watch != NULL && atomic_load(&b->attached))
        tv_watch_set(b->watch,
                     TV_READABLE | (natsConnection_Buffered(b->nats) > 0 ? TV_WRITABLE : 0));
}

static void on_write_turn(void *ctx) {
    struct tv_bus *b = ctx;

    if (b->nats != NULL && atomic_load(&b->attached))
        write_out(b);
}

static void read_in(struct tv_bus *b) {
    uint64_t arrived = 0, unused;

    natsConnection_ProcessReadEvent(b->nats);
    if (natsConnection_GetStats(b->nats, b->statistics) != NATS_OK)
        return;
    natsStatistics_GetCounts(b->statistics, &arrived, &unused, &unused, &unused, &unused);
    uint64_t fresh = arrived - b->arrived;
    b->arrived = arrived;
    if (fresh > 0)
        fresh -= TV_MIN(read_services(b), fresh);
    if (fresh > 0)
        read_replies(b, fresh);
}

static void on_socket(void *ctx, unsigned events) {
    struct tv_bus *b = ctx;

    if (!atomic_load(&b->attached))
        return; /* mail about it is on its way */
    if ((events & TV_READABLE) != 0)
        read_in(b);
    if ((events & TV_WRITABLE) != 0 && atomic_load(&b->attached))
        write_out(b);
}

/* -- the state of the connection ----------------------------------------------------------------*/

enum event_kind {
    EVENT_ATTACH,
    EVENT_LOST,
    EVENT_WRITE,
    EVENT_CONNECTED,
    EVENT_ERROR,
    EVENT_CLOSED
};

struct event {
    struct tv_mail mail;
    struct tv_bus *bus;
    enum event_kind kind;
    natsConnection *nats;
    int fd, nats_fd;
    natsStatus status;
    char text[160];
};

static void start_connecting(struct tv_bus *b);

static void tell_state(struct tv_bus *b) {
    if (b->told_connected == b->connected || b->freeing)
        return;
    b->told_connected = b->connected;
    if (b->on_state != NULL)
        b->on_state(b->ctx, b->connected);
}

static void drop_socket(struct tv_bus *b) {
    tv_watch_free(TV_TAKE_PTR(b->watch));
    if (b->fd >= 0)
        close(b->fd);
    /* Since 3.9.2 libnats leaves the closing of its socket to the event loop. */
    if (b->nats_fd >= 0 && nats_GetVersionNumber() >= 0x030902)
        close(b->nats_fd);
    b->fd = b->nats_fd = -1;
}

static void on_attach(struct tv_bus *b, const struct event *e) {
    drop_socket(b);
    b->socket_no++;
    b->nats = e->nats;
    b->fd = e->fd;
    b->nats_fd = e->nats_fd;
    b->watch = tv_watch_new(b->loop, b->fd, TV_READABLE, on_socket, b);
    tv_turn_arm(b->loop, &b->write_turn);
}

static void on_lost(struct tv_bus *b) {
    struct tv_bus_slot *slot;

    drop_socket(b);
    b->connected = false;
    while ((slot = TAILQ_FIRST(&b->slots.flying)) != NULL)
        tv_bus_slots_end(&b->slots, slot,
                         slot->number <= b->written ? TV_ERR_UNKNOWN_OUTCOME : TV_ERR_UNAVAILABLE,
                         true);
    deliver_ended(b);
    tell_state(b);
}

static void on_connected(struct tv_bus *b) {
    struct tv_bus_subscription *n, *next;
    struct service *s;

    if (b->freeing || b->connected || !atomic_load(&b->attached))
        return; /* old news: it was lost again meanwhile */
    b->connected = true;
    b->closed = false;
    STAILQ_FOREACH(s, &b->services, link)
        subscribe_service(s);
    TV_TAILQ_FOREACH_SAFE(n, &b->subscriptions, link, next) {
        if (n->dead && n->nats != NULL)
            natsSubscription_Unsubscribe(n->nats);
        else
            subscribe_nudges(n);
    }
    tell_state(b);
}

static void on_error(struct tv_bus *b, const struct event *e) {
    if (e->status == NATS_NOT_PERMITTED) {
        b->violated = true;
        tv_inc(tv_metric_single(&violations_metric));
        tv_log_error("NATS does not permit this", F_STR(ERROR, e->text));
    } else if (e->status == NATS_SLOW_CONSUMER) {
        tv_inc(tv_metric_single(&slow_metric));
    }
}

/* Forgets everything that belongs to a connection that will not come back. */
static void drop_connection(struct tv_bus *b) {
    struct service *s;

    drop_socket(b);
    STAILQ_FOREACH(s, &b->services, link)
        natsSubscription_Destroy(TV_TAKE_PTR(s->subscription));
    for (uint32_t i = 0; i < b->slots.count; i++)
        natsSubscription_Destroy(TV_TAKE_PTR(b->slots.all[i]->subscription));
    natsConnection_Destroy(TV_TAKE_PTR(b->nats));
    b->arrived = 0;
}

/* libnats gives up after a refusal (wrong password, too many connections). We do not. */
static void on_closed(struct tv_bus *b) {
    b->closed = true;
    if (b->freeing)
        return;
    on_lost(b);
    drop_connection(b);
    tv_timer_set(b->reconnect_timer, RECONNECT_MAX_MS * TV_US_PER_MS);
}

static void on_reconnect_timer(void *ctx) { start_connecting(ctx); }

static void on_event(struct tv_mail *mail) {
    struct event *e = tv_container_of(mail, struct event, mail);
    struct tv_bus *b = e->bus;

    switch (e->kind) {
    case EVENT_ATTACH:
        on_attach(b, e);
        break;
    case EVENT_LOST:
        on_lost(b);
        break;
    case EVENT_WRITE:
        tv_turn_arm(b->loop, &b->write_turn);
        break;
    case EVENT_CONNECTED:
        if (b->requests > 0 || b->told_connected)
            tv_inc(tv_metric_single(&reconnects_metric));
        on_connected(b);
        break;
    case EVENT_ERROR:
        on_error(b, e);
        break;
    case EVENT_CLOSED:
        on_closed(b);
        break;
    }
    free(e);
}

static struct event *post_event(struct tv_bus *b, struct event event) {
    struct event *e = tv_malloc(sizeof(*e));

    *e = event;
    e->mail.fn = on_event;
    e->bus = b;
    tv_loop_post(b->loop, &e->mail);
    return e;
}

/* The following are called by libnats, on any of its threads or from within our calls. */

static natsStatus on_attach_event(void **user_data, void *bus, natsConnection *nc, natsSock fd) {
    struct tv_bus *b = bus;
    /* A duplicate, for libnats may close its descriptor before the loop has stopped watching. */
    int mine = fcntl((int)fd, F_DUPFD_CLOEXEC, 3);

    if (mine < 0)
        return NATS_ERR;
    *user_data = b;
    atomic_store(&b->attached, true);
    post_event(b, (struct event){.kind = EVENT_ATTACH, .nats = nc, .fd = mine, .nats_fd = (int)fd});
    return NATS_OK;
}

static natsStatus on_read_event(void *user_data, bool add) {
    struct tv_bus *b = user_data;

    if (!add && atomic_exchange(&b->attached, false))
        post_event(b, (struct event){.kind = EVENT_LOST});
    return NATS_OK;
}

static natsStatus on_write_event(void *user_data, bool add) {
    struct tv_bus *b = user_data;

    if (add && pthread_equal(pthread_self(), b->thread))
        tv_turn_arm(b->loop, &b->write_turn);
    else if (add)
        post_event(b, (struct event){.kind = EVENT_WRITE});
    return NATS_OK;
}

static natsStatus on_detach_event(void *user_data) { return NATS_OK; }

static void on_nats_connected(natsConnection *nc, void *bus) {
    post_event(bus, (struct event){.kind = EVENT_CONNECTED});
}

static void on_nats_closed(natsConnection *nc, void *bus) {
    post_event(bus, (struct event){.kind = EVENT_CLOSED});
}

static void on_nats_error(natsConnection *nc, natsSubscription *sub, natsStatus s, void *bus) {
    struct event e = {.kind = EVENT_ERROR, .status = s};
    const char *text = NULL;

    natsConnection_GetLastError(nc, &text);
    snprintf(e.text, sizeof(e.text), "%s", text != NULL ? text : natsStatus_GetText(s));
    post_event(bus, e);
}

static int64_t reconnect_delay_ms(natsConnection *nc, int attempts, void *closure) {
    int64_t most = TV_MIN(RECONNECT_MIN_MS << TV_MIN(attempts - 1, 6), RECONNECT_MAX_MS);
    uint32_t random = 0;

    (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
    return most / 2 + random % (uint32_t)(most / 2 + 1);
}

/* -- connecting ---------------------------------------------------------------------------------*/

static void connect_on_worker(struct tv_work *w) {
    struct tv_bus *b = tv_container_of(w, struct tv_bus, connect_work);
    natsConnection *nc = NULL;

    b->connect_status = natsConnection_Connect(&nc, b->options);
    w->private_ = nc;
}

static void on_connect_done(struct tv_work *w) {
    struct tv_bus *b = tv_container_of(w, struct tv_bus, connect_work);

    b->connecting = false;
    b->nats = w->private_; /* NULL when there is no hope even for libnats */
    if (b->connect_status == NATS_OK)
        on_connected(b);
    else if (b->nats == NULL)
        tv_timer_set(b->reconnect_timer, RECONNECT_MAX_MS * TV_US_PER_MS);
}

/* On a worker, for libnats' first attempt blocks; later ones are on a thread of its own. */
static void start_connecting(struct tv_bus *b) {
    b->connecting = true;
    b->connect_work = (struct tv_work){.work = connect_on_worker, .done = on_connect_done};
    tv_loop_work(b->loop, &b->connect_work);
}

static bool is_server_url(struct tv_str url) {
    uint64_t port;
    struct tv_str host;

    if (!tv_str_starts(url, TV_S("nats://")) && !tv_str_starts(url, TV_S("tls://")))
        return false;
    host = url;
    tv_str_cut(&host, '/');
    tv_str_cut(&host, '/');
    const char *colon = memrchr(host.p, ':', host.len);
    if (colon == NULL || host.p[host.len - 1] == ']') /* no port, or an IPv6 address */
        return host.len > 0;
    struct tv_str port_text = {colon + 1, (size_t)(host.p + host.len - colon - 1)};
    return colon > host.p && tv_str_to_u64(port_text, 1, 65535, &port);
}

static natsStatus set_servers(natsOptions *o, const char *urls) {
    const char *servers[16];
    char *copies[TV_ARRAY_LEN(servers)];
    int count = 0;
    struct tv_str rest = tv_str(urls);
    natsStatus s = NATS_OK;

    while (rest.p != NULL && s == NATS_OK) {
        struct tv_str url = tv_str_trim(tv_str_cut(&rest, ','));

        if (count == (int)TV_ARRAY_LEN(servers) || !is_server_url(url))
            s = NATS_INVALID_ARG;
        else
            servers[count] = copies[count] = tv_strndup(url.p, url.len), count++;
    }
    if (s == NATS_OK)
        s = natsOptions_SetServers(o, servers, count);
    while (count > 0)
        free(copies[--count]);
    return s;
}

static enum tv_err make_options(struct tv_bus *b, const struct tv_bus_config *c,
                                struct tv_error *e) {
    natsOptions *o = NULL;
    natsStatus s = natsOptions_Create(&o);

    b->options = o;
    if (s != NATS_OK || set_servers(o, c->url) != NATS_OK)
        return tv_fail(e, TV_ERR_INVALID, "the NATS URL is not nats://host:port[,...]");
    s = natsOptions_SetName(o, c->name);
    s = s == NATS_OK ? natsOptions_SetEventLoop(o, b, on_attach_event, on_read_event,
                                                on_write_event, on_detach_event)
                     : s;
    s = s == NATS_OK ? natsOptions_SetSendAsap(o, true) : s; /* else a thread would flush */
    s = s == NATS_OK ? natsOptions_UseGlobalMessageDelivery(o, true) : s;
    s = s == NATS_OK ? natsOptions_SetTimeout(o, CONNECT_TIMEOUT_MS) : s;
    s = s == NATS_OK ? natsOptions_SetPingInterval(o, PING_INTERVAL_MS) : s;
    s = s == NATS_OK ? natsOptions_SetMaxPingsOut(o, PINGS_UNANSWERED) : s;
    s = s == NATS_OK ? natsOptions_SetMaxReconnect(o, -1) : s;
    s = s == NATS_OK ? natsOptions_SetCustomReconnectDelay(o, reconnect_delay_ms, b) : s;
    s = s == NATS_OK ? natsOptions_SetReconnectBufSize(o, 0) : s; /* nothing is sent later */
    s = s == NATS_OK ? natsOptions_SetRetryOnFailedConnect(o, true, on_nats_connected, b) : s;
    s = s == NATS_OK ? natsOptions_SetReconnectedCB(o, on_nats_connected, b) : s;
    s = s == NATS_OK ? natsOptions_SetClosedCB(o, on_nats_closed, b) : s;
    s = s == NATS_OK ? natsOptions_SetErrorHandler(o, on_nats_error, b) : s;
    if (s != NATS_OK)
        return tv_fail(e, TV_ERR_INTERNAL, "NATS options: %s", natsStatus_GetText(s));
    if (c->user != NULL && natsOptions_SetUserInfo(o, c->user, c->password) != NATS_OK)
        return tv_fail(e, TV_ERR_INVALID, "the NATS user is not usable");
    if (c->creds_file != NULL &&
        natsOptions_SetUserCredentialsFromFiles(o, c->creds_file, NULL) != NATS_OK)
        return tv_fail(e, TV_ERR_INVALID, "the NATS credentials are not usable");
    if (c->ca_file != NULL && (natsOptions_SetSecure(o, true) != NATS_OK ||
                               natsOptions_LoadCATrustedCertificates(o, c->ca_file) != NATS_OK))
        return tv_fail(e, TV_ERR_INVALID, "the CA certificates for NATS are not usable");
    return TV_OK;
}

static void make_id(char out[static ID_TEXT]) {
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    unsigned char random[ID_TEXT - 1];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        tv_panic("getrandom failed");
    for (size_t i = 0; i < sizeof(random); i++)
        out[i] = digits[random[i] % (sizeof(digits) - 1)];
    out[ID_TEXT - 1] = '\0';
}

enum tv_err tv_bus_new(struct tv_loop *l, const struct tv_bus_config *c, struct tv_bus **ret,
                       struct tv_error *e) {
    struct tv_bus *b = tv_calloc(1, sizeof(*b));

    b->loop = l;
    b->thread = pthread_self();
    b->on_state = c->on_state;
    b->ctx = c->ctx;
    b->fd = b->nats_fd = -1;
    b->write_turn = (struct tv_turn){.fn = on_write_turn, .ctx = b};
    b->end_turn = (struct tv_turn){.fn = on_end_turn, .ctx = b};
    tv_bus_slots_init(&b->slots);
    STAILQ_INIT(&b->services);
    TAILQ_INIT(&b->subscriptions);
    b->name = tv_strdup(c->name);
    b->version = tv_strdup(c->version != NULL ? c->version : "0.0.0");
    b->description = tv_strdup(c->description != NULL ? c->description : "");
    make_id(b->id);
    b->identity = (struct tv_bus_identity){b->name, b->id, b->version, b->description};
    snprintf(b->inbox, sizeof(b->inbox), "_INBOX_%s.%s", b->name, b->id);

    enum tv_err err = make_options(b, c, e);
    if (err == TV_OK && natsStatistics_Create(&b->statistics) != NATS_OK)
        err = tv_fail(e, TV_ERR_INTERNAL, "NATS statistics");
    if (err != TV_OK) {
        natsOptions_Destroy(TV_TAKE_PTR(b->options));
        free_bus_memory(b);
        return err;
    }
    register_metrics();
    b->deadline_timer = tv_timer_new(l, on_deadline, b);
    b->reconnect_timer = tv_timer_new(l, on_reconnect_timer, b);
    start_connecting(b);
    *ret = b;
    return TV_OK;
}

bool tv_bus_connected(const struct tv_bus *b) { return usable(b); }
bool tv_bus_healthy(const struct tv_bus *b) { return !b->violated && !b->closed; }

size_t tv_bus_pending(const struct tv_bus *b) {
    size_t pending = b->calls + b->slots.flying_count;
    struct service *s;

    if (!TAILQ_EMPTY(&b->slots.ended))
        pending++;
    if (!usable(b))
        return pending;
    STAILQ_FOREACH(s, &b->services, link) {
        if (s->draining && s->subscription != NULL &&
            natsSubscription_DrainCompletionStatus(s->subscription) == NATS_ILLEGAL_STATE)
            pending++;
    }
    return pending + (size_t)TV_MAX(natsConnection_Buffered(b->nats), 0);
}

/* -- the end ------------------------------------------------------------------------------------*/

static bool is_flushed(void *ctx) {
    struct tv_bus *b = ctx;

    return !b->connecting && (!usable(b) || natsConnection_Buffered(b->nats) <= 0);
}

static bool is_closed(void *ctx) {
    struct tv_bus *b = ctx;

    return !b->connecting && (b->nats == NULL || (b->closed && TAILQ_EMPTY(&b->subscriptions)));
}

static void free_bus_memory(struct tv_bus *b) {
    struct tv_bus_call *c;
    struct service *s;

    destroy_discarded(b);
    while ((c = LIST_FIRST(&b->spare_calls)) != NULL) {
        LIST_REMOVE(c, link);
        free(c);
    }
    while ((s = STAILQ_FIRST(&b->services)) != NULL) {
        STAILQ_REMOVE_HEAD(&b->services, link);
        free(s->served);
        free(s);
    }
    for (size_t i = 0; i < TV_ARRAY_LEN(b->counted); i++) {
        if (b->counted[i] != NULL)
            free(b->counted[i]->subject);
        free(b->counted[i]);
    }
    tv_bus_slots_done(&b->slots);
    free(b->name);
    free(b->version);
    free(b->description);
    free(b);
}

void tv_bus_free(struct tv_bus *b) {
    struct tv_bus_subscription *n, *next;
    struct tv_bus_slot *slot;
    struct service *s;

    if (b == NULL)
        return;
    b->freeing = true;
    while ((slot = TAILQ_FIRST(&b->slots.flying)) != NULL)
        tv_bus_slots_end(&b->slots, slot, TV_ERR_UNAVAILABLE, true);
    deliver_ended(b);
    STAILQ_FOREACH(s, &b->services, link)
        tv_bus_srv_free(TV_TAKE_PTR(s->srv));
    TV_TAILQ_FOREACH_SAFE(n, &b->subscriptions, link, next) {
        if (n->nats == NULL)
            forget_subscription(n);
        else if (!n->dead && usable(b)) /* otherwise closing does it */
            natsSubscription_Unsubscribe(n->nats);
    }
    tv_loop_run_until(b->loop, is_flushed, b, FLUSH_AT_END_US);
    /* A worker or a callback of libnats may still hold the bus: wait for the last one. */
    if (b->connecting)
        tv_loop_run_until(b->loop, is_closed, b, CLOSE_TIMEOUT_US);
    if (b->nats != NULL)
        natsConnection_Close(b->nats);
    bool over = tv_loop_run_until(b->loop, is_closed, b, CLOSE_TIMEOUT_US);
    drop_connection(b);
    deliver_ended(b);
    tv_turn_disarm(b->loop, &b->write_turn);
    tv_turn_disarm(b->loop, &b->end_turn);
    tv_timer_free(b->deadline_timer);
    tv_timer_free(b->reconnect_timer);
    natsStatistics_Destroy(b->statistics);
    natsOptions_Destroy(b->options);
    b->freed = true;
    b->calls += over ? 0 : 1; /* libnats still holds it: rather leak than crash */
    if (b->calls == 0)        /* otherwise the last call frees it */
        free_bus_memory(b);
}
