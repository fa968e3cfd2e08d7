/* webhook.h - a webhook of LiveKit: is it genuine, and what does it say? Pure.
 *
 * LiveKit signs a JSON Web Token with the key that this service shares with it, and puts the
 * SHA-256 of the body into it. So the way is: token (signature, issuer, times), then the hash over
 * the exact bytes, and only then the body is looked at. Nothing of what is refused goes anywhere
 * but the number of its verdict.
 *
 * What comes out is a CallEvent, whose times are ages: milliseconds before `now_us`. LiveKit dates
 * an event by whole seconds, so an event that arrives within its second happened, as far as can be
 * known, when it arrived; a later one (LiveKit tried again) in the middle of its second.
 */
#ifndef TV_TOKENS_WEBHOOK_H
#define TV_TOKENS_WEBHOOK_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/str.h"
#include "services/tokens/signers.h"
#include "televisit/v1/calls.pb-c.h"

#define TV_WEBHOOK_BODY_MAX 65536 /* bytes, as the route of the gateway has it */
#define TV_WEBHOOK_LEEWAY_S 60    /* how far LiveKit's clock may be from this host's */
#define TV_WEBHOOK_AGE_MAX_S 3600 /* LiveKit gives up after seconds */
#define TV_WEBHOOK_ID_MAX 64      /* bytes of an event's id, of a sid */
#define TV_WEBHOOK_NAME_MAX 256   /* bytes of a room's name, of an identity: LiveKit's own limit */

/* X(NAME, error, word): how the reading ends. The word is for metrics and the log. */
#define TV_WEBHOOK_VERDICTS(X)                                                                     \
    X(EVENT, TV_OK, "event")     /* to be recorded */                                              \
    X(NOTHING, TV_OK, "nothing") /* genuine, and nobody records such */                            \
    X(TOO_LARGE, TV_ERR_TOO_LARGE, "too_large")                                                    \
    X(NO_TOKEN, TV_ERR_UNAUTHENTICATED, "no_token")                                                \
    X(BAD_TOKEN, TV_ERR_UNAUTHENTICATED, "bad_token")   /* form, algorithm, signature */           \
    X(BAD_CLAIMS, TV_ERR_UNAUTHENTICATED, "bad_claims") /* types; no end; no hash */               \
    X(OTHER_KEY, TV_ERR_UNAUTHENTICATED, "other_key")   /* issuer */                               \
    X(EXPIRED, TV_ERR_UNAUTHENTICATED, "expired")                                                  \
    X(EARLY, TV_ERR_UNAUTHENTICATED, "early")                                                      \
    X(OTHER_BODY, TV_ERR_UNAUTHENTICATED, "other_body") /* hash */                                 \
    X(CLOCK, TV_ERR_UNAUTHENTICATED, "clock")           /* the event's own times */                \
    X(UNREADABLE, TV_ERR_MALFORMED, "unreadable")       /* genuine, but no JSON of an event */     \
    X(INCOMPLETE, TV_ERR_MALFORMED, "incomplete")       /* genuine, without what it must have */

enum tv_webhook_verdict {
#define X(name, error, word) TV_WEBHOOK_##name,
    TV_WEBHOOK_VERDICTS(X)
#undef X
        TV_WEBHOOK_VERDICT_COUNT
};
enum tv_err tv_webhook_error(enum tv_webhook_verdict v);
const char *tv_webhook_word(enum tv_webhook_verdict v); /* static */

struct tv_webhook {
    struct tv_str body;          /* as it came, byte for byte */
    struct tv_str authorization; /* the header: the token, "Bearer " before it or not */
};

struct tv_webhook_event {
    unsigned kind;                    /* below TV_WEBHOOK_KINDS */
    Televisit__V1__CallEvent *record; /* in the arena; NULL unless the verdict is EVENT */
};
#define TV_WEBHOOK_KINDS 9
/* LiveKit's name of the event, "other", or "unread" when it did not come so far. Static. */
const char *tv_webhook_kind(unsigned kind);

/* Reads one webhook, signed by one of `by`; `now_us` is this host's clock. `*ret` is always
 * written. */
enum tv_webhook_verdict tv_webhook_read(const struct tv_webhook *w, const struct tv_signers *by,
                                        int64_t now_us, struct tv_arena *a,
                                        struct tv_webhook_event *ret);

#endif
