/* calls.c - the record of calls: observations come in, and what follows from them goes out.
 *
 * A webhook, a snapshot or a deletion goes the same way, a `struct change`: read the book of the
 * appointment that the room's name says, fold the observation into its history, see what follows
 * (news.h), and write all of it with one statement that counts only while what was read still
 * holds. If somebody else was faster, the book is read again. So events may come twice, in any
 * order and at once; and who gets an answer can rely on it that the commit is done.
 *
 * A room whose name is not ours, or of an appointment that is not here, is left alone: another
 * installation may share the LiveKit. */
#include <stdio.h>

#include "appointments_sql.h"
#include "lib/clock.h"
#include "lib/metrics.h"
#include "lib/pbrow.h"
#include "services/appointments/app.h"
#include "services/appointments/bind.h"
#include "services/appointments/news.h"
#include "services/appointments/room.h"
#include "televisit/v1/calls.pb-c.h"

enum { TRIES_MAX = 8, IDENTITY_MAX = 256, WORD_MAX = 64, PEOPLE_MAX = 1000 };
/* An age beyond it is no age; calls last hours. */
#define AGE_MAX_MS (INT64_C(7) * 24 * 3600 * 1000)

static struct tv_metric events_metric = {
    .name = "tv_calls_events_total",
    .help = "Events of LiveKit, by type and what became of them (recorded, repeated, failed, odd, "
            "forged, foreign: a room of others, unknown: no such appointment)",
    .type = TV_COUNTER,
    .labels = {"type", "outcome"},
};

static struct app *app_of(const struct tv_call *call) { return call->service_ctx; }

static const char *number_text(struct tv_call *call, int64_t n) {
    return tv_arena_printf(call->arena, "%lld", (long long)n);
}

static const char *time_text(struct tv_call *call, int64_t us) {
    char text[TV_TIME_TEXT_MAX];
    (void)tv_time_format(us, text);
    return tv_arena_strdup(call->arena, text);
}

static Televisit__V1__CallReply *new_reply(struct tv_call *call) {
    return TV_PB_NEW(call->arena, Televisit__V1__CallReply, televisit__v1__call_reply__descriptor);
}

static void reply_nothing(struct tv_call *call) { tv_call_reply(call, &new_reply(call)->base); }

static void run(struct tv_call *call, const struct tv_pg_statement *st, const struct bind *binds,
                size_t count, tv_pg_done *on_done, void *ctx) {
    const struct tv_pg_query query = {
        st, bind_params(st, &call->context.actor, binds, count, call->arena)};
    tv_pg_submit(app_of(call)->pg, &query, 1, call->context.deadline_us, on_done, ctx);
}

/* -- a change of the record ---------------------------------------------------------------------*/

struct change {
    struct tv_call *call; /* its arena holds this */
    struct tv_room room;
    enum news_cause cause;
    /* Folds what was observed into the book; true when something changed. */
    bool (*observe)(const struct change *c, struct book *b);
    const Televisit__V1__CallEvent *event; /* of Record, else NULL */
    unsigned tries;
    int32_t again_ms; /* for the reply */
};

static void count_event(const Televisit__V1__CallEvent *event, const char *outcome) {
    const ProtobufCEnumValue *type = protobuf_c_enum_descriptor_get_value(
        &televisit__v1__call_event__type__descriptor, event == NULL ? 0 : (int)event->type);
    tv_inc(tv_metric_series(&events_metric, type == NULL ? "UNSPECIFIED" : type->name, outcome,
                            NULL, NULL));
}

void calls_count_from_zero(void) {
    static const char *const outcomes[] = {"recorded", "repeated", "failed",
                                           "odd",      "foreign",  "unknown"};
    const ProtobufCEnumDescriptor *types = &televisit__v1__call_event__type__descriptor;
    for (unsigned t = 0; t < types->n_values; t++) {
        for (size_t o = 0; o < TV_ARRAY_LEN(outcomes); o++)
            (void)tv_metric_series(&events_metric, types->values[t].name, outcomes[o], NULL, NULL);
    }
    (void)tv_metric_series(&events_metric, "UNSPECIFIED", "forged", NULL, NULL);
}

static void count_change(const struct change *c, const char *outcome) {
    if (c->event != NULL)
        count_event(c->event, outcome);
}

static void fail_change(const struct change *c, const struct tv_error *e) {
    count_change(c, "failed");
    tv_call_fail(c->call, e);
}

static void read_book(struct change *c);

