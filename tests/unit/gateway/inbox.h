/* inbox.h - one person's inbox as appointments would keep it, and event streams that read it. */
#ifndef TV_TEST_INBOX_H
#define TV_TEST_INBOX_H

#include "lib/crypto.h"
#include "televisit/v1/inbox.pb-c.h"
#include "tests/unit/gateway/expect.h"

/* Entries first..last are kept; none when first is last + 1. The rig's memo. Each inbox is another
 * person's, for streams of an earlier test are noticed to be gone only when something is written.
 */
struct inbox {
    int64_t first, last;
    unsigned failures; /* so many reads fail before one succeeds */
    char person[TV_UUID_TEXT];
};

static inline Televisit__V1__InboxEntry *inbox_entry(struct test_gateway *g, int64_t seq,
                                                     struct tv_arena *a) {
    const struct inbox *inbox = g->memo;
    Televisit__V1__InboxEntry *e =
        TV_PB_NEW(a, Televisit__V1__InboxEntry, televisit__v1__inbox_entry__descriptor);
    e->seq = seq;
    e->type = tv_arena_strdup(a, "appointment.confirmed");
    e->event_id = tv_arena_strdup(a, TEST_SESSION);
    e->clinic_id = tv_arena_strdup(a, TEST_CLINIC);
    e->person_id = tv_arena_strdup(a, inbox->person);
    e->time_zone = tv_arena_strdup(a, "Europe/Berlin");
    e->actor_id = tv_arena_strdup(a, TEST_PERSON);
    return e;
}

static inline void inbox_list(struct test_gateway *g, struct tv_call *call) {
    struct inbox *inbox = g->memo;
    const Televisit__V1__ListInboxRequest *in =
        (const Televisit__V1__ListInboxRequest *)call->request;
    if (inbox->failures > 0) {
        inbox->failures--;
        tv_call_failf(call, TV_ERR_UNAVAILABLE, "The database is away");
        return;
    }
    Televisit__V1__ListInboxReply *reply = TV_PB_NEW(call->arena, Televisit__V1__ListInboxReply,
                                                     televisit__v1__list_inbox_reply__descriptor);
    assert_true(in->limit > 0);
    reply->entries = tv_arena_calloc(call->arena, (size_t)in->limit, sizeof *reply->entries);
    int64_t from = in->after >= inbox->last ? INT64_MAX : TV_MAX(in->after + 1, inbox->first);
    for (int64_t seq = from; seq <= inbox->last && (int)reply->n_entries < in->limit; seq++)
        reply->entries[reply->n_entries++] = inbox_entry(g, seq, call->arena);
    reply->first_seq = inbox->first;
    reply->last_seq = inbox->last;
    tv_call_reply(call, &reply->base);
}

static inline void inbox_heads(struct test_gateway *g, struct tv_call *call) {
    const struct inbox *inbox = g->memo;
    const Televisit__V1__HeadsRequest *in = (const Televisit__V1__HeadsRequest *)call->request;
    Televisit__V1__HeadsReply *reply =
        TV_PB_NEW(call->arena, Televisit__V1__HeadsReply, televisit__v1__heads_reply__descriptor);
    reply->heads = tv_arena_calloc(call->arena, in->n_person_ids, sizeof *reply->heads);
    for (size_t i = 0; i < in->n_person_ids; i++) {
        if (strcmp(in->person_ids[i], inbox->person) != 0)
            continue;
        Televisit__V1__Head *head =
            TV_PB_NEW(call->arena, Televisit__V1__Head, televisit__v1__head__descriptor);
        head->person_id = tv_arena_strdup(call->arena, inbox->person);
        head->last_seq = inbox->last;
        reply->heads[reply->n_heads++] = head;
    }
    tv_call_reply(call, &reply->base);
}

/* The gateway's services read this inbox from now on. */
static inline void inbox_use(struct test_gateway *g, struct inbox *inbox) {
    g->memo = inbox;
    tv_uuid(inbox->person);
    test_fake(g, "Inbox.List", inbox_list);
    test_fake(g, "Inbox.Heads", inbox_heads);
}

/* Tells the entry over the bus. */
static inline void inbox_tell(struct test_gateway *g, const Televisit__V1__InboxEntry *entry) {
    const struct inbox *inbox = g->memo;
    const char *subject =
        tv_arena_printf(g->arena, "tv.v1.inbox." TEST_CLINIC ".%s", inbox->person);
    (void)tv_bus_publish(g->bus, subject, NULL, 0, tv_pb_pack(&entry->base, g->arena));
}

/* -- streams ------------------------------------------------------------------------------------*/

struct stream_wait {
    const struct test_http *client;
    const char *text;
    bool closed;
};

static inline struct test_answer stream_answer(struct test_gateway *g, const struct test_http *c) {
    return test_http_answer(c, false, g->arena);
}

static inline bool stream_has(void *ctx) {
    const struct stream_wait *w = ctx;
    struct tv_arena *a = tv_arena_new();
    bool found = strstr(test_http_answer(w->client, false, a).body, w->text) != NULL;
    tv_arena_free(a);
    return found;
}

