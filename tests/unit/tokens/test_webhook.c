/* Webhooks: what a real LiveKit sent is read right, and nothing else is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/jwt.h"
#include "lib/pb.h"
#include "services/tokens/webhook.h"

#define FIXTURES "tests/fixtures/livekit/"
#define TYPE(name) TELEVISIT__V1__CALL_EVENT__TYPE__##name
#define V(name) TV_WEBHOOK_##name

#define KEY "lkkey"
#define SECRET "0123456789abcdef0123456789abcdef"
#define NOW_S INT64_C(1795399810)
#define NOW_US (NOW_S * TV_US_PER_S + 27 * TV_US_PER_MS) /* on its way for 27 ms */

static struct tv_arena *arena;

static int set_up(void **state) {
    arena = tv_arena_new();
    return 0;
}

static int tear_down(void **state) {
    tv_arena_free(arena);
    return 0;
}

static void verdict_is(enum tv_webhook_verdict v, enum tv_webhook_verdict expected,
                       const char *what) {
    if (v != expected)
        fail_msg("%s: %s, expected %s", what, tv_webhook_word(v), tv_webhook_word(expected));
}

/* -- the recordings -----------------------------------------------------------------------------*/

static struct tv_str slurp(const char *name) {
    char path[256];
    (void)snprintf(path, sizeof path, FIXTURES "%s", name);
    FILE *f = fopen(path, "rbe");
    if (f == NULL)
        fail_msg("cannot read %s", path);
    char *text = tv_arena_alloc(arena, 65536);
    size_t len = fread(text, 1, 65535, f);
    text[len] = '\0';
    (void)fclose(f);
    return (struct tv_str){text, len};
}

/* The value of the first member of this name at or after `at`. */
static const char *member(const char *at, const char *name) {
    const char *found = strstr(at, tv_arena_printf(arena, "\"%s\":", name));
    assert_non_null(found);
    found = strchr(found, ':') + 1;
    found += strspn(found, " \"");
    return tv_arena_strndup(arena, found, strcspn(found, "\",\n"));
}

struct recording {
    const char *key;
    struct tv_str secret, body, authorization;
    int64_t received_us;
};

static struct recording recording_of(const char *file) {
    const char *index = slurp("index.json").p;
    const char *at = strstr(index, tv_arena_printf(arena, "\"file\": \"%s\"", file));
    if (at == NULL)
        fail_msg("no recording %s", file);
    return (struct recording){
        .key = member(index, "apiKey"),
        .secret = tv_str(member(index, "apiSecret")),
        .body = slurp(file),
        .authorization = tv_str(member(at, "authorization")),
        .received_us = (int64_t)(strtod(member(at, "receivedAt"), NULL) * 1000 + 0.5) * 1000,
    };
}

static enum tv_webhook_verdict read_at(const struct recording *r, int64_t now_us,
                                       struct tv_webhook_event *ret) {
    struct tv_webhook w = {r->body, r->authorization};
    struct tv_signers by = {.signer = {{r->key, r->secret}}, .count = 1};
    return tv_webhook_read(&w, &by, now_us, arena, ret);
}

