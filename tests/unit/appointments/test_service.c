/* The whole service, as its own process, over NATS: every method, faults of the database, the stop.
 *
 * The program under test is this program: with TEST_SERVE in its environment it is appointments. */
#include <fcntl.h>
#include <signal.h>

#include "fixture.h"

int appointments_main(int argc, char **argv);
#define main appointments_main
#include "services/appointments/main.c"
#undef main

#include "lib/bus.h"
#include "televisit/v1/appointments.pb-c.h"
#include "televisit/v1/clinic.pb-c.h"
#include "televisit/v1/due.pb-c.h"
#include "televisit/v1/inbox.pb-c.h"
#include "televisit/v1/jobs.pb-c.h"
#include "televisit/v1/sessions.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"
#include "tests/harness/nats.h"

#define GRANT_KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define NOON "2026-11-24T11:00:00Z"
#define TEXT(literal) ((char *)(uintptr_t)(literal))

static struct fixture f; /* no pool: the database belongs to the service */
static struct test_nats nats;
static struct test_proc *service;
static struct tv_bus *bus;
static struct tv_arena *arena; /* of the replies of one test */
static char database_env[256], nats_env[128];

/* -- a client -----------------------------------------------------------------------------------*/

struct reply {
    bool done;
    enum tv_err err;
    struct tv_error error;
    const void *message;
};

static void on_reply(void *ctx, enum tv_err err, const struct tv_error *e,
                     ProtobufCMessage *message) {
    struct reply *r = ctx;
    r->done = true;
    r->err = err;
    r->message = message;
    if (err != TV_OK)
        r->error = *e;
}

static bool is_done(void *ctx) { return ((const struct reply *)ctx)->done; }

static struct reply *submit(const ProtobufCServiceDescriptor *to, const char *method,
                            struct tv_actor who, const void *request) {
    struct reply *r = TV_ARENA_NEW(arena, struct reply);
    const struct tv_context context = {.actor = who,
                                       .deadline_us = tv_clock_mono_us() + 20 * TV_US_PER_S};
    const ProtobufCMethodDescriptor *m =
        protobuf_c_service_descriptor_get_method_by_name(to, method);
    assert_non_null(m);
    (void)tv_rpc_call(bus, to, m, &context, request, arena, on_reply, r);
    return r;
}

static const struct reply *call(const ProtobufCServiceDescriptor *to, const char *method,
                                struct tv_actor who, const void *request) {
    struct reply *r = submit(to, method, who, request);
    assert_true(tv_loop_run_until(f.loop, is_done, r, 30 * TV_US_PER_S));
    return r;
}

static const void *ask(const ProtobufCServiceDescriptor *to, const char *method,
                       struct tv_actor who, const void *request) {
    const struct reply *r = call(to, method, who, request);
    if (r->err != TV_OK)
        fail_msg("%s: %s %s", method, tv_err_info(r->err)->slug, r->error.detail);
    return r->message;
}

static Google__Protobuf__Timestamp *at(const char *text) {
    int64_t us = 0;
    assert_true(tv_time_parse(tv_str(text), &us));
    return tv_pb_time(us, arena);
}

static const Google__Protobuf__Empty nothing = GOOGLE__PROTOBUF__EMPTY__INIT;

/* -- the service --------------------------------------------------------------------------------*/

static struct test_proc *run_program(const char *name, const char *command) {
    char serve[] = "TEST_SERVE=1", key[] = "TELEVISIT_GRANT_KEY=" GRANT_KEY,
         level[] = "TELEVISIT_LOG_LEVEL=debug", memory[] = "TELEVISIT_PASSWORD_MEMORY=8",
         drain[] = "TELEVISIT_DRAIN_TIMEOUT=1s";
    char *env[] = {serve, database_env, nats_env, key, level, memory, drain, NULL};
    char program[] = "/proc/self/exe";
    char *argv[] = {program, TEXT(command), NULL};
    return test_spawn(name, argv, env, NULL);
}

static int run_command(const char *name, const char *command) {
    struct test_proc *p = run_program(name, command);
    int status = test_wait(p, 30000);
    test_stop(p);
    return status;
}

static bool answers(void *ctx) {
    return call(&televisit__v1__sessions__descriptor, "Me", AS_PATIENT, &nothing)->err == TV_OK;
}

static bool is_away(void *ctx) {
    return call(&televisit__v1__sessions__descriptor, "Me", AS_PATIENT, &nothing)->err ==
           TV_ERR_UNAVAILABLE;
}

