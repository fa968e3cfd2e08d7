/* appointments.c - booking, reading and changing appointments.
 *
 * A change is three steps: read the appointment with the caller's rights, let the table of status.c
 * decide, and carry it out with a statement that counts only for the version that was read. So two
 * people who press two buttons at once cannot both be right: the second one is told STALE. */
#include <stdio.h>

#include "appointments_sql.h"
#include "lib/clock.h"
#include "lib/pbrow.h"
#include "services/appointments/app.h"
#include "services/appointments/bind.h"
#include "services/appointments/cursor.h"
#include "services/appointments/view.h"

enum { PAGE_DEFAULT = 50, PAGE_MAX = 100 };

static struct app *app_of(const struct tv_call *call) { return call->service_ctx; }

static const char *number_text(struct tv_call *call, int64_t n) {
    return tv_arena_printf(call->arena, "%lld", (long long)n);
}

/* NULL when it is not set. */
static const char *time_text(struct tv_call *call, const Google__Protobuf__Timestamp *t) {
    if (t == NULL)
        return NULL;
    char text[TV_TIME_TEXT_MAX];
    (void)tv_time_format(tv_pb_time_us(t), text);
    return tv_arena_strdup(call->arena, text);
}

/* An id that is none cannot be found; asking the database with it would be an error there. */
static bool is_id(struct tv_call *call, const char *text) {
    if (tv_str_is_uuid(tv_str(text)))
        return true;
    tv_call_failf(call, TV_ERR_NOT_FOUND, "There is no such appointment");
    return false;
}

static void fail_at(struct tv_call *call, const char *pointer, const char *detail) {
    struct tv_error e = TV_ERROR_INIT;
    (void)tv_fail_at(&e, TV_ERR_INVALID, pointer, "%s", detail);
    tv_call_fail(call, &e);
}

/* -- get and list -------------------------------------------------------------------------------*/

static void on_got(void *ctx, enum tv_err err, const struct tv_error *e,
                   const struct tv_pg_result *const *results, unsigned count) {
    struct tv_call *call = ctx;
    struct tv_error fault = TV_ERROR_INIT;
    Televisit__V1__Appointment *reply = NULL;
    if (err != TV_OK)
        tv_call_fail(call, e);
    else if (tv_pg_rows(results[0]) == 0)
        tv_call_failf(call, TV_ERR_NOT_FOUND, "There is no such appointment");
    else if (view_appointment(results[0], 0, call->arena, &reply, &fault) != TV_OK)
        tv_call_fail(call, &fault);
    else
        tv_call_reply(call, &reply->base);
}

static void read_one(struct tv_call *call, const char *id, tv_pg_done *on_done, void *ctx) {
    const struct bind binds[] = {{"appointment_id", id}};
    const struct tv_pg_query query = {&sql_appointments_get,
                                      bind_params(&sql_appointments_get, &call->context.actor,
                                                  binds, TV_ARRAY_LEN(binds), call->arena)};
    tv_pg_submit(app_of(call)->pg, &query, 1, call->context.deadline_us, on_done, ctx);
}

void appointments_get(struct tv_call *call) {
    const Televisit__V1__GetAppointmentRequest *request = (const void *)call->request;
    if (is_id(call, request->appointment_id))
        read_one(call, request->appointment_id, on_got, call);
}

static int32_t page_size(const Televisit__V1__ListAppointmentsRequest *request) {
    if (request->limit <= 0)
        return PAGE_DEFAULT;
    return TV_MIN(request->limit, PAGE_MAX);
}

/* The cursor of the last row that is shown. */
static enum tv_err next_cursor(const struct tv_pg_result *r, unsigned row, struct tv_arena *a,
                               char **ret, struct tv_error *e) {
    struct view v;
    enum tv_err err = view_read(r, row, &v, e);
    if (err != TV_OK)
        return err;
    struct tv_cursor cursor = {.starts_at_us = v.starts_at_us};
    (void)snprintf(cursor.id, sizeof(cursor.id), "%s", view_text(r, row, "id"));
    *ret = tv_arena_alloc(a, TV_CURSOR_TEXT);
    tv_cursor_format(&cursor, *ret);
    return TV_OK;
}

