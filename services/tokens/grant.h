/* grant.h - what appointments decided, and what a LiveKit token says of it. Pure.
 *
 * A grant is packed bytes and a seal of 32 bytes after them. Whoever carries it can neither make
 * nor change one. Its instants are the database's; of them a token takes durations only, and counts
 * them from this host's clock, which is the kind of clock that LiveKit judges tokens by
 * (docs/adr/0005-times-of-a-token.md).
 */
#ifndef TV_TOKENS_GRANT_H
#define TV_TOKENS_GRANT_H

#include "lib/arena.h"
#include "lib/crypto.h"
#include "lib/err.h"
#include "lib/str.h"
#include "televisit/v1/appointments.pb-c.h"

#define TV_GRANT_TOKEN_S 600  /* how long a token lets in, at most */
#define TV_GRANT_SKEW_S 60    /* how far hosts' clocks may be apart */
#define TV_GRANT_BACK_S 10    /* nbf lies so long back, for LiveKit's clock */
#define TV_GRANT_NAME_MAX 256 /* bytes of a room's name or an identity: LiveKit's own limit */

struct tv_grant {
    const char *room; /* borrowed from the arena, as is `identity` */
    const char *identity;
    Televisit__V1__ParticipantType__Value type;
    uint32_t participants_max;
    uint32_t open_s;   /* until the call closes, at least 1 */
    int64_t now_s;     /* of this host, whole seconds since 1970, as tokens have them */
    int64_t expires_s; /* of the token, on this host's clock */
};

/* Opens a grant that was sealed with any of the keys; `now_us` is this host's clock.
 * TV_ERR_FORBIDDEN: not sealed by us, or stale. TV_ERR_TOO_LATE: the call closed with it.
 * TV_ERR_INTERNAL: sealed by us, yet not a grant. */
TV_MUST_CHECK enum tv_err tv_grant_open(struct tv_str sealed, const struct tv_seal_keys *keys,
                                        int64_t now_us, struct tv_arena *a, struct tv_grant *ret,
                                        struct tv_error *e);

/* The claims of the LiveKit token: this room, this person, and what the type may publish. Nothing
 * else stands in it, not even as false. Text in the arena. */
struct tv_str tv_grant_claims(const struct tv_grant *g, const char *api_key, struct tv_arena *a);

#endif