static bool is_connected(void *ctx) { return tv_bus_connected(bus); }

static void add_people(void) {
    free(test_sql(&f.db, fixture_people));
    fixture_set_now(&f, "2026-11-23T08:00:00Z");
    char hash[TV_PASSWORD_HASH_MAX], sql[512];
    assert_true(tv_password_hash(TV_S("secret"), 1, 8 << 20, hash));
    (void)snprintf(sql, sizeof(sql), "INSERT INTO tv.credential VALUES ('%s', '%s', '%s')", BERLIN,
                   PATIENT, hash);
    free(test_sql(&f.db, sql));
}

static int set_up(void **state) {
    arena = tv_arena_new();
    f.db = test_postgres_start();
    nats = test_nats_start(NULL);
    (void)snprintf(database_env, sizeof(database_env), "DATABASE_URL=%s", f.db.url);
    (void)snprintf(nats_env, sizeof(nats_env), "NATS_URL=%s", nats.url);
    assert_int_equal(run_command("migrate", "migrate"), 0);
    assert_int_equal(run_command("migrate-again", "migrate"), 0);
    add_people();

    service = run_program("appointments", NULL);
    f.loop = tv_loop_new();
    const struct tv_bus_config config = {
        .url = nats.url, .name = "test", .version = "0.0.1", .description = "A test"};
    struct tv_error e = TV_ERROR_INIT;
    assert_int_equal(tv_bus_new(f.loop, &config, &bus, &e), TV_OK);
    assert_true(tv_loop_run_until(f.loop, is_connected, NULL, 20 * TV_US_PER_S));
    if (!test_until(answers, NULL, 30000))
        fail_msg("%s", test_proc_log(service));
    tv_arena_free(TV_TAKE_PTR(arena));
    return 0;
}

static int tear_down(void **state) {
    tv_bus_free(bus);
    tv_loop_free(f.loop);
    test_stop(service);
    test_nats_stop(&nats);
    test_postgres_stop(&f.db);
    tv_metrics_done();
    return 0;
}

static int each(void **state) {
    arena = tv_arena_new();
    fixture_clear(&f);
    fixture_set_now(&f, "2026-11-23T08:00:00Z");
    return 0;
}
static int each_end(void **state) {
    fixture_check_promises(&f);
    tv_arena_free(arena);
    return 0;
}

/* -- the tests ----------------------------------------------------------------------------------*/

/* Methods that are a statement and nothing else. */
static void test_statements_as_methods(void **state) {
    const ProtobufCServiceDescriptor *clinics = &televisit__v1__clinics__descriptor;
    const Televisit__V1__Person *me =
        ask(&televisit__v1__sessions__descriptor, "Me", AS_PATIENT, &nothing);
    assert_string_equal(me->id, PATIENT);
    assert_string_equal(me->clinic_name, "Praxis");
    assert_int_equal(me->role, TELEVISIT__V1__ROLE__VALUE__PATIENT);
    assert_int_equal(call(&televisit__v1__sessions__descriptor, "Me",
                          actor(BERLIN, UNKNOWN, TV_ROLE_PATIENT), &nothing)
                         ->err,
                     TV_ERR_NOT_FOUND);

    const Televisit__V1__Clinic *clinic = ask(clinics, "GetClinic", AS_PATIENT, &nothing);
    assert_string_equal(clinic->time_zone, "Europe/Berlin");
    assert_int_equal(clinic->policy->opens_before, 1800);
    assert_int_equal(clinic->policy->n_reminders, 1);
    assert_int_equal(clinic->policy->reminders[0], 86400);

    const Televisit__V1__ListDoctorsReply *doctors =
        ask(clinics, "ListDoctors", AS_PATIENT, &nothing);
    assert_int_equal(doctors->n_doctors, 2);
    assert_string_equal(doctors->doctors[0]->display_name, "Dr. Adam");
    doctors = ask(clinics, "ListDoctors", actor(UNKNOWN, UNKNOWN, TV_ROLE_PATIENT), &nothing);
    assert_int_equal(doctors->n_doctors, 0);

    Televisit__V1__ListSlotsRequest slots = TELEVISIT__V1__LIST_SLOTS_REQUEST__INIT;
    slots.doctor_id = TEXT(DOCTOR);
    slots.days = 2;
    const Televisit__V1__ListSlotsReply *free_slots = ask(clinics, "ListSlots", AS_PATIENT, &slots);
    assert_int_equal(free_slots->n_slots, 48 + 29); /* from 09:30 local time today */
    assert_string_equal(free_slots->time_zone, "Europe/Berlin");
    slots.doctor_id = TEXT(NY_DOCTOR);
    assert_int_equal(call(clinics, "ListSlots", AS_PATIENT, &slots)->err, TV_ERR_NOT_FOUND);
    slots.doctor_id = TEXT("");
    assert_int_equal(call(clinics, "ListSlots", AS_PATIENT, &slots)->err, TV_ERR_NOT_FOUND);
    slots.doctor_id = TEXT("no id");
    assert_int_equal(call(clinics, "ListSlots", AS_PATIENT, &slots)->err, TV_ERR_INVALID);
}

