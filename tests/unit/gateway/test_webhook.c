/* LiveKit's webhooks at the gateway: the exact bytes go to tokens, what comes back sealed goes to
 * appointments, and the status is what makes LiveKit send it again, or not. */
#include "tests/unit/gateway/inbox.h"

#include "televisit/v1/calls.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"

#define PATH "/v1/livekit/webhook"
#define TYPE "Content-Type: application/webhook+json\r\n"
#define TOKEN "eyJ.eyJ.c2ln"
#define SIGNED TYPE "Authorization: " TOKEN "\r\n"
#define EVENT "{\"event\":\"room_started\",\"id\":\"EV_secret\"}"
#define BODY_MAX 65536
#define DOCTOR "55555555-5555-4555-8555-555555555555"

static struct test_gateway *g;

static int clear(void **state) {
    test_gateway_clear(g);
    return 0;
}

static int start_alone(void **state) {
    g = test_gateway_start(NULL);
    return 0;
}

static int start(void **state) {
    start_alone(state);
    test_gateway_serve(g);
    return 0;
}

static int start_limited(void **state) {
    char rates[] = "TELEVISIT_RATE_PERCENT=1"; /* 20 a second, 40 at once; of others 1 at once */
    char *env[] = {rates, NULL};
    g = test_gateway_start(env);
    test_gateway_serve(g);
    return 0;
}

static int stop(void **state) {
    test_gateway_stop(g);
    return 0;
}

/* -- services that agree ------------------------------------------------------------------------*/

static const uint8_t seal[] = {0, 1, 2, 0xff, 0, 'x'};

static void reply_sealed(struct test_gateway *rig, struct tv_call *call) {
    Televisit__V1__ReadWebhookReply *reply =
        TV_PB_NEW(call->arena, Televisit__V1__ReadWebhookReply,
                  televisit__v1__read_webhook_reply__descriptor);
    uint8_t *copy = tv_arena_alloc(call->arena, sizeof seal);
    memcpy(copy, seal, sizeof seal);
    reply->sealed_event = (ProtobufCBinaryData){sizeof seal, copy};
    tv_call_reply(call, &reply->base);
}

static void reply_nothing(struct test_gateway *rig, struct tv_call *call) {
    tv_call_reply(call, tv_pb_new(call->method->output, call->arena));
}

static void reply_recorded(struct test_gateway *rig, struct tv_call *call) {
    Televisit__V1__CallReply reply = TELEVISIT__V1__CALL_REPLY__INIT;
    reply.recorded = true;
    tv_call_reply(call, &reply.base);
}

static Televisit__V1__InboxEntry *new_entry(int64_t seq, const char *person_id,
                                            struct tv_arena *a) {
    Televisit__V1__InboxEntry *e =
        TV_PB_NEW(a, Televisit__V1__InboxEntry, televisit__v1__inbox_entry__descriptor);
    e->seq = seq;
    e->type = tv_arena_strdup(a, "call.waiting");
    e->clinic_id = tv_arena_strdup(a, TEST_CLINIC);
    e->person_id = tv_arena_strdup(a, person_id);
    e->actor_id = tv_arena_strdup(a, DOCTOR);
    return e;
}

/* News for the person of the rig's inbox, or for TEST_PERSON. */
static void reply_told(struct test_gateway *rig, struct tv_call *call) {
    const struct inbox *inbox = rig->memo;
    Televisit__V1__CallReply *reply =
        TV_PB_NEW(call->arena, Televisit__V1__CallReply, televisit__v1__call_reply__descriptor);
    reply->n_told = 2;
    reply->told = tv_arena_calloc(call->arena, 2, sizeof(Televisit__V1__InboxEntry *));
    reply->told[0] = new_entry(11, inbox != NULL ? inbox->person : TEST_PERSON, call->arena);
    reply->told[1] = new_entry(7, DOCTOR, call->arena);
    reply->due_now = true;
    reply->recorded = true;
    tv_call_reply(call, &reply->base);
}

