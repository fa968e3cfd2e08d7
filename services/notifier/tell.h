/* tell.h - tells over the bus what a commit brought: whoever learns of a commit publishes it.
 *
 * Fires, jobs and the watch all learn of commits by replies with `told` and `due_now`. A notice
 * becomes a nudge `tv.v1.inbox.<clinic>.<person>`; one that gets lost is found by the gateway,
 * which counts the notices of each person. `due_now` becomes the hint that makes every notifier
 * fire at once; it comes back to this one as well.
 */
#ifndef TV_NOTIFIER_TELL_H
#define TV_NOTIFIER_TELL_H

#include "lib/bus.h"
#include "lib/pb.h"

#define TV_HINT_SUBJECT "tv.v1.hint.due"

/* The metrics are there from the start, at 0. */
void tv_tell_init(void);
/* Publishes the `told` entries of a reply, and the hint when it says `due_now`. A reply without
 * these fields is left alone. */
void tv_tell_reply(struct tv_bus *b, const ProtobufCMessage *reply);

#endif
