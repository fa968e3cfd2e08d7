/* What running calls need: webhooks read, rooms looked at, listed, watched and made again. */
#include "tests/unit/tokens/fixture.h"

#include "lib/jwt.h"
#include "lib/log.h"
#include "services/tokens/view.h"
#include "services/tokens/webhook.h"
#include "televisit/v1/calls.pb-c.h"

static char *text(const char *z) { return tv_arena_strdup(t.arena, z); }

static enum tv_err asked(enum method method, const ProtobufCMessage *request,
                         const ProtobufCMessage **ret) {
    struct answer a;
    ask(method, request, &a);
    wait_for(&a);
    *ret = a.reply;
    return a.err;
}

static void ask_make(const char *room, int32_t open_s, int32_t places, struct answer *a) {
    Televisit__V1__MakeRoomRequest request = TELEVISIT__V1__MAKE_ROOM_REQUEST__INIT;
    request.room = text(room);
    request.open_s = open_s;
    request.participants_max = places;
    ask(MAKE_ROOM, &request.base, a);
}

static enum tv_err make(const char *room) {
    struct answer a;
    ask_make(room, 3600, 4, &a);
    wait_for(&a);
    return a.err;
}

static enum tv_err look(const char *room, const Televisit__V1__RoomView **ret) {
    Televisit__V1__LookRequest request = TELEVISIT__V1__LOOK_REQUEST__INIT;
    const ProtobufCMessage *reply;
    request.room = text(room);
    enum tv_err err = asked(LOOK, &request.base, &reply);
    *ret = (const void *)reply;
    return err;
}

static enum tv_err list(const char *after, int32_t limit,
                        const Televisit__V1__ListRoomsReply **ret) {
    Televisit__V1__ListRoomsRequest request = TELEVISIT__V1__LIST_ROOMS_REQUEST__INIT;
    const ProtobufCMessage *reply;
    request.after = text(after);
    request.limit = limit;
    enum tv_err err = asked(LIST_ROOMS, &request.base, &reply);
    *ret = (const void *)reply;
    return err;
}

static enum tv_err probe(const char *room, const char **ret_sid) {
    Televisit__V1__ProbeRequest request = TELEVISIT__V1__PROBE_REQUEST__INIT;
    const ProtobufCMessage *reply;
    request.room = text(room);
    enum tv_err err = asked(PROBE, &request.base, &reply);
    *ret_sid =
        err == TV_OK ? ((const Televisit__V1__ProbeReply *)(const void *)reply)->room_sid : NULL;
    return err;
}

static const char *sid_of(const char *room) {
    const char *sid;
    assert_int_equal(probe(room, &sid), TV_OK);
    return sid;
}

/* -- behind the service's back ------------------------------------------------------------------*/

static void on_deleted(void *ctx, enum tv_err err, const struct tv_error *e,
                       const ProtobufCMessage *reply) {
    *(bool *)ctx = true;
    assert_int_equal(err, TV_OK);
}

static bool is_true(void *ctx) { return *(bool *)ctx; }

/* As somebody else would: another replica, say. */
static void delete_unseen(const char *room) {
    struct tv_error e;
    bool deleted = false;
    assert_int_equal(tv_livekit_delete_room(t.tokens->livekit, room, on_deleted, &deleted, &e),
                     TV_OK);
    assert_true(tv_loop_run_until(t.loop, is_true, &deleted, PATIENCE_US));
}

/* -- rooms --------------------------------------------------------------------------------------*/

static void test_look(void **state) {
    const Televisit__V1__RoomView *view;
    assert_int_equal(look("room_look", &view), TV_OK);
    assert_string_equal(view->room, "room_look");
    assert_string_equal(view->room_sid, "");
    assert_int_equal(make("room_look"), TV_OK);
    assert_int_equal(look("room_look", &view), TV_OK);
    assert_memory_equal(view->room_sid, "RM_", 3);
    assert_string_equal(view->room_sid, sid_of("room_look"));
    assert_true(view->created_age_ms >= 0 && view->created_age_ms < 60000);
    assert_int_equal(view->n_people, 0);
    assert_int_equal(look("", &view), TV_ERR_INVALID);

    (void)issue("room_other", "p_1", TYPE(PATIENT));
    assert_int_equal(tv_rooms_count(t.tokens->rooms), 2);
    delete_unseen("room_look"); /* a room that is over is missing, and the others are not */
    assert_int_equal(look("room_look", &view), TV_OK);
    assert_string_equal(view->room_sid, "");
    assert_true(tv_rooms_known(t.tokens->rooms, "room_other"));
    assert_int_equal(tv_rooms_count(t.tokens->rooms), 1);
}

