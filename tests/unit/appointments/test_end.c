/* How a visit ends: the call is ended, the appointment completed or missed, the room closed, and
 * all of it seen by those who look. */
#include "calls.h"

#include "services/appointments/appointments.c"

static struct fixture f;
static struct app app;

#define NOON "2026-11-24T11:00:00Z"
/* The window of NOON, and times around it. */
#define BEFORE "2026-11-24T10:29:59.999999Z"
#define OPENS "2026-11-24T10:30:00Z"
#define DURING "2026-11-24T10:50:00Z"
#define CLOSES "2026-11-24T13:00:00Z"

#define TEXT(literal) ((char *)(uintptr_t)(literal))

static int set_up(void **state) {
    fixture_start(&f);
    app = (struct app){.loop = f.loop, .pg = f.pg};
    return 0;
}
static int tear_down(void **state) {
    fixture_stop(&f);
    return 0;
}
static int each(void **state) {
    fixture_clear(&f);
    fixture_set_now(&f, "2026-11-23T08:00:00Z");
    return 0;
}

static struct outcome *get(struct tv_actor who, const char *id) {
    Televisit__V1__GetAppointmentRequest r = TELEVISIT__V1__GET_APPOINTMENT_REQUEST__INIT;
    r.appointment_id = TEXT(id);
    return call_handler(&app, appointments_get, who, &r.base,
                        &televisit__v1__appointment__descriptor);
}

static struct outcome *end(struct tv_actor who, const char *id) {
    Televisit__V1__EndRequest r = TELEVISIT__V1__END_REQUEST__INIT;
    r.appointment_id = TEXT(id);
    return call_handler(&app, appointments_end, who, &r.base,
                        &televisit__v1__change_reply__descriptor);
}

static struct outcome *complete(struct tv_actor who, const char *id, int32_t if_match) {
    Televisit__V1__CompleteRequest r = TELEVISIT__V1__COMPLETE_REQUEST__INIT;
    r.appointment_id = TEXT(id);
    r.if_match = if_match;
    r.note = TEXT("by phone");
    return call_handler(&app, appointments_complete, who, &r.base,
                        &televisit__v1__change_reply__descriptor);
}

static struct outcome *no_show(struct tv_actor who, const char *id, int32_t if_match, int side) {
    Televisit__V1__NoShowRequest r = TELEVISIT__V1__NO_SHOW_REQUEST__INIT;
    r.appointment_id = TEXT(id);
    r.if_match = if_match;
    r.side = (Televisit__V1__NoShow__Value)side;
    return call_handler(&app, appointments_no_show, who, &r.base,
                        &televisit__v1__change_reply__descriptor);
}

static struct outcome *cancel(struct tv_actor who, const char *id, int32_t if_match) {
    Televisit__V1__CancelRequest r = TELEVISIT__V1__CANCEL_REQUEST__INIT;
    r.appointment_id = TEXT(id);
    r.if_match = if_match;
    return call_handler(&app, appointments_cancel, who, &r.base,
                        &televisit__v1__change_reply__descriptor);
}

static struct outcome *move(struct tv_actor who, const char *id, int32_t if_match,
                            const char *starts_at) {
    Televisit__V1__MoveRequest r = TELEVISIT__V1__MOVE_REQUEST__INIT;
    Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    int64_t us = 0;
    assert_true(tv_time_parse(tv_str(starts_at), &us));
    t.seconds = us / TV_US_PER_S;
    r.appointment_id = TEXT(id);
    r.if_match = if_match;
    r.starts_at = &t;
    return call_handler(&app, appointments_move, who, &r.base,
                        &televisit__v1__change_reply__descriptor);
}

#define SIDE(name) TELEVISIT__V1__NO_SHOW__VALUE__##name
#define STATUS(name) TELEVISIT__V1__APPOINTMENT_STATUS__VALUE__##name

static const Televisit__V1__Appointment *changed(const struct outcome *o) {
    assert_outcome(o, TV_OK);
    return ((const Televisit__V1__ChangeReply *)o->reply)->appointment;
}

