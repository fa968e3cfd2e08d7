/* bus.c - requests and services, as bus.h promises them; bus_internal.h tells the way of one. */
#include "bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bus_internal.h"
#include "clock.h"
#include "log.h"

enum {
    ID_TEXT = 23,
    INBOX_TEXT = 96,
    SUBJECT_TEXT = 192,
};

struct service {
    struct tv_bus *bus;
    const struct tv_bus_service *def;
    char subject[SUBJECT_TEXT]; /* tv.v1.<name>.* */
    size_t prefix_len;
    void *box; /* NULL until connected */
    struct tv_bus_srv *srv;
    struct tv_bus_served *served; /* by method */
    bool draining;
    STAILQ_ENTRY(service) link;
};

struct tv_bus_call {
    struct tv_bus_message message;
    struct service *service;
    unsigned method;
    unsigned loss_no; /* of the bus when it came */
    int64_t started_us;
    LIST_ENTRY(tv_bus_call) link;
};

struct tv_bus {
    struct tv_loop *loop;
    void (*on_state)(void *ctx, bool connected);
    void *ctx;
    char id[ID_TEXT], inbox[INBOX_TEXT];
    char *name, *version, *description;
    struct tv_bus_identity identity;

    struct tv_bus_wire *wire;
    struct tv_bus_nats *nats; /* of the wire */
    bool was_connected, told_connected, violated;
    bool freeing, freed;
    unsigned loss_no; /* counts the sockets that were lost */

    struct tv_bus_slots slots;
    struct tv_turn end_turn;
    struct tv_timer *deadline_timer;
    int64_t timer_at_us; /* 0: not set */
    struct tv_bus_counters counters;

    STAILQ_HEAD(, service) services;
    LIST_HEAD(, tv_bus_call) spare_calls;
    size_t calls; /* handed out and not answered */
    struct tv_bus_nudges nudges;
};

/* -- requests -----------------------------------------------------------------------------------*/

