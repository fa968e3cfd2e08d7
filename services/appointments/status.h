/* status.h - the life of an appointment: which change is allowed from where, and to whom.
 *
 * One table says it all (status.c, `transitions`). A handler reads the appointment, asks
 * tv_status_change(), and carries the answer out with a statement that changes the row only while
 * it still has the version that the decision was made on.
 */
#ifndef APPOINTMENTS_STATUS_H
#define APPOINTMENTS_STATUS_H

#include "lib/base.h"
#include "lib/err.h"

/* Numbers of AppointmentStatus in proto/televisit/v1/appointments.proto; the names are the texts
 * in the database. */
#define TV_STATUS_MAP(X)                                                                           \
    X(REQUESTED, 1)                                                                                \
    X(CONFIRMED, 2)                                                                                \
    X(DECLINED, 3)                                                                                 \
    X(CANCELLED, 4)                                                                                \
    X(COMPLETED, 5)                                                                                \
    X(NO_SHOW, 6)

enum tv_status {
    TV_STATUS_NONE = 0, /* not booked yet */
#define X(name, number) TV_STATUS_##name = (number),
    TV_STATUS_MAP(X)
#undef X
};

/* Numbers of ParticipantType. */
#define TV_PARTICIPANT_MAP(X)                                                                      \
    X(PATIENT, 1)                                                                                  \
    X(DOCTOR, 2)                                                                                   \
    X(INTERPRETER, 3)                                                                              \
    X(GUEST, 4)

enum tv_participant {
    TV_PARTICIPANT_NONE = 0, /* takes no part */
#define X(name, number) TV_PARTICIPANT_##name = (number),
    TV_PARTICIPANT_MAP(X)
#undef X
};

const char *tv_status_name(enum tv_status s); /* "NO_SHOW"; "" for NONE */
/* By their names; NONE for any other text. */
enum tv_status tv_status_parse(const char *name);
enum tv_participant tv_participant_parse(const char *name);

/* What somebody wants to do. */
enum tv_action {
    TV_ACTION_BOOK,
    TV_ACTION_CONFIRM,
    TV_ACTION_DECLINE,
    TV_ACTION_CANCEL,
    TV_ACTION_MOVE,
    TV_ACTION_END,
    TV_ACTION_COMPLETE,
    TV_ACTION_NO_SHOW,
};

struct tv_status_ask {
    enum tv_action action;
    enum tv_status from;
    enum tv_participant own; /* as what the actor takes part */
    bool staff;              /* the actor is staff of the clinic */
    /* The policy, and what it looks at. */
    bool reschedule_needs_confirmation;
    int64_t cancellation_notice_us; /* 0: none */
    int64_t starts_at_us;
    int64_t opens_at_us;
    int64_t now_us;
};

struct tv_status_change {
    enum tv_status to;
    const char *event_type; /* "appointment.moved"; static */
};

/* TV_ERR_ILLEGAL_TRANSITION names both statuses in `e`; TV_ERR_FORBIDDEN: allowed, but not to this
 * person, or not so late; TV_ERR_TOO_EARLY, with opensAt and serverTime: from then on. */
TV_MUST_CHECK enum tv_err tv_status_change(const struct tv_status_ask *ask,
                                           struct tv_status_change *ret, struct tv_error *e);

#endif
