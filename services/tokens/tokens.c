/* tokens.c - the service: the table of its operations, and what they share. The operations are in
 * issue.c, change.c, look.c and hook.c. */
#include "services/tokens/tokens.h"

#include <stdlib.h>

#include "services/tokens/operations.h"
#include "televisit/v1/tokens.pb-c.h"

/* A thousand rooms that are made again, and joins besides. */
#define IN_FLIGHT_MAX 2048

/* In the order of proto/televisit/v1/tokens.proto. */
static tv_rpc_handler *const handlers[] = {
    tokens_issue, tokens_close_room, tokens_read_webhook, tokens_make_room,
    tokens_look,  tokens_list_rooms, tokens_probe,
};

char *tokens_api_url(const char *livekit_url) {
    static const struct {
        struct tv_str is, becomes;
    } schemes[] = {{TV_S("ws://"), TV_S("http://")}, {TV_S("wss://"), TV_S("https://")}};
    struct tv_str rest = tv_str(livekit_url);
    struct tv_buf url = TV_BUF_INIT(rest.len + sizeof "https://");
    for (size_t i = 0; i < TV_ARRAY_LEN(schemes); i++) {
        if (tv_str_starts(rest, schemes[i].is)) {
            tv_buf_str(&url, schemes[i].becomes);
            rest.p += schemes[i].is.len;
            rest.len -= schemes[i].is.len;
            break;
        }
    }
    while (rest.len > 0 && rest.p[rest.len - 1] == '/')
        rest.len--;
    tv_buf_str(&url, rest);
    return url.data == NULL ? tv_strdup("") : url.data;
}

static void on_livekit_failing(void *ctx) {
    struct tokens *t = ctx;
    if (t->rooms != NULL)
        tv_rooms_forget_all(t->rooms);
}

static enum tv_err read_keys(struct tokens *t, struct tv_error *e) {
    struct tv_signer own = {t->conf->api_key, tv_str(t->conf->api_secret)};
    struct tv_error fault;
    if (tv_seal_keys_parse(t->conf->grant_key, &t->grant_keys, &fault) != TV_OK)
        return tv_fail(e, TV_ERR_INVALID, "TELEVISIT_GRANT_KEY: %s", fault.detail);
    if (tv_signers_read(own, t->conf->webhook_keys, &t->signers, &fault) != TV_OK)
        return tv_fail(e, TV_ERR_INVALID, "LIVEKIT_WEBHOOK_KEYS: %s", fault.detail);
    return TV_OK;
}

enum tv_err tokens_new(struct tv_loop *l, struct tv_bus *b, const struct tokens_conf *conf,
                       struct tokens **ret, struct tv_error *e) {
    struct tokens *t = tv_calloc(1, sizeof *t);
    t->conf = conf;
    enum tv_err err = read_keys(t, e);
    if (err != TV_OK) {
        free(t);
        return err;
    }
    t->api_url =
        tokens_api_url(conf->livekit_api_url != NULL ? conf->livekit_api_url : conf->livekit_url);
    struct tv_livekit_config livekit = {
        .api_url = t->api_url,
        .api_key = conf->api_key,
        .api_secret = tv_str(conf->api_secret),
        .on_failing = on_livekit_failing,
        .ctx = t,
    };
    t->livekit = tv_livekit_new(l, &livekit);
    t->rooms = tv_rooms_new(l, t->livekit);
    t->hook = tokens_hook_new(t->grant_keys.key[0]);
    STAILQ_INIT(&t->turns);
    t->server = tv_rpc_serve(b, &televisit__v1__tokens__descriptor, handlers, t, IN_FLIGHT_MAX);
    *ret = t;
    return TV_OK;
}

void tokens_free(struct tokens *t) {
    if (t == NULL)
        return;
    tv_livekit_free(t->livekit); /* ends the calls that still wait for LiveKit */
    tv_rooms_free(t->rooms);
    tokens_hook_free(t->hook);
    tv_rpc_server_free(t->server);
    tv_signers_done(&t->signers);
    tv_wipe(&t->grant_keys, sizeof t->grant_keys);
    free(t->api_url);
    free(t);
}
