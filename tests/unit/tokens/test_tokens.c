/* Tokens, and the rooms that they open: asked for over NATS, with a real LiveKit behind. */
#include "tests/unit/tokens/fixture.h"

#include <signal.h>

#include <google/protobuf/empty.pb-c.h>

#include "lib/jwt.h"
#include "lib/log.h"

/* -- tests --------------------------------------------------------------------------------------*/

static void test_issue(void **state) {
    int64_t now_s = tv_clock_wall_us() / TV_US_PER_S;
    const Televisit__V1__IssueReply *reply = issue("room_issue", "p_1", TYPE(GUEST));
    assert_string_equal(reply->server_url, t.livekit.url);
    int64_t expires_s = reply->expires_at->seconds;
    assert_true(expires_s >= now_s + 600 && expires_s < now_s + 620);

    struct tv_jwt_key key = {NULL, tv_str(t.livekit.secret)};
    struct tv_str claims;
    assert_int_equal(tv_jwt_verify(&key, 1, NULL, tv_str(reply->token), t.arena, &claims, NULL),
                     TV_OK);
    assert_true(tv_str_eqz(
        claims,
        tv_arena_printf(t.arena,
                        "{\"exp\":%lld,\"iss\":\"%s\",\"nbf\":%lld,\"sub\":\"p_1\","
                        "\"video\":{\"canPublish\":true,\"canPublishData\":true,"
                        "\"canPublishSources\":[\"camera\",\"microphone\"],"
                        "\"canSubscribe\":true,\"room\":\"room_issue\",\"roomJoin\":true}}",
                        (long long)expires_s, t.livekit.key, (long long)(expires_s - 610))));
    assert_int_equal(test_livekit_validate(&t.livekit, reply->token), 200);
}

/* A token alone opens nothing: the room has to be made, and only this service makes rooms. */
static void test_a_room_that_nobody_made(void **state) {
    struct tv_jwt_key key = {NULL, tv_str(t.livekit.secret)};
    int64_t now_s = tv_clock_wall_us() / TV_US_PER_S;
    struct tv_grant grant = {.room = "room_nobody_made",
                             .identity = "p_1",
                             .type = TYPE(DOCTOR),
                             .now_s = now_s,
                             .expires_s = now_s + 600};
    struct tv_str token;
    assert_int_equal(tv_jwt_sign(&key, NULL, tv_grant_claims(&grant, t.livekit.key, t.arena),
                                 t.arena, &token, NULL),
                     TV_OK);
    assert_int_equal(test_livekit_validate(&t.livekit, token.p), 404);
    (void)issue("room_nobody_made", "p_2", TYPE(PATIENT));
    assert_int_equal(test_livekit_validate(&t.livekit, token.p), 200);
}

static void test_bad_grants(void **state) {
    static const unsigned char other[TV_SEAL_KEY_BYTES] = "another key of thirty-two bytes";
    struct tv_str good = sealed("room_bad", "p_1", TYPE(DOCTOR), grant_key);
    const struct {
        struct tv_str grant;
        enum tv_err err;
    } cases[] = {
        {sealed("room_bad", "p_1", TYPE(DOCTOR), other), TV_ERR_FORBIDDEN},
        {{good.p, good.len - 1}, TV_ERR_FORBIDDEN},
        {{"", 0}, TV_ERR_FORBIDDEN},
        {sealed("", "p_1", TYPE(DOCTOR), grant_key), TV_ERR_INTERNAL},
        {sealed("room_bad", "p_1", TYPE(UNSPECIFIED), grant_key), TV_ERR_INTERNAL},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        struct answer a;
        ask_issue(cases[i].grant, &a);
        wait_for(&a);
        assert_int_equal(a.err, cases[i].err);
    }
    assert_int_equal(tv_rooms_count(t.tokens->rooms), 0);
}

static double made_rooms(void) {
    char text[256] = "";
    struct tv_buf all = TV_BUF_INIT(1 << 20);
    tv_metrics_write(&all);
    const char *at = strstr(all.data, "tv_tokens_room_lookups_total{result=\"made\"} ");
    if (at != NULL)
        snprintf(text, sizeof text, "%.20s", strchr(at, ' ') + 1);
    tv_buf_done(&all);
    return strtod(text, NULL);
}

static void test_a_crowd_makes_one_room(void **state) {
    struct answer answers[100];
    for (size_t i = 0; i < TV_ARRAY_LEN(answers); i++)
        ask_issue(sealed("room_crowd", "p_1", TYPE(PATIENT), grant_key), &answers[i]);
    for (size_t i = 0; i < TV_ARRAY_LEN(answers); i++) {
        wait_for(&answers[i]);
        assert_int_equal(answers[i].err, TV_OK);
    }
    assert_true(made_rooms() == 1);
}

