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

#define LIMIT_NETWORK_BYTES 16
/* What an anonymous caller is counted by: the address, but of an IPv6 address only the /64, which
 * is one customer's to choose addresses from. Text that is no address counts as it is. `out` is
 * room for the network; the result points to it or to `address`. */
struct tv_str tv_limits_network(struct tv_str address, char out[static LIMIT_NETWORK_BYTES]);

#endif
