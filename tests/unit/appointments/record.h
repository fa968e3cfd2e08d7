/* record.h - the record of calls against a real database: events, snapshots and deletions are sent,
 * and what comes back is a line of text. */
#ifndef TESTS_APPOINTMENTS_RECORD_H
#define TESTS_APPOINTMENTS_RECORD_H

#include "calls.h"

#include "services/appointments/calls.c"

static struct fixture f;
static struct app app;
static char *id;               /* of an appointment of DOCTOR and PATIENT; open 10:30 to 13:00 */
static char *doctor, *patient; /* their identities */
static int64_t now_us;

#define DAY "2026-11-24T"
#define STARTS DAY "11:00:00Z"

static inline int64_t us_of_text(const char *time) {
    char text[40];
    int64_t us = 0;
    (void)snprintf(text, sizeof(text), DAY "%sZ", time);
    assert_true(tv_time_parse(tv_str(text), &us));
    return us;
}

/* "10:45:00", of that day. */
static inline void set_now(const char *time) {
    char text[40];
    (void)snprintf(text, sizeof(text), DAY "%sZ", time);
    fixture_set_now(&f, text);
    now_us = us_of_text(time);
}

static inline int set_up(void **state) {
    fixture_start(&f);
    app = (struct app){.loop = f.loop, .pg = f.pg};
    /* The second one is on its way in, or out: it opens as well. */
    assert_int_equal(
        tv_seal_keys_parse("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
                           "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100",
                           &app.grant_keys, NULL),
        TV_OK);
    tv_seal_keys_derive(&app.grant_keys, TV_SEAL_EVENTS, &app.event_keys);
    return 0;
}
static inline int tear_down(void **state) {
    fixture_stop(&f);
    return 0;
}
static inline int each(void **state) {
    fixture_clear(&f);
    free(test_sql(&f.db, "ALTER TABLE tv.audit DISABLE TRIGGER append_only; DELETE FROM tv.audit;"
                         "ALTER TABLE tv.audit ENABLE TRIGGER append_only"));
    fixture_set_now(&f, "2026-11-23T08:00:00Z");
    id = fixture_confirmed(&f, PATIENT, STARTS);
    doctor = test_sql(&f.db, "SELECT id FROM tv.participant WHERE type = 'DOCTOR'");
    patient = test_sql(&f.db, "SELECT id FROM tv.participant WHERE type = 'PATIENT'");
    set_now("10:45:00");
    return 0;
}
static inline int each_end(void **state) {
    fixture_check_promises(&f);
    free(id);
    free(doctor);
    free(patient);
    return 0;
}

/* -- what is sent -------------------------------------------------------------------------------*/

#define TYPE(name) TELEVISIT__V1__CALL_EVENT__TYPE__##name

struct event {
    Televisit__V1__CallEvent__Type type;
    const char *at;       /* "10:45:00" */
    const char *identity; /* of a person */
    const char *sid;
    const char *joined; /* NULL: not said */
    const char *reason;
    const char *room_sid; /* NULL: RM_1 */
    int generation;       /* 0: 1 */
    const char *id;       /* NULL: a new one */
};

static inline char *room_name(int generation) {
    static char names[2][TV_ROOM_NAME_MAX];
    static unsigned n;
    struct tv_room room = {.generation = TV_MAX(generation, 1)};
    (void)snprintf(room.appointment_id, sizeof(room.appointment_id), "%s", id);
    char *name = names[n++ % 2];
    tv_room_format(&room, name);
    return name;
}

static inline char *text(const char *z) { return (char *)(uintptr_t)(z == NULL ? "" : z); }

static inline int64_t age_ms(const char *time) {
    return (now_us - us_of_text(time)) / TV_US_PER_MS;
}

static inline struct outcome *send_sealed(const ProtobufCMessage *event, const unsigned char *key) {
    struct tv_arena *a = tv_arena_new();
    struct tv_str packed = tv_pb_pack(event, a);
    unsigned char *sealed = tv_arena_alloc(a, packed.len + TV_SEAL_BYTES);
    memcpy(sealed, packed.p, packed.len);
    tv_seal(packed, key, sealed + packed.len);
    Televisit__V1__RecordCallRequest request = TELEVISIT__V1__RECORD_CALL_REQUEST__INIT;
    request.sealed_event.data = sealed;
    request.sealed_event.len = packed.len + TV_SEAL_BYTES;
    struct tv_actor gateway = {.role = TV_ROLE_SERVICE};
    struct outcome *o = call_submit(&app, calls_record, &gateway, &request.base,
                                    &televisit__v1__call_reply__descriptor);
    tv_arena_free(a);
    return o;
}