static void test_close(void **state) {
    const Televisit__V1__IssueReply *reply = issue("room_close", "p_1", TYPE(PATIENT));
    assert_int_equal(test_livekit_validate(&t.livekit, reply->token), 200);
    assert_int_equal(close_room("room_close"), TV_OK);
    assert_int_equal(test_livekit_validate(&t.livekit, reply->token), 404); /* an old token */
    assert_false(tv_rooms_known(t.tokens->rooms, "room_close"));
    assert_int_equal(close_room("room_close"), TV_OK);
    assert_int_equal(close_room("room_that_never_was"), TV_OK);
    static char long_name[TV_GRANT_NAME_MAX + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    assert_int_equal(close_room(""), TV_ERR_INVALID);
    assert_int_equal(close_room(long_name), TV_ERR_INVALID);
}

/* Whichever comes first: after both there is no room. */
static void test_close_while_it_is_made(void **state) {
    Televisit__V1__CloseRoomRequest request = TELEVISIT__V1__CLOSE_ROOM_REQUEST__INIT;
    struct answer issued, closed;
    request.room = tv_arena_strdup(t.arena, "room_race");
    ask_issue(sealed("room_race", "p_1", TYPE(PATIENT), grant_key), &issued);
    ask(CLOSE_ROOM, &request.base, &closed);
    wait_for(&issued);
    wait_for(&closed);
    assert_int_equal(issued.err, TV_OK);
    assert_int_equal(closed.err, TV_OK);
    const Televisit__V1__IssueReply *reply = (const void *)issued.reply;
    assert_int_equal(test_livekit_validate(&t.livekit, reply->token), 404);
}

static bool is_issued(void *ctx) {
    struct answer a;
    ask_issue(sealed("room_down", "p_1", TYPE(PATIENT), grant_key), &a);
    wait_for(&a);
    return a.err == TV_OK;
}

static void test_livekit_down_and_back(void **state) {
    (void)issue("room_down", "p_1", TYPE(PATIENT));
    test_livekit_kill(&t.livekit);
    assert_int_equal(close_room("room_other"), TV_ERR_MEDIA_UNAVAILABLE);
    for (unsigned i = 0; i < 5; i++) { /* first because nobody answers, then by the circuit */
        struct answer a;
        int64_t began_us = tv_clock_mono_us();
        ask_issue(sealed("room_down", "p_1", TYPE(PATIENT), grant_key), &a);
        wait_for(&a);
        assert_int_equal(a.err, TV_ERR_MEDIA_UNAVAILABLE);
        assert_int_equal(a.e.retry_after_s, 2);
        assert_true(tv_clock_mono_us() - began_us < 3 * TV_US_PER_S);
    }
    test_livekit_restart(&t.livekit);
    assert_true(test_until(is_issued, NULL, 10000));
    const Televisit__V1__IssueReply *reply = issue("room_down", "p_1", TYPE(PATIENT));
    assert_int_equal(test_livekit_validate(&t.livekit, reply->token), 200); /* made again */
}

static bool is_under_way(void *ctx) { return tv_rpc_in_flight(t.tokens->server) == 2; }

/* A stop that waits no longer: nothing leaks, nothing crashes, and who asked is told. */
static void test_stop_while_livekit_is_silent(void **state) {
    struct answer issued, closed;
    Televisit__V1__CloseRoomRequest request = TELEVISIT__V1__CLOSE_ROOM_REQUEST__INIT;
    request.room = tv_arena_strdup(t.arena, "room_stop");
    test_signal(t.livekit.proc, SIGSTOP);
    ask_issue(sealed("room_stop", "p_1", TYPE(PATIENT), grant_key), &issued);
    ask(CLOSE_ROOM, &request.base, &closed);
    assert_true(tv_loop_run_until(t.loop, is_under_way, NULL, PATIENCE_US));
    tv_bus_free(t.bus);
    tokens_free(t.tokens);
    t.bus = NULL;
    t.tokens = NULL;
    test_signal(t.livekit.proc, SIGCONT);
    assert_true(issued.calls == 0 && closed.calls == 0);
    tv_bus_free(t.caller);
    t.caller = NULL;
    assert_true(issued.calls == 1 && issued.err == TV_ERR_UNAVAILABLE);
    assert_true(closed.calls == 1 && closed.err == TV_ERR_UNAVAILABLE);
}

static void test_configuration(void **state) {
    static const struct {
        const char *url, *api_url;
    } urls[] = {
        {"ws://localhost:7880", "http://localhost:7880"},
        {"wss://live.example.org", "https://live.example.org"},
        {"wss://live.example.org/", "https://live.example.org"},
        {"wss://example.org/live//", "https://example.org/live"},
        {"http://localhost:7880", "http://localhost:7880"},
        {"https://live.example.org/", "https://live.example.org"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(urls); i++) {
        char *api_url = tokens_api_url(urls[i].url);
        assert_string_equal(api_url, urls[i].api_url);
        free(api_url);
    }
    struct tokens_conf bad = t.conf;
    struct tokens *none = NULL;
    struct tv_error e = TV_ERROR_INIT;
    bad.grant_key = "not a key, though it is forty-three bytes..";
    assert_int_equal(tokens_new(t.loop, t.bus, &bad, &none, &e), TV_ERR_INVALID);
    assert_null(none);
    assert_string_equal(e.detail, "TELEVISIT_GRANT_KEY: line 1 is neither 64 hex digits nor "
                                  "base64url of 32 bytes");
    bad = t.conf;
    bad.webhook_keys = "key:0123456789abcdef0123456789abcdef\nhush-hush";
    assert_int_equal(tokens_new(t.loop, t.bus, &bad, &none, &e), TV_ERR_INVALID);
    assert_null(none);
    assert_string_equal(e.detail, "LIVEKIT_WEBHOOK_KEYS: line 2 is not of the form key:secret");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    tv_crypto_init();
    tv_log_init("test", "0", TV_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        TEST(test_issue),
        TEST(test_a_room_that_nobody_made),
        TEST(test_bad_grants),
        TEST(test_a_crowd_makes_one_room),
        TEST(test_close),
        TEST(test_close_while_it_is_made),
        TEST(test_livekit_down_and_back),
        TEST(test_stop_while_livekit_is_silent),
        TEST(test_configuration),
    };
    return cmocka_run_group_tests(tests, set_up_servers, tear_down_servers);
}
