/* The gateway as its clients see it: the built program, HTTP in front, and behind it services that
 * answer as the test says. */
#include "tests/unit/gateway/expect.h"

#include "lib/crypto.h"
#include "routes.h"
#include "televisit/v1/appointments.pb-c.h"
#include "televisit/v1/clinic.pb-c.h"
#include "televisit/v1/gateway.pb-c.h"
#include "televisit/v1/sessions.pb-c.h"

#define APPOINTMENT "44444444-4444-4444-8444-444444444444"
#define DOCTOR "55555555-5555-4555-8555-555555555555"
#define T0_US (INT64_C(1900000000) * TV_US_PER_S) /* 2030-03-17T17:46:40Z */

static struct test_gateway *g;

static const char *bearer(enum tv_role role) { return test_bearer(g, role, NULL, 600); }
/* Fields of a request by this role, and more lines. */
static const char *with(enum tv_role role, const char *more) {
    return tv_arena_printf(g->arena, "%s%s", bearer(role), more);
}

static int clear(void **state) {
    test_gateway_clear(g);
    return 0;
}

static int start(char *const env[]) {
    g = test_gateway_start(env);
    return 0;
}

static int start_alone(void **state) {
    char url[] = "TELEVISIT_PUBLIC_URL=https://visits.example.org/app";
    char *env[] = {url, NULL};
    return start(env);
}

static int start_served(void **state) {
    start_alone(state);
    test_gateway_serve(g);
    return 0;
}

static int start_limited(void **state) {
    char rates[] = "TELEVISIT_RATE_PERCENT=10", forwarded[] = "TELEVISIT_TRUST_FORWARDED=true";
    char *env[] = {rates, forwarded, NULL};
    start(env);
    test_gateway_serve(g);
    return 0;
}

static int stop(void **state) {
    test_gateway_stop(g);
    return 0;
}

/* -- without services: what the gateway decides alone -------------------------------------------*/

static void test_nothing_there(void **state) {
    static const char *const targets[] = {"/",           "/v1",     "/v1/nothing",
                                          "/v1/me/",     "//v1/me", "/v1/appointments/x/y",
                                          "/healthz%00", "/HEALTHZ"};
    for (size_t i = 0; i < TV_ARRAY_LEN(targets); i++) {
        struct test_answer r = test_ask(g, "GET", targets[i], NULL, NULL);
        expect_problem(g, &r, TV_ERR_NOT_FOUND);
    }
}

static void test_method_not_allowed(void **state) {
    struct test_answer r = test_ask(g, "PUT", "/v1/appointments", NULL, NULL);
    expect_problem(g, &r, TV_ERR_METHOD_NOT_ALLOWED);
    const char *allow = test_field(g, &r, "Allow");
    expect_in(allow, "GET, HEAD");
    expect_in(allow, "POST");
    r = test_ask(g, "OPTIONS", "/v1/session", NULL, NULL);
    expect_problem(g, &r, TV_ERR_METHOD_NOT_ALLOWED);
    assert_null(strstr(test_field(g, &r, "Allow"), "GET"));
}

static void test_health_and_description(void **state) {
    struct test_answer r = test_ask(g, "GET", "/healthz", NULL, NULL);
    expect_status(g, &r, 200);
    expect_field(g, &r, "Content-Type", "application/json");
    assert_string_equal(r.body, "{\"status\":\"ok\"}");
    expect_field(g, &r, "Strict-Transport-Security", "max-age=31536000");

    r = test_ask(g, "GET", "/openapi.json", NULL, NULL);
    expect_status(g, &r, 200);
    assert_int_equal(r.body_bytes, tv_openapi_json_bytes);
    assert_memory_equal(r.body, tv_openapi_json, tv_openapi_json_bytes);

    /* A stale cookie or a foreign Authorization keeps nobody out of what is open to all. */
    r = test_ask(g, "GET", "/healthz", "Authorization: Basic YTpi\r\n", NULL);
    expect_status(g, &r, 200);
}

/* And each problem by its name, whichever the route. */
static void test_problems_are_counted(void **state) {
    static const char name[] = "tv_http_problems_total{code=\"not-found\"}";
    double before = test_gateway_metric(g, name);
    assert_true(before >= 0);
    assert_true(test_gateway_metric(g, "tv_http_problems_total{code=\"media-unavailable\"}") == 0);
    struct test_answer r = test_ask(g, "GET", "/v1/nothing", NULL, NULL);
    expect_problem(g, &r, TV_ERR_NOT_FOUND);
    test_gateway_until_metric(g, name, before + 1);
    assert_true(test_gateway_metric(g, "tv_http_connections") >= 0);
}

/* Each answer is counted with its own class of status. */
static void test_counts(void **state) {
    static const struct {
        const char *target, *series;
        unsigned status;
    } rows[] = {
        {"/healthz", "operation=\"gateway.health\",status=\"2xx\"", 200},
        {"/v1/nothing", "operation=\"none\",status=\"4xx\"", 404},
        {"/v1/me", "operation=\"sessions.me\",status=\"5xx\"", 503},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        const char *name = tv_arena_printf(g->arena, "tv_http_requests_total{%s}", rows[i].series);
        double before = test_gateway_metric(g, name);
        assert_true(before >= 0);
        struct test_answer r = test_ask(g, "GET", rows[i].target, bearer(TV_ROLE_PATIENT), NULL);
        expect_status(g, &r, rows[i].status);
        test_gateway_until_metric(g, name, before + 1);
    }
}

static void test_head(void **state) {
    struct test_answer got = test_ask(g, "GET", "/healthz", NULL, NULL);
    struct test_answer r = test_ask(g, "HEAD", "/healthz", NULL, NULL);
    expect_status(g, &r, 200);
    assert_int_equal(r.body_bytes, 0);
    expect_field(g, &r, "Content-Length", test_field(g, &got, "Content-Length"));
    r = test_ask(g, "HEAD", "/nothing", NULL, NULL);
    expect_status(g, &r, 404);
    assert_int_equal(r.body_bytes, 0);
}

