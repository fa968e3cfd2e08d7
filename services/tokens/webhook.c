/* webhook.c - see webhook.h. */
#include "services/tokens/webhook.h"

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/jwt.h"
#include "lib/pb.h"
#include "livekit/livekit.pb-c.h"

#define LEEWAY_US (TV_WEBHOOK_LEEWAY_S * TV_US_PER_S)
#define HASH_TEXT 44 /* of 32 bytes, in base64 with its padding */

/* -- verdicts -----------------------------------------------------------------------------------*/

static const struct {
    enum tv_err err;
    const char *word;
} verdicts[TV_WEBHOOK_VERDICT_COUNT] = {
#define X(name, error, word) [TV_WEBHOOK_##name] = {error, word},
    TV_WEBHOOK_VERDICTS(X)
#undef X
};

enum tv_err tv_webhook_error(enum tv_webhook_verdict v) { return verdicts[v].err; }
const char *tv_webhook_word(enum tv_webhook_verdict v) { return verdicts[v].word; }

/* -- events -------------------------------------------------------------------------------------*/

#define TYPE(name) TELEVISIT__V1__CALL_EVENT__TYPE__##name

/* What an event of LiveKit is to the record, and what it must say. */
struct kind {
    const char *name;
    Televisit__V1__CallEvent__Type type; /* UNSPECIFIED: nothing */
    bool has_person, has_join, has_reason;
};
static const struct kind kinds[TV_WEBHOOK_KINDS] = {
    {"room_started", TYPE(ROOM_STARTED), false, false, false},
    {"room_finished", TYPE(ROOM_FINISHED), false, false, false},
    {"participant_joined", TYPE(JOINED), true, true, false},
    {"participant_left", TYPE(LEFT), true, true, true},
    {"participant_connection_aborted", TYPE(ABORTED), true, false, true},
    {"track_published", TYPE(SEEN), true, false, false},
    {"track_unpublished", TYPE(SEEN), true, false, false},
    {"other", TYPE(UNSPECIFIED), false, false, false}, /* egress, ingress, what is not invented */
    {"unread", TYPE(UNSPECIFIED), false, false, false},
};
#define OTHER (TV_WEBHOOK_KINDS - 2)
#define UNREAD (TV_WEBHOOK_KINDS - 1)

const char *tv_webhook_kind(unsigned kind) { return kinds[kind].name; }

static unsigned kind_of(const char *event) {
    unsigned i = 0;
    while (i < OTHER && strcmp(kinds[i].name, event) != 0)
        i++;
    return i;
}

/* -- is it genuine? -----------------------------------------------------------------------------*/

static struct tv_str token_of(struct tv_str authorization) {
    static const struct tv_str bearer = TV_S("Bearer ");
    if (authorization.len >= bearer.len &&
        tv_str_eq_nocase((struct tv_str){authorization.p, bearer.len}, bearer)) {
        authorization.p += bearer.len;
        authorization.len -= bearer.len;
    }
    return authorization;
}

