/* httpc.h - HTTP client on the loop: the only file that knows libcurl. */
#ifndef TV_HTTPC_H
#define TV_HTTPC_H

#include "arena.h"
#include "base.h"
#include "err.h"
#include "loop.h"
#include "str.h"

struct tv_httpc;
/* Keeps at most `connections` open to each host and reuses them. */
struct tv_httpc *tv_httpc_new(struct tv_loop *l, unsigned connections);
/* Ends what is under way with TV_ERR_UNAVAILABLE. Accepts NULL; not from within an on_done. */
void tv_httpc_free(struct tv_httpc *c);

struct tv_httpc_request {
    const char *url;            /* http or https only; redirects are not followed */
    const char *const *headers; /* "Name: value", NULL-ended, no line breaks; copied */
    struct tv_str body;         /* POSTed; borrowed until on_done */
    int64_t timeout_us;         /* for all of it, connecting included */
    size_t max_response_bytes;  /* longer answers are TV_ERR_UNAVAILABLE */
};

struct tv_httpc_response {
    unsigned status;
    struct tv_str content_type; /* "" when absent */
    struct tv_str body;         /* borrowed until on_done returns */
    uint32_t retry_after_s;     /* 0 when absent */
};

/* `err` is TV_OK for any complete answer, whatever its status; TV_ERR_DEADLINE when time ran out;
 * TV_ERR_UNAVAILABLE for all else, with the reason in `e->detail` (no URL, no secret). */
typedef void tv_httpc_done(void *ctx, enum tv_err err, const struct tv_error *e,
                           const struct tv_httpc_response *response);

/* The callback comes later from the loop, never from within. */
void tv_httpc_post(struct tv_httpc *c, const struct tv_httpc_request *r, tv_httpc_done *on_done,
                   void *ctx);

#endif
