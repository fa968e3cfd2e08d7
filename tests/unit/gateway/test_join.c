/* The way into a call: what is asked of appointments and tokens, and what is answered when LiveKit
 * is away. */
#include "tests/unit/gateway/expect.h"

#include "televisit/v1/appointments.pb-c.h"
#include "televisit/v1/calls.pb-c.h"
#include "televisit/v1/gateway.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"

#define APPOINTMENT "44444444-4444-4444-8444-444444444444"
#define T0_US (INT64_C(1900000000) * TV_US_PER_S) /* 2030-03-17T17:46:40Z */
#define AS_PATIENT "{\"participantType\":\"PATIENT\"}"

static struct test_gateway *g;

static int clear(void **state) {
    test_gateway_clear(g);
    return 0;
}

static int start(void **state) {
    g = test_gateway_start(NULL);
    test_gateway_serve(g);
    return 0;
}

static int stop(void **state) {
    test_gateway_stop(g);
    return 0;
}

static struct test_answer join(enum tv_role role, const char *body) {
    return test_ask(g, "POST", "/v1/appointments/" APPOINTMENT "/join",
                    test_bearer(g, role, NULL, 600), body);
}

/* -- the way in ---------------------------------------------------------------------------------*/

static const uint8_t grant[] = {0, 1, 2, 0xff, 0, 'x'};

static void reply_admit(struct test_gateway *rig, struct tv_call *call) {
    Televisit__V1__AdmitReply *reply =
        TV_PB_NEW(call->arena, Televisit__V1__AdmitReply, televisit__v1__admit_reply__descriptor);
    uint8_t *copy = tv_arena_alloc(call->arena, sizeof grant);
    memcpy(copy, grant, sizeof grant);
    reply->sealed_grant = (ProtobufCBinaryData){sizeof grant, copy};
    reply->room = tv_arena_strdup(call->arena, "room_x");
    reply->identity = tv_arena_strdup(call->arena, "who");
    reply->closes_at = tv_pb_time(T0_US, call->arena);
    reply->encryption_key = tv_arena_strdup(call->arena, "secret");
    tv_call_reply(call, &reply->base);
}

static void reply_issue(struct test_gateway *rig, struct tv_call *call) {
    Televisit__V1__IssueReply *reply =
        TV_PB_NEW(call->arena, Televisit__V1__IssueReply, televisit__v1__issue_reply__descriptor);
    reply->server_url = tv_arena_strdup(call->arena, "wss://media.example.org");
    reply->token = tv_arena_strdup(call->arena, "a.b.c");
    reply->expires_at = tv_pb_time(T0_US - TV_US_PER_S, call->arena);
    tv_call_reply(call, &reply->base);
}

static const Televisit__V1__AdmitRequest *asked_admit(void) {
    return (const Televisit__V1__AdmitRequest *)test_fake_request(g, "Appointments.Admit");
}

static void test_join(void **state) {
    test_fake(g, "Appointments.Admit", reply_admit);
    test_fake(g, "Tokens.Issue", reply_issue);
    struct test_answer r = join(TV_ROLE_DOCTOR, "{\"participantType\":\"DOCTOR\"}");
    expect_status(g, &r, 200);
    assert_string_equal(r.body, "{\"serverUrl\":\"wss://media.example.org\",\"token\":\"a.b.c\","
                                "\"room\":\"room_x\",\"identity\":\"who\","
                                "\"expiresAt\":\"2030-03-17T17:46:39Z\","
                                "\"closesAt\":\"2030-03-17T17:46:40Z\","
                                "\"encryptionKey\":\"secret\"}");
    assert_string_equal(asked_admit()->appointment_id, APPOINTMENT);
    assert_int_equal(asked_admit()->participant_type,
                     TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__DOCTOR);
    assert_false(asked_admit()->take_over);
    const Televisit__V1__IssueRequest *issue =
        (const Televisit__V1__IssueRequest *)test_fake_request(g, "Tokens.Issue");
    assert_int_equal(issue->sealed_grant.len, sizeof grant);
    assert_memory_equal(issue->sealed_grant.data, grant, sizeof grant);
    assert_string_equal(test_fake_context(g, "Tokens.Issue")->request_id,
                        test_fake_context(g, "Appointments.Admit")->request_id);
    assert_int_equal(test_fake_calls(g, "Calls.MissMedia"), 0);
}