/* The rooms that are to be closed now are these, written as {generation}, in order; "" for none. */
static void assert_closing(const char *id, const char *generations) {
    char sql[512];
    (void)snprintf(sql, sizeof(sql),
                   "SELECT coalesce(string_agg(generation::text, ' ' ORDER BY generation), '')"
                   " FROM tv.job j, generate_series(1, 9) generation"
                   " WHERE j.key = tv.room_name('%s', generation) AND j.appointment_id = '%s'"
                   " AND j.kind = 'close_room' AND j.state = 'waiting' AND j.run_at <= tv.tv_now()"
                   " AND j.lease IS NULL AND j.clinic_id = '" BERLIN "'",
                   id, id);
    char *rooms = test_sql(&f.db, sql);
    assert_string_equal(rooms, generations);
    free(rooms);
    /* and there is no other work */
    long expected = generations[0] == '\0' ? 0 : 1 + (long)strlen(generations) / 2;
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.job"), expected);
}

static long generation(void) {
    return fixture_count(&f, "SELECT max(generation) FROM tv.appointment");
}

/* -- the end of a call --------------------------------------------------------------------------*/

static void test_who_ends_it_when(void **state) {
    static const struct {
        const char *now, *person;
        enum tv_role role;
        enum tv_err expected;
    } rows[] = {
        {BEFORE, DOCTOR, TV_ROLE_DOCTOR, TV_ERR_TOO_EARLY},
        {OPENS, DOCTOR, TV_ROLE_DOCTOR, TV_OK},
        {CLOSES, DOCTOR, TV_ROLE_DOCTOR, TV_OK}, /* nothing has settled it yet */
        {DURING, PATIENT, TV_ROLE_PATIENT, TV_ERR_FORBIDDEN},
        {DURING, STAFF, TV_ROLE_STAFF, TV_ERR_FORBIDDEN},
        {DURING, DOCTOR2, TV_ROLE_DOCTOR, TV_ERR_NOT_FOUND},
        {DURING, PATIENT2, TV_ROLE_PATIENT, TV_ERR_NOT_FOUND},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        (void)each(state);
        char *id = fixture_confirmed(&f, PATIENT, NOON);
        fixture_set_now(&f, rows[i].now);
        struct outcome *o = end(actor(BERLIN, rows[i].person, rows[i].role), id);
        print_message("row %zu\n", i);
        assert_outcome(o, rows[i].expected);
        if (rows[i].expected == TV_ERR_TOO_EARLY)
            assert_string_equal(outcome_member(o, "opensAt"), OPENS);
        outcome_free(o);
        assert_closing(id, rows[i].expected == TV_OK ? "1" : "");
        free(id);
    }
    struct outcome *o = end(AS_DOCTOR, UNKNOWN);
    assert_outcome(o, TV_ERR_NOT_FOUND);
    outcome_free(o);
    o = end(AS_DOCTOR, "x'");
    assert_outcome(o, TV_ERR_NOT_FOUND);
    outcome_free(o);
}

static void test_what_the_end_does(void **state) {
    char *id = fixture_confirmed(&f, PATIENT, NOON);
    fixture_set_now(&f, DURING);
    struct outcome *o = end(AS_DOCTOR, id);
    const Televisit__V1__Appointment *a = changed(o);
    const Televisit__V1__ChangeReply *reply = o->reply;
    assert_int_equal(a->status, STATUS(COMPLETED));
    assert_int_equal(a->version, 3);
    assert_int_equal(a->no_show, SIDE(UNSPECIFIED));
    assert_int_equal(a->join->decision, TELEVISIT__V1__JOIN_DECISION__VALUE__OVER);
    assert_true(reply->due_now);
    /* the patient and all staff, not who did it */
    char told[256] = "";
    for (size_t i = 0; i < reply->n_told; i++) {
        assert_string_equal(reply->told[i]->type, "appointment.completed");
        assert_int_equal(reply->told[i]->appointment_version, 3);
        (void)snprintf(told + strlen(told), sizeof(told) - strlen(told), " %s",
                       reply->told[i]->person_id);
    }
    assert_string_equal(told, " " PATIENT " " STAFF " " STAFF2);
    outcome_free(o);
    assert_closing(id, "1");
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.due WHERE state = 'due'"), 0);
    char sql[256];
    (void)snprintf(sql, sizeof(sql),
                   "SELECT count(*) FROM tv.audit WHERE subject = '%s' AND decision = 'DONE'"
                   " AND action = 'appointment.completed' AND person_id = '" DOCTOR "'",
                   id);
    assert_int_equal(fixture_count(&f, sql), 1);
    fixture_check_promises(&f);

    /* a second press of the button */
    o = end(AS_DOCTOR, id);
    assert_outcome(o, TV_ERR_ILLEGAL_TRANSITION);
    assert_string_equal(outcome_member(o, "appointmentStatus"), "COMPLETED");
    assert_string_equal(outcome_member(o, "wantedStatus"), "COMPLETED");
    outcome_free(o);
    assert_closing(id, "1");
    free(id);
}

