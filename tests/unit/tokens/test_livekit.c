/* LiveKit's API as it answers, and as it should not: every answer ends in one of four outcomes, in
 * time, and no token is logged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/jwt.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/pb.h"
#include "services/tokens/livekit.h"
#include "tests/harness/livekit.h"
#include "tests/harness/raw.h"

#define PATIENCE_US (20 * TV_US_PER_S)
#define SECRET "0123456789abcdef0123456789abcdef"

/* -- the client under test ----------------------------------------------------------------------*/

static struct tv_loop *loop;
static struct tv_livekit *lk;
static unsigned failings;
static char logged[16384]; /* all lines of one test */

static void on_failing(void *ctx) { failings++; }

static void on_line(const char *line, size_t len) {
    size_t have = strlen(logged), room = sizeof logged - 1 - have;
    memcpy(logged + have, line, TV_MIN(len, room));
    logged[have + TV_MIN(len, room)] = '\0';
}

static int set_up(void **state) {
    loop = tv_loop_new();
    failings = 0;
    memset(logged, 0, sizeof logged);
    tv_log_set_sink(on_line);
    return 0;
}

static void use(const char *url, const char *key, const char *secret) {
    struct tv_livekit_config c = {
        .api_url = url, .api_key = key, .api_secret = tv_str(secret), .on_failing = on_failing};
    lk = tv_livekit_new(loop, &c);
}

static void use_raw(const struct test_raw *s) {
    static char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", test_raw_port(s));
    use(url, "key", SECRET);
}

static int tear_down(void **state) {
    tv_livekit_free(TV_TAKE_PTR(lk));
    tv_loop_free(loop);
    tv_metrics_done();
    tv_log_set_sink(NULL);
    assert_null(strstr(logged, "eyJ")); /* how every token begins */
    assert_null(strstr(logged, SECRET));
    return 0;
}

struct outcome {
    unsigned calls;
    enum tv_err err;
    uint32_t retry_after_s;
    char sid[64];
    size_t rooms, people;
};

static void on_done(void *ctx, enum tv_err err, const struct tv_error *e,
                    const ProtobufCMessage *reply) {
    struct outcome *o = ctx;
    o->calls++;
    o->err = err;
    o->retry_after_s = e->retry_after_s;
    assert_int_equal(e->code, err);
    assert_true((err == TV_OK) == (reply != NULL));
    if (reply != NULL && reply->descriptor == &livekit__room__descriptor)
        snprintf(o->sid, sizeof o->sid, "%s", ((const Livekit__Room *)(const void *)reply)->sid);
    if (reply != NULL && reply->descriptor == &livekit__list_rooms_response__descriptor)
        o->rooms = ((const Livekit__ListRoomsResponse *)(const void *)reply)->n_rooms;
    if (reply != NULL && reply->descriptor == &livekit__list_participants_response__descriptor)
        o->people =
            ((const Livekit__ListParticipantsResponse *)(const void *)reply)->n_participants;
}

static bool is_done(void *ctx) { return ((struct outcome *)ctx)->calls > 0; }

enum operation { CREATE, DELETE, FIND, LIST, PEOPLE, OPERATIONS };

static enum tv_err begin(enum operation operation, const char *room, struct outcome *o) {
    Livekit__CreateRoomRequest create = LIVEKIT__CREATE_ROOM_REQUEST__INIT;
    struct tv_error e = TV_ERROR_INIT;
    *o = (struct outcome){.calls = 0};
    create.name = (char *)(uintptr_t)room;
    create.empty_timeout = create.departure_timeout = 600;
    create.max_participants = 4;
    enum tv_err err = operation == CREATE   ? tv_livekit_create_room(lk, &create, on_done, o, &e)
                      : operation == DELETE ? tv_livekit_delete_room(lk, room, on_done, o, &e)
                      : operation == FIND   ? tv_livekit_find_room(lk, room, on_done, o, &e)
                      : operation == LIST   ? tv_livekit_list_rooms(lk, on_done, o, &e)
                                            : tv_livekit_list_people(lk, room, on_done, o, &e);
    assert_int_equal(o->calls, 0);
    assert_int_equal(e.code, err);
    assert_int_equal(e.retry_after_s, err == TV_OK ? 0 : 2);
    return err;
}

