#include "services/gateway/stream.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/metrics.h"
#include "services/gateway/answer.h"
#include "services/gateway/flows.h"
#include "services/gateway/gateway.h"
#include "services/gateway/hint.h"
#include "services/gateway/problem.h"
#include "televisit/v1/gateway.pb-c.h"
#include "televisit/v1/inbox.pb-c.h"

#define STREAMS_PER_PERSON 6
#define QUEUE_BYTES_MAX (64 * 1024)
#define PAGE 100           /* entries that one read asks for */
#define HEADS_PER_CALL 500 /* people that one check asks about */
#define CALL_TIMEOUT_US (5 * TV_US_PER_S)
#define RETRY_AFTER_ERROR_US TV_US_PER_S
#define RETRY_AFTER_TOO_MANY_S 15 /* until a stream of a client that is gone is found */
#define ENTRY_BYTES_MAX 8192
#define TYPE_MAX 64
#define EVENT_BYTES_MAX (ENTRY_BYTES_MAX + TYPE_MAX + 64)

struct person {
    char id[TV_UUID_TEXT]; /* first: the key of the tree */
    struct clinic *clinic;
    TAILQ_HEAD(, stream) streams;
    unsigned count;
    TAILQ_ENTRY(person) link; /* all people, for the check of heads */
};

struct clinic {
    char id[TV_UUID_TEXT]; /* first: the key of the tree */
    struct tv_bus_subscription *subscription;
    unsigned people;
    TAILQ_HEAD(, stream) staff; /* streams of those who look after all appointments */
};

struct stream {
    struct flight *flight;
    struct person *person;
    int64_t last_seq; /* of the last entry that was written, or where it begins */
    bool positioned;  /* last_seq is known: from the client, or by the first answer */
    bool reading;     /* a read is under way; entries that come meanwhile wait for it */
    bool behind;      /* something was seen that this read may not contain: read again */
    bool closed;
    tv_bus_token call;
    struct tv_arena *call_arena;
    struct tv_timer *again; /* after a failed read */
    struct tv_timer *end;   /* when the session is over */
    int64_t beat_us;        /* when the next comment is due */
    struct hints_seen seen;
    TAILQ_ENTRY(stream) of_person;
    TAILQ_ENTRY(stream) of_staff; /* when is_staff() */
    TAILQ_ENTRY(stream) by_beat;  /* soonest first: all wait equally long */
};

struct tv_streams {
    struct gateway *gateway;
    void *people; /* tsearch(3) trees by id */
    void *clinics;
    TAILQ_HEAD(, person) all_people;
    TAILQ_HEAD(, stream) beats;
    unsigned count;
    struct tv_timer *beat;
    struct tv_timer *check;
    struct person *check_next; /* where the check of heads goes on; NULL: from the start */
    tv_bus_token check_call;
    struct tv_arena *check_arena;
};

static struct tv_metric streams_open = {
    .name = "tv_streams", .help = "Event streams that are open", .type = TV_GAUGE};
static struct tv_metric streams_written = {.name = "tv_stream_events_total",
                                           .help = "Notices written to event streams",
                                           .type = TV_COUNTER};
static struct tv_metric streams_reads = {.name = "tv_stream_reads_total",
                                         .help = "Reads of an inbox, by what made them necessary",
                                         .type = TV_COUNTER,
                                         .labels = {"reason"}};
static struct tv_metric streams_cut = {.name = "tv_streams_cut_total",
                                       .help = "Streams cut because their reader was too slow",
                                       .type = TV_COUNTER};
static struct tv_metric streams_hints = {
    .name = "tv_stream_hints_total", .help = "Hints written to event streams", .type = TV_COUNTER};
static struct tv_series *open_now, *written, *hinted, *cut, *reads_new, *reads_gap, *reads_check;

static void start_read(struct stream *s);

/* -- people and clinics -------------------------------------------------------------------------*/

static int compare_ids(const void *a, const void *b) { return strcmp(a, b); }

static void on_nudge(void *ctx, const struct tv_bus_message *m);