static enum tv_err fill_page(const struct tv_pg_result *r, size_t size, struct tv_arena *a,
                             Televisit__V1__ListAppointmentsReply *reply, struct tv_error *e) {
    /* One row more than the page was asked for: if it came, there is a next page. */
    size_t rows = TV_MIN((size_t)tv_pg_rows(r), size);
    reply->appointments = tv_arena_calloc(a, rows, sizeof(*reply->appointments));
    for (unsigned i = 0; i < rows; i++) {
        enum tv_err err = view_appointment(r, i, a, &reply->appointments[i], e);
        if (err != TV_OK)
            return err;
    }
    reply->n_appointments = rows;
    if (tv_pg_rows(r) <= size)
        return TV_OK;
    return next_cursor(r, (unsigned)size - 1, a, &reply->next_cursor, e);
}

static void on_listed(void *ctx, enum tv_err err, const struct tv_error *e,
                      const struct tv_pg_result *const *results, unsigned count) {
    struct tv_call *call = ctx;
    struct tv_error fault = TV_ERROR_INIT;
    if (err != TV_OK) {
        tv_call_fail(call, e);
        return;
    }
    Televisit__V1__ListAppointmentsReply *reply =
        TV_PB_NEW(call->arena, Televisit__V1__ListAppointmentsReply,
                  televisit__v1__list_appointments_reply__descriptor);
    size_t size = (size_t)page_size((const void *)call->request);
    if (fill_page(results[0], size, call->arena, reply, &fault) != TV_OK)
        tv_call_fail(call, &fault);
    else
        tv_call_reply(call, &reply->base);
}

void appointments_list(struct tv_call *call) {
    const Televisit__V1__ListAppointmentsRequest *request = (const void *)call->request;
    const char *after_starts_at = NULL, *after_id = NULL;
    if (request->cursor[0] != '\0') {
        struct tv_cursor cursor;
        if (!tv_cursor_parse(tv_str(request->cursor), &cursor)) {
            fail_at(call, "cursor", "This is no cursor of this list");
            return;
        }
        after_starts_at = time_text(call, tv_pb_time(cursor.starts_at_us, call->arena));
        after_id = tv_arena_strdup(call->arena, cursor.id);
    }
    const char *status = NULL;
    if (request->status != TELEVISIT__V1__APPOINTMENT_STATUS__VALUE__UNSPECIFIED) {
        const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
            &televisit__v1__appointment_status__value__descriptor, (int)request->status);
        if (value == NULL) {
            fail_at(call, "status", "This is no status");
            return;
        }
        status = value->name;
    }
    const struct bind binds[] = {
        {"from", time_text(call, request->from)},
        {"to", time_text(call, request->to)},
        {"status", status},
        {"rows", number_text(call, page_size(request) + 1)},
        {"after_starts_at", after_starts_at},
        {"after_id", after_id},
    };
    const struct tv_pg_query query = {&sql_appointments_list,
                                      bind_params(&sql_appointments_list, &call->context.actor,
                                                  binds, TV_ARRAY_LEN(binds), call->arena)};
    tv_pg_submit(app_of(call)->pg, &query, 1, call->context.deadline_us, on_listed, call);
}

/* -- book ---------------------------------------------------------------------------------------*/

#define HASH_TEXT (2 * TV_SHA256_BYTES + 1)