static void test_what_is_over_does_not_end(void **state) {
    static const char *const statuses[] = {"REQUESTED", "DECLINED", "CANCELLED", "COMPLETED",
                                           "NO_SHOW"};
    char *id = fixture_confirmed(&f, PATIENT, NOON);
    fixture_set_now(&f, DURING);
    for (size_t i = 0; i < TV_ARRAY_LEN(statuses); i++) {
        char sql[128];
        (void)snprintf(sql, sizeof(sql), "UPDATE tv.appointment SET status = '%s'", statuses[i]);
        free(test_sql(&f.db, sql));
        struct outcome *o = end(AS_DOCTOR, id);
        assert_outcome(o, TV_ERR_ILLEGAL_TRANSITION);
        assert_string_equal(outcome_member(o, "appointmentStatus"), statuses[i]);
        assert_string_equal(outcome_member(o, "wantedStatus"), "COMPLETED");
        outcome_free(o);
    }
    assert_closing(id, "");
    free(id);
}

static bool change_waits(void *ctx) {
    return fixture_count(&f, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                             " AND application_name = 'test'") == 1;
}

/* Somebody changes the appointment between the read and the write. */
static void test_the_end_does_not_mind_other_changes(void **state) {
    char *id = fixture_confirmed(&f, PATIENT, NOON);
    fixture_set_now(&f, DURING);
    struct tv_pg_script *other = NULL;
    struct tv_error e = TV_ERROR_INIT;
    assert_int_equal(tv_pg_script_open(f.db.url, "other", &other, &e), TV_OK);
    assert_int_equal(
        tv_pg_script_run(other, "BEGIN; UPDATE tv.appointment SET version = 3, generation = 2",
                         NULL, &e),
        TV_OK);
    Televisit__V1__EndRequest r = TELEVISIT__V1__END_REQUEST__INIT;
    r.appointment_id = id;
    struct outcome *o = call_submit(&app, appointments_end, &AS_DOCTOR, &r.base,
                                    &televisit__v1__change_reply__descriptor);
    assert_true(tv_loop_run_until(f.loop, change_waits, NULL, 20 * TV_US_PER_S));
    assert_int_equal(tv_pg_script_run(other, "COMMIT", NULL, &e), TV_OK);
    tv_pg_script_close(other);
    call_wait(&app, o);
    assert_int_equal(changed(o)->version, 4);
    outcome_free(o);
    assert_closing(id, "2");
    free(id);
}

/* A change that never counts, as if somebody else were always quicker. */
static void test_collisions_come_to_an_end(void **state) {
    char *id = fixture_confirmed(&f, PATIENT, NOON);
    fixture_set_now(&f, DURING);
    free(test_sql(&f.db, "CREATE SEQUENCE tv.tries;"
                         "CREATE FUNCTION tv.never() RETURNS trigger LANGUAGE plpgsql AS"
                         " $$ BEGIN PERFORM nextval('tv.tries'); RETURN NULL; END $$;"
                         "CREATE TRIGGER never BEFORE UPDATE ON tv.appointment FOR EACH ROW"
                         " EXECUTE FUNCTION tv.never()"));
    struct outcome *o = end(AS_DOCTOR, id);
    assert_outcome(o, TV_ERR_UNAVAILABLE);
    outcome_free(o);
    assert_int_equal(fixture_count(&f, "SELECT last_value FROM tv.tries"), COLLISIONS_MAX);
    /* what depends on the page is not tried again */
    o = complete(AS_DOCTOR, id, 2);
    assert_outcome(o, TV_ERR_STALE);
    outcome_free(o);
    assert_int_equal(fixture_count(&f, "SELECT last_value FROM tv.tries"), COLLISIONS_MAX + 1);
    free(test_sql(&f.db, "DROP TRIGGER never ON tv.appointment; DROP FUNCTION tv.never;"
                         "DROP SEQUENCE tv.tries"));
    assert_closing(id, "");
    free(id);
}

