/* web.h - the web app, as the gateway serves it.
 *
 * The story of a page. A browser asks for an address that is no operation of the API. If it names a
 * file of the web app, that is the answer. If it could be an address within the app, which is one
 * page that draws all of them ("/appointments/…"), and a browser asks in order to show it, the
 * answer is index.html. Everything else is not there. All of it is decided with the head, from a
 * table in memory (web_files.h): a request never names a file to the file system, waits for nobody,
 * is free of the rate limits, and works while the rest is away.
 *
 * Files under /assets/ have a hash of their content in their names and may be kept for ever; all
 * others are asked for again with their entity tag, so that a new build is seen at once.
 */
#ifndef TV_WEB_H
#define TV_WEB_H

#include "lib/err.h"

struct flight;
struct tv_web;

/* Takes in the folder; `livekit_url` (ws or wss, may be NULL) is where pages may connect to besides
 * ourselves. TV_ERR_INVALID: one of the two is wrong, and the detail says how. */
TV_MUST_CHECK enum tv_err tv_web_new(const char *folder, const char *livekit_url,
                                     struct tv_web **ret, struct tv_error *e);
/* After the server of HTTP has ended, which sends from its memory. */
void tv_web_free(struct tv_web *web);

/* Answers a request that matched no route; false when it is not about the web app. */
bool tv_web_answer(struct flight *f);

#endif
