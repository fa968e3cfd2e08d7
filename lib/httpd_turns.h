/* httpd_turns.h - whose turn is it on a connection? For lib/httpd.c only.
 *
 * A connection is on the list while its client must act (send a head, a body, take an answer) and
 * off it while we must (a handler thinks, a stream has nothing to say). The time to act is the same
 * everywhere, so the list is in the order of its deadlines and one timer guards all of them; a
 * client that sends one byte a second gains nothing by it. Who lets its time go by is shut down,
 * unless it takes an answer that is long, and moves.
 */
#ifndef TV_HTTPD_TURNS_H
#define TV_HTTPD_TURNS_H

#include "lib/base.h"
#include "lib/loop.h"

struct tv_httpd_turns {
    struct tv_loop *loop;
    int64_t time_us; /* that a client has */
    struct tv_timer *timer;
    bool armed; /* for the head of `waiting` or earlier */
    TAILQ_HEAD(, tv_httpd_turn) waiting;
};

/* Of one connection; zeroed but for `turns` and `fd` at first. */
struct tv_httpd_turn {
    struct tv_httpd_turns *turns;
    int fd; /* borrowed */
    bool listed;
    bool sending;         /* it is an answer that is waited for */
    uint64_t acked_bytes; /* at the last look */
    int64_t deadline_us;
    TAILQ_ENTRY(tv_httpd_turn) link;
};

void tv_httpd_turns_init(struct tv_httpd_turns *t, struct tv_loop *l, int64_t time_us);
/* No connection may be on the list. */
void tv_httpd_turns_done(struct tv_httpd_turns *t);

/* From now on the client has its time to act; `sending`: to take an answer. */
void tv_httpd_turn_theirs(struct tv_httpd_turn *turn, bool sending);
/* It is ours, or the connection ends. */
void tv_httpd_turn_ours(struct tv_httpd_turn *turn);

#endif