static enum tv_err call(enum operation operation, const char *room, struct outcome *o) {
    if (begin(operation, room, o) != TV_OK)
        return TV_ERR_MEDIA_UNAVAILABLE;
    assert_true(tv_loop_run_until(loop, is_done, o, PATIENCE_US));
    assert_int_equal(o->calls, 1);
    return o->err;
}

/* -- answers ------------------------------------------------------------------------------------*/

#define HTTP(status, type, body)                                                                   \
    "HTTP/1.1 " status "\r\nContent-Type: " type "\r\nConnection: close\r\n\r\n" body
#define CLOSE .then = TEST_RAW_CLOSE
#define PROTOBUF "application/protobuf"
#define JSON "application/json"
#define ROOM "\x0a\x04RM_1\x12\x06room_1"
#define AWAY TV_ERR_MEDIA_UNAVAILABLE

static const struct {
    const char *what;
    struct test_raw_step step;
    enum tv_err err;
    unsigned attempts;
    bool failing;
} answers[] = {
    {"a room", {HTTP("200 OK", PROTOBUF, ROOM), CLOSE}, TV_OK, 1, false},
    {"with a parameter",
     {HTTP("200 OK", "Application/Protobuf; x=1", ROOM), CLOSE},
     TV_OK,
     1,
     false},
    {"unknown fields", {HTTP("200 OK", PROTOBUF, ROOM "\xfa\x07\x01x"), CLOSE}, TV_OK, 1, false},
    {"not found",
     {HTTP("404 Not Found", JSON,
           "{\"code\":\"not_found\", \"msg\":\"x\", \"meta\":{\"a\":\"b\"}}"),
      CLOSE},
     TV_ERR_NOT_FOUND,
     1,
     false},
    {"a wrong path",
     {HTTP("404 Not Found", JSON, "{\"code\":\"bad_route\",\"msg\":\"x\"}"), CLOSE},
     AWAY,
     1,
     true},
    {"a proxy's 404",
     {HTTP("404 Not Found", "text/html", "<html>404</html>"), CLOSE},
     AWAY,
     1,
     true},
    {"a lying 404",
     {HTTP("404 Not Found", "text/html", "{\"code\":\"not_found\"}"), CLOSE},
     AWAY,
     1,
     true},
    {"404 without JSON", {HTTP("404 Not Found", JSON, "not_found"), CLOSE}, AWAY, 1, true},
    {"HTML", {HTTP("200 OK", "text/html", "<html>hello</html>"), CLOSE}, AWAY, 1, true},
    {"JSON", {HTTP("200 OK", JSON, "{\"sid\":\"RM_1\"}"), CLOSE}, AWAY, 1, true},
    {"no type", {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" ROOM, CLOSE}, AWAY, 1, true},
    {"garbage as protobuf", {HTTP("200 OK", PROTOBUF, "\xff\xff\xff"), CLOSE}, AWAY, 1, true},
    {"an empty room", {HTTP("200 OK", PROTOBUF, ""), CLOSE}, TV_OK, 1, false},
    {"plain 401",
     {HTTP("401 Unauthorized", "text/plain", "invalid token: eyJhbGciOi.x.y, error: signature"),
      CLOSE},
     AWAY,
     1,
     true},
    {"Twirp 401",
     {HTTP("401 Unauthorized", JSON, "{\"code\":\"unauthenticated\"}"), CLOSE},
     AWAY,
     1,
     true},
    {"400", {HTTP("400 Bad", JSON, "{\"code\":\"malformed\"}"), CLOSE}, AWAY, 1, true},
    {"500", {HTTP("500 Oops", JSON, "{\"code\":\"internal\"}"), CLOSE}, AWAY, 1, true},
    {"503", {HTTP("503 Away", JSON, "{\"code\":\"unavailable\"}"), CLOSE}, AWAY, 1, true},
    {"a redirect",
     {.text = "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"},
     AWAY,
     1,
     true},
    {"closed", {CLOSE}, AWAY, 2, true},
    {"reset", {.then = TEST_RAW_RESET}, AWAY, 2, true},
    {"no HTTP", {"hello\n\n", CLOSE}, AWAY, 2, true},
    {"10 MB", {"HTTP/1.1 200 OK\r\n\r\n", .filler = 10000000, CLOSE}, AWAY, 2, true},
};

static void test_answers(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(answers); i++) {
        struct test_raw *s = test_raw_start(&answers[i].step, 1);
        struct outcome o;
        use_raw(s);
        failings = 0;
        enum tv_err err = call(CREATE, "room_1", &o);
        if (err != answers[i].err || test_raw_requests(s) != answers[i].attempts ||
            failings != (answers[i].failing ? 1 : 0) || o.retry_after_s != (err == AWAY ? 2 : 0))
            fail_msg("%s: %d, %u attempts, %u", answers[i].what, err, test_raw_requests(s),
                     failings);
        tv_livekit_free(TV_TAKE_PTR(lk));
        test_raw_stop(s);
    }
    assert_non_null(strstr(logged, "LiveKit refuses our key"));
}

/* Whatever is asked for, what is no proper answer is none; also where long answers are proper. */
static void test_answers_to_all_operations(void **state) {
    static const struct {
        const char *what;
        struct test_raw_step step;
    } bad[] = {
        {"HTML", {HTTP("200 OK", "text/html", "<html>hello</html>"), CLOSE}},
        {"JSON", {HTTP("200 OK", JSON, "{\"rooms\":[],\"participants\":7}"), CLOSE}},
        {"garbage", {HTTP("200 OK", PROTOBUF, "\xff\xff\xff"), CLOSE}},
        {"cut", {HTTP("200 OK", PROTOBUF, "\x0a\x7f\x0a\x04RM_1"), CLOSE}},
        {"a sid of bad UTF-8", {HTTP("200 OK", PROTOBUF, "\x0a\x05\x0a\x03R\xff_"), CLOSE}},
        {"closed", {CLOSE}},
        {"10 MB", {HTTP("200 OK", PROTOBUF, ""), .filler = 10000000, CLOSE}},
        {"10 MB are said",
         {"HTTP/1.1 200 OK\r\nContent-Type: " PROTOBUF "\r\nContent-Length: 10000000\r\n\r\n",
          .filler = 10000000, CLOSE}},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(bad); i++) {
        for (enum operation op = FIND; op < OPERATIONS; op++) {
            struct test_raw *s = test_raw_start(&bad[i].step, 1);
            struct outcome o;
            use_raw(s);
            if (call(op, "room_1", &o) != AWAY)
                fail_msg("%s, operation %d: %d", bad[i].what, op, o.err);
            tv_livekit_free(TV_TAKE_PTR(lk));
            test_raw_stop(s);
        }
    }
}

/* One room of a list: of the least that it can say, nothing at all, and as LiveKit sends it (234
 * bytes), with fields that we do not know. */
#define CODEC                                                                                      \
    "\x3a\x0c\x0a\x0a"                                                                             \
    "audio/PCMU"
static const struct tv_str small_room = TV_S("\x0a\x0e\x0a\x04RM_1\x12\x06room_1");
static const struct tv_str no_room = TV_S("\x0a\x00");
static const struct tv_str real_room =
    TV_S("\x0a\xe7\x01\x0a\x04RM_1\x12\x06room_1\x28\x82\x97\x8e\xd8\x06\x50\xd8\x04\x70\xd8\x04"
         "\x32\x2b"
         "0123456789012345678901234567890123456789012" CODEC CODEC CODEC CODEC CODEC CODEC CODEC
             CODEC CODEC CODEC "\x42\x12"
         "012345678901234567");

/* An answer with `count` of them. Returns owned. */
static char *list_of(struct tv_str room, size_t count, size_t *ret_len) {
    struct tv_buf answer = TV_BUF_INIT(64 << 20);
    tv_buf_printf(&answer,
                  "HTTP/1.1 200 OK\r\nContent-Type: " PROTOBUF "\r\nContent-Length: %zu\r\n\r\n",
                  room.len * count);
    for (size_t i = 0; i < count; i++)
        tv_buf_str(&answer, room);
    *ret_len = answer.len;
    return answer.data;
}

static void test_long_lists(void **state) {
    const struct {
        struct tv_str room;
        size_t count;
        enum operation operation;
        enum tv_err err;
    } cases[] = {
        {small_room, 25000, LIST, TV_OK}, /* 400 KB: more than one message of ours may have */
        {real_room, 30000, LIST, TV_OK},  /* 7 MB */
        {real_room, 40000, LIST, AWAY},   /* 9 MB */
        {no_room, 4000000, LIST, AWAY},   /* 8 MB that would become 500 */
        {small_room, 25000, FIND, AWAY},  /* who asks for one room does not get all of them */
    };
    assert_int_equal(real_room.len, 234);
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        struct test_raw_step step = {CLOSE};
        char *text = list_of(cases[i].room, cases[i].count, &step.len);
        step.text = text;
        struct test_raw *s = test_raw_start(&step, 1);
        struct outcome o;
        use_raw(s);
        if (call(cases[i].operation, "room_1", &o) != cases[i].err)
            fail_msg("case %zu: %d", i, o.err);
        assert_int_equal(o.rooms, cases[i].err == TV_OK ? cases[i].count : 0);
        tv_livekit_free(TV_TAKE_PTR(lk));
        test_raw_stop(s);
        free(text);
    }
}