static const struct {
    const char *file;
    int type;
    const char *id, *room, *room_sid, *sid, *identity, *reason;
    int64_t joined_age_ms;
} recordings[] = {
#define A "visit-fixture-a", "RM_waqKvGPNyCv3"
#define B "visit-fixture-b", "RM_wboDLqBSbrJy"
#define C "visit-fixture-c", "RM_QNBNrJiu4Tjr"
#define D "visit-fixture-d", "RM_F2GzoMPREuVH"
#define E "visit-fixture-e", "RM_f4jyFkcvxXvu"
#define NOBODY "", "", ""
#define DOCTOR "PA_sCcNUpAjatpU", "doctor-1"
#define PATIENT "PA_KFufvg4pYZxR", "patient-1"
    {"a01-room_started.json", TYPE(ROOM_STARTED), "EV_KsanUmuDFgnJ", A, NOBODY, -1},
    {"a02-participant_joined-doctor.json", TYPE(JOINED), "EV_QtSVpWw6FQ2E", A, DOCTOR, "", 0},
    {"a03-track_published-doctor-microphone.json", TYPE(SEEN), "EV_zBkaocuEAf3v", A, DOCTOR, "",
     -1},
    {"a04-track_published-doctor-camera.json", TYPE(SEEN), "EV_hVeJ6KFQ6JTw", A, DOCTOR, "", -1},
    {"a05-participant_joined-patient.json", TYPE(JOINED), "EV_F4wp2TCoEWhM", A, PATIENT, "", 0},
    {"a06-track_published-patient-microphone.json", TYPE(SEEN), "EV_9qDVtE5n7jXC", A, PATIENT, "",
     -1},
    {"a07-track_published-patient-camera.json", TYPE(SEEN), "EV_b8m6TFMJm79f", A, PATIENT, "", -1},
    {"a08-track_published-doctor-screen_share.json", TYPE(SEEN), "EV_45o4iypBxbGz", A, DOCTOR, "",
     -1},
    {"a09-track_unpublished-doctor-screen_share.json", TYPE(SEEN), "EV_JRZ57zBEWqUJ", A, DOCTOR, "",
     -1},
    {"a10-track_unpublished-patient-camera.json", TYPE(SEEN), "EV_3cyyMWF3BVd6", A, PATIENT, "",
     -1},
    {"a11-track_unpublished-patient-microphone.json", TYPE(SEEN), "EV_fvgvfrNkHANe", A, PATIENT, "",
     -1},
    {"a12-participant_left-patient.json", TYPE(LEFT), "EV_Sa8GgAj2hUdV", A, PATIENT,
     "CLIENT_INITIATED", 10413},
    {"a13-track_unpublished-doctor-microphone.json", TYPE(SEEN), "EV_UaWn6VhCFUMn", A, DOCTOR, "",
     -1},
    {"a14-track_unpublished-doctor-camera.json", TYPE(SEEN), "EV_f49LuKaM2LXk", A, DOCTOR, "", -1},
    {"a15-participant_left-doctor.json", TYPE(LEFT), "EV_cmFyna6yLiAu", A, DOCTOR,
     "CLIENT_INITIATED", 13576},
    {"a16-room_finished.json", TYPE(ROOM_FINISHED), "EV_NKcqW9ewuuPG", A, NOBODY, -1},
    {"b-participant_left-connection_timeout.json", TYPE(LEFT), "EV_388hxcjWBxJF", B,
     "PA_dzoSuLP5xZRk", "patient-1", "CONNECTION_TIMEOUT", 23496},
    {"b-participant_left-room_deleted.json", TYPE(LEFT), "EV_LPMwKDtgCUpV", B, "PA_NhgYfBY7WSDt",
     "doctor-1", "ROOM_DELETED", 24360},
    {"b-room_finished-after-delete.json", TYPE(ROOM_FINISHED), "EV_Zxjb7qD4pTHw", B, NOBODY, -1},
    {"c-participant_left-participant_removed.json", TYPE(LEFT), "EV_pyp8ayQYdjqB", C,
     "PA_vPSU5hGjvTYk", "patient-1", "PARTICIPANT_REMOVED", 679},
    {"c-participant_left-duplicate_identity.json", TYPE(LEFT), "EV_dmkDbvuz7y73", C,
     "PA_fkAmHJRVs2Aj", "patient-1", "DUPLICATE_IDENTITY", 2364},
    {"d-participant_connection_aborted.json", TYPE(ABORTED), "EV_NHnZ57EcRegf", D,
     "PA_6qbKt7G8kmZb", "ghost-1", "SIGNAL_CLOSE", -1},
    {"e-room_started-no-metadata.json", TYPE(ROOM_STARTED), "EV_4WtZFKjARG2w", E, NOBODY, -1},
    {"e-room_finished-empty_timeout.json", TYPE(ROOM_FINISHED), "EV_dpzXYoenPPUX", E, NOBODY, -1},
};

static void test_recordings(void **state) {
    const char *index = slurp("index.json").p;
    size_t listed = 0;
    for (const char *at = index; (at = strstr(at, "\"file\":")) != NULL; at++)
        listed++;
    assert_int_equal(listed, TV_ARRAY_LEN(recordings)); /* none is left out */
    for (size_t i = 0; i < TV_ARRAY_LEN(recordings); i++) {
        struct recording r = recording_of(recordings[i].file);
        struct tv_webhook_event event;
        verdict_is(read_at(&r, r.received_us, &event), V(EVENT), recordings[i].file);
        const Televisit__V1__CallEvent *e = event.record;
        assert_non_null(e);
        assert_int_equal(e->type, recordings[i].type);
        assert_string_equal(e->id, recordings[i].id);
        assert_string_equal(e->room, recordings[i].room);
        assert_string_equal(e->room_sid, recordings[i].room_sid);
        assert_string_equal(e->sid, recordings[i].sid);
        assert_string_equal(e->identity, recordings[i].identity);
        assert_string_equal(e->reason, recordings[i].reason);
        assert_int_equal(e->joined_age_ms, recordings[i].joined_age_ms);
        assert_int_equal(e->age_ms, 0); /* all of them came within their second */
        assert_non_null(strstr(
            r.body.p, tv_arena_printf(arena, "\"event\":\"%s\"", tv_webhook_kind(event.kind))));
    }
}

/* The same bytes, tried again by LiveKit: until its token ends, and a minute of grace. */
static void test_a_recording_grows_old(void **state) {
    static const struct {
        int64_t after_ms;
        enum tv_webhook_verdict verdict;
        int64_t age_ms;
    } cases[] = {
        {0, V(EVENT), 0},        {972, V(EVENT), 0}, /* 0.999 of its second */
        {973, V(EVENT), 500},                        /* the next second: it was half past */
        {8000, V(EVENT), 7527},  {359973, V(EVENT), 359500}, {360972, V(EVENT), 360499},
        {360973, V(EXPIRED), 0}, /* ends after 300 s, and 60 s, and one more */
        {-60000, V(EVENT), 0},   {-60027, V(EVENT), 0},      {-60028, V(EARLY), 0},
    };
    struct recording r = recording_of("a02-participant_joined-doctor.json");
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        struct tv_webhook_event event;
        char *what = tv_arena_printf(arena, "%lld ms", (long long)cases[i].after_ms);
        verdict_is(read_at(&r, r.received_us + cases[i].after_ms * TV_US_PER_MS, &event),
                   cases[i].verdict, what);
        assert_true((cases[i].verdict == V(EVENT)) == (event.record != NULL));
        if (event.record != NULL) {
            assert_int_equal(event.record->age_ms, cases[i].age_ms);
            assert_int_equal(event.record->joined_age_ms, cases[i].age_ms);
        }
    }
}

