/* front.h - where requests come in: the handlers that httpd calls. */
#ifndef TV_FRONT_H
#define TV_FRONT_H

#include "lib/httpd.h"

void front_on_head(void *gateway, struct tv_http *x);
void front_on_request(void *gateway, struct tv_http *x);
void front_on_end(void *gateway, struct tv_http *x);
/* Registers the metrics of every route; once, at start. */
void front_init(void);

#endif
