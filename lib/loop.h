/* loop.h - the event loop of a service: the only file that knows libuv.
 *
 * All state of a service belongs to the one thread that runs the loop. A turn of the loop is:
 * timers, then what sockets brought, then the turn's end: every `struct tv_turn` armed during the
 * turn runs once. Batching lives there: bus, pg and audit gather what the turn produced and write
 * it in one stroke, so that a burst of n requests costs one system call and not n.
 *
 * Other threads (cnats, curl's resolver) never touch state: they tv_loop_post() a message, and it
 * is handled on the loop. Slow work (argon2) goes to a worker by tv_loop_work() and comes back.
 */
#ifndef TV_LOOP_H
#define TV_LOOP_H

#include "base.h"

struct tv_loop;

struct tv_loop *tv_loop_new(void); /* returns owned */
/* Everything made from the loop must have been freed before; leftovers are a panic. */
void tv_loop_free(struct tv_loop *l);
/* Runs until tv_loop_stop(). */
void tv_loop_run(struct tv_loop *l);
/* Runs turns until `done(ctx)` or the timeout; returns what done says last. For tests, tools and
 * the start of a service. */
bool tv_loop_run_until(struct tv_loop *l, bool (*done)(void *ctx), void *ctx, int64_t timeout_us);
void tv_loop_stop(struct tv_loop *l);
/* tv_clock_mono_us() as of the start of this turn, without a system call. */
int64_t tv_loop_now_us(const struct tv_loop *l);

/* -- timers: one-shot; made once, armed as often as wanted, from the loop's thread only ---------*/
struct tv_timer;
struct tv_timer *tv_timer_new(struct tv_loop *l, void (*on_fire)(void *ctx), void *ctx); /* owned */
void tv_timer_set(struct tv_timer *t, int64_t after_us); /* re-arms; rounded up to 1 ms */
void tv_timer_clear(struct tv_timer *t);
void tv_timer_free(struct tv_timer *t); /* accepts NULL; never fires afterwards */

/* -- sockets ------------------------------------------------------------------------------------*/
enum { TV_READABLE = 1, TV_WRITABLE = 2 };
struct tv_watch;
/* Watches a descriptor that the caller owns and keeps open; `events` is a set of the above or 0.
 * `on_event` gets the events seen; an error on the socket is told as both. */
struct tv_watch *tv_watch_new(struct tv_loop *l, int fd, unsigned events,
                              void (*on_event)(void *ctx, unsigned events), void *ctx);
void tv_watch_set(struct tv_watch *w, unsigned events);
void tv_watch_free(struct tv_watch *w); /* before the descriptor is closed; accepts NULL */

/* -- the end of the turn ------------------------------------------------------------------------*/
struct tv_turn {
    void (*fn)(void *ctx);
    void *ctx;
    bool armed; /* private */
    TAILQ_ENTRY(tv_turn) link;
};
/* Runs `t->fn` once at the end of this turn, however often it is armed; when armed by such a
 * function, still at the end of this turn. The caller owns `t` and must disarm before freeing. */
void tv_turn_arm(struct tv_loop *l, struct tv_turn *t);
void tv_turn_disarm(struct tv_loop *l, struct tv_turn *t);

/* -- the mailbox: the only entry for other threads ----------------------------------------------*/
struct tv_mail {
    void (*fn)(struct tv_mail *m); /* on the loop's thread; owns `m` from then on */
    STAILQ_ENTRY(tv_mail) link;
};
/* Thread-safe. Takes `m`; order of one sender is kept. After the loop has stopped mail stays in
 * the box, and tv_loop_free() runs what is left so that it can free itself. */
void tv_loop_post(struct tv_loop *l, struct tv_mail *m);

/* -- workers ------------------------------------------------------------------------------------*/
struct tv_work {
    void (*work)(struct tv_work *w); /* on a worker thread: touches nothing but its own struct */
    void (*done)(struct tv_work *w); /* on the loop's thread; may free `w` */
    void *private_;
};
/* Runs at most `workers` (tv_loop_new: 2) at a time; the rest waits in order. The caller bounds
 * how much is submitted. */
void tv_loop_work(struct tv_loop *l, struct tv_work *w);

/* -- signals ------------------------------------------------------------------------------------*/
/* Calls `on_signal` for SIGTERM and SIGINT on the loop's thread. Once per loop. */
void tv_loop_on_terminate(struct tv_loop *l, void (*on_signal)(void *ctx, int signo), void *ctx);

#endif
