/* Any bytes as a webhook of LiveKit. The first byte chooses what they are:
 *   h  header, line feed, body: of a stranger, so nothing may come of it
 *   c  claims that are signed with the right secret, over a fixed body
 *   b  a body that is genuine
 * Whatever comes out keeps to its bounds and is the same after a way over the bus. Built with
 * -fsanitize=fuzzer, or included by the unit test that replays the corpus. */
#include "services/tokens/webhook.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_KEY "lkkey"
#define FUZZ_SECRET "0123456789abcdef0123456789abcdef"
#define FUZZ_NOW_US (INT64_C(1795399810) * TV_US_PER_S + 27 * TV_US_PER_MS)
#define FUZZ_BODY                                                                                  \
    "{\"event\":\"room_started\",\"room\":{\"sid\":\"RM_1\",\"name\":\"room_1\"},"                 \
    "\"id\":\"EV_1\",\"createdAt\":\"1795399810\"}"

static void expect(bool ok, const char *what) {
    if (!ok)
        tv_panic("%s", what);
}

static void expect_text(const char *z, size_t min, size_t max, const char *what) {
    expect(strlen(z) >= min && strlen(z) <= max && tv_str_is_utf8(tv_str(z)), what);
}

static void check_record(const Televisit__V1__CallEvent *e, struct tv_arena *a) {
    bool has_person = e->sid[0] != '\0';
    expect(e->type > TYPE(UNSPECIFIED) && e->type <= TYPE(SEEN), "the type is none");
    expect(has_person == (e->type != TYPE(ROOM_STARTED) && e->type != TYPE(ROOM_FINISHED)),
           "who it is about");
    expect_text(e->id, 1, TV_WEBHOOK_ID_MAX, "id");
    expect_text(e->room, 1, TV_WEBHOOK_NAME_MAX, "room");
    expect_text(e->room_sid, 1, TV_WEBHOOK_ID_MAX, "room_sid");
    expect_text(e->sid, has_person, TV_WEBHOOK_ID_MAX, "sid");
    expect_text(e->identity, has_person, TV_WEBHOOK_NAME_MAX, "identity");
    expect_text(e->reason, 0, 64, "reason");
    expect(e->age_ms >= 0 && e->age_ms <= (TV_WEBHOOK_AGE_MAX_S + 1) * 1000, "the age");
    expect(e->joined_age_ms == -1 || e->joined_age_ms >= e->age_ms, "left before they came");
    expect(e->type != TYPE(JOINED) || e->joined_age_ms == e->age_ms, "joined at another time");
    struct tv_str bytes = tv_pb_pack(&e->base, a);
    const ProtobufCMessage *again = tv_pb_unpack(e->base.descriptor, bytes, a);
    expect(again != NULL && tv_str_eq(bytes, tv_pb_pack(again, a)), "it changes on its way");
}

/* With another `typ`, for then the claims are taken as they are. */
static struct tv_str fuzz_sign(struct tv_str claims, struct tv_arena *a) {
    struct tv_jwt_key key = {NULL, TV_S(FUZZ_SECRET)};
    struct tv_str token = TV_S("");
    if (tv_jwt_sign(&key, "jwt", claims, a, &token, NULL) != TV_OK)
        return TV_S(""); /* no object, or too long */
    return token;
}

static struct tv_str genuine_token(struct tv_str body, struct tv_arena *a) {
    unsigned char hash[TV_SHA256_BYTES];
    char text[HASH_TEXT + 1];
    tv_sha256(body, hash);
    (void)tv_base64url(hash, sizeof hash, text);
    for (char *c = text; *c != '\0'; c++)
        *c = (char)(*c == '-' ? '+' : *c == '_' ? '/' : *c);
    return fuzz_sign(
        tv_str(tv_arena_printf(
            a, "{\"iss\":\"" FUZZ_KEY "\",\"exp\":1795400110,\"sha256\":\"%s=\"}", text)),
        a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    struct tv_arena *a = tv_arena_new();
    struct tv_str rest = {(const char *)data + 1, size - 1};
    struct tv_webhook w = {rest, TV_S("")};
    static const struct tv_signers signers = {.signer = {{FUZZ_KEY, TV_S(FUZZ_SECRET)}},
                                              .count = 1};
    struct tv_webhook_event event;
    if (data[0] == 'h') {
        w.authorization = tv_str_cut(&rest, '\n');
        w.body = rest;
    } else if (data[0] == 'c') {
        w = (struct tv_webhook){TV_S(FUZZ_BODY), fuzz_sign(rest, a)};
    } else {
        w.authorization = genuine_token(rest, a);
    }
    enum tv_webhook_verdict v = tv_webhook_read(&w, &signers, FUZZ_NOW_US, a, &event);
    expect((v == TV_WEBHOOK_EVENT) == (event.record != NULL), "a record without its verdict");
    expect(event.kind < TV_WEBHOOK_KINDS, "the kind is none");
    if (data[0] == 'h')
        expect(tv_webhook_error(v) != TV_OK, "a stranger was believed");
    else if (data[0] != 'c')
        expect(tv_webhook_error(v) != TV_ERR_UNAUTHENTICATED || v == TV_WEBHOOK_CLOCK,
               "a genuine one was not believed");
    if (event.record != NULL)
        check_record(event.record, a);
    tv_arena_free(a);
    return 0;
}