/* The token of one call, as it came there. */
static struct tv_str sent_claims(struct test_raw *s, struct tv_arena *a) {
    size_t len;
    char *request = test_raw_last(s, &len);
    const char *bearer = strstr(request, "\r\nAuthorization: Bearer ") + 24;
    struct tv_jwt_key key = {NULL, TV_S(SECRET)};
    struct tv_str claims = {NULL, 0};
    assert_int_equal(tv_jwt_verify(&key, 1, NULL, (struct tv_str){bearer, strcspn(bearer, "\r")}, a,
                                   &claims, NULL),
                     TV_OK);
    free(request);
    return claims;
}

/* Who looks into a room gets a token for that room; it is not kept for other calls. */
static void test_a_look_has_its_own_token(void **state) {
    static const struct test_raw_step step = {HTTP("200 OK", PROTOBUF, ""), CLOSE};
    struct test_raw *s = test_raw_start(&step, 1);
    struct tv_arena *a = tv_arena_new();
    struct outcome o;
    size_t len;
    use_raw(s);
    assert_int_equal(call(PEOPLE, "room_\"1", &o), TV_OK);
    char *request = test_raw_last(s, &len);
    assert_non_null(strstr(request, "/twirp/livekit.RoomService/ListParticipants HTTP/1.1\r\n"));
    assert_memory_equal(request + len - 9, "\x0a\x07room_\"1", 9);
    free(request);
    ProtobufCMessage *m = NULL;
    assert_int_equal(
        tv_pb_from_json(&livekit__access_token__descriptor, sent_claims(s, a), 0, a, &m, NULL),
        TV_OK);
    const Livekit__AccessToken *t = (const void *)m;
    assert_string_equal(t->video->room, "room_\"1");
    assert_true(t->video->room_admin);
    assert_false(t->video->room_create || t->video->room_list || t->video->room_join);
    assert_true(t->exp - t->nbf == 70);
    assert_int_equal(call(LIST, NULL, &o), TV_OK);
    assert_non_null(strstr(tv_arena_str(a, sent_claims(s, a)), "\"roomList\":true"));
    tv_arena_free(a);
    test_raw_stop(s);
}

