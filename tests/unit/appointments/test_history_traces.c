/* Whole visits, recorded from LiveKit and made up, told badly: shuffled, doubled, a fifth of it
 * lost, with lists of the room every 15 seconds that are told just as badly. What is known in the
 * end must be what happened, to a second, or say of itself that it is not sure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "lib/clock.h"
#include "lib/pb.h"
#include "livekit/livekit.pb-c.h"
#include "services/appointments/history.h"

#define FOLDER "tests/fixtures/livekit/"
#define SEEDS 500
#define S(seconds) ((int64_t)((seconds)*1e6))
#define LIST_EVERY_US S(15)
#define TOLERANCE_US S(1)

/* -- chance, the same each time -----------------------------------------------------------------*/

struct chance {
    uint64_t state;
};

/* splitmix64 */
static uint64_t draw(struct chance *c) {
    uint64_t z = c->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int64_t between(struct chance *c, int64_t low, int64_t high) {
    return low + (int64_t)(draw(c) % (uint64_t)(high - low + 1));
}

static bool percent(struct chance *c, unsigned p) { return draw(c) % 100 < p; }

/* -- a trace: what happened, and all that could be told of it -----------------------------------*/

#define TEXT_MAX 32
#define STAYS_MAX 256
#define ROOMS_MAX 4
#define TOLD_MAX 4096

struct stay {
    char sid[TEXT_MAX];
    const char *identity;
    size_t room;
    int64_t signalled_us, joined_us, left_us;
};

struct room {
    char sid[TEXT_MAX];
    int64_t made_us, ended_us;
};

struct told {
    struct tv_observation o;
    bool always; /* is never lost */
};

struct trace {
    const char *name;
    struct tv_arena *arena;
    struct room rooms[ROOMS_MAX];
    size_t rooms_count;
    struct stay stays[STAYS_MAX];
    size_t stays_count;
    struct told told[TOLD_MAX];
    size_t told_count;
    int64_t end_us;
};

static struct tv_observation *tell(struct trace *t, size_t room, enum tv_observation_kind kind,
                                   int64_t at_us) {
    assert_true(t->told_count < TOLD_MAX);
    struct told *told = &t->told[t->told_count++];
    *told = (struct told){
        .o = {.kind = kind, .room_sid = t->rooms[room].sid, .generation = 1, .at_us = at_us}};
    return &told->o;
}

/* When it happened, as far as one can know who hears of it at `received_us` and reads whole
 * seconds: what comes within that second came at once, what comes later came again. */
static int64_t instant(int64_t created_s, int64_t received_us) {
    int64_t created_us = created_s * TV_US_PER_S;
    return received_us < created_us + TV_US_PER_S ? received_us : created_us + TV_US_PER_S / 2;
}

/* The same of a made-up event: most come within 60 ms, some only at a later attempt. */
static int64_t heard(struct chance *c, int64_t us) {
    static const int64_t attempts_s[] = {1, 3, 7, 15};
    int64_t received_us = us + between(c, S(0.003), S(0.06));
    if (percent(c, 7))
        received_us += attempts_s[draw(c) % TV_ARRAY_LEN(attempts_s)] * TV_US_PER_S;
    return instant(us / TV_US_PER_S, received_us);
}

static void tell_list(struct trace *t, struct chance *c, size_t room, int64_t at_us) {
    struct tv_observation *o = tell(t, room, TV_OBSERVED_SNAPSHOT, at_us);
    struct tv_person_seen *people =
        tv_arena_calloc(t->arena, t->stays_count + 1, sizeof(struct tv_person_seen));
    for (size_t i = 0; i < t->stays_count; i++) {
        const struct stay *s = &t->stays[i];
        if (s->room == room && s->joined_us <= at_us && at_us < s->left_us)
            people[o->people_count++] = (struct tv_person_seen){
                s->sid, s->identity, s->signalled_us + between(c, 0, S(0.01))};
    }
    o->people = people;
    o->created_us = t->rooms[room].made_us + between(c, 0, S(0.01));
}

/* Lists while the room is there, one without the room after it, and the certainty in the end that
 * it is closed, which is asked for until it is answered. */
static void tell_lists(struct trace *t, struct chance *c) {
    for (size_t room = 0; room < t->rooms_count; room++) {
        const struct room *r = &t->rooms[room];
        int64_t at_us = r->made_us + between(c, S(0.1), LIST_EVERY_US);
        for (; at_us < TV_MIN(r->ended_us, t->end_us); at_us += LIST_EVERY_US)
            tell_list(t, c, room, at_us);
        if (at_us < t->end_us)
            tell(t, room, TV_OBSERVED_GONE, at_us)->known = TV_KNOWN_SNAPSHOT;
        tell(t, room, TV_OBSERVED_GONE, t->end_us)->known = TV_KNOWN_ASSUMED;
        t->told[t->told_count - 1].always = true;
    }
}

/* -- recorded traces ----------------------------------------------------------------------------*/

static struct tv_str read_file(const char *path, struct tv_arena *a) {
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("cannot open %s", path);
    char *data = tv_arena_alloc(a, 64 * 1024);
    size_t len = fread(data, 1, 64 * 1024, f);
    assert_true(len > 0 && len < 64 * 1024);
    fclose(f);
    return (struct tv_str){data, len};
}

static Livekit__WebhookEvent *read_event(const char *file, struct tv_arena *a) {
    ProtobufCMessage *m = NULL;
    struct tv_error e = {0};
    struct tv_str body = read_file(tv_arena_printf(a, "%s%s", FOLDER, file), a);
    if (tv_pb_from_json(&livekit__webhook_event__descriptor, body, TV_PB_LENIENT, a, &m, &e) != 0)
        fail_msg("%s is not readable", file);
    return (Livekit__WebhookEvent *)(void *)m;
}

static enum tv_observation_kind kind_of(const char *event) {
    static const struct {
        const char *name;
        enum tv_observation_kind kind;
    } kinds[] = {
        {"room_started", TV_OBSERVED_STARTED},
        {"room_finished", TV_OBSERVED_FINISHED},
        {"participant_joined", TV_OBSERVED_JOINED},
        {"participant_left", TV_OBSERVED_LEFT},
        {"participant_connection_aborted", TV_OBSERVED_ABORTED},
        {"track_published", TV_OBSERVED_SEEN},
        {"track_unpublished", TV_OBSERVED_SEEN},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, event) == 0)
            return kinds[i].kind;
    }
    fail_msg("no such event: %s", event);
    return TV_OBSERVED_ABORTED;
}

