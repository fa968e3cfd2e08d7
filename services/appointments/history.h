/* history.h - who was in the room when, told from what LiveKit lets us know. Pure.
 *
 * The story. LiveKit sends a webhook for each thing that happens; webhooks may come late, twice, in
 * any order, or never. Every now and then a list of the room (a snapshot) is taken, and sometimes a
 * room is found to be gone. Each of these is an *observation*, and tv_history_observe() folds it
 * into the history of the appointment: calls (one for each sid of a room) and presences (one for
 * each sid of a participant). The result does not depend on the order, save that gone_us is a wider
 * bound when lists without somebody came before the first word of them:
 *
 *   - An edge (started, over, joined, left) has a time and how it is known. What is known better
 *     replaces what is known worse; of two that are known equally well the earlier one stays.
 *   - Whatever mentions a participant proves that it was there at that instant (`seen_us` grows); a
 *     later snapshot without it proves that it was not (`gone_us` shrinks), and so does a later
 *     proof of another sid of the same identity: LiveKit lets only one of them in.
 *   - A presence without a left edge that is proven gone ends at `seen_us`, not later: nobody is
 *     said to have been where it is not known. The true end lies somewhere between left.us and
 *     gone_us: unless they are close, it is *unsure*. A webhook that comes after all replaces that
 *     by the true end, and a proof of being there after gone_us opens the presence again.
 *   - When a call is over, what is still open in it ends in the same way. A call that is over only
 *     as a list showed, or as must be, is open again when something proves it later.
 *
 * Webhooks tell whole seconds and the times of lists travel as ages, so one instant may be known by
 * two that differ by up to a second (TV_HISTORY_FUZZ_US). What is that close proves nothing of
 * before or after, and an end that seems to lie before its beginning lies on it.
 *
 * A join is the instant at which media connected, which only JOINED tells (WEBHOOK). LEFT and lists
 * tell when signalling began, mostly less than a second before (SNAPSHOT for both). An event of a
 * track only proves that somebody was there, so they came by then (ASSUMED).
 *
 * All times are microseconds since 1970 on the database's clock. Text is copied into the arena.
 */
#ifndef APPOINTMENTS_HISTORY_H
#define APPOINTMENTS_HISTORY_H

#include "lib/arena.h"
#include "lib/base.h"

/* Numbers of KnownBy in proto/televisit/v1/calls.proto; the better one is greater. */
enum tv_known {
    TV_KNOWN_NOT = 0,
    TV_KNOWN_ASSUMED = 1,
    TV_KNOWN_SNAPSHOT = 2,
    TV_KNOWN_WEBHOOK = 3
};

struct tv_edge {
    int64_t us;
    enum tv_known by; /* TV_KNOWN_NOT: it did not happen, as far as is known; us is 0 then */
};

struct tv_presence {
    const char *sid;
    const char *identity;
    struct tv_edge joined, left;
    int64_t seen_us;    /* was there for certain, the last time; at least joined.us */
    int64_t gone_us;    /* was certainly not there any more; 0: never known to be */
    const char *reason; /* LiveKit's name of why it left, or "" */
    TAILQ_ENTRY(tv_presence) link;
};

struct tv_room_call {
    const char *room_sid;
    int32_t generation; /* of the room */
    struct tv_edge started, over;
    int64_t lost_us;     /* a list did not have it, it was gone by then; 0: not; stays */
    int64_t snapshot_us; /* of the latest snapshot; 0: none */
    bool changed;        /* it or a presence of it, since it was read: is to be written */
    TAILQ_HEAD(tv_presences, tv_presence) presences; /* by joined.us, then sid */
    TAILQ_ENTRY(tv_room_call) link;
};

/* All calls of one appointment. */
struct tv_history {
    struct tv_arena *arena;                        /* borrowed */
    size_t presences_count;                        /* in all calls */
    TAILQ_HEAD(tv_room_calls, tv_room_call) calls; /* by started.us, then sid */
};

enum tv_observation_kind {
    TV_OBSERVED_STARTED,
    TV_OBSERVED_FINISHED,
    TV_OBSERVED_JOINED,
    TV_OBSERVED_LEFT,
    TV_OBSERVED_ABORTED, /* media never connected: proves nothing about being there */
    TV_OBSERVED_SEEN,
    TV_OBSERVED_SNAPSHOT,
    /* The room is not there at that time, as a list shows or as must be. It was over at lost_us
     * already, if that is set and nothing proves the room later. */
    TV_OBSERVED_GONE,
};

