/* admit.c - who may enter a call now: the hot path, for everybody comes at the full hour.
 *
 * A call to Admit is a `struct join` on exactly one list:
 *   asked     came, not read yet. At the end of the turn all of them are read by one statement,
 *             unless a read is under way; then they wait for it, and the next read takes them all.
 *   reading   in the statement that is under way.
 *   decided   the gate has decided; the audit row is not written yet. Again all of them go into
 *             one statement, while at most one is under way.
 *   writing   in that statement. When it is committed, and not before, the answers leave: nobody
 *             gets a grant, or a refusal, without an audit row.
 * So under load the batches grow by themselves and the number of statements does not. */
#include <stdio.h>
#include <stdlib.h>

#include "appointments_sql.h"
#include "lib/clock.h"
#include "lib/metrics.h"
#include "services/appointments/app.h"
#include "services/appointments/bind.h"
#include "services/appointments/room.h"
#include "services/appointments/view.h"
#include "televisit/v1/tokens.pb-c.h"

enum { BATCH_MAX = 256 };
/* The gateway brings a grant to the tokens service at once. */
#define GRANT_VALID_US (30 * TV_US_PER_S)
/* An audit row quotes the id that was asked for; this much of it. */
enum { SUBJECT_MAX = 64 };

struct join {
    TAILQ_ENTRY(join) link;
    struct tv_call *call;
    const char *appointment_id; /* NULL: what was asked for is no id */
    enum tv_decision decision;
    enum tv_status status;
    int64_t opens_at_us, closes_at_us, now_us;
    int64_t in_call_since_us; /* 0: not in the room */
    int32_t participants_max;
    char identity[TV_UUID_TEXT];
    char room[TV_ROOM_NAME_MAX];
    const char *encryption_key; /* "" when the clinic has it off */
};

TAILQ_HEAD(joins, join);

struct admit {
    struct app *app;
    struct tv_turn turn;
    struct joins asked, reading, decided, writing;
    struct tv_arena *read_arena, *write_arena; /* of the statements under way, else NULL */
    struct tv_series *decisions[TV_DECISION_COUNT], *reads, *audits;
};

static struct tv_metric decisions_metric = {
    .name = "tv_admit_decisions_total",
    .help = "Decisions of the gate about joins",
    .type = TV_COUNTER,
    .labels = {"decision"},
};
static struct tv_metric batch_metric = {
    .name = "tv_admit_batch_total",
    .help = "Statements of the admit path, by what they do (read, audit)",
    .type = TV_COUNTER,
    .labels = {"kind"},
};

/* Moves joins from one list to the end of another, at most BATCH_MAX; returns how many. */
static size_t take(struct joins *from, struct joins *to) {
    size_t n = 0;
    struct join *j;
    while (n < BATCH_MAX && (j = TAILQ_FIRST(from)) != NULL) {
        TAILQ_REMOVE(from, j, link);
        TAILQ_INSERT_TAIL(to, j, link);
        n++;
    }
    return n;
}

static int64_t last_deadline_us(const struct joins *list) {
    int64_t last = 0;
    const struct join *j;
    TAILQ_FOREACH(j, list, link)
        last = TV_MAX(last, j->call->context.deadline_us);
    return last;
}

static void fail_all(struct joins *list, const struct tv_error *e) {
    struct join *j;
    while ((j = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, j, link);
        tv_call_fail(j->call, e);
    }
}

/* -- the answer ---------------------------------------------------------------------------------*/

/* How a decision is told when it is neither yes nor "wait". */
static const struct {
    enum tv_err err;
    bool status, opens_at, closes_at, since; /* members of the problem */
    const char *detail;
} refusals[] = {
    [TV_DECISION_NOT_FOUND] = {TV_ERR_NOT_FOUND, .detail = "There is no such appointment"},
    [TV_DECISION_WRONG_PARTICIPANT_TYPE] = {TV_ERR_WRONG_PARTICIPANT_TYPE, .detail = ""},
    [TV_DECISION_NOT_CONFIRMED] = {TV_ERR_NOT_CONFIRMED, .status = true,
                                   .detail = "The doctor has still to confirm it"},
    [TV_DECISION_OVER] = {TV_ERR_OVER, .status = true, .detail = ""},
    [TV_DECISION_TOO_EARLY] = {TV_ERR_TOO_EARLY, .opens_at = true, .closes_at = true, .detail = ""},
    [TV_DECISION_TOO_LATE] = {TV_ERR_TOO_LATE, .closes_at = true, .detail = ""},
    [TV_DECISION_ALREADY_IN_CALL] = {TV_ERR_ALREADY_IN_CALL, .since = true, .detail = ""},
};

