/* The way into a call: decisions, grants, and no answer without its audit row. */
#include "calls.h"

#include "services/appointments/admit.c"

static struct fixture f;
static struct app app;

#define STARTS "2026-11-24T11:00:00Z"
#define DURING "2026-11-24T10:45:00Z"

static int set_up(void **state) {
    fixture_start(&f);
    app = (struct app){.loop = f.loop, .pg = f.pg};
    assert_int_equal(
        tv_seal_keys_parse("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
                           "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100",
                           &app.grant_keys, NULL),
        TV_OK);
    app.admit = admit_new(&app);
    return 0;
}
static int tear_down(void **state) {
    admit_free(app.admit);
    fixture_stop(&f);
    return 0;
}
static char *id; /* of an appointment of DOCTOR and PATIENT */
static int each(void **state) {
    fixture_clear(&f);
    fixture_set_now(&f, "2026-11-23T08:00:00Z");
    free(test_sql(&f.db, "ALTER TABLE tv.audit DISABLE TRIGGER append_only; DELETE FROM tv.audit;"
                         "ALTER TABLE tv.audit ENABLE TRIGGER append_only"));
    id = fixture_confirmed(&f, PATIENT, STARTS);
    fixture_set_now(&f, DURING);
    return 0;
}
static int each_end(void **state) {
    free(id);
    return 0;
}

static struct outcome *submit(struct tv_actor who, const char *appointment_id,
                              Televisit__V1__ParticipantType__Value type) {
    Televisit__V1__AdmitRequest request = TELEVISIT__V1__ADMIT_REQUEST__INIT;
    request.appointment_id = (char *)(uintptr_t)appointment_id;
    request.participant_type = type;
    return call_submit(&app, admit_admit, &who, &request.base,
                       &televisit__v1__admit_reply__descriptor);
}

static struct outcome *admit(struct tv_actor who, const char *appointment_id,
                             Televisit__V1__ParticipantType__Value type) {
    struct outcome *o = submit(who, appointment_id, type);
    assert_false(o->done); /* never at once: there is a row to be written first */
    call_wait(&app, o);
    return o;
}

#define P_PATIENT TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__PATIENT
#define P_DOCTOR TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__DOCTOR

static const Televisit__V1__Grant *open_grant(struct outcome *o) {
    const Televisit__V1__AdmitReply *reply = o->reply;
    assert_true(reply->sealed_grant.len > TV_SEAL_BYTES);
    struct tv_str packed = {(const char *)reply->sealed_grant.data,
                            reply->sealed_grant.len - TV_SEAL_BYTES};
    /* With the first key: the second may be one that not all of tokens have yet. */
    assert_true(tv_seal_ok(packed, reply->sealed_grant.data + packed.len, app.grant_keys.key[0]));
    const void *grant = tv_pb_unpack(&televisit__v1__grant__descriptor, packed, o->arena);
    assert_non_null(grant);
    return grant;
}