static void on_written(void *ctx, enum tv_err err, const struct tv_error *e,
                       const struct tv_pg_result *const *results, unsigned count) {
    struct change *c = ctx;
    struct tv_error fault = TV_ERROR_INIT;
    if (err != TV_OK) {
        fail_change(c, e);
        return;
    }
    if (tv_pg_rows(results[0]) == 0) { /* somebody was faster */
        read_book(c);
        return;
    }
    Televisit__V1__CallReply *reply = new_reply(c->call);
    if (tv_pbrow_fill(results[0], &reply->base, c->call->arena, &fault) != TV_OK) {
        fail_change(c, &fault);
        return;
    }
    reply->again_ms = c->again_ms;
    reply->recorded = c->event != NULL;
    count_change(c, "recorded");
    tv_call_reply(c->call, &reply->base);
}

#define CHANGE_BYTES_MAX (1024 * 1024) /* a book has a bounded number of presences */

static const char *json_text(const ProtobufCMessage *m, struct tv_arena *a) {
    struct tv_buf json = TV_BUF_INIT(CHANGE_BYTES_MAX);
    tv_pb_to_json(m, &json);
    const char *text = json.overflow ? NULL : tv_arena_str(a, tv_buf_view(&json));
    tv_buf_done(&json);
    return text;
}

static void write_change(struct change *c, const struct book *b,
                         const Televisit__V1__BookChange *change) {
    struct tv_call *call = c->call;
    const Televisit__V1__CallEvent *event = c->event;
    /* An event of which nothing is kept, not even its call, has no row either. */
    if (event != NULL && tv_history_call(&b->history, event->room_sid) == NULL)
        event = NULL;
    const ProtobufCEnumValue *type =
        event == NULL ? NULL
                      : protobuf_c_enum_descriptor_get_value(
                            &televisit__v1__call_event__type__descriptor, (int)event->type);
    const char *text = json_text(&change->base, call->arena);
    if (text == NULL) {
        struct tv_error e = TV_ERROR_INIT;
        (void)tv_fail(&e, TV_ERR_INTERNAL, "%s", "");
        fail_change(c, &e);
        return;
    }
    const struct bind binds[] = {
        {"clinic_id", b->clinic_id},
        {"appointment_id", b->appointment_id},
        {"version", number_text(call, b->version)},
        {"generation", number_text(call, b->generation)},
        {"call_rev", number_text(call, b->call_rev)},
        {"change", text},
        {"event_id", event == NULL ? NULL : event->id},
        {"event_room_sid", event == NULL ? NULL : event->room_sid},
        {"event_sid", event == NULL ? NULL : event->sid},
        {"event_type", type == NULL ? NULL : type->name},
        {"event_at",
         event == NULL ? NULL : time_text(call, b->now_us - event->age_ms * TV_US_PER_MS)},
    };
    run(call, &sql_calls_write, binds, TV_ARRAY_LEN(binds), on_written, c);
}

static bool is_empty(const Televisit__V1__BookChange *change) {
    return change->n_people == 0 && change->n_notices == 0 && change->n_jobs == 0 &&
           !change->next_generation;
}

static void on_book(void *ctx, enum tv_err err, const struct tv_error *e,
                    const struct tv_pg_result *const *results, unsigned count) {
    struct change *c = ctx;
    struct tv_arena *a = c->call->arena;
    struct tv_error fault = TV_ERROR_INIT;
    struct book b;
    if (err != TV_OK) {
        fail_change(c, e);
        return;
    }
    if (tv_pg_rows(results[0]) == 0) {
        count_change(c, "unknown");
        reply_nothing(c->call);
        return;
    }
    if (book_read(results[0], a, &b, &fault) != TV_OK) {
        fail_change(c, &fault);
        return;
    }
    if (b.recorded) {
        Televisit__V1__CallReply *reply = new_reply(c->call);
        reply->recorded = true;
        count_change(c, "repeated");
        tv_call_reply(c->call, &reply->base);
        return;
    }
    Televisit__V1__BookChange *change =
        TV_PB_NEW(a, Televisit__V1__BookChange, televisit__v1__book_change__descriptor);
    bool changed = c->observe(c, &b);
    news_follow(&b, c->cause, c->room.generation, a, change);
    if (c->cause == NEWS_SNAPSHOT && book_is_open(&b, c->room.generation) &&
        news_is_running(&b, c->room.generation))
        c->again_ms = TV_NEWS_RECONCILE_MS;
    else
        c->again_ms = 0;
    if (c->event == NULL && !changed && is_empty(change)) {
        Televisit__V1__CallReply *reply = new_reply(c->call);
        reply->again_ms = c->again_ms;
        tv_call_reply(c->call, &reply->base);
        return;
    }
    book_add_changes(&b, a, change);
    write_change(c, &b, change);
}

