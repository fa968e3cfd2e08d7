/* view.h - rows of sql/parts/appointment_view.sql as message Appointment, with the gate's answer.
 */
#ifndef APPOINTMENTS_VIEW_H
#define APPOINTMENTS_VIEW_H

#include "lib/pb.h"
#include "lib/pg.h"
#include "services/appointments/gate.h"
#include "televisit/v1/appointments.pb-c.h"

/* What a decision about the appointment needs; the caller is who asked the statement. */
struct view {
    int32_t version;
    enum tv_status status;
    int64_t starts_at_us, opens_at_us, closes_at_us, now_us;
    enum tv_participant own; /* as what the caller takes part */
    bool admitted;
    bool waiting_room;
    bool reschedule_needs_confirmation;
    int64_t cancellation_notice_us;
};

/* TV_ERR_INTERNAL when the columns are not as expected. */
TV_MUST_CHECK enum tv_err view_read(const struct tv_pg_result *r, unsigned row, struct view *ret,
                                    struct tv_error *e);

/* The appointment of a row; `join` says whether the caller could join, at the row's `now`. */
TV_MUST_CHECK enum tv_err view_appointment(const struct tv_pg_result *r, unsigned row,
                                           struct tv_arena *a, Televisit__V1__Appointment **ret,
                                           struct tv_error *e);

/* A JSON column as a message. */
TV_MUST_CHECK enum tv_err view_json(const struct tv_pg_result *r, unsigned row, const char *column,
                                    const ProtobufCMessageDescriptor *type, struct tv_arena *a,
                                    ProtobufCMessage **ret, struct tv_error *e);

/* The texts of PostgreSQL: booleans are t and f. False also when there is no such column. */
bool view_is_true(const struct tv_pg_result *r, unsigned row, const char *column);
/* Text of a column, "" for NULL; borrowed from the result. */
const char *view_text(const struct tv_pg_result *r, unsigned row, const char *column);

#endif