static void test_allowed(void **state) {
    struct outcome *o = admit(AS_PATIENT, id, P_PATIENT);
    assert_outcome(o, TV_OK);
    const Televisit__V1__AdmitReply *reply = o->reply;
    char room[64];
    (void)snprintf(room, sizeof(room), "room_%s", id);
    assert_string_equal(reply->room, room);
    assert_string_equal(time_of(reply->closes_at), "2026-11-24T13:00:00Z");
    char *identity = test_sql(&f.db, "SELECT id FROM tv.participant WHERE type = 'PATIENT'");
    assert_string_equal(reply->identity, identity);
    free(identity);
    char *key = test_sql(&f.db, "SELECT media_key FROM tv.appointment");
    assert_string_equal(reply->encryption_key, key);
    assert_int_equal(strlen(key), 43);
    free(key);

    const Televisit__V1__Grant *grant = open_grant(o);
    assert_string_equal(grant->room, room);
    assert_string_equal(grant->identity, reply->identity);
    assert_int_equal(grant->participant_type, P_PATIENT);
    assert_string_equal(time_of(grant->issued_at), DURING);
    assert_string_equal(time_of(grant->valid_until), "2026-11-24T10:45:30Z");
    assert_string_equal(time_of(grant->closes_at), "2026-11-24T13:00:00Z");
    assert_int_equal(grant->participants_max, 16);
    /* the tokens service tells its age by the clocks of the hosts */
    assert_in_range(tv_pb_time_us(grant->sealed_at), tv_clock_wall_us() - 60 * TV_US_PER_S,
                    tv_clock_wall_us());
    outcome_free(o);

    /* the doctor has another identity; a grant ends with the window; no key without encryption */
    free(test_sql(&f.db, "UPDATE tv.clinic SET end_to_end_encryption = false"));
    free(test_sql(&f.db, "UPDATE tv.appointment SET generation = 2"));
    fixture_set_now(&f, "2026-11-24T12:59:50Z");
    o = admit(AS_DOCTOR, id, P_DOCTOR);
    assert_outcome(o, TV_OK);
    reply = o->reply;
    grant = open_grant(o);
    assert_string_equal(time_of(grant->valid_until), "2026-11-24T13:00:00Z");
    (void)snprintf(room, sizeof(room), "room_%s.2", id);
    assert_string_equal(grant->room, room);
    assert_string_equal(reply->encryption_key, "");
    outcome_free(o);
    free(test_sql(&f.db, "UPDATE tv.clinic SET end_to_end_encryption = true"));
}

static void test_refusals(void **state) {
    static const struct {
        const char *now, *status; /* NULL: CONFIRMED */
        const char *clinic, *person;
        const char *id; /* NULL: of the appointment */
        Televisit__V1__ParticipantType__Value type;
        enum tv_err expected;
        const char *member, *value;
    } rows[] = {
        {DURING, NULL, BERLIN, PATIENT2, NULL, P_PATIENT, TV_ERR_NOT_FOUND, NULL, NULL},
        {DURING, NULL, BERLIN, STAFF, NULL, P_PATIENT, TV_ERR_NOT_FOUND, NULL, NULL},
        {DURING, NULL, NEW_YORK, PATIENT, NULL, P_PATIENT, TV_ERR_NOT_FOUND, NULL, NULL},
        {DURING, NULL, BERLIN, PATIENT, UNKNOWN, P_PATIENT, TV_ERR_NOT_FOUND, NULL, NULL},
        {DURING, NULL, BERLIN, PATIENT, "", P_PATIENT, TV_ERR_NOT_FOUND, NULL, NULL},
        {DURING, NULL, BERLIN, PATIENT, "{,\"\\}'; --\xc3\xa4", P_PATIENT, TV_ERR_NOT_FOUND, NULL,
         NULL},
        {DURING, NULL, BERLIN, PATIENT, NULL, P_DOCTOR, TV_ERR_WRONG_PARTICIPANT_TYPE, NULL, NULL},
        {DURING, NULL, BERLIN, PATIENT, NULL, TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__UNSPECIFIED,
         TV_ERR_WRONG_PARTICIPANT_TYPE, NULL, NULL},
        {DURING, "REQUESTED", BERLIN, PATIENT, NULL, P_PATIENT, TV_ERR_NOT_CONFIRMED,
         "appointmentStatus", "REQUESTED"},
        {DURING, "CANCELLED", BERLIN, PATIENT, NULL, P_PATIENT, TV_ERR_OVER, "appointmentStatus",
         "CANCELLED"},
        {DURING, "NO_SHOW", BERLIN, PATIENT, NULL, P_PATIENT, TV_ERR_OVER, "appointmentStatus",
         "NO_SHOW"},
        {"2026-11-24T10:29:59.999999Z", NULL, BERLIN, PATIENT, NULL, P_PATIENT, TV_ERR_TOO_EARLY,
         "opensAt", "2026-11-24T10:30:00Z"},
        {"2026-11-24T10:29:59.999999Z", NULL, BERLIN, DOCTOR, NULL, P_DOCTOR, TV_ERR_TOO_EARLY,
         "serverTime", "2026-11-24T10:29:59.999999Z"},
        {"2026-11-24T13:00:00Z", NULL, BERLIN, PATIENT, NULL, P_PATIENT, TV_ERR_TOO_LATE,
         "closesAt", "2026-11-24T13:00:00Z"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        char sql[128];
        fixture_set_now(&f, rows[i].now);
        (void)snprintf(sql, sizeof(sql), "UPDATE tv.appointment SET status = '%s'",
                       rows[i].status == NULL ? "CONFIRMED" : rows[i].status);
        free(test_sql(&f.db, sql));
        struct outcome *o = admit(actor(rows[i].clinic, rows[i].person, TV_ROLE_PATIENT),
                                  rows[i].id == NULL ? id : rows[i].id, rows[i].type);
        print_message("row %zu\n", i);
        assert_outcome(o, rows[i].expected);
        if (rows[i].member != NULL)
            assert_string_equal(outcome_member(o, rows[i].member), rows[i].value);
        outcome_free(o);
    }
    /* each has left its row */
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.audit WHERE action = 'call.join'"
                                       " AND decision <> 'ALLOWED'"),
                     TV_ARRAY_LEN(rows));
    assert_int_equal(fixture_count(&f,
                                   "SELECT count(*) FROM tv.audit WHERE action = 'call.join'"
                                   " AND decision = 'NOT_FOUND' AND request_id = '" UNKNOWN "'"),
                     6);
}

