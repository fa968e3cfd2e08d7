#include "services/gateway/front.h"

#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "routes.h"
#include "services/gateway/call.h"
#include "services/gateway/flows.h"
#include "services/gateway/gateway.h"
#include "services/gateway/problem.h"
#include "services/gateway/request.h"

/* -- metrics: by route and class of status ------------------------------------------------------*/

static struct tv_metric requests_total = {
    .name = "tv_http_requests_total",
    .help = "Requests answered, by operation and class of status",
    .type = TV_COUNTER,
    .labels = {"operation", "status"},
};
static const double seconds_buckets[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                         0.05,   0.1,   0.25,   0.5,   1,    5};
static struct tv_metric seconds = {
    .name = "tv_http_request_seconds",
    .help = "Time from the head of a request to its answer",
    .type = TV_HISTOGRAM,
    .labels = {"operation"},
    .buckets = seconds_buckets,
    .bucket_count = TV_ARRAY_LEN(seconds_buckets),
};
static struct tv_metric problems_total = {
    .name = "tv_http_problems_total",
    .help = "Problems answered, by what is wrong (the end of their type)",
    .type = TV_COUNTER,
    .labels = {"code"},
};
static struct tv_metric connections = {
    .name = "tv_http_connections",
    .help = "Connections of clients that are open",
    .type = TV_GAUGE,
};
/* By the first digit of a status. */
#define CLASS_MIN 2
static const char *const status_classes[] = {
    [CLASS_MIN] = "2xx", [3] = "3xx", [4] = "4xx", [5] = "5xx"};

/* A row for each route, then one for the files of the web app and one for what is neither. */
enum { ROW_WEB = TV_ROUTE_COUNT, ROW_NONE, ROWS };
static struct tv_series *count_of[ROWS][TV_ARRAY_LEN(status_classes)];
static struct tv_series *seconds_of[ROWS];
static struct tv_series *problem_of[TV_ERR_COUNT];

static unsigned row_of(const struct flight *f) {
    return f->route != NULL ? f->route->id : f->of_web ? ROW_WEB : ROW_NONE;
}

static const char *label_of(unsigned row) {
    return row < TV_ROUTE_COUNT ? tv_routes[row].label : row == ROW_WEB ? "web" : "none";
}

static double count_connections(void *ctx) {
    const struct gateway *g = ctx;
    return g->httpd == NULL ? 0 : tv_httpd_connections(g->httpd);
}

void front_init(struct gateway *g) {
    connections.read = count_connections;
    connections.read_ctx = g;
    tv_metric_register(&connections);
    for (enum tv_err e = TV_OK + 1; e < TV_ERR_COUNT; e++)
        problem_of[e] = tv_metric_series(&problems_total, tv_err_info(e)->slug, NULL, NULL, NULL);
    for (unsigned r = 0; r < ROWS; r++) {
        const char *label = label_of(r);
        for (unsigned c = CLASS_MIN; c < TV_ARRAY_LEN(status_classes); c++)
            count_of[r][c] =
                tv_metric_series(&requests_total, label, status_classes[c], NULL, NULL);
        seconds_of[r] = tv_metric_series(&seconds, label, NULL, NULL, NULL);
    }
}

static void count_and_log(const struct flight *f) {
    unsigned row = row_of(f);
    unsigned class = f->status / 100;
    int64_t took_us = tv_clock_mono_us() - f->started_us;
    if (class >= CLASS_MIN && class < TV_ARRAY_LEN(status_classes))
        tv_inc(count_of[row][class]);
    if (f->problem != NULL)
        tv_inc(problem_of[tv_err_by_slug(f->problem)]);
    if (f->state != FLIGHT_STREAMING)
        tv_observe(seconds_of[row], (double)took_us / (double)TV_US_PER_S);

    const char *level = f->gateway->conf->access_log;
    if (strcmp(level, "all") == 0 || (strcmp(level, "errors") == 0 && f->status >= 500)) {
        char trace[33];
        snprintf(trace, sizeof trace, "%.32s", f->context.traceparent + 3);
        tv_log_context_set(f->context.request_id, trace);
        tv_log_info("request", F_STR(ROUTE, label_of(row)), F_INT(STATUS, f->status),
                    F_STR(CODE, f->problem != NULL ? f->problem : ""), F_INT(DURATION_US, took_us));
        tv_log_context_set(NULL, NULL);
    }
}

/* -- the head: route, caller, limits ------------------------------------------------------------*/

static bool changes_something(struct tv_str method) {
    return !tv_str_eqz(method, "GET") && !tv_str_eqz(method, "HEAD");
}