static void refused_at_each_bit(struct recording r, struct tv_str *part) {
    char *bytes = tv_arena_strndup(arena, part->p, part->len);
    struct tv_signers by = {.signer = {{r.key, r.secret}}, .count = 1};
    struct tv_webhook_event event;
    part->p = bytes;
    for (size_t bit = 0; bit < 8 * part->len; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        struct tv_arena *a = tv_arena_new();
        struct tv_webhook w = {r.body, r.authorization};
        if (part->len == r.body.len)
            w.body.p = bytes;
        else
            w.authorization.p = bytes;
        enum tv_webhook_verdict v = tv_webhook_read(&w, &by, r.received_us, a, &event);
        if (tv_webhook_error(v) != TV_ERR_UNAUTHENTICATED || event.record != NULL ||
            strcmp(tv_webhook_kind(event.kind), "unread") != 0)
            fail_msg("bit %zu: %s", bit, tv_webhook_word(v));
        tv_arena_free(a);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
    }
}

static void test_each_bit_counts(void **state) {
    struct recording r = recording_of("a05-participant_joined-patient.json");
    struct tv_webhook_event event;
    assert_int_not_equal(r.body.len, r.authorization.len);
    refused_at_each_bit(r, &r.authorization);
    refused_at_each_bit(r, &r.body);
    for (size_t len = 0; len < r.body.len; len++) {
        struct recording cut = r;
        cut.body.len = len;
        verdict_is(read_at(&cut, r.received_us, &event), V(OTHER_BODY), "cut body");
    }
    for (size_t len = 0; len < r.authorization.len; len++) {
        struct recording cut = r;
        cut.authorization.len = len;
        verdict_is(read_at(&cut, r.received_us, &event), len == 0 ? V(NO_TOKEN) : V(BAD_TOKEN),
                   "cut token");
    }
    verdict_is(read_at(&r, r.received_us, &event), V(EVENT), "as it was");
}

static void test_reencoded(void **state) {
    struct recording r = recording_of("a16-room_finished.json");
    struct tv_webhook_event event;
    struct tv_buf b = TV_BUF_INIT(65536);
    for (size_t i = 0; i < r.body.len; i++) { /* the same JSON without the spaces */
        if (r.body.p[i] != ' ')
            tv_buf_char(&b, r.body.p[i]);
    }
    assert_true(b.len < r.body.len);
    struct recording changed = r;
    changed.body = tv_buf_view(&b);
    verdict_is(read_at(&changed, r.received_us, &event), V(OTHER_BODY), "without spaces");
    tv_buf_clear(&b);
    tv_buf_str(&b, r.body);
    tv_buf_char(&b, '\n');
    changed.body = tv_buf_view(&b);
    verdict_is(read_at(&changed, r.received_us, &event), V(OTHER_BODY), "a newline at the end");
    tv_buf_done(&b);
}

static void test_bearer_and_keys(void **state) {
    struct recording r = recording_of("a01-room_started.json"), other = r;
    struct tv_webhook_event event;
    other.authorization = tv_str(tv_arena_printf(arena, "Bearer %s", r.authorization.p));
    verdict_is(read_at(&other, r.received_us, &event), V(EVENT), "Bearer");
    other.authorization = tv_str(tv_arena_printf(arena, "Basic %s", r.authorization.p));
    verdict_is(read_at(&other, r.received_us, &event), V(BAD_TOKEN), "Basic");
    other.authorization = TV_S("Bearer ");
    verdict_is(read_at(&other, r.received_us, &event), V(NO_TOKEN), "Bearer of nothing");
    other = r;
    other.key = "lkverifykeX";
    verdict_is(read_at(&other, r.received_us, &event), V(OTHER_KEY), "another key");
    other.key = "lkverifyke";
    verdict_is(read_at(&other, r.received_us, &event), V(OTHER_KEY), "a part of the key");
    other = r;
    other.secret.len--;
    verdict_is(read_at(&other, r.received_us, &event), V(BAD_TOKEN), "another secret");
    other = r;
    other.body = recording_of("a16-room_finished.json").body;
    verdict_is(read_at(&other, r.received_us, &event), V(OTHER_BODY), "another event's body");
}

/* -- made here ----------------------------------------------------------------------------------*/

static const char *hash_of(struct tv_str body) {
    unsigned char hash[TV_SHA256_BYTES];
    char *text = tv_arena_calloc(arena, 1, 64);
    tv_sha256(body, hash);
    (void)tv_base64url(hash, sizeof hash, text);
    return text;
}

/* As LiveKit writes it. */
static const char *standard_hash_of(struct tv_str body) {
    char *text = tv_arena_printf(arena, "%s=", hash_of(body));
    for (char *c = text; *c != '\0'; c++)
        *c = (char)(*c == '-' ? '+' : *c == '_' ? '/' : *c);
    return text;
}

static struct tv_str signed_with(const char *type, const char *claims) {
    struct tv_jwt_key key = {NULL, TV_S(SECRET)};
    struct tv_str token;
    assert_int_equal(tv_jwt_sign(&key, type, tv_str(claims), arena, &token, NULL), TV_OK);
    return token;
}

static struct tv_str genuine(struct tv_str body) {
    return signed_with(NULL, tv_arena_printf(arena,
                                             "{\"iss\":\"" KEY "\",\"nbf\":%lld,\"exp\":%lld,"
                                             "\"iat\":%lld,\"sha256\":\"%s\"}",
                                             (long long)NOW_S, (long long)NOW_S + 300,
                                             (long long)NOW_S, standard_hash_of(body)));
}

static enum tv_webhook_verdict read_now(struct tv_str body, struct tv_str authorization,
                                        struct tv_webhook_event *ret) {
    struct tv_webhook w = {body, authorization};
    struct tv_signers by = {.signer = {{KEY, TV_S(SECRET)}}, .count = 1};
    return tv_webhook_read(&w, &by, NOW_US, arena, ret);
}

