/* The record of calls when everything comes at once, and when what comes is not sound. */
#include "record.h"

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
    struct outcome *o =
        send_sealed(&m.base, app.grant_keys.key[0]); /* the key of grants is another */
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

/* While the key is changed, tokens may seal with the other one already, or still. */
static void test_both_keys_open(void **state) {
    for (unsigned i = 0; i < 2; i++) {
        char event_id[32];
        const struct event e = {.type = TYPE(JOINED), .at = "10:45:00", doctor, "PA_d", "10:45:00"};
        Televisit__V1__CallEvent m = message_of(&e, event_id);
        (void)finish(send_sealed(&m.base, app.event_keys.key[i]));
        assert_true(was_recorded);
    }
}

/* Sealed, but not a message. */
static void test_sealed_nonsense(void **state) {
    unsigned char bytes[4 + TV_SEAL_BYTES] = {0xff, 0xff, 0xff, 0xff};
    tv_seal((struct tv_str){(const char *)bytes, 4}, app.event_keys.key[0], bytes + 4);
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
        assert_string_equal(finish(send_sealed(&m.base, app.event_keys.key[0])), "");
    }
    assert_false(was_recorded);
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
        assert_string_equal(finish(send_sealed(&m.base, app.event_keys.key[0])), "");
    }
    assert_true(counted("JOINED", "odd") == odd + 12);
    for (int type = -1; type <= 7; type += type == 0 ? 7 : 1) {
        Televisit__V1__CallEvent m = message_of(&good, event_id);
        m.type = (Televisit__V1__CallEvent__Type)type;
        assert_string_equal(finish(send_sealed(&m.base, app.event_keys.key[0])), "");
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
        CASE(test_all_at_once),         CASE(test_the_same_event_at_once),
        CASE(test_always_too_late),     CASE(test_forged),
        CASE(test_both_keys_open),      CASE(test_sealed_nonsense),
        CASE(test_what_cannot_be_kept), CASE(test_views_that_are_none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
