/* httpd_turns.c - see httpd_turns.h. */
#include "lib/httpd_turns.h"

#include <sys/socket.h>

#include "lib/httpd_socket.h"

#define SLOWEST_US_PER_BYTE 1000 /* 1 kB/s: who takes an answer slower than that is cut */

void tv_httpd_turn_ours(struct tv_httpd_turn *turn) {
    if (turn->listed)
        TAILQ_REMOVE(&turn->turns->waiting, turn, link);
    turn->listed = false;
}

void tv_httpd_turn_theirs(struct tv_httpd_turn *turn, bool sending) {
    struct tv_httpd_turns *t = turn->turns;

    tv_httpd_turn_ours(turn);
    turn->listed = true;
    turn->sending = sending;
    turn->deadline_us = tv_loop_now_us(t->loop) + t->time_us;
    TAILQ_INSERT_TAIL(&t->waiting, turn, link);
    if (!t->armed) {
        t->armed = true;
        tv_timer_set(t->timer, t->time_us);
    }
}

/* A long answer may take its time, as long as it moves. */
static bool moves(struct tv_httpd_turn *turn) {
    uint64_t before = turn->acked_bytes;

    turn->acked_bytes = tv_httpd_acked_bytes(turn->fd);
    return turn->sending &&
           (int64_t)(turn->acked_bytes - before) >= turn->turns->time_us / SLOWEST_US_PER_BYTE;
}

static void on_timer(void *ctx) {
    struct tv_httpd_turns *t = ctx;
    int64_t now_us = tv_loop_now_us(t->loop);
    struct tv_httpd_turn *turn;

    t->armed = false;
    while ((turn = TAILQ_FIRST(&t->waiting)) != NULL && turn->deadline_us <= now_us) {
        tv_httpd_turn_ours(turn);
        if (moves(turn))
            tv_httpd_turn_theirs(turn, true);
        else
            shutdown(turn->fd, SHUT_RDWR); /* libmicrohttpd sees the end of it and closes */
    }
    if (turn != NULL) {
        t->armed = true;
        tv_timer_set(t->timer, turn->deadline_us - now_us);
    }
}

void tv_httpd_turns_init(struct tv_httpd_turns *t, struct tv_loop *l, int64_t time_us) {
    *t = (struct tv_httpd_turns){.loop = l, .time_us = time_us};
    TAILQ_INIT(&t->waiting);
    t->timer = tv_timer_new(l, on_timer, t);
}

void tv_httpd_turns_done(struct tv_httpd_turns *t) {
    assert(TAILQ_EMPTY(&t->waiting));
    tv_timer_free(t->timer);
}
