/* hint.h - what an entry for one person says to others: that an appointment has changed.
 *
 * Pure. A hint has no number and is kept nowhere; who misses it sees the change when they ask again
 * (docs/adr/0012-hints.md). Several people are told of the same event, so the same hint comes
 * several times in a row: a stream remembers the last few that it has seen.
 */
#ifndef TV_HINT_H
#define TV_HINT_H

#include "lib/crypto.h"
#include "televisit/v1/common.pb-c.h"

struct hint {
    const char *appointment_id; /* borrowed from the entry */
    uint64_t event, instant;    /* which event and which commit it is of; 0: not known */
    bool bare;                  /* the entry is nothing else, and no notice to its person */
};

/* False when the entry is about no appointment, or malformed. */
bool hint_of(const Televisit__V1__InboxEntry *entry, struct hint *ret);

#define HINT_KEYS_SEEN 16
struct hints_seen {
    uint64_t keys[HINT_KEYS_SEEN]; /* a ring; 0: none */
    unsigned next;
};

/* True the first time: for each event, and for what has none when nothing of its commit was seen.
 * What is not known at all is always new. */
bool hint_is_new(struct hints_seen *seen, const struct hint *hint);

#define HINT_BYTES 128
/* The event as it is written to a stream; points to `out`. */
struct tv_str hint_event(const struct hint *hint, char out[static HINT_BYTES]);

#endif