static void agree(void) {
    test_fake(g, "Tokens.ReadWebhook", reply_sealed);
    test_fake(g, "Calls.Record", reply_told);
}

static struct test_answer post(const char *fields, struct tv_str body) {
    return test_ask_end(g, test_post_begin(g, PATH, fields, body));
}

static const Televisit__V1__ReadWebhookRequest *asked_tokens(void) {
    return (const Televisit__V1__ReadWebhookRequest *)test_fake_request(g, "Tokens.ReadWebhook");
}

static void expect_recorded(const struct test_answer *r) {
    expect_status(g, r, 200);
    expect_field(g, r, "Content-Type", "application/json");
    assert_string_equal(r->body, "{\"recorded\":true}");
}

/* A problem that says nothing of when to come again: LiveKit would take the same second for each of
 * its four retries, where by itself it waits 1, 2, 4 and 8. */
static void expect_refused(const struct test_answer *r, enum tv_err err) {
    expect_bare_problem(g, r, err);
    assert_null(test_field(g, r, "Retry-After"));
}

static bool has_told(void *ctx) {
    const unsigned *expected = ctx;
    unsigned n = 0;
    struct test_told *t;
    STAILQ_FOREACH(t, &g->told, link)
        n++;
    return n >= *expected;
}

/* -- what is recorded ---------------------------------------------------------------------------*/

static void test_recorded(void **state) {
    static const char bytes[] = "{\"event\" :\0\xff\r\n\r\n \xc3\x28}\n";
    const struct tv_str body = {bytes, sizeof bytes - 1};
    agree();
    struct test_answer r = post(SIGNED, body);
    expect_recorded(&r);
    assert_int_equal(asked_tokens()->body.len, body.len);
    assert_memory_equal(asked_tokens()->body.data, body.p, body.len);
    assert_string_equal(asked_tokens()->authorization, TOKEN);
    const Televisit__V1__RecordCallRequest *record =
        (const Televisit__V1__RecordCallRequest *)test_fake_request(g, "Calls.Record");
    assert_int_equal(record->sealed_event.len, sizeof seal);
    assert_memory_equal(record->sealed_event.data, seal, sizeof seal);
    assert_int_equal(test_fake_context(g, "Tokens.ReadWebhook")->actor.role, TV_ROLE_NONE);
    assert_string_equal(test_fake_context(g, "Calls.Record")->request_id,
                        test_field(g, &r, "X-Request-Id"));

    unsigned three = 3;
    test_gateway_until(g, has_told, &three, "two entries and the hint");
    struct test_told *t = STAILQ_FIRST(&g->told);
    assert_string_equal(t->subject, "tv.v1.inbox." TEST_CLINIC "." TEST_PERSON);
    const Televisit__V1__InboxEntry *entry = (const Televisit__V1__InboxEntry *)tv_pb_unpack(
        &televisit__v1__inbox_entry__descriptor, t->body, g->arena);
    assert_non_null(entry);
    assert_string_equal(entry->type, "call.waiting");
    assert_string_equal(entry->actor_id, DOCTOR);
    t = STAILQ_NEXT(t, link);
    assert_string_equal(t->subject, "tv.v1.inbox." TEST_CLINIC "." DOCTOR);
    assert_string_equal(STAILQ_NEXT(t, link)->subject, "tv.v1.hint.due");
}

static void test_genuine_and_of_no_interest(void **state) {
    test_fake(g, "Tokens.ReadWebhook", reply_nothing);
    struct test_answer r = post(SIGNED, TV_S(EVENT));
    expect_status(g, &r, 200);
    assert_string_equal(r.body, "{\"recorded\":false}");
    assert_int_equal(test_fake_calls(g, "Calls.Record"), 0);
    assert_true(STAILQ_EMPTY(&g->told));

    test_fake(g, "Tokens.ReadWebhook", reply_sealed);
    test_fake(g, "Calls.Record", reply_nothing); /* somebody else's room */
    r = post(SIGNED, TV_S(EVENT));
    expect_status(g, &r, 200);
    assert_string_equal(r.body, "{\"recorded\":false}");
}