/* -- rooms --------------------------------------------------------------------------------------*/

enum act { CANCEL, END, COMPLETE, NO_SHOW };

static struct outcome *act(enum act what, const char *id) {
    switch (what) {
    case CANCEL:
        return cancel(AS_PATIENT, id, 2);
    case END:
        return end(AS_DOCTOR, id);
    case COMPLETE:
        return complete(AS_DOCTOR, id, 2);
    case NO_SHOW:
        return no_show(AS_STAFF, id, 2, SIDE(PATIENT));
    }
    return NULL;
}

static void test_what_ends_closes_its_room(void **state) {
    static const struct {
        enum act what;
        const char *now;
        const char *closing;
    } rows[] = {
        {CANCEL, BEFORE, ""},    {CANCEL, OPENS, "1"},  {CANCEL, CLOSES, "1"},
        {NO_SHOW, BEFORE, ""},   {NO_SHOW, OPENS, "1"}, {NO_SHOW, CLOSES, "1"},
        {END, DURING, "1"},      {END, CLOSES, "1"},    {COMPLETE, DURING, "1"},
        {COMPLETE, CLOSES, "1"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        (void)each(state);
        char *id = fixture_confirmed(&f, PATIENT, NOON);
        fixture_set_now(&f, rows[i].now);
        struct outcome *o = act(rows[i].what, id);
        print_message("row %zu\n", i);
        (void)changed(o);
        const Televisit__V1__ChangeReply *reply = o->reply;
        assert_int_equal(reply->due_now, rows[i].closing[0] != '\0');
        outcome_free(o);
        assert_closing(id, rows[i].closing);
        assert_int_equal(generation(), 1); /* it does not open again */
        fixture_check_promises(&f);
        free(id);
    }
}

/* Nobody could enter what was not confirmed. */
static void test_what_was_not_confirmed_has_no_room(void **state) {
    fixture_set_now(&f, "2026-11-24T10:40:00Z");
    struct answer *a = fixture_book(&f, AS_PATIENT, (struct booking){.starts_at = NOON});
    const char *id = answer_value(a, 2, 0, "id");
    struct outcome *o = cancel(AS_PATIENT, id, 1);
    (void)changed(o);
    assert_false(((const Televisit__V1__ChangeReply *)o->reply)->due_now);
    outcome_free(o);
    assert_closing(id, "");
    answer_free(a);
}

static void test_moves(void **state) {
    static const struct {
        const char *now, *to;
        bool by_patient; /* which needs a new confirmation */
        const char *closing;
        long generation;
    } rows[] = {
        /* open before and after: those who are in stay in */
        {DURING, "2026-11-24T11:15:00Z", false, "", 1},
        {OPENS, "2026-11-24T09:00:00Z", false, "", 1},
        /* out of the window: later, earlier, and waiting for the doctor */
        {DURING, "2026-11-24T11:20:01Z", false, "1", 2},
        {DURING, "2026-11-25T11:00:00Z", false, "1", 2},
        {DURING, "2026-11-24T08:50:00Z", false, "1", 2},
        {DURING, "2026-11-24T11:30:00Z", true, "1", 2},
        /* before it opens there is nothing, whereto it may go */
        {BEFORE, "2026-11-24T10:45:00Z", false, "", 1},
        {BEFORE, "2026-11-25T11:00:00Z", false, "", 1},
        /* it has closed, and its room is being closed: it opens again under another name */
        {CLOSES, "2026-11-24T13:15:00Z", false, "1", 2},
        {CLOSES, "2026-11-25T11:00:00Z", false, "1", 2},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        (void)each(state);
        char *id = fixture_confirmed(&f, PATIENT, NOON);
        fixture_set_now(&f, rows[i].now);
        struct outcome *o = move(rows[i].by_patient ? AS_PATIENT : AS_DOCTOR, id, 2, rows[i].to);
        print_message("row %zu\n", i);
        const Televisit__V1__Appointment *a = changed(o);
        assert_int_equal(a->status, rows[i].by_patient ? STATUS(REQUESTED) : STATUS(CONFIRMED));
        bool opens_now = a->join->decision == TELEVISIT__V1__JOIN_DECISION__VALUE__ALLOWED;
        assert_int_equal(((const Televisit__V1__ChangeReply *)o->reply)->due_now,
                         opens_now || rows[i].closing[0] != '\0');
        outcome_free(o);
        assert_closing(id, rows[i].closing);
        assert_int_equal(generation(), rows[i].generation);
        fixture_check_promises(&f);
        free(id);
    }
}

/* Moved away, back and away again: each time the room of that time, and no other. */
static void test_generations(void **state) {
    char *id = fixture_confirmed(&f, PATIENT, NOON);
    fixture_set_now(&f, DURING);
    static const char *const to[] = {"2026-11-25T11:00:00Z", NOON, "2026-11-25T11:00:00Z", NOON};
    for (int32_t i = 0; i < (int32_t)TV_ARRAY_LEN(to); i++) {
        struct outcome *o = move(AS_DOCTOR, id, 2 + i, to[i]);
        (void)changed(o);
        outcome_free(o);
    }
    assert_closing(id, "1 2");
    assert_int_equal(generation(), 3);
    struct outcome *o = end(AS_DOCTOR, id);
    (void)changed(o);
    outcome_free(o);
    assert_closing(id, "1 2 3");
    fixture_check_promises(&f);
    free(id);
}

/* A job for the room may be there already. */
static void test_one_job_for_a_room(void **state) {
    static const struct {
        const char *run_at, *lease; /* NULL: nobody has it */
        const char *expected;       /* run_at, again_at */
    } rows[] = {
        {"2026-11-24T10:55:00Z", NULL, "2026-11-24 10:50:00+00 -"}, /* brought forward */
        {"2026-11-24T10:40:00Z", NULL, "2026-11-24 10:40:00+00 -"}, /* and not put off */
        /* who has it may be past the point */
        {"2026-11-24T10:55:00Z", UNKNOWN, "2026-11-24 10:55:00+00 2026-11-24 10:50:00+00"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        (void)each(state);
        char *id = fixture_confirmed(&f, PATIENT, NOON);
        fixture_set_now(&f, DURING);
        char sql[512];
        (void)snprintf(sql, sizeof(sql),
                       "INSERT INTO tv.job (clinic_id, kind, appointment_id, key, run_at, lease,"
                       " attempts, created_at) VALUES ('" BERLIN "', 'close_room', '%s',"
                       " 'room_%s', '%s', nullif('%s', '')::uuid, 3, '2026-11-24T10:00:00Z')",
                       id, id, rows[i].run_at, rows[i].lease == NULL ? "" : rows[i].lease);
        free(test_sql(&f.db, sql));
        struct outcome *o = end(AS_DOCTOR, id);
        (void)changed(o);
        outcome_free(o);
        char *jobs = test_sql(&f.db, "SELECT string_agg(run_at || ' ' ||"
                                     " coalesce(again_at::text, '-'), ', ') FROM tv.job");
        print_message("row %zu\n", i);
        assert_string_equal(jobs, rows[i].expected);
        free(jobs);
        free(id);
    }
}

/* -- how it ended -------------------------------------------------------------------------------*/

static void test_complete(void **state) {
    char *id = fixture_confirmed(&f, PATIENT, NOON);
    const struct {
        const char *now, *person;
        enum tv_role role;
        int32_t if_match;
        enum tv_err expected;
    } rows[] = {
        {BEFORE, DOCTOR, TV_ROLE_DOCTOR, 2, TV_ERR_TOO_EARLY},
        {DURING, DOCTOR, TV_ROLE_DOCTOR, 0, TV_ERR_VERSION_REQUIRED},
        {DURING, DOCTOR, TV_ROLE_DOCTOR, 1, TV_ERR_STALE},
        {DURING, STAFF, TV_ROLE_STAFF, 2, TV_ERR_FORBIDDEN},
        {DURING, PATIENT, TV_ROLE_PATIENT, 2, TV_ERR_FORBIDDEN},
        {DURING, DOCTOR2, TV_ROLE_DOCTOR, 2, TV_ERR_NOT_FOUND},
        {DURING, DOCTOR, TV_ROLE_DOCTOR, 2, TV_OK},
        {DURING, DOCTOR, TV_ROLE_DOCTOR, 3, TV_ERR_ILLEGAL_TRANSITION},
        {DURING, STAFF, TV_ROLE_STAFF, 3, TV_ERR_ILLEGAL_TRANSITION},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        fixture_set_now(&f, rows[i].now);
        struct outcome *o =
            complete(actor(BERLIN, rows[i].person, rows[i].role), id, rows[i].if_match);
        print_message("row %zu\n", i);
        assert_outcome(o, rows[i].expected);
        if (rows[i].expected == TV_OK)
            assert_string_equal(changed(o)->note, "by phone");
        outcome_free(o);
    }
    assert_closing(id, "1");
    fixture_check_promises(&f);
    free(id);
}

/* Staff say that nobody came, and take it back. */
static void test_corrections(void **state) {
    char *id = fixture_confirmed(&f, PATIENT, NOON);
    fixture_set_now(&f, "2026-11-24T14:00:00Z");
    struct outcome *o = no_show(AS_DOCTOR, id, 2, SIDE(PATIENT));
    assert_outcome(o, TV_ERR_FORBIDDEN);
    outcome_free(o);
    o = no_show(AS_STAFF, id, 2, SIDE(BOTH));
    const Televisit__V1__Appointment *a = changed(o);
    const Televisit__V1__ChangeReply *reply = o->reply;
    assert_int_equal(a->status, STATUS(NO_SHOW));
    assert_int_equal(a->no_show, SIDE(BOTH));
    assert_int_equal(reply->n_told, 3); /* the patient, the doctor, the other of staff */
    for (size_t i = 0; i < reply->n_told; i++) {
        assert_string_equal(reply->told[i]->type, "appointment.no_show");
        assert_string_not_equal(reply->told[i]->person_id, STAFF);
    }
    outcome_free(o);
    o = get(AS_PATIENT, id);
    assert_int_equal(((const Televisit__V1__Appointment *)o->reply)->no_show, SIDE(BOTH));
    outcome_free(o);

    /* another side is another statement: first it was completed after all */
    o = no_show(AS_STAFF, id, 3, SIDE(PATIENT));
    assert_outcome(o, TV_ERR_ILLEGAL_TRANSITION);
    outcome_free(o);
    o = complete(AS_DOCTOR, id, 3);
    assert_outcome(o, TV_ERR_FORBIDDEN);
    outcome_free(o);
    o = complete(AS_STAFF, id, 3);
    a = changed(o);
    assert_int_equal(a->status, STATUS(COMPLETED));
    assert_int_equal(a->no_show, SIDE(UNSPECIFIED));
    outcome_free(o);
    o = no_show(AS_STAFF, id, 4, SIDE(PATIENT));
    a = changed(o);
    assert_int_equal(a->no_show, SIDE(PATIENT));
    assert_false(((const Televisit__V1__ChangeReply *)o->reply)->due_now);
    outcome_free(o);
    assert_closing(id, "1"); /* of the first time only */
    fixture_check_promises(&f);
    free(id);
}

static void test_bad_sides(void **state) {
    char *id = fixture_confirmed(&f, PATIENT, NOON);
    static const int sides[] = {0, -1, 5, INT32_MAX};
    for (size_t i = 0; i < TV_ARRAY_LEN(sides); i++) {
        struct outcome *o = no_show(AS_STAFF, id, 2, sides[i]);
        assert_outcome(o, TV_ERR_INVALID);
        assert_string_equal(o->error.pointer, "/side");
        outcome_free(o);
    }
    struct outcome *o = no_show(AS_STAFF, id, 0, SIDE(PATIENT));
    assert_outcome(o, TV_ERR_VERSION_REQUIRED);
    outcome_free(o);
    free(id);
}

/* -- presence -----------------------------------------------------------------------------------*/

static void assert_presence(const Televisit__V1__Appointment *a, const char *patient_since,
                            const char *patient_left, const char *doctor_since,
                            const char *doctor_left) {
    assert_int_equal(a->n_participants, 2);
    const Televisit__V1__Participant *patient = a->participants[0], *doctor = a->participants[1];
    assert_string_equal(patient->person_id, PATIENT);
    assert_string_equal(time_of(patient->in_call_since), patient_since);
    assert_string_equal(time_of(patient->left_call_at), patient_left);
    assert_string_equal(time_of(doctor->in_call_since), doctor_since);
    assert_string_equal(time_of(doctor->left_call_at), doctor_left);
    /* the same thing still, and a door that is open: taking over is asked at the join */
    assert_int_equal(a->version, 2);
    assert_int_equal(a->join->decision, TELEVISIT__V1__JOIN_DECISION__VALUE__ALLOWED);
}

static void test_presence_is_shown(void **state) {
#define SINCE "2026-11-24T10:41:00.500Z"
#define LEFT "2026-11-24T10:45:00Z"
    static const struct {
        const char *patient, *doctor; /* SET in_call_since, left_call_at */
        const char *shown[4];
    } rows[] = {
        {"(NULL, NULL)", "(NULL, NULL)", {"", "", "", ""}},
        {"('" SINCE "', NULL)", "(NULL, NULL)", {SINCE, "", "", ""}},
        {"('" SINCE "', NULL)", "('" LEFT "', NULL)", {SINCE, "", LEFT, ""}},
        {"(NULL, '" LEFT "')", "('" SINCE "', NULL)", {"", LEFT, SINCE, ""}},
        {"(NULL, '" LEFT "')", "(NULL, '" LEFT "')", {"", LEFT, "", LEFT}},
    };
    char *id = fixture_confirmed(&f, PATIENT, NOON);
    fixture_set_now(&f, DURING);
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        char sql[512];
        (void)snprintf(sql, sizeof(sql),
                       "UPDATE tv.participant SET (in_call_since, left_call_at) = %s"
                       " WHERE type = 'PATIENT';"
                       "UPDATE tv.participant SET (in_call_since, left_call_at) = %s"
                       " WHERE type = 'DOCTOR'",
                       rows[i].patient, rows[i].doctor);
        free(test_sql(&f.db, sql));
        const char *const *shown = rows[i].shown;
        print_message("row %zu\n", i);
        struct outcome *o = get(AS_PATIENT, id);
        assert_outcome(o, TV_OK);
        assert_presence(o->reply, shown[0], shown[1], shown[2], shown[3]);
        outcome_free(o);
        Televisit__V1__ListAppointmentsRequest r = TELEVISIT__V1__LIST_APPOINTMENTS_REQUEST__INIT;
        o = call_handler(&app, appointments_list, AS_DOCTOR, &r.base,
                         &televisit__v1__list_appointments_reply__descriptor);
        assert_outcome(o, TV_OK);
        const Televisit__V1__ListAppointmentsReply *page = o->reply;
        assert_int_equal(page->n_appointments, 1);
        assert_presence(page->appointments[0], shown[0], shown[1], shown[2], shown[3]);
        outcome_free(o);
    }
    free(id);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_who_ends_it_when, each),
        cmocka_unit_test_setup(test_what_the_end_does, each),
        cmocka_unit_test_setup(test_what_is_over_does_not_end, each),
        cmocka_unit_test_setup(test_the_end_does_not_mind_other_changes, each),
        cmocka_unit_test_setup(test_collisions_come_to_an_end, each),
        cmocka_unit_test_setup(test_what_ends_closes_its_room, each),
        cmocka_unit_test_setup(test_what_was_not_confirmed_has_no_room, each),
        cmocka_unit_test_setup(test_moves, each),
        cmocka_unit_test_setup(test_generations, each),
        cmocka_unit_test_setup(test_one_job_for_a_room, each),
        cmocka_unit_test_setup(test_complete, each),
        cmocka_unit_test_setup(test_corrections, each),
        cmocka_unit_test_setup(test_bad_sides, each),
        cmocka_unit_test_setup(test_presence_is_shown, each),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