static struct clinic *clinic_find(struct tv_streams *s, const char *id) {
    void **found = tfind(id, &s->clinics, compare_ids);
    return found == NULL ? NULL : *found;
}

static struct clinic *clinic_get(struct tv_streams *s, const char *id) {
    struct clinic *c = clinic_find(s, id);
    if (c != NULL)
        return c;
    c = tv_calloc(1, sizeof *c);
    TAILQ_INIT(&c->staff);
    char subject[sizeof "tv.v1.inbox." + TV_UUID_TEXT + 2];
    memcpy(c->id, id, sizeof c->id);
    snprintf(subject, sizeof subject, "tv.v1.inbox.%s.*", id);
    c->subscription = tv_bus_subscribe(s->gateway->bus, subject, on_nudge, s);
    if (tsearch(c, &s->clinics, compare_ids) == NULL)
        tv_panic("out of memory");
    return c;
}

static struct person *person_find(struct tv_streams *s, const char *id) {
    void **found = tfind(id, &s->people, compare_ids);
    return found == NULL ? NULL : *found;
}

static struct person *person_get(struct tv_streams *s, const struct tv_actor *actor) {
    struct person *p = person_find(s, actor->person_id);
    if (p != NULL)
        return p;
    p = tv_calloc(1, sizeof *p);
    memcpy(p->id, actor->person_id, sizeof p->id);
    TAILQ_INIT(&p->streams);
    p->clinic = clinic_get(s, actor->clinic_id);
    p->clinic->people++;
    if (tsearch(p, &s->people, compare_ids) == NULL)
        tv_panic("out of memory");
    TAILQ_INSERT_TAIL(&s->all_people, p, link);
    return p;
}

static void person_put(struct tv_streams *s, struct person *p) {
    if (p->count > 0)
        return;
    struct clinic *c = p->clinic;
    if (s->check_next == p)
        s->check_next = TAILQ_NEXT(p, link);
    TAILQ_REMOVE(&s->all_people, p, link);
    tdelete(p, &s->people, compare_ids);
    free(p);
    if (--c->people == 0) {
        tdelete(c, &s->clinics, compare_ids);
        tv_bus_unsubscribe(c->subscription); /* also when the bus is gone */
        free(c);
    }
}

/* -- writing ------------------------------------------------------------------------------------*/

static void touch_beat(struct tv_streams *all, struct stream *s) {
    s->beat_us = tv_loop_now_us(all->gateway->loop) + all->gateway->conf->stream_beat_us;
    TAILQ_REMOVE(&all->beats, s, by_beat);
    TAILQ_INSERT_TAIL(&all->beats, s, by_beat);
}

static void write_bytes(struct stream *s, struct tv_str bytes) {
    if (s->closed)
        return;
    touch_beat(s->flight->gateway->streams, s);
    if (!tv_http_write(s->flight->http, bytes)) {
        s->closed = true; /* on_end follows */
        tv_inc(cut);
    }
}

static void close_stream(struct stream *s) {
    if (s->closed)
        return;
    s->closed = true;
    tv_http_close(s->flight->http);
}

static void write_event(struct stream *s, int64_t seq, const char *type, struct tv_str data) {
    struct tv_buf out = TV_BUF_INIT(EVENT_BYTES_MAX);
    tv_buf_printf(&out, "id: %lld\nevent: %s\ndata: ", (long long)seq, type);
    tv_buf_str(&out, data);
    tv_buf_puts(&out, "\n\n");
    write_bytes(s, tv_buf_view(&out));
    tv_buf_done(&out);
}

static bool is_event_type(const char *type) {
    const char *c = type;
    for (; *c != '\0'; c++)
        if (!((*c >= 'a' && *c <= 'z') || *c == '.' || *c == '_' || *c == '-'))
            return false;
    return c != type && c - type <= TYPE_MAX;
}