static void test_what_is_sent(void **state) {
    static const struct test_raw_step step = {HTTP("200 OK", PROTOBUF, ROOM), CLOSE};
    struct test_raw *s = test_raw_start(&step, 1);
    struct outcome o;
    size_t len;
    use_raw(s);
    assert_int_equal(call(CREATE, "room_1", &o), TV_OK);
    assert_string_equal(o.sid, "RM_1");
    char *request = test_raw_last(s, &len);
    assert_memory_equal(request, "POST /twirp/livekit.RoomService/CreateRoom HTTP/1.1\r\n", 53);
    assert_non_null(strstr(request, "\r\nContent-Type: application/protobuf\r\n"));
    static const char body[] = "\r\n\r\n\x0a\x06room_1\x10\xd8\x04\x18\x04\x50\xd8\x04";
    assert_memory_equal(request + len - (sizeof body - 1), body, sizeof body - 1);

    const char *bearer = strstr(request, "\r\nAuthorization: Bearer ") + 24;
    struct tv_arena *a = tv_arena_new();
    struct tv_jwt_key key = {NULL, TV_S(SECRET)};
    struct tv_str claims;
    struct tv_error e;
    assert_int_equal(tv_jwt_verify(&key, 1, NULL, (struct tv_str){bearer, strcspn(bearer, "\r")}, a,
                                   &claims, &e),
                     TV_OK);
    int64_t now_s = tv_clock_wall_us() / TV_US_PER_S;
    bool as_expected = false;
    for (int64_t s_ago = 0; s_ago < 20 && !as_expected; s_ago++) { /* it was made a moment ago */
        as_expected =
            tv_str_eqz(claims, tv_arena_printf(a,
                                               "{\"exp\":%lld,\"iss\":\"key\",\"nbf\":%lld,"
                                               "\"video\":{\"roomCreate\":true,\"roomList\":true}}",
                                               (long long)(now_s - s_ago + 60),
                                               (long long)(now_s - s_ago - 10)));
    }
    assert_true(as_expected);
    tv_arena_free(a);
    free(request);
    test_raw_stop(s);
}

