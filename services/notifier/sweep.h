/* sweep.h - one comparison of LiveKit's rooms with the appointments.
 *
 * LiveKit's rooms are listed by pages, and each page goes to Calls.Sweep with the range of names
 * that it covers. What should not be open and what is not as recorded becomes jobs there; the rooms
 * of running calls that LiveKit has lost come back as wishes and are made again here, some at a
 * time: the people in these calls are without a room until then. A wish that fails is tried a few
 * times more. Only when all of it went well did the sweep go well.
 */
#ifndef TV_NOTIFIER_SWEEP_H
#define TV_NOTIFIER_SWEEP_H

#include "lib/bus.h"
#include "lib/loop.h"
#include "services/notifier/pulse.h"

#define TV_SWEEP_PAGE 500
#define TV_SWEEP_MAKES_MAX 16 /* in flight */

struct tv_sweep;
/* `err` is what went wrong last; TV_OK: nothing. */
typedef void tv_sweep_done_fn(void *ctx, enum tv_pulse_swept how, enum tv_err err);
/* Borrows all of it; `pulse` is asked how long ago LiveKit had its rooms. Returns owned. */
struct tv_sweep *tv_sweep_new(struct tv_loop *l, struct tv_bus *b, const struct tv_pulse *pulse,
                              tv_sweep_done_fn *on_done, void *ctx);
/* None may be under way. `on_done` comes later. */
void tv_sweep_start(struct tv_sweep *s);
/* The one under way ends, but nothing of it is tried again. */
void tv_sweep_drain(struct tv_sweep *s);
bool tv_sweep_busy(const struct tv_sweep *s);
void tv_sweep_free(struct tv_sweep *s); /* after the bus; accepts NULL */

#endif
