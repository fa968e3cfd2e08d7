#include "services/appointments/status.h"

#include <string.h>

/* Who: as what one takes part, or staff. */
enum {
    PATIENT = 1 << TV_PARTICIPANT_PATIENT,
    DOCTOR = 1 << TV_PARTICIPANT_DOCTOR,
    INTERPRETER = 1 << TV_PARTICIPANT_INTERPRETER,
    GUEST = 1 << TV_PARTICIPANT_GUEST,
    STAFF = 1 << 8,
    PARTICIPANTS = PATIENT | DOCTOR | INTERPRETER | GUEST,
};

/* When a row counts. */
enum rule {
    ALWAYS,
    BACK_TO_REQUESTED, /* the patient moves it and the policy wants a new confirmation */
    IN_TIME,           /* a patient keeps the cancellation notice */
    ONCE_OPEN,         /* what has not begun has not taken place */
};

struct transition {
    enum tv_action action;
    enum tv_status from;
    enum tv_status to;
    unsigned who;
    enum rule rule;
    const char *event_type;
};

/* docs: the table "Appointment status". Of the rows with the same action and `from` the first one
 * whose `who` and rule fit counts. */
static const struct transition transitions[] = {
    {TV_ACTION_BOOK, TV_STATUS_NONE, TV_STATUS_REQUESTED, PATIENT | STAFF, ALWAYS,
     "appointment.requested"},
    {TV_ACTION_CONFIRM, TV_STATUS_REQUESTED, TV_STATUS_CONFIRMED, DOCTOR | STAFF, ALWAYS,
     "appointment.confirmed"},
    {TV_ACTION_DECLINE, TV_STATUS_REQUESTED, TV_STATUS_DECLINED, DOCTOR | STAFF, ALWAYS,
     "appointment.declined"},
    {TV_ACTION_CANCEL, TV_STATUS_REQUESTED, TV_STATUS_CANCELLED, PARTICIPANTS | STAFF, IN_TIME,
     "appointment.cancelled"},
    {TV_ACTION_CANCEL, TV_STATUS_CONFIRMED, TV_STATUS_CANCELLED, PARTICIPANTS | STAFF, IN_TIME,
     "appointment.cancelled"},
    {TV_ACTION_MOVE, TV_STATUS_CONFIRMED, TV_STATUS_REQUESTED, PATIENT, BACK_TO_REQUESTED,
     "appointment.moved"},
    {TV_ACTION_MOVE, TV_STATUS_CONFIRMED, TV_STATUS_CONFIRMED, PARTICIPANTS | STAFF, ALWAYS,
     "appointment.moved"},
    {TV_ACTION_END, TV_STATUS_CONFIRMED, TV_STATUS_COMPLETED, DOCTOR, ONCE_OPEN,
     "appointment.completed"},
    {TV_ACTION_COMPLETE, TV_STATUS_CONFIRMED, TV_STATUS_COMPLETED, DOCTOR, ONCE_OPEN,
     "appointment.completed"},
    {TV_ACTION_COMPLETE, TV_STATUS_NO_SHOW, TV_STATUS_COMPLETED, STAFF, ALWAYS,
     "appointment.completed"},
    {TV_ACTION_NO_SHOW, TV_STATUS_CONFIRMED, TV_STATUS_NO_SHOW, STAFF, ALWAYS,
     "appointment.no_show"},
    {TV_ACTION_NO_SHOW, TV_STATUS_COMPLETED, TV_STATUS_NO_SHOW, STAFF, ALWAYS,
     "appointment.no_show"},
};

const char *tv_status_name(enum tv_status s) {
    switch (s) {
    case TV_STATUS_NONE:
        return "";
#define X(name, number)                                                                            \
    case TV_STATUS_##name:                                                                         \
        return #name;
        TV_STATUS_MAP(X)
#undef X
    }
    tv_panic("no such status: %d", (int)s);
}

enum tv_status tv_status_parse(const char *name) {
#define X(known, number)                                                                           \
    if (strcmp(name, #known) == 0)                                                                 \
        return TV_STATUS_##known;
    TV_STATUS_MAP(X)
#undef X
    return TV_STATUS_NONE;
}

enum tv_participant tv_participant_parse(const char *name) {
#define X(known, number)                                                                           \
    if (strcmp(name, #known) == 0)                                                                 \
        return TV_PARTICIPANT_##known;
    TV_PARTICIPANT_MAP(X)
#undef X
    return TV_PARTICIPANT_NONE;
}

static unsigned who(const struct tv_status_ask *ask) {
    unsigned as = ask->staff ? STAFF : 0;
    return ask->own == TV_PARTICIPANT_NONE ? as : as | 1U << ask->own;
}

/* Whether the asker acts as a patient and nothing more. */
static bool is_patient(const struct tv_status_ask *ask) { return who(ask) == PATIENT; }

static bool too_late_to_cancel(const struct tv_status_ask *ask) {
    return is_patient(ask) && ask->cancellation_notice_us > 0 &&
           ask->now_us > ask->starts_at_us - ask->cancellation_notice_us;
}

static enum tv_err too_early(const struct tv_status_ask *ask, struct tv_error *e) {
    enum tv_err err = tv_fail(e, TV_ERR_TOO_EARLY, "%s", "");
    tv_error_add_time(e, "opensAt", ask->opens_at_us);
    tv_error_add_time(e, "serverTime", ask->now_us);
    return err;
}

static enum tv_err refuse(const struct tv_status_ask *ask, enum tv_status wanted,
                          struct tv_error *e) {
    enum tv_err err = tv_fail(e, TV_ERR_ILLEGAL_TRANSITION, "From %s it cannot become %s",
                              tv_status_name(ask->from), tv_status_name(wanted));
    tv_error_add_string(e, "appointmentStatus", tv_status_name(ask->from));
    tv_error_add_string(e, "wantedStatus", tv_status_name(wanted));
    return err;
}

enum tv_err tv_status_change(const struct tv_status_ask *ask, struct tv_status_change *ret,
                             struct tv_error *e) {
    enum tv_status wanted = TV_STATUS_NONE;
    bool exists = false;
    for (size_t i = 0; i < TV_ARRAY_LEN(transitions); i++) {
        const struct transition *t = &transitions[i];
        if (t->action != ask->action)
            continue;
        if (t->rule == BACK_TO_REQUESTED &&
            !(ask->reschedule_needs_confirmation && is_patient(ask)))
            continue;
        if (wanted == TV_STATUS_NONE)
            wanted = t->to;
        if (t->from != ask->from)
            continue;
        exists = true;
        if ((t->who & who(ask)) == 0)
            continue;
        if (t->rule == IN_TIME && too_late_to_cancel(ask))
            return tv_fail(e, TV_ERR_FORBIDDEN, "It is too late to cancel here: call the clinic");
        if (t->rule == ONCE_OPEN && ask->now_us < ask->opens_at_us)
            return too_early(ask, e);
        *ret = (struct tv_status_change){.to = t->to, .event_type = t->event_type};
        return TV_OK;
    }
    return exists ? tv_fail(e, TV_ERR_FORBIDDEN, "Others may do this, not you")
                  : refuse(ask, wanted, e);
}
