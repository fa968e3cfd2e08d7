/* The watch's sense of LiveKit, with scripted time: every row is a small story of what it is told,
 * and says when it would ask next and what it knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/notifier/pulse.h"

#define MS INT64_C(1000)
#define NEVER INT64_MAX

enum what {
    END,
    AWAY,
    BACK,
    NEED,   /* watch the room under `sid` (NULL: none) */
    MISSED, /* somebody waits; the Fire was sent at `to` */
    PROBE,
    FOUND, /* under `sid` */
    FAIL,
    CANCEL,
    SWEEP,
    SWEPT,
    UNLISTED,
    UNSWEPT,
    RESTORED,
    PROBES, /* expected: the next one, between `at` and `to` */
    SWEEPS,
    ALIVE, /* expected: the age in ms at `at` is `to` */
    RESTORES,
    NEWS, /* expected: of the latest answer, `to` */
};

struct step {
    enum what what;
    int64_t at, to; /* ms */
    const char *sid;
};

/* The start of most stories: the bus comes, and the sweep of the start goes well. */
#define STARTED                                                                                    \
    {BACK, 0, 0, NULL}, {SWEEP, 0, 0, NULL}, { SWEPT, 10, 0, NULL }
#define PROBED(t, sid)                                                                             \
    {PROBE, t, 0, NULL}, { FOUND, (t) + 5, 0, sid }

