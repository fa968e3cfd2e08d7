/* jobs.h - claims jobs when their time has come, and has them done.
 *
 * The story of a job. A change at appointments writes it, with the time from which it may run. A
 * Fire's reply says when the earliest one waits (due.h); at that instant, and at no other, a Claim
 * goes out. It gives us jobs under a lease of some seconds. Each runs the steps of its kind
 * (kinds.h) in an arena of its own, and a Finish says how it went: done, to be done again, to be
 * tried again after a back-off, or dead. If we die, or the bus goes, or a step takes too long,
 * nothing is said: the lease ends and the next Claim, of any replica, brings the job back.
 *
 * At most TV_JOBS_MAX are under way; the rest waits where it is.
 */
#ifndef TV_NOTIFIER_JOBS_H
#define TV_NOTIFIER_JOBS_H

#include "lib/bus.h"
#include "lib/loop.h"

#define TV_JOBS_MAX 32
#define TV_JOBS_LEASE_MS 8000

struct tv_jobs;
/* Borrows the loop and the bus; returns owned. */
struct tv_jobs *tv_jobs_new(struct tv_loop *l, struct tv_bus *b);
/* A job waits from this instant on (this host's monotonic clock); it may have passed. */
void tv_jobs_hint(struct tv_jobs *s, int64_t at_us);
/* Claims no more; what was claimed is done. */
void tv_jobs_drain(struct tv_jobs *s);
bool tv_jobs_busy(const struct tv_jobs *s);
void tv_jobs_free(struct tv_jobs *s); /* after the bus; accepts NULL */

#endif
