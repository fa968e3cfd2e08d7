/* clock.c - see clock.h. */
#include "services/notifier/clock.h"

#include <stdlib.h>

/* How far two clocks may drift apart over the exchanges that are remembered. */
#define DRIFT_US 10000

/* 0 to limit - 1, spread evenly enough for jitter (xorshift64). */
static int64_t jitter(struct tv_due_clock *c, int64_t limit) {
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return (int64_t)((c->random >> 1) % (uint64_t)limit);
}

void tv_due_clock_init(struct tv_due_clock *c, int64_t now_us, uint64_t seed) {
    *c = (struct tv_due_clock){
        .random = seed | 1, /* of 0 nothing but 0 would follow */
        .next_us = now_us,
    };
}

int64_t tv_due_clock_next_us(const struct tv_due_clock *c) {
    return c->in_flight ? INT64_MAX : c->next_us;
}

void tv_due_clock_sent(struct tv_due_clock *c, int64_t now_us) {
    if (c->in_flight)
        tv_panic("notifier: two Fires at a time");
    c->in_flight = true;
    c->hinted = false;
    c->sent_us = now_us;
}

static const struct tv_due_sample *best_sample(const struct tv_due_clock *c) {
    const struct tv_due_sample *best = NULL;

    for (unsigned i = 0; i < c->sample_count; i++) {
        if (best == NULL || c->samples[i].error_us < best->error_us)
            best = &c->samples[i];
    }
    return best;
}

int64_t tv_due_clock_offset_us(const struct tv_due_clock *c) {
    const struct tv_due_sample *best = best_sample(c);

    return best == NULL ? 0 : best->offset_us;
}

static void learn(struct tv_due_clock *c, int64_t now_us, int64_t now_db_us) {
    const struct tv_due_sample s = {
        .offset_us = now_db_us - (c->sent_us + (now_us - c->sent_us) / 2),
        .error_us = (now_us - c->sent_us + 1) / 2,
    };
    const struct tv_due_sample *best = best_sample(c);

    if (best != NULL &&
        llabs(s.offset_us - best->offset_us) > s.error_us + best->error_us + DRIFT_US)
        c->sample_count = c->sample_next = 0;
    c->samples[c->sample_next] = s;
    c->sample_next = (c->sample_next + 1) % TV_DUE_SAMPLES;
    c->sample_count = TV_MIN(c->sample_count + 1, TV_DUE_SAMPLES);
}

void tv_due_clock_replied(struct tv_due_clock *c, int64_t now_us, const struct tv_due_reply *r) {
    int64_t idle_us = now_us + TV_DUE_IDLE_US - jitter(c, TV_DUE_IDLE_JITTER_US);

    c->in_flight = false;
    c->failures = 0;
    learn(c, now_us, r->now_db_us);
    if (r->more || c->hinted)
        c->next_us = now_us;
    else if (!r->has_next)
        c->next_us = idle_us;
    else if (r->next_due_db_us <= r->now_db_us)
        c->next_us = now_us + TV_DUE_LATE_US; /* due, and yet not given to us */
    else
        c->next_us = TV_MIN(TV_MAX(r->next_due_db_us - tv_due_clock_offset_us(c), now_us), idle_us);
}

void tv_due_clock_failed(struct tv_due_clock *c, int64_t now_us) {
    int64_t wait_us = TV_DUE_ERROR_MIN_US << TV_MIN(c->failures, 10U);

    wait_us = TV_MIN(wait_us, TV_DUE_ERROR_MAX_US);
    c->in_flight = false;
    c->failures++;
    c->next_us = now_us + wait_us - jitter(c, wait_us / 4);
}

void tv_due_clock_hint(struct tv_due_clock *c, int64_t now_us) {
    if (c->in_flight)
        c->hinted = true;
    else if (c->failures == 0)
        c->next_us = TV_MIN(c->next_us, now_us);
}