/* The trace of that room; a new one if there is none. */
static struct trace *trace_of(struct trace *traces, size_t *count, const Livekit__WebhookEvent *e,
                              struct tv_arena *a) {
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(traces[i].rooms[0].sid, e->room->sid) == 0)
            return &traces[i];
    }
    struct trace *t = &traces[(*count)++];
    *t = (struct trace){.name = tv_arena_strdup(a, e->room->name), .arena = a, .rooms_count = 1};
    snprintf(t->rooms[0].sid, sizeof(t->rooms[0].sid), "%s", e->room->sid);
    return t;
}

static void tell_recorded(struct trace *t, const Livekit__WebhookEvent *e, int64_t received_us) {
    int64_t at_us = instant(e->created_at, received_us);
    struct tv_observation *o = tell(t, 0, kind_of(e->event), at_us);
    t->end_us = TV_MAX(t->end_us, at_us + 2 * LIST_EVERY_US);
    if (t->rooms[0].made_us == 0)
        t->rooms[0].made_us =
            e->room->creation_time_ms > 0 ? e->room->creation_time_ms * TV_US_PER_MS : at_us;
    if (e->participant == NULL)
        return;
    o->sid = e->participant->sid;
    o->identity = e->participant->identity;
    o->joined_us = e->participant->joined_at_ms * TV_US_PER_MS;
    o->reason = "CLIENT_INITIATED";
}