static void read_book(struct change *c) {
    if (c->tries++ == TRIES_MAX) {
        struct tv_error e = TV_ERROR_INIT;
        (void)tv_fail(&e, TV_ERR_UNAVAILABLE, "Too much happens to this call at once");
        fail_change(c, &e);
        return;
    }
    const struct bind binds[] = {
        {"appointment_id", c->room.appointment_id},
        {"event_id", c->event == NULL ? NULL : c->event->id},
    };
    run(c->call, &sql_calls_read, binds, TV_ARRAY_LEN(binds), on_book, c);
}

static void start_change(const struct change *asked) {
    struct change *c = TV_ARENA_NEW(asked->call->arena, struct change);
    *c = *asked;
    read_book(c);
}

/* -- record -------------------------------------------------------------------------------------*/

static const struct {
    enum { NOTHING, OF_ROOM, OF_SOMEBODY } about;
    enum tv_observation_kind kind;
    enum news_cause cause;
} event_kinds[] = {
    [TELEVISIT__V1__CALL_EVENT__TYPE__ROOM_STARTED] = {OF_ROOM, TV_OBSERVED_STARTED, NEWS_CAME},
    [TELEVISIT__V1__CALL_EVENT__TYPE__ROOM_FINISHED] = {OF_ROOM, TV_OBSERVED_FINISHED,
                                                        NEWS_FINISHED},
    [TELEVISIT__V1__CALL_EVENT__TYPE__JOINED] = {OF_SOMEBODY, TV_OBSERVED_JOINED, NEWS_CAME},
    [TELEVISIT__V1__CALL_EVENT__TYPE__LEFT] = {OF_SOMEBODY, TV_OBSERVED_LEFT, NEWS_EVENT},
    [TELEVISIT__V1__CALL_EVENT__TYPE__ABORTED] = {OF_SOMEBODY, TV_OBSERVED_ABORTED, NEWS_EVENT},
    [TELEVISIT__V1__CALL_EVENT__TYPE__SEEN] = {OF_SOMEBODY, TV_OBSERVED_SEEN, NEWS_EVENT},
};

static bool observe_event(const struct change *c, struct book *b) {
    const Televisit__V1__CallEvent *event = c->event;
    const struct tv_observation o = {
        .kind = event_kinds[event->type].kind,
        .room_sid = event->room_sid,
        .generation = c->room.generation,
        .at_us = b->now_us - event->age_ms * TV_US_PER_MS,
        .sid = event->sid,
        .identity = event->identity,
        .joined_us = event->joined_age_ms < 0 ? 0 : b->now_us - event->joined_age_ms * TV_US_PER_MS,
        .reason = event->reason,
    };
    return tv_history_observe(&b->history, &o);
}

static bool is_word(const char *text, size_t min, size_t max) {
    size_t len = strlen(text);
    return min <= len && len <= max;
}

/* Whether it can be kept: it is genuine, but LiveKit's ids might become longer one day. */
static bool is_sound(const Televisit__V1__CallEvent *event) {
    if ((size_t)event->type >= TV_ARRAY_LEN(event_kinds) ||
        event_kinds[event->type].about == NOTHING)
        return false;
    size_t min = event_kinds[event->type].about == OF_SOMEBODY ? 1 : 0;
    return is_word(event->id, 1, WORD_MAX) && is_word(event->room_sid, 1, WORD_MAX) &&
           is_word(event->sid, min, WORD_MAX) && is_word(event->identity, min, IDENTITY_MAX) &&
           is_word(event->reason, 0, WORD_MAX) && 0 <= event->age_ms &&
           event->age_ms <= AGE_MAX_MS && -1 <= event->joined_age_ms &&
           event->joined_age_ms <= AGE_MAX_MS;
}

/* NULL when it is not what tokens has sealed. */
static const Televisit__V1__CallEvent *open_event(struct tv_call *call,
                                                  const ProtobufCBinaryData *sealed) {
    if (sealed->len <= TV_SEAL_BYTES)
        return NULL;
    struct tv_str packed = {(const char *)sealed->data, sealed->len - TV_SEAL_BYTES};
    if (!tv_seal_keys_ok(packed, sealed->data + packed.len, &app_of(call)->event_keys))
        return NULL;
    return (const void *)tv_pb_unpack(&televisit__v1__call_event__descriptor, packed, call->arena);
}