static void test_availability(void **state) {
    const ProtobufCServiceDescriptor *clinics = &televisit__v1__clinics__descriptor;
    Televisit__V1__WeeklyHours monday = TELEVISIT__V1__WEEKLY_HOURS__INIT;
    monday.weekday = 1;
    monday.from = TEXT("09:00");
    monday.to = TEXT("24:00");
    monday.slot_minutes = 45;
    Televisit__V1__WeeklyHours *hours[] = {&monday};
    Televisit__V1__PutAvailabilityRequest put = TELEVISIT__V1__PUT_AVAILABILITY_REQUEST__INIT;
    put.doctor_id = TEXT(DOCTOR2);
    put.hours = hours;
    put.n_hours = 1;
    assert_int_equal(call(clinics, "PutAvailability", AS_DOCTOR, &put)->err, TV_ERR_FORBIDDEN);
    const Televisit__V1__Availability *now = ask(clinics, "PutAvailability", AS_STAFF, &put);
    assert_int_equal(now->n_hours, 1);
    Televisit__V1__GetAvailabilityRequest get = TELEVISIT__V1__GET_AVAILABILITY_REQUEST__INIT;
    get.doctor_id = TEXT(DOCTOR2);
    now = ask(clinics, "GetAvailability", AS_STAFF, &get);
    assert_int_equal(now->n_hours, 1);
    assert_string_equal(now->hours[0]->to, "24:00");
    assert_int_equal(now->hours[0]->slot_minutes, 45);
    put.n_hours = 0;
    now = ask(clinics, "PutAvailability", AS_STAFF, &put);
    assert_int_equal(now->n_hours, 0);
}

/* -- a visit, from the log-in to the call and back out ------------------------------------------*/

static const struct tv_actor nobody = {.role = TV_ROLE_NONE}, timer = {.role = TV_ROLE_SERVICE};

static const Televisit__V1__OpenSession *log_in(void) {
    Televisit__V1__OpenSessionRequest open = TELEVISIT__V1__OPEN_SESSION_REQUEST__INIT;
    open.clinic = TEXT("berlin");
    open.email = TEXT("paula@example.org");
    open.password = TEXT("secret");
    return ask(&televisit__v1__sessions__descriptor, "Open", nobody, &open);
}

static const Televisit__V1__Appointment *book_and_confirm(struct tv_actor patient) {
    const ProtobufCServiceDescriptor *appointments = &televisit__v1__appointments__descriptor;
    Televisit__V1__BookRequest book = TELEVISIT__V1__BOOK_REQUEST__INIT;
    book.doctor_id = TEXT(DOCTOR);
    book.starts_at = at(NOON);
    book.reason = TEXT("cough");
    book.idempotency_key = TEXT("k");
    const Televisit__V1__ChangeReply *booked = ask(appointments, "Book", patient, &book);
    assert_int_equal(booked->n_told, 3);
    Televisit__V1__ConfirmRequest confirm = TELEVISIT__V1__CONFIRM_REQUEST__INIT;
    confirm.appointment_id = booked->appointment->id;
    confirm.if_match = 1;
    const Televisit__V1__ChangeReply *confirmed = ask(appointments, "Confirm", AS_DOCTOR, &confirm);
    return confirmed->appointment;
}

