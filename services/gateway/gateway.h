/* gateway.h - what the parts of the gateway share: its configuration and its one state object. */
#ifndef TV_GATEWAY_H
#define TV_GATEWAY_H

#include "lib/bus.h"
#include "lib/httpd.h"
#include "lib/loop.h"
#include "services/gateway/flight.h"
#include "services/gateway/limit.h"
#include "services/gateway/router.h"
#include "services/gateway/session.h"
#include "services/gateway/stream.h"
#include "services/gateway/web.h"

/* Filled from the table in main.c. */
struct gateway_conf {
    const char *http_address;
    const char *public_url;  /* what browsers call us; its origin is the only one trusted */
    const char *session_key; /* lines of kid:base64url; the first signs */
    int64_t access_ttl_us;
    int64_t connections_max;
    int64_t per_address_max;
    int64_t rate_percent;   /* of the built-in rates; 0 switches limits off */
    bool trust_forwarded;   /* take the client's address from X-Forwarded-For */
    const char *access_log; /* off, errors, all */
    int64_t stream_check_us;
    int64_t stream_beat_us;
    const char *web_dir;     /* where the web app lies; NULL: it is not served */
    const char *livekit_url; /* what browsers connect to for calls; NULL: nothing */
};

struct gateway {
    const struct gateway_conf *conf;
    struct tv_loop *loop;
    struct tv_bus *bus; /* NULL once it is gone, while the last connections are closed */
    struct tv_httpd *httpd;
    struct tv_router *router;
    struct tv_limits *limits;
    struct tv_sessions *sessions;
    struct tv_streams *streams;
    struct tv_web *web; /* NULL: no web app */
    struct tv_flights flights;
    bool secure; /* the public URL is https */
    bool draining;
};

#endif