static void reply_wait(struct test_gateway *rig, struct tv_call *call) {
    Televisit__V1__AdmitReply *reply =
        TV_PB_NEW(call->arena, Televisit__V1__AdmitReply, televisit__v1__admit_reply__descriptor);
    reply->closes_at = tv_pb_time(T0_US, call->arena);
    tv_call_reply(call, &reply->base);
}

/* The waiting room: a place and no token, and tokens is not asked for one. */
static void test_waiting_room(void **state) {
    test_fake(g, "Appointments.Admit", reply_wait);
    struct test_answer r = join(TV_ROLE_PATIENT, AS_PATIENT);
    expect_status(g, &r, 202);
    expect_in(r.body, "\"token\":\"\"");
    expect_in(r.body, "\"closesAt\":\"2030-03-17T17:46:40Z\"");
    assert_int_equal(test_fake_calls(g, "Tokens.Issue"), 0);
}

/* -- on another device --------------------------------------------------------------------------*/

static void fail_already(struct test_gateway *rig, struct tv_call *call) {
    if (((const Televisit__V1__AdmitRequest *)call->request)->take_over) {
        reply_admit(rig, call);
        return;
    }
    struct tv_error e;
    (void)tv_fail(&e, TV_ERR_ALREADY_IN_CALL, "%s", "");
    tv_error_add_time(&e, "since", T0_US);
    tv_call_fail(call, &e);
}

static void test_take_over(void **state) {
    test_fake(g, "Appointments.Admit", fail_already);
    test_fake(g, "Tokens.Issue", reply_issue);
    struct test_answer r = join(TV_ROLE_PATIENT, AS_PATIENT);
    const Televisit__V1__Problem *p = expect_problem(g, &r, TV_ERR_ALREADY_IN_CALL);
    assert_true(tv_pb_time_us(p->since) == T0_US);
    expect_in(r.body, "\"since\":\"2030-03-17T17:46:40Z\"");
    assert_int_equal(test_fake_calls(g, "Tokens.Issue"), 0);

    r = join(TV_ROLE_PATIENT, "{\"participantType\":\"PATIENT\",\"takeOver\":true}");
    expect_status(g, &r, 200);
    assert_true(asked_admit()->take_over);
    r = join(TV_ROLE_PATIENT, "{\"participantType\":\"PATIENT\",\"takeOver\":\"yes\"}");
    expect_problem_at(g, &r, TV_ERR_INVALID, "/takeOver");
}

/* -- without LiveKit ----------------------------------------------------------------------------*/

static void fail_media(struct test_gateway *rig, struct tv_call *call) {
    struct tv_error e;
    (void)tv_fail(&e, TV_ERR_MEDIA_UNAVAILABLE, "It is being restarted");
    e.retry_after_s = 3;
    tv_call_fail(call, &e);
}

static void reply_nothing(struct test_gateway *rig, struct tv_call *call) {
    tv_call_reply(call, tv_pb_new(call->method->output, call->arena));
}

static void fail_as_told(struct test_gateway *rig, struct tv_call *call) {
    tv_call_failf(call, *(const enum tv_err *)rig->memo, "Something else");
}

static void expect_media_unavailable(const struct test_answer *r) {
    const Televisit__V1__Problem *p = expect_problem(g, r, TV_ERR_MEDIA_UNAVAILABLE);
    assert_string_equal(p->detail, "It is being restarted");
    expect_field(g, r, "Retry-After", "3");
}

static void test_who_misses_media_is_noted(void **state) {
    test_fake(g, "Appointments.Admit", reply_admit);
    test_fake(g, "Tokens.Issue", fail_media);
    test_fake(g, "Calls.MissMedia", reply_nothing);
    struct test_answer r = join(TV_ROLE_PATIENT, AS_PATIENT);
    expect_media_unavailable(&r);
    const Televisit__V1__MissMediaRequest *missed =
        (const Televisit__V1__MissMediaRequest *)test_fake_request(g, "Calls.MissMedia");
    assert_int_equal(test_fake_calls(g, "Calls.MissMedia"), 1);
    assert_string_equal(missed->appointment_id, APPOINTMENT);
    const struct tv_context *context = test_fake_context(g, "Calls.MissMedia");
    assert_string_equal(context->actor.person_id, TEST_PERSON);
    assert_string_equal(context->actor.clinic_id, TEST_CLINIC);
    assert_int_equal(context->actor.role, TV_ROLE_PATIENT);
    assert_string_equal(context->request_id, test_field(g, &r, "X-Request-Id"));
}

