/* tokens: the only service that holds LiveKit's secret. It makes, watches and deletes rooms, signs
 * what lets a person into one, and verifies what LiveKit tells of them. It keeps nothing that must
 * not be lost: rooms it has forgotten it finds again by asking LiveKit (docs/ARCHITECTURE.md, "A
 * join"). It is ready without LiveKit, for a replica more would not bring LiveKit back; joins
 * answer media-unavailable meanwhile. */
#include "lib/clock.h"
#include "lib/jwt.h"
#include "lib/service.h"
#include "services/tokens/tokens.h"

#define ROW(member) offsetof(struct tokens_conf, member)

static const struct tv_conf_row conf_rows[] = {
    {"LIVEKIT_URL", TV_CONF_URL, ROW(livekit_url), NULL, TV_CONF_REQUIRED,
     .choices = "ws,wss,http,https", .help = "Address of LiveKit as browsers reach it"},
    {"LIVEKIT_API_URL", TV_CONF_URL, ROW(livekit_api_url), NULL, .choices = "http,https",
     .help = "Address of LiveKit's API as this service reaches it; unset: made from LIVEKIT_URL"},
    {"LIVEKIT_API_KEY", TV_CONF_STRING, ROW(api_key), NULL, TV_CONF_REQUIRED | TV_CONF_FILE, 1, 128,
     .help = "Name of the key pair at LiveKit"},
    {"LIVEKIT_API_SECRET", TV_CONF_SECRET, ROW(api_secret), NULL, TV_CONF_REQUIRED,
     TV_JWT_MIN_KEY_BYTES, 512, .help = "Secret of the key pair at LiveKit"},
    {"LIVEKIT_WEBHOOK_KEYS", TV_CONF_SECRET, ROW(webhook_keys), NULL, 0, 1, 4096,
     .help = "While the key pair is changed: further pairs that LiveKit's webhooks may be signed "
             "with, up to 4 lines key:secret"},
    {"TELEVISIT_GRANT_KEY", TV_CONF_SECRET, ROW(grant_key), NULL, TV_CONF_REQUIRED, 43,
     TV_SEAL_KEYS_TEXT_MAX,
     .help = "Key that grants are sealed with, the same as of appointments: 64 hex digits, or "
             "base64url of 32 bytes. While it is changed, a second line: the first seals, both "
             "open"},
};

static enum tv_err start(const struct tv_service_env *env, void **ret_state,
                         struct tv_need needs[TV_SERVICE_NEEDS_MAX], size_t *ret_need_count,
                         struct tv_error *e) {
    struct tokens *t = NULL;
    enum tv_err err = tokens_new(env->loop, env->bus, env->conf, &t, e);
    if (err == TV_OK) {
        *ret_state = t;
        *ret_need_count = 0;
    }
    return err;
}

static bool busy(void *state) {
    const struct tokens *t = state;
    return tv_rpc_in_flight(t->server) > 0;
}

static void stop(void *state) { tokens_free(state); }

static const struct tv_service service = {
    .name = "tokens",
    .description =
        "Makes LiveKit rooms, signs what lets people into them, reads what LiveKit tells",
    .conf_rows = conf_rows,
    .conf_row_count = TV_ARRAY_LEN(conf_rows),
    .conf_bytes = sizeof(struct tokens_conf),
    .start = start,
    .busy = busy,
    .stop = stop,
};

int main(int argc, char **argv) { return tv_service_run(&service, argc, argv); }
