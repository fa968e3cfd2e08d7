/* clock.c - see clock.h. */
#include "services/notifier/clock.h"

#include <stdlib.h>

/* How far two clocks may drift apart over the exchanges that are remembered. */
#define DRIFT_US 10000

/* Spread evenly enough for jitter (xorshift64). */
int64_t tv_due_jitter(uint64_t *random, int64_t limit) {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (int64_t)((*random >> 1) % (uint64_t)limit);
}

void tv_due_clock_init(struct tv_due_clock *c, int64_t now_us, uint64_t seed) {
    *c = (struct tv_due_clock){
        .random = seed | 1, /* of 0 nothing but 0 would follow */
        .next_us = now_us,
    };
}

void tv_due_clock_init_asleep(struct tv_due_clock *c, uint64_t seed) {
    tv_due_clock_init(c, INT64_MAX, seed);
    c->asleep = true;
}

int64_t tv_due_clock_next_us(const struct tv_due_clock *c) {
    return c->in_flight ? INT64_MAX : c->next_us;
}

void tv_due_clock_sent(struct tv_due_clock *c, int64_t now_us) {
    if (c->in_flight)
        tv_panic("notifier: two questions at a time");
    c->in_flight = true;
    c->hint_us = INT64_MAX;
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
    int64_t next_us = INT64_MAX;

    c->in_flight = false;
    c->failures = 0;
    learn(c, now_us, r->now_db_us);
    if (!c->asleep)
        next_us = now_us + TV_DUE_IDLE_US - tv_due_jitter(&c->random, TV_DUE_IDLE_JITTER_US);
    if (r->more)
        next_us = now_us;
    else if (r->has_next && r->next_due_db_us <= r->now_db_us)
        next_us = now_us + TV_DUE_LATE_US; /* due, and yet not given to us */
    else if (r->has_next)
        next_us = TV_MIN(next_us, r->next_due_db_us - tv_due_clock_offset_us(c));
    c->next_us = TV_MAX(TV_MIN(next_us, c->hint_us), now_us);
}

void tv_due_clock_failed(struct tv_due_clock *c, int64_t now_us) {
    int64_t wait_us = TV_DUE_ERROR_MIN_US << TV_MIN(c->failures, 10U);

    wait_us = TV_MIN(wait_us, TV_DUE_ERROR_MAX_US);
    c->in_flight = false;
    c->failures++;
    c->next_us = now_us + wait_us - tv_due_jitter(&c->random, wait_us / 4);
}

void tv_due_clock_hint(struct tv_due_clock *c, int64_t at_us) {
    if (c->in_flight)
        c->hint_us = TV_MIN(c->hint_us, at_us);
    else if (c->failures == 0)
        c->next_us = TV_MIN(c->next_us, at_us);
}