/* What happened is what a faithful listener knows. */
static void learn_truth(struct trace *t) {
    TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
    struct tv_history h;
    tv_history_init(&h, a);
    for (size_t i = 0; i < t->told_count; i++)
        tv_history_observe(&h, &t->told[i].o);
    const struct tv_room_call *c = tv_history_call(&h, t->rooms[0].sid);
    t->rooms[0].ended_us = tv_room_call_is_over(c) ? c->over.us : t->end_us;
    const struct tv_presence *p;
    TAILQ_FOREACH(p, &c->presences, link) {
        assert_int_equal(p->left.by, TV_KNOWN_WEBHOOK);
        struct stay *s = &t->stays[t->stays_count++];
        *s = (struct stay){.identity = tv_arena_strdup(t->arena, p->identity),
                           .joined_us = p->joined.us,
                           .left_us = p->left.us};
        snprintf(s->sid, sizeof(s->sid), "%s", p->sid);
        for (size_t i = 0; i < t->told_count; i++) {
            if (t->told[i].o.kind == TV_OBSERVED_LEFT && strcmp(t->told[i].o.sid, p->sid) == 0)
                s->signalled_us = t->told[i].o.joined_us;
        }
    }
}

#define RECORDED_ROOMS 5
#define RECORDED_STAYS 6

static size_t read_recorded(struct trace *traces, struct tv_arena *a) {
    json_error_t error;
    json_t *index = json_load_file(FOLDER "index.json", 0, &error), *entry;
    if (index == NULL)
        fail_msg("index.json: %s", error.text);
    size_t count = 0, i, stays = 0;
    json_array_foreach(json_object_get(index, "events"), i, entry) {
        const char *file = json_string_value(json_object_get(entry, "file"));
        double received_s = json_number_value(json_object_get(entry, "receivedAt"));
        Livekit__WebhookEvent *e = read_event(file, a);
        tell_recorded(trace_of(traces, &count, e, a), e, S(received_s));
    }
    json_decref(index);
    for (i = 0; i < count; i++) {
        learn_truth(&traces[i]);
        stays += traces[i].stays_count;
    }
    assert_int_equal(count, RECORDED_ROOMS);
    assert_int_equal(stays, RECORDED_STAYS);
    return count;
}

/* -- made-up visits -----------------------------------------------------------------------------*/

static void tell_person(struct trace *t, struct chance *c, const struct stay *s,
                        enum tv_observation_kind kind, int64_t us, const char *reason) {
    struct tv_observation *o = tell(t, s->room, kind, heard(c, us));
    o->sid = s->sid;
    o->identity = s->identity;
    o->reason = reason;
    if (kind != TV_OBSERVED_SEEN)
        o->joined_us = s->signalled_us + between(c, 0, S(0.01));
}

/* What LiveKit says of a stay; nothing of its end when it is killed itself (reason NULL). */
static void tell_stay(struct trace *t, struct chance *c, const struct stay *s, const char *reason) {
    tell_person(t, c, s, TV_OBSERVED_JOINED, s->joined_us, NULL);
    int64_t us = s->joined_us;
    for (us += between(c, S(0.1), S(0.5)); us < s->left_us; us += between(c, S(1), S(300)))
        tell_person(t, c, s, TV_OBSERVED_SEEN, us, NULL);
    if (reason == NULL)
        return;
    tell_person(t, c, s, TV_OBSERVED_SEEN, TV_MAX(s->joined_us, s->left_us - S(0.02)), NULL);
    tell_person(t, c, s, TV_OBSERVED_LEFT, s->left_us, reason);
}

/* Comes, stays and leaves, several times, in one way or another, until the room ends: told as
 * `last`. */
static void visit(struct trace *t, struct chance *c, size_t room, const char *identity,
                  int64_t from_us, const char *last) {
    static const char *const reasons[] = {"CLIENT_INITIATED", "CONNECTION_TIMEOUT",
                                          "DUPLICATE_IDENTITY", "SIGNAL_CLOSE"};
    int64_t until_us = t->rooms[room].ended_us;
    while (from_us + S(2) < until_us && t->stays_count < STAYS_MAX) {
        struct stay *s = &t->stays[t->stays_count];
        snprintf(s->sid, sizeof(s->sid), "PA_%zu", t->stays_count++);
        s->identity = identity;
        s->room = room;
        s->signalled_us = from_us;
        s->joined_us = from_us + between(c, S(0.1), S(0.9));
        bool is_short = percent(c, 30);
        s->left_us = s->joined_us + between(c, S(0.2), is_short ? S(20) : S(1500));
        bool cut = s->left_us >= until_us;
        if (cut)
            s->left_us = until_us;
        const char *reason = cut ? last : reasons[draw(c) % TV_ARRAY_LEN(reasons)];
        tell_stay(t, c, s, reason);
        /* Who takes over is there at once. */
        bool taken_over = reason != NULL && strcmp(reason, "DUPLICATE_IDENTITY") == 0;
        from_us = s->left_us + (taken_over ? S(0.002) : between(c, S(0.5), S(400)));
    }
}