void calls_record(struct tv_call *call) {
    const Televisit__V1__RecordCallRequest *request = (const void *)call->request;
    const Televisit__V1__CallEvent *event = open_event(call, &request->sealed_event);
    struct tv_room room;
    if (event == NULL) {
        count_event(NULL, "forged");
        tv_call_failf(call, TV_ERR_FORBIDDEN, "This is not what was sealed");
        return;
    }
    bool ours = tv_room_parse(tv_str(event->room), &room);
    if (!ours || !is_sound(event)) {
        count_event(event, ours ? "odd" : "foreign");
        reply_nothing(call);
        return;
    }
    start_change(&(struct change){.call = call,
                                  .room = room,
                                  .cause = event_kinds[event->type].cause,
                                  .observe = observe_event,
                                  .event = event});
}

/* -- snapshot, closed ---------------------------------------------------------------------------*/

/* Calls of this room whose sid is not `but`, and that began before, are gone. */
static bool observe_gone(const struct change *c, struct book *b, const char *but, int64_t at_us,
                         enum tv_known known) {
    bool changed = false;
    struct tv_room_call *call, *next;
    TV_TAILQ_FOREACH_SAFE(call, &b->history.calls, link, next) {
        if (call->generation != c->room.generation || call->over.by != TV_KNOWN_NOT ||
            call->started.us > at_us || strcmp(call->room_sid, but) == 0)
            continue;
        const struct tv_observation o = {
            .kind = TV_OBSERVED_GONE,
            .room_sid = call->room_sid,
            .generation = call->generation,
            .at_us = at_us,
            .known = known,
        };
        changed |= tv_history_observe(&b->history, &o);
    }
    return changed;
}

static bool observe_snapshot(const struct change *c, struct book *b) {
    const Televisit__V1__SnapshotRequest *request = (const void *)c->call->request;
    const Televisit__V1__RoomView *view = request->view;
    int64_t at_us = b->now_us - request->age_ms * TV_US_PER_MS;
    bool changed = observe_gone(c, b, view->room_sid, at_us, TV_KNOWN_SNAPSHOT);
    if (view->room_sid[0] == '\0')
        return changed;
    struct tv_person_seen *people =
        tv_arena_calloc(c->call->arena, view->n_people, sizeof(*people));
    for (size_t i = 0; i < view->n_people; i++)
        people[i] = (struct tv_person_seen){
            .sid = view->people[i]->sid,
            .identity = view->people[i]->identity,
            .joined_us = at_us - view->people[i]->joined_age_ms * TV_US_PER_MS,
        };
    const struct tv_observation o = {
        .kind = TV_OBSERVED_SNAPSHOT,
        .room_sid = view->room_sid,
        .generation = c->room.generation,
        .at_us = at_us,
        .people = people,
        .people_count = view->n_people,
        .created_us = at_us - view->created_age_ms * TV_US_PER_MS,
    };
    return tv_history_observe(&b->history, &o) || changed;
}

static bool is_age(int64_t age_ms) { return 0 <= age_ms && age_ms <= AGE_MAX_MS; }

static bool is_view(const Televisit__V1__SnapshotRequest *request) {
    const Televisit__V1__RoomView *view = request->view;
    if (view == NULL || !is_word(view->room_sid, 0, WORD_MAX) || !is_age(view->created_age_ms) ||
        !is_age(request->age_ms) || view->n_people > PEOPLE_MAX)
        return false;
    for (size_t i = 0; i < view->n_people; i++)
        if (!is_word(view->people[i]->sid, 1, WORD_MAX) ||
            !is_word(view->people[i]->identity, 1, IDENTITY_MAX) ||
            !is_age(view->people[i]->joined_age_ms))
            return false;
    return true;
}

void calls_snapshot(struct tv_call *call) {
    const Televisit__V1__SnapshotRequest *request = (const void *)call->request;
    struct tv_room room;
    if (!is_view(request))
        tv_call_failf(call, TV_ERR_INVALID, "This is no view of a room");
    else if (!tv_room_parse(tv_str(request->view->room), &room))
        reply_nothing(call);
    else
        start_change(&(struct change){
            .call = call, .room = room, .cause = NEWS_SNAPSHOT, .observe = observe_snapshot});
}

