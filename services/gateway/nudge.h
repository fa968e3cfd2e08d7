/* nudge.h - tells over the bus what a commit brought: whoever learns of a commit publishes it.
 *
 * A lost nudge costs seconds, never a notice: the streams find gaps by the sequence numbers.
 */
#ifndef TV_NUDGE_H
#define TV_NUDGE_H

#include "lib/pb.h"

struct gateway;

/* Publishes the `told` entries of a reply, and the hint to the notifiers when it says `due_now`.
 * A reply without these fields is left alone. */
void nudge_from_reply(struct gateway *g, const ProtobufCMessage *reply);

#endif
