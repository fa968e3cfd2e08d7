/* rooms.h - the rooms that LiveKit is known to have.
 *
 * A join asks tv_rooms_known() first; most find their room and wait for nothing. Otherwise
 * tv_rooms_make() has LiveKit make it, once for all who ask meanwhile. A room is remembered until
 * its call closes, and forgotten earlier whenever it might be gone: when it is closed, when a call
 * to LiveKit fails (a restart loses all rooms), and when one is found missing or under another
 * sid. The watch asks every two seconds for one remembered room, the next each time. To forget is
 * always safe: the next join asks LiveKit again, which answers with the room that it has.
 */
#ifndef TV_TOKENS_ROOMS_H
#define TV_TOKENS_ROOMS_H

#include "lib/base.h"
#include "lib/err.h"
#include "lib/loop.h"
#include "services/tokens/livekit.h"

#define TV_ROOMS_MAX 16384 /* remembered; one more pushes out the one that was not used longest */

struct tv_rooms;
/* Borrows `lk`, which must be freed before: what it ends then is told to the waiters. */
struct tv_rooms *tv_rooms_new(struct tv_loop *l, struct tv_livekit *lk);
void tv_rooms_free(struct tv_rooms *r); /* accepts NULL */

/* Whether the room exists, as far as is known. */
bool tv_rooms_known(struct tv_rooms *r, const char *name);
size_t tv_rooms_count(const struct tv_rooms *r); /* known */

/* Somebody who waits for a room. Owned by whoever waits, until on_made was called. */
struct tv_rooms_waiter {
    void (*on_made)(void *ctx, enum tv_err err, const struct tv_error *e);
    void *ctx;
    STAILQ_ENTRY(tv_rooms_waiter) link; /* private */
};

struct tv_rooms_wish {
    const char *name;
    uint32_t open_s; /* until the call closes: so long the room stays, empty or not */
    uint32_t participants_max;
};

/* Has the room made, or waits with those who had it made already. TV_OK: `w->on_made` comes later,
 * once. Otherwise LiveKit is away, and it will not come. */
TV_MUST_CHECK enum tv_err tv_rooms_make(struct tv_rooms *r, const struct tv_rooms_wish *wish,
                                        struct tv_rooms_waiter *w, struct tv_error *e);
/* True when the room is being made just now: then `w` waits for it like the others. */
bool tv_rooms_wait(struct tv_rooms *r, const char *name, struct tv_rooms_waiter *w);

/* LiveKit was asked for this room just now: it has it under this sid, or, when that is empty, has
 * it not. Where that is not what is remembered, all rooms are forgotten: LiveKit keeps them in
 * memory, so if one is another, all may be. */
void tv_rooms_seen(struct tv_rooms *r, const char *name, const char *sid);
void tv_rooms_forget(struct tv_rooms *r, const char *name);
void tv_rooms_forget_all(struct tv_rooms *r);

#endif