static inline Televisit__V1__CallEvent message_of(const struct event *e, char *event_id) {
    static unsigned count;
    Televisit__V1__CallEvent m = TELEVISIT__V1__CALL_EVENT__INIT;
    (void)snprintf(event_id, 32, "EV_%u", ++count);
    m.id = e->id == NULL ? event_id : text(e->id);
    m.type = e->type;
    m.room = room_name(e->generation);
    m.room_sid = text(e->room_sid == NULL ? "RM_1" : e->room_sid);
    m.sid = text(e->sid);
    m.identity = text(e->identity);
    m.reason = text(e->reason);
    m.joined_age_ms = e->joined == NULL ? -1 : age_ms(e->joined);
    m.age_ms = age_ms(e->at);
    return m;
}

static inline struct outcome *send(const struct event *e) {
    char event_id[32];
    Televisit__V1__CallEvent m = message_of(e, event_id);
    return send_sealed(&m.base, app.event_keys.key[0]);
}

/* -- what comes back ----------------------------------------------------------------------------*/

static inline const char *name_of(const char *person_id) {
    return strcmp(person_id, PATIENT) == 0  ? "P"
           : strcmp(person_id, DOCTOR) == 0 ? "D"
           : strcmp(person_id, STAFF) == 0  ? "S"
           : strcmp(person_id, STAFF2) == 0 ? "S2"
                                            : "?";
}

static bool was_recorded; /* as the latest reply says */
static char hinted[8];    /* who got a hint by it, "PD" */

static inline void take_hint(const Televisit__V1__InboxEntry *entry) {
    assert_string_equal(entry->type, "appointment.changed");
    assert_string_equal(entry->event_id, "");
    assert_string_equal(entry->clinic_id, BERLIN);
    assert_true(entry->appointment_version > 0);
    assert_int_equal(tv_pb_time_us(entry->occurred_at), now_us);
    size_t n = strlen(hinted);
    (void)snprintf(hinted + n, sizeof(hinted) - n, "%s", name_of(entry->person_id));
}

/* "waiting D of P, started P", in the order of people; then " due" and " again". Hints are in
 * `hinted`. */
static inline const char *reply_text(struct outcome *o) {
    static char out[1024];
    size_t n = 0;
    assert_outcome(o, TV_OK);
    const Televisit__V1__CallReply *reply = o->reply;
    out[0] = '\0';
    was_recorded = reply->recorded;
    hinted[0] = '\0';
    for (size_t i = 0; i < reply->n_told; i++) {
        const Televisit__V1__InboxEntry *entry = reply->told[i];
        assert_string_equal(entry->appointment_id, id);
        if (entry->seq == 0) {
            take_hint(entry);
            continue;
        }
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s %s", n == 0 ? "" : ", ",
                              strchr(entry->type, '.') + 1, name_of(entry->person_id));
        if (entry->actor_id[0] != '\0')
            n += (size_t)snprintf(out + n, sizeof(out) - n, " of %s", name_of(entry->actor_id));
    }
    if (reply->due_now)
        n += (size_t)snprintf(out + n, sizeof(out) - n, " due");
    if (reply->again_ms > 0)
        n += (size_t)snprintf(out + n, sizeof(out) - n, " again %d", reply->again_ms);
    outcome_free(o);
    return out;
}

static inline const char *finish(struct outcome *o) {
    call_wait(&app, o);
    return reply_text(o);
}

#define record(what, time, ...)                                                                    \
    finish(send(&(struct event){.type = (what), .at = (time), __VA_ARGS__}))
#define started(time, ...) record(TYPE(ROOM_STARTED), time, __VA_ARGS__)
#define joined(who, pa, time, ...)                                                                 \
    record(TYPE(JOINED), time, .identity = (who), .sid = (pa), .joined = (time), __VA_ARGS__)
#define left(who, pa, time, why, ...)                                                              \
    record(TYPE(LEFT), time, .identity = (who), .sid = (pa), .reason = (why), __VA_ARGS__)
#define finished(time, ...) record(TYPE(ROOM_FINISHED), time, __VA_ARGS__)

struct view_of {
    const char *room_sid; /* NULL: no room */
    const char *created;
    struct {
        const char *sid, *identity, *joined;
    } people[3];
    int generation;
    int64_t age_ms;
};