static void test_no_session(void **state) {
    static const struct {
        const char *fields;
        enum tv_err err;
    } rows[] = {
        {NULL, TV_ERR_UNAUTHENTICATED},
        {"Authorization: Bearer abc\r\n", TV_ERR_UNAUTHENTICATED},
        {"Authorization: Bearer a.b.c\r\n", TV_ERR_UNAUTHENTICATED},
        {"Authorization: Basic YTpi\r\n", TV_ERR_UNAUTHENTICATED},
        {"Cookie: __Host-tv_session=abc\r\n", TV_ERR_UNAUTHENTICATED},
        {"Cookie: __Host-tv_session=\r\n", TV_ERR_UNAUTHENTICATED},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct test_answer r = test_ask(g, "GET", "/v1/me", rows[i].fields, NULL);
        expect_problem(g, &r, rows[i].err);
        expect_field(g, &r, "WWW-Authenticate", "Bearer realm=\"televisit\"");
    }
    struct test_answer r =
        test_ask(g, "GET", "/v1/me", test_bearer(g, TV_ROLE_PATIENT, NULL, -1), NULL);
    expect_problem(g, &r, TV_ERR_SESSION_EXPIRED);
    expect_in(test_field(g, &r, "WWW-Authenticate"), "error=\"invalid_token\"");
}

static void test_wrong_role(void **state) {
    struct test_answer r = test_ask(g, "POST", "/v1/appointments/" APPOINTMENT "/confirm",
                                    with(TV_ROLE_PATIENT, "If-Match: \"1\"\r\n"), "{}");
    expect_problem(g, &r, TV_ERR_FORBIDDEN);
    r = test_ask(g, "GET", "/v1/me", bearer(TV_ROLE_SERVICE), NULL);
    expect_problem(g, &r, TV_ERR_UNAUTHENTICATED); /* no person has this role */
}

/* -- requests that are wrong --------------------------------------------------------------------*/

#define BOOK_KEY "Idempotency-Key: k1\r\n"
#define BOOK_BODY "{\"doctorId\":\"" DOCTOR "\",\"startsAt\":\"2030-03-17T17:46:40Z\"}"

static void test_bad_bodies(void **state) {
    static const struct {
        const char *body;
        enum tv_err err;
        const char *pointer; /* NULL: none expected */
        const char *detail;  /* a part of the answer */
    } rows[] = {
        {"{", TV_ERR_MALFORMED, NULL, "line 1"},
        {"{\n\"doctorId\": x}", TV_ERR_MALFORMED, NULL, "line 2"},
        {"[]", TV_ERR_INVALID, NULL, ""},
        {"{}", TV_ERR_INVALID, "/doctorId", "required"},
        {"{\"doctorId\":\"x\"}", TV_ERR_INVALID, "/doctorId", "UUID"},
        {"{\"doctorId\":5}", TV_ERR_INVALID, "/doctorId", ""},
        {"{\"doctorId\":\"" DOCTOR "\"}", TV_ERR_INVALID, "/startsAt", "required"},
        {"{\"doctorId\":\"" DOCTOR "\",\"startsAt\":\"soon\"}", TV_ERR_INVALID, "/startsAt", ""},
        {"{\"colour\":\"red\"}", TV_ERR_INVALID, "/colour", ""},
        {"{\"reason\":\"a\",\"reason\":\"b\"}", TV_ERR_MALFORMED, NULL, ""},
        {"{\"idempotencyKey\":\"k\"}", TV_ERR_INVALID, "/idempotencyKey", "cannot be given here"},
        {"{\"doctorId\":\"" DOCTOR "\",\"startsAt\":\"2030-03-17T17:46:40Z\",\"minutes\":481}",
         TV_ERR_INVALID, "/minutes", "between 0 and 480"},
        {"{\"reason\":\"\xff\"}", TV_ERR_MALFORMED, NULL, ""},
        {"{\"a/b~c\":1}", TV_ERR_INVALID, "/a~1b~0c", ""},
        {"{\"\\u0022<script>\":1}", TV_ERR_INVALID, "/\"<script>", ""},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct test_answer r =
            test_ask(g, "POST", "/v1/appointments", with(TV_ROLE_PATIENT, BOOK_KEY), rows[i].body);
        if (rows[i].pointer != NULL)
            expect_problem_at(g, &r, rows[i].err, rows[i].pointer);
        else if (r.status != 422 && r.status != 400)
            fail_msg("row %zu: %s%s", i, r.head, r.body);
        else
            expect_problem(g, &r, r.status == 400 ? TV_ERR_MALFORMED : TV_ERR_INVALID);
        expect_in(r.body, rows[i].detail);
    }
}

static void test_body_and_path(void **state) {
    struct test_answer r =
        test_ask(g, "POST", "/v1/appointments/" APPOINTMENT "/join", bearer(TV_ROLE_PATIENT),
                 "{\"participantType\":\"PATIENT\",\"appointmentId\":\"" DOCTOR "\"}");
    expect_problem_at(g, &r, TV_ERR_INVALID, "/appointmentId");
    r = test_ask(g, "POST", "/v1/appointments/nonsense/join", bearer(TV_ROLE_PATIENT),
                 "{\"participantType\":\"PATIENT\"}");
    expect_problem_at(g, &r, TV_ERR_INVALID, "/appointmentId");
    r = test_ask(g, "GET", "/v1/appointments/%zz", bearer(TV_ROLE_PATIENT), NULL);
    expect_problem(g, &r, TV_ERR_NOT_FOUND);
    r = test_ask(g, "POST", "/v1/appointments/" APPOINTMENT "/join", bearer(TV_ROLE_PATIENT), "");
    expect_problem_at(g, &r, TV_ERR_INVALID, "/participantType");
    r = test_ask(g, "POST", "/v1/appointments/" APPOINTMENT "/join?participantType=PATIENT",
                 bearer(TV_ROLE_PATIENT), "{}");
    expect_problem(g, &r, TV_ERR_INVALID);
}