static void test_a_lost_connection_is_tried_once_more(void **state) {
    static const struct test_raw_step steps[] = {{.then = TEST_RAW_RESET},
                                                 {HTTP("200 OK", PROTOBUF, ROOM), CLOSE}};
    struct test_raw *s = test_raw_start(steps, TV_ARRAY_LEN(steps));
    struct outcome o;
    use_raw(s);
    assert_int_equal(call(CREATE, "room_1", &o), TV_OK);
    assert_int_equal(test_raw_requests(s), 2);
    assert_int_equal(failings, 0);
    test_raw_stop(s);
}

static void test_silence_is_cut(void **state) {
    static const struct test_raw_step steps[] = {{.then = TEST_RAW_HANG}};
    struct test_raw *s = test_raw_start(steps, 1);
    struct outcome o;
    use_raw(s);
    int64_t began_us = tv_clock_mono_us();
    assert_int_equal(call(DELETE, "room_1", &o), AWAY);
    int64_t took_us = tv_clock_mono_us() - began_us;
    assert_true(took_us >= 1500 * TV_US_PER_MS && took_us < PATIENCE_US / 2);
    assert_int_equal(test_raw_requests(s), 1); /* the budget is spent */
    test_raw_stop(s);
}

/* -- the circuit --------------------------------------------------------------------------------*/

static bool is_over(void *ctx) { return *(bool *)ctx; }
static void on_over(void *ctx) { *(bool *)ctx = true; }

/* The circuit stays open for a time: that time has to pass. */
static void pass(int64_t us) {
    bool over = false;
    struct tv_timer *t = tv_timer_new(loop, on_over, &over);
    tv_timer_set(t, us);
    assert_true(tv_loop_run_until(loop, is_over, &over, PATIENCE_US));
    tv_timer_free(t);
}

static void test_circuit(void **state) {
    static const struct test_raw_step steps[] = {
        {HTTP("500 Oops", JSON, "{}"), CLOSE},   {HTTP("500 Oops", JSON, "{}"), CLOSE},
        {HTTP("200 OK", PROTOBUF, ROOM), CLOSE}, /* a success begins the count again */
        {HTTP("500 Oops", JSON, "{}"), CLOSE},   {HTTP("500 Oops", JSON, "{}"), CLOSE},
        {HTTP("500 Oops", JSON, "{}"), CLOSE}, /* open */
        {HTTP("500 Oops", JSON, "{}"), CLOSE}, /* the watch may ask all the same */
        {HTTP("500 Oops", JSON, "{}"), CLOSE}, /* the one that tries: open again */
        {HTTP("200 OK", PROTOBUF, ROOM), CLOSE}};
    struct test_raw *s = test_raw_start(steps, TV_ARRAY_LEN(steps));
    struct outcome o, other;
    use_raw(s);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(call(CREATE, "room_1", &o), i == 2 ? TV_OK : AWAY);
    assert_int_equal(test_raw_requests(s), 6);
    assert_int_equal(begin(CREATE, "room_1", &o), AWAY); /* at once */
    assert_int_equal(begin(DELETE, "room_1", &o), AWAY);
    assert_int_equal(test_raw_requests(s), 6);
    assert_int_equal(call(FIND, "room_1", &o), AWAY);
    assert_int_equal(test_raw_requests(s), 7);

    pass(350 * TV_US_PER_MS);
    assert_int_equal(begin(CREATE, "room_1", &o), TV_OK);
    assert_int_equal(begin(CREATE, "room_1", &other), AWAY); /* one tries, not all */
    assert_true(tv_loop_run_until(loop, is_done, &o, PATIENCE_US));
    assert_int_equal(o.err, AWAY);
    assert_int_equal(begin(CREATE, "room_1", &o), AWAY);

    pass(350 * TV_US_PER_MS);
    assert_null(strstr(logged, "LiveKit answers again"));
    assert_int_equal(call(CREATE, "room_1", &o), TV_OK);
    assert_int_equal(call(CREATE, "room_1", &o), TV_OK);
    assert_int_equal(test_raw_requests(s), 10);
    unsigned lines = 0; /* not of those that tried in vain */
    for (const char *at = logged; (at = strstr(at, "gave no proper answer")) != NULL; at++)
        lines++;
    assert_int_equal(lines, 5);
    assert_non_null(strstr(logged, "LiveKit answers again"));
    test_raw_stop(s);
}

