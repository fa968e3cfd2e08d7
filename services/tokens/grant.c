/* grant.c - see grant.h. */
#include "services/tokens/grant.h"

#include "lib/clock.h"
#include "lib/pb.h"
#include "televisit/v1/tokens.pb-c.h"

/* What each type may publish. A type that is not listed gets no token. */
static const struct {
    Televisit__V1__ParticipantType__Value type;
    const char *sources; /* JSON */
} rights[] = {
    {TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__PATIENT,
     "[\"camera\",\"microphone\",\"screen_share\",\"screen_share_audio\"]"},
    {TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__DOCTOR,
     "[\"camera\",\"microphone\",\"screen_share\",\"screen_share_audio\"]"},
    {TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__INTERPRETER, "[\"camera\",\"microphone\"]"},
    {TELEVISIT__V1__PARTICIPANT_TYPE__VALUE__GUEST, "[\"camera\",\"microphone\"]"},
};

static const char *sources_of(Televisit__V1__ParticipantType__Value type) {
    for (size_t i = 0; i < TV_ARRAY_LEN(rights); i++) {
        if (rights[i].type == type)
            return rights[i].sources;
    }
    return NULL;
}

static bool is_name(const char *z) {
    size_t len = strlen(z);
    return len > 0 && len <= TV_GRANT_NAME_MAX;
}

static bool is_whole(const Televisit__V1__Grant *g) {
    return is_name(g->room) && is_name(g->identity) && sources_of(g->participant_type) != NULL &&
           g->issued_at != NULL && g->valid_until != NULL && g->closes_at != NULL &&
           g->participants_max > 0;
}

enum tv_err tv_grant_open(struct tv_str sealed, const unsigned char key[static TV_SEAL_KEY_BYTES],
                          int64_t now_us, struct tv_arena *a, struct tv_grant *ret,
                          struct tv_error *e) {
    if (sealed.len < TV_SEAL_BYTES)
        return tv_fail(e, TV_ERR_FORBIDDEN, "the grant is not ours");
    struct tv_str bytes = {sealed.p, sealed.len - TV_SEAL_BYTES};
    if (!tv_seal_ok(bytes, (const unsigned char *)sealed.p + bytes.len, key))
        return tv_fail(e, TV_ERR_FORBIDDEN, "the grant is not ours");

    const Televisit__V1__Grant *g =
        (const void *)tv_pb_unpack(&televisit__v1__grant__descriptor, bytes, a);
    if (g == NULL || !is_whole(g))
        return tv_fail(e, TV_ERR_INTERNAL, "the grant is not whole");
    int64_t issued_us = tv_pb_time_us(g->issued_at), closes_us = tv_pb_time_us(g->closes_at);
    int64_t valid_until_us = tv_pb_time_us(g->valid_until), skew_us = TV_GRANT_SKEW_S * TV_US_PER_S;
    if (issued_us < 0 || closes_us < issued_us || closes_us - issued_us > UINT32_MAX * TV_US_PER_S)
        return tv_fail(e, TV_ERR_INTERNAL, "the grant's times cannot be");
    if (now_us < issued_us - skew_us || now_us - skew_us > valid_until_us)
        return tv_fail(e, TV_ERR_FORBIDDEN, "the grant is stale: please join again");

    int64_t issued_s = issued_us / TV_US_PER_S, closes_s = closes_us / TV_US_PER_S;
    if (closes_s <= issued_s)
        return tv_fail(e, TV_ERR_TOO_LATE, "the call closes this second");
    *ret = (struct tv_grant){
        .room = g->room,
        .identity = g->identity,
        .type = g->participant_type,
        .participants_max = (uint32_t)g->participants_max,
        .open_s = (uint32_t)(closes_s - issued_s),
        .issued_s = issued_s,
        .expires_s = TV_MIN(issued_s + TV_GRANT_TOKEN_S, closes_s),
    };
    return TV_OK;
}

struct tv_str tv_grant_claims(const struct tv_grant *g, const char *api_key, struct tv_arena *a) {
    struct tv_buf b = TV_BUF_INIT(8 * TV_GRANT_NAME_MAX + 4096);
    tv_buf_puts(&b, "{\"iss\":");
    tv_buf_json(&b, tv_str(api_key));
    tv_buf_puts(&b, ",\"sub\":");
    tv_buf_json(&b, tv_str(g->identity));
    tv_buf_printf(&b, ",\"nbf\":%lld,\"exp\":%lld", (long long)(g->issued_s - TV_GRANT_BACK_S),
                  (long long)g->expires_s);
    tv_buf_puts(&b, ",\"video\":{\"room\":");
    tv_buf_json(&b, tv_str(g->room));
    tv_buf_puts(&b, ",\"roomJoin\":true,\"canPublish\":true,\"canSubscribe\":true,"
                    "\"canPublishData\":true,\"canPublishSources\":");
    tv_buf_puts(&b, sources_of(g->type));
    tv_buf_puts(&b, "}}");
    struct tv_str claims = {tv_arena_strndup(a, b.data, b.len), b.len};
    tv_buf_done(&b);
    return claims;
}
