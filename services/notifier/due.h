/* due.h - fires what is due, and tells the people concerned.
 *
 * clock.h says when; here a Fire is sent to appointments, and every notice of its reply is told
 * (tell.h). The commit of Fire made the notices exist, so a nudge may get lost. The reply also says
 * when a job waits and what to watch: Fire is the one question that is asked all the time, and the
 * others are asked only when it gives a reason.
 */
#ifndef TV_NOTIFIER_DUE_H
#define TV_NOTIFIER_DUE_H

#include "lib/bus.h"
#include "lib/loop.h"
#include "televisit/v1/due.pb-c.h"

/* What a Fire's reply says besides what it fired; times on this host's monotonic clock. */
struct tv_due_news {
    int64_t asked_us;    /* when the Fire was sent: it tells how things were then or later */
    int64_t next_job_us; /* when the earliest job may be claimed; INT64_MAX: none waits */
    const Televisit__V1__WatchedRoom *watched; /* borrowed; NULL: no call is running */
    bool media_missed;
};
typedef void tv_due_news_fn(void *ctx, const struct tv_due_news *news);

/* Whether a peer's time is there, and one that can be reckoned with. */
bool tv_due_is_time(const Google__Protobuf__Timestamp *t);

struct tv_due;
/* Begins to fire. Borrows the loop and the bus; returns owned. `on_news` comes with each reply. */
struct tv_due *tv_due_new(struct tv_loop *l, struct tv_bus *b, tv_due_news_fn *on_news, void *ctx);
/* Fires no more; the Fire in flight is waited for, its notices are still published. */
void tv_due_drain(struct tv_due *d);
bool tv_due_busy(const struct tv_due *d);
void tv_due_free(struct tv_due *d); /* after the bus; accepts NULL */

#endif