static const struct {
    const char *story;
    struct step steps[64];
} rows[] = {
    {"nothing before the bus", {{PROBES, NEVER, 0, NULL}, {SWEEPS, NEVER, 0, NULL}}},
    {"a sweep at the start, no probe",
     {{BACK, 0, 0, NULL}, {SWEEPS, 0, 0, NULL}, {PROBES, NEVER, 0, NULL}, {ALIVE, 0, 0, NULL}}},
    {"one sweep at a time", {{BACK, 0, 0, NULL}, {SWEEP, 0, 0, NULL}, {SWEEPS, NEVER, 0, NULL}}},
    {"at rest: a sweep every ten seconds",
     {STARTED,
      {SWEEPS, 8010, 10010, NULL},
      {PROBES, NEVER, 0, NULL},
      {SWEEP, 9000, 0, NULL},
      {SWEPT, 9010, 0, NULL},
      {SWEEPS, 17010, 19010, NULL}}},
    {"a call runs: a probe at once, then every second",
     {STARTED,
      {NEED, 500, 0, "A"},
      {PROBES, 500, 500, NULL},
      {PROBE, 500, 0, NULL},
      {PROBES, NEVER, 0, NULL},
      {FOUND, 505, 0, "A"},
      {NEWS, 0, TV_PULSE_NOTHING, NULL},
      {PROBES, 1500, 1500, NULL},
      {NEED, 900, 0, "A"},
      {PROBES, 1500, 1500, NULL},
      {NEED, 950, 0, "B"},
      {PROBES, 1500, 1500, NULL},
      {SWEEPS, 8010, 10010, NULL}}},
    {"a slow answer does not lead to a spin",
     {STARTED,
      {NEED, 0, 0, "A"},
      {PROBE, 500, 0, NULL},
      {FOUND, 2400, 0, "A"},
      {PROBES, 2400, 2400, NULL}}},
    {"no call any more: no probe",
     {STARTED, {NEED, 0, 0, "A"}, PROBED(0, "A"), {NEED, 500, 0, NULL}, {PROBES, NEVER, 0, NULL}}},
    {"alive: since the latest good probe was sent",
     {STARTED,
      {NEED, 0, 0, "A"},
      PROBED(100, "A"),
      {ALIVE, 200, 100, NULL},
      PROBED(1100, "A"),
      {ALIVE, 1101, 1, NULL},
      {ALIVE, 1100, 1, NULL},
      {NEED, 1200, 0, NULL},
      {ALIVE, 9100, 8000, NULL}}},
    {"an answer without a room says nothing of the rooms",
     {STARTED, {MISSED, 0, 0, NULL}, PROBED(100, ""), {ALIVE, 200, 0, NULL}}},
    {"another sid: a sweep at once, and alive stands still",
     {STARTED,
      {NEED, 0, 0, "A"},
      PROBED(100, "A"),
      {PROBE, 1100, 0, NULL},
      {FOUND, 1105, 0, "B"},
      {NEWS, 0, TV_PULSE_RESTARTED, NULL},
      {SWEEPS, 1105, 1105, NULL},
      {SWEEP, 1105, 0, NULL},
      {NEED, 1150, 0, "B"},
      PROBED(1160, "B"),
      {ALIVE, 2100, 2000, NULL},
      {SWEPT, 2200, 0, NULL},
      PROBED(2300, "B"),
      {ALIVE, 2400, 100, NULL}}},
    {"no room: the same",
     {STARTED,
      {NEED, 0, 0, "A"},
      PROBED(100, "A"),
      PROBED(1100, ""),
      {NEWS, 0, TV_PULSE_RESTARTED, NULL},
      {SWEEPS, 1105, 1105, NULL}}},
    {"a sid that stays missing: one sweep",
     {STARTED,
      {NEED, 0, 0, "A"},
      PROBED(100, ""),
      {SWEEP, 105, 0, NULL},
      {SWEPT, 110, 0, NULL},
      {SWEEPS, 8110, 10110, NULL},
      PROBED(1100, ""),
      {SWEEPS, 8110, 10110, NULL}}},
    {"the next sid that is missing: another sweep",
     {STARTED,
      {NEED, 0, 0, "A"},
      PROBED(100, ""),
      {SWEEP, 105, 0, NULL},
      {SWEPT, 110, 0, NULL},
      {NEED, 120, 0, "B"},
      {SWEEPS, 8110, 10110, NULL},
      PROBED(1100, ""),
      {SWEEPS, 1105, 1105, NULL}}},
    {"what changes while a probe is under way does not count against it",
     {STARTED,
      {NEED, 0, 0, "A"},
      {PROBE, 100, 0, NULL},
      {NEED, 101, 0, "B"},
      {FOUND, 105, 0, "A"},
      {SWEEPS, 8010, 10010, NULL},
      {ALIVE, 200, 100, NULL}}},
    {"trouble while sweeping: another one follows",
     {STARTED,
      {NEED, 0, 0, "A"},
      PROBED(100, "A"),
      {SWEEP, 9000, 0, NULL},
      PROBED(9100, "B"),
      {SWEEPS, NEVER, 0, NULL},
      {SWEPT, 9200, 0, NULL},
      {SWEEPS, 9200, 9200, NULL},
      {NEED, 9200, 0, "C"},
      PROBED(9210, "C"),
      {ALIVE, 9300, 9200, NULL},
      {SWEEP, 9300, 0, NULL},
      {SWEPT, 9310, 0, NULL},
      {SWEEPS, 17310, 19310, NULL},
      PROBED(10210, "C"),
      {ALIVE, 10310, 100, NULL}}},
    {"failing: every 50 ms, after a minute every 250 ms, and no sweep",
     {STARTED,
      {NEED, 0, 0, "A"},
      PROBED(100, "A"),
      {PROBE, 1100, 0, NULL},
      {FAIL, 1101, 0, NULL},
      {NEWS, 0, TV_PULSE_LOST, NULL},
      {PROBES, 1151, 1151, NULL},
      {SWEEPS, NEVER, 0, NULL},
      {PROBE, 1151, 0, NULL},
      {FAIL, 3151, 0, NULL},
      {NEWS, 0, TV_PULSE_NOTHING, NULL},
      {PROBES, 3201, 3201, NULL},
      {PROBE, 61100, 0, NULL},
      {FAIL, 61101, 0, NULL},
      {PROBES, 61351, 61351, NULL}}},
    {"back: a sweep at once, with alive from before",
     {STARTED,
      {NEED, 0, 0, "A"},
      PROBED(100, "A"),
      {PROBE, 1100, 0, NULL},
      {FAIL, 1101, 0, NULL},
      {PROBE, 1351, 0, NULL},
      {FOUND, 1355, 0, "A"},
      {NEWS, 0, TV_PULSE_BACK, NULL},
      {SWEEPS, 1355, 1355, NULL},
      {PROBES, 2351, 2351, NULL},
      {ALIVE, 1400, 1300, NULL},
      {SWEEP, 1400, 0, NULL},
      {SWEPT, 1500, 0, NULL},
      PROBED(2351, "A"),
      {ALIVE, 2400, 49, NULL}}},
    {"back without the room: news of the return, one sweep",
     {STARTED,
      {NEED, 0, 0, "A"},
      {PROBE, 100, 0, NULL},
      {FAIL, 101, 0, NULL},
      PROBED(351, ""),
      {NEWS, 0, TV_PULSE_BACK, NULL},
      {SWEEPS, 356, 356, NULL},
      {ALIVE, 356, 0, NULL}}},
    {"down when nobody watches any more: sweeps find out",
     {STARTED,
      {NEED, 0, 0, "A"},
      {PROBE, 100, 0, NULL},
      {FAIL, 101, 0, NULL},
      {NEED, 200, 0, NULL},
      {SWEEPS, 8010, 10010, NULL},
      {SWEEP, 9000, 0, NULL},
      {UNLISTED, 9001, 0, NULL},
      {NEWS, 0, TV_PULSE_NOTHING, NULL},
      {SWEEP, 10001, 0, NULL},
      {SWEPT, 10010, 0, NULL},
      {NEWS, 0, TV_PULSE_BACK, NULL},
      {SWEEPS, 18010, 20010, NULL}}},
    {"failed sweeps: after 1, 2, 4, 8, 10 s",
     {{BACK, 0, 0, NULL},           {SWEEP, 0, 0, NULL},
      {UNLISTED, 0, 0, NULL},       {NEWS, 0, TV_PULSE_LOST, NULL},
      {SWEEPS, 800, 1000, NULL},    {SWEEP, 1000, 0, NULL},
      {UNSWEPT, 1000, 0, NULL},     {NEWS, 0, TV_PULSE_BACK, NULL},
      {SWEEPS, 2600, 3000, NULL},   {SWEEP, 3000, 0, NULL},
      {UNLISTED, 3000, 0, NULL},    {SWEEPS, 6200, 7000, NULL},
      {SWEEP, 7000, 0, NULL},       {UNLISTED, 7000, 0, NULL},
      {SWEEPS, 13400, 15000, NULL}, {SWEEP, 15000, 0, NULL},
      {UNLISTED, 15000, 0, NULL},   {SWEEPS, 23000, 25000, NULL},
      {SWEEP, 25000, 0, NULL},      {SWEPT, 25000, 0, NULL},
      {SWEEPS, 33000, 35000, NULL}}},
    {"a failed sweep leaves the trouble as it is",
     {STARTED,
      {NEED, 0, 0, "A"},
      PROBED(100, "A"),
      PROBED(1100, "B"),
      {SWEEP, 1105, 0, NULL},
      {UNSWEPT, 1200, 0, NULL},
      {SWEEPS, 2000, 2200, NULL},
      {NEED, 1200, 0, "B"},
      PROBED(2100, "B"),
      {ALIVE, 2200, 2100, NULL}}},
    {"the bus goes: nothing; it returns: a sweep at once",
     {STARTED,
      {NEED, 0, 0, "A"},
      PROBED(100, "A"),
      {PROBE, 1100, 0, NULL},
      {AWAY, 1200, 0, NULL},
      {CANCEL, 1200, 0, NULL},
      {PROBES, NEVER, 0, NULL},
      {SWEEPS, NEVER, 0, NULL},
      {BACK, 1900, 0, NULL},
      {PROBES, 1900, 1900, NULL},
      {SWEEPS, 1900, 1900, NULL},
      PROBED(1900, "A"),
      {ALIVE, 2000, 1900, NULL},
      {BACK, 2000, 0, NULL},
      {SWEEP, 2000, 0, NULL},
      {SWEPT, 2010, 0, NULL},
      {SWEEPS, 10010, 12010, NULL}}},
    {"it goes in the middle of a sweep: another one follows its return",
     {STARTED,
      {SWEEP, 9000, 0, NULL},
      {AWAY, 9001, 0, NULL},
      {BACK, 9100, 0, NULL},
      {SWEEPS, NEVER, 0, NULL},
      {UNSWEPT, 9200, 0, NULL},
      {SWEEPS, 9200, 9200, NULL}}},
    {"somebody waits: a probe at once, and its answer restores, once",
     {STARTED,
      {MISSED, 500, 499, NULL},
      {PROBES, 500, 500, NULL},
      {RESTORES, 0, 0, NULL},
      {PROBE, 500, 0, NULL},
      {RESTORES, 0, 0, NULL},
      {FOUND, 505, 0, ""},
      {RESTORES, 0, 1, NULL},
      {RESTORED, 510, 0, NULL},
      {RESTORES, 0, 0, NULL},
      {PROBES, NEVER, 0, NULL},
      {MISSED, 520, 509, NULL},
      {PROBES, NEVER, 0, NULL},
      {MISSED, 1500, 1490, NULL},
      {PROBES, 1500, 1500, NULL}}},
    {"an answer from before does not restore",
     {STARTED,
      {NEED, 0, 0, "A"},
      PROBED(100, "A"),
      {MISSED, 200, 199, "A"},
      {RESTORES, 0, 0, NULL},
      {PROBES, 200, 200, NULL},
      PROBED(200, "A"),
      {RESTORES, 0, 1, NULL}}},
    {"nor does a probe that was under way",
     {STARTED,
      {NEED, 0, 0, "A"},
      {PROBE, 100, 0, NULL},
      {MISSED, 102, 101, "A"},
      {FOUND, 105, 0, "A"},
      {RESTORES, 0, 0, NULL},
      {PROBES, 1100, 1100, NULL}}},
    {"nor while LiveKit is away",
     {STARTED,
      {MISSED, 0, 0, NULL},
      {PROBE, 0, 0, NULL},
      {FAIL, 1, 0, NULL},
      {RESTORES, 0, 0, NULL},
      {PROBES, 51, 51, NULL},
      PROBED(51, ""),
      {RESTORES, 0, 1, NULL}}},
    {"a restore that fails is repeated with the next probe",
     {STARTED,
      {MISSED, 0, 0, NULL},
      PROBED(0, ""),
      {RESTORES, 0, 1, NULL},
      {PROBES, 1000, 1000, NULL},
      PROBED(1000, ""),
      {RESTORES, 0, 1, NULL}}},
    {"names that are too long are nobody's",
     {STARTED,
      {NEED, 0, 0,
       "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"},
      {PROBES, NEVER, 0, NULL}}},
};

