/* Hints on event streams: who learns that an appointment has changed without being told, once. */
#include "tests/unit/gateway/inbox.h"

#define VISIT "44444444-4444-4444-8444-444444444444"
#define HINT "event: appointment.changed\ndata: {\"appointmentId\":\"" VISIT "\"}\n\n"
#define OTHER_CLINIC "99999999-9999-4999-8999-999999999999"
/* Each test has people of its own, for streams of earlier ones are noticed late to be gone. */
static char staff[TV_UUID_TEXT], admin[TV_UUID_TEXT], doctor[TV_UUID_TEXT], patient[TV_UUID_TEXT],
    stranger[TV_UUID_TEXT];
static struct inbox inbox;
static struct test_gateway *g;

static int clear(void **state) {
    test_gateway_clear(g);
    return 0;
}

static int begin(void **state) {
    inbox = (struct inbox){.first = 1, .last = 10};
    inbox_use(g, &inbox);
    tv_uuid(staff);
    tv_uuid(admin);
    tv_uuid(doctor);
    tv_uuid(patient);
    tv_uuid(stranger);
    return 0;
}

static int start(void **state) {
    char check[] = "TELEVISIT_STREAM_CHECK=60s", beat[] = "TELEVISIT_STREAM_BEAT=60s";
    char *env[] = {check, beat, NULL};
    g = test_gateway_start(env);
    test_gateway_serve(g);
    return 0;
}

static int stop(void **state) {
    test_gateway_stop(g);
    return 0;
}

/* A stream of somebody of the clinic, which knows where it stands. */
static struct test_http *open_as(enum tv_role role, const char *person) {
    double before = inbox_reads(g);
    struct test_http *c =
        test_ask_begin(g, "GET", "/v1/events", test_bearer(g, role, person, 600), NULL);
    stream_until(g, c, "retry: ");
    for (int64_t end_us = tv_clock_mono_us() + TEST_WAIT_MS * TV_US_PER_MS;
         inbox_reads(g) <= before && tv_clock_mono_us() < end_us;)
        continue; /* asking turns the loop */
    assert_true(inbox_reads(g) > before);
    return c;
}

static Televisit__V1__InboxEntry *entry_for(const char *person, int64_t seq, const char *event,
                                            const char *actor) {
    Televisit__V1__InboxEntry *e = inbox_entry(g, seq, g->arena);
    e->person_id = tv_arena_strdup(g->arena, person);
    e->appointment_id = tv_arena_strdup(g->arena, VISIT);
    e->event_id = tv_arena_strdup(g->arena, event);
    e->actor_id = tv_arena_strdup(g->arena, actor);
    return e;
}

static void tell(const Televisit__V1__InboxEntry *e) {
    const char *subject =
        tv_arena_printf(g->arena, "tv.v1.inbox.%s.%s", e->clinic_id, e->person_id);
    (void)tv_bus_publish(g->bus, subject, NULL, 0, tv_pb_pack(&e->base, g->arena));
}

static const char *new_event(void) {
    char *event = tv_arena_alloc(g->arena, TV_UUID_TEXT);
    tv_uuid(event);
    return event;
}