static void test_media_type_and_size(void **state) {
    struct test_answer r =
        test_ask(g, "POST", "/v1/appointments",
                 with(TV_ROLE_PATIENT, BOOK_KEY "Content-Type: text/plain\r\n"), BOOK_BODY);
    expect_problem(g, &r, TV_ERR_UNSUPPORTED_MEDIA_TYPE);
    char *big = tv_arena_alloc(g->arena, 8194);
    memset(big, ' ', 8193);
    big[8193] = '\0';
    r = test_ask(g, "POST", "/v1/appointments", with(TV_ROLE_PATIENT, BOOK_KEY), big);
    expect_problem(g, &r, TV_ERR_TOO_LARGE);
    big[8192] = '\0'; /* just not too large, but no JSON */
    r = test_ask(g, "POST", "/v1/appointments", with(TV_ROLE_PATIENT, BOOK_KEY), big);
    expect_problem(g, &r, TV_ERR_MALFORMED);
    r = test_ask(g, "GET", "/v1/me", bearer(TV_ROLE_PATIENT), "{}");
    expect_problem(g, &r, TV_ERR_TOO_LARGE); /* no body is taken at all */

    char *target = tv_arena_alloc(g->arena, 5001);
    memset(target, 'a', 5000);
    target[0] = '/';
    target[5000] = '\0';
    r = test_ask(g, "GET", target, NULL, NULL);
    expect_problem(g, &r, TV_ERR_URI_TOO_LONG);
    char *field = tv_arena_alloc(g->arena, 9001);
    memset(field, 'a', 9000);
    field[9000] = '\0';
    r = test_ask(g, "GET", "/healthz", tv_arena_printf(g->arena, "X-Long: %s\r\n", field), NULL);
    expect_problem(g, &r, TV_ERR_HEADERS_TOO_LARGE);
}