static enum tv_webhook_verdict read_genuine(const char *body, struct tv_webhook_event *ret) {
    return read_now(tv_str(body), genuine(tv_str(body)), ret);
}

#define ROOM "\"room\":{\"sid\":\"RM_1\",\"name\":\"room_1\"}"
#define HEAD(event) "{\"event\":\"" event "\",\"id\":\"EV_1\",\"createdAt\":\"1795399810\""
#define STARTED HEAD("room_started") "," ROOM "}"

/* Tokens that are signed with the right secret, but say another thing: `%s` is the right hash,
 * `%u` the one in base64url. */
static const struct {
    const char *claims;
    enum tv_webhook_verdict verdict;
} claims_cases[] = {
#define ISS "\"iss\":\"" KEY "\""
#define EXP "\"exp\":1795400110"
#define SHA "\"sha256\":\"%s\""
    {"{" ISS "," EXP "," SHA "}", V(EVENT)},
    {"{" ISS "," EXP "," SHA ",\"video\":{\"x\":[1]},\"aud\":\"y\"}", V(EVENT)},
    {"{" ISS ",\"exp\":\"1795400110\"," SHA "}", V(EVENT)}, /* ProtoJSON allows it */
    {"{" ISS ",\"exp\":1795399750," SHA "}", V(EVENT)},
    {"{" ISS ",\"exp\":1795399749," SHA "}", V(EXPIRED)},
    {"{" ISS ",\"exp\":-1," SHA "}", V(EXPIRED)},
    {"{" ISS ",\"exp\":-9223372036854775808," SHA "}", V(EXPIRED)},
    {"{" ISS "," EXP ",\"nbf\":1795399870," SHA "}", V(EVENT)},
    {"{" ISS "," EXP ",\"nbf\":1795399871," SHA "}", V(EARLY)},
    {"{" ISS "," EXP ",\"nbf\":9223372036854775807," SHA "}", V(EARLY)},
    {"{" ISS ",\"exp\":0," SHA "}", V(BAD_CLAIMS)},
    {"{" ISS "," SHA "}", V(BAD_CLAIMS)},
    {"{" ISS ",\"exp\":null," SHA "}", V(BAD_CLAIMS)},
    {"{" ISS ",\"exp\":true," SHA "}", V(BAD_CLAIMS)},
    {"{" ISS ",\"exp\":1e400," SHA "}", V(BAD_CLAIMS)},
    {"{" ISS ",\"exp\":[1795400110]," SHA "}", V(BAD_CLAIMS)},
    {"{" ISS "," EXP "," EXP "," SHA "}", V(BAD_CLAIMS)},
    {"{" ISS "," EXP ",\"nbf\":\"soon\"," SHA "}", V(BAD_CLAIMS)},
    {"{\"iss\":\"\"," EXP "," SHA "}", V(OTHER_KEY)},
    {"{" EXP "," SHA "}", V(OTHER_KEY)},
    {"{\"iss\":\"LKKEY\"," EXP "," SHA "}", V(OTHER_KEY)},
    {"{\"iss\":\"" KEY " \"," EXP "," SHA "}", V(OTHER_KEY)},
    {"{\"iss\":[\"" KEY "\"]," EXP "," SHA "}", V(BAD_CLAIMS)},
    {"{\"iss\":\"" KEY "\\u0000\"," EXP "," SHA "}", V(BAD_CLAIMS)},
    {"{" ISS "," EXP "}", V(BAD_CLAIMS)},
    {"{" ISS "," EXP ",\"sha256\":\"\"}", V(BAD_CLAIMS)},
    {"{" ISS "," EXP ",\"sha256\":null}", V(BAD_CLAIMS)},
    {"{" ISS "," EXP ",\"sha256\":7}", V(BAD_CLAIMS)},
    {"{" ISS "," EXP ",\"sha256\":\"%u\"}", V(OTHER_BODY)},
    {"{" ISS "," EXP ",\"sha256\":\"%u=\"}", V(OTHER_BODY)},
    {"{" ISS "," EXP ",\"sha256\":\"%s=\"}", V(OTHER_BODY)},
    {"{" ISS "," EXP ",\"sha256\":\" %s\"}", V(OTHER_BODY)},
    {"{" ISS "," EXP ",\"sha256\":\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"}",
     V(OTHER_BODY)}, /* of nothing */
    {"{}", V(OTHER_KEY)},
    {"{\"iss\"}", V(BAD_CLAIMS)},
    {"{{}", V(BAD_CLAIMS)},
    {"{\xff}", V(BAD_CLAIMS)},
    {"{\"iss\":\"" KEY "\",\"sub\":\"p_1\"," EXP ",\"video\":{\"roomJoin\":true}}", V(BAD_CLAIMS)},
};

static const char *fill(const char *template, struct tv_str body) {
    struct tv_buf b = TV_BUF_INIT(4096);
    for (const char *c = template; *c != '\0'; c++) {
        if (*c == '%')
            tv_buf_puts(&b, *++c == 's' ? standard_hash_of(body) : hash_of(body));
        else
            tv_buf_char(&b, *c);
    }
    const char *text = tv_arena_strndup(arena, b.data, b.len);
    tv_buf_done(&b);
    return text;
}

