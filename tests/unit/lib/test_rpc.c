/* Remote calls: a service by its descriptor on one side, a caller on the other, a real nats-server
 * between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/loop.h"
#include "lib/metrics.h"
#include "lib/rpc.h"
#include "televisit/v1/common.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"
#include "tests/harness/nats.h"

enum { WAIT_US = 10000000 };
static const char an_id[] = "0190a3b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b";

static struct test_nats nats;
static struct tv_loop *loop;
static struct tv_bus *caller, *callee;
static struct tv_rpc_server *server;
static struct tv_arena *arena;

/* -- the service: Issue does what the grant says ------------------------------------------------*/

static struct tv_call *held[8];
static unsigned held_count, served;
static struct tv_context seen; /* of the last call */

static void issue(struct tv_call *call) {
    const Televisit__V1__IssueRequest *request = (const void *)call->request;
    struct tv_str grant = {(const char *)request->sealed_grant.data, request->sealed_grant.len};
    Televisit__V1__IssueReply reply = TELEVISIT__V1__ISSUE_REPLY__INIT;
    char token[] = "a token", url[] = "wss://media";

    served++;
    seen = call->context;
    assert_ptr_equal(call->service_ctx, &served);
    if (tv_str_eqz(grant, "hold")) {
        assert_true(held_count < TV_ARRAY_LEN(held));
        held[held_count++] = call;
        return;
    }
    if (tv_str_eqz(grant, "early")) {
        struct tv_error e;
        (void)tv_fail_at(&e, TV_ERR_TOO_EARLY, "/sealedGrant", "not before %d", 9);
        tv_error_add_time(&e, "opensAt", 1700000000123456);
        tv_error_add_string(&e, "appointmentStatus", "CONFIRMED");
        e.retry_after_s = 7;
        tv_call_fail(call, &e);
        return;
    }
    reply.token = token;
    reply.server_url = url;
    reply.expires_at = tv_pb_time(1700000000000000, call->arena);
    tv_call_reply(call, &reply.base);
}

static void close_room(struct tv_call *call) {
    tv_call_failf(call, TV_ERR_MEDIA_UNAVAILABLE, "LiveKit says %d", 503);
}

static void not_called(struct tv_call *call) { fail_msg("%s was called", call->method->name); }

/* Of a service as large as ours; two of its methods are called here. */
static tv_rpc_handler *const handlers[] = {issue,      close_room, not_called, not_called,
                                           not_called, not_called, not_called};

static void release_held(void) {
    Televisit__V1__IssueReply reply = TELEVISIT__V1__ISSUE_REPLY__INIT;
    while (held_count > 0)
        tv_call_reply(held[--held_count], &reply.base);
}

/* A service that answers with bytes that no service of ours would send. */
static const char *odd_body = "";
static enum tv_err odd_error;
static void on_odd_call(void *ctx, unsigned method, struct tv_bus_call *c) {
    if (odd_error == TV_OK)
        tv_bus_reply(c, tv_str(odd_body));
    else
        tv_bus_reply_error(c, odd_error, "odd", tv_str(odd_body));
}

/* -- helpers ------------------------------------------------------------------------------------*/

static bool is_connected(void *ctx) { return tv_bus_connected(ctx); }
static bool never(void *ctx) { return false; }

static struct tv_bus *new_bus(const char *name) {
    const struct tv_bus_config c = {.url = nats.url, .name = name, .version = "1.0.0"};
    struct tv_bus *b = NULL;
    struct tv_error e;
    assert_int_equal(tv_bus_new(loop, &c, &b, &e), TV_OK);
    assert_true(tv_loop_run_until(loop, is_connected, b, WAIT_US));
    return b;
}

struct outcome {
    unsigned calls;
    enum tv_err err;
    struct tv_error e;
    const Televisit__V1__IssueReply *reply;
};
static bool has_ended(void *ctx) { return ((struct outcome *)ctx)->calls > 0; }

static void on_reply(void *ctx, enum tv_err err, const struct tv_error *e,
                     ProtobufCMessage *reply) {
    struct outcome *o = ctx;
    o->calls++;
    o->err = err;
    o->e = *e;
    o->reply = (const void *)reply;
    assert_true((err == TV_OK) == (reply != NULL));
    assert_int_equal(e->code, err);
}

static struct tv_context context_for(int64_t us) {
    return (struct tv_context){.deadline_us = tv_clock_mono_us() + us};
}

