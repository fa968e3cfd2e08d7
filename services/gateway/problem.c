#include "services/gateway/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/pb.h"
#include "services/gateway/answer.h"
#include "services/gateway/gateway.h"
#include "televisit/v1/common.pb-c.h"

#define BODY_MAX 8192
#define RETRY_AFTER_503_S 1 /* unless the error knows better */

/* When to come again; 0: not said. Senders of webhooks back off by themselves, each time longer,
 * and give up after a few attempts: told to come after a second they would do so each time, and
 * have given up before a service is back. */
static unsigned retry_after_s(const struct flight *f, const struct tv_error *e) {
    if (f->route != NULL && f->route->rate == TV_RATE_WEBHOOK)
        return 0;
    if (e->retry_after_s == 0 && tv_err_info(e->code)->http == 503)
        return RETRY_AFTER_503_S;
    return e->retry_after_s;
}

void tv_problem_answer(struct flight *f, const struct tv_error *e) {
    const struct tv_err_info *info = tv_err_info(e->code);
    Televisit__V1__Problem *p = tv_problem_from_error(e, f->arena);
    f->problem = info->slug;
    p->instance = tv_arena_printf(f->arena, "urn:uuid:%s", f->context.request_id);
    struct tv_buf body = TV_BUF_INIT(BODY_MAX);
    tv_pb_to_json_sparse(&p->base, &body);

    struct tv_http_field fields[4];
    size_t count = 0;
    unsigned after_s = retry_after_s(f, e);
    if (after_s > 0)
        fields[count++] =
            (struct tv_http_field){"Retry-After", tv_arena_printf(f->arena, "%u", after_s)};
    if (info->http == 401)
        fields[count++] = (struct tv_http_field){
            "WWW-Authenticate", e->code == TV_ERR_SESSION_EXPIRED
                                    ? "Bearer realm=\"televisit\", error=\"invalid_token\""
                                    : "Bearer realm=\"televisit\""};
    if (f->allow != NULL)
        fields[count++] = (struct tv_http_field){"Allow", f->allow};
    if (f->rate_limit != NULL)
        fields[count++] = (struct tv_http_field){"RateLimit", f->rate_limit};
    answer_send(f, info->http, "application/problem+json", fields, count, tv_buf_view(&body));
    tv_buf_done(&body);
}

void tv_problem_answerf(struct flight *f, enum tv_err err, const char *fmt, ...) {
    char detail[sizeof((struct tv_error *)NULL)->detail];
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    struct tv_error e;
    (void)tv_fail(&e, err, "%s", detail);
    tv_problem_answer(f, &e);
}
