/* limit.h - token buckets, one per caller and rate class, in a table of fixed size.
 *
 * Pure but for the caller's clock. Callers are people or addresses, known by a keyed hash. A bucket
 * that nobody asks for fills up again by itself, so forgetting the bucket that was used longest ago
 * gives little away when the table is full.
 */
#ifndef TV_LIMIT_H
#define TV_LIMIT_H

#include "lib/base.h"
#include "lib/str.h"
#include "services/gateway/route.h"

struct tv_limits;

/* `percent` scales all rates; 0 lets everything pass. `buckets` is rounded up to a power of two. */
struct tv_limits *tv_limits_new(unsigned buckets, unsigned percent);
void tv_limits_free(struct tv_limits *l);

struct limit_verdict {
    bool pass;
    unsigned retry_after_s; /* when not: whole seconds until there is a token, at least 1 */
    unsigned limit;         /* burst of the class */
};

/* Takes one token of the class for this caller. */
struct limit_verdict tv_limits_take(struct tv_limits *l, enum tv_rate_class class,
                                    struct tv_str caller, int64_t now_us);

#endif
