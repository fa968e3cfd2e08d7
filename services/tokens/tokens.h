/* tokens.h - the service: what it is configured with, what it holds, what it answers. */
#ifndef TV_TOKENS_TOKENS_H
#define TV_TOKENS_TOKENS_H

#include "lib/crypto.h"
#include "lib/loop.h"
#include "lib/rpc.h"
#include "services/tokens/livekit.h"
#include "services/tokens/rooms.h"
#include "services/tokens/signers.h"

struct tokens_conf {
    const char *livekit_url;     /* LIVEKIT_URL: what browsers get */
    const char *livekit_api_url; /* LIVEKIT_API_URL; NULL: made from the above */
    const char *api_key;         /* LIVEKIT_API_KEY[_FILE] */
    const char *api_secret;      /* LIVEKIT_API_SECRET[_FILE] */
    const char *webhook_keys;    /* LIVEKIT_WEBHOOK_KEYS[_FILE]; NULL: none besides the above */
    const char *grant_key;       /* TELEVISIT_GRANT_KEY[_FILE] */
};

struct tokens_turn; /* a MakeRoom that waits for its turn, see change.c */

struct tokens {
    const struct tokens_conf *conf;
    struct tv_seal_keys grant_keys;
    struct tv_signers signers; /* of webhooks */
    char *api_url;             /* owned */
    struct tv_livekit *livekit;
    struct tv_rooms *rooms;
    struct tokens_hook *hook; /* of ReadWebhook */
    STAILQ_HEAD(, tokens_turn) turns;
    unsigned making; /* rooms for MakeRoom, just now */
    struct tv_rpc_server *server;
};

/* TV_ERR_INVALID when the grant key or a key of webhooks is none. `conf` is borrowed. */
TV_MUST_CHECK enum tv_err tokens_new(struct tv_loop *l, struct tv_bus *b,
                                     const struct tokens_conf *conf, struct tokens **ret,
                                     struct tv_error *e);
void tokens_free(struct tokens *t); /* after the bus; accepts NULL */

/* What ReadWebhook needs (hook.c). */
struct tokens_hook *tokens_hook_new(const unsigned char grant_key[static TV_SEAL_KEY_BYTES]);
void tokens_hook_free(struct tokens_hook *h); /* accepts NULL */

/* LIVEKIT_URL with the scheme of its API, without a slash at its end. Returns owned. */
char *tokens_api_url(const char *livekit_url);

#endif