/* Of all that the caller asked for; the key itself is not part of it. */
static void hash_request(const Televisit__V1__BookRequest *request, struct tv_arena *a,
                         char out[static HASH_TEXT]) {
    static char empty[] = "";
    Televisit__V1__BookRequest without_key = *request;
    without_key.idempotency_key = empty;
    unsigned char hash[TV_SHA256_BYTES];
    tv_sha256(tv_pb_pack(&without_key.base, a), hash);
    for (size_t i = 0; i < sizeof(hash); i++)
        (void)snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

#define YEAR_2000_S INT64_C(946684800)
#define YEAR_3000_S INT64_C(32503680000)
#define NOT_BOOKABLE "Use a time of the years 2000 to 2999"

/* Every time that follows from it must be one that can be written, up to year 9999. */
static bool is_bookable(const Google__Protobuf__Timestamp *starts_at) {
    return starts_at->seconds >= YEAR_2000_S && starts_at->seconds < YEAR_3000_S;
}

/* What the database is not asked for; false when the call was answered. */
static bool may_book(struct tv_call *call, const Televisit__V1__BookRequest *request) {
    const struct tv_actor *actor = &call->context.actor;
    struct tv_error e = TV_ERROR_INIT;
    struct tv_status_change change;
    const struct tv_status_ask ask = {
        .action = TV_ACTION_BOOK,
        .own = actor->role == TV_ROLE_PATIENT ? TV_PARTICIPANT_PATIENT : TV_PARTICIPANT_NONE,
        .staff = actor->role == TV_ROLE_STAFF,
    };
    if (tv_status_change(&ask, &change, &e) != TV_OK) {
        tv_call_fail(call, &e);
        return false;
    }
    const char *pointer = NULL, *detail = NULL;
    bool for_other = request->patient_id[0] != '\0' &&
                     !tv_str_eqz(tv_str(request->patient_id), actor->person_id);
    if (!ask.staff && (request->minutes != 0 || request->confirmed || for_other)) {
        tv_call_failf(call, TV_ERR_FORBIDDEN,
                      "Only staff book for others, choose a length or confirm at once");
        return false;
    }
    if (request->idempotency_key[0] == '\0')
        pointer = "Idempotency-Key", detail = "This header is required";
    else if (!tv_str_is_uuid(tv_str(request->doctor_id)))
        pointer = "/doctorId", detail = "This is no id";
    else if (request->starts_at == NULL)
        pointer = "/startsAt", detail = "This is required";
    else if (!is_bookable(request->starts_at))
        pointer = "/startsAt", detail = NOT_BOOKABLE;
    else if (request->minutes < 0 || request->minutes > 480)
        pointer = "/minutes", detail = "Use 0 to 480";
    else if (ask.staff && !tv_str_is_uuid(tv_str(request->patient_id)))
        pointer = "/patientId", detail = "Staff say whom they book for";
    if (pointer == NULL)
        return true;
    fail_at(call, pointer, detail);
    return false;
}

/* Whom to tell; no row: an answer that was given before, and they were told then. */
static enum tv_err fill_told(const struct tv_pg_result *r, struct tv_arena *a,
                             Televisit__V1__ChangeReply *reply, struct tv_error *e) {
    return tv_pg_rows(r) == 0 ? TV_OK : tv_pbrow_fill(r, &reply->base, a, e);
}

/* The appointment as it is after the change, and what is to be told of it. */
static void answer_change(struct tv_call *call, const struct tv_pg_result *appointment,
                          const struct tv_pg_result *told) {
    struct tv_error fault = TV_ERROR_INIT;
    Televisit__V1__ChangeReply *reply =
        TV_PB_NEW(call->arena, Televisit__V1__ChangeReply, televisit__v1__change_reply__descriptor);
    if (view_appointment(appointment, 0, call->arena, &reply->appointment, &fault) != TV_OK ||
        fill_told(told, call->arena, reply, &fault) != TV_OK)
        tv_call_fail(call, &fault);
    else
        tv_call_reply(call, &reply->base);
}

/* Runs the statements as one transaction, all with the same binds. */
static void submit(struct tv_call *call, const struct tv_pg_statement *const *unit, unsigned count,
                   const struct bind *binds, size_t bind_count, tv_pg_done *on_done, void *ctx) {
    struct tv_pg_query queries[TV_PG_UNIT_MAX];
    for (unsigned i = 0; i < count; i++)
        queries[i] = (struct tv_pg_query){
            unit[i], bind_params(unit[i], &call->context.actor, binds, bind_count, call->arena)};
    tv_pg_submit(app_of(call)->pg, queries, count, call->context.deadline_us, on_done, ctx);
}

/* Results of book, idempotency_store, idempotency_read. */
static void on_booked(void *ctx, enum tv_err err, const struct tv_error *e,
                      const struct tv_pg_result *const *results, unsigned count) {
    struct tv_call *call = ctx;
    if (err != TV_OK) {
        tv_call_fail(call, e);
        return;
    }
    char hash[HASH_TEXT];
    hash_request((const void *)call->request, call->arena, hash);
    if (!tv_str_eqz(tv_str(view_text(results[2], 0, "request_hash")), hash)) {
        tv_call_failf(call, TV_ERR_KEY_REUSED, "Use a new key for a new request");
        return;
    }
    answer_change(call, results[2], results[0]);
}

void appointments_book(struct tv_call *call) {
    const Televisit__V1__BookRequest *request = (const void *)call->request;
    if (!may_book(call, request))
        return;
    char *hash = tv_arena_alloc(call->arena, HASH_TEXT);
    hash_request(request, call->arena, hash);
    const struct bind binds[] = {
        {"doctor_id", request->doctor_id},
        {"patient_id", request->patient_id[0] == '\0' ? NULL : request->patient_id},
        {"starts_at", time_text(call, request->starts_at)},
        {"minutes", number_text(call, request->minutes)},
        {"reason", request->reason},
        {"confirmed", request->confirmed ? "true" : "false"},
        {"idempotency_key", request->idempotency_key},
        {"request_hash", hash},
        {"request_id", call->context.request_id},
    };
    static const struct tv_pg_statement *const unit[] = {
        &sql_appointments_book, &sql_idempotency_store, &sql_idempotency_read};
    submit(call, unit, TV_ARRAY_LEN(unit), binds, TV_ARRAY_LEN(binds), on_booked, call);
}

/* -- change -------------------------------------------------------------------------------------*/

/* What the requests of all changes come down to; lives in the call's arena. */
struct change {
    struct tv_call *call;
    enum tv_action action;
    const char *appointment_id;
    /* The version that the page has seen. With any_version the wish does not depend on it, and this
     * is the version that was read last. */
    int32_t if_match;
    bool any_version;
    unsigned collisions;
    const char *note;
    const Google__Protobuf__Timestamp *starts_at; /* of a move, else NULL */
    int32_t minutes;
    const char *no_show; /* the side that did not come, or NULL */
};

/* Each time somebody else was quicker: after that many something is wrong. */
enum { COLLISIONS_MAX = 5 };

static void read_for_change(struct change *c);

/* It was changed between the read and the write. */
static void on_collision(struct change *c) {
    if (!c->any_version)
        tv_call_failf(c->call, TV_ERR_STALE, "Read it again and see whether you still want this");
    else if (++c->collisions == COLLISIONS_MAX)
        tv_call_failf(c->call, TV_ERR_UNAVAILABLE, "Please try again");
    else
        read_for_change(c);
}

/* Results of change, get. */
static void on_changed(void *ctx, enum tv_err err, const struct tv_error *e,
                       const struct tv_pg_result *const *results, unsigned count) {
    struct change *c = ctx;
    if (err != TV_OK)
        tv_call_fail(c->call, e);
    else if (tv_pg_rows(results[0]) == 0 || tv_pg_rows(results[1]) == 0)
        on_collision(c);
    else
        answer_change(c->call, results[1], results[0]);
}

static void carry_out(struct change *c, enum tv_status from,
                      const struct tv_status_change *decided) {
    struct tv_call *call = c->call;
    const struct bind binds[] = {
        {"appointment_id", c->appointment_id},
        {"if_match", number_text(call, c->if_match)},
        {"from_status", tv_status_name(from)},
        {"to_status", tv_status_name(decided->to)},
        {"event_type", decided->event_type},
        {"note", c->note},
        {"starts_at", time_text(call, c->starts_at)},
        {"minutes", number_text(call, c->minutes)},
        {"no_show", c->no_show},
        {"request_id", call->context.request_id},
    };
    static const struct tv_pg_statement *const unit[] = {&sql_appointments_change,
                                                         &sql_appointments_get};
    submit(call, unit, TV_ARRAY_LEN(unit), binds, TV_ARRAY_LEN(binds), on_changed, c);
}

static void on_read_for_change(void *ctx, enum tv_err err, const struct tv_error *e,
                               const struct tv_pg_result *const *results, unsigned count) {
    struct change *c = ctx;
    struct tv_call *call = c->call;
    struct tv_error fault = TV_ERROR_INIT;
    struct view v;
    if (err != TV_OK) {
        tv_call_fail(call, e);
        return;
    }
    if (tv_pg_rows(results[0]) == 0) {
        tv_call_failf(call, TV_ERR_NOT_FOUND, "There is no such appointment");
        return;
    }
    if (view_read(results[0], 0, &v, &fault) != TV_OK) {
        tv_call_fail(call, &fault);
        return;
    }
    if (c->any_version)
        c->if_match = v.version;
    if (v.version != c->if_match) {
        tv_call_failf(call, TV_ERR_STALE, "Read it again and see whether you still want this");
        return;
    }
    const struct tv_status_ask ask = {
        .action = c->action,
        .from = v.status,
        .own = v.own,
        .staff = call->context.actor.role == TV_ROLE_STAFF,
        .reschedule_needs_confirmation = v.reschedule_needs_confirmation,
        .cancellation_notice_us = v.cancellation_notice_us,
        .starts_at_us = v.starts_at_us,
        .opens_at_us = v.opens_at_us,
        .now_us = v.now_us,
    };
    struct tv_status_change decided;
    if (tv_status_change(&ask, &decided, &fault) != TV_OK)
        tv_call_fail(call, &fault);
    else
        carry_out(c, v.status, &decided);
}

static void read_for_change(struct change *c) {
    read_one(c->call, c->appointment_id, on_read_for_change, c);
}

static void start_change(struct tv_call *call, const struct change *asked) {
    if (!is_id(call, asked->appointment_id))
        return;
    if (asked->if_match <= 0 && !asked->any_version) {
        tv_call_failf(call, TV_ERR_VERSION_REQUIRED, "Say which version you have seen");
        return;
    }
    struct change *c = TV_ARENA_NEW(call->arena, struct change);
    *c = *asked;
    c->call = call;
    read_for_change(c);
}

void appointments_confirm(struct tv_call *call) {
    const Televisit__V1__ConfirmRequest *r = (const void *)call->request;
    start_change(call, &(struct change){.action = TV_ACTION_CONFIRM,
                                        .appointment_id = r->appointment_id,
                                        .if_match = r->if_match,
                                        .note = ""});
}

void appointments_decline(struct tv_call *call) {
    const Televisit__V1__DeclineRequest *r = (const void *)call->request;
    start_change(call, &(struct change){.action = TV_ACTION_DECLINE,
                                        .appointment_id = r->appointment_id,
                                        .if_match = r->if_match,
                                        .note = r->note});
}

void appointments_cancel(struct tv_call *call) {
    const Televisit__V1__CancelRequest *r = (const void *)call->request;
    start_change(call, &(struct change){.action = TV_ACTION_CANCEL,
                                        .appointment_id = r->appointment_id,
                                        .if_match = r->if_match,
                                        .note = r->note});
}

void appointments_move(struct tv_call *call) {
    const Televisit__V1__MoveRequest *r = (const void *)call->request;
    if (r->starts_at == NULL) {
        fail_at(call, "/startsAt", "This is required");
        return;
    }
    if (!is_bookable(r->starts_at)) {
        fail_at(call, "/startsAt", NOT_BOOKABLE);
        return;
    }
    if (r->minutes < 0 || r->minutes > 480) {
        fail_at(call, "/minutes", "Use 0 to 480");
        return;
    }
    if (r->minutes != 0 && call->context.actor.role != TV_ROLE_STAFF) {
        tv_call_failf(call, TV_ERR_FORBIDDEN, "Only staff choose a length");
        return;
    }
    start_change(call, &(struct change){.action = TV_ACTION_MOVE,
                                        .appointment_id = r->appointment_id,
                                        .if_match = r->if_match,
                                        .note = r->note,
                                        .starts_at = r->starts_at,
                                        .minutes = r->minutes});
}

/* Who wants the call to end wants it whatever was written into the appointment meanwhile. */
void appointments_end(struct tv_call *call) {
    const Televisit__V1__EndRequest *r = (const void *)call->request;
    start_change(call, &(struct change){.action = TV_ACTION_END,
                                        .appointment_id = r->appointment_id,
                                        .any_version = true,
                                        .note = ""});
}

void appointments_complete(struct tv_call *call) {
    const Televisit__V1__CompleteRequest *r = (const void *)call->request;
    start_change(call, &(struct change){.action = TV_ACTION_COMPLETE,
                                        .appointment_id = r->appointment_id,
                                        .if_match = r->if_match,
                                        .note = r->note});
}

void appointments_no_show(struct tv_call *call) {
    const Televisit__V1__NoShowRequest *r = (const void *)call->request;
    const ProtobufCEnumValue *side = protobuf_c_enum_descriptor_get_value(
        &televisit__v1__no_show__value__descriptor, (int)r->side);
    if (side == NULL || side->value == TELEVISIT__V1__NO_SHOW__VALUE__UNSPECIFIED) {
        fail_at(call, "/side", "Say which side did not come");
        return;
    }
    start_change(call, &(struct change){.action = TV_ACTION_NO_SHOW,
                                        .appointment_id = r->appointment_id,
                                        .if_match = r->if_match,
                                        .note = r->note,
                                        .no_show = side->name});
}