/* Finds the route; false when the flight was answered. */
static bool find_route(struct flight *f) {
    struct router_match match =
        tv_router_match(f->gateway->router, tv_http_method(f->http), tv_http_path(f->http));
    if (match.verdict == ROUTER_FOUND) {
        f->route = match.route;
        memcpy(f->path_values, match.values, sizeof f->path_values);
        return true;
    }
    if (match.verdict == ROUTER_NO_METHOD) {
        f->allow = tv_arena_strdup(f->arena, match.allow);
        tv_problem_answerf(f, TV_ERR_METHOD_NOT_ALLOWED, "Allowed here: %s", match.allow);
    } else if (!tv_web_answer(f)) {
        tv_problem_answerf(f, TV_ERR_NOT_FOUND, "There is nothing at this address");
    }
    return false;
}

/* Finds who calls and whether they may; false when the flight was answered. */
static bool find_caller(struct flight *f) {
    struct tv_str token;
    struct tv_error e;
    /* A stale cookie does not keep anybody from logging in, and Authorization may be for others. */
    if (tv_route_anonymous(f->route))
        return true;
    enum tv_err err = tv_session_token(f->http, &token, &f->by_cookie, &e);
    if (err == TV_OK && token.p == NULL)
        err = tv_fail(&e, TV_ERR_UNAUTHENTICATED, "Log in, and send the token or the cookie");
    if (err == TV_OK)
        err = tv_session_verify(f->gateway->sessions, token, tv_clock_wall_us(), f->arena,
                                &f->context.actor, &f->session_expires_us, &e);
    if (err == TV_OK && !tv_route_permits(f->route, f->context.actor.role))
        err = tv_fail(&e, TV_ERR_FORBIDDEN, "This is not for the role %s",
                      tv_role_name(f->context.actor.role));
    if (err == TV_OK && f->by_cookie && changes_something(tv_http_method(f->http)) &&
        !tv_session_same_origin(f->gateway->sessions, f->http))
        err = tv_fail(&e, TV_ERR_CROSS_SITE, "Cookies work from the clinic's own pages only");
    if (err != TV_OK)
        tv_problem_answer(f, &e);
    return err == TV_OK;
}

/* The client's address: the peer's, or what the last trusted proxy says. Several fields of the name
 * mean that the proxy added its own after the client's; which is which cannot be seen, and a client
 * must not choose the address that it is counted by. */
static struct tv_str address_of(const struct flight *f) {
    struct tv_str forwarded = {NULL, 0};
    if (f->gateway->conf->trust_forwarded && tv_http_header_count(f->http, "X-Forwarded-For") == 1)
        forwarded = tv_http_header(f->http, "X-Forwarded-For");
    struct tv_str last = {NULL, 0};
    while (forwarded.p != NULL)
        last = tv_str_trim(tv_str_cut(&forwarded, ','));
    return last.len > 0 ? last : tv_str(tv_http_peer(f->http));
}

static bool within_limits(struct flight *f) {
    char network[LIMIT_NETWORK_BYTES];
    struct tv_str caller = f->context.actor.role != TV_ROLE_NONE
                               ? tv_str(f->context.actor.person_id)
                               : tv_limits_network(address_of(f), network);
    struct limit_verdict verdict =
        tv_limits_take(f->gateway->limits, f->route->rate, caller, f->started_us);
    if (verdict.pass)
        return true;
    struct tv_error e;
    (void)tv_fail(&e, TV_ERR_RATE_LIMITED, "Try again in %u s", verdict.retry_after_s);
    e.retry_after_s = verdict.retry_after_s;
    f->rate_limit = tv_arena_printf(f->arena, "limit=%u, remaining=0, reset=%u", verdict.limit,
                                    verdict.retry_after_s);
    tv_problem_answer(f, &e);
    return false;
}

void front_on_head(void *gateway, struct tv_http *x) {
    struct gateway *g = gateway;
    struct flight *f = flight_new(g, x);
    if (find_route(f) && find_caller(f) && within_limits(f))
        tv_http_set_body_max(x, f->route->body_bytes_max);
}

void front_on_refused(void *gateway, struct tv_http *x, const struct tv_error *e) {
    struct flight *f = tv_http_user(x);
    tv_problem_answer(f != NULL ? f : flight_new(gateway, x), e);
}

void front_on_request(void *gateway, struct tv_http *x) {
    (void)gateway;
    struct flight *f = tv_http_user(x);
    /* From here on the time is ours: a body that comes slowly costs the client, not the call. */
    f->context.deadline_us = tv_clock_mono_us() + f->route->deadline_ms * TV_US_PER_MS;
    ProtobufCMessage *request;
    struct tv_error e;
    if (f->gateway->bus == NULL)
        tv_problem_answerf(f, TV_ERR_UNAVAILABLE, "This server is being stopped; try again");
    else if (request_read(f, &request, &e) != TV_OK)
        tv_problem_answer(f, &e);
    else
        flow_of(f->route)(f, request);
}

void front_on_end(void *gateway, struct tv_http *x) {
    (void)gateway;
    struct flight *f = tv_http_user(x);
    if (f == NULL)
        return;
    if (f->stream != NULL)
        tv_stream_ended(f);
    call_cancel(f);
    count_and_log(f);
    flight_end(f);
}