/* A body whose hash looks different in the two alphabets. */
static struct tv_str telling_body(void) {
    for (unsigned i = 0;; i++) {
        struct tv_str body =
            tv_str(tv_arena_printf(arena, HEAD("room_started") "," ROOM ",\"numDropped\":%u}", i));
        if (strpbrk(hash_of(body), "-_") != NULL)
            return body;
    }
}

static void test_claims(void **state) {
    struct tv_str body = telling_body();
    for (size_t i = 0; i < TV_ARRAY_LEN(claims_cases); i++) {
        struct tv_webhook_event event;
        /* Another `typ`, for then the claims are taken as they are. */
        struct tv_str token = signed_with("jwt", fill(claims_cases[i].claims, body));
        verdict_is(read_now(body, token, &event), claims_cases[i].verdict, claims_cases[i].claims);
    }
}

/* While LiveKit's key is changed: who else may have signed. */
static void test_signers(void **state) {
#define OTHER "other:fedcba9876543210fedcba9876543210"
#define OURS KEY ":" SECRET
    static const struct {
        const char *more; /* besides new:NEW */
        enum tv_webhook_verdict verdict;
    } cases[] = {
        {NULL, V(BAD_TOKEN)},
        {OTHER, V(BAD_TOKEN)},
        {OURS, V(EVENT)},
        {OTHER "\n" OURS, V(EVENT)},
        {OURS "\n" OTHER, V(EVENT)},
        {"\n " KEY " : " SECRET "\t\n\n", V(EVENT)}, /* as LiveKit writes them, nearly */
        {KEY ":fedcba9876543210fedcba9876543210\n" OURS, V(EVENT)}, /* a new secret, no new name */
        {"other:" SECRET "\n" OURS, V(EVENT)},
        {OURS "\nother:" SECRET, V(EVENT)},
        {"other:" SECRET, V(OTHER_KEY)},
        {"other:" SECRET "\n" OTHER, V(OTHER_KEY)},
        {OTHER "\n" OTHER "\n" OTHER "\n" OURS, V(EVENT)},
    };
    const struct tv_signer own = {"new", TV_S("abcdefghijklmnopqrstuvwxyz012345")};
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        struct tv_signers by;
        struct tv_webhook_event event;
        struct tv_webhook w = {TV_S(STARTED), genuine(TV_S(STARTED))};
        assert_int_equal(tv_signers_read(own, cases[i].more, &by, NULL), TV_OK);
        verdict_is(tv_webhook_read(&w, &by, NOW_US, arena, &event), cases[i].verdict,
                   cases[i].more == NULL ? "alone" : cases[i].more);
        tv_signers_done(&by);
    }
}

static void test_bad_signers(void **state) {
    static const struct {
        const char *more, *fault;
    } cases[] = {
        {"key", "line 1 is not of the form key:secret"},
        {OURS "\n\n" SECRET "\n", "line 3 is not of the form key:secret"},
        {":" SECRET, "line 1 is not of the form key:secret"},
        {" \t:" SECRET, "line 1 is not of the form key:secret"},
        {OURS "\n" KEY ":", "the secret in line 2 has less than 32 bytes"},
        {KEY ":0123456789abcdef0123456789abcde ", "the secret in line 1 has less than 32 bytes"},
        {OURS "\n" OURS "\n" OURS "\n" OURS "\n" OURS, "line 5 is one too many: there may be 4"},
    };
    const struct tv_signer own = {"new", TV_S("abcdefghijklmnopqrstuvwxyz012345")};
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        struct tv_signers by;
        struct tv_error e = TV_ERROR_INIT;
        assert_int_equal(tv_signers_read(own, cases[i].more, &by, &e), TV_ERR_INVALID);
        assert_string_equal(e.detail, cases[i].fault);
    }
}

static struct tv_str encode(const char *text) {
    char *out = tv_arena_calloc(arena, 2, strlen(text) + 2);
    (void)tv_base64url(text, strlen(text), out);
    return tv_str(out);
}

/* Tokens whose claims are right, and whose head is not. */
static void test_heads(void **state) {
    static const struct {
        const char *head;
        bool good;
    } cases[] = {
        {"{\"alg\":\"HS256\",\"typ\":\"JWT\"}", true},
        {"{\"alg\":\"none\",\"typ\":\"JWT\"}", false},
        {"{\"alg\":\"RS256\",\"typ\":\"JWT\"}", false},
        {"{\"alg\":\"HS512\",\"typ\":\"JWT\"}", false},
        {"{\"alg\":\"hs256\",\"typ\":\"JWT\"}", false},
        {"{\"typ\":\"JWT\"}", false},
        {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", false},
        {"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"x\"}", false},
        {"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"crit\":[\"exp\"]}", false},
        {"[]", false},
        {"x", false},
    };
    struct tv_str body = TV_S(STARTED);
    struct tv_webhook_event event;
    struct tv_str claims = encode(fill("{" ISS "," EXP "," SHA "}", body));
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        unsigned char mac[TV_SHA256_BYTES];
        char *text = tv_arena_printf(arena, "%s.%s", encode(cases[i].head).p, claims.p);
        char signature[64];
        tv_hmac_sha256(TV_S(SECRET), tv_str(text), mac);
        (void)tv_base64url(mac, sizeof mac, signature);
        char *token = tv_arena_printf(arena, "%s.%s", text, signature);
        verdict_is(read_now(body, tv_str(token), &event), cases[i].good ? V(EVENT) : V(BAD_TOKEN),
                   cases[i].head);
        char *unsigned_token = tv_arena_printf(arena, "%s.", text);
        verdict_is(read_now(body, tv_str(unsigned_token), &event), V(BAD_TOKEN), "no signature");
        char *four = tv_arena_printf(arena, "%s.x", token);
        verdict_is(read_now(body, tv_str(four), &event), V(BAD_TOKEN), "four parts");
    }
    static const char *const no_tokens[] = {
        "x", ".", "..", "...", "Bearer", "\xff\xff.\xff.\xff", "e30.e30.e30"};
    for (size_t i = 0; i < TV_ARRAY_LEN(no_tokens); i++)
        verdict_is(read_now(body, tv_str(no_tokens[i]), &event), V(BAD_TOKEN), no_tokens[i]);
    char *endless = tv_arena_calloc(arena, 1, 100001);
    memset(endless, 'e', 100000);
    verdict_is(read_now(body, tv_str(endless), &event), V(BAD_TOKEN), "endless");
}

