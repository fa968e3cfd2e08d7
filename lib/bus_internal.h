/* bus_internal.h - what the files of the bus share; nobody else includes it.
 *
 *  bus_wire.c    the life of the connection: connect, read and write, lose, connect again, end
 *  bus_nats.c    libnats in our words, and the only file that knows it
 *  bus_tls.c     what keeps the loop from waiting inside of OpenSSL
 *  bus_nkey.c    the key that says who we are
 *  bus_slots.c   pending requests: slots, their order, their deadlines
 *  bus_nudges.c  subscriptions to nudges, which come by libnats' threads
 *  bus_srv.c     discovery and statistics of services, ADR-32
 *  bus_metrics.c what is counted
 *  bus.c         requests and services, made of the above
 *
 * The story of a request (ADR 0002 has the reasons and the figures):
 *
 * tv_bus_request() takes a slot and publishes with the reply subject `<inbox>.<slot>.<generation>`.
 * libnats only appends to its buffer and asks for a write event; that arms the turn's end, where
 * the wire sends all that this turn published in one write. When the socket is readable, libnats
 * parses what came into its subscriptions, and tv_bus_on_read() empties those: first the services',
 * then the slots' that are flying, oldest first, until as many messages are found as came. No
 * message passes through another thread, except nudges.
 */
#ifndef TV_BUS_INTERNAL_H
#define TV_BUS_INTERNAL_H

#include "bus.h"
#include "metrics.h"

/* -- bus_slots.c --------------------------------------------------------------------------------
 * A slot is on exactly one list, and on the heap of deadlines while it flies:
 *
 *   free --take--> flying --end--> ended --(callback)--> free
 *                     |               |
 *                     +---cancel------+--> retired --take--> flying
 *
 * A slot owns a subscription of `<inbox>.<slot>.*`, for "no responders" comes without a word about
 * the request that it answers: the subscription tells. For the same reason a slot whose request
 * ended without an answer is retired: a late "no responders" would hit the next request. It is
 * taken again with a new subscription, or freed when its late answer has come after all.
 */
enum tv_bus_slot_state {
    TV_SLOT_FREE,
    TV_SLOT_FLYING,
    TV_SLOT_ENDED,
    TV_SLOT_RETIRED,
};

struct tv_bus_slot {
    uint32_t index;
    uint32_t generation; /* counts the requests of this slot; part of the reply subject */
    enum tv_bus_slot_state state;
    bool renew;       /* the subscription must be replaced before the next request */
    uint32_t heap_at; /* while flying */
    int64_t deadline_us;
    uint64_t number; /* of the request on the wire, counting up */
    tv_bus_reply_fn *on_reply;
    void *ctx;
    struct tv_bus_counted *counters; /* of the subject */
    int64_t started_us;
    enum tv_err err; /* ended: how */
    void *reply;     /* ended with TV_OK: the message, owned; bus.c */
    void *box;       /* owned; bus.c */
    TAILQ_ENTRY(tv_bus_slot) link;
};

TAILQ_HEAD(tv_bus_slot_list, tv_bus_slot);

struct tv_bus_slots {
    struct tv_bus_slot **all;  /* by index */
    struct tv_bus_slot **heap; /* flying, the earliest deadline first */
    uint32_t count, flying_count;
    uint32_t size;                                        /* of both arrays */
    struct tv_bus_slot_list free, flying, ended, retired; /* flying: oldest first */
};

void tv_bus_slots_init(struct tv_bus_slots *s);
/* Frees the slots; what they point to must be gone. */
void tv_bus_slots_done(struct tv_bus_slots *s);
/* Takes a slot, of a new generation, for a request that must end by `deadline_us`. */
struct tv_bus_slot *tv_bus_slots_take(struct tv_bus_slots *s, int64_t deadline_us);
/* Moves a flying slot to the ended ones. `answered`: by what came on its own subject. */
void tv_bus_slots_end(struct tv_bus_slots *s, struct tv_bus_slot *slot, enum tv_err err,
                      bool answered);
/* Moves a flying or ended slot to the free or retired ones; nobody will be called. */
void tv_bus_slots_drop(struct tv_bus_slots *s, struct tv_bus_slot *slot);
/* A retired slot's late answer has come: it is free. */
void tv_bus_slots_reprieve(struct tv_bus_slots *s, struct tv_bus_slot *slot);
/* The slot of a request that has not been called back yet, or NULL. */
struct tv_bus_slot *tv_bus_slots_find(const struct tv_bus_slots *s, tv_bus_token token);
static inline tv_bus_token tv_bus_slot_token(const struct tv_bus_slot *slot) {
    return (uint64_t)slot->generation << 32 | slot->index;
}

