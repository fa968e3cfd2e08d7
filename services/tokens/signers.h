/* signers.h - the key pairs of LiveKit that webhooks may be signed with.
 *
 * One is the pair that this service itself signs with (LIVEKIT_API_KEY). While that is changed at
 * LiveKit and here, not in the same instant, LIVEKIT_WEBHOOK_KEYS names the others: without them
 * a visit's events would be refused until both sides have the new one.
 */
#ifndef TV_TOKENS_SIGNERS_H
#define TV_TOKENS_SIGNERS_H

#include "lib/err.h"
#include "lib/str.h"

#define TV_SIGNERS_MORE_MAX 4 /* in LIVEKIT_WEBHOOK_KEYS */
#define TV_SIGNERS_MAX (1 + TV_SIGNERS_MORE_MAX)

struct tv_signer {
    const char *key; /* its name at LiveKit: who the webhook says has signed it */
    struct tv_str secret;
};

struct tv_signers {
    struct tv_signer signer[TV_SIGNERS_MAX];
    unsigned count;
    char *text; /* owned: holds what `more` has said */
    size_t text_bytes;
};

/* `first` is borrowed; `more` is NULL or lines `key:secret`, where blanks around either and lines
 * without anything do not count. TV_ERR_INVALID names the line at fault, never what stands in it;
 * then there is nothing to free. */
TV_MUST_CHECK enum tv_err tv_signers_read(struct tv_signer first, const char *more,
                                          struct tv_signers *ret, struct tv_error *e);
void tv_signers_done(struct tv_signers *s);

#endif
