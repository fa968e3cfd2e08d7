/* admin.h - the private port of every service: /livez, /readyz, /metrics.
 *
 * Alive means: the loop turns. Ready means: every named need is met. Liveness never asks
 * PostgreSQL or NATS, or their failure would restart all services at once. The body of /readyz is
 * one line per need: "bus ok", "postgres: connection refused". /metrics says the same as numbers
 * (tv_ready, tv_need_met), with how many lines were logged.
 */
#ifndef TV_ADMIN_H
#define TV_ADMIN_H

#include "base.h"
#include "err.h"
#include "loop.h"

struct tv_need {
    const char *name;
    /* True when met; otherwise writes why. Cheap: asked at each scrape. */
    bool (*met)(void *ctx, char why[static 128]);
    void *ctx;
};

struct tv_admin;
TV_MUST_CHECK enum tv_err tv_admin_new(struct tv_loop *l, const char *address,
                                       const struct tv_need *needs, size_t need_count,
                                       struct tv_admin **ret, struct tv_error *e);
unsigned tv_admin_port(const struct tv_admin *a);
/* From now on /readyz answers 503 "draining", so that no new work is sent here. */
void tv_admin_drain(struct tv_admin *a);
void tv_admin_free(struct tv_admin *a);

#endif