static void test_not_noted_is_not_told(void **state) {
    static enum tv_err errors[] = {TV_ERR_UNAVAILABLE, TV_ERR_NOT_FOUND, TV_ERR_FORBIDDEN,
                                   TV_ERR_INTERNAL};
    test_fake(g, "Appointments.Admit", reply_admit);
    test_fake(g, "Tokens.Issue", fail_media);
    test_fake(g, "Calls.MissMedia", fail_as_told);
    for (size_t i = 0; i < TV_ARRAY_LEN(errors); i++) {
        g->memo = &errors[i];
        struct test_answer r = join(TV_ROLE_PATIENT, AS_PATIENT);
        expect_media_unavailable(&r);
    }
    assert_true(test_fake_calls(g, "Calls.MissMedia") >= TV_ARRAY_LEN(errors));
}

/* When tokens itself is in trouble, nobody can say that LiveKit is away, or back. */
static void test_other_errors_of_tokens(void **state) {
    static enum tv_err errors[] = {TV_ERR_UNAVAILABLE, TV_ERR_DEADLINE, TV_ERR_UNKNOWN_OUTCOME,
                                   TV_ERR_FORBIDDEN, TV_ERR_INTERNAL};
    test_fake(g, "Appointments.Admit", reply_admit);
    test_fake(g, "Tokens.Issue", fail_as_told);
    for (size_t i = 0; i < TV_ARRAY_LEN(errors); i++) {
        g->memo = &errors[i];
        struct test_answer r = join(TV_ROLE_PATIENT, AS_PATIENT);
        const Televisit__V1__Problem *p = expect_problem(g, &r, errors[i]);
        assert_string_equal(p->detail, "Something else");
    }
    assert_int_equal(test_fake_calls(g, "Calls.MissMedia"), 0);
}

/* -- in time ------------------------------------------------------------------------------------*/

#define ISSUE_US (1500 * TV_US_PER_MS) /* what tokens gives LiveKit */

struct late {
    struct tv_call *call;
    struct tv_timer *timer;
};

static void on_late(void *ctx) {
    struct late *late = ctx;
    fail_media(g, late->call);
}

static void fail_media_late(struct test_gateway *rig, struct tv_call *call) {
    struct late *late = rig->memo;
    late->call = call;
    late->timer = tv_timer_new(rig->loop, on_late, late);
    tv_timer_set(late->timer, ISSUE_US);
}

/* LiveKit hangs, so tokens is as late as it may be, and then appointments says nothing at all. */
static void test_answers_within_two_seconds(void **state) {
    struct late late = {.call = NULL};
    g->memo = &late;
    test_fake(g, "Appointments.Admit", reply_admit);
    test_fake(g, "Tokens.Issue", fail_media_late);
    int64_t start_us = tv_clock_mono_us();
    struct test_answer r = join(TV_ROLE_PATIENT, AS_PATIENT);
    int64_t took_us = tv_clock_mono_us() - start_us;
    tv_timer_free(late.timer);
    expect_media_unavailable(&r);
    assert_int_equal(test_fake_calls(g, "Calls.MissMedia"), 1);
    int64_t left_us = test_fake_context(g, "Calls.MissMedia")->deadline_us - start_us;
    assert_true(left_us < 2 * TV_US_PER_S);
    print_message("an answer %lld ms after the join, LiveKit and appointments silent\n",
                  (long long)(took_us / TV_US_PER_MS));
    assert_true(took_us >= ISSUE_US && took_us < 2 * TV_US_PER_S);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_join, clear),
        cmocka_unit_test_teardown(test_waiting_room, clear),
        cmocka_unit_test_teardown(test_take_over, clear),
        cmocka_unit_test_teardown(test_who_misses_media_is_noted, clear),
        cmocka_unit_test_teardown(test_not_noted_is_not_told, clear),
        cmocka_unit_test_teardown(test_other_errors_of_tokens, clear),
        cmocka_unit_test_teardown(test_answers_within_two_seconds, clear),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