static void test_waiting_room(void **state) {
    free(test_sql(&f.db, "UPDATE tv.clinic SET waiting_room = true"));
    struct outcome *o = admit(AS_PATIENT, id, P_PATIENT);
    assert_outcome(o, TV_OK);
    const Televisit__V1__AdmitReply *reply = o->reply;
    assert_int_equal(reply->sealed_grant.len, 0);
    assert_string_equal(reply->room, "");
    assert_string_equal(reply->encryption_key, "");
    assert_string_equal(time_of(reply->closes_at), "2026-11-24T13:00:00Z");
    outcome_free(o);
    o = admit(AS_DOCTOR, id, P_DOCTOR);
    (void)open_grant(o);
    outcome_free(o);
    free(test_sql(&f.db, "UPDATE tv.participant SET admitted_at = tv.tv_now()"));
    o = admit(AS_PATIENT, id, P_PATIENT);
    (void)open_grant(o);
    outcome_free(o);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.audit WHERE decision = 'WAITING'"),
                     1);
}

static struct outcome *admit_over(struct tv_actor who, Televisit__V1__ParticipantType__Value type,
                                  bool take_over) {
    Televisit__V1__AdmitRequest request = TELEVISIT__V1__ADMIT_REQUEST__INIT;
    request.appointment_id = id;
    request.participant_type = type;
    request.take_over = take_over;
    return call_handler(&app, admit_admit, who, &request.base,
                        &televisit__v1__admit_reply__descriptor);
}

static long audited(const char *decision) {
    char sql[128];
    (void)snprintf(sql, sizeof(sql),
                   "SELECT count(*) FROM tv.audit WHERE action = 'call.join' AND decision = '%s'",
                   decision);
    return fixture_count(&f, sql);
}

static double decided(const char *name) {
    return tv_series_value(tv_metric_series(&decisions_metric, name, NULL, NULL, NULL));
}