static inline struct outcome *send_snapshot(const struct view_of *v) {
    Televisit__V1__SnapshotRequest request = TELEVISIT__V1__SNAPSHOT_REQUEST__INIT;
    Televisit__V1__RoomView view = TELEVISIT__V1__ROOM_VIEW__INIT;
    Televisit__V1__PersonInRoom people[3], *list[3];
    view.room = room_name(v->generation);
    view.room_sid = text(v->room_sid);
    view.created_age_ms = v->created == NULL ? 0 : age_ms(v->created) - v->age_ms;
    for (size_t i = 0; i < 3 && v->people[i].sid != NULL; i++) {
        televisit__v1__person_in_room__init(&people[i]);
        people[i].sid = text(v->people[i].sid);
        people[i].identity = text(v->people[i].identity);
        people[i].joined_age_ms = age_ms(v->people[i].joined) - v->age_ms;
        list[view.n_people++] = &people[i];
    }
    view.people = list;
    request.view = &view;
    request.age_ms = v->age_ms;
    struct tv_actor notifier = {.role = TV_ROLE_SERVICE};
    return call_submit(&app, calls_snapshot, &notifier, &request.base,
                       &televisit__v1__call_reply__descriptor);
}

#define snapshot(sid, ...) finish(send_snapshot(&(struct view_of){.room_sid = (sid), __VA_ARGS__}))

static inline const char *closed(const char *room) {
    Televisit__V1__ClosedRequest request = TELEVISIT__V1__CLOSED_REQUEST__INIT;
    request.room = text(room);
    struct tv_actor notifier = {.role = TV_ROLE_SERVICE};
    return finish(call_submit(&app, calls_closed, &notifier, &request.base,
                              &televisit__v1__call_reply__descriptor));
}

static inline const char *settle(const char *appointment_id) {
    Televisit__V1__SettleRequest request = TELEVISIT__V1__SETTLE_REQUEST__INIT;
    request.appointment_id = text(appointment_id);
    struct tv_actor notifier = {.role = TV_ROLE_SERVICE};
    return finish(call_submit(&app, calls_settle, &notifier, &request.base,
                              &televisit__v1__call_reply__descriptor));
}

static inline void assert_sql(const char *sql, const char *expected) {
    char *value = test_sql(&f.db, sql);
    if (strcmp(value == NULL ? "" : value, expected) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", sql, value, expected);
    free(value);
}

/* Everybody in the room, "D 10:45:00 P 10:46:00"; who is not in: "-10:50:00", the last time. */
static inline void assert_people(const char *expected) {
    assert_sql("SELECT string_agg(left(type, 1) || ' ' || coalesce(to_char(in_call_since AT TIME"
               " ZONE 'UTC', 'HH24:MI:SS'), '-' || to_char(left_call_at AT TIME ZONE 'UTC',"
               " 'HH24:MI:SS'), 'never'), ' ' ORDER BY type) FROM tv.participant",
               expected);
}

static inline void assert_jobs(const char *expected) {
    assert_sql("SELECT string_agg(kind || ' ' || replace(key, appointment_id::text, '#') || ' '"
               " || extract(epoch FROM run_at - tv.tv_now())::integer, ', ' ORDER BY kind, key)"
               " FROM tv.job WHERE state = 'waiting'",
               expected);
}

static inline double counted(const char *type, const char *outcome) {
    return tv_series_value(tv_metric_series(&events_metric, type, outcome, NULL, NULL));
}

/* What the tables hold of the calls, for comparing. */
static inline char *dump(void) {
    return test_sql(
        &f.db, "SELECT (SELECT string_agg(c::text, ' ' ORDER BY room_sid) FROM tv.call c) ||"
               " (SELECT string_agg(p::text, ' ' ORDER BY sid) FROM tv.presence p) ||"
               " (SELECT string_agg(id || type || at, ' ' ORDER BY id) FROM tv.call_event) ||"
               " (SELECT string_agg(concat(type, in_call_since, left_call_at), ' ' ORDER BY type)"
               " FROM tv.participant) ||"
               " (SELECT generation FROM tv.appointment)");
}

static inline void forget_calls(void) {
    free(test_sql(&f.db, "DELETE FROM tv.call_event; DELETE FROM tv.presence; DELETE FROM tv.call;"
                         "DELETE FROM tv.job; UPDATE tv.participant SET in_call_since = NULL,"
                         " left_call_at = NULL; UPDATE tv.appointment SET generation = 1"));
}

#endif
