/* fixture.h - the service as the others see it: over NATS, with a real LiveKit behind it, whose
 * webhooks come to a server of the test. For the test programs of this folder. */
#ifndef TV_TEST_TOKENS_FIXTURE_H
#define TV_TEST_TOKENS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/metrics.h"
#include "lib/pb.h"
#include "services/tokens/grant.h"
#include "services/tokens/tokens.h"
#include "televisit/v1/tokens.pb-c.h"
#include "tests/harness/livekit.h"
#include "tests/harness/nats.h"
#include "tests/harness/raw.h"

#define PATIENCE_US (20 * TV_US_PER_S)
#define GRANT_KEY_TEXT "3031323334353637383961626364656630313233343536373839616263646566"
#define TYPE(name) TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__##name

static const unsigned char grant_key[TV_SEAL_KEY_BYTES] = "0123456789abcdef0123456789abcdef";

/* -- one of everything --------------------------------------------------------------------------*/

static struct {
    struct test_nats nats;
    struct test_livekit livekit;
    struct test_raw *hooks; /* where LiveKit sends its webhooks */
    struct tokens_conf conf;
    struct tv_loop *loop;
    struct tv_bus *bus;    /* of the service */
    struct tv_bus *caller; /* of who asks */
    struct tokens *tokens;
    struct tv_arena *arena;
} t;

/* -- asking -------------------------------------------------------------------------------------*/

struct answer {
    unsigned calls;
    enum tv_err err;
    struct tv_error e;
    const ProtobufCMessage *reply;
};

static void on_reply(void *ctx, enum tv_err err, const struct tv_error *e,
                     ProtobufCMessage *reply) {
    struct answer *a = ctx;
    a->calls++;
    a->err = err;
    a->e = *e;
    a->reply = reply;
}

static bool is_answered(void *ctx) { return ((struct answer *)ctx)->calls > 0; }

enum method { ISSUE, CLOSE_ROOM, READ_WEBHOOK, MAKE_ROOM, LOOK, LIST_ROOMS, PROBE };

static void ask(enum method method, const ProtobufCMessage *request, struct answer *a) {
    const ProtobufCServiceDescriptor *s = &televisit__v1__tokens__descriptor;
    struct tv_context context = {.actor = {.role = TV_ROLE_SERVICE},
                                 .deadline_us = tv_clock_mono_us() + PATIENCE_US};
    *a = (struct answer){.calls = 0};
    (void)tv_rpc_call(t.caller, s, &s->methods[method], &context, request, t.arena, on_reply, a);
}

static void wait_for(struct answer *a) {
    assert_true(tv_loop_run_until(t.loop, is_answered, a, PATIENCE_US));
    assert_int_equal(a->calls, 1);
}

/* A grant as appointments makes it, issued now, for an hour. */
static struct tv_str sealed(const char *room, const char *identity, int type,
                            const unsigned char *key) {
    Televisit__V1__Grant g = TELEVISIT__V1__GRANT__INIT;
    int64_t now_us = tv_clock_wall_us();
    g.room = tv_arena_strdup(t.arena, room);
    g.identity = tv_arena_strdup(t.arena, identity);
    g.participant_type = (Televisit__V1__ParticipantType__Value)type;
    g.issued_at = tv_pb_time(now_us, t.arena);
    g.sealed_at = g.issued_at;
    g.valid_until = tv_pb_time(now_us + 10 * TV_US_PER_S, t.arena);
    g.closes_at = tv_pb_time(now_us + 3600 * TV_US_PER_S, t.arena);
    g.participants_max = 4;
    struct tv_str bytes = tv_pb_pack(&g.base, t.arena);
    char *text = tv_arena_alloc(t.arena, bytes.len + TV_SEAL_BYTES);
    memcpy(text, bytes.p, bytes.len);
    tv_seal(bytes, key, (unsigned char *)text + bytes.len);
    return (struct tv_str){text, bytes.len + TV_SEAL_BYTES};
}

static void ask_issue(struct tv_str grant, struct answer *a) {
    Televisit__V1__IssueRequest request = TELEVISIT__V1__ISSUE_REQUEST__INIT;
    request.sealed_grant = (ProtobufCBinaryData){grant.len, (uint8_t *)(uintptr_t)grant.p};
    ask(ISSUE, &request.base, a);
}

static const Televisit__V1__IssueReply *issue(const char *room, const char *identity, int type) {
    struct answer a;
    ask_issue(sealed(room, identity, type, grant_key), &a);
    wait_for(&a);
    assert_int_equal(a.err, TV_OK);
    return (const void *)a.reply;
}

static enum tv_err close_room(const char *room) {
    Televisit__V1__CloseRoomRequest request = TELEVISIT__V1__CLOSE_ROOM_REQUEST__INIT;
    struct answer a;
    request.room = (char *)(uintptr_t)room;
    ask(CLOSE_ROOM, &request.base, &a);
    wait_for(&a);
    return a.err;
}

/* -- setting up ---------------------------------------------------------------------------------*/

static bool are_connected(void *ctx) {
    return tv_bus_connected(t.bus) && tv_bus_connected(t.caller);
}

/* The NATS server has heard of the service: a request that is refused came there. */
static bool is_served(void *ctx) { return close_room("") == TV_ERR_INVALID; }

static int set_up_servers(void **state) {
    static const struct test_raw_step taken = {.text = TEST_RAW_HEAD("200 OK", "text/plain", "0")};
    char url[64];
    t.hooks = test_raw_start(&taken, 1);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/webhook", test_raw_port(t.hooks));
    t.nats = test_nats_start(NULL);
    t.livekit = test_livekit_start(url);
    return 0;
}

static int tear_down_servers(void **state) {
    test_livekit_stop(&t.livekit);
    test_nats_stop(&t.nats);
    test_raw_stop(t.hooks);
    return 0;
}

/* `api_url` NULL: that of LiveKit. */
static void begin(const char *api_url) {
    struct tv_error e = TV_ERROR_INIT;
    struct tv_bus_config service = {
        .url = t.nats.url, .name = "tokens", .version = "0.1.0", .description = "tokens"};
    struct tv_bus_config caller = {
        .url = t.nats.url, .name = "gateway", .version = "0.1.0", .description = "gateway"};
    t.conf = (struct tokens_conf){.livekit_url = t.livekit.url,
                                  .livekit_api_url = api_url,
                                  .api_key = t.livekit.key,
                                  .api_secret = t.livekit.secret,
                                  .grant_key = GRANT_KEY_TEXT};
    t.loop = tv_loop_new();
    t.arena = tv_arena_new();
    assert_int_equal(tv_bus_new(t.loop, &service, &t.bus, &e), TV_OK);
    assert_int_equal(tv_bus_new(t.loop, &caller, &t.caller, &e), TV_OK);
    assert_int_equal(tokens_new(t.loop, t.bus, &t.conf, &t.tokens, &e), TV_OK);
    assert_true(tv_loop_run_until(t.loop, are_connected, NULL, PATIENCE_US));
    assert_true(test_until(is_served, NULL, PATIENCE_US / TV_US_PER_MS));
}

static int set_up(void **state) {
    begin(NULL);
    return 0;
}

static int tear_down(void **state) {
    tv_bus_free(t.caller);
    tv_bus_free(t.bus);
    tokens_free(t.tokens);
    tv_loop_free(t.loop);
    tv_arena_free(t.arena);
    tv_metrics_done();
    return 0;
}

#endif
