/* admin.c - see admin.h. Answers come at once, so a scrape costs one turn of the loop. */
#include "lib/admin.h"

#include <stdlib.h>

#include "lib/clock.h"
#include "lib/httpd.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/str.h"

#define METRICS_BYTES_MAX (4 << 20)

struct tv_admin {
    struct tv_httpd *httpd;
    struct tv_need *needs; /* a copy */
    size_t need_count;
    bool draining;
};

/* -- what is counted: what other metrics cannot tell of themselves ------------------------------*/

static struct tv_metric ready_metric = {
    .name = "tv_ready", .help = "Whether /readyz says yes.", .type = TV_GAUGE};
static struct tv_metric need_metric = {
    .name = "tv_need_met",
    .help = "Whether what the service needs is there, as /readyz tells it.",
    .type = TV_GAUGE,
    .labels = {"need"},
};
static struct tv_metric lines_metric = {
    .name = "tv_log_lines_total",
    .help = "Log lines written, by level.",
    .type = TV_COUNTER,
    .labels = {"level"},
};

static void count_lines(void) {
    for (enum tv_log_level level = TV_LOG_DEBUG; level <= TV_LOG_ERROR; level++) {
        struct tv_series *s =
            tv_metric_series(&lines_metric, tv_log_level_name(level), NULL, NULL, NULL);
        tv_add(s, (double)tv_log_lines(level) - tv_series_value(s));
    }
}

static void show_needs(struct tv_admin *a) {
    bool ready = !a->draining;

    for (size_t i = 0; i < a->need_count; i++) {
        char why[128] = "";
        bool met = a->needs[i].met(a->needs[i].ctx, why);

        tv_set(tv_metric_series(&need_metric, a->needs[i].name, NULL, NULL, NULL), met);
        ready = ready && met;
    }
    tv_set(tv_metric_single(&ready_metric), ready);
}

/* -- the pages ----------------------------------------------------------------------------------*/

static void answer(struct tv_http *x, unsigned status, const char *type, struct tv_str body) {
    const struct tv_http_field fields[] = {{"Content-Type", type}, {"Cache-Control", "no-store"}};

    tv_httpd_respond(x, status, fields, TV_ARRAY_LEN(fields), body);
}

static void answer_text(struct tv_http *x, unsigned status, struct tv_str body) {
    answer(x, status, "text/plain; charset=utf-8", body);
}

static void livez(struct tv_admin *a, struct tv_http *x) { answer_text(x, 200, TV_S("ok\n")); }

static void readyz(struct tv_admin *a, struct tv_http *x) {
    struct tv_buf out = TV_BUF_INIT(4096);
    bool ready = !a->draining;

    if (a->draining)
        tv_buf_puts(&out, "draining\n");
    for (size_t i = 0; i < a->need_count; i++) {
        char why[128] = "";

        if (a->needs[i].met(a->needs[i].ctx, why)) {
            tv_buf_printf(&out, "%s ok\n", a->needs[i].name);
        } else {
            tv_buf_printf(&out, "%s: %s\n", a->needs[i].name, why);
            ready = false;
        }
    }
    answer_text(x, ready ? 200 : 503, out.len > 0 ? tv_buf_view(&out) : TV_S("ok\n"));
    tv_buf_done(&out);
}

static void metrics(struct tv_admin *a, struct tv_http *x) {
    struct tv_buf out = TV_BUF_INIT(METRICS_BYTES_MAX);

    show_needs(a);
    count_lines();
    tv_metrics_write(&out);
    answer(x, 200, "text/plain; version=0.0.4; charset=utf-8", tv_buf_view(&out));
    tv_buf_done(&out);
}

static const struct page {
    const char *path;
    void (*show)(struct tv_admin *a, struct tv_http *x);
} pages[] = {
    {"/livez", livez},
    {"/readyz", readyz},
    {"/metrics", metrics},
};

static void on_request(void *ctx, struct tv_http *x) {
    const struct tv_http_field allow[] = {{"Allow", "GET, HEAD"}};
    struct tv_str method = tv_http_method(x);

    for (size_t i = 0; i < TV_ARRAY_LEN(pages); i++) {
        if (!tv_str_eqz(tv_http_path(x), pages[i].path))
            continue;
        if (tv_str_eqz(method, "GET") || tv_str_eqz(method, "HEAD"))
            pages[i].show(ctx, x);
        else
            tv_httpd_respond(x, 405, allow, TV_ARRAY_LEN(allow), TV_S(""));
        return;
    }
    answer_text(x, 404, TV_S("/livez, /readyz and /metrics are here\n"));
}

static void on_refused(void *ctx, struct tv_http *x, const struct tv_error *e) {
    answer_text(x, tv_err_info(e->code)->http, tv_str(tv_err_info(e->code)->title));
}

enum tv_err tv_admin_new(struct tv_loop *l, const char *address, const struct tv_need *needs,
                         size_t need_count, struct tv_admin **ret, struct tv_error *e) {
    struct tv_admin *a = tv_calloc(1, sizeof(*a));
    const struct tv_httpd_config config = {
        .address = address,
        .connections_max = 32,
        .header_bytes_max = 4096,
        .target_bytes_max = 256,
        .body_bytes_max = 0,
        .idle_timeout_us = 60 * TV_US_PER_S,
        .on_refused = on_refused,
        .on_request = on_request,
        .ctx = a,
    };
    enum tv_err err = tv_httpd_new(l, &config, &a->httpd, e);

    if (err != TV_OK) {
        free(a);
        return err;
    }
    a->needs = tv_calloc(need_count, sizeof(*needs));
    a->need_count = need_count;
    for (size_t i = 0; i < need_count; i++)
        a->needs[i] = needs[i];
    *ret = a;
    return TV_OK;
}

unsigned tv_admin_port(const struct tv_admin *a) { return tv_httpd_port(a->httpd); }
void tv_admin_drain(struct tv_admin *a) { a->draining = true; }

void tv_admin_free(struct tv_admin *a) {
    if (a == NULL)
        return;
    tv_httpd_free(a->httpd);
    free(a->needs);
    free(a);
}
