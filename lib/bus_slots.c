#include <stdlib.h>

#include "bus_internal.h"

void tv_bus_slots_init(struct tv_bus_slots *s) {
    *s = (struct tv_bus_slots){0};
    TAILQ_INIT(&s->free);
    TAILQ_INIT(&s->flying);
    TAILQ_INIT(&s->ended);
    TAILQ_INIT(&s->retired);
}

void tv_bus_slots_done(struct tv_bus_slots *s) {
    for (uint32_t i = 0; i < s->count; i++)
        free(s->all[i]);
    free(s->all);
    free(s->heap);
    tv_bus_slots_init(s);
}

/* -- the heap of deadlines ----------------------------------------------------------------------*/

static void heap_put(struct tv_bus_slots *s, uint32_t at, struct tv_bus_slot *slot) {
    s->heap[at] = slot;
    slot->heap_at = at;
}

/* Lets `slot` rise or sink from the vacant place `at`. */
static void heap_settle(struct tv_bus_slots *s, uint32_t at, struct tv_bus_slot *slot) {
    while (at > 0 && s->heap[(at - 1) / 2]->deadline_us > slot->deadline_us) {
        heap_put(s, at, s->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * at + 1;

        if (child >= s->flying_count)
            break;
        if (child + 1 < s->flying_count &&
            s->heap[child + 1]->deadline_us < s->heap[child]->deadline_us)
            child++;
        if (s->heap[child]->deadline_us >= slot->deadline_us)
            break;
        heap_put(s, at, s->heap[child]);
        at = child;
    }
    heap_put(s, at, slot);
}

static void heap_remove(struct tv_bus_slots *s, struct tv_bus_slot *slot) {
    struct tv_bus_slot *last = s->heap[--s->flying_count];

    if (last != slot)
        heap_settle(s, slot->heap_at, last);
}

/* -- moving between the lists -------------------------------------------------------------------*/

static struct tv_bus_slot_list *list_of(struct tv_bus_slots *s, enum tv_bus_slot_state state) {
    switch (state) {
    case TV_SLOT_FLYING:
        return &s->flying;
    case TV_SLOT_ENDED:
        return &s->ended;
    case TV_SLOT_RETIRED:
        return &s->retired;
    case TV_SLOT_FREE:
        break;
    }
    return &s->free;
}

static void move(struct tv_bus_slots *s, struct tv_bus_slot *slot, enum tv_bus_slot_state state) {
    TAILQ_REMOVE(list_of(s, slot->state), slot, link);
    if (slot->state == TV_SLOT_FLYING)
        heap_remove(s, slot);
    slot->state = state;
    if (state == TV_SLOT_FREE) /* the one used last is the next: few slots, warm memory */
        TAILQ_INSERT_HEAD(&s->free, slot, link);
    else
        TAILQ_INSERT_TAIL(list_of(s, state), slot, link);
}

static struct tv_bus_slot *add_slot(struct tv_bus_slots *s) {
    struct tv_bus_slot *slot = tv_calloc(1, sizeof(*slot));

    if (s->count == s->size) {
        s->size = s->size == 0 ? 64 : 2 * s->size;
        s->all = tv_realloc(s->all, s->size * sizeof(struct tv_bus_slot *));
        s->heap = tv_realloc(s->heap, s->size * sizeof(struct tv_bus_slot *));
    }
    slot->index = s->count;
    s->all[s->count++] = slot;
    TAILQ_INSERT_TAIL(&s->free, slot, link);
    return slot;
}

struct tv_bus_slot *tv_bus_slots_take(struct tv_bus_slots *s, int64_t deadline_us) {
    struct tv_bus_slot *slot = TAILQ_FIRST(&s->free);

    if (slot == NULL && (slot = TAILQ_FIRST(&s->retired)) != NULL)
        slot->renew = true;
    if (slot == NULL)
        slot = add_slot(s);
    move(s, slot, TV_SLOT_FLYING);
    if (++slot->generation == 0)
        slot->generation = 1; /* so that no token is 0 */
    slot->deadline_us = deadline_us;
    s->flying_count++;
    heap_settle(s, s->flying_count - 1, slot);
    return slot;
}

void tv_bus_slots_end(struct tv_bus_slots *s, struct tv_bus_slot *slot, enum tv_err err,
                      bool answered) {
    assert(slot->state == TV_SLOT_FLYING);
    slot->err = err;
    slot->renew = slot->renew || !answered;
    move(s, slot, TV_SLOT_ENDED);
}

void tv_bus_slots_drop(struct tv_bus_slots *s, struct tv_bus_slot *slot) {
    bool retire = slot->state == TV_SLOT_FLYING || slot->renew;

    slot->renew = false;
    move(s, slot, retire ? TV_SLOT_RETIRED : TV_SLOT_FREE);
}

void tv_bus_slots_reprieve(struct tv_bus_slots *s, struct tv_bus_slot *slot) {
    assert(slot->state == TV_SLOT_RETIRED);
    move(s, slot, TV_SLOT_FREE);
}

struct tv_bus_slot *tv_bus_slots_find(const struct tv_bus_slots *s, tv_bus_token token) {
    uint32_t index = (uint32_t)token;

    if (index >= s->count || tv_bus_slot_token(s->all[index]) != token)
        return NULL;
    enum tv_bus_slot_state state = s->all[index]->state;
    return state == TV_SLOT_FLYING || state == TV_SLOT_ENDED ? s->all[index] : NULL;
}