/* -- bus_wire.c ---------------------------------------------------------------------------------
 * The wire connects, reads, writes, connects again and ends, and tells bus.c of it, all on the
 * loop's thread:
 *
 *   on_up     the connection stands: subscribe what is not subscribed (libnats remembers what was)
 *   on_read   so many messages have come into boxes
 *   on_down   the socket is lost: what was asked will not be answered; libnats tries again
 *   on_gone   libnats has given up, and the boxes must be closed. The wire makes a new connection
 *             later, which starts with on_up and no box.
 *
 * libnats' own threads (connecting, pinging, closing) post mail to the loop, through a gate that is
 * shut when libnats does not let go in time. While it is not connected libnats holds its lock for
 * as long as it tries to connect, so nothing of it may be called then: tv_bus_wire_usable() first,
 * always.
 */
struct tv_bus_wire;

void tv_bus_on_up(struct tv_bus *b);
void tv_bus_on_read(struct tv_bus *b, uint64_t count);
void tv_bus_on_down(struct tv_bus *b);
void tv_bus_on_gone(struct tv_bus *b);
/* NATS did not permit something, or messages were dropped because we are slow. */
void tv_bus_on_violation(struct tv_bus *b, const char *text);
void tv_bus_on_slow(struct tv_bus *b);

/* Starts to connect. Borrows `b`; returns owned. */
TV_MUST_CHECK enum tv_err tv_bus_wire_new(struct tv_loop *l, const struct tv_bus_config *c,
                                          struct tv_bus *b, struct tv_bus_wire **ret,
                                          struct tv_error *e);
/* Lets written bytes out and closes, within a second; ends with on_gone. False when libnats would
 * not let go of the connection in time: then it keeps what it was given (`b`, boxes, listeners) for
 * ever, and nothing of it may be freed. */
TV_MUST_CHECK bool tv_bus_wire_end(struct tv_bus_wire *w);
void tv_bus_wire_free(struct tv_bus_wire *w); /* after an end that was true; accepts NULL */

bool tv_bus_wire_usable(const struct tv_bus_wire *w);
/* Whether libnats has given up and no new connection stands yet. */
bool tv_bus_wire_refused(const struct tv_bus_wire *w);
size_t tv_bus_wire_unsent(const struct tv_bus_wire *w);            /* bytes */
struct tv_bus_nats *tv_bus_wire_nats(const struct tv_bus_wire *w); /* borrowed, for ever the same */

/* Appends a message to what this turn will write. `reply` may be NULL. */
enum tv_err tv_bus_wire_publish(struct tv_bus_wire *w, const char *subject, const char *reply,
                                const struct tv_bus_header *headers, size_t header_count,
                                struct tv_str body);
/* Published messages are numbered; one is unwritten when none of its bytes can have been sent. */
uint64_t tv_bus_wire_number(const struct tv_bus_wire *w); /* of the last one */
bool tv_bus_wire_was_written(const struct tv_bus_wire *w, uint64_t number);

/* As tv_bus_nats_listen() and _listened(); the end waits for all who listen. */
void *tv_bus_wire_listen(struct tv_bus_wire *w, const char *subject,
                         void (*on_message)(void *ctx, void *message), void (*on_end)(void *ctx),
                         void *ctx);
void tv_bus_wire_listened(struct tv_bus_wire *w, void *listener);
/* Puts mail into the loop's mailbox, from any thread; false when nobody reads it any more. */
TV_MUST_CHECK bool tv_bus_wire_post(struct tv_bus_wire *w, struct tv_mail *mail);

/* How long to wait before the next attempt, after so many: 50 ms to 2 s, with jitter. */
int64_t tv_bus_retry_delay_ms(unsigned attempts);

/* What bus_nats.c tells the wire, on any thread or from within calls of ours. */
enum tv_bus_news {
    TV_NEWS_ATTACHED,
    TV_NEWS_LOST,
    TV_NEWS_WRITE,
    TV_NEWS_CONNECTED,
    TV_NEWS_VIOLATION,
    TV_NEWS_SLOW,
    TV_NEWS_CLOSED, /* for good */
    TV_NEWS_CONNECT_RETURNED,
    TV_NEWS_CLOSE_RETURNED,
};
void tv_bus_wire_tell(struct tv_bus_wire *w, enum tv_bus_news news, void *connection,
                      const char *text);