static bool hash_matches(const char *claim, struct tv_str body) {
    unsigned char hash[TV_SHA256_BYTES];
    char text[HASH_TEXT + 1];
    tv_sha256(body, hash);
    size_t len = tv_base64url(hash, sizeof hash, text);
    for (size_t i = 0; i < len; i++)
        text[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    text[len] = '='; /* 32 bytes leave room for one */
    return strlen(claim) == HASH_TEXT && tv_equal_ct(claim, text, HASH_TEXT);
}

/* EVENT and the claims when the signature is this signer's, who says so. */
static enum tv_webhook_verdict judge_signer(struct tv_str token, const struct tv_signer *by,
                                            struct tv_arena *a, const Livekit__WebhookToken **ret) {
    struct tv_jwt_key key = {NULL, by->secret};
    struct tv_str json;
    ProtobufCMessage *m = NULL;
    struct tv_error e;
    if (tv_jwt_verify(&key, 1, NULL, token, a, &json, &e) != TV_OK)
        return TV_WEBHOOK_BAD_TOKEN;
    if (tv_pb_from_json(&livekit__webhook_token__descriptor, json, TV_PB_LENIENT, a, &m, &e) !=
        TV_OK)
        return TV_WEBHOOK_BAD_CLAIMS;
    *ret = (const void *)m;
    return strcmp((*ret)->iss, by->key) == 0 ? TV_WEBHOOK_EVENT : TV_WEBHOOK_OTHER_KEY;
}

/* EVENT when the token is LiveKit's, good now, and speaks of this body. */
static enum tv_webhook_verdict judge_token(const struct tv_webhook *w, const struct tv_signers *by,
                                           int64_t now_us, struct tv_arena *a) {
    struct tv_str token = token_of(w->authorization);
    const Livekit__WebhookToken *claims = NULL;
    enum tv_webhook_verdict v = TV_WEBHOOK_BAD_TOKEN, of_one = v;
    if (token.len == 0)
        return TV_WEBHOOK_NO_TOKEN;
    /* A key may keep its name when its secret is changed, or the other way round. */
    for (unsigned i = 0; i < by->count && of_one != TV_WEBHOOK_EVENT; i++) {
        of_one = judge_signer(token, &by->signer[i], a, &claims);
        v = of_one == TV_WEBHOOK_BAD_TOKEN ? v : of_one; /* the verdict of whose signature it is */
    }
    if (v != TV_WEBHOOK_EVENT)
        return v;
    int64_t now_s = now_us / TV_US_PER_S;
    if (claims->exp == 0 || claims->sha256[0] == '\0')
        return TV_WEBHOOK_BAD_CLAIMS; /* an access token, say: it opens a room and proves nothing */
    if (claims->exp < now_s - TV_WEBHOOK_LEEWAY_S)
        return TV_WEBHOOK_EXPIRED;
    if (claims->nbf > now_s + TV_WEBHOOK_LEEWAY_S)
        return TV_WEBHOOK_EARLY;
    return hash_matches(claims->sha256, w->body) ? TV_WEBHOOK_EVENT : TV_WEBHOOK_OTHER_BODY;
}

/* -- when it was --------------------------------------------------------------------------------*/

/* Since when somebody is in, by LiveKit's clock; 0: not said. Older servers know seconds only. */
static int64_t joined_us(const Livekit__ParticipantInfo *p) {
    if (p->joined_at_ms > 0 && p->joined_at_ms <= INT64_MAX / TV_US_PER_MS)
        return p->joined_at_ms * TV_US_PER_MS;
    if (p->joined_at > 0 && p->joined_at < INT64_MAX / TV_US_PER_S)
        return p->joined_at * TV_US_PER_S + TV_US_PER_S / 2;
    return 0;
}

static int64_t age_ms(int64_t now_us, int64_t then_us) {
    return TV_MAX(0, (now_us - then_us) / TV_US_PER_MS);
}

/* False when LiveKit's clock and this host's cannot be of the same time. */
static bool date(const Livekit__WebhookEvent *e, const struct kind *kind, int64_t now_us,
                 Televisit__V1__CallEvent *record) {
    int64_t now_s = now_us / TV_US_PER_S;
    if (e->created_at < now_s - TV_WEBHOOK_AGE_MAX_S || e->created_at > now_s + TV_WEBHOOK_LEEWAY_S)
        return false;
    int64_t created_us = e->created_at * TV_US_PER_S;
    int64_t then_us = now_us < created_us + TV_US_PER_S ? now_us : created_us + TV_US_PER_S / 2;
    int64_t in_us = kind->has_join ? joined_us(e->participant) : 0;
    if (in_us > now_us + LEEWAY_US)
        return false;
    /* Nobody leaves before they came: where the middle of the second says so, it is wrong. For
     * LiveKit somebody is in when signalling came, here when their media are connected. */
    then_us = TV_MAX(then_us, in_us);
    record->age_ms = age_ms(now_us, then_us);
    record->joined_age_ms = kind->type == TYPE(JOINED) ? record->age_ms
                            : in_us == 0               ? -1
                                                       : age_ms(now_us, in_us);
    return true;
}

/* -- what it says -------------------------------------------------------------------------------*/

static bool is_within(const char *z, size_t max) {
    size_t len = strlen(z);
    return len > 0 && len <= max;
}

static char *reason_of(const Livekit__ParticipantInfo *p, struct tv_arena *a) {
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(
        &livekit__disconnect_reason__descriptor, (int)p->disconnect_reason);
    return tv_arena_strdup(a, v == NULL ? "UNKNOWN_REASON" : v->name);
}

static enum tv_webhook_verdict read_event(const Livekit__WebhookEvent *e, const struct kind *kind,
                                          int64_t now_us, struct tv_arena *a,
                                          Televisit__V1__CallEvent *record) {
    const Livekit__Room *room = e->room;
    const Livekit__ParticipantInfo *p = e->participant;
    if (!is_within(e->id, TV_WEBHOOK_ID_MAX) || room == NULL ||
        !is_within(room->sid, TV_WEBHOOK_ID_MAX) || strlen(room->name) > TV_WEBHOOK_NAME_MAX)
        return TV_WEBHOOK_INCOMPLETE;
    if (kind->has_person && (p == NULL || !is_within(p->sid, TV_WEBHOOK_ID_MAX) ||
                             !is_within(p->identity, TV_WEBHOOK_NAME_MAX)))
        return TV_WEBHOOK_INCOMPLETE;
    if (!date(e, kind, now_us, record))
        return TV_WEBHOOK_CLOCK;
    if (room->name[0] == '\0')
        return TV_WEBHOOK_NOTHING; /* LiveKit allows it; a room of ours has a name */
    record->id = e->id;
    record->type = kind->type;
    record->room = room->name;
    record->room_sid = room->sid;
    if (kind->has_person) {
        record->sid = p->sid;
        record->identity = p->identity;
    }
    if (kind->has_reason)
        record->reason = reason_of(p, a);
    return TV_WEBHOOK_EVENT;
}

enum tv_webhook_verdict tv_webhook_read(const struct tv_webhook *w, const struct tv_signers *by,
                                        int64_t now_us, struct tv_arena *a,
                                        struct tv_webhook_event *ret) {
    *ret = (struct tv_webhook_event){.kind = UNREAD};
    if (w->body.len > TV_WEBHOOK_BODY_MAX)
        return TV_WEBHOOK_TOO_LARGE;
    enum tv_webhook_verdict v = judge_token(w, by, now_us, a);
    if (v != TV_WEBHOOK_EVENT)
        return v;
    ProtobufCMessage *m = NULL;
    struct tv_error fault;
    if (tv_pb_from_json(&livekit__webhook_event__descriptor, w->body, TV_PB_LENIENT, a, &m,
                        &fault) != TV_OK)
        return TV_WEBHOOK_UNREADABLE;
    const Livekit__WebhookEvent *e = (const void *)m;
    ret->kind = kind_of(e->event);
    const struct kind *kind = &kinds[ret->kind];
    if (kind->type == TYPE(UNSPECIFIED))
        return TV_WEBHOOK_NOTHING;
    Televisit__V1__CallEvent *record =
        TV_PB_NEW(a, Televisit__V1__CallEvent, televisit__v1__call_event__descriptor);
    v = read_event(e, kind, now_us, a, record);
    ret->record = v == TV_WEBHOOK_EVENT ? record : NULL;
    return v;
}
