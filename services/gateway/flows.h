/* flows.h - what is done with a request once it is read: a function for each operation.
 *
 * Most operations are one call over the bus and need no code here. The others, marked `flow: LOCAL`
 * in proto/televisit/v1/gateway.proto, are the functions below; the table is in flows.c.
 */
#ifndef TV_FLOWS_H
#define TV_FLOWS_H

#include "lib/pb.h"
#include "services/gateway/flight.h"

/* Gets the request message (in the flight's arena) and ends the flight, then or later. */
typedef void flow_fn(struct flight *f, const ProtobufCMessage *request);

flow_fn *flow_of(const struct tv_route *route);
/* Aborts when a local operation has no code; once, at start. */
void flows_check(void);

/* flow_session.c */
flow_fn flow_log_in;
flow_fn flow_refresh;
flow_fn flow_log_out;
/* flow_join.c */
flow_fn flow_join;
/* flow_webhook.c */
flow_fn flow_livekit_webhook;
/* stream.c */
flow_fn flow_events;

#endif
