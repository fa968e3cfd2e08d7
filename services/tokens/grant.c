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
           g->issued_at != NULL && g->sealed_at != NULL && g->valid_until != NULL &&
           g->closes_at != NULL && g->participants_max > 0;
}

static const Televisit__V1__Grant *unseal(struct tv_str sealed, const struct tv_seal_keys *keys,
                                          struct tv_arena *a, struct tv_error *e) {
    struct tv_str bytes = {sealed.p, TV_MAX(sealed.len, (size_t)TV_SEAL_BYTES) - TV_SEAL_BYTES};
    if (sealed.len < TV_SEAL_BYTES ||
        !tv_seal_keys_ok(bytes, (const unsigned char *)sealed.p + bytes.len, keys)) {
        (void)tv_fail(e, TV_ERR_FORBIDDEN, "the grant is not ours");
        return NULL;
    }
    const Televisit__V1__Grant *g =
        (const void *)tv_pb_unpack(&televisit__v1__grant__descriptor, bytes, a);
    if (g == NULL || !is_whole(g)) {
        (void)tv_fail(e, TV_ERR_INTERNAL, "the grant is not whole");
        return NULL;
    }
    return g;
}

enum tv_err tv_grant_open(struct tv_str sealed, const struct tv_seal_keys *keys, int64_t now_us,
                          struct tv_arena *a, struct tv_grant *ret, struct tv_error *e) {
    struct tv_error fault;
    const Televisit__V1__Grant *g = unseal(sealed, keys, a, &fault);
    if (g == NULL) {
        if (e != NULL)
            *e = fault;
        return fault.code;
    }
    int64_t issued_us = tv_pb_time_us(g->issued_at), closes_us = tv_pb_time_us(g->closes_at);
    int64_t until_us = tv_pb_time_us(g->valid_until), valid_us = until_us - issued_us;
    int64_t age_us = now_us - tv_pb_time_us(g->sealed_at), skew_us = TV_GRANT_SKEW_S * TV_US_PER_S;
    if (issued_us < 0 || until_us < issued_us || closes_us < until_us ||
        closes_us - issued_us > UINT32_MAX * TV_US_PER_S)
        return tv_fail(e, TV_ERR_INTERNAL, "the grant's times cannot be");
    if (age_us < -skew_us || age_us > valid_us + skew_us)
        return tv_fail(e, TV_ERR_FORBIDDEN, "the grant is stale: please join again");

    /* How much of the window its way here took: between none and all that it is valid for. Where
     * the two clocks agree this is exact, and the token ends with the window. */
    int64_t way_us = TV_MAX(0, TV_MIN(age_us, valid_us));
    int64_t left_us = closes_us - issued_us - way_us;
    if (left_us < TV_US_PER_S)
        return tv_fail(e, TV_ERR_TOO_LATE, "the call closes this second");
    *ret = (struct tv_grant){
        .room = g->room,
        .identity = g->identity,
        .type = g->participant_type,
        .participants_max = (uint32_t)g->participants_max,
        .open_s = (uint32_t)(left_us / TV_US_PER_S),
        .now_s = now_us / TV_US_PER_S,
        .expires_s = (now_us + TV_MIN(left_us, TV_GRANT_TOKEN_S * TV_US_PER_S)) / TV_US_PER_S,
    };
    return TV_OK;
}

struct tv_str tv_grant_claims(const struct tv_grant *g, const char *api_key, struct tv_arena *a) {
    struct tv_buf b = TV_BUF_INIT(8 * TV_GRANT_NAME_MAX + 4096);
    tv_buf_puts(&b, "{\"iss\":");
    tv_buf_json(&b, tv_str(api_key));
    tv_buf_puts(&b, ",\"sub\":");
    tv_buf_json(&b, tv_str(g->identity));
    tv_buf_printf(&b, ",\"nbf\":%lld,\"exp\":%lld", (long long)(g->now_s - TV_GRANT_BACK_S),
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