/* Writes an entry if it is the next one and can be written; true when it was or had been. */
static bool write_entry(struct stream *s, const Televisit__V1__InboxEntry *entry) {
    if (entry->seq <= s->last_seq)
        return true;
    if (entry->seq != s->last_seq + 1 || !is_event_type(entry->type))
        return false;
    struct tv_buf json = TV_BUF_INIT(ENTRY_BYTES_MAX);
    tv_pb_to_json(&entry->base, &json);
    bool fits = !json.overflow;
    if (fits) {
        write_event(s, entry->seq, entry->type, tv_buf_view(&json));
        s->last_seq = entry->seq;
        tv_inc(written);
    }
    tv_buf_done(&json);
    return fits;
}

/* -- reading what is missing --------------------------------------------------------------------*/

static void on_again(void *ctx) { start_read(ctx); }

static void end_call(struct stream *s) {
    tv_arena_free(TV_TAKE_PTR(s->call_arena));
    s->call = 0;
    s->reading = false;
}

/* The client asks for what is not kept any more: it is told to look for itself, once. */
static void write_resync(struct stream *s, int64_t seq) {
    write_event(s, seq, "resync", TV_S("{}"));
    s->last_seq = seq;
}

/* Whether the page does not go on where the stream is: too old, or a number of another world. */
static bool is_torn(const struct stream *s, const Televisit__V1__ListInboxReply *page) {
    if (page->n_entries == 0)
        return s->last_seq != page->last_seq;
    return s->last_seq > page->last_seq || page->entries[0]->seq > s->last_seq + 1;
}

static void take_page(struct stream *s, const Televisit__V1__ListInboxReply *page) {
    if (!s->positioned) {
        s->positioned = true;
        s->last_seq = page->last_seq;
        return;
    }
    if (is_torn(s, page)) {
        write_resync(s, page->last_seq);
        return;
    }
    int64_t from_seq = s->last_seq;
    for (size_t i = 0; i < page->n_entries && !s->closed; i++)
        if (!write_entry(s, page->entries[i])) {
            write_resync(s, page->last_seq);
            return;
        }
    if (s->last_seq == from_seq && from_seq < page->last_seq)
        write_resync(s, page->last_seq); /* nothing new in it: asking again would bring the same */
    else if (s->last_seq < page->last_seq)
        s->behind = true;
}

static void on_page(void *ctx, enum tv_err err, const struct tv_error *e, ProtobufCMessage *reply) {
    struct stream *s = ctx;
    (void)e;
    if (err == TV_OK)
        take_page(s, (const Televisit__V1__ListInboxReply *)reply);
    end_call(s);
    if (s->closed)
        return;
    if (err != TV_OK)
        tv_timer_set(s->again, RETRY_AFTER_ERROR_US +
                                   (int64_t)tv_random_below((uint64_t)RETRY_AFTER_ERROR_US));
    else if (s->behind)
        start_read(s);
}

static void start_read(struct stream *s) {
    struct gateway *g = s->flight->gateway;
    if (s->closed)
        return;
    if (s->reading) {
        s->behind = true;
        return;
    }
    tv_timer_clear(s->again);
    s->reading = true;
    s->behind = false;
    s->call_arena = tv_arena_new();
    struct tv_context context = s->flight->context;
    context.deadline_us = tv_clock_mono_us() + CALL_TIMEOUT_US;
    Televisit__V1__ListInboxRequest *in = TV_PB_NEW(s->call_arena, Televisit__V1__ListInboxRequest,
                                                    televisit__v1__list_inbox_request__descriptor);
    /* Without a position only the newest number is of interest. */
    in->after = s->positioned ? s->last_seq : INT64_MAX;
    in->limit = s->positioned ? PAGE : 1;
    const ProtobufCServiceDescriptor *inbox = &televisit__v1__inbox__descriptor;
    s->call =
        tv_rpc_call(g->bus, inbox, protobuf_c_service_descriptor_get_method_by_name(inbox, "List"),
                    &context, &in->base, s->call_arena, on_page, s);
}

/* -- nudges -------------------------------------------------------------------------------------*/

static bool is_staff(const struct stream *s) {
    enum tv_role role = s->flight->context.actor.role;
    return role == TV_ROLE_STAFF || role == TV_ROLE_ADMIN;
}