static void test_bad_queries(void **state) {
    static const struct {
        const char *query;
        enum tv_err err;
        const char *pointer;
    } rows[] = {
        {"limit=x", TV_ERR_INVALID, "limit"},
        {"limit=101", TV_ERR_INVALID, "/limit"},
        {"limit=-1", TV_ERR_INVALID, "/limit"},
        {"limit=", TV_ERR_INVALID, "limit"},
        {"limit", TV_ERR_INVALID, "limit"},
        {"limit=5&limit=6", TV_ERR_INVALID, "limit"},
        {"colour=red", TV_ERR_INVALID, "colour"},
        {"status=HAPPY", TV_ERR_INVALID, "status"},
        {"from=yesterday", TV_ERR_INVALID, "from"},
        {"limit=%zz", TV_ERR_MALFORMED, NULL},
        {"limit=%5", TV_ERR_MALFORMED, NULL},
        {"cursor=%00", TV_ERR_MALFORMED, NULL},
        {"cursor=%ff", TV_ERR_MALFORMED, NULL},
        {"%22%3Cscript%3E=1", TV_ERR_INVALID, "\"<script>"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct test_answer r =
            test_ask(g, "GET", tv_arena_printf(g->arena, "/v1/appointments?%s", rows[i].query),
                     bearer(TV_ROLE_PATIENT), NULL);
        if (rows[i].pointer != NULL)
            expect_problem_at(g, &r, rows[i].err, rows[i].pointer);
        else
            expect_problem(g, &r, rows[i].err);
    }
    struct test_answer r = test_ask(g, "GET", "/v1/me?x=1", bearer(TV_ROLE_PATIENT), NULL);
    expect_problem(g, &r, TV_ERR_INVALID);
}

static void test_keys_and_versions(void **state) {
    static const char *const bad_keys[] = {"", "Idempotency-Key:\r\n", "Idempotency-Key: a b\r\n",
                                           "Idempotency-Key: \"\"\r\n",
                                           "Idempotency-Key: \xc3\xa4\r\n"};
    for (size_t i = 0; i < TV_ARRAY_LEN(bad_keys); i++) {
        struct test_answer r =
            test_ask(g, "POST", "/v1/appointments", with(TV_ROLE_PATIENT, bad_keys[i]), BOOK_BODY);
        expect_problem_at(g, &r, TV_ERR_MALFORMED, "Idempotency-Key");
    }
    struct test_answer r = test_ask(g, "POST", "/v1/appointments/" APPOINTMENT "/confirm",
                                    bearer(TV_ROLE_DOCTOR), "{}");
    expect_problem_at(g, &r, TV_ERR_VERSION_REQUIRED, "If-Match");
    static const char *const bad_tags[] = {"*",     "1",     "W/\"1\"",         "\"\"",
                                           "\"0\"", "\"x\"", "\"99999999999\"", "\"1\", \"2\""};
    for (size_t i = 0; i < TV_ARRAY_LEN(bad_tags); i++) {
        const char *tag = tv_arena_printf(g->arena, "If-Match: %s\r\n", bad_tags[i]);
        r = test_ask(g, "POST", "/v1/appointments/" APPOINTMENT "/confirm",
                     with(TV_ROLE_DOCTOR, tag), "{}");
        expect_problem_at(g, &r, TV_ERR_STALE, "If-Match");
    }
}

/* -- nobody answers -----------------------------------------------------------------------------*/

static void test_no_service(void **state) {
    int64_t start_us = tv_clock_mono_us();
    struct test_answer r = test_ask(g, "POST", "/v1/appointments/" APPOINTMENT "/confirm",
                                    with(TV_ROLE_DOCTOR, "If-Match: \"1\"\r\n"), "{}");
    int64_t took_us = tv_clock_mono_us() - start_us;
    expect_problem(g, &r, TV_ERR_UNAVAILABLE);
    if (took_us >= 200 * TV_US_PER_MS)
        fail_msg("%lld us", (long long)took_us);

    /* What may be sent again is, and then it is told that nobody is there. */
    r = test_ask(g, "GET", "/v1/me", bearer(TV_ROLE_PATIENT), NULL);
    expect_problem(g, &r, TV_ERR_UNAVAILABLE);
    assert_true(test_gateway_metric(
                    g, "tv_bus_requests_total{subject=\"tv.v1.appointments.confirm\",outcome="
                       "\"unavailable\"}") == 1);
    assert_true(test_gateway_metric(g, "tv_bus_requests_total{subject=\"tv.v1.sessions.me\","
                                       "outcome=\"unavailable\"}") == 3);
}

/* -- replies ------------------------------------------------------------------------------------*/

static Televisit__V1__Appointment *new_appointment(struct tv_arena *a) {
    Televisit__V1__Appointment *p =
        TV_PB_NEW(a, Televisit__V1__Appointment, televisit__v1__appointment__descriptor);
    p->id = tv_arena_strdup(a, APPOINTMENT);
    p->version = 7;
    p->status = TELEVISIT__V1__APPOINTMENT_STATUS__VALUE__CONFIRMED;
    p->starts_at = tv_pb_time(T0_US, a);
    return p;
}

static Televisit__V1__InboxEntry *new_entry(int64_t seq, const char *person_id,
                                            struct tv_arena *a) {
    Televisit__V1__InboxEntry *e =
        TV_PB_NEW(a, Televisit__V1__InboxEntry, televisit__v1__inbox_entry__descriptor);
    e->seq = seq;
    e->type = tv_arena_strdup(a, "appointment.confirmed");
    e->clinic_id = tv_arena_strdup(a, TEST_CLINIC);
    e->person_id = tv_arena_strdup(a, person_id);
    return e;
}

static void reply_change(struct test_gateway *rig, struct tv_call *call) {
    Televisit__V1__ChangeReply *reply =
        TV_PB_NEW(call->arena, Televisit__V1__ChangeReply, televisit__v1__change_reply__descriptor);
    reply->appointment = new_appointment(call->arena);
    reply->n_told = 3;
    reply->told = tv_arena_calloc(call->arena, 3, sizeof(Televisit__V1__InboxEntry *));
    reply->told[0] = new_entry(4, TEST_PERSON, call->arena);
    reply->told[1] = new_entry(9, DOCTOR, call->arena);
    reply->told[2] = new_entry(1, "evil.>", call->arena); /* goes nowhere */
    reply->due_now = true;
    tv_call_reply(call, &reply->base);
}

static bool all_told(void *ctx) {
    const unsigned *expected = ctx;
    unsigned n = 0;
    struct test_told *t;
    STAILQ_FOREACH(t, &g->told, link)
        n++;
    return n >= *expected;
}

static void test_book(void **state) {
    test_fake(g, "Appointments.Book", reply_change);
    struct test_answer r = test_ask(
        g, "POST", "/v1/appointments",
        with(TV_ROLE_PATIENT, "Idempotency-Key: \"k1\"\r\n"
                              "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"
                              "01\r\nContent-Type: Application/JSON; charset=utf-8\r\n"),
        BOOK_BODY);
    expect_status(g, &r, 201);
    expect_field(g, &r, "Content-Type", "application/json");
    expect_field(g, &r, "ETag", "\"7\"");
    expect_field(g, &r, "Location", "/v1/appointments/" APPOINTMENT);
    expect_in(r.body, "{\"id\":\"" APPOINTMENT "\",\"version\":7,\"status\":\"CONFIRMED\"");
    assert_null(strstr(r.body, "told"));

    const Televisit__V1__BookRequest *in =
        (const Televisit__V1__BookRequest *)test_fake_request(g, "Appointments.Book");
    assert_string_equal(in->doctor_id, DOCTOR);
    assert_string_equal(in->idempotency_key, "k1");
    assert_true(tv_pb_time_us(in->starts_at) == T0_US);
    const struct tv_context *context = test_fake_context(g, "Appointments.Book");
    assert_string_equal(context->actor.person_id, TEST_PERSON);
    assert_string_equal(context->actor.clinic_id, TEST_CLINIC);
    assert_string_equal(context->actor.session_id, TEST_SESSION);
    assert_int_equal(context->actor.role, TV_ROLE_PATIENT);
    assert_memory_equal(context->traceparent, "00-4bf92f3577b34da6a3ce929d0e0e4736-", 36);
    assert_string_equal(context->request_id, test_field(g, &r, "X-Request-Id"));
    assert_true(context->deadline_us > tv_clock_mono_us());

    unsigned expected = 3;
    test_gateway_until(g, all_told, &expected, "two entries and a hint");
    struct test_told *t = STAILQ_FIRST(&g->told);
    assert_string_equal(t->subject, "tv.v1.inbox." TEST_CLINIC "." TEST_PERSON);
    const Televisit__V1__InboxEntry *entry = (const Televisit__V1__InboxEntry *)tv_pb_unpack(
        &televisit__v1__inbox_entry__descriptor, t->body, g->arena);
    assert_non_null(entry);
    assert_true(entry->seq == 4);
    t = STAILQ_NEXT(t, link);
    assert_string_equal(t->subject, "tv.v1.inbox." TEST_CLINIC "." DOCTOR);
    t = STAILQ_NEXT(t, link);
    assert_string_equal(t->subject, "tv.v1.hint.due");
    assert_int_equal(t->body.len, 0);
    assert_null(STAILQ_NEXT(t, link));
}

static void test_change(void **state) {
    test_fake(g, "Appointments.Decline", reply_change);
    struct test_answer r =
        test_ask(g, "POST", "/v1/appointments/" APPOINTMENT "/decline",
                 with(TV_ROLE_DOCTOR, "If-Match: \"6\"\r\n"), "{\"note\":\"ill\"}");
    expect_status(g, &r, 200);
    expect_field(g, &r, "ETag", "\"7\"");
    assert_null(test_field(g, &r, "Location"));
    const Televisit__V1__DeclineRequest *in =
        (const Televisit__V1__DeclineRequest *)test_fake_request(g, "Appointments.Decline");
    assert_string_equal(in->appointment_id, APPOINTMENT);
    assert_int_equal(in->if_match, 6);
    assert_string_equal(in->note, "ill");
}

static void reply_nothing(struct test_gateway *rig, struct tv_call *call) {
    tv_call_reply(call, tv_pb_new(call->method->output, call->arena));
}

static void test_reply_without_its_body(void **state) {
    test_fake(g, "Appointments.Book", reply_nothing);
    struct test_answer r =
        test_ask(g, "POST", "/v1/appointments", with(TV_ROLE_PATIENT, BOOK_KEY), BOOK_BODY);
    expect_problem(g, &r, TV_ERR_INTERNAL);
}

static void reply_page(struct test_gateway *rig, struct tv_call *call) {
    Televisit__V1__ListAppointmentsReply *reply =
        TV_PB_NEW(call->arena, Televisit__V1__ListAppointmentsReply,
                  televisit__v1__list_appointments_reply__descriptor);
    reply->next_cursor = rig->memo;
    tv_call_reply(call, &reply->base);
}

static void test_paging(void **state) {
    static char next[] = "bmV4dA";
    test_fake(g, "Appointments.List", reply_page);
    g->memo = next;
    struct test_answer r = test_ask(
        g, "GET", "/v1/appointments?cursor=old&status=CONFIRMED&&limit=5&to=2030-01-01T00%3A00:00Z",
        bearer(TV_ROLE_PATIENT), NULL);
    expect_status(g, &r, 200);
    expect_field(g, &r, "Link",
                 "</v1/appointments?status=CONFIRMED&limit=5&to=2030-01-01T00%3A00:00Z&"
                 "cursor=bmV4dA>; rel=\"next\"");
    const Televisit__V1__ListAppointmentsRequest *in =
        (const Televisit__V1__ListAppointmentsRequest *)test_fake_request(g, "Appointments.List");
    assert_string_equal(in->cursor, "old");
    assert_int_equal(in->limit, 5);
    assert_int_equal(in->status, TELEVISIT__V1__APPOINTMENT_STATUS__VALUE__CONFIRMED);

    r = test_ask(g, "HEAD", "/v1/appointments", bearer(TV_ROLE_PATIENT), NULL);
    expect_status(g, &r, 200);
    expect_field(g, &r, "Link", "</v1/appointments?cursor=bmV4dA>; rel=\"next\"");
    next[0] = '\0';
    r = test_ask(g, "GET", "/v1/appointments?limit=5", bearer(TV_ROLE_PATIENT), NULL);
    expect_status(g, &r, 200);
    assert_null(test_field(g, &r, "Link"));
    next[0] = 'b';
}

/* -- errors of services -------------------------------------------------------------------------*/

static void fail_too_early(struct test_gateway *rig, struct tv_call *call) {
    struct tv_error e;
    (void)tv_fail(&e, TV_ERR_TOO_EARLY, "It opens at half past");
    tv_error_add_time(&e, "opensAt", T0_US);
    tv_error_add_time(&e, "serverTime", T0_US - 60 * TV_US_PER_S);
    tv_call_fail(call, &e);
}

static void fail_transition(struct test_gateway *rig, struct tv_call *call) {
    struct tv_error e;
    (void)tv_fail(&e, TV_ERR_ILLEGAL_TRANSITION, "A cancelled appointment stays cancelled");
    tv_error_add_string(&e, "appointmentStatus", "CANCELLED");
    tv_error_add_string(&e, "wantedStatus", "CONFIRMED");
    tv_call_fail(call, &e);
}

static void fail_later(struct test_gateway *rig, struct tv_call *call) {
    struct tv_error e;
    (void)tv_fail(&e, TV_ERR_UNAVAILABLE, "The database is away");
    e.retry_after_s = 7;
    tv_call_fail(call, &e);
}

static void test_error_members(void **state) {
    test_fake(g, "Appointments.Admit", fail_too_early);
    struct test_answer r = test_ask(g, "POST", "/v1/appointments/" APPOINTMENT "/join",
                                    bearer(TV_ROLE_PATIENT), "{\"participantType\":\"PATIENT\"}");
    const Televisit__V1__Problem *p = expect_problem(g, &r, TV_ERR_TOO_EARLY);
    assert_string_equal(p->detail, "It opens at half past");
    assert_true(tv_pb_time_us(p->opens_at) == T0_US);
    assert_true(tv_pb_time_us(p->server_time) == T0_US - 60 * TV_US_PER_S);
    assert_null(p->closes_at);
    expect_in(r.body, "\"opensAt\":\"2030-03-17T17:46:40Z\"");
    assert_int_equal(test_fake_calls(g, "Tokens.Issue"), 0);

    test_fake(g, "Appointments.Confirm", fail_transition);
    r = test_ask(g, "POST", "/v1/appointments/" APPOINTMENT "/confirm",
                 with(TV_ROLE_DOCTOR, "If-Match: \"1\"\r\n"), "{}");
    p = expect_problem(g, &r, TV_ERR_ILLEGAL_TRANSITION);
    assert_string_equal(p->appointment_status, "CANCELLED");
    assert_string_equal(p->wanted_status, "CONFIRMED");

    test_fake(g, "Appointments.Confirm", fail_later);
    r = test_ask(g, "POST", "/v1/appointments/" APPOINTMENT "/confirm",
                 with(TV_ROLE_DOCTOR, "If-Match: \"1\"\r\n"), "{}");
    expect_problem(g, &r, TV_ERR_UNAVAILABLE);
    expect_field(g, &r, "Retry-After", "7");
    assert_int_equal(test_fake_calls(g, "Appointments.Confirm"), 2); /* each was sent once */
}

/* A reply whose first field is a number where the method's reply has a text. */
static void reply_garbage(struct test_gateway *rig, struct tv_call *call) {
    static const ProtobufCMethodDescriptor other = {
        .name = "Other", .output = &televisit__v1__inbox_entry__descriptor};
    call->method = &other;
    tv_call_reply(call, &new_entry(5, TEST_PERSON, call->arena)->base);
}

static void test_malformed_reply(void **state) {
    test_fake(g, "Clinics.GetClinic", reply_garbage);
    struct test_answer r = test_ask(g, "GET", "/v1/clinic", bearer(TV_ROLE_PATIENT), NULL);
    expect_problem(g, &r, TV_ERR_INTERNAL);
}

static void fail_first(struct test_gateway *rig, struct tv_call *call) {
    if (test_fake_calls(rig, "Sessions.Me") == 1)
        tv_call_failf(call, TV_ERR_UNAVAILABLE, "This replica is being stopped");
    else
        reply_nothing(rig, call);
}

static void test_retry_hides_a_replica(void **state) {
    test_fake(g, "Sessions.Me", fail_first);
    struct test_answer r = test_ask(g, "GET", "/v1/me", bearer(TV_ROLE_PATIENT), NULL);
    expect_status(g, &r, 200);
    assert_int_equal(test_fake_calls(g, "Sessions.Me"), 2);
}

/* The deadline is the route's; whoever answers later answers nobody. */
static void test_deadline(void **state) {
    int64_t start_us = tv_clock_mono_us();
    struct test_answer r = test_ask(g, "GET", "/v1/clinic", bearer(TV_ROLE_PATIENT), NULL);
    int64_t took_us = tv_clock_mono_us() - start_us;
    expect_problem(g, &r, TV_ERR_DEADLINE);
    assert_int_equal(test_fake_calls(g, "Clinics.GetClinic"), 1);
    assert_true(took_us >= 4900 * TV_US_PER_MS);
}

/* -- sessions -----------------------------------------------------------------------------------*/

#define OURS "Origin: https://visits.example.org\r\n"
#define LOG_IN "{\"clinic\":\"main\",\"email\":\"a@example.org\",\"password\":\"p\""

static Televisit__V1__OpenSession *new_session(struct tv_arena *a) {
    Televisit__V1__OpenSession *s =
        TV_PB_NEW(a, Televisit__V1__OpenSession, televisit__v1__open_session__descriptor);
    s->session_id = tv_arena_strdup(a, TEST_SESSION);
    s->person = TV_PB_NEW(a, Televisit__V1__Person, televisit__v1__person__descriptor);
    s->person->id = tv_arena_strdup(a, TEST_PERSON);
    s->person->clinic_id = tv_arena_strdup(a, TEST_CLINIC);
    s->person->role = TELEVISIT__V1__ROLE__VALUE__PATIENT;
    s->refresh_token = tv_arena_strdup(a, "refresh-2");
    s->refresh_expires_at = tv_pb_time(tv_clock_wall_us() + 3600 * TV_US_PER_S, a);
    return s;
}

static void reply_session(struct test_gateway *rig, struct tv_call *call) {
    tv_call_reply(call, &new_session(call->arena)->base);
}

/* What the cookie of this name is set to, with its attributes; NULL: not set. */
static const char *set_cookie(const struct test_answer *r, const char *name) {
    const char *value;
    for (unsigned i = 0; (value = test_answer_field(r, "Set-Cookie", i, g->arena)) != NULL; i++)
        if (strncmp(value, name, strlen(name)) == 0 && value[strlen(name)] == '=')
            return value + strlen(name) + 1;
    return NULL;
}

static const char *attributes(const char *cookie) { return strchr(cookie, ';'); }

static const Televisit__V1__Session *read_session(const struct test_answer *r) {
    ProtobufCMessage *m = NULL;
    struct tv_error e = TV_ERROR_INIT;
    if (tv_pb_from_json(&televisit__v1__session__descriptor, tv_str(r->body), 0, g->arena, &m,
                        &e) != TV_OK)
        fail_msg("%s: %s", e.detail, r->body);
    return (const Televisit__V1__Session *)m;
}

static void test_log_in_by_body(void **state) {
    test_fake(g, "Sessions.Open", reply_session);
    test_fake(g, "Sessions.Me", reply_nothing);
    struct test_answer r = test_ask(g, "POST", "/v1/session", NULL, LOG_IN "}");
    expect_status(g, &r, 201);
    assert_null(test_field(g, &r, "Set-Cookie"));
    const Televisit__V1__Session *s = read_session(&r);
    assert_string_equal(s->refresh_token, "refresh-2");
    assert_string_equal(s->person->id, TEST_PERSON);
    int64_t left_us = tv_pb_time_us(s->expires_at) - tv_clock_wall_us();
    assert_true(left_us > 880 * TV_US_PER_S && left_us <= 900 * TV_US_PER_S);
    const Televisit__V1__OpenSessionRequest *in =
        (const Televisit__V1__OpenSessionRequest *)test_fake_request(g, "Sessions.Open");
    assert_string_equal(in->clinic, "main");
    assert_string_equal(in->email, "a@example.org");
    assert_string_equal(in->password, "p");
    assert_int_equal(test_fake_context(g, "Sessions.Open")->actor.role, TV_ROLE_NONE);

    r = test_ask(g, "GET", "/v1/me",
                 tv_arena_printf(g->arena, "Authorization: Bearer %s\r\n", s->access_token), NULL);
    expect_status(g, &r, 200);
    const struct tv_actor *actor = &test_fake_context(g, "Sessions.Me")->actor;
    assert_string_equal(actor->person_id, TEST_PERSON);
    assert_string_equal(actor->session_id, TEST_SESSION);
}

static void test_log_in_by_cookie(void **state) {
    test_fake(g, "Sessions.Open", reply_session);
    test_fake(g, "Sessions.Me", reply_nothing);
    test_fake(g, "Sessions.Close", reply_nothing);
    struct test_answer r = test_ask(g, "POST", "/v1/session", NULL, LOG_IN ",\"cookie\":true}");
    expect_problem(g, &r, TV_ERR_CROSS_SITE);
    r = test_ask(g, "POST", "/v1/session", "Origin: https://evil.example\r\n",
                 LOG_IN ",\"cookie\":true}");
    expect_problem(g, &r, TV_ERR_CROSS_SITE);
    assert_int_equal(test_fake_calls(g, "Sessions.Open"), 0);

    r = test_ask(g, "POST", "/v1/session", OURS, LOG_IN ",\"cookie\":true}");
    expect_status(g, &r, 201);
    const Televisit__V1__Session *s = read_session(&r);
    assert_string_equal(s->access_token, "");
    assert_string_equal(s->refresh_token, "");
    const char *session = set_cookie(&r, "__Host-tv_session");
    const char *refresh = set_cookie(&r, "__Host-tv_refresh");
    assert_non_null(session);
    assert_non_null(refresh);
    expect_in(attributes(session), "; HttpOnly; Secure; SameSite=Strict");
    expect_in(attributes(refresh), "; HttpOnly; Secure; SameSite=Strict");
    expect_in(attributes(refresh), "Path=/; Max-Age=3");
    assert_memory_equal(refresh, "refresh-2;", 10);

    const char *cookie = tv_arena_printf(g->arena, "Cookie: a=b; __Host-tv_session=%.*s\r\n",
                                         (int)(attributes(session) - session), session);
    r = test_ask(g, "GET", "/v1/me", cookie, NULL); /* reading needs no origin */
    expect_status(g, &r, 200);
    r = test_ask(g, "DELETE", "/v1/session", cookie, NULL);
    expect_problem(g, &r, TV_ERR_CROSS_SITE);
    r = test_ask(g, "DELETE", "/v1/session",
                 tv_arena_printf(g->arena, "%sSec-Fetch-Site: cross-site\r\n" OURS, cookie), NULL);
    expect_problem(g, &r, TV_ERR_CROSS_SITE);
    assert_int_equal(test_fake_calls(g, "Sessions.Close"), 0);
    r = test_ask(g, "DELETE", "/v1/session",
                 tv_arena_printf(g->arena, "%sSec-Fetch-Site: same-origin\r\n", cookie), NULL);
    expect_status(g, &r, 204);
    assert_int_equal(r.body_bytes, 0);
    assert_string_equal(set_cookie(&r, "__Host-tv_session"),
                        "; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict");
    assert_string_equal(set_cookie(&r, "__Host-tv_refresh"),
                        "; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict");
    const Televisit__V1__CloseSessionRequest *in =
        (const Televisit__V1__CloseSessionRequest *)test_fake_request(g, "Sessions.Close");
    assert_string_equal(in->session_id, TEST_SESSION);
}

static void test_refresh(void **state) {
    test_fake(g, "Sessions.Renew", reply_session);
    struct test_answer r =
        test_ask(g, "POST", "/v1/session/refresh", NULL, "{\"refreshToken\":\"refresh-1\"}");
    expect_status(g, &r, 200);
    assert_string_equal(read_session(&r)->refresh_token, "refresh-2");
    const Televisit__V1__RenewSessionRequest *in =
        (const Televisit__V1__RenewSessionRequest *)test_fake_request(g, "Sessions.Renew");
    assert_string_equal(in->refresh_token, "refresh-1");

    r = test_ask(g, "POST", "/v1/session/refresh", OURS "Cookie: __Host-tv_refresh=refresh-0\r\n",
                 NULL);
    expect_status(g, &r, 200);
    assert_string_equal(read_session(&r)->refresh_token, "");
    assert_non_null(set_cookie(&r, "__Host-tv_session"));
    assert_memory_equal(set_cookie(&r, "__Host-tv_refresh"), "refresh-2;", 10);
    in = (const Televisit__V1__RenewSessionRequest *)test_fake_request(g, "Sessions.Renew");
    assert_string_equal(in->refresh_token, "refresh-0");
    assert_int_equal(test_fake_calls(g, "Sessions.Renew"), 2);
}

static void test_bad_refresh(void **state) {
    char *big = tv_arena_alloc(g->arena, 130);
    memset(big, 'a', 129);
    big[129] = '\0';
    struct test_answer r =
        test_ask(g, "POST", "/v1/session/refresh", "Cookie: __Host-tv_refresh=refresh-0\r\n", NULL);
    expect_problem(g, &r, TV_ERR_CROSS_SITE);
    r = test_ask(g, "POST", "/v1/session/refresh", NULL, NULL);
    expect_problem(g, &r, TV_ERR_UNAUTHENTICATED);
    r = test_ask(g, "POST", "/v1/session/refresh",
                 tv_arena_printf(g->arena, OURS "Cookie: __Host-tv_refresh=%s\r\n", big), NULL);
    expect_problem(g, &r, TV_ERR_UNAUTHENTICATED);
    r = test_ask(g, "POST", "/v1/session/refresh", OURS "Cookie: __Host-tv_refresh=\xff\r\n", NULL);
    expect_problem(g, &r, TV_ERR_UNAUTHENTICATED);
    r = test_ask(g, "POST", "/v1/session/refresh", NULL,
                 tv_arena_printf(g->arena, "{\"refreshToken\":\"%s\"}", big));
    expect_problem_at(g, &r, TV_ERR_INVALID, "/refreshToken");
    r = test_ask(g, "POST", "/v1/session/refresh?refreshToken=x", NULL, NULL);
    expect_problem(g, &r, TV_ERR_INVALID); /* a secret has no place in an address */
    assert_int_equal(test_fake_calls(g, "Sessions.Renew"), 0);
}

static void reply_half_session(struct test_gateway *rig, struct tv_call *call) {
    Televisit__V1__OpenSession *s = new_session(call->arena);
    switch (*(const int *)rig->memo) {
    case 0:
        s->person->role = TELEVISIT__V1__ROLE__VALUE__SERVICE;
        break;
    case 1:
        s->person->id = tv_arena_strdup(call->arena, "");
        break;
    case 2:
        s->session_id = tv_arena_strdup(call->arena, "x\",\"role\":4,\"x\":\"");
        break;
    case 3:
        s->refresh_token = tv_arena_strdup(call->arena, "");
        break;
    default:
        s->person = NULL;
        break;
    }
    tv_call_reply(call, &s->base);
}

static void test_no_half_session(void **state) {
    test_fake(g, "Sessions.Open", reply_half_session);
    for (int i = 0; i < 5; i++) {
        g->memo = &i;
        struct test_answer r = test_ask(g, "POST", "/v1/session", NULL, LOG_IN "}");
        expect_problem(g, &r, TV_ERR_INTERNAL);
    }
}

static bool is_logged(void *ctx) {
    char *log = test_proc_log(g->proc);
    bool found = strstr(log, ctx) != NULL;
    free(log);
    return found;
}

/* Nothing that people say or carry is in the log. */
static void test_log(void **state) {
    test_fake(g, "Sessions.Open", reply_session);
    test_fake(g, "Sessions.Renew", reply_session);
    struct test_answer r = test_ask(
        g, "POST", "/v1/session", NULL,
        "{\"clinic\":\"main\",\"email\":\"someone@secret.example\",\"password\":\"hush1\"}");
    expect_status(g, &r, 201);
    const char *token = read_session(&r)->access_token;
    r = test_ask(g, "POST", "/v1/session/refresh", NULL, "{\"refreshToken\":\"hush2\"}");
    expect_status(g, &r, 200);
    r = test_ask(g, "GET", "/v1/appointments?cursor=hush3&limit=x", bearer(TV_ROLE_PATIENT), NULL);
    expect_problem(g, &r, TV_ERR_INVALID);
    char *id = tv_arena_strdup(g->arena, test_field(g, &r, "X-Request-Id"));
    test_gateway_until(g, is_logged, id, "the line of the last request");
    char *text = test_proc_log(g->proc), *log = tv_arena_strdup(g->arena, text);
    free(text);
    expect_in(log, "\"route\":\"gateway.login\",\"status\":201,\"code\":\"\"");
    expect_in(log, "\"route\":\"appointments.list\",\"status\":422,\"code\":\"invalid\"");
    static const char *const secrets[] = {"hush", "secret.example", "refresh-2", TEST_PERSON};
    for (size_t i = 0; i < TV_ARRAY_LEN(secrets); i++)
        if (strstr(log, secrets[i]) != NULL)
            fail_msg("%s is in the log", secrets[i]);
    assert_null(strstr(log, token));
}

/* -- limits -------------------------------------------------------------------------------------*/

/* At 10 % the bursts are 10 reads, 3 writes, 2 joins and 1 log-in. */
static void test_rate_of_a_person(void **state) {
    test_fake(g, "Sessions.Me", reply_nothing);
    const char *mine = test_bearer(g, TV_ROLE_PATIENT, DOCTOR, 600);
    struct test_answer r;
    unsigned passed = 0;
    for (int i = 0; i < 60; i++) {
        r = test_ask(g, "GET", "/v1/me", mine, NULL);
        if (r.status == 429)
            break;
        expect_status(g, &r, 200);
        passed++;
    }
    expect_problem(g, &r, TV_ERR_RATE_LIMITED);
    assert_true(passed >= 10);
    expect_field(g, &r, "Retry-After", "1");
    expect_field(g, &r, "RateLimit", "limit=10, remaining=0, reset=1");
    assert_null(test_field(g, &r, "Strict-Transport-Security")); /* here we are http://localhost */
    r = test_ask(g, "GET", "/v1/me", bearer(TV_ROLE_PATIENT), NULL); /* somebody else */
    expect_status(g, &r, 200);
}

static void test_rate_of_an_address(void **state) {
    static const struct {
        const char *fields;
        bool passes;
    } rows[] = {
        {"X-Forwarded-For: 192.0.2.1\r\n", true},
        {"X-Forwarded-For: 192.0.2.1\r\n", false},
        {"X-Forwarded-For: 198.51.100.7, 192.0.2.1\r\n", false}, /* only the last is our proxy's */
        {"X-Forwarded-For: 192.0.2.1, 198.51.100.7\r\n", true},
        {"X-Forwarded-For: 203.0.113.1\r\nX-Forwarded-For: 192.0.2.1\r\n", true}, /* the peer's */
        {"X-Forwarded-For: 203.0.113.2\r\nX-Forwarded-For: 192.0.2.1\r\n", false},
        {NULL, false},
    };
    test_fake(g, "Sessions.Open", reply_session);
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct test_answer r = test_ask(g, "POST", "/v1/session", rows[i].fields, LOG_IN "}");
        if (r.status != (rows[i].passes ? 201U : 429U))
            fail_msg("row %zu: %u", i, r.status);
        if (!rows[i].passes)
            expect_problem(g, &r, TV_ERR_RATE_LIMITED);
    }
}

