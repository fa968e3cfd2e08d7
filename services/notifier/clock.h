/* clock.h - when to ask next: the notifier's sense of time.
 *
 * The story. The database decides what is due (ADR 0004), but it does not call anybody: somebody
 * must ask at the right instant. Each Fire reply says what time it is there (`now`) and when the
 * next thing is due (`next_due_at`), in the database's time. This host only has a monotonic clock
 * that began anywhere. The difference of the two, the offset, follows from each exchange:
 *
 *     sent ---------- now was read ---------- received        (monotonic, database, monotonic)
 *
 * `now` belongs to some instant between sent and received. The middle is the best guess, and half
 * the round trip is how wrong it can be, so of the last few exchanges the fastest one counts. An
 * exchange that contradicts it (both cannot be true) shows that a clock was set or another
 * database took over: then only the new one counts.
 *
 * With the offset the next due time becomes an instant of this host, and the notifier sleeps until
 * then, but never longer than a second: a hint that something became due sooner may get lost. It
 * does not sleep at all when the reply says that there is more, or when a hint came; a hint that
 * comes while a Fire is under way may be about what that Fire just missed, so another one follows
 * it. Errors are waited out, longer each time, and hints do not shorten that wait. There is never
 * more than one Fire in flight.
 *
 * Replicas do this independently. All fire at the due time; the database gives each row to one.
 *
 * Jobs are claimed by the same clock, but one that is asleep: it never asks on its own, only at the
 * instants that it was told (by a Fire's reply or by the claim before) and once more after errors.
 *
 * Pure: no I/O, no clock of its own. All times are microseconds, `_us` of this host's monotonic
 * clock unless `db` is in the name.
 */
#ifndef TV_NOTIFIER_CLOCK_H
#define TV_NOTIFIER_CLOCK_H

#include "lib/base.h"

#define TV_DUE_IDLE_US INT64_C(1000000)       /* longest sleep */
#define TV_DUE_IDLE_JITTER_US INT64_C(100000) /* it is shorter by up to this much */
#define TV_DUE_LATE_US INT64_C(20000)       /* what is due is in somebody else's hands: ask again */
#define TV_DUE_ERROR_MIN_US INT64_C(100000) /* wait after the first error; doubles */
#define TV_DUE_ERROR_MAX_US INT64_C(2000000)
#define TV_DUE_SAMPLES 16

/* One exchange, as far as it tells about the database's clock. */
struct tv_due_sample {
    int64_t offset_us; /* database minus monotonic, if `now` was read in the middle */
    int64_t error_us;  /* half the round trip: the offset is right within this */
};

struct tv_due_clock {
    uint64_t random; /* state of the jitter */
    int64_t next_us; /* when to ask; meaningless while in_flight; INT64_MAX: never */
    int64_t sent_us; /* of the one in flight, or of the latest */
    bool asleep;     /* asks only at instants that it was told */
    bool in_flight;
    int64_t hint_us;                              /* came while it was in flight; INT64_MAX: none */
    unsigned failures;                            /* in a row */
    struct tv_due_sample samples[TV_DUE_SAMPLES]; /* a ring of the latest */
    unsigned sample_count, sample_next;
};

/* What a Fire reply says about time; times in the database's. */
struct tv_due_reply {
    int64_t now_db_us;
    bool has_next;
    int64_t next_due_db_us;
    bool more;
};

/* Wants to fire at once. `seed` tells the jitter of replicas apart. */
void tv_due_clock_init(struct tv_due_clock *c, int64_t now_us, uint64_t seed);
/* Never wants to ask before it is told. */
void tv_due_clock_init_asleep(struct tv_due_clock *c, uint64_t seed);
/* When to ask; INT64_MAX while one is in flight. */
int64_t tv_due_clock_next_us(const struct tv_due_clock *c);

/* A Fire goes out now. None may be in flight. */
void tv_due_clock_sent(struct tv_due_clock *c, int64_t now_us);
/* It was answered now, or it failed now. */
void tv_due_clock_replied(struct tv_due_clock *c, int64_t now_us, const struct tv_due_reply *r);
void tv_due_clock_failed(struct tv_due_clock *c, int64_t now_us);
/* Somebody says that something is due from this instant on; it may have passed. */
void tv_due_clock_hint(struct tv_due_clock *c, int64_t at_us);

/* The best estimate of the database's clock minus this host's; 0 before the first reply. */
int64_t tv_due_clock_offset_us(const struct tv_due_clock *c);

/* 0 to limit - 1, limit > 0; `*random` is not 0. */
int64_t tv_due_jitter(uint64_t *random, int64_t limit);

#endif