/* From LiveKit to the browser of the one who is waited for. */
static void test_streams_get_it(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    agree();
    struct test_http *stream = stream_open(g, "/v1/events", "");
    inbox.last = 11;
    struct test_answer r = post(SIGNED, TV_S(EVENT));
    expect_recorded(&r);
    stream_until(g, stream, "\n\nid: 11\nevent: call.waiting\ndata: {\"seq\":\"11\",");
    expect_in(stream_answer(g, stream).body, "\"actorId\":\"" DOCTOR "\"}\n\n");
    test_http_close(stream);
}

/* -- errors -------------------------------------------------------------------------------------*/

struct failing {
    enum tv_err said, answered;
    unsigned calls;
};

static void fail_as_told(struct test_gateway *rig, struct tv_call *call) {
    struct tv_error e;
    (void)tv_fail(&e, ((const struct failing *)rig->memo)->said, "Thus");
    e.retry_after_s = 3;
    tv_call_fail(call, &e);
}

static void test_tokens_fails(void **state) {
    static struct failing rows[] = {
        {TV_ERR_UNAUTHENTICATED, TV_ERR_UNAUTHENTICATED, 1},
        {TV_ERR_MALFORMED, TV_ERR_MALFORMED, 1},
        {TV_ERR_TOO_LARGE, TV_ERR_TOO_LARGE, 1},
        {TV_ERR_UNAVAILABLE, TV_ERR_UNAVAILABLE, 3},
        {TV_ERR_DEADLINE, TV_ERR_DEADLINE, 1},
        {TV_ERR_UNKNOWN_OUTCOME, TV_ERR_UNKNOWN_OUTCOME, 1},
        {TV_ERR_INTERNAL, TV_ERR_INTERNAL, 1},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        g->memo = &rows[i];
        test_fake(g, "Tokens.ReadWebhook", fail_as_told);
        unsigned before = test_fake_calls(g, "Tokens.ReadWebhook");
        struct test_answer r = post(SIGNED, TV_S(EVENT));
        expect_refused(&r, rows[i].answered);
        expect_in(r.body, "\"detail\":\"Thus\"");
        assert_int_equal(test_fake_calls(g, "Tokens.ReadWebhook") - before, rows[i].calls);
    }
    assert_int_equal(test_fake_calls(g, "Calls.Record"), 0);
}

static bool is_logged(void *ctx) {
    char *log = test_proc_log(g->proc);
    bool found = strstr(log, ctx) != NULL;
    free(log);
    return found;
}

/* What is genuine and was not recorded comes again, whatever the reason: an answer below 500 would
 * lose it. */
static void test_record_fails(void **state) {
    static struct failing rows[] = {
        {TV_ERR_UNAVAILABLE, TV_ERR_UNAVAILABLE, 3},
        {TV_ERR_DEADLINE, TV_ERR_DEADLINE, 1},
        {TV_ERR_UNKNOWN_OUTCOME, TV_ERR_UNKNOWN_OUTCOME, 1},
        {TV_ERR_INTERNAL, TV_ERR_INTERNAL, 1},
        {TV_ERR_FORBIDDEN, TV_ERR_UNAVAILABLE, 1}, /* a seal that is not ours */
        {TV_ERR_MALFORMED, TV_ERR_UNAVAILABLE, 1},
        {TV_ERR_NOT_FOUND, TV_ERR_UNAVAILABLE, 1},
        {TV_ERR_RATE_LIMITED, TV_ERR_UNAVAILABLE, 1},
    };
    test_fake(g, "Tokens.ReadWebhook", reply_sealed);
    test_fake(g, "Calls.Record", fail_as_told);
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        g->memo = &rows[i];
        unsigned before = test_fake_calls(g, "Calls.Record");
        struct test_answer r = post(SIGNED, TV_S(EVENT));
        expect_refused(&r, rows[i].answered);
        assert_int_equal(test_fake_calls(g, "Calls.Record") - before, rows[i].calls);
        if (rows[i].said == TV_ERR_FORBIDDEN) {
            char line[] = "is refused by appointments: do both services have the same grant key";
            test_gateway_until(g, is_logged, line, "a line that says what to mend");
        }
    }
    assert_true(STAILQ_EMPTY(&g->told));
}