/* Whoever is in the room on one device says so before another one takes the place. */
static void test_already_in_call(void **state) {
    free(test_sql(&f.db, "UPDATE tv.participant SET in_call_since = '2026-11-24T10:40:00.25Z'"
                         " WHERE type = 'PATIENT'"));
    double counted = decided("ALREADY_IN_CALL");
    struct outcome *o = admit_over(AS_PATIENT, P_PATIENT, false);
    assert_outcome(o, TV_ERR_ALREADY_IN_CALL);
    assert_int_equal(o->error.members, 2);
    assert_string_equal(outcome_member(o, "since"), "2026-11-24T10:40:00.250Z");
    assert_string_equal(outcome_member(o, "serverTime"), DURING);
    outcome_free(o);
    assert_int_equal(audited("ALREADY_IN_CALL"), 1);
    assert_true(decided("ALREADY_IN_CALL") - counted == 1);

    o = admit_over(AS_PATIENT, P_PATIENT, true);
    assert_outcome(o, TV_OK);
    (void)open_grant(o);
    outcome_free(o);
    /* nobody else is asked */
    o = admit_over(AS_DOCTOR, P_DOCTOR, false);
    assert_outcome(o, TV_OK);
    outcome_free(o);
    assert_int_equal(audited("ALLOWED"), 2);

    /* nor who left, nor who wants to take over where there is nothing to take */
    free(test_sql(&f.db, "UPDATE tv.participant SET in_call_since = NULL, left_call_at = now()"));
    for (int take_over = 0; take_over < 2; take_over++) {
        o = admit_over(AS_PATIENT, P_PATIENT, take_over != 0);
        assert_outcome(o, TV_OK);
        outcome_free(o);
    }

    /* every other case comes first, and taking over does not open a closed door */
    free(test_sql(&f.db, "UPDATE tv.participant SET in_call_since = '2026-11-24T10:40:00Z';"
                         "UPDATE tv.clinic SET waiting_room = true"));
    o = admit_over(AS_PATIENT, P_PATIENT, true);
    assert_outcome(o, TV_OK);
    assert_int_equal(((const Televisit__V1__AdmitReply *)o->reply)->sealed_grant.len, 0);
    outcome_free(o);
    o = admit_over(AS_PATIENT, P_DOCTOR, true);
    assert_outcome(o, TV_ERR_WRONG_PARTICIPANT_TYPE);
    outcome_free(o);
    fixture_set_now(&f, "2026-11-24T13:00:00Z");
    o = admit_over(AS_PATIENT, P_PATIENT, true);
    assert_outcome(o, TV_ERR_TOO_LATE);
    outcome_free(o);
}

static void test_who_asks_must_be_known(void **state) {
    struct outcome *o = submit(actor("", "", TV_ROLE_NONE), id, P_PATIENT);
    call_wait(&app, o);
    assert_outcome(o, TV_ERR_UNAUTHENTICATED);
    outcome_free(o);
    o = submit(actor(BERLIN, "x'); --", TV_ROLE_PATIENT), id, P_PATIENT);
    call_wait(&app, o);
    assert_outcome(o, TV_ERR_UNAUTHENTICATED);
    outcome_free(o);
}

static double statements(const char *kind) {
    return tv_series_value(tv_metric_series(&batch_metric, kind, NULL, NULL, NULL));
}

/* Everybody comes at the full hour: hundreds of joins, a handful of statements. */
static void test_batches(void **state) {
    enum { N = 600 };
    struct outcome *outcomes[N];
    double reads = statements("read"), writes = statements("audit");
    for (unsigned i = 0; i < N; i++)
        outcomes[i] = submit(i % 3 == 0   ? AS_PATIENT
                             : i % 3 == 1 ? AS_DOCTOR
                                          : AS_PATIENT2,
                             i % 7 == 0 ? UNKNOWN : id, i % 3 == 1 ? P_DOCTOR : P_PATIENT);
    unsigned granted = 0;
    for (unsigned i = 0; i < N; i++) {
        call_wait(&app, outcomes[i]);
        bool allowed = i % 3 != 2 && i % 7 != 0;
        assert_outcome(outcomes[i], allowed ? TV_OK : TV_ERR_NOT_FOUND);
        if (allowed)
            (void)open_grant(outcomes[i]);
        granted += allowed;
        outcome_free(outcomes[i]);
    }
    assert_true(statements("read") - reads <= 3);
    assert_true(statements("audit") - writes <= 3);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.audit WHERE action = 'call.join'"),
                     N);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.audit WHERE action = 'call.join'"
                                       " AND decision = 'ALLOWED'"),
                     granted);
}