static void test_sizes(void **state) {
    struct tv_webhook_event event;
    char *body = tv_arena_alloc(arena, TV_WEBHOOK_BODY_MAX + 2);
    memset(body, ' ', TV_WEBHOOK_BODY_MAX + 1);
    memcpy(body, STARTED, strlen(STARTED));
    struct tv_str most = {body, TV_WEBHOOK_BODY_MAX}, more = {body, TV_WEBHOOK_BODY_MAX + 1};
    verdict_is(read_now(most, genuine(most), &event), V(EVENT), "the longest");
    verdict_is(read_now(more, genuine(more), &event), V(TOO_LARGE), "too long");
    assert_int_equal(tv_webhook_error(V(TOO_LARGE)), TV_ERR_TOO_LARGE);
    verdict_is(read_now(TV_S(""), genuine(TV_S("")), &event), V(UNREADABLE), "empty");
    struct tv_str nothing = {NULL, 0};
    verdict_is(read_now(nothing, genuine(nothing), &event), V(UNREADABLE), "nothing");
    verdict_is(read_now(nothing, nothing, &event), V(NO_TOKEN), "nothing at all");
}

/* -- genuine bodies -----------------------------------------------------------------------------*/

#define LONG64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG256 LONG64 LONG64 LONG64 LONG64
#define PERSON(more) "\"participant\":{\"sid\":\"PA_1\",\"identity\":\"p_1\"" more "}"
#define AT ",\"id\":\"EV_1\",\"createdAt\":\"1795399810\""

static const struct {
    const char *body;
    enum tv_webhook_verdict verdict;
    const char *kind;
} bodies[] = {
    {STARTED, V(EVENT), "room_started"},
    {" " STARTED "\n", V(EVENT), "room_started"},
    {"{\"event\":\"room_started\"" AT "," ROOM ",\"new\":{\"x\":[1,{}]},\"track\":null}", V(EVENT),
     "room_started"},
    {"{\"event\":\"room_started\",\"id\":\"EV_1\",\"created_at\":1795399810," ROOM "}", V(EVENT),
     "room_started"},
    {HEAD("participant_left") "," ROOM "," PERSON() "}", V(EVENT), "participant_left"},
    /* others' business */
    {HEAD("egress_started") ",\"egressInfo\":{}}", V(NOTHING), "other"},
    {HEAD("ingress_ended") "," ROOM "}", V(NOTHING), "other"},
    {HEAD("room_invented") "}", V(NOTHING), "other"},
    {HEAD("Room_started") "," ROOM "}", V(NOTHING), "other"},
    {HEAD("other") "," ROOM "}", V(NOTHING), "other"},
    {HEAD("unread") "," ROOM "}", V(NOTHING), "other"},
    {"{}", V(NOTHING), "other"},
    {HEAD("room_started") ",\"room\":{\"sid\":\"RM_1\"}}", V(NOTHING), "room_started"},
    /* no JSON, or other types */
    {"", V(UNREADABLE), "unread"},
    {"null", V(UNREADABLE), "unread"},
    {"[]", V(UNREADABLE), "unread"},
    {"\"x\"", V(UNREADABLE), "unread"},
    {"{", V(UNREADABLE), "unread"},
    {STARTED "}", V(UNREADABLE), "unread"},
    {"<html></html>", V(UNREADABLE), "unread"},
    {"{\"event\":7}", V(UNREADABLE), "unread"},
    {"{\"event\":\"a\",\"event\":\"b\"}", V(UNREADABLE), "unread"},
    {"{\"event\":\"\xff\"}", V(UNREADABLE), "unread"},
    {"{\"event\":\"\\u0000\"}", V(UNREADABLE), "unread"},
    {HEAD("room_started") ",\"room\":\"RM_1\"}", V(UNREADABLE), "unread"},
    {HEAD("room_started") ",\"room\":[]}", V(UNREADABLE), "unread"},
    {HEAD("room_started") ",\"room\":{\"sid\":7,\"name\":\"room_1\"}}", V(UNREADABLE), "unread"},
    {HEAD("participant_left") "," ROOM "," PERSON(",\"joinedAtMs\":\"soon\"") "}", V(UNREADABLE),
     "unread"},
    {HEAD("participant_left") "," ROOM "," PERSON(",\"joinedAtMs\":1.5") "}", V(UNREADABLE),
     "unread"},
    {HEAD("participant_left") "," ROOM "," PERSON(",\"disconnectReason\":{}") "}", V(UNREADABLE),
     "unread"},
    {"{\"event\":\"room_started\",\"id\":\"EV_1\",\"createdAt\":\"99999999999999999999\"," ROOM "}",
     V(UNREADABLE), "unread"},
    /* without what it must have */
    {HEAD("room_started") "}", V(INCOMPLETE), "room_started"},
    {HEAD("room_started") ",\"room\":null}", V(INCOMPLETE), "room_started"},
    {HEAD("room_started") ",\"room\":{\"name\":\"room_1\"}}", V(INCOMPLETE), "room_started"},
    {HEAD("room_started") ",\"room\":{\"sid\":\"" LONG64 "\",\"name\":\"room_1\"}}", V(EVENT),
     "room_started"},
    {HEAD("room_started") ",\"room\":{\"sid\":\"" LONG64 "x\",\"name\":\"room_1\"}}", V(INCOMPLETE),
     "room_started"},
    {HEAD("room_started") ",\"room\":{\"sid\":\"RM_1\",\"name\":\"" LONG256 "\"}}", V(EVENT),
     "room_started"},
    {HEAD("room_started") ",\"room\":{\"sid\":\"RM_1\",\"name\":\"" LONG256 "x\"}}", V(INCOMPLETE),
     "room_started"},
    {"{\"event\":\"room_started\",\"createdAt\":\"1795399810\"," ROOM "}", V(INCOMPLETE),
     "room_started"},
    {"{\"event\":\"room_started\",\"id\":\"" LONG64 "\",\"createdAt\":\"1795399810\"," ROOM "}",
     V(EVENT), "room_started"},
    {"{\"event\":\"room_started\",\"id\":\"" LONG64 "x\",\"createdAt\":\"1795399810\"," ROOM "}",
     V(INCOMPLETE), "room_started"},
    {HEAD("participant_joined") "," ROOM "}", V(INCOMPLETE), "participant_joined"},
    {HEAD("track_published") "," ROOM ",\"participant\":{\"identity\":\"p_1\"}}", V(INCOMPLETE),
     "track_published"},
    {HEAD("track_unpublished") "," ROOM ",\"participant\":{\"sid\":\"PA_1\"}}", V(INCOMPLETE),
     "track_unpublished"},
    {HEAD("participant_connection_aborted") "," ROOM ",\"participant\":{\"sid\":\"" LONG64
                                            "x\",\"identity\":\"p_1\"}}",
     V(INCOMPLETE), "participant_connection_aborted"},
    {HEAD("participant_left") "," ROOM ",\"participant\":{\"sid\":\"PA_1\",\"identity\":\"" LONG256
                              "x\"}}",
     V(INCOMPLETE), "participant_left"},
};