/* There is a socket. Takes `fd`, a duplicate of it, and `nats_fd`, libnats' own, unless that is -1
 * because libnats closes it. */
void tv_bus_wire_attach(struct tv_bus_wire *w, void *connection, int fd, int nats_fd);
void tv_bus_wire_detach(struct tv_bus_wire *w);
void tv_bus_wire_want_write(struct tv_bus_wire *w);

/* -- bus_tls.c ----------------------------------------------------------------------------------*/
struct tv_bus_tls {
    int fd; /* borrowed */
    int wake_bytes;
    bool more; /* something had come behind the record that may be read */
};
/* For the socket of a new connection, before the loop reads from it. */
void tv_bus_tls_init(struct tv_bus_tls *t, int fd);
/* Whether libnats can read without waiting. If not, the socket is readable again when it can. */
TV_MUST_CHECK bool tv_bus_tls_may_read(struct tv_bus_tls *t);
/* Whether libnats can write so many bytes without waiting for long. If not, try again soon. */
TV_MUST_CHECK bool tv_bus_tls_may_write(const struct tv_bus_tls *t, size_t bytes);

/* -- bus_nkey.c ---------------------------------------------------------------------------------*/
#define TV_BUS_SEED_TEXT 59 /* with NUL */
#define TV_BUS_NKEY_TEXT 57
struct tv_bus_nkey {
    char seed[TV_BUS_SEED_TEXT]; /* to be wiped */
    char public[TV_BUS_NKEY_TEXT];
};
/* From the text of NATS_NKEY_FILE: TV_ERR_INVALID says what is wrong, and shows nothing of it. */
TV_MUST_CHECK enum tv_err tv_bus_nkey_parse(const char *text, struct tv_bus_nkey *ret,
                                            struct tv_error *e);

/* -- bus_nats.c ---------------------------------------------------------------------------------
 * libnats' connections, messages and subscriptions are `void` to everybody else. A box is a
 * subscription that the loop empties; a listener is one that is called on libnats' thread.
 */
struct tv_bus_nats;

/* Between two pings; tests make it shorter before they make a bus. */
extern int64_t tv_bus_ping_interval_ms;

TV_MUST_CHECK enum tv_err tv_bus_nats_new(const struct tv_bus_config *c, struct tv_bus_wire *wire,
                                          struct tv_bus_nats **ret, struct tv_error *e);
void tv_bus_nats_free(struct tv_bus_nats *n); /* accepts NULL */
bool tv_bus_nats_has_tls(const struct tv_bus_nats *n);

#define TV_BUS_REASON_TEXT 160
enum tv_bus_connect { TV_CONNECT_OK, TV_CONNECT_AWAY, TV_CONNECT_REFUSED };
/* Tries each server once. These two block, and are called on threads of their own. */
TV_MUST_CHECK enum tv_bus_connect tv_bus_nats_connect(struct tv_bus_nats *n, void **ret_connection,
                                                      char ret_reason[static TV_BUS_REASON_TEXT]);
void tv_bus_nats_hang_up(void *connection);
/* Takes the connection that all the following is about; the one before it is destroyed. */
void tv_bus_nats_use(struct tv_bus_nats *n, void *connection);

uint64_t tv_bus_nats_read(struct tv_bus_nats *n); /* returns how many messages came */
void tv_bus_nats_write(struct tv_bus_nats *n);
size_t tv_bus_nats_unsent(const struct tv_bus_nats *n);
enum tv_err tv_bus_nats_publish(struct tv_bus_nats *n, const char *subject, const char *reply,
                                const struct tv_bus_header *headers, size_t header_count,
                                struct tv_str body);

/* A box for what comes to `subject`, shared with the others of `queue` unless that is NULL.
 * Returns owned; NULL when it cannot be had. */
void *tv_bus_nats_open(struct tv_bus_nats *n, const char *subject, const char *queue);
void tv_bus_nats_close(void *box); /* unsubscribes; accepts NULL */
enum tv_bus_taken {
    TV_TAKEN_NOTHING, /* the box is empty, or NULL */
    TV_TAKEN_MESSAGE,
    TV_TAKEN_NOBODY, /* "no responders": nobody serves what was asked */
};
/* Takes the next message out; `*ret` is owned. */
TV_MUST_CHECK enum tv_bus_taken tv_bus_nats_take(void *box, void **ret);
/* Unsubscribes, but what the server had sent before it knew still comes in. */
void tv_bus_nats_drain(void *box);
bool tv_bus_nats_is_draining(void *box);