static bool audit_waits(void *ctx) {
    return fixture_count(&f, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                             " AND query LIKE '%INTO tv.audit%'") == 1;
}

static bool that_many_are_decided(void *ctx) {
    const struct join *j;
    size_t n = 0;
    TAILQ_FOREACH(j, &app.admit->decided, link)
        n++;
    return n == *(const size_t *)ctx;
}

static void test_no_answer_before_the_audit_row(void **state) {
    enum { N = 10 };
    struct tv_pg_script *other = NULL;
    struct tv_error e = TV_ERROR_INIT;
    assert_int_equal(tv_pg_script_open(f.db.url, "other", &other, &e), TV_OK);
    assert_int_equal(
        tv_pg_script_run(other, "BEGIN; LOCK TABLE tv.audit IN EXCLUSIVE MODE", NULL, &e), TV_OK);
    struct outcome *outcomes[N];
    double writes = statements("audit");
    outcomes[0] = submit(AS_PATIENT, id, P_PATIENT);
    assert_true(tv_loop_run_until(f.loop, audit_waits, NULL, 20 * TV_US_PER_S));
    /* these gather behind the one that waits */
    for (unsigned i = 1; i < N; i++)
        outcomes[i] = submit(AS_PATIENT, i % 2 == 0 ? id : UNKNOWN, P_PATIENT);
    size_t decided = N - 1;
    assert_true(tv_loop_run_until(f.loop, that_many_are_decided, &decided, 20 * TV_US_PER_S));
    for (unsigned i = 0; i < N; i++)
        assert_false(outcomes[i]->done);
    assert_int_equal(tv_pg_script_run(other, "COMMIT", NULL, &e), TV_OK);
    tv_pg_script_close(other);
    for (unsigned i = 0; i < N; i++) {
        call_wait(&app, outcomes[i]);
        assert_outcome(outcomes[i], i % 2 == 0 ? TV_OK : TV_ERR_NOT_FOUND);
        outcome_free(outcomes[i]);
    }
    assert_true(statements("audit") - writes == 2);
}

static void test_no_grant_when_the_audit_fails(void **state) {
    free(test_sql(&f.db, "CREATE FUNCTION tv.no() RETURNS trigger LANGUAGE plpgsql AS"
                         " $$ BEGIN RAISE EXCEPTION 'no'; END $$;"
                         "CREATE TRIGGER no BEFORE INSERT ON tv.audit EXECUTE FUNCTION tv.no()"));
    struct outcome *allowed = submit(AS_PATIENT, id, P_PATIENT);
    struct outcome *refused = submit(AS_PATIENT, UNKNOWN, P_PATIENT);
    call_wait(&app, allowed);
    call_wait(&app, refused);
    assert_outcome(allowed, TV_ERR_UNAVAILABLE);
    assert_outcome(refused, TV_ERR_UNAVAILABLE);
    outcome_free(allowed);
    outcome_free(refused);
    free(test_sql(&f.db, "DROP TRIGGER no ON tv.audit; DROP FUNCTION tv.no"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_allowed, each, each_end),
        cmocka_unit_test_setup_teardown(test_refusals, each, each_end),
        cmocka_unit_test_setup_teardown(test_waiting_room, each, each_end),
        cmocka_unit_test_setup_teardown(test_already_in_call, each, each_end),
        cmocka_unit_test_setup_teardown(test_who_asks_must_be_known, each, each_end),
        cmocka_unit_test_setup_teardown(test_batches, each, each_end),
        cmocka_unit_test_setup_teardown(test_no_answer_before_the_audit_row, each, each_end),
        cmocka_unit_test_setup_teardown(test_no_grant_when_the_audit_fails, each, each_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
