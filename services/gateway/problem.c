#include "services/gateway/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/pb.h"
#include "services/gateway/answer.h"
#include "services/gateway/gateway.h"
#include "televisit/v1/common.pb-c.h"

#define BODY_MAX 8192
#define RETRY_AFTER_503_S 1 /* unless the error knows better */

void tv_problem_answer(struct flight *f, const struct tv_error *e) {
    const struct tv_err_info *info = tv_err_info(e->code);
    Televisit__V1__Problem *p = tv_problem_from_error(e, f->arena);
    f->problem = info->slug;
    p->instance = tv_arena_printf(f->arena, "urn:uuid:%s", f->context.request_id);
    struct tv_buf body = TV_BUF_INIT(BODY_MAX);
    tv_pb_to_json_sparse(&p->base, &body);

    struct tv_http_field fields[4];
    size_t count = 0;
    unsigned retry_after_s = e->retry_after_s;
    if (retry_after_s == 0 && info->http == 503)
        retry_after_s = RETRY_AFTER_503_S;
    if (retry_after_s > 0)
        fields[count++] =
            (struct tv_http_field){"Retry-After", tv_arena_printf(f->arena, "%u", retry_after_s)};
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