static void start(struct outcome *o, const char *grant, const struct tv_context *context) {
    Televisit__V1__IssueRequest request = TELEVISIT__V1__ISSUE_REQUEST__INIT;
    char bytes[64];

    *o = (struct outcome){0};
    request.sealed_grant.len = strlen(grant);
    request.sealed_grant.data = memcpy(bytes, grant, strlen(grant) + 1);
    assert_true(tv_rpc_call(caller, &televisit__v1__tokens__descriptor,
                            &televisit__v1__tokens__descriptor.methods[0], context, &request.base,
                            arena, on_reply, o) != 0);
}

static struct outcome call(const char *grant, int64_t timeout_us) {
    struct tv_context context = context_for(timeout_us);
    struct outcome o;
    start(&o, grant, &context);
    assert_true(tv_loop_run_until(loop, has_ended, &o, WAIT_US));
    return o;
}

/* A request past tv_rpc_call(), with any headers and bytes. */
struct raw_outcome {
    unsigned calls;
    enum tv_err err;
    char slug[32];
};
static void on_raw(void *ctx, enum tv_err err, const struct tv_bus_message *m) {
    struct raw_outcome *o = ctx;
    const char *slug = err == TV_OK ? tv_bus_header(m, "tv-error") : NULL;
    o->calls++;
    o->err = err;
    snprintf(o->slug, sizeof(o->slug), "%s", slug == NULL ? "" : slug);
}
static bool raw_ended(void *ctx) { return ((struct raw_outcome *)ctx)->calls > 0; }

static struct raw_outcome raw(const struct tv_bus_header *headers, size_t count, struct tv_str body,
                              int64_t timeout_us) {
    struct raw_outcome o = {0};
    tv_bus_request(caller, "tv.v1.tokens.issue", headers, count, body,
                   tv_clock_mono_us() + timeout_us, on_raw, &o);
    assert_true(tv_loop_run_until(loop, raw_ended, &o, WAIT_US));
    return o;
}

static int set_up(void **state) {
    held_count = 0;
    loop = tv_loop_new();
    arena = tv_arena_new();
    caller = new_bus("caller");
    callee = new_bus("callee");
    server = tv_rpc_serve(callee, &televisit__v1__tokens__descriptor, handlers, &served, 4);
    while (call("", TV_US_PER_S).err == TV_ERR_UNAVAILABLE) {
    }
    served = 0;
    return 0;
}

static int tear_down(void **state) {
    release_held();
    tv_bus_free(caller);
    tv_bus_free(callee);
    tv_rpc_server_free(server);
    tv_arena_free(arena);
    tv_loop_free(loop);
    tv_metrics_done();
    return 0;
}

static int group_set_up(void **state) {
    nats = test_nats_start(NULL);
    return 0;
}
static int group_tear_down(void **state) {
    test_nats_stop(&nats);
    return 0;
}

/* -- calls --------------------------------------------------------------------------------------*/

static void test_a_call_and_its_reply(void **state) {
    struct outcome o = call("join", WAIT_US);

    assert_int_equal(o.err, TV_OK);
    assert_string_equal(o.reply->token, "a token");
    assert_string_equal(o.reply->server_url, "wss://media");
    assert_int_equal(tv_pb_time_us(o.reply->expires_at), 1700000000000000);
    assert_int_equal(tv_rpc_in_flight(server), 0);
}

