/* The record of calls against a real database: webhooks, snapshots, deletions, the end, the list.
 */
#include "calls.h"

#include "services/appointments/calls.c"

static struct fixture f;
static struct app app;
static char *id;               /* of an appointment of DOCTOR and PATIENT; open 10:30 to 13:00 */
static char *doctor, *patient; /* their identities */
static int64_t now_us;

#define DAY "2026-11-24T"
#define STARTS DAY "11:00:00Z"

static int64_t us_of_text(const char *time) {
    char text[40];
    int64_t us = 0;
    (void)snprintf(text, sizeof(text), DAY "%sZ", time);
    assert_true(tv_time_parse(tv_str(text), &us));
    return us;
}

/* "10:45:00", of that day. */
static void set_now(const char *time) {
    char text[40];
    (void)snprintf(text, sizeof(text), DAY "%sZ", time);
    fixture_set_now(&f, text);
    now_us = us_of_text(time);
}

static int set_up(void **state) {
    fixture_start(&f);
    app = (struct app){.loop = f.loop, .pg = f.pg};
    assert_true(tv_seal_key_parse(
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", app.grant_key));
    tv_seal_key_derive(app.grant_key, TV_SEAL_EVENTS, app.event_key);
    return 0;
}
static int tear_down(void **state) {
    assert_int_equal(fixture_count(&f, "SELECT deadlocks FROM pg_stat_database"
                                       " WHERE datname = current_database()"),
                     0);
    fixture_stop(&f);
    return 0;
}
static int each(void **state) {
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
static int each_end(void **state) {
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

static char *room_name(int generation) {
    static char names[2][TV_ROOM_NAME_MAX];
    static unsigned n;
    struct tv_room room = {.generation = TV_MAX(generation, 1)};
    (void)snprintf(room.appointment_id, sizeof(room.appointment_id), "%s", id);
    char *name = names[n++ % 2];
    tv_room_format(&room, name);
    return name;
}

static char *text(const char *z) { return (char *)(uintptr_t)(z == NULL ? "" : z); }

static int64_t age_ms(const char *time) { return (now_us - us_of_text(time)) / TV_US_PER_MS; }

static struct outcome *send_sealed(const ProtobufCMessage *event, const unsigned char *key) {
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

static Televisit__V1__CallEvent message_of(const struct event *e, char *event_id) {
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

static struct outcome *send(const struct event *e) {
    char event_id[32];
    Televisit__V1__CallEvent m = message_of(e, event_id);
    return send_sealed(&m.base, app.event_key);
}

/* -- what comes back ----------------------------------------------------------------------------*/

static const char *name_of(const char *person_id) {
    return strcmp(person_id, PATIENT) == 0  ? "P"
           : strcmp(person_id, DOCTOR) == 0 ? "D"
           : strcmp(person_id, STAFF) == 0  ? "S"
           : strcmp(person_id, STAFF2) == 0 ? "S2"
                                            : "?";
}

/* "waiting D of P, started P", in the order of people; then " due" and " again". */
static const char *reply_text(struct outcome *o) {
    static char out[1024];
    size_t n = 0;
    assert_outcome(o, TV_OK);
    const Televisit__V1__CallReply *reply = o->reply;
    out[0] = '\0';
    for (size_t i = 0; i < reply->n_told; i++) {
        const Televisit__V1__InboxEntry *entry = reply->told[i];
        assert_string_equal(entry->appointment_id, id);
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

static const char *finish(struct outcome *o) {
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

static struct outcome *send_snapshot(const struct view_of *v) {
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

static const char *closed(const char *room) {
    Televisit__V1__ClosedRequest request = TELEVISIT__V1__CLOSED_REQUEST__INIT;
    request.room = text(room);
    struct tv_actor notifier = {.role = TV_ROLE_SERVICE};
    return finish(call_submit(&app, calls_closed, &notifier, &request.base,
                              &televisit__v1__call_reply__descriptor));
}

static const char *settle(const char *appointment_id) {
    Televisit__V1__SettleRequest request = TELEVISIT__V1__SETTLE_REQUEST__INIT;
    request.appointment_id = text(appointment_id);
    struct tv_actor notifier = {.role = TV_ROLE_SERVICE};
    return finish(call_submit(&app, calls_settle, &notifier, &request.base,
                              &televisit__v1__call_reply__descriptor));
}

static struct outcome *list(struct tv_actor who, const char *appointment_id) {
    Televisit__V1__ListCallsRequest request = TELEVISIT__V1__LIST_CALLS_REQUEST__INIT;
    request.appointment_id = text(appointment_id);
    return call_handler(&app, calls_list, who, &request.base,
                        &televisit__v1__list_calls_reply__descriptor);
}

static void assert_sql(const char *sql, const char *expected) {
    char *value = test_sql(&f.db, sql);
    if (strcmp(value == NULL ? "" : value, expected) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", sql, value, expected);
    free(value);
}

/* Everybody in the room, "D 10:45:00 P 10:46:00"; who is not in: "-10:50:00", the last time. */
static void assert_people(const char *expected) {
    assert_sql("SELECT string_agg(left(type, 1) || ' ' || coalesce(to_char(in_call_since AT TIME"
               " ZONE 'UTC', 'HH24:MI:SS'), '-' || to_char(left_call_at AT TIME ZONE 'UTC',"
               " 'HH24:MI:SS'), 'never'), ' ' ORDER BY type) FROM tv.participant",
               expected);
}

static void assert_jobs(const char *expected) {
    assert_sql("SELECT string_agg(kind || ' ' || replace(key, appointment_id::text, '#') || ' '"
               " || extract(epoch FROM run_at - tv.tv_now())::integer, ', ' ORDER BY kind, key)"
               " FROM tv.job WHERE state = 'waiting'",
               expected);
}

static double counted(const char *type, const char *outcome) {
    return tv_series_value(tv_metric_series(&events_metric, type, outcome, NULL, NULL));
}

/* -- a visit ------------------------------------------------------------------------------------*/

static void test_a_visit(void **state) {
    assert_string_equal(started("10:45:00"), "");
    assert_jobs("reconcile_call room_# 15");
    assert_people("D never P never");
    set_now("10:45:02");
    assert_string_equal(joined(doctor, "PA_d", "10:45:01"), "waiting P of D");
    assert_people("D 10:45:01 P never");
    set_now("10:50:00");
    assert_string_equal(joined(patient, "PA_p", "10:49:59"), "started P, started D");
    assert_string_equal(record(TYPE(SEEN), "10:50:00", .identity = patient, .sid = "PA_p"), "");
    assert_people("D 10:45:01 P 10:49:59");
    assert_jobs("reconcile_call room_# -285"); /* still the first one, never moved */
    set_now("11:10:00");
    assert_string_equal(left(patient, "PA_p", "11:09:59", "CLIENT_INITIATED"), "");
    assert_string_equal(left(doctor, "PA_d", "11:10:00", "CLIENT_INITIATED"), "");
    assert_people("D -11:10:00 P -11:09:59");
    set_now("11:10:20");
    assert_string_equal(finished("11:10:20"), "ended P, ended D");

    assert_sql("SELECT generation || ' ' || call_rev || ' ' || version FROM tv.appointment",
               "2 7 2");
    assert_sql("SELECT string_agg(type, ' ' ORDER BY at, type) FROM tv.call_event",
               "ROOM_STARTED JOINED JOINED SEEN LEFT LEFT ROOM_FINISHED");
    assert_sql("SELECT started_by || ' ' || over_by || ' ' || generation || ' ' ||"
               " extract(epoch FROM over_at - started_at)::integer FROM tv.call",
               "WEBHOOK WEBHOOK 1 1520");
    assert_sql("SELECT string_agg(sid || ' ' || joined_by || ' ' || left_by || ' ' || reason,"
               " ', ' ORDER BY joined_at) FROM tv.presence",
               "PA_d WEBHOOK WEBHOOK CLIENT_INITIATED, PA_p WEBHOOK WEBHOOK CLIENT_INITIATED");
    assert_sql("SELECT string_agg(type || ' ' || nth || ' ' || version, ', ' ORDER BY occurred_at,"
               " type) FROM tv.event WHERE type LIKE 'call.%'",
               "call.waiting 1 2, call.started 1 2, call.ended 1 2");
}

/* What the tables hold of the calls, for comparing. */
static char *dump(void) {
    return test_sql(
        &f.db, "SELECT (SELECT string_agg(c::text, ' ' ORDER BY room_sid) FROM tv.call c) ||"
               " (SELECT string_agg(p::text, ' ' ORDER BY sid) FROM tv.presence p) ||"
               " (SELECT string_agg(id || type || at, ' ' ORDER BY id) FROM tv.call_event) ||"
               " (SELECT string_agg(concat(type, in_call_since, left_call_at), ' ' ORDER BY type)"
               " FROM tv.participant) ||"
               " (SELECT generation FROM tv.appointment)");
}

static void forget_calls(void) {
    free(test_sql(&f.db, "DELETE FROM tv.call_event; DELETE FROM tv.presence; DELETE FROM tv.call;"
                         "DELETE FROM tv.job; UPDATE tv.participant SET in_call_since = NULL,"
                         " left_call_at = NULL; UPDATE tv.appointment SET generation = 1"));
}

/* xorshift; the same in every run. */
static unsigned next_random(unsigned *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void test_doubled_and_shuffled(void **state) {
    set_now("11:20:00");
    const struct event visit[] = {
        {.type = TYPE(ROOM_STARTED), .at = "10:45:00", .id = "E1"},
        {.type = TYPE(JOINED), .at = "10:45:10", doctor, "PA_1", "10:45:10", .id = "E2"},
        {.type = TYPE(SEEN), .at = "10:45:15", doctor, "PA_1", .id = "E3"},
        {.type = TYPE(JOINED), .at = "10:46:00", patient, "PA_2", "10:46:00", .id = "E4"},
        {.type = TYPE(LEFT),
         .at = "10:50:00",
         patient,
         "PA_2",
         "10:46:00",
         "DUPLICATE_IDENTITY",
         .id = "E5"},
        {.type = TYPE(JOINED), .at = "10:50:03", patient, "PA_3", "10:50:03", .id = "E6"},
        {.type = TYPE(LEFT),
         .at = "11:00:00",
         patient,
         "PA_3",
         "10:50:03",
         "CLIENT_INITIATED",
         .id = "E7"},
        {.type = TYPE(LEFT),
         .at = "11:00:10",
         doctor,
         "PA_1",
         "10:45:10",
         "CLIENT_INITIATED",
         .id = "E8"},
        {.type = TYPE(ROOM_FINISHED), .at = "11:00:30", .id = "E9"},
    };
    enum { N = TV_ARRAY_LEN(visit) };
    for (size_t i = 0; i < N; i++)
        (void)finish(send(&visit[i]));
    char *expected = dump();
    assert_non_null(strstr(expected, "PA_3"));
    unsigned seed = 20261123;
    for (unsigned round = 0; round < 12; round++) {
        size_t order[2 * N];
        forget_calls();
        for (size_t i = 0; i < 2 * N; i++)
            order[i] = i % N;
        for (size_t i = 2 * N - 1; i > 0; i--) {
            size_t k = next_random(&seed) % (i + 1), kept = order[i];
            order[i] = order[k];
            order[k] = kept;
        }
        for (size_t i = 0; i < 2 * N; i++)
            (void)finish(send(&visit[order[i]]));
        char *got = dump();
        assert_string_equal(got, expected);
        free(got);
    }
    /* whatever the order, people were told once: a start is only told when it is one */
    assert_sql("SELECT string_agg(DISTINCT type || nth, ' ') FROM tv.event WHERE type ="
               " 'call.ended'",
               "call.ended1");
    free(expected);
}

static void test_the_same_event_again(void **state) {
    double repeated = counted("JOINED", "repeated"), recorded = counted("JOINED", "recorded");
    (void)started("10:45:00");
    assert_string_equal(joined(doctor, "PA_d", "10:45:00", .id = "EV_same"), "waiting P of D");
    char *before = dump();
    char *rev = test_sql(&f.db, "SELECT call_rev FROM tv.appointment");
    assert_string_equal(joined(doctor, "PA_d", "10:45:00", .id = "EV_same"), "");
    char *after = dump();
    assert_string_equal(after, before);
    assert_sql("SELECT call_rev FROM tv.appointment", rev);
    assert_true(counted("JOINED", "repeated") == repeated + 1);
    assert_true(counted("JOINED", "recorded") == recorded + 1);
    free(before);
    free(after);
    free(rev);
}

static void test_the_newest_device_takes_over(void **state) {
    (void)joined(patient, "PA_1", "10:45:00");
    set_now("10:50:00");
    assert_string_equal(left(patient, "PA_1", "10:50:00", "DUPLICATE_IDENTITY"), "");
    assert_people("D never P 10:45:00"); /* is in still, though no device is for a moment */
    set_now("10:50:02");
    assert_string_equal(joined(patient, "PA_2", "10:50:01"), "");
    assert_people("D never P 10:45:00");
    set_now("10:55:00");
    (void)left(patient, "PA_2", "10:55:00", "CLIENT_INITIATED");
    assert_people("D never P -10:55:00");
    struct outcome *o = list(AS_PATIENT, id);
    const Televisit__V1__ListCallsReply *reply = o->reply;
    assert_int_equal(reply->calls[0]->n_presences, 2);
    assert_string_equal(reply->calls[0]->presences[0]->reason, "DUPLICATE_IDENTITY");
    outcome_free(o);
}

static void test_aborted_was_not_there(void **state) {
    (void)started("10:45:00");
    assert_string_equal(record(TYPE(ABORTED), "10:45:00", .identity = patient, .sid = "PA_1"), "");
    assert_people("D never P never");
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.presence"), 0);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.call_event"), 2);
}

static void test_somebody_else(void **state) {
    assert_string_equal(joined("stranger", "PA_x", "10:45:00"), "");
    assert_people("D never P never");
    assert_sql("SELECT identity FROM tv.presence", "stranger");
    /* and is nobody to wait for */
    assert_string_equal(joined(doctor, "PA_d", "10:45:00"), "waiting P of D");
}

static void test_whoever_is_in_has_missed_nothing(void **state) {
    free(test_sql(&f.db, "UPDATE tv.participant SET media_missed_at = tv.tv_now()"));
    (void)joined(doctor, "PA_d", "10:45:00");
    assert_sql("SELECT string_agg(type, ' ') FROM tv.participant WHERE media_missed_at IS NOT NULL",
               "PATIENT");
}

/* -- who is told --------------------------------------------------------------------------------*/

static void test_waiting_is_heard_once(void **state) {
    assert_string_equal(joined(patient, "PA_1", "10:45:00"), "waiting D of P");
    set_now("10:45:30");
    (void)left(patient, "PA_1", "10:45:30", "CLIENT_INITIATED");
    set_now("10:45:40");
    assert_string_equal(joined(patient, "PA_2", "10:45:40"), ""); /* told 40 s ago */
    (void)left(patient, "PA_2", "10:45:40", "CLIENT_INITIATED");
    set_now("10:47:00");
    assert_string_equal(joined(patient, "PA_3", "10:47:00"), "waiting D of P");
    assert_string_equal(joined(doctor, "PA_d", "10:47:00"), "started P, started D");
    set_now("10:47:30");
    (void)left(patient, "PA_3", "10:47:20", "CLIENT_INITIATED");
    (void)left(doctor, "PA_d", "10:47:30", "CLIENT_INITIATED");
    set_now("10:47:40"); /* soon, but they have met since */
    assert_string_equal(joined(patient, "PA_4", "10:47:40"), "waiting D of P");
    assert_string_equal(joined(doctor, "PA_e", "10:47:40"), ""); /* started was told */
    assert_sql("SELECT string_agg(nth::text, ' ' ORDER BY nth) FROM tv.event WHERE type ="
               " 'call.waiting'",
               "1 2 3");
}

static void test_the_next_room(void **state) {
    (void)joined(patient, "PA_1", "10:45:00");
    (void)joined(doctor, "PA_2", "10:45:00");
    set_now("10:50:00");
    assert_string_equal(finished("10:50:00"), "ended P, ended D");
    assert_people("D -10:45:00 P -10:45:00");      /* when they were seen last */
    assert_string_equal(finished("10:50:00"), ""); /* another event, the same news */
    assert_sql("SELECT generation FROM tv.appointment", "2");
    /* leaves that come late are recorded, and change who left when */
    assert_string_equal(left(patient, "PA_1", "10:49:59", "CLIENT_INITIATED"), "");
    assert_people("D -10:45:00 P -10:49:59");

    /* they meet again, in a room of another name */
    set_now("10:55:00");
    assert_string_equal(joined(patient, "PA_3", "10:55:00", .room_sid = "RM_2", .generation = 2),
                        "waiting D of P");
    assert_string_equal(joined(doctor, "PA_4", "10:55:00", .room_sid = "RM_2", .generation = 2),
                        "started P, started D");
    assert_sql("SELECT string_agg(nth::text, ' ' ORDER BY nth) FROM tv.event WHERE type ="
               " 'call.started'",
               "1 2");
    set_now("11:00:00");
    assert_string_equal(finished("11:00:00", .room_sid = "RM_2", .generation = 2),
                        "ended P, ended D");
    assert_sql("SELECT generation FROM tv.appointment", "3");
}

/* A room in which nobody ever was: no end, but another name. */
static void test_an_empty_room(void **state) {
    (void)started("10:45:00");
    assert_string_equal(finished("10:45:00"), "");
    assert_sql("SELECT generation FROM tv.appointment", "2");
}

static void cancel(void) {
    struct answer *a = fixture_change(&f, AS_STAFF,
                                      (struct changing){.id = id,
                                                        .if_match = "2",
                                                        .from = "CONFIRMED",
                                                        .to = "CANCELLED",
                                                        .event_type = "appointment.cancelled"});
    assert_int_equal(a->err, TV_OK);
    answer_free(a);
}

static void test_what_should_not_be_open_is_closed(void **state) {
    (void)joined(patient, "PA_1", "10:45:00");
    cancel();
    free(test_sql(&f.db, "DELETE FROM tv.job"));
    set_now("10:46:00");
    assert_string_equal(joined(doctor, "PA_2", "10:46:00"), " due"); /* with an old token */
    assert_jobs("close_room room_# 0");
    assert_string_equal(record(TYPE(SEEN), "10:46:00", .identity = doctor, .sid = "PA_2"), "");
    assert_people("D 10:46:00 P 10:45:00");
    /* a worker has the job: what it is doing to the room is no news, but who comes in is */
    free(test_sql(&f.db, "UPDATE tv.job SET lease = gen_random_uuid()"));
    (void)left(patient, "PA_1", "10:46:00", "ROOM_DELETED");
    assert_sql("SELECT again_at IS NULL FROM tv.job", "t");
    (void)joined(patient, "PA_3", "10:46:00");
    assert_sql("SELECT again_at IS NULL FROM tv.job", "f");
    set_now("10:46:10");
    assert_string_equal(finished("10:46:10"), "ended P, ended D");
    assert_sql("SELECT generation FROM tv.appointment", "1");
}

static void test_an_older_room_is_closed(void **state) {
    free(test_sql(&f.db, "UPDATE tv.appointment SET generation = 3"));
    assert_string_equal(joined(doctor, "PA_1", "10:45:00", .generation = 2), " due");
    assert_jobs("close_room room_#.2 0");
}

static void test_outside_the_window(void **state) {
    set_now("10:29:59");
    assert_string_equal(started("10:29:59"), " due");
    assert_jobs("close_room room_# 0");
    free(test_sql(&f.db, "DELETE FROM tv.job"));
    set_now("10:30:00");
    assert_string_equal(joined(doctor, "PA_1", "10:30:00"), "waiting P of D");
    assert_jobs("reconcile_call room_# 15");
    set_now("13:00:00");
    assert_string_equal(joined(patient, "PA_2", "13:00:00"), " due");
    assert_jobs("close_room room_# 0, reconcile_call room_# -8985");
}

/* -- snapshots ----------------------------------------------------------------------------------*/

static void test_a_snapshot_finds_who_is_there(void **state) {
    assert_string_equal(snapshot("RM_1", "10:40:00", {{"PA_1", patient, "10:41:00"}}),
                        "waiting D of P again 15000");
    assert_people("D never P 10:41:00");
    assert_sql("SELECT started_by || to_char(started_at AT TIME ZONE 'UTC', ' HH24:MI:SS') FROM"
               " tv.call",
               "SNAPSHOT 10:40:00");
    assert_jobs("reconcile_call room_# 15");
    /* the webhook knows better */
    (void)joined(patient, "PA_1", "10:41:01");
    assert_sql("SELECT joined_by || to_char(joined_at AT TIME ZONE 'UTC', ' HH24:MI:SS') FROM"
               " tv.presence",
               "WEBHOOK 10:41:01");
}

static void test_a_snapshot_finds_who_is_gone(void **state) {
    (void)joined(patient, "PA_1", "10:45:00");
    (void)joined(doctor, "PA_2", "10:45:00");
    set_now("10:45:15");
    assert_string_equal(
        snapshot("RM_1", "10:45:00", {{"PA_1", patient, "10:45:00"}, {"PA_2", doctor, "10:45:00"}}),
        " again 15000");
    set_now("10:45:30");
    assert_string_equal(snapshot("RM_1", "10:45:00", {{"PA_2", doctor, "10:45:00"}}),
                        " again 15000");
    assert_people("D 10:45:00 P -10:45:15");
    struct outcome *o = list(AS_DOCTOR, id);
    const Televisit__V1__ListCallsReply *reply = o->reply;
    const Televisit__V1__Presence *p = reply->calls[0]->presences[0];
    assert_string_equal(p->sid, "PA_1");
    assert_true(p->unsure);
    assert_int_equal(tv_pb_time_us(p->left_at), us_of_text("10:45:15"));
    assert_int_equal(tv_pb_time_us(p->gone_at), us_of_text("10:45:30"));
    outcome_free(o);
    /* the truth comes late */
    (void)left(patient, "PA_1", "10:45:20", "CONNECTION_TIMEOUT");
    assert_people("D 10:45:00 P -10:45:20");
    o = list(AS_DOCTOR, id);
    reply = o->reply;
    assert_false(reply->calls[0]->presences[0]->unsure);
    assert_null(reply->calls[0]->presences[0]->gone_at);
    outcome_free(o);
}

/* Whoever came in after LiveKit was asked is not missing. */
static void test_a_snapshot_has_an_age(void **state) {
    (void)joined(doctor, "PA_2", "10:45:00");
    set_now("10:45:20");
    (void)joined(patient, "PA_1", "10:45:17");
    assert_string_equal(
        snapshot("RM_1", "10:45:00", {{"PA_2", doctor, "10:45:00"}}, .age_ms = 5000),
        " again 15000");
    assert_people("D 10:45:00 P 10:45:17");
    /* nor is a room that was made after */
    assert_string_equal(started("10:45:18", .room_sid = "RM_2"), "");
    (void)snapshot("RM_1", "10:45:00", {{"PA_2", doctor, "10:45:00"}}, .age_ms = 5000);
    assert_sql("SELECT count(*) FROM tv.call WHERE over_at IS NULL", "2");
}

static void test_livekit_lost_its_rooms(void **state) {
    (void)started("10:44:59");
    (void)joined(patient, "PA_1", "10:45:00");
    (void)joined(doctor, "PA_2", "10:45:00");
    set_now("10:45:30");
    (void)snapshot("RM_1", "10:44:59",
                   {{"PA_1", patient, "10:45:00"}, {"PA_2", doctor, "10:45:00"}});
    /* as the sweep has it */
    free(test_sql(&f.db, "UPDATE tv.call SET lost_at = '" DAY "10:46:00Z';"
                         "UPDATE tv.appointment SET call_rev = call_rev + 1"));
    set_now("10:46:05");
    assert_string_equal(snapshot(NULL), ""); /* not over: the room is made again */
    assert_people("D -10:45:30 P -10:45:30");
    assert_sql("SELECT over_by || to_char(over_at AT TIME ZONE 'UTC', ' HH24:MI:SS') FROM tv.call",
               "SNAPSHOT 10:46:00");
    assert_sql("SELECT generation FROM tv.appointment", "1");
    set_now("10:46:10");
    assert_string_equal(started("10:46:06", .room_sid = "RM_2"), "");
    assert_string_equal(joined(patient, "PA_3", "10:46:10", .room_sid = "RM_2"), "waiting D of P");
    assert_string_equal(joined(doctor, "PA_4", "10:46:10", .room_sid = "RM_2"), "");
    struct outcome *o = list(AS_DOCTOR, id);
    const Televisit__V1__ListCallsReply *reply = o->reply;
    assert_int_equal(reply->n_calls, 2);
    assert_string_equal(reply->calls[0]->room, reply->calls[1]->room);
    assert_string_equal(reply->calls[1]->room_sid, "RM_2");
    assert_null(reply->calls[1]->over_at);
    outcome_free(o);
    /* the sid tells the two apart, also when nobody noticed the loss */
    set_now("10:50:00");
    assert_string_equal(snapshot("RM_3", "10:49:00", {{"PA_5", doctor, "10:49:30"}}),
                        " again 15000");
    assert_sql("SELECT string_agg(room_sid || ' ' || coalesce(over_by, '-'), ', ' ORDER BY"
               " room_sid) FROM tv.call",
               "RM_1 SNAPSHOT, RM_2 SNAPSHOT, RM_3 -");
    assert_people("D 10:49:30 P -10:46:10");
}

static void test_a_snapshot_of_what_is_over(void **state) {
    (void)joined(doctor, "PA_2", "10:45:00");
    set_now("13:00:01");
    assert_string_equal(snapshot("RM_1", "10:45:00", {{"PA_2", doctor, "10:45:00"}}), " due");
    assert_jobs("close_room room_# 0, reconcile_call room_# -8086");
    set_now("13:00:03");
    assert_string_equal(snapshot(NULL), "ended P, ended D");
}

/* Nothing known, nothing there: nothing is written. */
static void test_a_snapshot_of_nothing(void **state) {
    assert_string_equal(snapshot(NULL), "");
    assert_sql("SELECT call_rev FROM tv.appointment", "0");
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.job"), 0);
}

/* -- closed -------------------------------------------------------------------------------------*/

static void test_closed(void **state) {
    (void)joined(doctor, "PA_2", "10:45:00");
    set_now("13:00:01");
    (void)snapshot("RM_1", "10:45:00", {{"PA_2", doctor, "10:45:00"}});
    assert_string_equal(closed(room_name(1)), "ended P, ended D");
    assert_people("D -13:00:01 P never");
    assert_sql("SELECT over_by FROM tv.call", "ASSUMED");
    assert_string_equal(closed(room_name(1)), "");
    /* its webhooks come after it */
    set_now("13:00:02");
    (void)left(doctor, "PA_2", "13:00:01", "ROOM_DELETED");
    assert_string_equal(finished("13:00:02"), "");
    assert_sql("SELECT over_by FROM tv.call", "WEBHOOK");
    assert_sql("SELECT left_by || reason FROM tv.presence", "WEBHOOKROOM_DELETED");
}

static void test_closed_while_it_is_open(void **state) {
    (void)joined(doctor, "PA_2", "10:45:00");
    assert_string_equal(closed(room_name(1)), "ended P, ended D");
    assert_sql("SELECT generation FROM tv.appointment", "2");
}

static void test_closed_rooms_of_others(void **state) {
    assert_string_equal(closed("lobby"), "");
    assert_string_equal(closed(""), "");
    assert_string_equal(closed("room_" UNKNOWN), "");
    assert_sql("SELECT call_rev FROM tv.appointment", "0");
}

/* -- settle -------------------------------------------------------------------------------------*/

static void assert_settled(const char *told, const char *expected) {
    set_now("13:00:00");
    assert_string_equal(settle(id), told);
    assert_sql("SELECT status || ' ' || coalesce(no_show, '-') || ' ' || version FROM"
               " tv.appointment",
               expected);
    assert_sql("SELECT count(*) FROM tv.due WHERE state = 'due'", "0");
    assert_sql("SELECT a.decision || ' ' || a.action || ' ' || (a.person_id IS NULL) || ' ' ||"
               " (a.subject = e.appointment_id::text) FROM tv.audit a, tv.event e WHERE e.version ="
               " 3 AND a.at = e.occurred_at AND a.action = e.type",
               strstr(expected, "NO_SHOW") == NULL ? "DONE appointment.completed true true"
                                                   : "DONE appointment.no_show true true");
    assert_string_equal(settle(id), ""); /* once */
}

#define NO_SHOW_TOLD "no_show P, no_show D, no_show S, no_show S2"

static void test_nobody_came(void **state) { assert_settled(NO_SHOW_TOLD, "NO_SHOW BOTH 3"); }

static void test_the_patient_never_came(void **state) {
    (void)joined(doctor, "PA_1", "10:45:00");
    assert_settled(NO_SHOW_TOLD, "NO_SHOW PATIENT 3");
}

static void test_the_doctor_never_came(void **state) {
    (void)joined(patient, "PA_1", "10:45:00");
    assert_settled(NO_SHOW_TOLD, "NO_SHOW DOCTOR 3");
}

static void test_they_missed_each_other(void **state) {
    set_now("11:00:00");
    (void)joined(patient, "PA_1", "10:45:00");
    (void)left(patient, "PA_1", "10:46:00", "CLIENT_INITIATED");
    (void)joined(doctor, "PA_2", "10:50:00");
    assert_settled(NO_SHOW_TOLD, "NO_SHOW MISSED 3");
}

static void test_they_met(void **state) {
    (void)joined(patient, "PA_1", "10:45:00");
    (void)joined(doctor, "PA_2", "10:45:00");
    assert_settled("completed P, completed D, completed S, completed S2", "COMPLETED - 3");
    /* what comes later does not change it */
    (void)left(patient, "PA_1", "10:50:00", "CLIENT_INITIATED");
    assert_sql("SELECT status FROM tv.appointment", "COMPLETED");
}

static void test_settled_too_early_or_by_staff(void **state) {
    set_now("12:59:59");
    assert_string_equal(settle(id), "");
    assert_string_equal(settle(UNKNOWN), "");
    assert_string_equal(settle("x"), "");
    assert_sql("SELECT status || version FROM tv.appointment", "CONFIRMED2");
    cancel();
    set_now("13:00:00");
    assert_string_equal(settle(id), "");
    assert_sql("SELECT status || version FROM tv.appointment", "CANCELLED3");
}

/* -- list ---------------------------------------------------------------------------------------*/

static void test_list(void **state) {
    (void)started("10:45:00");
    (void)joined(doctor, "PA_d", "10:45:00");
    set_now("10:50:00");
    (void)joined(patient, "PA_p", "10:50:00");
    set_now("11:00:00");
    (void)left(patient, "PA_p", "11:00:00", "CLIENT_INITIATED");
    set_now("11:05:00");
    struct outcome *o = list(AS_PATIENT, id);
    assert_outcome(o, TV_OK);
    const Televisit__V1__ListCallsReply *reply = o->reply;
    assert_int_equal(reply->n_calls, 1);
    const Televisit__V1__Call *c = reply->calls[0];
    assert_string_equal(c->room_sid, "RM_1");
    assert_string_equal(c->room, room_name(1));
    assert_string_equal(time_of(c->started_at), DAY "10:45:00Z");
    assert_int_equal(c->started_by, TELEVISIT__V1__KNOWN_BY__VALUE__WEBHOOK);
    assert_null(c->over_at);
    assert_int_equal(c->over_by, TELEVISIT__V1__KNOWN_BY__VALUE__UNSPECIFIED);
    assert_int_equal(c->n_presences, 2);
    assert_string_equal(c->presences[0]->participant_id, doctor);
    assert_null(c->presences[0]->left_at);
    assert_string_equal(c->presences[1]->sid, "PA_p");
    assert_string_equal(time_of(c->presences[1]->joined_at), DAY "10:50:00Z");
    assert_string_equal(time_of(c->presences[1]->left_at), DAY "11:00:00Z");
    assert_int_equal(c->presences[1]->left_by, TELEVISIT__V1__KNOWN_BY__VALUE__WEBHOOK);
    assert_string_equal(c->presences[1]->reason, "CLIENT_INITIATED");
    assert_false(c->presences[1]->unsure);
    assert_int_equal(reply->together_seconds, 600);
    assert_int_equal(reply->n_people, 2);
    for (size_t i = 0; i < 2; i++) {
        const Televisit__V1__PersonInCall *p = reply->people[i];
        bool is_doctor = strcmp(p->person_id, DOCTOR) == 0;
        assert_string_equal(p->participant_id, is_doctor ? doctor : patient);
        assert_int_equal(p->present_seconds, is_doctor ? 1200 : 600);
        assert_int_equal(p->talk_seconds, 600);
        assert_int_equal(p->type, is_doctor ? TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__DOCTOR
                                            : TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__PATIENT);
    }
    outcome_free(o);
}

static void test_list_of_no_calls(void **state) {
    struct outcome *o = list(AS_STAFF, id);
    assert_outcome(o, TV_OK);
    const Televisit__V1__ListCallsReply *reply = o->reply;
    assert_int_equal(reply->n_calls, 0);
    assert_int_equal(reply->n_people, 0);
    assert_int_equal(reply->together_seconds, 0);
    outcome_free(o);
}

static void test_list_is_for_those_who_may_see(void **state) {
    const struct {
        struct tv_actor who;
        const char *id;
        enum tv_err expected;
    } rows[] = {
        {AS_PATIENT, id, TV_OK},
        {AS_DOCTOR, id, TV_OK},
        {AS_STAFF, id, TV_OK},
        {AS_PATIENT2, id, TV_ERR_NOT_FOUND},
        {actor(BERLIN, DOCTOR2, TV_ROLE_DOCTOR), id, TV_ERR_NOT_FOUND},
        {actor(NEW_YORK, NY_DOCTOR, TV_ROLE_STAFF), id, TV_ERR_NOT_FOUND},
        {actor(NEW_YORK, PATIENT, TV_ROLE_PATIENT), id, TV_ERR_NOT_FOUND},
        {AS_STAFF, UNKNOWN, TV_ERR_NOT_FOUND},
        {AS_STAFF, "x'; --", TV_ERR_NOT_FOUND},
        {AS_STAFF, "", TV_ERR_NOT_FOUND},
    };
    (void)joined(doctor, "PA_d", "10:45:00");
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct outcome *o = list(rows[i].who, rows[i].id);
        assert_outcome(o, rows[i].expected);
        outcome_free(o);
    }
}

/* -- at once ------------------------------------------------------------------------------------*/

static void test_all_at_once(void **state) {
    enum { N = 5 };
    for (unsigned round = 0; round < 10; round++) {
        struct outcome *o[N];
        forget_calls();
        free(test_sql(&f.db, "DELETE FROM tv.inbox; DELETE FROM tv.inbox_head;"
                             "DELETE FROM tv.event WHERE type LIKE 'call.%';"
                             "DELETE FROM tv.event"));
        o[0] = send(&(struct event){.type = TYPE(ROOM_STARTED), .at = "10:44:58"});
        o[1] = send(
            &(struct event){.type = TYPE(JOINED), .at = "10:44:59", doctor, "PA_d", "10:44:59"});
        o[2] = send(
            &(struct event){.type = TYPE(JOINED), .at = "10:44:59", patient, "PA_p", "10:44:59"});
        o[3] = send_snapshot(&(struct view_of){
            .room_sid = "RM_1",
            .created = "10:44:58",
            .people = {{"PA_d", doctor, "10:44:59"}, {"PA_p", patient, "10:44:59"}}});
        o[4] = send(&(struct event){.type = TYPE(SEEN), .at = "10:45:00", patient, "PA_p"});
        size_t started_told = 0;
        for (unsigned i = 0; i < N; i++) {
            call_wait(&app, o[i]);
            const char *told = reply_text(o[i]);
            started_told += strstr(told, "started P, started D") != NULL;
        }
        assert_int_equal(started_told, 1);
        assert_people("D 10:44:59 P 10:44:59");
        assert_sql("SELECT count(*) FROM tv.call_event", "4");
        assert_sql("SELECT started_by || (SELECT string_agg(joined_by, '') FROM tv.presence) FROM"
                   " tv.call",
                   "WEBHOOKWEBHOOKWEBHOOK");
        assert_jobs("reconcile_call room_# 15");
    }
}

/* The same event by two gateways at once is recorded once. */
static void test_the_same_event_at_once(void **state) {
    const struct event e = {
        .type = TYPE(JOINED), .at = "10:45:00", doctor, "PA_d", "10:45:00", .id = "EV_same"};
    struct outcome *o[4];
    for (unsigned i = 0; i < 4; i++)
        o[i] = send(&e);
    unsigned told = 0;
    for (unsigned i = 0; i < 4; i++) {
        call_wait(&app, o[i]);
        told += strcmp(reply_text(o[i]), "") != 0;
    }
    assert_int_equal(told, 1);
    assert_sql("SELECT count(*) FROM tv.call_event", "1");
    assert_sql("SELECT call_rev FROM tv.appointment", "1");
}

static void test_always_too_late(void **state) {
    double failed = counted("JOINED", "failed");
    free(test_sql(&f.db, "CREATE FUNCTION tv.never() RETURNS trigger LANGUAGE plpgsql AS"
                         " $$ BEGIN RETURN NULL; END $$;"
                         "CREATE TRIGGER never BEFORE UPDATE ON tv.appointment FOR EACH ROW"
                         " EXECUTE FUNCTION tv.never()"));
    struct outcome *o =
        send(&(struct event){.type = TYPE(JOINED), .at = "10:45:00", doctor, "PA_d", "10:45:00"});
    call_wait(&app, o);
    assert_outcome(o, TV_ERR_UNAVAILABLE);
    outcome_free(o);
    set_now("13:00:00");
    Televisit__V1__SettleRequest request = TELEVISIT__V1__SETTLE_REQUEST__INIT;
    request.appointment_id = id;
    o = call_handler(&app, calls_settle, AS_STAFF, &request.base,
                     &televisit__v1__call_reply__descriptor);
    assert_outcome(o, TV_ERR_UNAVAILABLE);
    outcome_free(o);
    free(test_sql(&f.db, "DROP TRIGGER never ON tv.appointment; DROP FUNCTION tv.never"));
    assert_true(counted("JOINED", "failed") == failed + 1);
    assert_sql("SELECT count(*) FROM tv.call_event", "0");
    assert_sql("SELECT count(*) FROM tv.presence", "0");
}

/* -- bad input ----------------------------------------------------------------------------------*/

static void assert_nothing_kept(void) {
    assert_sql("SELECT (SELECT count(*) FROM tv.call) + (SELECT count(*) FROM tv.presence) +"
               " (SELECT count(*) FROM tv.call_event) + (SELECT count(*) FROM tv.job) +"
               " (SELECT sum(call_rev) FROM tv.appointment)",
               "0");
}

static void test_forged(void **state) {
    char event_id[32];
    const struct event e = {.type = TYPE(JOINED), .at = "10:45:00", doctor, "PA_d", "10:45:00"};
    Televisit__V1__CallEvent m = message_of(&e, event_id);
    double forged = counted("UNSPECIFIED", "forged");
    struct outcome *o = send_sealed(&m.base, app.grant_key); /* the key of grants is another */
    call_wait(&app, o);
    assert_outcome(o, TV_ERR_FORBIDDEN);
    outcome_free(o);

    static unsigned char bytes[TV_SEAL_BYTES + 8];
    for (size_t len = 0; len <= sizeof(bytes); len += 8) {
        Televisit__V1__RecordCallRequest request = TELEVISIT__V1__RECORD_CALL_REQUEST__INIT;
        request.sealed_event.data = bytes;
        request.sealed_event.len = len;
        o = call_handler(&app, calls_record, AS_STAFF, &request.base,
                         &televisit__v1__call_reply__descriptor);
        assert_outcome(o, TV_ERR_FORBIDDEN);
        outcome_free(o);
    }
    assert_true(counted("UNSPECIFIED", "forged") == forged + 7);
    assert_nothing_kept();
}

/* Sealed, but not a message. */
static void test_sealed_nonsense(void **state) {
    unsigned char bytes[4 + TV_SEAL_BYTES] = {0xff, 0xff, 0xff, 0xff};
    tv_seal((struct tv_str){(const char *)bytes, 4}, app.event_key, bytes + 4);
    Televisit__V1__RecordCallRequest request = TELEVISIT__V1__RECORD_CALL_REQUEST__INIT;
    request.sealed_event.data = bytes;
    request.sealed_event.len = sizeof(bytes);
    struct outcome *o = call_handler(&app, calls_record, AS_STAFF, &request.base,
                                     &televisit__v1__call_reply__descriptor);
    assert_outcome(o, TV_ERR_FORBIDDEN);
    outcome_free(o);
}

#define LONG "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
static_assert(sizeof(LONG) == WORD_MAX + 1, "the longest");

static void test_what_cannot_be_kept(void **state) {
    static const char *const rooms[] = {
        "",
        "lobby",
        "room_",
        "room_" UNKNOWN,
        "room_" UNKNOWN ".2",
        "ROOM_" UNKNOWN,
        "room_x",
        "room_" UNKNOWN ".02",
        "room_" UNKNOWN "/../x",
    };
    double foreign = counted("JOINED", "foreign"), unknown = counted("JOINED", "unknown"),
           odd = counted("JOINED", "odd"), odd_types = counted("UNSPECIFIED", "odd");
    const struct event good = {.type = TYPE(JOINED), .at = "10:45:00", doctor, "PA_d", "10:45:00"};
    char event_id[32];
    for (size_t i = 0; i < TV_ARRAY_LEN(rooms); i++) {
        Televisit__V1__CallEvent m = message_of(&good, event_id);
        m.room = text(rooms[i]);
        assert_string_equal(finish(send_sealed(&m.base, app.event_key)), "");
    }
    assert_true(counted("JOINED", "unknown") == unknown + 2);
    assert_true(counted("JOINED", "foreign") == foreign + 7);

    static char too_long[] = LONG "x", empty[] = "", huge[IDENTITY_MAX + 2];
    memset(huge, 'x', sizeof(huge) - 1);
    for (unsigned i = 0; i < 12; i++) {
        Televisit__V1__CallEvent m = message_of(&good, event_id);
        char **const fields[] = {&m.id, &m.room_sid, &m.sid, &m.reason};
        if (i < 4)
            *fields[i] = too_long;
        else if (i < 7)
            *fields[i - 4] = empty;
        else if (i < 8)
            m.identity = huge;
        else
            *(i < 10 ? &m.age_ms : &m.joined_age_ms) = i % 2 == 0 ? INT64_MAX : INT64_MIN;
        assert_string_equal(finish(send_sealed(&m.base, app.event_key)), "");
    }
    assert_true(counted("JOINED", "odd") == odd + 12);
    for (int type = -1; type <= 7; type += type == 0 ? 7 : 1) {
        Televisit__V1__CallEvent m = message_of(&good, event_id);
        m.type = (Televisit__V1__CallEvent__Type)type;
        assert_string_equal(finish(send_sealed(&m.base, app.event_key)), "");
    }
    assert_true(counted("UNSPECIFIED", "odd") == odd_types + 3);
    assert_nothing_kept();
    /* what is just short enough is kept */
    assert_string_equal(
        record(TYPE(JOINED), "10:45:00", doctor, LONG, "10:45:00", .id = LONG, .room_sid = LONG),
        "waiting P of D");
}

static void test_views_that_are_none(void **state) {
    Televisit__V1__SnapshotRequest request = TELEVISIT__V1__SNAPSHOT_REQUEST__INIT;
    Televisit__V1__RoomView view = TELEVISIT__V1__ROOM_VIEW__INIT;
    Televisit__V1__PersonInRoom person = TELEVISIT__V1__PERSON_IN_ROOM__INIT, *people = &person;
    const struct tv_actor who = {.role = TV_ROLE_SERVICE};
    for (unsigned i = 0; i < 8; i++) {
        request.view = i == 0 ? NULL : &view;
        request.age_ms = i == 1 ? -1 : 0;
        view.room = room_name(1);
        view.room_sid = text(i == 2 ? LONG "x" : "RM_1");
        view.created_age_ms = i == 3 ? INT64_MAX : 0;
        view.people = &people;
        view.n_people = 1;
        person.sid = text(i == 4 ? "" : i == 5 ? LONG "x" : "PA_1");
        person.identity = text(i == 6 ? "" : patient);
        person.joined_age_ms = i == 7 ? -1 : 0;
        struct outcome *o = call_handler(&app, calls_snapshot, who, &request.base,
                                         &televisit__v1__call_reply__descriptor);
        print_message("view %u\n", i);
        assert_outcome(o, TV_ERR_INVALID);
        outcome_free(o);
    }
    view.room = text("lobby");
    person.joined_age_ms = 0;
    assert_string_equal(finish(call_submit(&app, calls_snapshot, &who, &request.base,
                                           &televisit__v1__call_reply__descriptor)),
                        "");
    assert_nothing_kept();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, each, each_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_a_visit),
        CASE(test_doubled_and_shuffled),
        CASE(test_the_same_event_again),
        CASE(test_the_newest_device_takes_over),
        CASE(test_aborted_was_not_there),
        CASE(test_somebody_else),
        CASE(test_whoever_is_in_has_missed_nothing),
        CASE(test_waiting_is_heard_once),
        CASE(test_the_next_room),
        CASE(test_an_empty_room),
        CASE(test_what_should_not_be_open_is_closed),
        CASE(test_an_older_room_is_closed),
        CASE(test_outside_the_window),
        CASE(test_a_snapshot_finds_who_is_there),
        CASE(test_a_snapshot_finds_who_is_gone),
        CASE(test_a_snapshot_has_an_age),
        CASE(test_livekit_lost_its_rooms),
        CASE(test_a_snapshot_of_what_is_over),
        CASE(test_a_snapshot_of_nothing),
        CASE(test_closed),
        CASE(test_closed_while_it_is_open),
        CASE(test_closed_rooms_of_others),
        CASE(test_nobody_came),
        CASE(test_the_patient_never_came),
        CASE(test_the_doctor_never_came),
        CASE(test_they_missed_each_other),
        CASE(test_they_met),
        CASE(test_settled_too_early_or_by_staff),
        CASE(test_list),
        CASE(test_list_of_no_calls),
        CASE(test_list_is_for_those_who_may_see),
        CASE(test_all_at_once),
        CASE(test_the_same_event_at_once),
        CASE(test_always_too_late),
        CASE(test_forged),
        CASE(test_sealed_nonsense),
        CASE(test_what_cannot_be_kept),
        CASE(test_views_that_are_none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