static unsigned count_in(const struct test_http *c, const char *what) {
    unsigned n = 0;
    for (const char *at = stream_answer(g, c).body; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

/* Waits until all that was told before is written, then compares the number of hints. `last` tells
 * so: an entry of the stream's own person. */
static void expect_hints(struct test_http *c, const char *person, int64_t last, unsigned hints) {
    Televisit__V1__InboxEntry *e = entry_for(person, last, new_event(), "");
    e->appointment_id = tv_arena_strdup(g->arena, ""); /* nothing to the others */
    tell(e);
    stream_until(g, c, tv_arena_printf(g->arena, "id: %lld\n", (long long)last));
    if (count_in(c, HINT) != hints)
        fail_msg("%u hints, not %u: %s", count_in(c, HINT), hints, stream_answer(g, c).body);
    assert_int_equal(count_in(c, "event: appointment.changed"), hints);
}

static void test_staff_and_actor(void **state) {
    struct test_http *of_staff = open_as(TV_ROLE_STAFF, staff);
    struct test_http *of_admin = open_as(TV_ROLE_ADMIN, admin);
    struct test_http *of_patient = open_as(TV_ROLE_PATIENT, patient);
    struct test_http *of_doctor = open_as(TV_ROLE_DOCTOR, doctor);
    struct test_http *second = open_as(TV_ROLE_DOCTOR, doctor);
    struct test_http *of_stranger = open_as(TV_ROLE_PATIENT, stranger);
    double before = test_gateway_metric(g, "tv_stream_hints_total");
    tell(entry_for(patient, 11, new_event(), doctor));
    stream_until(g, of_patient, "id: 11\nevent: appointment.confirmed\n");
    expect_hints(of_patient, patient, 12, 0);
    expect_hints(of_staff, staff, 11, 1);
    expect_hints(of_admin, admin, 11, 1);
    expect_hints(of_doctor, doctor, 11, 1);
    expect_hints(second, doctor, 12, 1);
    expect_hints(of_stranger, stranger, 11, 0);
    assert_true(test_gateway_metric(g, "tv_stream_hints_total") == before + 4);
    assert_string_equal(stream_ids(g, of_staff), "11"); /* a hint has no id and moves none */

    struct test_http *all[] = {of_staff, of_admin, of_patient, of_doctor, second, of_stranger};
    for (size_t i = 0; i < TV_ARRAY_LEN(all); i++)
        test_http_close(all[i]);
}

/* Two recipients, two events of one commit, each told twice: a hint for each event. */
static void test_once_an_event(void **state) {
    struct test_http *of_staff = open_as(TV_ROLE_STAFF, staff);
    const char *one = new_event(), *two = new_event();
    for (int twice = 0; twice < 2; twice++) {
        tell(entry_for(doctor, 1, one, patient));
        tell(entry_for(doctor, 2, two, patient));
        tell(entry_for(patient, 1, one, ""));
        tell(entry_for(patient, 2, two, ""));
    }
    expect_hints(of_staff, staff, 11, 2);
    tell(entry_for(doctor, 3, new_event(), ""));
    expect_hints(of_staff, staff, 12, 3);
    test_http_close(of_staff);
}

/* Who is told the event itself needs no hint of it. */
static void test_recipients_among_staff(void **state) {
    struct test_http *told = open_as(TV_ROLE_STAFF, staff);
    struct test_http *other = open_as(TV_ROLE_STAFF, admin);
    const char *event = new_event();
    tell(entry_for(staff, 11, event, staff));
    tell(entry_for(doctor, 1, event, staff));
    expect_hints(told, staff, 12, 0);
    expect_hints(other, admin, 11, 1);
    tell(entry_for(doctor, 2, new_event(), staff)); /* staff and actor in one */
    expect_hints(told, staff, 13, 1);
    test_http_close(told);
    test_http_close(other);
}

static Televisit__V1__InboxEntry *bare(const char *person, int64_t second) {
    Televisit__V1__InboxEntry *e = entry_for(person, 0, "", "");
    e->type = tv_arena_strdup(g->arena, "appointment.changed");
    e->occurred_at =
        TV_PB_NEW(g->arena, Google__Protobuf__Timestamp, google__protobuf__timestamp__descriptor);
    e->occurred_at->seconds = second;
    return e;
}

/* An entry without a number is a hint to its person, and to the staff once for all of a commit. */
static void test_bare(void **state) {
    struct test_http *of_staff = open_as(TV_ROLE_STAFF, staff);
    struct test_http *of_doctor = open_as(TV_ROLE_DOCTOR, doctor);
    struct test_http *second = open_as(TV_ROLE_DOCTOR, doctor);
    struct test_http *of_patient = open_as(TV_ROLE_PATIENT, patient);
    double reads = inbox_reads(g);
    for (int64_t commit = 1; commit <= 3; commit++) {
        tell(bare(doctor, commit));
        tell(bare(patient, commit));
    }
    tell(bare(staff, 4));
    Televisit__V1__InboxEntry *e = bare(doctor, 5);
    e->type = tv_arena_strdup(g->arena, "call.waiting"); /* no hint, and no notice either */
    tell(e);
    expect_hints(of_staff, staff, 11, 4);
    expect_hints(of_doctor, doctor, 11, 3);
    expect_hints(second, doctor, 12, 3);
    expect_hints(of_patient, patient, 11, 3);
    assert_string_equal(stream_ids(g, of_doctor), "11 12");
    assert_int_equal(count_in(of_doctor, "call.waiting"), 0);
    assert_true(inbox_reads(g) == reads); /* nothing of it looked like a gap */
    struct test_http *all[] = {of_staff, of_doctor, second, of_patient};
    for (size_t i = 0; i < TV_ARRAY_LEN(all); i++)
        test_http_close(all[i]);
}

/* Somebody comes in: the doctor is told, the patient's page is only hinted at it. */
static void test_bare_besides_an_event(void **state) {
    struct test_http *of_staff = open_as(TV_ROLE_STAFF, staff);
    struct test_http *of_doctor = open_as(TV_ROLE_DOCTOR, doctor);
    struct test_http *of_patient = open_as(TV_ROLE_PATIENT, patient);
    for (int64_t commit = 1; commit <= 2; commit++) {
        Televisit__V1__InboxEntry *e = entry_for(doctor, 10 + commit, new_event(), "");
        e->occurred_at = bare(doctor, commit)->occurred_at;
        tell(e);
        tell(bare(patient, commit));
    }
    expect_hints(of_staff, staff, 11, 2);
    expect_hints(of_doctor, doctor, 13, 0);
    expect_hints(of_patient, patient, 11, 2);
    struct test_http *all[] = {of_staff, of_doctor, of_patient};
    for (size_t i = 0; i < TV_ARRAY_LEN(all); i++)
        test_http_close(all[i]);
}

static void test_not_ours(void **state) {
    struct test_http *of_staff = open_as(TV_ROLE_STAFF, staff);
    struct test_http *of_doctor = open_as(TV_ROLE_DOCTOR, doctor);
    Televisit__V1__InboxEntry *e = entry_for(patient, 1, new_event(), doctor);
    e->clinic_id = tv_arena_strdup(g->arena, OTHER_CLINIC);
    tell(e);
    inbox_tell(g, e); /* on this clinic's subject */
    e = entry_for(staff, 1, new_event(), "");
    e->clinic_id = tv_arena_strdup(g->arena, OTHER_CLINIC);
    inbox_tell(g, e);
    e = entry_for(patient, 1, new_event(), doctor);
    e->appointment_id = tv_arena_strdup(g->arena, "x\"}\n\nid: 99");
    tell(e);
    expect_hints(of_staff, staff, 11, 0);
    expect_hints(of_doctor, doctor, 11, 0);
    assert_null(strstr(stream_answer(g, of_staff).body, "id: 99"));
    test_http_close(of_staff);
    test_http_close(of_doctor);
}

static void hold(struct test_gateway *rig, struct tv_call *call) { rig->memo = call; }
static bool is_held(void *ctx) { return g->memo != ctx; }

/* A stream that does not know yet where it begins gets no hint: its page has yet to ask. */
static void test_not_positioned(void **state) {
    test_fake(g, "Inbox.List", hold);
    const char *fields = test_bearer(g, TV_ROLE_STAFF, staff, 600);
    struct test_http *c = test_ask_begin(g, "GET", "/v1/events", fields, NULL);
    test_gateway_until(g, is_held, &inbox, "the first read");
    struct tv_call *call = g->memo;
    g->memo = &inbox;
    test_fake(g, "Inbox.List", inbox_list);
    struct test_http *witness = open_as(TV_ROLE_STAFF, admin);
    tell(entry_for(patient, 1, new_event(), doctor));
    stream_until(g, witness, HINT);
    inbox_list(g, call);
    expect_hints(c, staff, 11, 0);
    tell(entry_for(patient, 2, new_event(), doctor));
    expect_hints(c, staff, 12, 1);
    test_http_close(c);
    test_http_close(witness);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_staff_and_actor, begin, clear),
        cmocka_unit_test_setup_teardown(test_once_an_event, begin, clear),
        cmocka_unit_test_setup_teardown(test_recipients_among_staff, begin, clear),
        cmocka_unit_test_setup_teardown(test_bare, begin, clear),
        cmocka_unit_test_setup_teardown(test_bare_besides_an_event, begin, clear),
        cmocka_unit_test_setup_teardown(test_not_ours, begin, clear),
        cmocka_unit_test_setup_teardown(test_not_positioned, begin, clear),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
