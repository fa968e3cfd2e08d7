/* call.h - a flight's calls over the bus.
 *
 * call_start() sends one request message to a method and moves the flight to CALLING. A good reply
 * goes to the function given; everything else becomes the flight's problem, so that flows are read
 * as a straight line of good replies, unless the target has an `on_error` of its own. A call that
 * may be sent again (`retry`) is, at most twice, after a short random pause, when there was nobody
 * to take it and time is left: that hides a rolling restart. A flight has at most one call under
 * way.
 */
#ifndef TV_CALL_H
#define TV_CALL_H

#include "lib/err.h"
#include "lib/pb.h"
#include "services/gateway/flight.h"

typedef void call_reply(struct flight *f, const ProtobufCMessage *reply);
/* Ends the flight or starts another call; `e` is borrowed until it returns. */
typedef void call_error(struct flight *f, const struct tv_error *e);

struct call_target {
    const ProtobufCServiceDescriptor *service;
    const char *method; /* as in the .proto, e.g. "Admit" */
    bool retry;
    call_error *on_error; /* NULL: the error is the answer */
};

/* `request` lives in the flight's arena (it may be sent again). */
void call_start(struct flight *f, const struct call_target *target, const ProtobufCMessage *request,
                call_reply *on_reply);
/* The same for the flight's own route. */
void call_route(struct flight *f, const ProtobufCMessage *request, call_reply *on_reply);
/* Forgets the call that is under way, if there is one: its flight ends. */
void call_cancel(struct flight *f);

#endif