static void refuse(const struct join *j) {
    struct tv_error e = TV_ERROR_INIT;
    (void)tv_fail(&e, refusals[j->decision].err, "%s", refusals[j->decision].detail);
    if (refusals[j->decision].status)
        tv_error_add_string(&e, "appointmentStatus", tv_status_name(j->status));
    if (refusals[j->decision].opens_at)
        tv_error_add_time(&e, "opensAt", j->opens_at_us);
    if (refusals[j->decision].closes_at)
        tv_error_add_time(&e, "closesAt", j->closes_at_us);
    if (refusals[j->decision].since)
        tv_error_add_time(&e, "since", j->in_call_since_us);
    if (refusals[j->decision].closes_at || refusals[j->decision].since)
        tv_error_add_time(&e, "serverTime", j->now_us);
    tv_call_fail(j->call, &e);
}

static struct tv_str sealed_grant(const struct admit *a, const struct join *j,
                                  Televisit__V1__ParticipantType__Value type) {
    struct tv_arena *arena = j->call->arena;
    Televisit__V1__Grant *grant =
        TV_PB_NEW(arena, Televisit__V1__Grant, televisit__v1__grant__descriptor);
    grant->room = tv_arena_strdup(arena, j->room);
    grant->identity = tv_arena_strdup(arena, j->identity);
    grant->participant_type = type;
    grant->issued_at = tv_pb_time(j->now_us, arena);
    grant->valid_until = tv_pb_time(TV_MIN(j->now_us + GRANT_VALID_US, j->closes_at_us), arena);
    grant->closes_at = tv_pb_time(j->closes_at_us, arena);
    grant->participants_max = j->participants_max;
    grant->sealed_at = tv_pb_time(tv_clock_wall_us(), arena);
    struct tv_str packed = tv_pb_pack(&grant->base, arena);
    char *sealed = tv_arena_alloc(arena, packed.len + TV_SEAL_BYTES);
    memcpy(sealed, packed.p, packed.len);
    tv_seal(packed, a->app->grant_keys.key[0], (unsigned char *)sealed + packed.len);
    return (struct tv_str){sealed, packed.len + TV_SEAL_BYTES};
}

/* With a grant, or without one: the place in the waiting room is kept. */
static void let_in(const struct admit *a, const struct join *j) {
    const Televisit__V1__AdmitRequest *request = (const void *)j->call->request;
    struct tv_arena *arena = j->call->arena;
    Televisit__V1__AdmitReply *reply =
        TV_PB_NEW(arena, Televisit__V1__AdmitReply, televisit__v1__admit_reply__descriptor);
    reply->closes_at = tv_pb_time(j->closes_at_us, arena);
    if (j->decision == TV_DECISION_ALLOWED) {
        struct tv_str sealed = sealed_grant(a, j, request->participant_type);
        reply->sealed_grant.data = (uint8_t *)(uintptr_t)sealed.p;
        reply->sealed_grant.len = sealed.len;
        reply->room = tv_arena_strdup(arena, j->room);
        reply->identity = tv_arena_strdup(arena, j->identity);
        reply->encryption_key = tv_arena_strdup(arena, j->encryption_key);
    }
    tv_call_reply(j->call, &reply->base);
}

static void answer(const struct admit *a, const struct join *j) {
    tv_inc(a->decisions[j->decision]);
    if (j->decision == TV_DECISION_ALLOWED || j->decision == TV_DECISION_WAITING)
        let_in(a, j);
    else
        refuse(j);
}

/* -- the audit ----------------------------------------------------------------------------------*/

static void write_audit(struct admit *a);

static void on_written(void *ctx, enum tv_err err, const struct tv_error *e,
                       const struct tv_pg_result *const *results, unsigned count) {
    struct admit *a = ctx;
    tv_arena_free(TV_TAKE_PTR(a->write_arena));
    if (err != TV_OK) {
        /* Whether the rows are there or not: nobody got anything, so asking again is right. */
        struct tv_error unavailable = TV_ERROR_INIT;
        (void)tv_fail(&unavailable, TV_ERR_UNAVAILABLE, "Please try again");
        fail_all(&a->writing, &unavailable);
    }
    struct join *j;
    while ((j = TAILQ_FIRST(&a->writing)) != NULL) {
        TAILQ_REMOVE(&a->writing, j, link);
        answer(a, j);
    }
    write_audit(a);
}

static const char *subject(const struct join *j) {
    const Televisit__V1__AdmitRequest *request = (const void *)j->call->request;
    struct tv_str id = tv_str(request->appointment_id);
    if (j->appointment_id != NULL)
        return j->appointment_id;
    /* Not an id; text from outside is cut, where a character ends. */
    size_t len = TV_MIN(id.len, (size_t)SUBJECT_MAX);
    while (len > 0 && len < id.len && ((unsigned char)id.p[len] & 0xC0) == 0x80)
        len--;
    return tv_arena_strndup(j->call->arena, id.p, len);
}

