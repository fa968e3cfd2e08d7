#include "services/appointments/gate.h"

const char *tv_decision_name(enum tv_decision d) {
    switch (d) {
#define X(name, number)                                                                            \
    case TV_DECISION_##name:                                                                       \
        return #name;
        TV_DECISION_MAP(X)
#undef X
    case TV_DECISION_COUNT:
        break;
    }
    tv_panic("no such decision: %d", (int)d);
}

static bool waits(const struct tv_gate_input *in) {
    bool passes = in->own == TV_PARTICIPANT_DOCTOR || in->own == TV_PARTICIPANT_INTERPRETER;
    return in->waiting_room && !passes && !in->admitted;
}

enum tv_decision tv_gate_decide(const struct tv_gate_input *in) {
    if (in->own == TV_PARTICIPANT_NONE)
        return TV_DECISION_NOT_FOUND;
    if (in->asked != in->own)
        return TV_DECISION_WRONG_PARTICIPANT_TYPE;
    if (in->status == TV_STATUS_REQUESTED)
        return TV_DECISION_NOT_CONFIRMED;
    if (in->status != TV_STATUS_CONFIRMED)
        return TV_DECISION_OVER;
    if (in->now_us < in->opens_at_us)
        return TV_DECISION_TOO_EARLY;
    if (in->now_us >= in->closes_at_us)
        return TV_DECISION_TOO_LATE;
    if (waits(in))
        return TV_DECISION_WAITING;
    if (in->in_call && !in->take_over)
        return TV_DECISION_ALREADY_IN_CALL;
    return TV_DECISION_ALLOWED;
}