static void expect(const char *what, int64_t is_us, const struct step *s) {
    if (s->at == NEVER)
        assert_true(is_us == INT64_MAX);
    else if (is_us < s->at * MS || is_us > TV_MAX(s->at, s->to) * MS)
        fail_msg("%s at %.3f ms, not in %d to %d", what, (double)is_us / 1e3, (int)s->at,
                 (int)s->to);
}

static void act(struct tv_pulse *p, const struct step *s, enum tv_pulse_news *news) {
    int64_t at_us = s->at == NEVER ? 0 : s->at * MS;

    switch (s->what) {
    case AWAY:
        tv_pulse_bus_away(p);
        break;
    case BACK:
        tv_pulse_bus_back(p, at_us);
        break;
    case NEED:
        tv_pulse_need(p, at_us, at_us, s->sid != NULL ? "r" : NULL, s->sid, false);
        break;
    case MISSED:
        tv_pulse_need(p, s->to * MS, at_us, s->sid != NULL ? "r" : NULL, s->sid, true);
        break;
    case PROBE:
        tv_pulse_probe_sent(p, at_us);
        break;
    case FOUND:
        *news = tv_pulse_probe_answered(p, at_us, s->sid);
        break;
    case FAIL:
        *news = tv_pulse_probe_failed(p, at_us);
        break;
    case CANCEL:
        tv_pulse_probe_lost(p);
        break;
    case SWEEP:
        tv_pulse_sweep_sent(p, at_us);
        break;
    case SWEPT:
        *news = tv_pulse_sweep_done(p, at_us, TV_PULSE_SWEPT);
        break;
    case UNLISTED:
        *news = tv_pulse_sweep_done(p, at_us, TV_PULSE_UNLISTED);
        break;
    case UNSWEPT:
        *news = tv_pulse_sweep_done(p, at_us, TV_PULSE_UNSWEPT);
        break;
    case RESTORED:
        tv_pulse_restored(p, at_us);
        break;
    case PROBES:
        expect("probes", tv_pulse_next_probe_us(p), s);
        break;
    case SWEEPS:
        expect("sweeps", tv_pulse_next_sweep_us(p), s);
        break;
    case ALIVE:
        assert_int_equal(tv_pulse_alive_age_ms(p, at_us), s->to);
        break;
    case RESTORES:
        assert_int_equal(tv_pulse_may_restore(p), s->to);
        break;
    default:
        assert_int_equal(*news, s->to);
        break;
    }
}

static void test_stories(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        print_message("    %s\n", rows[i].story);
        for (uint64_t seed = 0; seed < 50; seed++) {
            enum tv_pulse_news news = TV_PULSE_NOTHING;
            struct tv_pulse p;

            tv_pulse_init(&p, seed);
            for (const struct step *s = rows[i].steps; s->what != END; s++)
                act(&p, s, &news);
        }
    }
}

static void test_jitter_spreads_sweeps(void **state) {
    int64_t least = INT64_MAX, most = 0;

    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct tv_pulse p;

        tv_pulse_init(&p, seed * UINT64_C(0x9e3779b97f4a7c15));
        tv_pulse_bus_back(&p, 0);
        tv_pulse_sweep_sent(&p, 0);
        tv_pulse_sweep_done(&p, 0, TV_PULSE_SWEPT);
        least = TV_MIN(least, tv_pulse_next_sweep_us(&p));
        most = TV_MAX(most, tv_pulse_next_sweep_us(&p));
    }
    assert_in_range(least, 8000 * MS, 8500 * MS);
    assert_in_range(most, 9500 * MS, 10000 * MS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_jitter_spreads_sweeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
