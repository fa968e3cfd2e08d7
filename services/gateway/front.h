/* front.h - where requests come in: the handlers that httpd calls. */
#ifndef TV_FRONT_H
#define TV_FRONT_H

#include "lib/httpd.h"

struct gateway;

void front_on_head(void *gateway, struct tv_http *x);
/* What the limits of the server refuse: a head that is too large, a body beyond its cap. */
void front_on_refused(void *gateway, struct tv_http *x, const struct tv_error *e);
void front_on_request(void *gateway, struct tv_http *x);
void front_on_end(void *gateway, struct tv_http *x);
/* Registers the metrics of every route; once, at start. Borrows `g`. */
void front_init(struct gateway *g);

#endif