static void test_the_context_travels(void **state) {
    struct tv_context c = context_for(3 * TV_US_PER_S);
    struct outcome o;

    c.actor = (struct tv_actor){.role = TV_ROLE_DOCTOR};
    memcpy(c.actor.clinic_id, an_id, sizeof(an_id));
    memcpy(c.actor.session_id, an_id, sizeof(an_id));
    memcpy(c.request_id, an_id, sizeof(an_id));
    snprintf(c.traceparent, sizeof(c.traceparent),
             "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    start(&o, "", &c);
    assert_true(tv_loop_run_until(loop, has_ended, &o, WAIT_US));
    assert_memory_equal(&seen.actor, &c.actor, sizeof(c.actor));
    assert_string_equal(seen.request_id, c.request_id);
    assert_string_equal(seen.traceparent, c.traceparent);
    int64_t left_us = seen.deadline_us - tv_clock_mono_us();
    assert_in_range(left_us, TV_US_PER_S, 3 * TV_US_PER_S);
}

static void test_an_error_arrives_whole(void **state) {
    struct outcome o = call("early", WAIT_US);

    assert_int_equal(o.err, TV_ERR_TOO_EARLY);
    assert_string_equal(o.e.detail, "not before 9");
    assert_string_equal(o.e.pointer, "/sealedGrant");
    assert_int_equal(o.e.retry_after_s, 7);
    assert_int_equal(o.e.members, 2);
    assert_string_equal(o.e.member[0].name, "opensAt");
    assert_int_equal(o.e.member[0].time_us, 1700000000123456);
    assert_string_equal(o.e.member[1].name, "appointmentStatus");
    assert_string_equal(o.e.member[1].string, "CONFIRMED");
}

static double metric(const char *line_start) {
    struct tv_buf out = TV_BUF_INIT(1 << 20);
    tv_metrics_write(&out);
    const char *line = strstr(out.data, line_start);
    double n = line == NULL ? -1 : strtod(line + strlen(line_start), NULL);
    tv_buf_done(&out);
    return n;
}

static void test_nobody_there_is_told_in_words(void **state) {
    struct outcome o;

    tv_bus_drain(callee);
    do
        o = call("", WAIT_US);
    while (o.err == TV_OK);
    assert_int_equal(o.err, TV_ERR_UNAVAILABLE);
    assert_int_equal(o.e.retry_after_s, 1);
    assert_string_equal(o.e.detail, "The service is not there; try again in a moment");
}

static void test_failf(void **state) {
    Televisit__V1__CloseRoomRequest request = TELEVISIT__V1__CLOSE_ROOM_REQUEST__INIT;
    struct tv_context context = context_for(WAIT_US);
    struct outcome o = {0};

    tv_rpc_call(caller, &televisit__v1__tokens__descriptor,
                &televisit__v1__tokens__descriptor.methods[1], &context, &request.base, arena,
                on_reply, &o);
    assert_true(tv_loop_run_until(loop, has_ended, &o, WAIT_US));
    assert_int_equal(o.err, TV_ERR_MEDIA_UNAVAILABLE);
    assert_string_equal(o.e.detail, "LiveKit says 503");
}

static void test_too_many_calls_are_refused(void **state) {
    struct outcome o[4];
    struct tv_context context = context_for(WAIT_US);

    for (int i = 0; i < 4; i++)
        start(&o[i], "hold", &context);
    struct outcome fifth = call("", WAIT_US);
    assert_int_equal(fifth.err, TV_ERR_UNAVAILABLE);
    assert_int_equal(fifth.e.retry_after_s, 1);
    assert_int_equal(tv_rpc_in_flight(server), 4);
    release_held();
    for (int i = 0; i < 4; i++) {
        assert_true(tv_loop_run_until(loop, has_ended, &o[i], WAIT_US));
        assert_int_equal(o[i].err, TV_OK);
    }
    assert_int_equal(call("", WAIT_US).err, TV_OK);
}

static bool dropped_all(void *ctx) { return tv_rpc_in_flight(server) == 0; }

static void test_after_the_deadline_nobody_is_answered(void **state) {
    assert_int_equal(call("hold", 30000).err, TV_ERR_DEADLINE);
    assert_int_equal(held_count, 1);
    tv_loop_run_until(loop, never, NULL, 5000);
    release_held(); /* drops it */
    assert_true(dropped_all(NULL));
    assert_int_equal(call("", WAIT_US).err, TV_OK);
}

/* -- what strangers send ------------------------------------------------------------------------*/

static void test_headers(void **state) {
    static const struct {
        const char *name, *value, *slug; /* slug NULL: dropped, no answer */
    } rows[] = {
        {"tv-x", "y", ""},
        {"tv-deadline-ms", "1000", ""},
        {"TV-Deadline-MS", "1000", ""},
        {"tv-deadline-ms", "9223372036854775807", ""},
        {"tv-deadline-ms", "0", NULL},
        {"tv-deadline-ms", "-5", NULL},
        {"tv-deadline-ms", "soon", "malformed"},
        {"tv-deadline-ms", "", ""}, /* libnats drops empty headers */
        {"tv-deadline-ms", "99999999999999999999", "malformed"},
        {"tv-actor", "- - - -", ""},
        {"tv-actor", "", ""},
        {"tv-actor", "root", "malformed"},
        {"tv-request-id", "far too long to be a request id of ours, so it is left out", ""},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        const struct tv_bus_header h = {rows[i].name, rows[i].value};
        struct raw_outcome o = raw(&h, 1, TV_S(""), rows[i].slug == NULL ? 50000 : WAIT_US);
        assert_int_equal(o.err, rows[i].slug == NULL ? TV_ERR_DEADLINE : TV_OK);
        assert_string_equal(o.slug, rows[i].slug == NULL ? "" : rows[i].slug);
        assert_string_equal(seen.request_id, "");
    }
    assert_true(dropped_all(NULL));
    assert_true(metric("\ntv_rpc_expired_total ") == 2);
    assert_true(metric("\ntv_rpc_malformed_total ") == 3);
}

#define ID "0190a3b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b"
#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

static void test_heads(void **state) {
    static const struct {
        const char *body, *slug; /* slug NULL: dropped, no answer */
    } rows[] = {
        {"tv1 1000 - - - - - -\n", ""},
        {"tv1 1000 " ID " " ID " patient " ID " " ID " " TRACE "\n", ""},
        {"tv1 1000 - - service - - - more of a newer peer\n", ""},
        {"tv1 9223372036854775807 - - - - - -\n", ""},
        {"tv1 1000 - - - - an-id-that-is-far-too-long-to-be-a-request-id-of-ours -\n", ""},
        {"tv1 0 - - - - - -\n", NULL},
        {"tv1 -5 - - - - - -\n", NULL},
        {"tv1 ", "malformed"},
        {"tv1 \n", "malformed"},
        {"tv1 1000\n", "malformed"},
        {"tv1 1000 - - - - - -", "malformed"}, /* no end of line */
        {"tv1 soon - - - - - -\n", "malformed"},
        {"tv1 99999999999999999999 - - - - - -\n", "malformed"},
        {"tv1 1000 " ID " " ID " king - - -\n", "malformed"},
        {"tv1 1000 " ID "' - patient - - -\n", "malformed"},
        {"tv1 1000  - - - - - -\n", "malformed"},
        {"tv1 1000 - - - - - -\n\xff", "malformed"}, /* the message behind it */
        {"tv2 1000 - - - - - -\n", "malformed"},
    };
    unsigned malformed = 0;
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        const char *slug = rows[i].slug;
        struct raw_outcome o = raw(NULL, 0, tv_str(rows[i].body), slug == NULL ? 50000 : WAIT_US);
        if (o.err != (slug == NULL ? TV_ERR_DEADLINE : TV_OK) ||
            strcmp(o.slug, slug == NULL ? "" : slug) != 0)
            fail_msg("%s: %d %s", rows[i].body, (int)o.err, o.slug);
        malformed += slug != NULL && slug[0] != '\0';
    }
    assert_true(dropped_all(NULL));
    assert_true(metric("\ntv_rpc_expired_total ") == 2);
    assert_true(metric("\ntv_rpc_malformed_total ") == malformed);
}

