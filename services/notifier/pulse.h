/* pulse.h - when to ask LiveKit whether it still has its rooms, and what its answers mean.
 *
 * LiveKit keeps its rooms in memory and says nothing when it loses them. So while a call runs, one
 * of the running rooms is probed every second, however many there are: LiveKit that has this room
 * under the same sid has not been restarted. The story of a restart:
 *
 *     probe ok   probe ok    LiveKit dies   probe fails, every 50 ms     probe answered
 *        |          |                                                      |
 *        |       alive: the last time that its rooms were there for sure   trouble is over: sweep,
 *                                                                          alive to now
 *
 * A probe that finds another sid, or no room, tells of a restart that nobody noticed, and leads to
 * a sweep as well: to one for each sid, because a room may also end in the usual way. From the
 * first sign of trouble until a sweep went well `alive` stands still, for it tells since when rooms
 * may have been gone.
 *
 * Besides there is a sweep at the start, after the bus was away, and every ten seconds. There is
 * one at a time; a reason for another one that comes up meanwhile is remembered. While probes fail
 * there is none. When nothing runs nobody probes, and the sweeps alone tell whether LiveKit is up.
 *
 * Somebody who could not join because LiveKit was away waits for it: then it is probed as well
 * (without a room when none runs), and the first answer to a probe sent after that restores.
 *
 * Pure: no I/O, no clock of its own. Times are microseconds of this host's monotonic clock.
 */
#ifndef TV_NOTIFIER_PULSE_H
#define TV_NOTIFIER_PULSE_H

#include "lib/base.h"

#define TV_PULSE_PROBE_US INT64_C(1000000)
/* While probes fail. Browsers in a call try to come back for some fifty seconds, at instants of
 * their own; one that finds LiveKit there and its room not yet is out for good. */
#define TV_PULSE_FAST_US INT64_C(50000)
#define TV_PULSE_URGENT_US INT64_C(60000000)
#define TV_PULSE_PATIENT_US INT64_C(250000) /* when it is down for longer */
#define TV_PULSE_SWEEP_US INT64_C(10000000)
#define TV_PULSE_SWEEP_JITTER_US INT64_C(2000000)
/* After a failed sweep; doubles up to the usual pause. */
#define TV_PULSE_RETRY_US INT64_C(1000000)
#define TV_PULSE_ROOM_MAX 128
#define TV_PULSE_SID_MAX 72

struct tv_pulse {
    uint64_t random;
    bool away; /* the bus: nothing is asked */
    enum { TV_PULSE_UNKNOWN, TV_PULSE_UP, TV_PULSE_DOWN } livekit;
    int64_t down_us; /* since when, as far as is known */

    /* what to watch */
    char room[TV_PULSE_ROOM_MAX], sid[TV_PULSE_SID_MAX]; /* empty: no call is running */
    bool missed;                                         /* somebody waits for LiveKit */
    int64_t missed_us;                                   /* known since */
    int64_t restored_us;                                 /* what was said before does not count */

    /* probes */
    bool probing;
    int64_t probe_us;                  /* the next one */
    int64_t probe_sent_us;             /* the latest one */
    char probed_sid[TV_PULSE_SID_MAX]; /* what it should find; empty: any answer will do */
    char suspect[TV_PULSE_SID_MAX];    /* was not found, and a sweep was asked for */
    bool has_alive;
    int64_t alive_us; /* the latest time that LiveKit had its rooms for certain */
    bool troubled;    /* it stands still */

    /* sweeps */
    bool sweeping, again; /* again: a reason came up while sweeping */
    int64_t sweep_us;     /* the next one */
    unsigned failures;    /* of sweeps, in a row */
};

/* The bus is away. `seed` tells the jitter of replicas apart. */
void tv_pulse_init(struct tv_pulse *p, uint64_t seed);
void tv_pulse_bus_away(struct tv_pulse *p);
/* Does nothing unless it was away. */
void tv_pulse_bus_back(struct tv_pulse *p, int64_t now_us);

/* A Fire that was sent at `asked_us` says what to watch; `room` and `sid` NULL: nothing runs. */
void tv_pulse_need(struct tv_pulse *p, int64_t asked_us, int64_t now_us, const char *room,
                   const char *sid, bool missed);

/* When to probe and when to sweep; INT64_MAX: not now, something else must come first. */
int64_t tv_pulse_next_probe_us(const struct tv_pulse *p);
int64_t tv_pulse_next_sweep_us(const struct tv_pulse *p);

/* What an answer says of LiveKit. */
enum tv_pulse_news {
    TV_PULSE_NOTHING,
    TV_PULSE_LOST,      /* it stopped to answer */
    TV_PULSE_BACK,      /* it answers again; it was down since down_us */
    TV_PULSE_RESTARTED, /* it answers, but without the room */
};
void tv_pulse_probe_sent(struct tv_pulse *p, int64_t now_us);
/* `sid` is what it has the room under; empty: it has none. */
enum tv_pulse_news tv_pulse_probe_answered(struct tv_pulse *p, int64_t now_us, const char *sid);
enum tv_pulse_news tv_pulse_probe_failed(struct tv_pulse *p, int64_t now_us);
/* It was not LiveKit's fault: the bus went away. */
void tv_pulse_probe_lost(struct tv_pulse *p);

/* Whether an answer came that those who wait should hear of. */
bool tv_pulse_may_restore(const struct tv_pulse *p);
void tv_pulse_restored(struct tv_pulse *p, int64_t now_us);

enum tv_pulse_swept {
    TV_PULSE_SWEPT,
    TV_PULSE_UNLISTED, /* LiveKit did not answer */
    TV_PULSE_UNSWEPT,  /* it did, but something else failed */
};
void tv_pulse_sweep_sent(struct tv_pulse *p, int64_t now_us);
enum tv_pulse_news tv_pulse_sweep_done(struct tv_pulse *p, int64_t now_us, enum tv_pulse_swept how);
/* Milliseconds since LiveKit had its rooms for certain; 0: not known. */
int64_t tv_pulse_alive_age_ms(const struct tv_pulse *p, int64_t now_us);

#endif
