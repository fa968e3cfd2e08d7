/* stream.h - the event streams (Server-Sent Events) that this gateway holds.
 *
 * The story of a notice. A commit wrote it into somebody's inbox with the next sequence number,
 * and whoever learned of the commit published it on `tv.v1.inbox.<clinic>.<person>`. This gateway
 * listens for a clinic as long as somebody of it is connected here. An entry whose number follows
 * the last one that a stream has seen is written at once; a lower one was seen already; a higher
 * one shows a gap, and then the stream *reads*: it asks appointments for what follows its last
 * number, until it has all. A new stream begins by reading, and so does a stream that the check of
 * heads, every few seconds for all people at once, finds behind. So a nudge may be lost, doubled or
 * late, and the client still sees each notice once and in order.
 *
 * Others should know too, whom nobody has to tell: the staff, whose day board shows all
 * appointments, and whoever did it, on their other devices. Their streams get a *hint* when such an
 * entry passes by: which appointment has changed, and nothing more. It has no number, may be lost,
 * and is written once for an event however many people were told of it (hint.h). An entry without a
 * number is nothing but a hint, to its person as well.
 *
 * A stream ends when its session does (with an event that says so), when the client goes, when it
 * reads too slowly, or when the gateway drains; the client then comes back with Last-Event-ID.
 */
#ifndef TV_STREAM_H
#define TV_STREAM_H

#include "lib/base.h"

struct gateway;
struct flight;
struct tv_streams;

struct tv_streams *tv_streams_new(struct gateway *g);
/* No stream may be left. */
void tv_streams_free(struct tv_streams *s);
unsigned tv_streams_count(const struct tv_streams *s);
/* Closes all streams after what is queued. */
void tv_streams_close_all(struct tv_streams *s);
/* The exchange of a streaming flight is over; from front.c. */
void tv_stream_ended(struct flight *f);

#endif
