#include "services/appointments/view.h"

#include "lib/clock.h"

/* The numbers of our enums go into messages as they are. */
#define X(name, number)                                                                            \
    static_assert((int)TV_DECISION_##name == (int)TELEVISIT__V1__JOIN_DECISION__VALUE__##name,     \
                  "as in the proto");
TV_DECISION_MAP(X)
#undef X

const char *view_text(const struct tv_pg_result *r, unsigned row, const char *column) {
    int c = tv_pg_column(r, column);
    return c < 0 || tv_pg_is_null(r, row, (unsigned)c) ? "" : tv_pg_value(r, row, (unsigned)c).p;
}

bool view_is_true(const struct tv_pg_result *r, unsigned row, const char *column) {
    return view_text(r, row, column)[0] == 't';
}

static bool read_time(const struct tv_pg_result *r, unsigned row, const char *column,
                      int64_t *ret_us) {
    int c = tv_pg_column(r, column);
    return c >= 0 && tv_pg_time(r, row, (unsigned)c, ret_us);
}

static bool read_int(const struct tv_pg_result *r, unsigned row, const char *column, int64_t *ret) {
    return tv_str_to_i64(tv_str(view_text(r, row, column)), 0, INT32_MAX, ret);
}

enum tv_err view_read(const struct tv_pg_result *r, unsigned row, struct view *ret,
                      struct tv_error *e) {
    struct view v = {
        .status = tv_status_parse(view_text(r, row, "status")),
        .own = tv_participant_parse(view_text(r, row, "participant_type")),
        .admitted = view_is_true(r, row, "admitted"),
        .waiting_room = view_is_true(r, row, "waiting_room"),
        .reschedule_needs_confirmation = view_is_true(r, row, "reschedule_needs_confirmation"),
    };
    int64_t version = 0, notice_s = 0;
    if (!read_time(r, row, "starts_at", &v.starts_at_us) ||
        !read_time(r, row, "opens_at", &v.opens_at_us) ||
        !read_time(r, row, "closes_at", &v.closes_at_us) || !read_time(r, row, "now", &v.now_us) ||
        !read_int(r, row, "version", &version) ||
        !read_int(r, row, "cancellation_notice_s", &notice_s) || v.status == TV_STATUS_NONE)
        return tv_fail(e, TV_ERR_INTERNAL, "An appointment could not be read");
    v.version = (int32_t)version;
    v.cancellation_notice_us = notice_s * TV_US_PER_S;
    *ret = v;
    return TV_OK;
}

enum tv_err view_json(const struct tv_pg_result *r, unsigned row, const char *column,
                      const ProtobufCMessageDescriptor *type, struct tv_arena *a,
                      ProtobufCMessage **ret, struct tv_error *e) {
    struct tv_error why = TV_ERROR_INIT;
    if (tv_pb_from_json(type, tv_str(view_text(r, row, column)), 0, a, ret, &why) != TV_OK)
        return tv_fail(e, TV_ERR_INTERNAL, "An appointment could not be read");
    return TV_OK;
}

static Televisit__V1__Join *join_of(const struct view *v, struct tv_arena *a) {
    const struct tv_gate_input in = {
        .own = v->own,
        .asked = v->own,
        .status = v->status,
        .opens_at_us = v->opens_at_us,
        .closes_at_us = v->closes_at_us,
        .now_us = v->now_us,
        .waiting_room = v->waiting_room,
        .admitted = v->admitted,
    };
    Televisit__V1__Join *join = TV_PB_NEW(a, Televisit__V1__Join, televisit__v1__join__descriptor);
    join->decision = (Televisit__V1__JoinDecision__Value)tv_gate_decide(&in);
    join->opens_at = tv_pb_time(v->opens_at_us, a);
    join->closes_at = tv_pb_time(v->closes_at_us, a);
    join->server_time = tv_pb_time(v->now_us, a);
    return join;
}

enum tv_err view_appointment(const struct tv_pg_result *r, unsigned row, struct tv_arena *a,
                             Televisit__V1__Appointment **ret, struct tv_error *e) {
    struct view v;
    ProtobufCMessage *m = NULL;
    enum tv_err err = view_read(r, row, &v, e);
    if (err == TV_OK)
        err = view_json(r, row, "appointment", &televisit__v1__appointment__descriptor, a, &m, e);
    if (err != TV_OK)
        return err;
    Televisit__V1__Appointment *appointment = (Televisit__V1__Appointment *)(void *)m;
    appointment->join = join_of(&v, a);
    *ret = appointment;
    return TV_OK;
}