static void test_no_service(void **state) {
    struct test_answer r = post(SIGNED, TV_S(EVENT));
    expect_refused(&r, TV_ERR_UNAVAILABLE);
}

/* -- requests that are wrong --------------------------------------------------------------------*/

static void test_media_types(void **state) {
    static const struct {
        const char *fields;
        bool passes;
    } rows[] = {
        {TYPE, true},
        {"Content-Type: APPLICATION/webhook+JSON ; charset=utf-8\r\n", true},
        {"Content-Type: application/json\r\n", true},
        {TYPE "Content-Encoding: identity\r\n", true},
        {"", false},
        {"Content-Type:\r\n", false},
        {"Content-Type: text/plain\r\n", false},
        {"Content-Type: application/x-www-form-urlencoded\r\n", false},
        {"Content-Type: application/webhook+jso\r\n", false},
        {"Content-Type: webhook+json\r\n", false},
        {TYPE "Content-Encoding: gzip\r\n", false},
    };
    agree();
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        const char *fields =
            tv_arena_printf(g->arena, "%sAuthorization: " TOKEN "\r\n", rows[i].fields);
        unsigned before = test_fake_calls(g, "Tokens.ReadWebhook");
        struct test_answer r = post(fields, TV_S(EVENT));
        if (r.status != (rows[i].passes ? 200U : 415U))
            fail_msg("row %zu: %u", i, r.status);
        assert_int_equal(test_fake_calls(g, "Tokens.ReadWebhook") - before, rows[i].passes);
        if (!rows[i].passes)
            expect_refused(&r, TV_ERR_UNSUPPORTED_MEDIA_TYPE);
    }
}

static struct tv_str filled(char c, size_t len) {
    char *p = tv_arena_alloc(g->arena, len + 1);
    memset(p, c, len);
    p[len] = '\0';
    return (struct tv_str){p, len};
}

static void test_sizes(void **state) {
    agree();
    struct test_answer r = post(SIGNED, filled('x', BODY_MAX));
    expect_recorded(&r);
    assert_int_equal(asked_tokens()->body.len, BODY_MAX);
    r = post(SIGNED, filled('x', BODY_MAX + 1));
    expect_refused(&r, TV_ERR_TOO_LARGE);

    struct test_http *c = test_http_open(g->loop, g->port, 0);
    test_http_send(c, "POST " PATH " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" SIGNED
                      "\r\n10001\r\n");
    test_http_send_bytes(c, filled('x', BODY_MAX + 1));
    test_http_send(c, "\r\n0\r\n\r\n");
    r = test_ask_end(g, c);
    expect_refused(&r, TV_ERR_TOO_LARGE);
    assert_int_equal(test_fake_calls(g, "Tokens.ReadWebhook"), 1);
}

static void test_bad_requests(void **state) {
    const char *long_field =
        tv_arena_printf(g->arena, TYPE "Authorization: %s\r\n", filled('a', 4097).p);
    const struct {
        const char *target, *fields, *body;
        enum tv_err err;
    } rows[] = {
        {PATH, SIGNED, "", TV_ERR_MALFORMED},
        {PATH, TYPE, EVENT, TV_ERR_UNAUTHENTICATED},
        {PATH, TYPE "Authorization:\r\n", EVENT, TV_ERR_UNAUTHENTICATED},
        {PATH, TYPE "Authorization: \xff\xfe\r\n", EVENT, TV_ERR_INVALID},
        {PATH, long_field, EVENT, TV_ERR_INVALID},
        {PATH "?a=b", SIGNED, EVENT, TV_ERR_INVALID},
        {PATH "/", SIGNED, EVENT, TV_ERR_NOT_FOUND},
    };
    agree();
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct test_answer r = test_ask_end(
            g, test_post_begin(g, rows[i].target, rows[i].fields, tv_str(rows[i].body)));
        expect_refused(&r, rows[i].err);
    }
    assert_int_equal(test_fake_calls(g, "Tokens.ReadWebhook"), 0);
}

