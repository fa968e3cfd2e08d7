/* router.h - from method and path to the route, by a tree made once from the generated table.
 *
 * Pure. The tree has one node per distinct segment; literals win over `{parameters}`, so
 * /v1/appointments/{id}/join needs four steps whatever the size of the table.
 */
#ifndef TV_ROUTER_H
#define TV_ROUTER_H

#include "lib/base.h"
#include "lib/str.h"
#include "services/gateway/route.h"

#define TV_ROUTE_PARAMS_MAX 4

struct tv_router;

/* Borrows the table. A route that stands twice is a panic (the generator refuses it already). */
struct tv_router *tv_router_new(const struct tv_route *routes, size_t count);
void tv_router_free(struct tv_router *r);

enum router_verdict { ROUTER_FOUND, ROUTER_NO_PATH, ROUTER_NO_METHOD };

struct router_match {
    enum router_verdict verdict;
    const struct tv_route *route;              /* FOUND */
    struct tv_str values[TV_ROUTE_PARAMS_MAX]; /* FOUND: as sent, percent-encoded */
    char allow[64];                            /* NO_METHOD: for the Allow field */
};

/* HEAD matches GET. `path` begins with "/" and has no query. */
struct router_match tv_router_match(const struct tv_router *r, struct tv_str method,
                                    struct tv_str path);

#endif
