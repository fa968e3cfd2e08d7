/* The gateway: HTTP in front, the bus behind. It holds no data and knows no rule of an appointment;
 * it checks who asks and what they ask, carries it to the services, and tells people what happened
 * (docs/ARCHITECTURE.md). */
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/service.h"
#include "routes.h"
#include "services/gateway/flows.h"
#include "services/gateway/front.h"
#include "services/gateway/gateway.h"

#define HEADER_BYTES_MAX (8 * 1024)
#define TARGET_BYTES_MAX 4096
#define IDLE_TIMEOUT_US (30 * TV_US_PER_S)
#define LIMIT_BUCKETS 16384

#define ROW(member) offsetof(struct gateway_conf, member)

static const struct tv_conf_row conf_rows[] = {
    {"TELEVISIT_HTTP_ADDRESS", TV_CONF_ADDRESS, ROW(http_address), "127.0.0.1:8080",
     .help = "Address to serve HTTP on; TLS ends in front of it"},
    {"TELEVISIT_PUBLIC_URL", TV_CONF_URL, ROW(public_url), "http://localhost:8080",
     .choices = "http,https",
     .help = "Address that browsers use; its origin is the only one that cookies work from"},
    {"TELEVISIT_SESSION_KEY", TV_CONF_SECRET, ROW(session_key), NULL, TV_CONF_REQUIRED, 1, 1024,
     .help = "Keys of access tokens, a line each, kid:base64url of 32 bytes; the first signs"},
    {"TELEVISIT_ACCESS_TOKEN_TTL", TV_CONF_DURATION, ROW(access_ttl_us), "15m", 0, 10 * TV_US_PER_S,
     3600 * TV_US_PER_S, .help = "How long an access token is good for"},
    {"TELEVISIT_CONNECTIONS_MAX", TV_CONF_INT, ROW(connections_max), "10000", 0, 1, 100000,
     .help = "Open connections at most"},
    {"TELEVISIT_CONNECTIONS_PER_ADDRESS", TV_CONF_INT, ROW(per_address_max), "0", 0, 0, 100000,
     .help = "Open connections from one address at most; 0: no limit (behind a proxy)"},
    {"TELEVISIT_RATE_PERCENT", TV_CONF_INT, ROW(rate_percent), "100", 0, 0, 1000000,
     .help = "Scale of the built-in request rates; 0 switches them off"},
    {"TELEVISIT_TRUST_FORWARDED", TV_CONF_BOOL, ROW(trust_forwarded), "false",
     .help = "Take the client's address from the last entry of X-Forwarded-For"},
    {"TELEVISIT_ACCESS_LOG", TV_CONF_CHOICE, ROW(access_log), "errors", .choices = "off,errors,all",
     .help = "Which requests get a line in the log"},
    {"TELEVISIT_STREAM_CHECK", TV_CONF_DURATION, ROW(stream_check_us), "5s", 0, 100 * TV_US_PER_MS,
     60 * TV_US_PER_S,
     .help = "How often the streams are compared with the inboxes, against lost nudges"},
    {"TELEVISIT_STREAM_BEAT", TV_CONF_DURATION, ROW(stream_beat_us), "15s", 0, 100 * TV_US_PER_MS,
     60 * TV_US_PER_S, .help = "Longest silence of an event stream; then a comment is sent"},
    {"TELEVISIT_WEB_DIR", TV_CONF_STRING, ROW(web_dir), NULL, 0, 1, 4096,
     .help = "Folder of the web app, read at start; replace its files, never write into them; "
             "unset: none is served"},
    {"LIVEKIT_URL", TV_CONF_URL, ROW(livekit_url), NULL, .choices = "ws,wss",
     .help = "Address of LiveKit that browsers get; the pages of the web app may connect to it"},
};

static enum tv_err open_http(struct gateway *g, struct tv_error *e) {
    struct tv_httpd_config config = {
        .address = g->conf->http_address,
        .connections_max = (unsigned)g->conf->connections_max,
        .per_address_max = (unsigned)g->conf->per_address_max,
        .header_bytes_max = HEADER_BYTES_MAX,
        .target_bytes_max = TARGET_BYTES_MAX,
        .idle_timeout_us = IDLE_TIMEOUT_US,
        .on_head = front_on_head,
        .on_refused = front_on_refused,
        .on_request = front_on_request,
        .on_end = front_on_end,
        .ctx = g,
    };
    return tv_httpd_new(g->loop, &config, &g->httpd, e);
}

static void stop(void *state) {
    struct gateway *g = state;
    g->bus = NULL; /* it went before */
    tv_httpd_free(g->httpd);
    tv_web_free(g->web);
    tv_streams_free(g->streams);
    tv_sessions_free(g->sessions);
    tv_limits_free(g->limits);
    tv_router_free(g->router);
    free(g);
}

static enum tv_err start(const struct tv_service_env *env, void **ret_state,
                         struct tv_need needs[TV_SERVICE_NEEDS_MAX], size_t *ret_need_count,
                         struct tv_error *e) {
    (void)needs;
    struct gateway *g = tv_calloc(1, sizeof *g);
    g->conf = env->conf;
    g->loop = env->loop;
    g->bus = env->bus;
    g->secure = strncmp(g->conf->public_url, "https:", 6) == 0;
    flights_init(&g->flights);
    flows_check();
    front_init(g);
    g->router = tv_router_new(tv_routes, TV_ROUTE_COUNT);
    g->limits = tv_limits_new(LIMIT_BUCKETS, (unsigned)g->conf->rate_percent);
    g->streams = tv_streams_new(g);
    enum tv_err err = tv_sessions_new(g->conf->session_key, g->conf->public_url,
                                      g->conf->access_ttl_us, &g->sessions, e);
    if (err == TV_OK && g->conf->web_dir != NULL)
        err = tv_web_new(g->conf->web_dir, g->conf->livekit_url, &g->web, e);
    if (err == TV_OK)
        err = open_http(g, e);
    if (err != TV_OK) {
        stop(g);
        return err;
    }
    tv_log_info("serving http", F_INT(PORT, tv_httpd_port(g->httpd)));
    *ret_state = g;
    *ret_need_count = 0;
    return TV_OK;
}

static void leave(void *state) {
    struct gateway *g = state;
    tv_httpd_see_off(g->httpd);
}

static void drain(void *state) {
    struct gateway *g = state;
    g->draining = true;
    tv_httpd_quiesce(g->httpd);
    tv_streams_close_all(g->streams);
}

static bool busy(void *state) {
    struct gateway *g = state;
    return flights_total(&g->flights) > 0;
}

static const struct tv_service service = {
    .name = "gateway",
    .description = "Serves the HTTP API, the event streams and the web app",
    .conf_rows = conf_rows,
    .conf_row_count = TV_ARRAY_LEN(conf_rows),
    .conf_bytes = sizeof(struct gateway_conf),
    .start = start,
    .leave = leave,
    .drain = drain,
    .busy = busy,
    .stop = stop,
};

int main(int argc, char **argv) { return tv_service_run(&service, argc, argv); }
