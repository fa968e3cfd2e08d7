/* kinds.h - the kinds of work: one row each.
 *
 * To add a kind, say mail:
 *   1. kind_mail.c: `void tv_kind_mail(struct tv_job *j)` is its first step (job.h tells how steps
 *      go on); declare it below. What is not a call over the bus (SMTP, HTTP) is a step as well: it
 *      ends within the job's lease with tv_job_done() or tv_job_fail().
 *   2. A row in kinds.c: its name, the first step, how long to wait after failures, and after how
 *      many attempts it is given up (0: never).
 *   3. Whoever writes the jobs (a statement of appointments) writes them with that name as `kind`.
 * Claiming, leases, retries, dead letters, metrics and logs come with the row.
 */
#ifndef TV_NOTIFIER_KINDS_H
#define TV_NOTIFIER_KINDS_H

#include "services/notifier/job.h"

struct tv_kind {
    const char *name; /* as in tv.job.kind; also a label of metrics */
    void (*run)(struct tv_job *j);
    int32_t wait_min_ms, wait_max_ms; /* after the first failure; doubles up to */
    int32_t attempts_max;             /* 0: for ever */
};

extern const struct tv_kind tv_kinds[];
extern const size_t tv_kind_count;
const struct tv_kind *tv_kind_find(const char *name); /* NULL: none of ours */

/* How long to wait after this many attempts failed: doubled each time, less up to a quarter of
 * jitter. `*random` is not 0. */
int32_t tv_kind_wait_ms(const struct tv_kind *k, int32_t attempts, uint64_t *random);
/* Whether an error will be the same however often it is tried: the fault is in what was asked. */
bool tv_kind_is_hopeless(enum tv_err err);

void tv_kind_close_room(struct tv_job *j);
void tv_kind_reconcile_call(struct tv_job *j);

#endif