struct tv_bus_message {
    void *nats; /* owned by whoever holds this */
    enum { TV_CASE_UNKNOWN, TV_CASE_LOWER, TV_CASE_MIXED } header_case;
};
const char *tv_bus_nats_subject(const void *message);
const char *tv_bus_nats_reply_to(const void *message); /* NULL: no answer is wanted */
/* Takes the message, NULL is nothing; on the loop's thread, until tv_bus_nats_free(). libnats frees
 * messages on a thread of its own, and each one that is handed over wakes that thread: a batch is
 * gathered and wakes it once. */
void tv_bus_nats_discard(struct tv_bus_nats *n, void *message);
void tv_bus_nats_destroy(void *message); /* the same at once, on any thread */

/* Both functions are called on a thread of libnats'. The message is owned by `on_message`; after
 * `on_end` nothing follows. NULL when it cannot be had. */
void *tv_bus_nats_listen(struct tv_bus_nats *n, const char *subject,
                         void (*on_message)(void *ctx, void *message), void (*on_end)(void *ctx),
                         void *ctx);
void tv_bus_nats_unlisten(void *listener); /* `on_end` follows */
void tv_bus_nats_listened(void *listener); /* after `on_end`: frees */

/* -- bus_nudges.c -------------------------------------------------------------------------------*/
struct tv_bus_nudges {
    struct tv_bus_wire *wire;
    bool ended; /* nobody is called any more */
    TAILQ_HEAD(, tv_bus_subscription) all;
};
void tv_bus_nudges_init(struct tv_bus_nudges *n, struct tv_bus_wire *wire);
/* After on_up: what was asked for while the connection was down. */
void tv_bus_nudges_on_up(struct tv_bus_nudges *n);
/* Before the wire ends. Subscriptions stay valid for their owners. */
void tv_bus_nudges_end(struct tv_bus_nudges *n);
/* bus.c */
struct tv_bus_nudges *tv_bus_nudges_of(struct tv_bus *b);

/* -- bus_srv.c ----------------------------------------------------------------------------------*/
/* Who answers `$SRV.*`: one instance of a service. */
struct tv_bus_identity {
    const char *name; /* of the program: its queue group */
    const char *id;   /* of this process */
    const char *version;
    const char *description;
};

struct tv_bus_srv;
/* Subscribes the nine subjects. Borrows both; returns owned. */
struct tv_bus_srv *tv_bus_srv_new(struct tv_bus *b, const struct tv_bus_identity *identity,
                                  const struct tv_bus_service *service);
void tv_bus_srv_free(struct tv_bus_srv *s);
/* Counts one answered call; `error` is NULL when it went well. */
void tv_bus_srv_count(struct tv_bus_srv *s, unsigned method, int64_t took_us, const char *error);

/* -- bus_metrics.c ------------------------------------------------------------------------------*/
#define TV_BUS_COUNTED_MAX 96 /* subjects, each with some outcomes: a family has 512 series */
struct tv_bus_counted;        /* the series of one request subject */
struct tv_bus_counters {
    struct tv_series *late, *reconnects, *violations, *slow;
    struct tv_bus_counted *subjects[256], *other; /* a power of two, and never half full */
    size_t count;
};
void tv_bus_counters_init(struct tv_bus_counters *c);
void tv_bus_counters_done(struct tv_bus_counters *c);
/* Those of a subject, by its text: there are as many as methods. Who makes up subjects shares the
 * series "other". */
struct tv_bus_counted *tv_bus_counters_of(struct tv_bus_counters *c, const char *subject);
void tv_bus_count_end(struct tv_bus_counted *c, enum tv_err err, int64_t took_us);
/* How a call that we serve ends. A refusal is the caller's fault (4xx), a failure is ours (5xx). */
enum tv_bus_outcome {
    TV_SERVED_OK,
    TV_SERVED_REFUSED,
    TV_SERVED_FAILED,
    TV_SERVED_DROPPED,
    TV_SERVED_OUTCOMES
};
struct tv_bus_served { /* the series of one method */
    struct tv_series *ended[TV_SERVED_OUTCOMES], *seconds;
};
void tv_bus_served_init(struct tv_bus_served *s, const char *service, const char *method);
void tv_bus_count_served(struct tv_bus_served *s, enum tv_bus_outcome outcome, int64_t took_us);

/* -- bus.c --------------------------------------------------------------------------------------*/
/* Answers a message that came by tv_bus_subscribe(). */
void tv_bus_respond(struct tv_bus *b, const struct tv_bus_message *m, struct tv_str body);

#endif