static void write_audit(struct admit *a) {
    const char *clinics[BATCH_MAX], *people[BATCH_MAX], *sessions[BATCH_MAX], *actions[BATCH_MAX],
        *subjects[BATCH_MAX], *decisions[BATCH_MAX], *requests[BATCH_MAX];
    if (a->write_arena != NULL || TAILQ_EMPTY(&a->decided))
        return;
    size_t n = take(&a->decided, &a->writing), i = 0;
    const struct join *j;
    TAILQ_FOREACH(j, &a->writing, link) {
        const struct tv_context *context = &j->call->context;
        clinics[i] = context->actor.clinic_id;
        people[i] = context->actor.person_id;
        sessions[i] =
            tv_str_is_uuid(tv_str(context->actor.session_id)) ? context->actor.session_id : NULL;
        actions[i] = "call.join";
        subjects[i] = subject(j);
        decisions[i] = tv_decision_name(j->decision);
        requests[i] = context->request_id;
        i++;
    }
    struct tv_arena *arena = a->write_arena = tv_arena_new();
    const struct bind binds[] = {
        {"clinic_ids", bind_array(clinics, n, arena)},
        {"person_ids", bind_array(people, n, arena)},
        {"session_ids", bind_array(sessions, n, arena)},
        {"actions", bind_array(actions, n, arena)},
        {"subjects", bind_array(subjects, n, arena)},
        {"decisions", bind_array(decisions, n, arena)},
        {"request_ids", bind_array(requests, n, arena)},
    };
    const struct tv_actor nobody = {.role = TV_ROLE_NONE};
    const struct tv_pg_query query = {
        &sql_audit_write,
        bind_params(&sql_audit_write, &nobody, binds, TV_ARRAY_LEN(binds), arena)};
    tv_inc(a->audits);
    tv_pg_submit(a->app->pg, &query, 1, last_deadline_us(&a->writing), on_written, a);
}

/* -- the decision -------------------------------------------------------------------------------*/

static void read_asked(struct admit *a);

static bool read_time(const struct tv_pg_result *r, unsigned row, const char *column,
                      int64_t *ret_us) {
    return tv_pg_time(r, row, (unsigned)tv_pg_column(r, column), ret_us);
}

static bool read_count(const struct tv_pg_result *r, unsigned row, const char *column,
                       int32_t *ret) {
    int64_t n = 0;
    if (!tv_str_to_i64(tv_str(view_text(r, row, column)), 1, INT32_MAX, &n))
        return false;
    *ret = (int32_t)n;
    return true;
}

/* What is known of somebody who takes part. */
static bool read_place(struct join *j, const struct tv_pg_result *r, unsigned row) {
    struct tv_room room = {.generation = 1};
    if (!read_time(r, row, "now", &j->now_us) || !read_time(r, row, "opens_at", &j->opens_at_us) ||
        !read_time(r, row, "closes_at", &j->closes_at_us) ||
        !read_count(r, row, "generation", &room.generation) ||
        !read_count(r, row, "participants_max", &j->participants_max))
        return false;
    bool in_call = view_text(r, row, "in_call_since")[0] != '\0';
    if (in_call && !read_time(r, row, "in_call_since", &j->in_call_since_us))
        return false;
    memcpy(room.appointment_id, j->appointment_id, sizeof(room.appointment_id));
    tv_room_format(&room, j->room);
    (void)snprintf(j->identity, sizeof(j->identity), "%s", view_text(r, row, "participant_id"));
    j->encryption_key = view_is_true(r, row, "end_to_end_encryption")
                            ? tv_arena_strdup(j->call->arena, view_text(r, row, "media_key"))
                            : "";
    return true;
}

/* Fills the join from its row and lets the gate decide. */
static enum tv_err decide(struct join *j, const struct tv_pg_result *r, unsigned row,
                          struct tv_error *e) {
    const Televisit__V1__AdmitRequest *request = (const void *)j->call->request;
    enum tv_participant own = tv_participant_parse(view_text(r, row, "participant_type"));
    if (own != TV_PARTICIPANT_NONE && !read_place(j, r, row))
        return tv_fail(e, TV_ERR_INTERNAL, "An appointment could not be read");
    j->status = tv_status_parse(view_text(r, row, "status"));
    const struct tv_gate_input in = {
        .own = own,
        .asked = (enum tv_participant)request->participant_type,
        .status = j->status,
        .opens_at_us = j->opens_at_us,
        .closes_at_us = j->closes_at_us,
        .now_us = j->now_us,
        .waiting_room = view_is_true(r, row, "waiting_room"),
        .admitted = view_is_true(r, row, "admitted"),
        .in_call = j->in_call_since_us != 0,
        .take_over = request->take_over,
    };
    j->decision = tv_gate_decide(&in);
    return TV_OK;
}