static void test_a_head_is_understood(void **state) {
    (void)raw(NULL, 0, TV_S("tv1 1000 " ID " - doctor - " ID " " TRACE "\n"), WAIT_US);
    assert_string_equal(seen.actor.clinic_id, ID);
    assert_string_equal(seen.actor.person_id, "");
    assert_int_equal(seen.actor.role, TV_ROLE_DOCTOR);
    assert_string_equal(seen.request_id, ID);
    assert_string_equal(seen.traceparent, TRACE);
    /* headers do not speak where there is a head */
    const struct tv_bus_header h = {"tv-actor", "root"};
    assert_string_equal(raw(&h, 1, TV_S("tv1 1000 - - - - - -\n"), WAIT_US).slug, "");
    assert_int_equal(seen.actor.role, TV_ROLE_NONE);
}

static void test_malformed_bodies(void **state) {
    static const struct tv_str bodies[] = {{"\xff", 1},
                                           {"\x0a\x05"
                                            "ab",
                                            4},
                                           {"\x0a", 1},
                                           {"\x0b\x0c", 2},
                                           {"{\"json\":1}", 10}};
    for (size_t i = 0; i < TV_ARRAY_LEN(bodies); i++)
        assert_string_equal(raw(NULL, 0, bodies[i], WAIT_US).slug, "malformed");
    assert_int_equal(served, 0);
    assert_int_equal(call("", WAIT_US).err, TV_OK);
}

static void test_malformed_replies(void **state) {
    static const struct {
        enum tv_err error;
        const char *body;
        enum tv_err seen;
    } rows[] = {
        {TV_OK, "\xff\xff", TV_ERR_INTERNAL},
        {TV_ERR_GONE, "", TV_ERR_GONE},             /* by its slug */
        {TV_ERR_TOO_LATE, "\xff", TV_ERR_TOO_LATE}, /* the same: the Problem is unreadable */
        {TV_OK, "", TV_OK},
    };
    static const char *const methods[] = {"issue"};
    static const struct tv_bus_service odd = {
        .name = "tokens", .methods = methods, .method_count = 1, .on_call = on_odd_call};

    tv_bus_drain(callee); /* the good one goes, an odd one comes */
    struct tv_bus *b = new_bus("odd");
    tv_bus_serve(b, &odd);
    odd_error = TV_OK;
    odd_body = "";
    for (int64_t until_us = tv_clock_mono_us() + WAIT_US; tv_clock_mono_us() < until_us;) {
        struct outcome o = call("", WAIT_US);
        if (o.err == TV_OK && o.reply->token[0] == '\0')
            break; /* the odd one answers now */
    }
    while (tv_bus_pending(callee) > 0)
        tv_loop_run_until(loop, never, NULL, 1000);
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        odd_error = rows[i].error;
        odd_body = rows[i].body;
        assert_int_equal(call("", WAIT_US).err, rows[i].seen);
    }
    tv_bus_free(b);
}