static void fire_at_the_opening(void) {
    fixture_set_now(&f, "2026-11-24T10:30:00Z");
    Televisit__V1__FireRequest fire = TELEVISIT__V1__FIRE_REQUEST__INIT;
    fire.limit = 100;
    const Televisit__V1__FireReply *fired =
        ask(&televisit__v1__due__descriptor, "Fire", timer, &fire);
    assert_int_equal(fired->fired, 1);
    assert_int_equal(fired->expired, 1); /* the reminder of a day before, fired by nobody */
    assert_int_equal(fired->n_told, 2);
    assert_string_equal(fired->told[0]->type, "call.available");
    assert_int_equal(tv_pb_time_us(fired->next_due_at), tv_pb_time_us(at("2026-11-24T12:55:00Z")));
    assert_non_null(fired->now);
}

static void read_inbox(struct tv_actor patient) {
    Televisit__V1__ListInboxRequest inbox = TELEVISIT__V1__LIST_INBOX_REQUEST__INIT;
    const Televisit__V1__ListInboxReply *entries =
        ask(&televisit__v1__inbox__descriptor, "List", patient, &inbox);
    assert_int_equal(entries->n_entries, 2); /* confirmed, available */
    assert_int_equal(entries->first_seq, 1);
    assert_int_equal(entries->last_seq, 2);
    assert_int_equal(entries->entries[1]->seq, 2);
    assert_string_equal(entries->entries[1]->type, "call.available");
    inbox.after = 2;
    entries = ask(&televisit__v1__inbox__descriptor, "List", patient, &inbox);
    assert_int_equal(entries->n_entries, 0);
    assert_int_equal(entries->last_seq, 2);
    char *people[] = {TEXT(PATIENT), TEXT(DOCTOR), TEXT(PATIENT3)};
    Televisit__V1__HeadsRequest heads = TELEVISIT__V1__HEADS_REQUEST__INIT;
    heads.person_ids = people;
    heads.n_person_ids = 3;
    const Televisit__V1__HeadsReply *last =
        ask(&televisit__v1__inbox__descriptor, "Heads", timer, &heads);
    assert_int_equal(last->n_heads, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(last->heads[i]->last_seq,
                         strcmp(last->heads[i]->person_id, PATIENT3) == 0 ? 0 : 2);
}

/* Nobody's name, mail or reason is in what the service wrote. */
static void check_log(void) {
    char *log = test_proc_log(service);
    static const char *const secrets[] = {"Paula",    "paula",    "cough",
                                          "secret\"", "Dr. Adam", GRANT_KEY};
    for (size_t i = 0; i < TV_ARRAY_LEN(secrets); i++)
        if (strstr(log, secrets[i]) != NULL)
            fail_msg("%s is in the log", secrets[i]);
    free(log);
}

/* The doctor ends the call: its room is to be closed, and nobody is let in again. */
static void end_the_call(struct tv_actor patient, const Televisit__V1__AdmitRequest *admit) {
    const ProtobufCServiceDescriptor *appointments = &televisit__v1__appointments__descriptor;
    Televisit__V1__EndRequest end = TELEVISIT__V1__END_REQUEST__INIT;
    end.appointment_id = admit->appointment_id;
    assert_int_equal(call(appointments, "End", patient, &end)->err, TV_ERR_FORBIDDEN);
    const Televisit__V1__ChangeReply *ended = ask(appointments, "End", AS_DOCTOR, &end);
    assert_int_equal(ended->appointment->status,
                     TELEVISIT__V1__APPOINTMENT_STATUS__VALUE__COMPLETED);
    assert_true(ended->due_now);
    assert_int_equal(ended->n_told, 3); /* the patient, and staff */
    const struct reply *again = call(appointments, "Admit", patient, admit);
    assert_int_equal(again->err, TV_ERR_OVER);
    assert_string_equal(again->error.member[0].name, "appointmentStatus");
    Televisit__V1__ClaimJobsRequest claim = TELEVISIT__V1__CLAIM_JOBS_REQUEST__INIT;
    claim.limit = 10;
    claim.lease_ms = 1000;
    const Televisit__V1__ClaimJobsReply *jobs =
        ask(&televisit__v1__jobs__descriptor, "Claim", timer, &claim);
    assert_int_equal(jobs->n_jobs, 1);
    assert_string_equal(jobs->jobs[0]->kind, "close_room");
    assert_string_equal(jobs->jobs[0]->appointment_id, admit->appointment_id);

    Televisit__V1__NoShowRequest no_show = TELEVISIT__V1__NO_SHOW_REQUEST__INIT;
    no_show.appointment_id = admit->appointment_id;
    no_show.if_match = 3;
    no_show.side = TELEVISIT__V1__NO_SHOW__VALUE__MISSED;
    const Televisit__V1__ChangeReply *missed = ask(appointments, "NoShow", AS_STAFF, &no_show);
    assert_int_equal(missed->appointment->no_show, TELEVISIT__V1__NO_SHOW__VALUE__MISSED);
    Televisit__V1__CompleteRequest complete = TELEVISIT__V1__COMPLETE_REQUEST__INIT;
    complete.appointment_id = admit->appointment_id;
    complete.if_match = 4;
    const Televisit__V1__ChangeReply *completed =
        ask(appointments, "Complete", AS_STAFF, &complete);
    assert_int_equal(completed->appointment->version, 5);
}

static void test_a_visit(void **state) {
    const ProtobufCServiceDescriptor *appointments = &televisit__v1__appointments__descriptor;
    const Televisit__V1__OpenSession *session = log_in();
    struct tv_actor patient = actor(BERLIN, session->person->id, TV_ROLE_PATIENT);
    (void)snprintf(patient.session_id, sizeof(patient.session_id), "%s", session->session_id);

    Televisit__V1__AdmitRequest admit = TELEVISIT__V1__ADMIT_REQUEST__INIT;
    admit.appointment_id = book_and_confirm(patient)->id;
    admit.participant_type = TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__PATIENT;
    const struct reply *early = call(appointments, "Admit", patient, &admit);
    assert_int_equal(early->err, TV_ERR_TOO_EARLY);
    assert_int_equal(early->error.members, 3);
    assert_string_equal(early->error.member[0].name, "opensAt");
    assert_int_equal(early->error.member[0].time_us, tv_pb_time_us(at("2026-11-24T10:30:00Z")));
    fire_at_the_opening();
    read_inbox(patient);

    const Televisit__V1__AdmitReply *in = ask(appointments, "Admit", patient, &admit);
    unsigned char key[TV_SEAL_KEY_BYTES];
    assert_true(tv_seal_key_parse(GRANT_KEY, key));
    struct tv_str packed = {(const char *)in->sealed_grant.data,
                            in->sealed_grant.len - TV_SEAL_BYTES};
    assert_true(tv_seal_ok(packed, in->sealed_grant.data + packed.len, key));
    end_the_call(patient, &admit);

    Televisit__V1__CloseSessionRequest close = TELEVISIT__V1__CLOSE_SESSION_REQUEST__INIT;
    close.session_id = session->session_id;
    (void)ask(&televisit__v1__sessions__descriptor, "Close", patient, &close);
    Televisit__V1__RenewSessionRequest renew = TELEVISIT__V1__RENEW_SESSION_REQUEST__INIT;
    renew.refresh_token = session->refresh_token;
    assert_int_equal(call(&televisit__v1__sessions__descriptor, "Renew", nobody, &renew)->err,
                     TV_ERR_SESSION_EXPIRED);
    check_log();
}

/* -- crowds and faults --------------------------------------------------------------------------*/

static void test_one_of_many_wins(void **state) {
    enum { N = 100 };
    struct reply *replies[N];
    for (unsigned i = 0; i < N; i++) {
        Televisit__V1__BookRequest book = TELEVISIT__V1__BOOK_REQUEST__INIT;
        char key[16];
        (void)snprintf(key, sizeof(key), "key-%u", i);
        book.doctor_id = TEXT(DOCTOR);
        book.starts_at = at(NOON);
        book.idempotency_key = key;
        replies[i] = submit(&televisit__v1__appointments__descriptor, "Book",
                            i % 2 == 0 ? AS_PATIENT : AS_PATIENT2, &book);
    }
    unsigned won = 0;
    for (unsigned i = 0; i < N; i++) {
        assert_true(tv_loop_run_until(f.loop, is_done, replies[i], 30 * TV_US_PER_S));
        won += replies[i]->err == TV_OK;
        assert_true(replies[i]->err == TV_OK || replies[i]->err == TV_ERR_SLOT_TAKEN);
    }
    assert_int_equal(won, 1);
}

static void test_the_database_goes_and_comes(void **state) {
    test_postgres_kill(&f.db);
    assert_true(test_until(is_away, NULL, 20000));
    test_postgres_restart(&f.db);
    assert_true(test_until(answers, NULL, 30000));
    assert_int_equal(test_wait(service, 0), -1); /* it is the same process */
}

static bool is_waiting_for_schema(void *ctx) {
    char *log = test_proc_log(service), waits[64];
    (void)snprintf(waits, sizeof(waits), "has version 0, needs %zu; run", migration_count);
    bool found = strstr(log, waits) != NULL;
    free(log);
    return found;
}

/* Another database, empty, in the place of the one that the service works on: it waits for the
 * schema, and goes on when that is there. */
static void test_the_schema_goes_and_comes(void **state) {
    free(test_sql(&f.db, "DROP SCHEMA tv CASCADE"));
    assert_true(test_until(is_away, NULL, 20000));
    assert_true(test_until(is_waiting_for_schema, NULL, 20000));
    assert_int_equal(test_wait(service, 0), -1);
    assert_int_equal(run_command("migrate-anew", "migrate"), 0);
    add_people();
    assert_true(test_until(answers, NULL, 30000));
    assert_int_equal(test_wait(service, 0), -1);
}

/* Stopped while it works: what came before is answered, then it ends well. */
static void test_the_stop(void **state) {
    struct reply *replies[20];
    for (unsigned i = 0; i < TV_ARRAY_LEN(replies); i++)
        replies[i] = submit(&televisit__v1__sessions__descriptor, "Me", AS_PATIENT, &nothing);
    assert_true(tv_loop_run_until(f.loop, is_done, replies[0], 20 * TV_US_PER_S));
    test_signal(service, SIGTERM);
    int status = test_wait(service, 30000);
    if (status != 0)
        fail_msg("status %d: %s", status, test_proc_log(service));
    for (unsigned i = 0; i < TV_ARRAY_LEN(replies); i++)
        assert_true(tv_loop_run_until(f.loop, is_done, replies[i], 30 * TV_US_PER_S));
}

static bool audit_waits(void *ctx) {
    return fixture_count(&f, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                             " AND query LIKE '%INTO tv.audit%'") == 1;
}

/* What cannot be finished in time does not hold up the end, and nothing is left behind. */
static void test_the_stop_does_not_wait_for_ever(void **state) {
    test_stop(service);
    service = run_program("appointments-2", NULL);
    assert_true(test_until(answers, NULL, 30000));
    struct tv_pg_script *other = NULL;
    struct tv_error e = TV_ERROR_INIT;
    assert_int_equal(tv_pg_script_open(f.db.url, "other", &other, &e), TV_OK);
    assert_int_equal(
        tv_pg_script_run(other, "BEGIN; LOCK TABLE tv.audit IN EXCLUSIVE MODE", NULL, &e), TV_OK);
    Televisit__V1__AdmitRequest admit = TELEVISIT__V1__ADMIT_REQUEST__INIT;
    admit.appointment_id = TEXT(UNKNOWN);
    admit.participant_type = TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__PATIENT;
    struct reply *reply =
        submit(&televisit__v1__appointments__descriptor, "Admit", AS_PATIENT, &admit);
    assert_true(tv_loop_run_until(f.loop, audit_waits, NULL, 20 * TV_US_PER_S));
    struct reply *second =
        submit(&televisit__v1__appointments__descriptor, "Admit", AS_PATIENT, &admit);
    (void)ask(&televisit__v1__sessions__descriptor, "Me", AS_PATIENT, &nothing);
    test_signal(service, SIGTERM);
    int status = test_wait(service, 30000);
    if (status != 0)
        fail_msg("status %d: %s", status, test_proc_log(service));
    tv_pg_script_close(other);
    assert_true(tv_loop_run_until(f.loop, is_done, reply, 30 * TV_US_PER_S));
    assert_true(tv_loop_run_until(f.loop, is_done, second, 30 * TV_US_PER_S));
    assert_int_not_equal(reply->err, TV_OK);
    assert_int_not_equal(second->err, TV_OK);
}

int main(int argc, char **argv) {
    if (getenv("TEST_SERVE") != NULL)
        return appointments_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_statements_as_methods, each, each_end),
        cmocka_unit_test_setup_teardown(test_availability, each, each_end),
        cmocka_unit_test_setup_teardown(test_a_visit, each, each_end),
        cmocka_unit_test_setup_teardown(test_one_of_many_wins, each, each_end),
        cmocka_unit_test_setup_teardown(test_the_database_goes_and_comes, each, each_end),
        cmocka_unit_test_setup_teardown(test_the_schema_goes_and_comes, each, each_end),
        cmocka_unit_test_setup_teardown(test_the_stop, each, each_end),
        cmocka_unit_test_setup_teardown(test_the_stop_does_not_wait_for_ever, each, each_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
