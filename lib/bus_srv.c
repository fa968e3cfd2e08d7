#include <stdio.h>
#include <stdlib.h>

#include "bus_internal.h"
#include "clock.h"

/* Discovery and statistics by the Services API of NATS (ADR-32), so that `nats micro` and every
 * tool that speaks it sees our services. Each instance answers `$SRV.<verb>`, `$SRV.<verb>.<name>`
 * and `$SRV.<verb>.<name>.<id>`. */

enum verb { PING, INFO, STATS };

static const struct {
    const char *subject;
    const char *type;
} verbs[] = {
    [PING] = {"PING", "io.nats.micro.v1.ping_response"},
    [INFO] = {"INFO", "io.nats.micro.v1.info_response"},
    [STATS] = {"STATS", "io.nats.micro.v1.stats_response"},
};

enum { FORMS = 3, RESPONSE_MAX = 64 * 1024 };

struct endpoint_stats {
    uint64_t requests, errors, took_us;
    char last_error[96];
};

struct question {
    struct tv_bus_srv *srv;
    enum verb verb;
    struct tv_bus_subscription *subscription;
};

struct tv_bus_srv {
    struct tv_bus *bus;
    const struct tv_bus_identity *identity;
    const struct tv_bus_service *service;
    char started[TV_TIME_TEXT_MAX];
    struct question questions[TV_ARRAY_LEN(verbs) * FORMS];
    struct endpoint_stats *endpoints; /* one per method */
};

static void put_string(struct tv_buf *out, const char *name, const char *value) {
    tv_buf_printf(out, "\"%s\":", name);
    tv_buf_json(out, tv_str(value));
    tv_buf_char(out, ',');
}

static void put_stats(struct tv_buf *out, const struct endpoint_stats *e) {
    tv_buf_printf(out, "\"num_requests\":%llu,\"num_errors\":%llu,",
                  (unsigned long long)e->requests, (unsigned long long)e->errors);
    put_string(out, "last_error", e->last_error);
    tv_buf_printf(out, "\"processing_time\":%llu,\"average_processing_time\":%llu",
                  (unsigned long long)e->took_us * 1000,
                  (unsigned long long)(e->requests == 0 ? 0 : e->took_us * 1000 / e->requests));
}

static void put_endpoints(struct tv_buf *out, const struct tv_bus_srv *s, enum verb verb) {
    char subject[256];

    tv_buf_puts(out, "\"endpoints\":[");
    for (size_t i = 0; i < s->service->method_count; i++) {
        const char *method = s->service->methods[i];

        snprintf(subject, sizeof(subject), "tv.v1.%s.%s", s->service->name, method);
        tv_buf_puts(out, i == 0 ? "{" : ",{");
        put_string(out, "name", method);
        put_string(out, "subject", subject);
        put_string(out, "queue_group", s->identity->name);
        if (verb == INFO)
            tv_buf_puts(out, "\"metadata\":{}");
        else
            put_stats(out, &s->endpoints[i]);
        tv_buf_char(out, '}');
    }
    tv_buf_puts(out, "],");
}

/* The answer to `$SRV.<verb>` as JSON. */
static void write_response(const struct tv_bus_srv *s, enum verb verb, struct tv_buf *out) {
    tv_buf_char(out, '{');
    put_string(out, "type", verbs[verb].type);
    put_string(out, "name", s->service->name);
    put_string(out, "id", s->identity->id);
    put_string(out, "version", s->identity->version);
    if (verb == INFO)
        put_string(out, "description", s->identity->description);
    if (verb == STATS)
        put_string(out, "started", s->started);
    if (verb != PING)
        put_endpoints(out, s, verb);
    tv_buf_puts(out, "\"metadata\":{}}");
}

static void on_question(void *ctx, const struct tv_bus_message *m) {
    const struct question *q = ctx;
    struct tv_buf out = TV_BUF_INIT(RESPONSE_MAX);

    write_response(q->srv, q->verb, &out);
    if (!out.overflow)
        tv_bus_respond(q->srv->bus, m, tv_buf_view(&out));
    tv_buf_done(&out);
}

struct tv_bus_srv *tv_bus_srv_new(struct tv_bus *b, const struct tv_bus_identity *identity,
                                  const struct tv_bus_service *service) {
    struct tv_bus_srv *s = tv_calloc(1, sizeof(*s));
    struct question *q = s->questions;
    char subject[160];

    *s = (struct tv_bus_srv){.bus = b, .identity = identity, .service = service};
    s->endpoints = tv_calloc(service->method_count, sizeof(*s->endpoints));
    tv_time_format(tv_clock_wall_us(), s->started);
    for (enum verb verb = PING; verb <= STATS; verb++) {
        for (int form = 0; form < FORMS; form++, q++) {
            int len = snprintf(subject, sizeof(subject), "$SRV.%s%s%s%s%s", verbs[verb].subject,
                               form >= 1 ? "." : "", form >= 1 ? service->name : "",
                               form >= 2 ? "." : "", form >= 2 ? identity->id : "");
            assert(len > 0 && (size_t)len < sizeof(subject));
            *q = (struct question){.srv = s, .verb = verb};
            q->subscription = tv_bus_subscribe(b, subject, on_question, q);
        }
    }
    return s;
}

void tv_bus_srv_free(struct tv_bus_srv *s) {
    if (s == NULL)
        return;
    for (size_t i = 0; i < TV_ARRAY_LEN(s->questions); i++)
        tv_bus_unsubscribe(s->questions[i].subscription);
    free(s->endpoints);
    free(s);
}

void tv_bus_srv_count(struct tv_bus_srv *s, unsigned method, int64_t took_us, const char *error) {
    struct endpoint_stats *e = &s->endpoints[method];

    e->requests++;
    e->took_us += (uint64_t)TV_MAX(took_us, 0);
    if (error != NULL) {
        e->errors++;
        snprintf(e->last_error, sizeof(e->last_error), "%s", error);
    }
}