static inline void stream_until(struct test_gateway *g, const struct test_http *c,
                                const char *text) {
    struct stream_wait w = {c, text, false};
    test_gateway_until(g, stream_has, &w, text);
}

static inline bool stream_is_over(void *ctx) {
    const struct stream_wait *w = ctx;
    struct tv_arena *a = tv_arena_new();
    bool over = test_http_closed(w->client) || test_http_answer(w->client, false, a).complete;
    tv_arena_free(a);
    return over;
}

static inline void stream_until_over(struct test_gateway *g, const struct test_http *c) {
    struct stream_wait w = {c, "", false};
    test_gateway_until(g, stream_is_over, &w, "the end of the stream");
}

/* The ids of the stream's events so far, e.g. "6 7 8", with * at a resync. */
static inline const char *stream_ids(struct test_gateway *g, const struct test_http *c) {
    struct tv_buf ids = TV_BUF_INIT(1 << 16);
    struct tv_str rest = tv_str(stream_answer(g, c).body);
    while (rest.p != NULL) {
        struct tv_str line = tv_str_cut(&rest, '\n');
        if (tv_str_starts(line, TV_S("id: ")))
            tv_buf_printf(&ids, "%s%.*s", ids.len > 0 ? " " : "", (int)line.len - 4, line.p + 4);
        if (tv_str_eq(line, TV_S("event: resync")))
            tv_buf_char(&ids, '*');
    }
    const char *text = tv_arena_strndup(g->arena, ids.len > 0 ? ids.data : "", ids.len);
    tv_buf_done(&ids);
    return text;
}

#define INBOX_READS_OK "tv_bus_requests_total{subject=\"tv.v1.inbox.list\",outcome=\"ok\"}"

/* Reads of an inbox that are over, as the gateway counts them. */
static inline double inbox_reads(struct test_gateway *g) {
    double reads = test_gateway_metric(g, INBOX_READS_OK);
    return reads < 0 ? 0 : reads;
}

/* "Authorization: …" of the one whose inbox it is. */
static inline const char *inbox_bearer(struct test_gateway *g, int64_t ttl_s) {
    const struct inbox *inbox = g->memo;
    return test_bearer(g, TV_ROLE_PATIENT, inbox->person, ttl_s);
}

/* Opens a stream and waits until its first read is over: from then on it is told what comes. */
static inline struct test_http *stream_open(struct test_gateway *g, const char *target,
                                            const char *fields) {
    double before = inbox_reads(g);
    const char *all = tv_arena_printf(g->arena, "%s%s", inbox_bearer(g, 600), fields);
    struct test_http *c = test_ask_begin(g, "GET", target, all, NULL);
    stream_until(g, c, "retry: ");
    for (int64_t end_us = tv_clock_mono_us() + TEST_WAIT_MS * TV_US_PER_MS;
         inbox_reads(g) <= before && tv_clock_mono_us() < end_us;)
        continue; /* asking turns the loop */
    assert_true(inbox_reads(g) > before);
    return c;
}

/* -- more than a socket holds
 * --------------------------------------------------------------------*/

#define INBOX_BIG_BYTES 7000

struct bytes_wait {
    const struct test_http *client;
    size_t bytes;
};

static inline bool stream_got(void *ctx) {
    const struct bytes_wait *w = ctx;
    return test_http_received(w->client) >= w->bytes;
}

/* Tells big entries until `done(ctx)`, asked now and then, or there were `max`; no faster than
 * `reader`, a stream of the same inbox, takes them. Returns how many. */
static inline unsigned inbox_flood(struct test_gateway *g, const struct test_http *reader,
                                   unsigned max, bool (*done)(void *ctx), void *ctx) {
    struct inbox *inbox = g->memo;
    char *zone = tv_arena_alloc(g->arena, INBOX_BIG_BYTES + 1);
    memset(zone, 'z', INBOX_BIG_BYTES);
    zone[INBOX_BIG_BYTES] = '\0';
    for (unsigned i = 0; i < max; i++) {
        if (i % 20 == 0 && done(ctx))
            return i;
        struct bytes_wait w = {reader, test_http_received(reader) + INBOX_BIG_BYTES};
        Televisit__V1__InboxEntry *e = inbox_entry(g, ++inbox->last, g->arena);
        e->time_zone = zone;
        inbox_tell(g, e);
        test_gateway_until(g, stream_got, &w, "the reader that reads");
    }
    return max;
}

/* A stream whose client has little room, and reads nothing after the first line. */
static inline struct test_http *stream_open_stalled(struct test_gateway *g) {
    const struct inbox *inbox = g->memo;
    struct test_http *c = test_http_open(g->loop, g->port, 4096);
    test_http_send(c, tv_arena_printf(g->arena,
                                      "GET /v1/events?after=%lld HTTP/1.1\r\nHost: x\r\n%s\r\n",
                                      (long long)inbox->last, inbox_bearer(g, 600)));
    stream_until(g, c, "retry: ");
    test_http_pause(c);
    return c;
}

#endif
