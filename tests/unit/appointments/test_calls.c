/* The record of calls: who was there when, who is told, what is done, how it ended. */
#include "record.h"

#include "services/appointments/calls_list.c"

static struct outcome *list(struct tv_actor who, const char *appointment_id) {
    Televisit__V1__ListCallsRequest request = TELEVISIT__V1__LIST_CALLS_REQUEST__INIT;
    request.appointment_id = text(appointment_id);
    return call_handler(&app, calls_list, who, &request.base,
                        &televisit__v1__list_calls_reply__descriptor);
}

/* -- a visit ------------------------------------------------------------------------------------*/

static void test_a_visit(void **state) {
    assert_string_equal(started("10:45:00"), "");
    assert_string_equal(hinted, "");
    assert_jobs("reconcile_call room_# 15");
    assert_people("D never P never");
    set_now("10:45:02");
    assert_string_equal(joined(doctor, "PA_d", "10:45:01"), "waiting P of D");
    assert_string_equal(hinted, "D"); /* who is told nothing else */
    assert_people("D 10:45:01 P never");
    set_now("10:50:00");
    assert_string_equal(joined(patient, "PA_p", "10:49:59"), "started P, started D");
    assert_string_equal(hinted, "");
    assert_string_equal(record(TYPE(SEEN), "10:50:00", .identity = patient, .sid = "PA_p"), "");
    assert_string_equal(hinted, ""); /* nobody came or left */
    assert_people("D 10:45:01 P 10:49:59");
    assert_jobs("reconcile_call room_# -285"); /* still the first one, never moved */
    set_now("11:10:00");
    assert_string_equal(left(patient, "PA_p", "11:09:59", "CLIENT_INITIATED"), "");
    assert_string_equal(hinted, "PD"); /* a page that shows who waits knows at once */
    assert_string_equal(left(doctor, "PA_d", "11:10:00", "CLIENT_INITIATED"), "");
    assert_string_equal(hinted, "PD");
    assert_people("D -11:10:00 P -11:09:59");
    set_now("11:10:20");
    assert_string_equal(finished("11:10:20"), "ended P, ended D");

    assert_sql("SELECT generation || ' ' || call_rev || ' ' || version FROM tv.appointment",
               "2 7 2");
    /* hints are kept nowhere */
    assert_sql("SELECT count(*) FROM tv.event WHERE type = 'appointment.changed'", "0");
    assert_sql("SELECT string_agg(last_seq::text, ' ' ORDER BY person_id) FROM tv.inbox_head"
               " WHERE person_id IN ('" PATIENT "', '" DOCTOR "')",
               "4 4");
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
    assert_true(was_recorded);
    char *before = dump();
    char *rev = test_sql(&f.db, "SELECT call_rev FROM tv.appointment");
    assert_string_equal(joined(doctor, "PA_d", "10:45:00", .id = "EV_same"), "");
    assert_string_equal(hinted, "");
    assert_true(was_recorded);
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
    assert_string_equal(hinted, "");
    set_now("10:45:30");
    assert_string_equal(snapshot("RM_1", "10:45:00", {{"PA_2", doctor, "10:45:00"}}),
                        " again 15000");
    assert_string_equal(hinted, "PD");
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

/* Another database took over, and its clock is behind: what fired has fired. */
static void test_settled_although_the_clock_was_set_back(void **state) {
    set_now("12:59:59");
    free(test_sql(&f.db, "UPDATE tv.due SET state = 'fired', settled_at = tv.tv_now()"
                         " WHERE kind = 'window_closed'"));
    assert_string_equal(settle(id), NO_SHOW_TOLD);
    assert_sql("SELECT status || version FROM tv.appointment", "NO_SHOW3");
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
        CASE(test_settled_although_the_clock_was_set_back),
        CASE(test_list),
        CASE(test_list_of_no_calls),
        CASE(test_list_is_for_those_who_may_see),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
