/* pulse.c - see pulse.h. */
#include "services/notifier/pulse.h"

#include <stdio.h>
#include <string.h>

#include "services/notifier/clock.h"

void tv_pulse_init(struct tv_pulse *p, uint64_t seed) {
    *p = (struct tv_pulse){
        .random = seed | 1,
        .away = true,
        .restored_us = INT64_MIN,
        .probe_sent_us = INT64_MIN,
    };
}

static bool is_watching(const struct tv_pulse *p) { return p->sid[0] != '\0' || p->missed; }

/* Something happened that a sweep must look into. */
static void trouble(struct tv_pulse *p, int64_t now_us) {
    p->troubled = true;
    p->failures = 0;
    if (p->sweeping)
        p->again = true;
    else
        p->sweep_us = now_us;
}

void tv_pulse_bus_away(struct tv_pulse *p) { p->away = true; }

void tv_pulse_bus_back(struct tv_pulse *p, int64_t now_us) {
    if (!p->away)
        return;
    p->away = false;
    p->probe_us = now_us;
    trouble(p, now_us); /* who knows what happened meanwhile */
}

/* -- what to watch ------------------------------------------------------------------------------*/

static void watch(struct tv_pulse *p, const char *room, const char *sid) {
    p->room[0] = p->sid[0] = '\0';
    /* A name that does not fit is none that we made. */
    if (room == NULL || sid == NULL || strlen(room) >= sizeof(p->room) ||
        strlen(sid) >= sizeof(p->sid))
        return;
    (void)snprintf(p->room, sizeof(p->room), "%s", room);
    (void)snprintf(p->sid, sizeof(p->sid), "%s", sid);
}

void tv_pulse_need(struct tv_pulse *p, int64_t asked_us, int64_t now_us, const char *room,
                   const char *sid, bool missed) {
    bool was_watching = is_watching(p), is_missed = missed && asked_us > p->restored_us;

    watch(p, room, sid);
    if (is_missed && !p->missed) {
        p->missed_us = now_us;
        p->probe_us = now_us;
    }
    p->missed = is_missed;
    if (!was_watching && is_watching(p))
        p->probe_us = now_us;
}

/* -- probes -------------------------------------------------------------------------------------*/

int64_t tv_pulse_next_probe_us(const struct tv_pulse *p) {
    return p->away || p->probing || !is_watching(p) ? INT64_MAX : p->probe_us;
}

void tv_pulse_probe_sent(struct tv_pulse *p, int64_t now_us) {
    p->probing = true;
    p->probe_sent_us = now_us;
    memcpy(p->probed_sid, p->sid, sizeof(p->probed_sid));
}

static enum tv_pulse_news answers(struct tv_pulse *p) {
    bool was_down = p->livekit == TV_PULSE_DOWN;

    p->livekit = TV_PULSE_UP;
    return was_down ? TV_PULSE_BACK : TV_PULSE_NOTHING;
}

static enum tv_pulse_news is_silent(struct tv_pulse *p, int64_t now_us) {
    if (p->livekit == TV_PULSE_DOWN)
        return TV_PULSE_NOTHING;
    p->livekit = TV_PULSE_DOWN;
    p->down_us = now_us;
    p->troubled = true;
    return TV_PULSE_LOST;
}

enum tv_pulse_news tv_pulse_probe_answered(struct tv_pulse *p, int64_t now_us, const char *sid) {
    enum tv_pulse_news news = answers(p);
    bool is_there = strcmp(sid, p->probed_sid) == 0;

    p->probing = false;
    p->probe_us = TV_MAX(p->probe_sent_us + TV_PULSE_PROBE_US, now_us);
    if (news == TV_PULSE_BACK)
        trouble(p, now_us);
    if (p->probed_sid[0] == '\0')
        return news;
    if (is_there && !p->troubled) {
        p->has_alive = true;
        p->alive_us = p->probe_sent_us;
    }
    if (is_there || strcmp(p->suspect, p->probed_sid) == 0)
        return news;
    memcpy(p->suspect, p->probed_sid, sizeof(p->suspect));
    trouble(p, now_us);
    return news == TV_PULSE_NOTHING ? TV_PULSE_RESTARTED : news;
}

enum tv_pulse_news tv_pulse_probe_failed(struct tv_pulse *p, int64_t now_us) {
    enum tv_pulse_news news = is_silent(p, now_us);

    p->probing = false;
    p->probe_us = now_us + (now_us - p->down_us < TV_PULSE_URGENT_US ? TV_PULSE_FAST_US
                                                                     : TV_PULSE_PATIENT_US);
    return news;
}

void tv_pulse_probe_lost(struct tv_pulse *p) { p->probing = false; }

/* -- those who wait -----------------------------------------------------------------------------*/

bool tv_pulse_may_restore(const struct tv_pulse *p) {
    return p->missed && !p->away && !p->probing && p->livekit == TV_PULSE_UP &&
           p->probe_sent_us >= p->missed_us;
}

void tv_pulse_restored(struct tv_pulse *p, int64_t now_us) {
    p->missed = false;
    p->restored_us = now_us;
}

/* -- sweeps -------------------------------------------------------------------------------------*/

int64_t tv_pulse_next_sweep_us(const struct tv_pulse *p) {
    if (p->away || p->sweeping || (p->livekit == TV_PULSE_DOWN && is_watching(p)))
        return INT64_MAX;
    return p->sweep_us;
}

void tv_pulse_sweep_sent(struct tv_pulse *p, int64_t now_us) {
    p->sweeping = true;
    p->again = false;
}

enum tv_pulse_news tv_pulse_sweep_done(struct tv_pulse *p, int64_t now_us,
                                       enum tv_pulse_swept how) {
    int64_t pause_us = TV_PULSE_SWEEP_US;

    p->sweeping = false;
    if (how == TV_PULSE_SWEPT) {
        p->failures = 0;
        p->troubled = p->again;
    } else {
        pause_us = TV_MIN(pause_us, TV_PULSE_RETRY_US << TV_MIN(p->failures, 10U));
        p->failures++;
    }
    p->sweep_us = p->again ? now_us
                           : now_us + pause_us -
                                 tv_due_jitter(&p->random, pause_us * TV_PULSE_SWEEP_JITTER_US /
                                                               TV_PULSE_SWEEP_US);
    if (p->away || is_watching(p))
        return TV_PULSE_NOTHING; /* probes know better */
    return how == TV_PULSE_UNLISTED ? is_silent(p, now_us) : answers(p);
}

int64_t tv_pulse_alive_age_ms(const struct tv_pulse *p, int64_t now_us) {
    if (!p->has_alive)
        return 0;
    return TV_MAX((now_us - p->alive_us) / 1000, INT64_C(1)); /* 0 would mean: not known */
}