/* -- text and problems --------------------------------------------------------------------------*/

static void test_actor_text(void **state) {
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"- - - -", true},
        {"0190a3b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b - patient -", true},
        {"0190a3b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b 0190a3b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b service "
         "0190a3b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b",
         true},
        {"", false},
        {"-", false},
        {"- - -", false},
        {"- - - - -", false},
        {"- - - ", false},
        {" - - - -", false},
        {"-  - - -", false},
        {"- - none -", false},
        {"- - Patient -", false},
        {"- - 1 -", false},
        {"0190A3B4-5C6D-7E8F-9A0B-1C2D3E4F5A6B - patient -", false},
        {"0190a3b4 - patient -", false},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_actor actor = {.role = TV_ROLE_ADMIN};
        char text[TV_ACTOR_TEXT_MAX];
        if (tv_actor_parse(rows[i].text, &actor) != rows[i].good)
            fail_msg("\"%s\"", rows[i].text);
        if (!rows[i].good) {
            assert_int_equal(actor.role, TV_ROLE_ADMIN); /* untouched */
            continue;
        }
        tv_actor_format(&actor, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_roles_are_those_of_the_proto(void **state) {
    for (int r = TV_ROLE_PATIENT; r <= TV_ROLE_SERVICE; r++) {
        const ProtobufCEnumValue *v =
            protobuf_c_enum_descriptor_get_value(&televisit__v1__role__value__descriptor, r);
        assert_non_null(v);
        assert_true(tv_str_eq_nocase(tv_str(v->name), tv_str(tv_role_name((enum tv_role)r))));
    }
    assert_int_equal(televisit__v1__role__value__descriptor.n_values, TV_ROLE_SERVICE + 1);
    assert_string_equal(tv_role_name(TV_ROLE_NONE), "none");
    assert_string_equal(tv_role_name((enum tv_role)99), "none");
}

static void test_problems_of_all_errors_and_of_newer_peers(void **state) {
    static const struct {
        const char *type;
        uint32_t status;
        enum tv_err code;
    } rows[] = {
        {"/problems/slot-taken", 409, TV_ERR_SLOT_TAKEN},
        {"/problems/of-the-future", 409, TV_ERR_CONFLICT},
        {"about:blank", 404, TV_ERR_NOT_FOUND},
        {"", 0, TV_ERR_INTERNAL},
        {"/problems/of-the-future", 799, TV_ERR_INTERNAL},
    };
    for (enum tv_err code = TV_OK + 1; code < TV_ERR_COUNT; code++) {
        struct tv_error e = {.code = code, .detail = "why"}, back;
        tv_problem_to_error(tv_problem_from_error(&e, arena), &back);
        assert_int_equal(back.code, code);
        assert_string_equal(back.detail, "why");
        assert_int_equal(back.members, 0);
    }
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        Televisit__V1__Problem p = TELEVISIT__V1__PROBLEM__INIT;
        struct tv_error e;
        p.type = tv_arena_strdup(arena, rows[i].type);
        p.status = rows[i].status;
        p.wanted_status = tv_arena_strdup(arena, "a word that is much too long to be a status");
        tv_problem_to_error(&p, &e);
        assert_int_equal(e.code, rows[i].code);
        assert_int_equal(e.members, 0);
    }
}

int main(void) {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_call_and_its_reply),
        TEST(test_the_context_travels),
        TEST(test_an_error_arrives_whole),
        TEST(test_nobody_there_is_told_in_words),
        TEST(test_failf),
        TEST(test_too_many_calls_are_refused),
        TEST(test_after_the_deadline_nobody_is_answered),
        TEST(test_headers),
        TEST(test_heads),
        TEST(test_a_head_is_understood),
        TEST(test_malformed_bodies),
        TEST(test_malformed_replies),
        TEST(test_actor_text),
        TEST(test_roles_are_those_of_the_proto),
        TEST(test_problems_of_all_errors_and_of_newer_peers),
    };
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