static void test_bodies(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(bodies); i++) {
        struct tv_webhook_event event;
        enum tv_webhook_verdict v = read_genuine(bodies[i].body, &event);
        verdict_is(v, bodies[i].verdict, bodies[i].body);
        assert_true((v == V(EVENT)) == (event.record != NULL));
        assert_string_equal(tv_webhook_kind(event.kind), bodies[i].kind);
    }
    assert_int_equal(tv_webhook_error(V(UNREADABLE)), TV_ERR_MALFORMED);
    assert_int_equal(tv_webhook_error(V(INCOMPLETE)), TV_ERR_MALFORMED);
    assert_int_equal(tv_webhook_error(V(NOTHING)), TV_OK);
}

static void test_reasons(void **state) {
    static const struct {
        const char *json, *reason;
    } cases[] = {
        {"", "UNKNOWN_REASON"},
        {",\"disconnectReason\":null", "UNKNOWN_REASON"},
        {",\"disconnectReason\":\"UNKNOWN_REASON\"", "UNKNOWN_REASON"},
        {",\"disconnectReason\":\"DUPLICATE_IDENTITY\"", "DUPLICATE_IDENTITY"},
        {",\"disconnectReason\":\"MEDIA_FAILURE\"", "MEDIA_FAILURE"},
        {",\"disconnectReason\":14", "CONNECTION_TIMEOUT"},
        {",\"disconnectReason\":\"NOT_INVENTED_YET\"", "UNKNOWN_REASON"},
        {",\"disconnectReason\":4711", "UNKNOWN_REASON"},
        {",\"disconnectReason\":-1", "UNKNOWN_REASON"},
    };
    static const struct {
        const char *head;
        bool told;
    } events[] = {{HEAD("participant_left"), true},
                  {HEAD("participant_connection_aborted"), true},
                  {HEAD("participant_joined"), false},
                  {HEAD("track_published"), false}};
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        for (size_t j = 0; j < TV_ARRAY_LEN(events); j++) {
            struct tv_webhook_event event;
            char *body = tv_arena_printf(
                arena, "%s," ROOM ",\"participant\":{\"sid\":\"PA_1\",\"identity\":\"p_1\"%s}}",
                events[j].head, cases[i].json);
            verdict_is(read_genuine(body, &event), V(EVENT), body);
            assert_string_equal(event.record->reason, events[j].told ? cases[i].reason : "");
        }
    }
}

/* -- when it was --------------------------------------------------------------------------------*/

#define NONE INT64_MIN
#define MS(ms) (NOW_S * 1000 + (ms))