struct tv_person_seen {
    const char *sid, *identity;
    int64_t joined_us; /* 0: not said */
};

struct tv_observation {
    enum tv_observation_kind kind;
    const char *room_sid; /* any other than "" is a call of the history from then on */
    int32_t generation;
    int64_t at_us;
    const char *sid, *identity;          /* of JOINED to SEEN */
    int64_t joined_us;                   /* of JOINED and LEFT; 0: not said */
    const char *reason;                  /* of LEFT; may be NULL */
    const struct tv_person_seen *people; /* of SNAPSHOT: all who are there, media connected */
    size_t people_count;
    int64_t created_us;  /* of SNAPSHOT: when the room was made; 0: not said */
    enum tv_known known; /* of GONE: SNAPSHOT or ASSUMED */
};

#define TV_HISTORY_FUZZ_US (INT64_C(1000) * 1000)
/* So long after DUPLICATE_IDENTITY the new device may take to connect: LiveKit gives up at 15 s. */
#define TV_HISTORY_HANDOVER_US (INT64_C(20) * 1000 * 1000)
#define TV_HISTORY_PRESENCES_MAX 500 /* of one appointment; a device that flaps stays below */
#define TV_HISTORY_SID_MAX 64        /* bytes; what has a longer sid is not recorded */

void tv_history_init(struct tv_history *h, struct tv_arena *a);
/* Folds one observation in. False when it changed nothing, also when there are too many presences.
 * A newer snapshot always changes something: snapshot_us. */
bool tv_history_observe(struct tv_history *h, const struct tv_observation *o);
/* For who reads a stored history: adds a call, and a presence to it, as they are (text borrowed),
 * in any order. */
struct tv_room_call *tv_history_add_call(struct tv_history *h, const struct tv_room_call *c);
void tv_history_add_presence(struct tv_history *h, struct tv_room_call *c,
                             const struct tv_presence *p);

/* NULL when there is none. */
struct tv_room_call *tv_history_call(const struct tv_history *h, const char *room_sid);

/* -- what follows from it -----------------------------------------------------------------------*/

static inline bool tv_room_call_is_over(const struct tv_room_call *c) {
    return c->over.by != TV_KNOWN_NOT;
}
static inline bool tv_presence_is_in(const struct tv_presence *p) {
    return p->left.by == TV_KNOWN_NOT;
}
/* The end was not told by LiveKit and lies between left.us and gone_us, more than half a second
 * apart: each of these may be off by half a second itself, and a sure end is true to a second. */
bool tv_presence_is_unsure(const struct tv_presence *p);

/* Since when this person is in without a break, 0 when not. A presence that ended with
 * DUPLICATE_IDENTITY and the one that took over are one stay, as are two that overlap. Until the
 * new device is there the person still counts as in, unless the call is over or a snapshot more
 * than TV_HISTORY_HANDOVER_US later is known. */
int64_t tv_history_in_since_us(const struct tv_history *h, const char *identity);
/* When this person left the last time; 0 when in, or never there. */
int64_t tv_history_left_us(const struct tv_history *h, const char *identity);
/* How long this person was there up to `now_us`, devices at the same time counted once. */
int64_t tv_history_present_us(const struct tv_history *h, const char *identity, int64_t now_us);

/* Somebody's side: which of two sides an identity belongs to, or none (interpreter, stranger). */
enum tv_side { TV_SIDE_NONE, TV_SIDE_PATIENT, TV_SIDE_DOCTOR };
#define TV_SIDES 3
typedef enum tv_side tv_history_side(void *ctx, const char *identity);

struct tv_meeting {
    int64_t together_us; /* both sides were in, in all, up to now */
    /* They met first; they were together until (now, if they are). 0: never. */
    int64_t first_us, last_us;
    bool came[TV_SIDES]; /* by side: somebody of it was there */
    bool in[TV_SIDES];   /* and is now, as tv_history_in_since_us() tells */
};
struct tv_meeting tv_history_meeting(const struct tv_history *h, tv_history_side *side_of,
                                     void *ctx, int64_t now_us);
/* How long `identity` was there while somebody of the other side was. */
int64_t tv_history_talk_us(const struct tv_history *h, const char *identity,
                           tv_history_side *side_of, void *ctx, int64_t now_us);

#endif