static void test_free_ends_calls(void **state) {
    static const struct test_raw_step step = {.then = TEST_RAW_HANG};
    struct test_raw *s = test_raw_start(&step, 1);
    struct outcome o;
    use_raw(s);
    assert_int_equal(begin(CREATE, "room_1", &o), TV_OK);
    tv_livekit_free(TV_TAKE_PTR(lk));
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.err, AWAY);
    test_raw_stop(s);
}

/* -- the real one -------------------------------------------------------------------------------*/

static void test_a_real_server(void **state) {
    struct test_livekit server = test_livekit_start(NULL);
    struct outcome o, again;
    use(server.url, server.key, server.secret);
    assert_int_equal(call(FIND, "room_1", &o), TV_OK);
    assert_int_equal(o.rooms, 0);
    assert_int_equal(call(CREATE, "room_1", &o), TV_OK);
    assert_memory_equal(o.sid, "RM_", 3);
    assert_int_equal(call(CREATE, "room_1", &again), TV_OK);
    assert_string_equal(again.sid, o.sid);
    assert_int_equal(call(FIND, "room_1", &o), TV_OK);
    assert_int_equal(o.rooms, 1);
    assert_int_equal(call(DELETE, "room_1", &o), TV_OK);
    assert_int_equal(call(DELETE, "room_1", &o), TV_ERR_NOT_FOUND);
    assert_int_equal(call(FIND, "room_1", &o), TV_OK);
    assert_int_equal(o.rooms, 0);
    assert_int_equal(call(PEOPLE, "room_1", &o), TV_OK); /* of no room: nobody */
    assert_int_equal(o.people, 0);
    assert_int_equal(call(CREATE, "room_2", &o), TV_OK);
    assert_int_equal(call(CREATE, "room_3", &o), TV_OK);
    assert_int_equal(call(PEOPLE, "room_3", &o), TV_OK);
    assert_int_equal(o.people, 0);
    assert_int_equal(call(LIST, NULL, &o), TV_OK);
    assert_int_equal(o.rooms, 2);
    assert_int_equal(failings, 0);
    tv_livekit_free(TV_TAKE_PTR(lk));

    use(server.url, server.key, SECRET "-which-is-wrong"); /* the answer repeats the token */
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(call(CREATE, "room_1", &o), AWAY);
    const char *first = strstr(logged, "LiveKit refuses our key");
    assert_non_null(first);
    assert_null(strstr(first + 1, "LiveKit refuses our key")); /* once is enough */
    tv_livekit_free(TV_TAKE_PTR(lk));

    test_livekit_kill(&server);
    use(server.url, server.key, server.secret);
    assert_int_equal(call(CREATE, "room_1", &o), AWAY);
    assert_int_equal(failings, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    tv_crypto_init();
    tv_log_init("test", "0", TV_LOG_INFO);
    const struct CMUnitTest tests[] = {
        TEST(test_answers),         TEST(test_answers_to_all_operations),
        TEST(test_long_lists),      TEST(test_a_look_has_its_own_token),
        TEST(test_what_is_sent),    TEST(test_a_lost_connection_is_tried_once_more),
        TEST(test_silence_is_cut),  TEST(test_circuit),
        TEST(test_free_ends_calls), TEST(test_a_real_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