static size_t make_room(struct trace *t, struct chance *c, int64_t made_us, int64_t ended_us) {
    struct room *r = &t->rooms[t->rooms_count];
    snprintf(r->sid, sizeof(r->sid), "RM_%zu", t->rooms_count);
    r->made_us = made_us;
    r->ended_us = ended_us;
    tell(t, t->rooms_count, TV_OBSERVED_STARTED, heard(c, made_us));
    return t->rooms_count++;
}

static void everybody(struct trace *t, struct chance *c, size_t room, int64_t first_us,
                      int64_t last_us, const char *last) {
    static const struct {
        const char *identity;
        unsigned percent;
    } people[] = {{"doctor", 97}, {"patient", 97}, {"guest", 30}, {"interpreter", 20}};
    for (size_t i = 0; i < TV_ARRAY_LEN(people); i++) {
        if (percent(c, people[i].percent))
            visit(t, c, room, people[i].identity, between(c, first_us, last_us), last);
    }
}

/* From 10 minutes to 2 hours, in which LiveKit may be killed and come back once or twice. */
static void make_up(struct trace *t, struct chance *c) {
    int64_t now_us = S(1795400000) + between(c, 0, S(1));
    int64_t closes_us = now_us + between(c, S(600), S(7200));
    t->end_us = closes_us + S(20);
    int64_t first_us = now_us + S(1), last_us = now_us + S(300);
    while (t->rooms_count < ROOMS_MAX - 1 && percent(c, 35)) {
        int64_t killed_us = now_us + between(c, S(20), S(2400));
        if (killed_us + S(60) > closes_us)
            break;
        size_t room = make_room(t, c, now_us, killed_us);
        everybody(t, c, room, first_us, last_us, NULL);
        now_us = killed_us + between(c, S(2), S(4));
        first_us = killed_us + S(9);
        last_us = killed_us + S(14);
    }
    size_t room = make_room(t, c, now_us, closes_us);
    everybody(t, c, room, first_us, last_us, "ROOM_DELETED");
    struct tv_observation *o = tell(t, room, TV_OBSERVED_ABORTED, heard(c, now_us + S(5)));
    o->sid = "PA_ghost";
    o->identity = "ghost";
    tell(t, room, TV_OBSERVED_FINISHED, heard(c, closes_us + S(0.01)));
}

/* -- telling it badly ---------------------------------------------------------------------------*/

static void shuffle(struct told *told, size_t count, struct chance *c) {
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)(draw(c) % i);
        struct told swapped = told[i - 1];
        told[i - 1] = told[j];
        told[j] = swapped;
    }
}

/* A fifth is lost, a fifth comes twice, translated a little differently. Returns how many came. */
static size_t tell_badly(const struct trace *t, struct chance *c, unsigned lost,
                         struct told *came) {
    size_t count = 0;
    for (size_t i = 0; i < t->told_count; i++) {
        const struct told *told = &t->told[i];
        if (!told->always && percent(c, lost))
            continue;
        came[count++] = *told;
        if (!percent(c, 20))
            continue;
        came[count] = *told;
        came[count].o.at_us += between(c, 0, S(0.005));
        if (told->o.joined_us > 0)
            came[count].o.joined_us += between(c, 0, S(0.005));
        count++;
    }
    shuffle(came, count, c);
    return count;
}

static bool mentions(const struct tv_observation *o, const char *sid) {
    if (o->sid != NULL && o->kind != TV_OBSERVED_ABORTED && strcmp(o->sid, sid) == 0)
        return true;
    for (size_t i = 0; i < o->people_count; i++) {
        if (strcmp(o->people[i].sid, sid) == 0)
            return true;
    }
    return false;
}