/* It is NOW_S and 27 ms. Created in whole seconds from NOW_S, joined in milliseconds from it. */
static const struct {
    const char *event;
    int64_t created_s, joined_ms;
    enum tv_webhook_verdict verdict;
    int64_t age_ms, joined_age_ms;
} times[] = {
    {"room_started", 0, NONE, V(EVENT), 0, -1},
    {"room_finished", -1, NONE, V(EVENT), 527, -1}, /* tried again, or a moment late */
    {"room_finished", -300, NONE, V(EVENT), 299527, -1},
    {"room_finished", -3600, NONE, V(EVENT), 3599527, -1},
    {"room_finished", -3601, NONE, V(CLOCK), 0, 0},
    {"room_finished", 1, NONE, V(EVENT), 0, -1}, /* LiveKit's clock is ahead */
    {"room_finished", 60, NONE, V(EVENT), 0, -1},
    {"room_finished", 61, NONE, V(CLOCK), 0, 0},
    {"room_finished", -NOW_S, NONE, V(CLOCK), 0, 0}, /* 1970, or not said */
    {"room_finished", INT64_MAX - NOW_S, NONE, V(CLOCK), 0, 0},
    {"room_finished", INT64_MIN + NOW_S, NONE, V(CLOCK), 0, 0},
    /* in since media are connected, which is when it is told */
    {"participant_joined", 0, -160, V(EVENT), 0, 0},
    {"participant_joined", 0, NONE, V(EVENT), 0, 0},
    {"participant_joined", -8, -8100, V(EVENT), 7527, 7527},
    {"participant_joined", -8, -7200, V(EVENT), 7227, 7227}, /* not before signalling came */
    {"participant_joined", 0, 3000, V(EVENT), 0, 0},
    {"participant_joined", 0, 60027, V(EVENT), 0, 0},
    {"participant_joined", 0, 60028, V(CLOCK), 0, 0},
    {"participant_joined", 0, INT64_MAX / 1000 - MS(0), V(CLOCK), 0, 0},
    {"participant_joined", 0, INT64_MAX - MS(0), V(EVENT), 0, 0}, /* no time at all */
    {"participant_joined", 0, -MS(1), V(EVENT), 0, 0},
    {"participant_left", 0, -13000, V(EVENT), 0, 13027},
    {"participant_left", 0, NONE, V(EVENT), 0, -1},
    {"participant_left", -4, -13000, V(EVENT), 3527, 13027},
    {"participant_left", -4, -3200, V(EVENT), 3227, 3227}, /* came in the second half of it */
    {"participant_left", 0, 40, V(EVENT), 0, 0},
    {"participant_left", 0, 60028, V(CLOCK), 0, 0},
    {"participant_left", 0, -MS(1), V(EVENT), 0, -1},
    {"participant_connection_aborted", 0, -500, V(EVENT), 0, -1},
    {"participant_connection_aborted", -2, 99999, V(EVENT), 1527, -1},
    {"track_published", 0, -500, V(EVENT), 0, -1},
    {"track_unpublished", -2, NONE, V(EVENT), 1527, -1},
};

static void test_ages(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(times); i++) {
        struct tv_webhook_event event;
        const char *joined = times[i].joined_ms == NONE
                                 ? ""
                                 : tv_arena_printf(arena, ",\"joinedAtMs\":\"%lld\"",
                                                   (long long)MS(times[i].joined_ms));
        char *body =
            tv_arena_printf(arena,
                            "{\"event\":\"%s\",\"id\":\"EV_1\",\"createdAt\":\"%lld\"," ROOM
                            ",\"participant\":{\"sid\":\"PA_1\",\"identity\":\"p_1\"%s}}",
                            times[i].event, (long long)(NOW_S + times[i].created_s), joined);
        verdict_is(read_genuine(body, &event), times[i].verdict, body);
        if (event.record == NULL)
            continue;
        if (event.record->age_ms != times[i].age_ms ||
            event.record->joined_age_ms != times[i].joined_age_ms)
            fail_msg("case %zu: %lld, %lld", i, (long long)event.record->age_ms,
                     (long long)event.record->joined_age_ms);
    }
    assert_int_equal(tv_webhook_error(V(CLOCK)), TV_ERR_UNAUTHENTICATED);
}

/* Servers that know whole seconds only. */
static void test_joined_in_seconds(void **state) {
    struct tv_webhook_event event;
    verdict_is(read_genuine(HEAD("participant_left") "," ROOM
                                                     "," PERSON(",\"joinedAt\":\"1795399800\"") "}",
                            &event),
               V(EVENT), "seconds");
    assert_int_equal(event.record->joined_age_ms, 9527);
    verdict_is(read_genuine(HEAD("participant_left") "," ROOM "," PERSON(
                                ",\"joinedAt\":\"9223372036854775807\"") "}",
                            &event),
               V(EVENT), "no time at all");
    assert_int_equal(event.record->joined_age_ms, -1);
}

/* Labels and words are what dashboards know: each its own, none empty. */
static void test_words(void **state) {
    for (unsigned v = 0; v < TV_WEBHOOK_VERDICT_COUNT; v++) {
        assert_true(tv_webhook_word(v)[0] != '\0');
        for (unsigned other = 0; other < v; other++)
            assert_string_not_equal(tv_webhook_word(v), tv_webhook_word(other));
    }
    for (unsigned k = 0; k < TV_WEBHOOK_KINDS; k++) {
        assert_non_null(tv_webhook_kind(k));
        for (unsigned other = 0; other < k; other++)
            assert_string_not_equal(tv_webhook_kind(k), tv_webhook_kind(other));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    tv_crypto_init();
    const struct CMUnitTest tests[] = {
        TEST(test_recordings),
        TEST(test_a_recording_grows_old),
        TEST(test_each_bit_counts),
        TEST(test_reencoded),
        TEST(test_bearer_and_keys),
        TEST(test_claims),
        TEST(test_signers),
        TEST(test_bad_signers),
        TEST(test_heads),
        TEST(test_sizes),
        TEST(test_bodies),
        TEST(test_reasons),
        TEST(test_ages),
        TEST(test_joined_in_seconds),
        TEST(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