static void write_hint(struct stream *s, const struct hint *hint) {
    char event[HINT_BYTES];
    if (s->closed || !s->positioned || !hint_is_new(&s->seen, hint))
        return;
    write_bytes(s, hint_event(hint, event));
    tv_inc(hinted);
}

/* To those whom the appointment concerns and who are not told: the clinic's staff, and who did it
 * on another device. `p` is the recipient, NULL when not here. */
static void spread_hint(struct tv_streams *all, struct clinic *c, const struct person *p,
                        const Televisit__V1__InboxEntry *entry, const struct hint *hint) {
    struct stream *s;
    TAILQ_FOREACH(s, &c->staff, of_staff)
        if (s->person != p)
            write_hint(s, hint);
    struct person *actor = entry->actor_id[0] == '\0' ? NULL : person_find(all, entry->actor_id);
    if (actor == NULL || actor == p || actor->clinic != c)
        return;
    TAILQ_FOREACH(s, &actor->streams, of_person)
        if (!is_staff(s))
            write_hint(s, hint);
}

static void take_entry(struct stream *s, const Televisit__V1__InboxEntry *entry,
                       const struct hint *hint) {
    if (hint != NULL && hint->bare) {
        write_hint(s, hint);
        return;
    }
    if (hint != NULL)
        (void)hint_is_new(&s->seen, hint); /* the entry itself says it */
    if (s->reading || !s->positioned) {
        s->behind = true;
    } else if (!write_entry(s, entry)) {
        tv_inc(reads_gap);
        start_read(s);
    }
}

static void on_nudge(void *ctx, const struct tv_bus_message *m) {
    struct tv_streams *all = ctx;
    TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
    const Televisit__V1__InboxEntry *entry = (const Televisit__V1__InboxEntry *)tv_pb_unpack(
        &televisit__v1__inbox_entry__descriptor, tv_bus_body(m), a);
    struct clinic *c = entry == NULL ? NULL : clinic_find(all, entry->clinic_id);
    if (c == NULL)
        return;
    struct person *p = person_find(all, entry->person_id);
    if (p != NULL && p->clinic != c)
        return;
    struct hint hint;
    bool hints = hint_of(entry, &hint);
    struct stream *s;
    if (p != NULL)
        TAILQ_FOREACH(s, &p->streams, of_person)
            take_entry(s, entry, hints ? &hint : NULL);
    if (hints)
        spread_hint(all, c, p, entry, &hint);
}

/* -- the check of heads -------------------------------------------------------------------------*/

static void start_check(struct tv_streams *all);

static void on_heads(void *ctx, enum tv_err err, const struct tv_error *e,
                     ProtobufCMessage *reply) {
    struct tv_streams *all = ctx;
    (void)e;
    const Televisit__V1__HeadsReply *heads = (const Televisit__V1__HeadsReply *)reply;
    for (size_t i = 0; err == TV_OK && i < heads->n_heads; i++) {
        struct person *p = person_find(all, heads->heads[i]->person_id);
        struct stream *s;
        if (p == NULL)
            continue;
        TAILQ_FOREACH(s, &p->streams, of_person)
            if (s->positioned && !s->reading && s->last_seq < heads->heads[i]->last_seq) {
                tv_inc(reads_check);
                start_read(s);
            }
    }
    tv_arena_free(TV_TAKE_PTR(all->check_arena));
    all->check_call = 0;
    if (err == TV_OK && all->check_next != NULL)
        start_check(all);
    else if (all->count > 0)
        tv_timer_set(all->check, all->gateway->conf->stream_check_us);
}

