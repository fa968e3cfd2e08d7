/* bus_internal.h - what the files of the bus share; nobody else includes it.
 *
 *  bus.c        the connection, and everything that touches libnats
 *  bus_slots.c  pending requests: slots, their order, their deadlines (knows no NATS)
 *  bus_srv.c    discovery and statistics of services, ADR-32 (knows no NATS)
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
    bool renew;        /* the subscription must be replaced before the next request */
    uint32_t heap_at;  /* while flying */
    int64_t deadline_us;
    uint64_t number;   /* of the request on this connection, counting up */
    tv_bus_reply_fn *on_reply;
    void *ctx;
    void *counters;     /* of the subject; bus.c */
    enum tv_err err;    /* ended: how */
    void *reply;        /* ended with TV_OK: the message, owned; bus.c */
    void *subscription; /* owned; bus.c */
    TAILQ_ENTRY(tv_bus_slot) link;
};

TAILQ_HEAD(tv_bus_slot_list, tv_bus_slot);

struct tv_bus_slots {
    struct tv_bus_slot **all; /* by index */
    struct tv_bus_slot **heap; /* flying, the earliest deadline first */
    uint32_t count, flying_count;
    uint32_t size; /* of both arrays */
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

/* -- bus.c --------------------------------------------------------------------------------------*/
/* Answers a message that came by tv_bus_subscribe(). */
void tv_bus_respond(struct tv_bus *b, const struct tv_bus_message *m, struct tv_str body);

#endif
