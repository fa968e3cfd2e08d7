/* due.h - fires what is due, and tells the people concerned.
 *
 * clock.h says when; here a Fire is sent to appointments, and every notice of its reply is
 * published as a nudge `tv.v1.inbox.<clinic>.<person>`. The commit of Fire made the notices exist:
 * a nudge that gets lost is found by the gateway, which counts the notices of each person.
 */
#ifndef TV_NOTIFIER_DUE_H
#define TV_NOTIFIER_DUE_H

#include "lib/bus.h"
#include "lib/loop.h"

struct tv_due;
/* Begins to fire. Borrows the loop and the bus; returns owned. */
struct tv_due *tv_due_new(struct tv_loop *l, struct tv_bus *b);
/* Fires no more; the Fire in flight is waited for, its notices are still published. */
void tv_due_drain(struct tv_due *d);
bool tv_due_busy(const struct tv_due *d);
void tv_due_free(struct tv_due *d); /* after the bus; accepts NULL */

#endif