static void start_check(struct tv_streams *all) {
    struct person *p = all->check_next != NULL ? all->check_next : TAILQ_FIRST(&all->all_people);
    if (p == NULL || all->check_call != 0)
        return;
    struct tv_arena *a = all->check_arena = tv_arena_new();
    Televisit__V1__HeadsRequest *in =
        TV_PB_NEW(a, Televisit__V1__HeadsRequest, televisit__v1__heads_request__descriptor);
    in->person_ids = tv_arena_calloc(a, HEADS_PER_CALL, sizeof *in->person_ids);
    for (; p != NULL && in->n_person_ids < HEADS_PER_CALL; p = TAILQ_NEXT(p, link))
        in->person_ids[in->n_person_ids++] = p->id;
    all->check_next = p;
    struct tv_context context = {.actor = {.role = TV_ROLE_SERVICE},
                                 .deadline_us = tv_clock_mono_us() + CALL_TIMEOUT_US};
    const ProtobufCServiceDescriptor *inbox = &televisit__v1__inbox__descriptor;
    all->check_call = tv_rpc_call(all->gateway->bus, inbox,
                                  protobuf_c_service_descriptor_get_method_by_name(inbox, "Heads"),
                                  &context, &in->base, a, on_heads, all);
}

static void on_check(void *ctx) { start_check(ctx); }

/* -- beats: a comment keeps proxies patient and finds clients that are gone ---------------------*/

static void on_beat(void *ctx) {
    struct tv_streams *all = ctx;
    int64_t now_us = tv_loop_now_us(all->gateway->loop);
    struct stream *s;
    while ((s = TAILQ_FIRST(&all->beats)) != NULL && s->beat_us <= now_us) {
        write_bytes(s, TV_S(": beat\n\n"));
        if (s->closed)
            touch_beat(all, s);
    }
    if (s != NULL)
        tv_timer_set(all->beat, s->beat_us - now_us);
}

/* -- life of a stream ---------------------------------------------------------------------------*/

/* Where the client wants to go on: Last-Event-ID, else `after`; false without either. `after` is
 * the only parameter, so a query is how after=0, "from the start", is told from nothing. */
static bool read_position(const struct flight *f, const Televisit__V1__EventsRequest *in,
                          int64_t *ret) {
    struct tv_str id = tv_str_trim(tv_http_header(f->http, "Last-Event-ID"));
    if (id.len > 0 && tv_str_to_i64(id, 0, INT64_MAX - 1, ret))
        return true;
    *ret = TV_MIN(in->after, INT64_MAX - 1);
    return tv_http_query(f->http).len > 0 || id.len > 0;
}

static void on_session_end(void *ctx) {
    struct stream *s = ctx;
    write_bytes(s, TV_S("event: session-end\ndata: {}\n\n"));
    close_stream(s);
}

/* The streams of a person that are open. Each is written to, for that shows which clients are gone:
 * somebody who loads a page seven times in a row has still one. */
static unsigned count_open(struct person *p) {
    unsigned open = 0;
    struct stream *s;
    TAILQ_FOREACH(s, &p->streams, of_person) {
        write_bytes(s, TV_S(": beat\n\n"));
        open += s->closed ? 0 : 1;
    }
    return open;
}

/* Answers instead of a stream: false when there may be one. */
static bool refuse_stream(struct flight *f, struct person *p) {
    struct tv_error e;
    if (f->gateway->draining) {
        (void)tv_fail(&e, TV_ERR_UNAVAILABLE, "This server is being stopped; try again");
    } else if (p->count >= STREAMS_PER_PERSON && count_open(p) >= STREAMS_PER_PERSON) {
        (void)tv_fail(&e, TV_ERR_RATE_LIMITED, "At most %d event streams a person",
                      STREAMS_PER_PERSON);
        e.retry_after_s = RETRY_AFTER_TOO_MANY_S;
    } else {
        return false;
    }
    tv_problem_answer(f, &e);
    return true;
}

#define CONTENT_TYPE "text/event-stream; charset=utf-8"
static const struct tv_http_field unbuffered = {"X-Accel-Buffering", "no"};

static void begin_answer(struct flight *f) {
    struct tv_http_field fields[ANSWER_FIELDS_MAX];
    size_t n = answer_common_fields(f, fields);
    fields[n++] = (struct tv_http_field){"Content-Type", CONTENT_TYPE};
    fields[n++] = unbuffered;
    f->status = 200;
    flight_move(f, FLIGHT_STREAMING);
    tv_httpd_stream(f->http, 200, fields, n, QUEUE_BYTES_MAX);
}

