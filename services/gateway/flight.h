/* flight.h - one HTTP request, from its head to its end.
 *
 * The story of a request. on_head (front.c) makes the flight in the exchange's arena, finds its
 * route, its caller and its place in the rate limits: whatever is wrong is answered before a byte
 * of the body is read. When the body is there, its members, the path and the query become one
 * protobuf message (request.c), checked against the rules of the .proto. Then the flight is
 * *calling*: one or more calls go over the bus, the connection is suspended, and nothing waits.
 * The last reply becomes the answer (answer.c), or an error becomes a problem (problem.c). An
 * event stream is *streaming* instead, until the client or we end it. on_end takes the flight off
 * its list, counts it and writes its line; the arena goes with the exchange.
 *
 * A flight is on exactly one list, that of its state; flight_move() is the only function that
 * changes it. Who puts a flight where:
 *
 *   READING    front.c, when the head is in order
 *   CALLING    call.c, with the first call over the bus
 *   STREAMING  stream.c
 *   ANSWERED   answer.c and problem.c, when the answer is queued; it leaves with on_end
 */
#ifndef TV_FLIGHT_H
#define TV_FLIGHT_H

#include "lib/bus.h"
#include "lib/httpd.h"
#include "lib/rpc.h"
#include "services/gateway/router.h"

enum flight_state { FLIGHT_READING, FLIGHT_CALLING, FLIGHT_STREAMING, FLIGHT_ANSWERED };
#define FLIGHT_STATES 4

struct gateway;
struct call;
struct stream;

struct flight {
    struct gateway *gateway;
    struct tv_http *http;                           /* borrowed; ends after on_end */
    struct tv_arena *arena;                         /* the exchange's */
    const struct tv_route *route;                   /* NULL when none matched */
    bool of_web;                                    /* it is about a file of the web app */
    struct tv_str path_values[TV_ROUTE_PARAMS_MAX]; /* in the order of the template */
    struct tv_context context;  /* actor, deadline, ids: carried by every call */
    int64_t session_expires_us; /* wall clock; 0 without a session */
    bool by_cookie;             /* the session came by cookie, not by Bearer */
    const char *allow;          /* the Allow field of a 405; NULL otherwise */
    const char *rate_limit;     /* the RateLimit field of a 429; NULL otherwise */
    struct call *call;          /* under way over the bus; NULL: none */
    struct stream *stream;      /* while STREAMING */
    void *memo;                 /* what a flow keeps from call to call; in the arena */
    int64_t started_us;
    unsigned status;     /* of the answer; 0: none yet */
    const char *problem; /* slug of the error that was answered; NULL: none */
    enum flight_state state;
    TAILQ_ENTRY(flight) link;
};

TAILQ_HEAD(flight_list, flight);

struct tv_flights {
    struct flight_list list[FLIGHT_STATES];
    unsigned count[FLIGHT_STATES];
};

void flights_init(struct tv_flights *flights);
unsigned flights_total(const struct tv_flights *flights);

/* In the arena of the exchange, READING, with fresh request and trace ids. */
struct flight *flight_new(struct gateway *g, struct tv_http *x);
void flight_move(struct flight *f, enum flight_state to);
/* Takes it off its list for good; the memory goes with the exchange. */
void flight_end(struct flight *f);

#endif