/* -- judging it ---------------------------------------------------------------------------------*/

struct tally {
    size_t traces, observations, stays, unsure, assumed, unheard;
};

static void blame(const struct trace *t, uint64_t seed, const struct stay *s,
                  const struct tv_presence *p, const char *what) {
    double zero = (double)t->rooms[0].made_us;
    fail_msg("%s, seed %llu, %s: %s: truly %.3f to %.3f; known %.3f (%d) to %.3f (%d), gone %.3f",
             t->name, (unsigned long long)seed, s->sid, what, ((double)s->joined_us - zero) / 1e6,
             ((double)s->left_us - zero) / 1e6, ((double)p->joined.us - zero) / 1e6, p->joined.by,
             ((double)p->left.us - zero) / 1e6, p->left.by, ((double)p->gone_us - zero) / 1e6);
}

static bool is_near(int64_t a_us, int64_t b_us) { return llabs(a_us - b_us) <= TOLERANCE_US; }

static void judge_stay(const struct trace *t, uint64_t seed, const struct stay *s,
                       const struct tv_presence *p, struct tally *tally) {
    bool is_unsure = tv_presence_is_unsure(p), is_assumed = p->joined.by == TV_KNOWN_ASSUMED;
    if (p->left.by == TV_KNOWN_NOT)
        blame(t, seed, s, p, "still in");
    if (p->left.us < p->joined.us || p->gone_us < p->left.us || p->seen_us < p->joined.us)
        blame(t, seed, s, p, "negative");
    if (strcmp(p->identity, s->identity) != 0)
        blame(t, seed, s, p, "somebody else");
    if (is_assumed ? p->joined.us < s->joined_us - TOLERANCE_US
                   : !is_near(p->joined.us, s->joined_us))
        blame(t, seed, s, p, "join");
    if (is_unsure ? p->left.us > s->left_us + TOLERANCE_US || p->gone_us < s->left_us - TOLERANCE_US
                  : !is_near(p->left.us, s->left_us))
        blame(t, seed, s, p, "leave");
    tally->stays++;
    tally->unsure += is_unsure;
    tally->assumed += is_assumed;
}

static const struct stay *find_stay(const struct trace *t, const char *sid) {
    for (size_t i = 0; i < t->stays_count; i++) {
        if (strcmp(t->stays[i].sid, sid) == 0)
            return &t->stays[i];
    }
    return NULL;
}

/* Nobody is made up, nobody is there twice, and who is missing was never heard of. */
static void judge(const struct trace *t, uint64_t seed, const struct tv_history *h,
                  const struct told *came, size_t count, struct tally *tally) {
    size_t found = 0;
    const struct tv_room_call *c;
    TAILQ_FOREACH(c, &h->calls, link) {
        assert_true(tv_room_call_is_over(c));
        assert_true(c->started.us <= c->over.us);
        const struct tv_presence *p, *next;
        TAILQ_FOREACH(p, &c->presences, link) {
            const struct stay *s = find_stay(t, p->sid);
            if (s == NULL || strcmp(t->rooms[s->room].sid, c->room_sid) != 0)
                fail_msg("%s, seed %llu: %s was made up", t->name, (unsigned long long)seed,
                         p->sid);
            judge_stay(t, seed, s, p, tally);
            next = TAILQ_NEXT(p, link);
            assert_true(next == NULL || p->joined.us <= next->joined.us);
            found++;
        }
    }
    assert_int_equal(found, h->presences_count);
    for (size_t i = 0; i < t->stays_count; i++) {
        bool heard_of = false;
        for (size_t k = 0; k < count && !heard_of; k++)
            heard_of = mentions(&came[k].o, t->stays[i].sid);
        tally->unheard += !heard_of;
        found += !heard_of; /* of the others each is there, so none is there twice */
    }
    assert_int_equal(found, t->stays_count);
    tally->traces++;
    tally->observations += count;
}

static bool fold_all(struct tv_history *h, const struct told *came, size_t count) {
    bool changed = false;
    for (size_t i = 0; i < count; i++)
        changed |= tv_history_observe(h, &came[i].o);
    return changed;
}