void flow_events(struct flight *f, const ProtobufCMessage *request) {
    struct tv_streams *all = f->gateway->streams;
    if (tv_str_eqz(tv_http_method(f->http), "HEAD")) {
        answer_send(f, 200, CONTENT_TYPE, &unbuffered, 1, (struct tv_str){NULL, 0});
        return;
    }
    struct person *p = person_get(all, &f->context.actor);
    if (refuse_stream(f, p)) {
        person_put(all, p);
        return;
    }
    struct stream *s = TV_ARENA_NEW(f->arena, struct stream);
    s->flight = f;
    s->person = p;
    s->positioned = read_position(f, (const Televisit__V1__EventsRequest *)request, &s->last_seq);
    s->again = tv_timer_new(f->gateway->loop, on_again, s);
    s->end = tv_timer_new(f->gateway->loop, on_session_end, s);
    tv_timer_set(s->end, TV_MAX(f->session_expires_us - tv_clock_wall_us(), 0));
    f->stream = s;
    TAILQ_INSERT_TAIL(&p->streams, s, of_person);
    if (is_staff(s))
        TAILQ_INSERT_TAIL(&p->clinic->staff, s, of_staff);
    TAILQ_INSERT_TAIL(&all->beats, s, by_beat);
    p->count++;
    tv_set(open_now, ++all->count);

    begin_answer(f);
    char retry[48];
    snprintf(retry, sizeof retry, "retry: %u\n\n", 2000 + (unsigned)tv_random_below(3000));
    write_bytes(s, tv_str(retry));
    tv_inc(reads_new);
    start_read(s);
    if (all->count == 1) {
        tv_timer_set(all->beat, f->gateway->conf->stream_beat_us);
        tv_timer_set(all->check, f->gateway->conf->stream_check_us);
    }
}

void tv_stream_ended(struct flight *f) {
    struct tv_streams *all = f->gateway->streams;
    struct stream *s = f->stream;
    if (s->call != 0) {
        if (f->gateway->bus != NULL)
            tv_bus_cancel(f->gateway->bus, s->call);
        end_call(s);
    }
    tv_timer_free(s->again);
    tv_timer_free(s->end);
    TAILQ_REMOVE(&s->person->streams, s, of_person);
    if (is_staff(s))
        TAILQ_REMOVE(&s->person->clinic->staff, s, of_staff);
    TAILQ_REMOVE(&all->beats, s, by_beat);
    s->person->count--;
    tv_set(open_now, --all->count);
    person_put(all, s->person);
    if (all->count == 0) {
        tv_timer_clear(all->beat);
        tv_timer_clear(all->check);
    }
}

struct tv_streams *tv_streams_new(struct gateway *g) {
    struct tv_streams *all = tv_calloc(1, sizeof *all);
    all->gateway = g;
    TAILQ_INIT(&all->all_people);
    TAILQ_INIT(&all->beats);
    all->beat = tv_timer_new(g->loop, on_beat, all);
    all->check = tv_timer_new(g->loop, on_check, all);
    open_now = tv_metric_single(&streams_open);
    written = tv_metric_single(&streams_written);
    hinted = tv_metric_single(&streams_hints);
    cut = tv_metric_single(&streams_cut);
    reads_new = tv_metric_series(&streams_reads, "new", NULL, NULL, NULL);
    reads_gap = tv_metric_series(&streams_reads, "gap", NULL, NULL, NULL);
    reads_check = tv_metric_series(&streams_reads, "check", NULL, NULL, NULL);
    return all;
}

unsigned tv_streams_count(const struct tv_streams *s) { return s->count; }

void tv_streams_close_all(struct tv_streams *all) {
    struct stream *s;
    TAILQ_FOREACH(s, &all->beats, by_beat)
        close_stream(s);
}

void tv_streams_free(struct tv_streams *all) {
    if (all == NULL)
        return;
    assert(all->count == 0);
    if (all->check_call != 0 && all->gateway->bus != NULL)
        tv_bus_cancel(all->gateway->bus, all->check_call);
    tv_arena_free(all->check_arena);
    tv_timer_free(all->beat);
    tv_timer_free(all->check);
    free(all);
}
