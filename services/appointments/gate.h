/* gate.h - may this person enter this call now? The one place that decides it.
 *
 * Joins, lists and single appointments all show the answer of tv_gate_decide(), so a page never
 * offers a button that the join would refuse. It is a pure function: what it needs was read by one
 * statement, `now_us` is the database's clock, and instants are compared, so neither daylight
 * saving nor midnight means anything here.
 */
#ifndef APPOINTMENTS_GATE_H
#define APPOINTMENTS_GATE_H

#include "lib/base.h"
#include "services/appointments/status.h"

/* Numbers of JoinDecision in proto/televisit/v1/appointments.proto. */
#define TV_DECISION_MAP(X)                                                                         \
    X(ALLOWED, 1)                                                                                  \
    X(NOT_FOUND, 2)                                                                                \
    X(WRONG_PARTICIPANT_TYPE, 3)                                                                   \
    X(NOT_CONFIRMED, 4)                                                                            \
    X(OVER, 5)                                                                                     \
    X(TOO_EARLY, 6)                                                                                \
    X(TOO_LATE, 7)                                                                                 \
    X(WAITING, 8)                                                                                  \
    X(ALREADY_IN_CALL, 9)

enum tv_decision {
#define X(name, number) TV_DECISION_##name = (number),
    TV_DECISION_MAP(X)
#undef X
        TV_DECISION_COUNT
};
const char *tv_decision_name(enum tv_decision d); /* "TOO_EARLY" */

struct tv_gate_input {
    enum tv_participant own;   /* as what the person takes part; NONE: not at all, or no such id */
    enum tv_participant asked; /* as what the person asks to enter */
    enum tv_status status;
    int64_t opens_at_us;
    int64_t closes_at_us;
    int64_t now_us;
    bool waiting_room; /* the clinic has one */
    bool admitted;     /* and the person was let in */
    /* Of a join only: what is shown beforehand says whether the door is open, not that one is in.
     */
    bool in_call;   /* the person is in the room, on another device */
    bool take_over; /* which is to be put out */
};

/* The first case that matches decides; the window is opens_at <= now < closes_at. */
enum tv_decision tv_gate_decide(const struct tv_gate_input *in);

#endif