static void same_edges(const struct tv_history *a, const struct tv_history *b) {
    const struct tv_room_call *c = TAILQ_FIRST(&a->calls), *d = TAILQ_FIRST(&b->calls);
    for (; c != NULL && d != NULL; c = TAILQ_NEXT(c, link), d = TAILQ_NEXT(d, link)) {
        assert_string_equal(c->room_sid, d->room_sid);
        assert_int_equal(c->started.us, d->started.us);
        assert_int_equal(c->started.by, d->started.by);
        assert_int_equal(c->over.us, d->over.us);
        assert_int_equal(c->over.by, d->over.by);
        const struct tv_presence *p = TAILQ_FIRST(&c->presences), *q = TAILQ_FIRST(&d->presences);
        for (; p != NULL && q != NULL; p = TAILQ_NEXT(p, link), q = TAILQ_NEXT(q, link)) {
            assert_string_equal(p->sid, q->sid);
            assert_int_equal(p->joined.us, q->joined.us);
            assert_int_equal(p->joined.by, q->joined.by);
            assert_int_equal(p->left.us, q->left.us);
            assert_int_equal(p->left.by == TV_KNOWN_WEBHOOK, q->left.by == TV_KNOWN_WEBHOOK);
        }
        assert_true(p == NULL && q == NULL);
    }
    assert_true(c == NULL && d == NULL);
}

/* Told badly; of some the same again in another order, to whoever knows it and to somebody else. */
static void run(struct trace *t, uint64_t seed, unsigned lost, struct tally *tally) {
    static struct told came[2 * TOLD_MAX];
    TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
    struct chance c = {seed * 7919 + lost};
    struct tv_history h, other;
    tv_history_init(&h, a);
    tv_history_init(&other, a);
    size_t count = tell_badly(t, &c, lost, came);
    fold_all(&h, came, count);
    judge(t, seed, &h, came, count, tally);
    if (seed % 3 != 0)
        return; /* what follows costs thrice as much */
    shuffle(came, count, &c);
    fold_all(&other, came, count);
    same_edges(&h, &other);
    fold_all(&h, came, count);
    same_edges(&h, &other);
    shuffle(came, count, &c);
    assert_false(fold_all(&h, came, count));
}

static void report(const char *what, const struct tally *n, int64_t since_us) {
    print_message("%s: %zu tellings, %zu observations, %zu presences (%zu ends unsure, %zu joins "
                  "assumed, %zu never heard of), %lld ms\n",
                  what, n->traces, n->observations, n->stays, n->unsure, n->assumed, n->unheard,
                  (long long)(tv_clock_mono_us() - since_us) / 1000);
}

static void test_recorded(void **state) {
    int64_t since_us = tv_clock_mono_us();
    TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
    static struct trace traces[RECORDED_ROOMS + 1];
    size_t count = read_recorded(traces, a);
    struct tally tally = {0}, whole = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        for (size_t i = 0; i < count; i++) {
            struct chance c = {seed};
            size_t webhooks = traces[i].told_count;
            tell_lists(&traces[i], &c);
            run(&traces[i], seed, 20, &tally);
            run(&traces[i], seed, 0, &whole);
            traces[i].told_count = webhooks;
        }
    }
    assert_int_equal(tally.stays + tally.unheard, SEEDS * RECORDED_STAYS);
    assert_int_equal(whole.stays, SEEDS * RECORDED_STAYS);
    assert_int_equal(whole.unsure + whole.assumed, 0);
    report("recorded", &tally, since_us);
}

static void test_made_up(void **state) {
    int64_t since_us = tv_clock_mono_us();
    static struct trace t;
    struct tally tally = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
        struct chance c = {seed};
        memset(&t, 0, sizeof(t));
        t.name = "made up";
        t.arena = a;
        make_up(&t, &c);
        tell_lists(&t, &c);
        run(&t, seed, 20, &tally);
    }
    assert_true(tally.stays > SEEDS * 5);
    /* A sure end is the rule: else the bounds above would prove little. */
    assert_true(tally.unsure * 3 < tally.stays);
    assert_true(tally.assumed * 20 < tally.stays);
    report("made up", &tally, since_us);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_made_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