static void test_only_post(void **state) {
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < TV_ARRAY_LEN(methods); i++) {
        struct test_answer r = test_ask(g, methods[i], PATH, NULL, NULL);
        expect_status(g, &r, 405);
        expect_field(g, &r, "Allow", "POST");
    }
}

/* Authorization goes to tokens as it is, and neither it nor a cookie makes somebody of the caller.
 */
static void test_authorization_is_no_session(void **state) {
    agree();
    const char *rows[] = {
        "Authorization: Basic YTpi\r\n",
        "Authorization: Bearer abc\r\n",
        test_bearer(g, TV_ROLE_ADMIN, NULL, 600),
        "Authorization: " TOKEN "\r\nCookie: __Host-tv_session=abc\r\n",
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct test_answer r = post(tv_arena_printf(g->arena, TYPE "%s", rows[i]), TV_S(EVENT));
        expect_recorded(&r);
        struct tv_str value = tv_str(rows[i]);
        (void)tv_str_cut(&value, ' ');
        struct tv_str line = tv_str_cut(&value, '\r');
        assert_string_equal(asked_tokens()->authorization, tv_arena_str(g->arena, line));
        assert_int_equal(test_fake_context(g, "Calls.Record")->actor.role, TV_ROLE_NONE);
        assert_string_equal(test_fake_context(g, "Calls.Record")->actor.person_id, "");
    }
}

/* -- how it comes -------------------------------------------------------------------------------*/

static void test_chunks(void **state) {
    agree();
    struct test_http *c = test_http_open(g->loop, g->port, 0);
    test_http_send(c, "POST " PATH " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" SIGNED
                      "\r\n3\r\n{\"e\r\n1\r\n\"\r\n2\r\n:1\r\n1\r\n}\r\n0\r\n\r\n");
    struct test_answer r = test_ask_end(g, c);
    expect_recorded(&r);
    assert_int_equal(asked_tokens()->body.len, 7);
    assert_memory_equal(asked_tokens()->body.data, "{\"e\":1}", 7);
}

static bool has_come(void *ctx) { return test_http_received(ctx) > 0; }