/* When it ended is not said, only that it has. */
static bool observe_closed(const struct change *c, struct book *b) {
    return observe_gone(c, b, "", b->now_us, TV_KNOWN_ASSUMED);
}

void calls_closed(struct tv_call *call) {
    const Televisit__V1__ClosedRequest *request = (const void *)call->request;
    struct tv_room room;
    if (!tv_room_parse(tv_str(request->room), &room))
        reply_nothing(call);
    else
        start_change(&(struct change){
            .call = call, .room = room, .cause = NEWS_CLOSED, .observe = observe_closed});
}

/* -- settle -------------------------------------------------------------------------------------*/

struct settle {
    struct tv_call *call;
    const char *appointment_id;
    unsigned tries;
};

/* How it ended; `no_show` is NULL for COMPLETED. */
struct ending {
    const char *status, *no_show, *event_type;
};

static struct ending ending_of(struct book *b) {
    struct tv_meeting m = tv_history_meeting(&b->history, book_side_of, b, b->now_us);
    const char *no_show = "BOTH";
    if (m.first_us != 0)
        return (struct ending){"COMPLETED", NULL, "appointment.completed"};
    if (m.came[TV_SIDE_PATIENT] && m.came[TV_SIDE_DOCTOR])
        no_show = "MISSED";
    else if (m.came[TV_SIDE_PATIENT])
        no_show = "DOCTOR";
    else if (m.came[TV_SIDE_DOCTOR])
        no_show = "PATIENT";
    return (struct ending){"NO_SHOW", no_show, "appointment.no_show"};
}

static void read_to_settle(struct settle *s);

static void on_settled(void *ctx, enum tv_err err, const struct tv_error *e,
                       const struct tv_pg_result *const *results, unsigned count) {
    struct settle *s = ctx;
    struct tv_error fault = TV_ERROR_INIT;
    Televisit__V1__CallReply *reply = NULL;
    if (err != TV_OK) {
        tv_call_fail(s->call, e);
        return;
    }
    if (tv_pg_rows(results[0]) == 0) {
        read_to_settle(s);
        return;
    }
    reply = new_reply(s->call);
    if (tv_pbrow_fill(results[0], &reply->base, s->call->arena, &fault) != TV_OK)
        tv_call_fail(s->call, &fault);
    else
        tv_call_reply(s->call, &reply->base);
}

static void on_book_to_settle(void *ctx, enum tv_err err, const struct tv_error *e,
                              const struct tv_pg_result *const *results, unsigned count) {
    struct settle *s = ctx;
    struct tv_call *call = s->call;
    struct tv_error fault = TV_ERROR_INIT;
    struct book b;
    if (err != TV_OK) {
        tv_call_fail(call, e);
        return;
    }
    if (tv_pg_rows(results[0]) == 0) {
        reply_nothing(call);
        return;
    }
    if (book_read(results[0], call->arena, &b, &fault) != TV_OK) {
        tv_call_fail(call, &fault);
        return;
    }
    if (b.status != TV_STATUS_CONFIRMED || !b.closed) {
        reply_nothing(call);
        return;
    }
    struct ending ending = ending_of(&b);
    const struct bind binds[] = {
        {"clinic_id", b.clinic_id},
        {"appointment_id", b.appointment_id},
        {"version", number_text(call, b.version)},
        {"call_rev", number_text(call, b.call_rev)},
        {"to_status", ending.status},
        {"no_show", ending.no_show},
        {"event_type", ending.event_type},
        {"request_id", call->context.request_id},
    };
    run(call, &sql_calls_settle, binds, TV_ARRAY_LEN(binds), on_settled, s);
}

static void read_to_settle(struct settle *s) {
    if (s->tries++ == TRIES_MAX) {
        tv_call_failf(s->call, TV_ERR_UNAVAILABLE, "Too much happens to this appointment at once");
        return;
    }
    const struct bind binds[] = {{"appointment_id", s->appointment_id}, {"event_id", NULL}};
    run(s->call, &sql_calls_read, binds, TV_ARRAY_LEN(binds), on_book_to_settle, s);
}

void calls_settle(struct tv_call *call) {
    const Televisit__V1__SettleRequest *request = (const void *)call->request;
    if (!tv_str_is_uuid(tv_str(request->appointment_id))) {
        reply_nothing(call);
        return;
    }
    struct settle *s = TV_ARENA_NEW(call->arena, struct settle);
    s->call = call;
    s->appointment_id = request->appointment_id;
    read_to_settle(s);
}
