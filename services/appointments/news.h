/* news.h - what follows when the record of a call has changed: who is told what, and what is to be
 * done. Pure: the book has the history after the observation, and beside it what was stored and
 * told before.
 *
 *   call.waiting  Somebody came in and nobody of the other side is there: told to the other side.
 *                 Again only when both sides met meanwhile, or after two minutes.
 *   call.started  Both sides are in, for the first time in this room's generation: told to all.
 *   call.ended    The room is over and somebody had been in it: told to all, once a generation. A
 *                 room that LiveKit has lost while the appointment is open is not over: it is made
 *                 again, and the call goes on in it.
 *
 * Besides, when somebody came or left, all who take part and are told nothing else get a hint: what
 * their pages show of the appointment is old.
 *
 * Patients and guests are one side, doctors the other; interpreters are on neither.
 */
#ifndef APPOINTMENTS_NEWS_H
#define APPOINTMENTS_NEWS_H

#include "services/appointments/book.h"

#define TV_NEWS_WAITING_AGAIN_US (120 * INT64_C(1000000))
#define TV_NEWS_RECONCILE_MS 15000 /* a running call is compared with LiveKit so often */

/* What was observed, as far as it matters here. */
enum news_cause {
    NEWS_EVENT,
    NEWS_CAME,     /* an event that tells of a room or a person that was not there before */
    NEWS_FINISHED, /* LiveKit says that the room is finished */
    NEWS_SNAPSHOT,
    NEWS_CLOSED, /* LiveKit confirmed that the room is deleted */
};

/* Fills people, notices, jobs, next_generation and hint of `to`; `generation` is of the room that
 * was observed. What `to` points to lives in the arena. */
void news_follow(const struct book *b, enum news_cause cause, int32_t generation,
                 struct tv_arena *a, Televisit__V1__BookChange *to);

/* A call in the room of this generation is not over. */
bool news_is_running(const struct book *b, int32_t generation);

#endif