/* Calls back everything that has ended. Callbacks may request and cancel as they like. */
static void deliver_ended(struct tv_bus *b) {
    struct tv_bus_slot *slot;

    while ((slot = TAILQ_FIRST(&b->slots.ended)) != NULL) {
        struct tv_bus_message reply = {.nats = TV_TAKE_PTR(slot->reply)};
        tv_bus_reply_fn *on_reply = slot->on_reply;
        void *ctx = slot->ctx;
        enum tv_err err = slot->err;

        tv_bus_count_end(slot->counters, err, tv_clock_mono_us() - slot->started_us);
        tv_bus_slots_drop(&b->slots, slot);
        on_reply(ctx, err, err == TV_OK ? &reply : NULL);
        tv_bus_nats_discard(b->nats, reply.nats);
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

/* Makes sure that the slot has its own fresh box. */
static bool open_slot(struct tv_bus *b, struct tv_bus_slot *slot) {
    char subject[SUBJECT_TEXT];

    if (slot->box != NULL && !slot->renew)
        return true;
    tv_bus_nats_close(TV_TAKE_PTR(slot->box));
    snprintf(subject, sizeof(subject), "%s.%u.*", b->inbox, slot->index);
    slot->box = tv_bus_nats_open(b->nats, subject, NULL);
    slot->renew = slot->box == NULL;
    return slot->box != NULL;
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
    slot->counters = tv_bus_counters_of(&b->counters, subject);
    slot->started_us = tv_clock_mono_us();
    if (deadline_us <= tv_loop_now_us(b->loop))
        err = TV_ERR_DEADLINE;
    else if (tv_bus_wire_usable(b->wire) && !b->freeing && open_slot(b, slot)) {
        snprintf(reply, sizeof(reply), "%s.%u.%u", b->inbox, slot->index, slot->generation);
        err = tv_bus_wire_publish(b->wire, subject, reply, headers, header_count, body);
        slot->number = tv_bus_wire_number(b->wire);
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
    tv_bus_nats_discard(b->nats, TV_TAKE_PTR(slot->reply));
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

/* Takes what came for a slot; returns how many messages. The first one that answers its present
 * (or, when retired, its last) request decides, others are late or doubled. */
static uint64_t read_slot(struct tv_bus *b, struct tv_bus_slot *slot) {
    uint64_t count = 0;
    void *m = NULL;

    for (enum tv_bus_taken taken; (taken = tv_bus_nats_take(slot->box, &m)) != TV_TAKEN_NOTHING;
         m = NULL, count++) {
        bool mine =
            taken == TV_TAKEN_NOBODY || generation_of(tv_bus_nats_subject(m)) == slot->generation;
        if (mine && slot->state == TV_SLOT_FLYING) {
            tv_bus_slots_end(&b->slots, slot, m == NULL ? TV_ERR_UNAVAILABLE : TV_OK, true);
            slot->reply = m;
            continue;
        }
        if (mine && slot->state == TV_SLOT_RETIRED)
            tv_bus_slots_reprieve(&b->slots, slot);
        tv_inc(b->counters.late);
        tv_bus_nats_discard(b->nats, m);
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

static void end_call(struct tv_bus_call *c, enum tv_bus_outcome outcome, const char *error) {
    struct service *service = c->service;
    struct tv_bus *b = service->bus;

    tv_bus_nats_discard(b->nats, TV_TAKE_PTR(c->message.nats));
    b->calls--;
    if (b->freed) { /* the bus has waited for this call */
        free(c);
        if (b->calls == 0)
            free_bus_memory(b);
        return;
    }
    int64_t took_us = tv_clock_mono_us() - c->started_us;
    tv_bus_count_served(&service->served[c->method], outcome, took_us);
    tv_bus_srv_count(service->srv, c->method, took_us, error);
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
    return tv_bus_wire_publish(b->wire, reply, NULL, headers, TV_ARRAY_LEN(headers), body);
}

/* The server gives the right to answer to the connection that it sent the request over. On a later
 * one the answer would be a violation, and nobody is waiting for it. */
static bool may_answer(const struct tv_bus_call *c) {
    return c->loss_no == c->service->bus->loss_no;
}

void tv_bus_reply_error(struct tv_bus_call *c, enum tv_err err, const char *detail,
                        struct tv_str body) {
    if (!may_answer(c)) {
        tv_bus_drop(c);
        return;
    }
    (void)send_error(c->service->bus, tv_bus_nats_reply_to(c->message.nats), err, detail, body);
    end_call(c, tv_err_info(err)->http < 500 ? TV_SERVED_REFUSED : TV_SERVED_FAILED,
             tv_err_info(err)->slug); /* of a closed list: no text of people */
}

void tv_bus_reply(struct tv_bus_call *c, struct tv_str body) {
    if (!may_answer(c)) {
        tv_bus_drop(c);
        return;
    }
    enum tv_err err = tv_bus_wire_publish(
        c->service->bus->wire, tv_bus_nats_reply_to(c->message.nats), NULL, NULL, 0, body);

    if (err == TV_ERR_TOO_LARGE)
        tv_bus_reply_error(c, TV_ERR_INTERNAL, "the reply is too large", TV_S(""));
    else
        end_call(c, err == TV_OK ? TV_SERVED_OK : TV_SERVED_DROPPED,
                 err == TV_OK ? NULL : tv_err_info(err)->slug);
}

void tv_bus_drop(struct tv_bus_call *c) { end_call(c, TV_SERVED_DROPPED, "dropped"); }

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
static void serve(struct service *s, void *m) {
    struct tv_bus *b = s->bus;
    const char *reply = tv_bus_nats_reply_to(m);
    unsigned method;

    if (reply == NULL || !find_method(s, tv_bus_nats_subject(m), &method)) {
        if (reply != NULL)
            (void)send_error(b, reply, TV_ERR_NOT_FOUND, "there is no such method", TV_S(""));
        tv_bus_nats_discard(b->nats, m);
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
                              .loss_no = b->loss_no,
                              .started_us = tv_clock_mono_us()};
    b->calls++;
    s->def->on_call(s->def->ctx, method, c);
}

static void open_service(struct service *s) {
    if (s->box == NULL && !s->draining)
        s->box = tv_bus_nats_open(s->bus->nats, s->subject, s->bus->name);
}

static uint64_t read_services(struct tv_bus *b) {
    uint64_t count = 0;
    struct service *s;

    STAILQ_FOREACH(s, &b->services, link) {
        void *m = NULL;

        for (enum tv_bus_taken taken; (taken = tv_bus_nats_take(s->box, &m)) != TV_TAKEN_NOTHING;
             count++) {
            if (taken == TV_TAKEN_MESSAGE) /* else a request that looks like "no responders" */
                serve(s, m);
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
    s->served = tv_calloc(def->method_count, sizeof(*s->served));
    for (size_t i = 0; i < def->method_count; i++)
        tv_bus_served_init(&s->served[i], def->name, def->methods[i]);
    s->srv = tv_bus_srv_new(b, &b->identity, def);
    STAILQ_INSERT_TAIL(&b->services, s, link);
    if (tv_bus_wire_usable(b->wire))
        open_service(s);
}

void tv_bus_drain(struct tv_bus *b) {
    struct service *s;

    STAILQ_FOREACH(s, &b->services, link) {
        if (s->draining)
            continue;
        s->draining = true;
        if (s->box != NULL && tv_bus_wire_usable(b->wire))
            tv_bus_nats_drain(s->box);
    }
}

/* -- nudges: the rest of them is in bus_nudges.c ------------------------------------------------*/

enum tv_err tv_bus_publish(struct tv_bus *b, const char *subject,
                           const struct tv_bus_header *headers, size_t header_count,
                           struct tv_str body) {
    return tv_bus_wire_publish(b->wire, subject, NULL, headers, header_count, body);
}

void tv_bus_respond(struct tv_bus *b, const struct tv_bus_message *m, struct tv_str body) {
    const char *to = tv_bus_nats_reply_to(m->nats);

    if (to != NULL)
        (void)tv_bus_wire_publish(b->wire, to, NULL, NULL, 0, body);
}

struct tv_bus_nudges *tv_bus_nudges_of(struct tv_bus *b) {
    return &b->nudges;
}

/* -- what the wire tells ------------------------------------------------------------------------*/

static void tell_state(struct tv_bus *b, bool connected) {
    if (b->told_connected == connected || b->freeing)
        return;
    b->told_connected = connected;
    if (b->on_state != NULL)
        b->on_state(b->ctx, connected);
}

void tv_bus_on_up(struct tv_bus *b) {
    struct service *s;

    if (b->was_connected)
        tv_inc(b->counters.reconnects);
    b->was_connected = true;
    STAILQ_FOREACH(s, &b->services, link)
        open_service(s);
    tv_bus_nudges_on_up(&b->nudges);
    tell_state(b, true);
}

void tv_bus_on_read(struct tv_bus *b, uint64_t count) {
    count -= TV_MIN(read_services(b), count);
    if (count > 0)
        read_replies(b, count);
}

void tv_bus_on_down(struct tv_bus *b) {
    struct tv_bus_slot *slot;

    b->loss_no++;
    while ((slot = TAILQ_FIRST(&b->slots.flying)) != NULL) {
        bool was_written = tv_bus_wire_was_written(b->wire, slot->number);
        tv_bus_slots_end(&b->slots, slot, was_written ? TV_ERR_UNKNOWN_OUTCOME : TV_ERR_UNAVAILABLE,
                         true);
    }
    deliver_ended(b);
    tell_state(b, false);
}

void tv_bus_on_gone(struct tv_bus *b) {
    struct service *s;

    STAILQ_FOREACH(s, &b->services, link)
        tv_bus_nats_close(TV_TAKE_PTR(s->box));
    for (uint32_t i = 0; i < b->slots.count; i++)
        tv_bus_nats_close(TV_TAKE_PTR(b->slots.all[i]->box));
}

/* The right to answer comes with each request, and ends when the server reads its configuration
 * anew: that no answer gets through then is no fault of a list. */
static bool is_of_an_answer(const char *text) {
    return strstr(text, "Publish to \"_INBOX_") != NULL;
}

void tv_bus_on_violation(struct tv_bus *b, const char *text) {
    b->violated = b->violated || !is_of_an_answer(text);
    tv_inc(b->counters.violations);
    tv_log_error("NATS does not permit this", F_STR(ERROR, text));
}

void tv_bus_on_slow(struct tv_bus *b) { tv_inc(b->counters.slow); }

bool tv_bus_connected(const struct tv_bus *b) { return tv_bus_wire_usable(b->wire); }

bool tv_bus_healthy(const struct tv_bus *b) {
    return !b->violated && !tv_bus_wire_refused(b->wire);
}

size_t tv_bus_pending(const struct tv_bus *b) {
    size_t pending = b->calls + b->slots.flying_count + (TAILQ_EMPTY(&b->slots.ended) ? 0 : 1);
    struct service *s;

    if (!tv_bus_wire_usable(b->wire))
        return pending;
    STAILQ_FOREACH(s, &b->services, link) {
        if (s->draining && s->box != NULL && tv_bus_nats_is_draining(s->box))
            pending++;
    }
    return pending + tv_bus_wire_unsent(b->wire);
}

/* -- beginning and end --------------------------------------------------------------------------*/

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

static bool are_server_urls(const char *urls) {
    struct tv_str rest = tv_str(urls);

    while (rest.p != NULL) {
        if (!is_server_url(tv_str_trim(tv_str_cut(&rest, ','))))
            return false;
    }
    return true;
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
    if (!are_server_urls(c->url))
        return tv_fail(e, TV_ERR_INVALID, "the NATS URL is not nats://host:port[,...]");

    struct tv_bus *b = tv_calloc(1, sizeof(*b));
    b->loop = l;
    b->on_state = c->on_state;
    b->ctx = c->ctx;
    b->end_turn = (struct tv_turn){.fn = on_end_turn, .ctx = b};
    tv_bus_slots_init(&b->slots);
    STAILQ_INIT(&b->services);
    b->name = tv_strdup(c->name);
    b->version = tv_strdup(c->version != NULL ? c->version : "0.0.0");
    b->description = tv_strdup(c->description != NULL ? c->description : "");
    make_id(b->id);
    b->identity = (struct tv_bus_identity){b->name, b->id, b->version, b->description};
    snprintf(b->inbox, sizeof(b->inbox), "_INBOX_%s.%s", b->name, b->id);
    enum tv_err err = tv_bus_wire_new(l, c, b, &b->wire, e);
    if (err != TV_OK) {
        free_bus_memory(b);
        return err;
    }
    b->nats = tv_bus_wire_nats(b->wire);
    tv_bus_nudges_init(&b->nudges, b->wire);
    tv_bus_counters_init(&b->counters);
    b->deadline_timer = tv_timer_new(l, on_deadline, b);
    *ret = b;
    return TV_OK;
}

static void free_bus_memory(struct tv_bus *b) {
    struct tv_bus_call *c;
    struct service *s;

    while ((c = LIST_FIRST(&b->spare_calls)) != NULL) {
        LIST_REMOVE(c, link);
        free(c);
    }
    while ((s = STAILQ_FIRST(&b->services)) != NULL) {
        STAILQ_REMOVE_HEAD(&b->services, link);
        free(s->served);
        free(s);
    }
    tv_bus_counters_done(&b->counters);
    tv_bus_slots_done(&b->slots);
    tv_bus_wire_free(b->wire);
    free(b->name);
    free(b->version);
    free(b->description);
    free(b);
}

void tv_bus_free(struct tv_bus *b) {
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
    tv_bus_nudges_end(&b->nudges);
    bool is_over = tv_bus_wire_end(b->wire);
    deliver_ended(b);
    tv_turn_disarm(b->loop, &b->end_turn);
    tv_timer_free(b->deadline_timer);
    b->freed = true;
    if (!is_over)
        b->calls++;    /* the wire's, for ever */
    if (b->calls == 0) /* otherwise the last call frees it */
        free_bus_memory(b);
}