static void on_read(void *ctx, enum tv_err err, const struct tv_error *e,
                    const struct tv_pg_result *const *results, unsigned count) {
    struct admit *a = ctx;
    struct join *j;
    tv_arena_free(TV_TAKE_PTR(a->read_arena));
    if (err != TV_OK)
        fail_all(&a->reading, e);
    /* The rows come in the order in which the joins stand on the list. */
    for (unsigned row = 0; (j = TAILQ_FIRST(&a->reading)) != NULL; row++) {
        struct tv_error fault = TV_ERROR_INIT;
        TAILQ_REMOVE(&a->reading, j, link);
        if (decide(j, results[0], row, &fault) == TV_OK)
            TAILQ_INSERT_TAIL(&a->decided, j, link);
        else
            tv_call_fail(j->call, &fault);
    }
    write_audit(a);
    read_asked(a);
}

static void read_asked(struct admit *a) {
    const char *clinics[BATCH_MAX], *people[BATCH_MAX], *appointments[BATCH_MAX];
    if (a->read_arena != NULL || TAILQ_EMPTY(&a->asked))
        return;
    size_t n = take(&a->asked, &a->reading), i = 0;
    const struct join *j;
    TAILQ_FOREACH(j, &a->reading, link) {
        clinics[i] = j->call->context.actor.clinic_id;
        people[i] = j->call->context.actor.person_id;
        appointments[i] = j->appointment_id;
        i++;
    }
    struct tv_arena *arena = a->read_arena = tv_arena_new();
    const struct bind binds[] = {
        {"clinic_ids", bind_array(clinics, n, arena)},
        {"person_ids", bind_array(people, n, arena)},
        {"appointment_ids", bind_array(appointments, n, arena)},
    };
    const struct tv_actor nobody = {.role = TV_ROLE_NONE};
    const struct tv_pg_query query = {
        &sql_appointments_admit_read,
        bind_params(&sql_appointments_admit_read, &nobody, binds, TV_ARRAY_LEN(binds), arena)};
    tv_inc(a->reads);
    tv_pg_submit(a->app->pg, &query, 1, last_deadline_us(&a->reading), on_read, a);
}

static void on_turn_end(void *ctx) { read_asked(ctx); }

/* -- from outside -------------------------------------------------------------------------------*/

void admit_admit(struct tv_call *call) {
    struct app *app = call->service_ctx;
    const struct tv_actor *actor = &call->context.actor;
    const Televisit__V1__AdmitRequest *request = (const void *)call->request;
    /* One bad id would fail the statement of all. */
    if (!tv_str_is_uuid(tv_str(actor->clinic_id)) || !tv_str_is_uuid(tv_str(actor->person_id))) {
        tv_call_failf(call, TV_ERR_UNAUTHENTICATED, "%s", "");
        return;
    }
    struct join *j = TV_ARENA_NEW(call->arena, struct join);
    j->call = call;
    if (tv_str_is_uuid(tv_str(request->appointment_id)))
        j->appointment_id = request->appointment_id;
    TAILQ_INSERT_TAIL(&app->admit->asked, j, link);
    tv_turn_arm(app->loop, &app->admit->turn);
}

struct admit *admit_new(struct app *app) {
    struct admit *a = tv_calloc(1, sizeof(*a));
    a->app = app;
    a->turn = (struct tv_turn){.fn = on_turn_end, .ctx = a};
    TAILQ_INIT(&a->asked);
    TAILQ_INIT(&a->reading);
    TAILQ_INIT(&a->decided);
    TAILQ_INIT(&a->writing);
#define X(name, number)                                                                            \
    a->decisions[number] = tv_metric_series(&decisions_metric, #name, NULL, NULL, NULL);
    TV_DECISION_MAP(X)
#undef X
    a->reads = tv_metric_series(&batch_metric, "read", NULL, NULL, NULL);
    a->audits = tv_metric_series(&batch_metric, "audit", NULL, NULL, NULL);
    return a;
}

void admit_free(struct admit *a) {
    if (a == NULL)
        return;
    struct tv_error e = TV_ERROR_INIT;
    (void)tv_fail(&e, TV_ERR_UNAVAILABLE, "%s", "");
    fail_all(&a->asked, &e);
    fail_all(&a->decided, &e);
    tv_turn_disarm(a->app->loop, &a->turn);
    free(a);
}