int main(void) {
    const struct CMUnitTest alone[] = {
        cmocka_unit_test_teardown(test_nothing_there, clear),
        cmocka_unit_test_teardown(test_method_not_allowed, clear),
        cmocka_unit_test_teardown(test_health_and_description, clear),
        cmocka_unit_test_teardown(test_head, clear),
        cmocka_unit_test_teardown(test_no_session, clear),
        cmocka_unit_test_teardown(test_wrong_role, clear),
        cmocka_unit_test_teardown(test_bad_bodies, clear),
        cmocka_unit_test_teardown(test_body_and_path, clear),
        cmocka_unit_test_teardown(test_media_type_and_size, clear),
        cmocka_unit_test_teardown(test_bad_queries, clear),
        cmocka_unit_test_teardown(test_keys_and_versions, clear),
        cmocka_unit_test_teardown(test_no_service, clear),
        cmocka_unit_test_teardown(test_counts, clear),
        cmocka_unit_test_teardown(test_problems_are_counted, clear),
    };
    const struct CMUnitTest with_services[] = {
        cmocka_unit_test_teardown(test_book, clear),
        cmocka_unit_test_teardown(test_change, clear),
        cmocka_unit_test_teardown(test_reply_without_its_body, clear),
        cmocka_unit_test_teardown(test_paging, clear),
        cmocka_unit_test_teardown(test_error_members, clear),
        cmocka_unit_test_teardown(test_malformed_reply, clear),
        cmocka_unit_test_teardown(test_retry_hides_a_replica, clear),
        cmocka_unit_test_teardown(test_deadline, clear),
        cmocka_unit_test_teardown(test_log_in_by_body, clear),
        cmocka_unit_test_teardown(test_log_in_by_cookie, clear),
        cmocka_unit_test_teardown(test_refresh, clear),
        cmocka_unit_test_teardown(test_bad_refresh, clear),
        cmocka_unit_test_teardown(test_no_half_session, clear),
        cmocka_unit_test_teardown(test_log, clear),
    };
    const struct CMUnitTest limited[] = {
        cmocka_unit_test_teardown(test_rate_of_a_person, clear),
        cmocka_unit_test_teardown(test_rate_of_an_address, clear),
    };
    int failed = cmocka_run_group_tests(alone, start_alone, stop);
    failed += cmocka_run_group_tests(with_services, start_served, stop);
    failed += cmocka_run_group_tests(limited, start_limited, stop);
    return failed;
}
