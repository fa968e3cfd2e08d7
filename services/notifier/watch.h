/* watch.h - keeps an eye on LiveKit.
 *
 * pulse.h says when to ask and what the answers mean; here the questions are sent: probes, sweeps
 * (sweep.h), and the word to those who could not join that LiveKit is back. Its cost does not
 * depend on how many calls are running, and at rest it is one sweep every ten seconds.
 */
#ifndef TV_NOTIFIER_WATCH_H
#define TV_NOTIFIER_WATCH_H

#include "services/notifier/due.h"

struct tv_media_watch;
/* Borrows the loop and the bus; returns owned. */
struct tv_media_watch *tv_media_watch_new(struct tv_loop *l, struct tv_bus *b);
/* What the latest Fire says is to be watched. */
void tv_media_watch_news(struct tv_media_watch *w, const struct tv_due_news *news);
/* Asks no more; what is under way ends. */
void tv_media_watch_drain(struct tv_media_watch *w);
bool tv_media_watch_busy(const struct tv_media_watch *w);
void tv_media_watch_free(struct tv_media_watch *w); /* after the bus; accepts NULL */

#endif