static void test_make(void **state) {
    static char long_name[TV_VIEW_NAME_MAX + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    static const struct {
        const char *room;
        int32_t open_s, places;
    } bad[] = {{"", 60, 4},       {long_name, 60, 4}, {"room_x", 0, 4},
               {"room_x", -1, 4}, {"room_x", 60, 0},  {"room_x", 60, INT32_MIN}};
    for (size_t i = 0; i < TV_ARRAY_LEN(bad); i++) {
        struct answer a;
        ask_make(bad[i].room, bad[i].open_s, bad[i].places, &a);
        wait_for(&a);
        assert_int_equal(a.err, TV_ERR_INVALID);
    }
    assert_int_equal(make("room_make"), TV_OK);
    const char *sid = sid_of("room_make");
    assert_int_equal(make("room_make"), TV_OK); /* it is there: it stays */
    assert_string_equal(sid_of("room_make"), sid);
    assert_true(tv_rooms_known(t.tokens->rooms, "room_make"));
    delete_unseen("room_make");
    assert_true(tv_rooms_known(t.tokens->rooms, "room_make")); /* which is not so */
    assert_int_equal(make("room_make"), TV_OK);
    assert_string_not_equal(sid_of("room_make"), "");
    assert_string_not_equal(sid_of("room_make"), sid);
    struct answer a;
    ask_make("room_long", INT32_MAX, INT32_MAX, &a);
    wait_for(&a);
    assert_int_equal(a.err, TV_OK);
}

/* A probe sees what the service did not: then nothing that it remembers is sure any more. */
static void test_probe(void **state) {
    const char *sid;
    assert_int_equal(probe("", &sid), TV_OK);
    assert_string_equal(sid, "");
    assert_string_equal(sid_of("room_that_never_was"), "");
    (void)issue("room_probe", "p_1", TYPE(PATIENT));
    (void)issue("room_other", "p_1", TYPE(PATIENT));
    assert_memory_equal(sid_of("room_probe"), "RM_", 3);
    assert_int_equal(probe("", &sid), TV_OK);
    assert_int_equal(tv_rooms_count(t.tokens->rooms), 2);
    delete_unseen("room_probe");
    assert_string_equal(sid_of("room_probe"), "");
    assert_int_equal(tv_rooms_count(t.tokens->rooms), 0);

    (void)issue("room_probe", "p_1", TYPE(PATIENT));
    (void)issue("room_other", "p_1", TYPE(PATIENT));
    tv_rooms_seen(t.tokens->rooms, "room_probe", sid_of("room_probe"));
    tv_rooms_seen(t.tokens->rooms, "room_not_known", "RM_x");
    assert_int_equal(tv_rooms_count(t.tokens->rooms), 2);
    tv_rooms_seen(t.tokens->rooms, "room_probe", "RM_another");
    assert_int_equal(tv_rooms_count(t.tokens->rooms), 0);
}

/* -- a thousand rooms ---------------------------------------------------------------------------*/

#define BURST 1000

static bool all_made(void *ctx) {
    struct answer *answers = ctx;
    for (size_t i = 0; i < BURST; i++) {
        if (answers[i].calls == 0)
            return false;
    }
    return true;
}

static size_t count_made(const struct answer *answers) {
    size_t made = 0;
    for (size_t i = 0; i < BURST; i++)
        made += answers[i].calls;
    return made;
}

/* They are made, all of them; a join between them does not wait for their end. */
static void test_a_burst(void **state) {
    struct answer *answers = tv_arena_calloc(t.arena, BURST, sizeof *answers), joined;
    int64_t began_us = tv_clock_mono_us();
    for (size_t i = 0; i < BURST; i++)
        ask_make(tv_arena_printf(t.arena, "room_burst_%04zu", i), 3600, 4, &answers[i]);
    ask_issue(sealed("room_burst_join", "p_1", TYPE(PATIENT), grant_key), &joined);
    wait_for(&joined);
    assert_int_equal(joined.err, TV_OK);
    size_t before = count_made(answers);
    assert_true(tv_loop_run_until(t.loop, all_made, answers, PATIENCE_US));
    print_message("%d rooms in %lld ms; a join came after %zu of them\n", BURST,
                  (long long)(tv_clock_mono_us() - began_us) / 1000, before);
    for (size_t i = 0; i < BURST; i++)
        assert_true(answers[i].calls == 1 && answers[i].err == TV_OK);
    assert_true(before < BURST / 2);
    assert_int_equal(t.tokens->making, 0);

    const Televisit__V1__ListRoomsReply *page;
    assert_int_equal(list("room_burst_", 300, &page), TV_OK);
    assert_int_equal(page->n_rooms, 300);
    assert_true(page->more);
    for (size_t i = 0; i < page->n_rooms; i++) {
        assert_string_equal(page->rooms[i]->room, tv_arena_printf(t.arena, "room_burst_%04zu", i));
        assert_memory_equal(page->rooms[i]->room_sid, "RM_", 3);
    }
    assert_int_equal(list("room_burst_0899", 1000, &page), TV_OK);
    assert_true(page->n_rooms > 100);
    assert_string_equal(page->rooms[99]->room, "room_burst_0999");
    assert_string_equal(page->rooms[100]->room, "room_burst_join");
    assert_int_equal(list("", 0, &page), TV_ERR_INVALID);
    assert_int_equal(list("", 1001, &page), TV_ERR_INVALID);
    assert_int_equal(list("\xf4\x8f\xbf\xbf", 1, &page), TV_OK);
    assert_true(page->n_rooms == 0 && !page->more);
}

/* LiveKit dies under a burst: all who wait are told, and soon. */
static void test_a_burst_for_nobody(void **state) {
    struct answer *answers = tv_arena_calloc(t.arena, BURST, sizeof *answers);
    struct answer late;
    Televisit__V1__MakeRoomRequest request = TELEVISIT__V1__MAKE_ROOM_REQUEST__INIT;
    test_livekit_kill(&t.livekit);
    for (size_t i = 0; i < BURST; i++)
        ask_make(tv_arena_printf(t.arena, "room_none_%04zu", i), 3600, 4, &answers[i]);
    assert_true(tv_loop_run_until(t.loop, all_made, answers, PATIENCE_US));
    for (size_t i = 0; i < BURST; i++)
        assert_int_equal(answers[i].err, TV_ERR_MEDIA_UNAVAILABLE);
    assert_true(t.tokens->making == 0 && STAILQ_EMPTY(&t.tokens->turns));
    request.room = text("room_late");
    request.open_s = request.participants_max = 4;
    ask(MAKE_ROOM, &request.base, &late);
    wait_for(&late);
    assert_int_equal(late.err, TV_ERR_MEDIA_UNAVAILABLE);
    test_livekit_restart(&t.livekit);
}

/* -- a LiveKit that comes back ------------------------------------------------------------------*/

/* What the notifier does for a running call: it asks four times a second, and makes the room. */
struct keeper {
    struct tv_timer *timer;
    struct answer probed, made;
    bool asking, making;
    unsigned failed;
    int64_t ready_us, made_us;
};

static void on_tick(void *ctx) {
    struct keeper *k = ctx;
    Televisit__V1__ProbeRequest request = TELEVISIT__V1__PROBE_REQUEST__INIT;
    request.room = text("room_kept");
    ask(PROBE, &request.base, &k->probed);
    k->asking = true;
}

static void keep(struct keeper *k) {
    if (k->asking && k->probed.calls > 0) {
        k->asking = false;
        if (k->probed.err == TV_OK && !k->making) {
            k->making = true;
            ask_make("room_kept", 3600, 4, &k->made);
        } else {
            k->failed++;
            tv_timer_set(k->timer, 250 * TV_US_PER_MS);
        }
    }
    if (k->making && k->made.calls > 0 && k->made_us == 0)
        k->made_us = tv_clock_mono_us();
}

static bool has_failed(void *ctx) {
    struct keeper *k = ctx;
    keep(k);
    return k->failed >= 6; /* the circuit is open */
}

static bool is_kept(void *ctx) {
    struct keeper *k = ctx;
    keep(k);
    if (k->ready_us == 0 && test_livekit_get(&t.livekit, "/") == 200)
        k->ready_us = tv_clock_mono_us();
    return k->ready_us != 0 && k->made_us != 0;
}

static void test_a_room_is_made_again(void **state) {
    struct keeper k = {.asking = false};
    const Televisit__V1__IssueReply *reply = issue("room_kept", "p_1", TYPE(PATIENT));
    k.timer = tv_timer_new(t.loop, on_tick, &k);
    test_livekit_kill(&t.livekit);
    on_tick(&k);
    assert_true(tv_loop_run_until(t.loop, has_failed, &k, PATIENCE_US));
    test_livekit_begin(&t.livekit);
    assert_true(tv_loop_run_until(t.loop, is_kept, &k, PATIENCE_US));
    assert_int_equal(k.made.err, TV_OK);
    print_message("a room was made again %lld ms after LiveKit was ready\n",
                  (long long)(k.made_us - k.ready_us) / 1000);
    assert_true(k.made_us - k.ready_us < 2 * TV_US_PER_S);
    assert_int_equal(test_livekit_validate(&t.livekit, reply->token),
                     200); /* the token of before */
    tv_timer_free(k.timer);
}

/* -- webhooks -----------------------------------------------------------------------------------*/

static const unsigned char *event_key(void) {
    static unsigned char key[TV_SEAL_KEY_BYTES];
    tv_seal_key_derive(grant_key, TV_SEAL_EVENTS, key);
    return key;
}

static enum tv_err read_webhook(struct tv_str body, const char *authorization,
                                const Televisit__V1__ReadWebhookReply **ret) {
    Televisit__V1__ReadWebhookRequest request = TELEVISIT__V1__READ_WEBHOOK_REQUEST__INIT;
    const ProtobufCMessage *reply;
    request.body = (ProtobufCBinaryData){body.len, (uint8_t *)(uintptr_t)body.p};
    request.authorization = text(authorization);
    enum tv_err err = asked(READ_WEBHOOK, &request.base, &reply);
    *ret = (const void *)reply;
    return err;
}

static const Televisit__V1__CallEvent *unsealed(ProtobufCBinaryData sealed) {
    assert_true(sealed.len > TV_SEAL_BYTES);
    struct tv_str bytes = {(const char *)sealed.data, sealed.len - TV_SEAL_BYTES};
    assert_true(tv_seal_ok(bytes, sealed.data + bytes.len, event_key()));
    assert_false(tv_seal_ok(bytes, sealed.data + bytes.len, grant_key)); /* it is no grant */
    return (const void *)tv_pb_unpack(&televisit__v1__call_event__descriptor, bytes, t.arena);
}

struct hook {
    const char *event, *room;
    struct tv_str body;
    const char *authorization;
};

/* The webhook that came last, if it is the one that is waited for. */
static bool has_come(void *ctx) {
    struct hook *h = ctx;
    size_t len;
    char *request = test_raw_last(t.hooks, &len);
    const char *head_end = request == NULL ? NULL : strstr(request, "\r\n\r\n");
    if (head_end != NULL && strstr(head_end, h->event) != NULL &&
        strstr(head_end, h->room) != NULL) {
        const char *token = strstr(request, "\r\nAuthorization: ") + 17;
        h->body.len = len - (size_t)(head_end + 4 - request);
        h->body.p = tv_arena_strndup(t.arena, head_end + 4, h->body.len);
        h->authorization = tv_arena_strndup(t.arena, token, strcspn(token, "\r"));
    }
    free(request);
    return h->authorization != NULL;
}

static struct hook wait_for_hook(const char *event, const char *room) {
    struct hook h = {.event = tv_arena_printf(t.arena, "\"event\":\"%s\"", event), .room = room};
    assert_true(test_until(has_come, &h, PATIENCE_US / TV_US_PER_MS));
    return h;
}

static double counted(const char *event, const char *outcome) {
    struct tv_buf all = TV_BUF_INIT(1 << 20);
    tv_metrics_write(&all);
    const char *at = strstr(
        all.data, tv_arena_printf(t.arena, "tv_tokens_webhooks_total{event=\"%s\",outcome=\"%s\"} ",
                                  event, outcome));
    assert_non_null(at);
    double value = strtod(strchr(at, '}') + 1, NULL);
    tv_buf_done(&all);
    return value;
}

/* What this LiveKit itself sends. */
static void test_webhooks_of_livekit(void **state) {
    const Televisit__V1__ReadWebhookReply *reply;
    (void)issue("room_hook", "p_1", TYPE(PATIENT));
    const char *sid = text(sid_of("room_hook"));
    struct hook h = wait_for_hook("room_started", "room_hook");
    assert_int_equal(read_webhook(h.body, h.authorization, &reply), TV_OK);
    const Televisit__V1__CallEvent *event = unsealed(reply->sealed_event);
    assert_int_equal(event->type, TELEVISIT__V1__CALL_EVENT__TYPE__ROOM_STARTED);
    assert_string_equal(event->room, "room_hook");
    assert_string_equal(event->room_sid, sid);
    assert_true(event->age_ms >= 0 && event->age_ms < PATIENCE_US / TV_US_PER_MS);
    assert_true(tv_rooms_known(t.tokens->rooms, "room_hook"));

    delete_unseen("room_hook");
    h = wait_for_hook("room_finished", "room_hook");
    assert_int_equal(read_webhook(h.body, h.authorization, &reply), TV_OK);
    event = unsealed(reply->sealed_event);
    assert_int_equal(event->type, TELEVISIT__V1__CALL_EVENT__TYPE__ROOM_FINISHED);
    assert_string_equal(event->room_sid, sid);
    assert_false(tv_rooms_known(t.tokens->rooms, "room_hook")); /* forgotten: it is gone */
    const char *id = text(event->id);
    assert_int_equal(read_webhook(h.body, h.authorization, &reply), TV_OK); /* told again */
    assert_string_equal(unsealed(reply->sealed_event)->id, id);
    assert_true(counted("room_finished", "event") == 2 && counted("room_started", "event") == 1);
}

static char logged[8192];

static void on_nothing(const char *line, size_t len) {} /* what is not looked at */

static void on_line(const char *line, size_t len) {
    size_t have = strlen(logged), room = sizeof logged - 1 - have;
    memcpy(logged + have, line, TV_MIN(len, room));
    logged[have + TV_MIN(len, room)] = '\0';
}

static unsigned lines_with(const char *word) {
    unsigned lines = 0;
    for (const char *at = logged; (at = strstr(at, word)) != NULL; at++)
        lines++;
    return lines;
}

static const char *sign(const char *secret, struct tv_str body) {
    unsigned char hash[TV_SHA256_BYTES];
    char text_of[64];
    struct tv_jwt_key key = {NULL, tv_str(secret)};
    struct tv_str token;
    tv_sha256(body, hash);
    (void)tv_base64url(hash, sizeof hash, text_of);
    for (char *c = text_of; *c != '\0'; c++)
        *c = (char)(*c == '-' ? '+' : *c == '_' ? '/' : *c);
    char *claims =
        tv_arena_printf(t.arena, "{\"iss\":\"%s\",\"exp\":%lld,\"sha256\":\"%s=\"}", t.livekit.key,
                        (long long)(tv_clock_wall_us() / TV_US_PER_S + 300), text_of);
    assert_int_equal(tv_jwt_sign(&key, NULL, tv_str(claims), t.arena, &token, NULL), TV_OK);
    return token.p;
}

/* Refused, counted, logged once without its token, and not a word of it anywhere. */
static void test_bad_webhooks(void **state) {
    static const char other_secret[] = "another secret, which has some forty bytes";
    struct tv_str body = TV_S("{\"event\":\"room_finished\",\"secret\":\"hush-hush\"}");
    struct tv_str no_json = TV_S("<html>hush-hush</html>"),
                  egress = TV_S("{\"event\":\"egress_x\"}");
    struct tv_str longest = {tv_arena_calloc(t.arena, 1, TV_WEBHOOK_BODY_MAX + 1),
                             TV_WEBHOOK_BODY_MAX + 1};
    const struct {
        struct tv_str body;
        const char *authorization;
        enum tv_err err;
        const char *event, *outcome;
    } cases[] = {
        {body, "", TV_ERR_UNAUTHENTICATED, "unread", "no_token"},
        {body, "hush-hush", TV_ERR_UNAUTHENTICATED, "unread", "bad_token"},
        {body, sign(other_secret, body), TV_ERR_UNAUTHENTICATED, "unread", "bad_token"},
        {body, sign(t.livekit.secret, egress), TV_ERR_UNAUTHENTICATED, "unread", "other_body"},
        {body, sign(t.livekit.secret, body), TV_ERR_MALFORMED, "room_finished", "incomplete"},
        {no_json, sign(t.livekit.secret, no_json), TV_ERR_MALFORMED, "unread", "unreadable"},
        {longest, sign(t.livekit.secret, longest), TV_ERR_TOO_LARGE, "unread", "too_large"},
        {egress, sign(t.livekit.secret, egress), TV_OK, "other", "nothing"},
    };
    logged[0] = '\0';
    tv_log_set_sink(on_line);
    for (size_t i = 0; i < 3 * TV_ARRAY_LEN(cases); i++) { /* three rounds */
        size_t c = i % TV_ARRAY_LEN(cases);
        const Televisit__V1__ReadWebhookReply *reply;
        double before = counted(cases[c].event, cases[c].outcome);
        enum tv_err err = read_webhook(cases[c].body, cases[c].authorization, &reply);
        if (err != cases[c].err)
            fail_msg("case %zu: %d", c, err);
        assert_true(counted(cases[c].event, cases[c].outcome) == before + 1);
        if (err == TV_OK)
            assert_int_equal(reply->sealed_event.len, 0);
    }
    tv_log_set_sink(on_nothing);
    assert_int_equal(lines_with("a webhook was refused"), 6); /* one for each reason */
    assert_int_equal(lines_with("bad_token"), 1);
    assert_int_equal(lines_with("hush-hush"), 0);
    assert_int_equal(lines_with("eyJ"), 0);
}

/* -- a LiveKit that is none ---------------------------------------------------------------------*/

#define PROTOBUF_TEXT(length, body) TEST_RAW_HEAD("200 OK", "application/protobuf", length) body
#define PROTOBUF(length, body)                                                                     \
    .text = PROTOBUF_TEXT(length, body), .len = sizeof(PROTOBUF_TEXT(length, body)) - 1
/* PA_1, p_1, ACTIVE, joined at 2000 s; PA_2, p_2, JOINED. */
#define TWO_PEOPLE                                                                                 \
    PROTOBUF("33", "\x0a\x10\x0a\x04PA_1\x12\x03p_1\x18\x02\x30\xd0\x0f"                           \
                   "\x0a\x0d\x0a\x04PA_2\x12\x03p_2\x18\x01")
/* RM_1, room_1, created at 1999 s, and at 4000 s. */
#define ROOM_BEFORE PROTOBUF("19", "\x0a\x11\x0a\x04RM_1\x12\x06room_1\x28\xcf\x0f")
#define ROOM_AFTER PROTOBUF("19", "\x0a\x11\x0a\x04RM_1\x12\x06room_1\x28\xa0\x1f")
#define NO_ROOMS PROTOBUF("0", "")

static struct test_raw *pretend(const struct test_raw_step *steps, size_t count) {
    static char url[64];
    struct test_raw *s = test_raw_start(steps, count);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", test_raw_port(s));
    begin(url);
    return s;
}

static void test_look_at_people(void **state) {
    static const struct {
        struct test_raw_step steps[2];
        enum tv_err err;
        const char *sid;
        size_t people;
    } cases[] = {
        {{{TWO_PEOPLE}, {ROOM_BEFORE}}, TV_OK, "RM_1", 1},
        {{{TWO_PEOPLE}, {ROOM_AFTER}}, TV_ERR_UNAVAILABLE, NULL, 0}, /* made anew between */
        {{{TWO_PEOPLE}, {NO_ROOMS}}, TV_OK, "", 0},
        {{{NO_ROOMS}, {ROOM_AFTER}}, TV_OK, "RM_1", 0},
        {{{TWO_PEOPLE}, {PROTOBUF("3", "\xff\xff\xff")}}, TV_ERR_MEDIA_UNAVAILABLE, NULL, 0},
        {{{PROTOBUF("3", "\xff\xff\xff")}, {ROOM_BEFORE}}, TV_ERR_MEDIA_UNAVAILABLE, NULL, 0},
        {{{TWO_PEOPLE},
          {.text = TEST_RAW_HEAD("404 Not Found", "application/json",
                                 "20") "{\"code\":\"not_found\"}"}},
         TV_ERR_NOT_FOUND,
         NULL,
         0},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        struct test_raw *s = pretend(cases[i].steps, 2);
        const Televisit__V1__RoomView *view;
        enum tv_err err = look("room_1", &view);
        if (err != cases[i].err)
            fail_msg("case %zu: %d", i, err);
        if (err == TV_OK) {
            assert_string_equal(view->room_sid, cases[i].sid);
            assert_int_equal(view->n_people, cases[i].people);
        }
        if (err == TV_OK && view->n_people == 1) {
            int64_t age_ms = tv_clock_wall_us() / TV_US_PER_MS - 2000000;
            assert_string_equal(view->people[0]->sid, "PA_1");
            assert_string_equal(view->people[0]->identity, "p_1");
            assert_true(view->people[0]->joined_age_ms <= age_ms &&
                        view->people[0]->joined_age_ms > age_ms - 60000);
        }
        (void)tear_down(NULL);
        test_raw_stop(s);
    }
}

static const struct {
    const char *what;
    struct test_raw_step step;
} strange[] = {
    {"HTML",
     {.text = TEST_RAW_HEAD("200 OK", "text/html", "13") "<html></html>", .then = TEST_RAW_CLOSE}},
    {"a proxy's", {.text = TEST_RAW_HEAD("502 Bad", "text/html", "0"), .then = TEST_RAW_CLOSE}},
    {"garbage", {PROTOBUF("4", "\x0a\x05RM"), .then = TEST_RAW_CLOSE}},
    {"closed", {.then = TEST_RAW_CLOSE}},
    {"reset", {.then = TEST_RAW_RESET}},
    {"silent", {.then = TEST_RAW_HANG}},
    {"10 MB",
     {.text = TEST_RAW_HEAD("200 OK", "application/protobuf", "10000000"),
      .filler = 10000000,
      .then = TEST_RAW_CLOSE}},
};

/* Whatever LiveKit does, each operation ends in time, and as it should. */
static void test_strange_servers(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(strange); i++) {
        struct test_raw *s = pretend(&strange[i].step, 1);
        const Televisit__V1__RoomView *view;
        const Televisit__V1__ListRoomsReply *page;
        const char *sid;
        int64_t began_us = tv_clock_mono_us();
        enum tv_err errs[] = {make("room_1"), look("room_1", &view), list("", 10, &page),
                              probe("room_1", &sid), probe("", &sid)};
        for (size_t e = 0; e < TV_ARRAY_LEN(errs); e++) {
            if (errs[e] != TV_ERR_MEDIA_UNAVAILABLE)
                fail_msg("%s, operation %zu: %d", strange[i].what, e, errs[e]);
        }
        assert_true(tv_clock_mono_us() - began_us < PATIENCE_US / 2);
        (void)tear_down(NULL);
        test_raw_stop(s);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    tv_crypto_init();
    tv_log_init("test", "0", TV_LOG_WARN);
    tv_log_set_sink(on_nothing);
    const struct CMUnitTest tests[] = {
        TEST(test_look),
        TEST(test_make),
        TEST(test_probe),
        TEST(test_a_burst),
        TEST(test_a_burst_for_nobody),
        TEST(test_a_room_is_made_again),
        TEST(test_webhooks_of_livekit),
        TEST(test_bad_webhooks),
        cmocka_unit_test(test_look_at_people),
        cmocka_unit_test(test_strange_servers),
    };
    return cmocka_run_group_tests(tests, set_up_servers, tear_down_servers);
}