static void test_expect_continue(void **state) {
    agree();
    struct test_http *c = test_http_open(g->loop, g->port, 0);
    test_http_send(c, "POST " PATH " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                      "Content-Length: 7\r\n" SIGNED "\r\n");
    test_gateway_until(g, has_come, c, "100 Continue");
    assert_int_equal(test_fake_calls(g, "Tokens.ReadWebhook"), 0);
    test_http_send(c, "{\"e\":1}");
    struct test_answer r = test_ask_end(g, c);
    expect_recorded(&r);
}

/* Two rooms, two queues of LiveKit: the first does not hold up the second. */
struct pair {
    struct tv_call *first, *second;
};

static void hold_pair(struct test_gateway *rig, struct tv_call *call) {
    struct pair *pair = rig->memo;
    *(pair->first == NULL ? &pair->first : &pair->second) = call;
}

static bool both_are_held(void *ctx) {
    const struct pair *pair = ctx;
    return pair->first != NULL && pair->second != NULL;
}

static bool is_first(const struct tv_call *call) {
    const Televisit__V1__ReadWebhookRequest *in =
        (const Televisit__V1__ReadWebhookRequest *)call->request;
    return strcmp(in->authorization, "one") == 0;
}

static void test_two_at_once(void **state) {
    struct pair pair = {NULL, NULL};
    g->memo = &pair;
    test_fake(g, "Tokens.ReadWebhook", hold_pair);
    test_fake(g, "Calls.Record", reply_recorded);
    struct test_http *one =
        test_post_begin(g, PATH, TYPE "Authorization: one\r\n", TV_S("{\"n\":1}"));
    struct test_http *two =
        test_post_begin(g, PATH, TYPE "Authorization: two\r\n", TV_S("{\"n\":2}"));
    test_gateway_until(g, both_are_held, &pair, "both webhooks at tokens");
    struct tv_call *of_one = is_first(pair.first) ? pair.first : pair.second;
    struct tv_call *of_two = is_first(pair.first) ? pair.second : pair.first;
    assert_true(is_first(of_one) && !is_first(of_two));
    reply_sealed(g, of_two);
    struct test_answer r = test_ask_end(g, two);
    expect_recorded(&r);
    assert_int_equal(test_http_received(one), 0);
    tv_call_failf(of_one, TV_ERR_UNAUTHENTICATED, "A wrong signature");
    r = test_ask_end(g, one);
    expect_refused(&r, TV_ERR_UNAUTHENTICATED);
    assert_int_equal(test_fake_calls(g, "Calls.Record"), 1);
}

/* -- what is seen of it -------------------------------------------------------------------------*/

static void test_log(void **state) {
    agree();
    struct test_answer r = post(SIGNED, TV_S(EVENT));
    expect_recorded(&r);
    r = post(TYPE "Authorization: Bearer " TOKEN "\r\n", TV_S(""));
    expect_refused(&r, TV_ERR_MALFORMED);
    char *id = tv_arena_strdup(g->arena, test_field(g, &r, "X-Request-Id"));
    test_gateway_until(g, is_logged, id, "the line of the last request");
    char *text = test_proc_log(g->proc), *log = tv_arena_strdup(g->arena, text);
    free(text);
    expect_in(log, "\"route\":\"gateway.livekitwebhook\",\"status\":200,\"code\":\"\"");
    expect_in(log, "\"route\":\"gateway.livekitwebhook\",\"status\":400,\"code\":\"malformed\"");
    assert_null(strstr(log, TOKEN));
    assert_null(strstr(log, "EV_secret"));
    assert_true(test_gateway_metric(g, "tv_http_requests_total{operation=\"gateway."
                                       "livekitwebhook\",status=\"2xx\"}") >= 1);
}

static void test_rate(void **state) {
    enum { BURST = 40, MAX = 1000 };
    agree();
    struct test_answer r = {.status = 0};
    unsigned passed = 0;
    for (; passed < MAX; passed++) {
        r = post(SIGNED, TV_S(EVENT));
        if (r.status == 429)
            break;
        expect_recorded(&r);
    }
    expect_refused(&r, TV_ERR_RATE_LIMITED);
    assert_true(passed >= BURST);
    assert_int_equal(test_fake_calls(g, "Tokens.ReadWebhook"), passed);
}

int main(void) {
    const struct CMUnitTest alone[] = {
        cmocka_unit_test_teardown(test_no_service, clear),
    };
    const struct CMUnitTest served[] = {
        cmocka_unit_test_teardown(test_recorded, clear),
        cmocka_unit_test_teardown(test_genuine_and_of_no_interest, clear),
        cmocka_unit_test_teardown(test_streams_get_it, clear),
        cmocka_unit_test_teardown(test_tokens_fails, clear),
        cmocka_unit_test_teardown(test_record_fails, clear),
        cmocka_unit_test_teardown(test_media_types, clear),
        cmocka_unit_test_teardown(test_sizes, clear),
        cmocka_unit_test_teardown(test_bad_requests, clear),
        cmocka_unit_test_teardown(test_only_post, clear),
        cmocka_unit_test_teardown(test_authorization_is_no_session, clear),
        cmocka_unit_test_teardown(test_chunks, clear),
        cmocka_unit_test_teardown(test_expect_continue, clear),
        cmocka_unit_test_teardown(test_two_at_once, clear),
        cmocka_unit_test_teardown(test_log, clear),
    };
    const struct CMUnitTest limited[] = {
        cmocka_unit_test_teardown(test_rate, clear),
    };
    int failed = cmocka_run_group_tests(alone, start_alone, stop);
    failed += cmocka_run_group_tests(served, start, stop);
    failed += cmocka_run_group_tests(limited, start_limited, stop);
    return failed;
}
