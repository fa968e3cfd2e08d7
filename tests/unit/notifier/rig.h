/* rig.h - the notifier on the loop of a test, and all that it speaks to, played by the test: Due,
 * Jobs and Calls of appointments, and Tokens, over a real NATS server.
 *
 * Every call is written into a journal as "<Method> <what it is about>", and answered as the world
 * below says, or as it was told to fail. Included once by each test program.
 */
#ifndef TV_TEST_NOTIFIER_RIG_H
#define TV_TEST_NOTIFIER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/pb.h"
#include "lib/rpc.h"
#include "televisit/v1/calls.pb-c.h"
#include "televisit/v1/due.pb-c.h"
#include "televisit/v1/jobs.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"
#include "tests/harness/nats.h"

#define main notifier_main
int notifier_main(int argc, char **argv);
#include "services/notifier/main.c"
#undef main

#define MS TV_US_PER_MS
#define PATIENCE_US (15 * TV_US_PER_S)
#define DB_AHEAD_US                                                                                \
    (INT64_C(1790000000) * TV_US_PER_S) /* the database's clock less this host's                   \
                                         */
#define CLINIC "0197f6b2-5b5e-4a10-8d6f-000000000001"
#define PERSON "0197f6b2-5b5e-4a10-8d6f-0000000000aa"
#define VISIT "0197f6b2-5b5e-4a10-8d6f-0000000000bb"
#define ROOM "room_" VISIT

#define JOBS_MAX 100
#define ROOMS_MAX 2000
#define JOURNAL_MAX 8000

struct job_row {
    const char *kind, *key;
    int64_t run_us; /* of a leased one: when its lease ends */
    int32_t attempts;
    unsigned lease; /* 0: nobody has it */
    enum { WAITING, DONE, DEAD } state;
};

/* How calls of a method go wrong. */
struct fault {
    const char *method; /* NULL: this one is free */
    const char *about;  /* only calls that are about this; NULL: all */
    enum tv_err err;    /* TV_OK: it is not answered but kept */
    int times;          /* still to come */
};

static struct {
    struct test_nats nats;
    struct tv_loop *loop;
    struct tv_timer *tick;
    struct tv_bus *appointments, *tokens, *ears;
    struct tv_rpc_server *servers[4];
    struct tv_bus_subscription *hints, *inbox;
    struct tv_bus *bus; /* of the notifier */
    void *notifier;
    int64_t skipped_us; /* of the clocks */

    struct {
        char text[160];
        int64_t at_us;
    } journal[JOURNAL_MAX];
    unsigned noted;
    struct fault faults[8];
    struct tv_call *kept;
    unsigned hints_heard, nudges_heard;
    struct tv_context context; /* of the latest call but Fire */

    /* the world */
    struct job_row jobs[JOBS_MAX];
    unsigned job_count, leases;
    int32_t dead, claim_limit, lease_ms;
    size_t claim_kinds;
    int64_t snapshot_age_ms;
    int32_t again_ms;    /* of Snapshot's reply */
    bool tells, due_now; /* in replies of Calls */
    const char *watched; /* sid of ROOM as the record has it; NULL: none */
    bool missed;
    const char *sid; /* of ROOM in LiveKit; "": none */
    unsigned listed; /* other rooms that it has */
    bool lists_badly;
    unsigned wishes; /* of the next Sweep */
    int64_t alive_age_ms;
} r;

static int64_t rig_clock(void) {
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * TV_US_PER_S + t.tv_nsec / 1000 + r.skipped_us;
}

static void ignore_line(const char *line, size_t len) {}

/* -- the journal --------------------------------------------------------------------------------*/

static void note(const char *method, const char *about) {
    assert_true(r.noted < JOURNAL_MAX);
    snprintf(r.journal[r.noted].text, sizeof(r.journal[0].text), "%s%s%s", method,
             about[0] != '\0' ? " " : "", about);
    r.journal[r.noted++].at_us = tv_clock_mono_us();
}

/* How many entries begin so. */
static unsigned count_of(const char *prefix) {
    unsigned n = 0;

    for (unsigned i = 0; i < r.noted; i++)
        n += strncmp(r.journal[i].text, prefix, strlen(prefix)) == 0;
    return n;
}

/* When the nth (from 0) that begins so was noted. */
static int64_t time_of(const char *prefix, unsigned nth) {
    for (unsigned i = 0; i < r.noted; i++) {
        if (strncmp(r.journal[i].text, prefix, strlen(prefix)) == 0 && nth-- == 0)
            return r.journal[i].at_us;
    }
    fail_msg("%s was not noted so often", prefix);
    return 0;
}

/* The entries of jobs, joined by "; ". Static. */
static const char *steps(void) {
    static const char *const methods[] = {"Look",      "Snapshot", "Settle",
                                          "CloseRoom", "Closed",   "Finish"};
    static char text[4096];
    size_t len = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < r.noted; i++) {
        for (size_t m = 0; m < TV_ARRAY_LEN(methods); m++) {
            size_t word = strcspn(r.journal[i].text, " ");

            if (strlen(methods[m]) != word || strncmp(r.journal[i].text, methods[m], word) != 0)
                continue;
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len > 0 ? "; " : "",
                                    r.journal[i].text);
            assert_true(len < sizeof(text));
        }
    }
    return text;
}

/* -- waiting ------------------------------------------------------------------------------------*/

static void on_tick(void *ctx) { tv_timer_set(r.tick, 2 * MS); }

static bool wait_for(bool (*done)(void *ctx), void *ctx) {
    return tv_loop_run_until(r.loop, done, ctx, PATIENCE_US);
}
static bool never(void *ctx) { return false; }
static void wait_us(int64_t us) { (void)tv_loop_run_until(r.loop, never, NULL, us); }

struct noted_often {
    const char *prefix;
    unsigned n;
};
static bool is_noted(void *ctx) {
    const struct noted_often *w = ctx;

    return count_of(w->prefix) >= w->n;
}
static void wait_for_notes(const char *prefix, unsigned n) {
    struct noted_often w = {prefix, n};

    if (!wait_for(is_noted, &w))
        fail_msg("%s came %u times, not %u; jobs: %s", prefix, count_of(prefix), n, steps());
}
static bool is_kept(void *ctx) { return r.kept != NULL; }
static bool is_idle(void *ctx) { return !busy(r.notifier); }
static bool is_connected(void *ctx) { return tv_bus_connected(ctx); }

/* -- the played services ------------------------------------------------------------------------*/

static int64_t db_now_us(void) { return tv_clock_mono_us() + DB_AHEAD_US; }

static void fire_reply(Televisit__V1__FireReply *reply, struct tv_arena *a) {
    int64_t next_us = INT64_MAX;

    reply->now = tv_pb_time(db_now_us(), a);
    for (unsigned i = 0; i < r.job_count; i++) {
        if (r.jobs[i].state == WAITING)
            next_us = TV_MIN(next_us, r.jobs[i].run_us);
    }
    if (next_us != INT64_MAX)
        reply->next_job_at = tv_pb_time(next_us + DB_AHEAD_US, a);
    if (r.watched != NULL) {
        reply->watched =
            TV_PB_NEW(a, Televisit__V1__WatchedRoom, televisit__v1__watched_room__descriptor);
        reply->watched->room = tv_arena_strdup(a, ROOM);
        reply->watched->room_sid = tv_arena_strdup(a, r.watched);
    }
    reply->media_missed = r.missed;
}

static Televisit__V1__Job *lease_job(struct job_row *row, struct tv_arena *a) {
    Televisit__V1__Job *j = TV_PB_NEW(a, Televisit__V1__Job, televisit__v1__job__descriptor);

    j->due_at = tv_pb_time(row->run_us + DB_AHEAD_US, a);
    row->run_us = tv_clock_mono_us() + r.lease_ms * MS;
    row->lease = ++r.leases;
    j->clinic_id = tv_arena_strdup(a, CLINIC);
    j->id = tv_arena_printf(a, "%d", (int)(row - r.jobs));
    j->kind = tv_arena_strdup(a, row->kind);
    j->appointment_id = tv_arena_strdup(a, VISIT);
    j->key = tv_arena_strdup(a, row->key);
    j->lease = tv_arena_printf(a, "%u", row->lease);
    j->attempts = ++row->attempts;
    return j;
}

static void claim_reply(const Televisit__V1__ClaimJobsRequest *q,
                        Televisit__V1__ClaimJobsReply *reply, struct tv_arena *a) {
    int64_t now_us = tv_clock_mono_us(), next_us = INT64_MAX;

    r.claim_limit = q->limit;
    r.claim_kinds = q->n_kinds;
    r.lease_ms = q->lease_ms;
    reply->jobs = tv_arena_calloc(a, JOBS_MAX, sizeof(*reply->jobs));
    for (unsigned i = 0; i < r.job_count; i++) {
        struct job_row *row = &r.jobs[i];

        if (row->state != WAITING)
            continue;
        if (row->run_us <= now_us && (int32_t)reply->n_jobs < q->limit)
            reply->jobs[reply->n_jobs++] = lease_job(row, a);
        else if (row->run_us <= now_us)
            reply->more = true;
        next_us = TV_MIN(next_us, row->run_us);
    }
    reply->now = tv_pb_time(db_now_us(), a);
    if (next_us != INT64_MAX)
        reply->next_run_at = tv_pb_time(next_us + DB_AHEAD_US, a);
    reply->backlog = 4;
    reply->dead = r.dead;
}

static void finish_reply(const Televisit__V1__FinishJobRequest *q,
                         Televisit__V1__FinishJobReply *reply) {
    unsigned i = 0, lease = 0;

    assert_int_equal(sscanf(q->id, "%u", &i), 1);
    assert_int_equal(sscanf(q->lease, "%u", &lease), 1);
    assert_string_equal(q->clinic_id, CLINIC);
    assert_true(i < r.job_count);
    reply->held = r.jobs[i].lease == lease;
    if (!reply->held)
        return;
    r.jobs[i].lease = 0;
    r.jobs[i].run_us = tv_clock_mono_us() + q->again_ms * MS;
    if (q->outcome == TELEVISIT__V1__FINISH_JOB_REQUEST__OUTCOME__AGAIN)
        r.jobs[i].attempts = 0;
    else if (q->outcome == TELEVISIT__V1__FINISH_JOB_REQUEST__OUTCOME__DONE)
        r.jobs[i].state = DONE;
    else if (q->outcome == TELEVISIT__V1__FINISH_JOB_REQUEST__OUTCOME__DEAD)
        r.jobs[i].state = DEAD;
}

static void call_reply(Televisit__V1__CallReply *reply, struct tv_arena *a) {
    Televisit__V1__InboxEntry *e;

    reply->due_now = r.due_now;
    reply->again_ms = r.again_ms;
    if (!r.tells)
        return;
    e = TV_PB_NEW(a, Televisit__V1__InboxEntry, televisit__v1__inbox_entry__descriptor);
    e->type = tv_arena_strdup(a, "call.media_restored");
    e->clinic_id = tv_arena_strdup(a, CLINIC);
    e->person_id = tv_arena_strdup(a, PERSON);
    reply->told = tv_arena_calloc(a, 1, sizeof(*reply->told));
    reply->told[reply->n_told++] = e;
}

static void list_reply(const Televisit__V1__ListRoomsRequest *q,
                       Televisit__V1__ListRoomsReply *reply, struct tv_arena *a) {
    reply->rooms = tv_arena_calloc(a, (size_t)q->limit, sizeof(*reply->rooms));
    for (unsigned i = 0; i < r.listed; i++) {
        char name[32];
        Televisit__V1__ListedRoom *room;

        snprintf(name, sizeof(name), "room_%05u", r.lists_badly ? i / 2 : i);
        if (strcmp(name, q->after) <= 0)
            continue;
        if ((int32_t)reply->n_rooms == q->limit) {
            reply->more = true;
            break;
        }
        room = TV_PB_NEW(a, Televisit__V1__ListedRoom, televisit__v1__listed_room__descriptor);
        room->room = tv_arena_strdup(a, name);
        room->room_sid = tv_arena_printf(a, "RM_%u", i);
        reply->rooms[reply->n_rooms++] = room;
    }
}

static void sweep_reply(const Televisit__V1__SweepRequest *q, Televisit__V1__SweepReply *reply,
                        struct tv_arena *a) {
    r.alive_age_ms = q->alive_age_ms;
    reply->make = tv_arena_calloc(a, r.wishes + 1, sizeof(*reply->make));
    for (; reply->n_make < r.wishes; reply->n_make++) {
        Televisit__V1__MakeRoomRequest *wish = TV_PB_NEW(
            a, Televisit__V1__MakeRoomRequest, televisit__v1__make_room_request__descriptor);

        wish->room = tv_arena_printf(a, "%s.%u", ROOM, (unsigned)reply->n_make);
        wish->open_s = 100;
        wish->participants_max = 16;
        reply->make[reply->n_make] = wish;
    }
    reply->lost = (int32_t)r.wishes;
    reply->strays = r.wishes > 0 ? 1 : 0;
    r.wishes = 0;
}

/* What a call is about, for the journal. */
static const char *about_of(const struct tv_call *call) {
    static char text[128];
    const void *q = call->request;
    const char *method = call->method->name;

    text[0] = '\0';
    if (strcmp(method, "Look") == 0)
        return ((const Televisit__V1__LookRequest *)q)->room;
    if (strcmp(method, "CloseRoom") == 0)
        return ((const Televisit__V1__CloseRoomRequest *)q)->room;
    if (strcmp(method, "MakeRoom") == 0)
        return ((const Televisit__V1__MakeRoomRequest *)q)->room;
    if (strcmp(method, "Probe") == 0)
        return ((const Televisit__V1__ProbeRequest *)q)->room;
    if (strcmp(method, "Closed") == 0)
        return ((const Televisit__V1__ClosedRequest *)q)->room;
    if (strcmp(method, "Settle") == 0)
        return ((const Televisit__V1__SettleRequest *)q)->appointment_id;
    if (strcmp(method, "Snapshot") == 0) {
        const Televisit__V1__SnapshotRequest *s = q;

        r.snapshot_age_ms = s->age_ms;
        snprintf(text, sizeof(text), "%s %s", s->view->room, s->view->room_sid);
    } else if (strcmp(method, "Finish") == 0) {
        const Televisit__V1__FinishJobRequest *f = q;
        const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(
            &televisit__v1__finish_job_request__outcome__descriptor, (int)f->outcome);

        snprintf(text, sizeof(text), "%s%s%s", v->name, f->reason[0] != '\0' ? " " : "", f->reason);
    } else if (strcmp(method, "Sweep") == 0) {
        const Televisit__V1__SweepRequest *s = q;

        snprintf(text, sizeof(text), "%u (%s, %s]", (unsigned)s->n_rooms, s->after, s->last);
    }
    return text;
}

static void answer(struct tv_call *call) {
    const char *method = call->method->name;
    ProtobufCMessage *reply = tv_pb_new(call->method->output, call->arena);
    void *p = reply;
    const void *q = call->request;

    if (strcmp(method, "Fire") == 0)
        fire_reply(p, call->arena);
    else if (strcmp(method, "Claim") == 0)
        claim_reply(q, p, call->arena);
    else if (strcmp(method, "Finish") == 0)
        finish_reply(q, p);
    else if (strcmp(method, "ListRooms") == 0)
        list_reply(q, p, call->arena);
    else if (strcmp(method, "Sweep") == 0)
        sweep_reply(q, p, call->arena);
    else if (strcmp(method, "Probe") == 0)
        ((Televisit__V1__ProbeReply *)p)->room_sid = tv_arena_strdup(call->arena, r.sid);
    else if (strcmp(method, "Look") == 0)
        ((Televisit__V1__RoomView *)p)->room_sid = tv_arena_strdup(call->arena, r.sid);
    else if (reply->descriptor == &televisit__v1__call_reply__descriptor)
        call_reply(p, call->arena);
    if (strcmp(method, "RestoreMedia") == 0)
        r.missed = false;
    tv_call_reply(call, reply);
}

static void on_call(struct tv_call *call) {
    const char *method = call->method->name, *about = about_of(call);

    note(method, about);
    assert_int_equal(call->context.actor.role, TV_ROLE_SERVICE);
    assert_int_equal(strlen(call->context.request_id), 36);
    for (size_t i = 0; i < TV_ARRAY_LEN(r.faults); i++) {
        struct fault *f = &r.faults[i];

        if (f->method == NULL || strcmp(f->method, method) != 0 || f->times == 0 ||
            (f->about != NULL && strcmp(f->about, about) != 0))
            continue;
        f->times--;
        if (f->err != TV_OK) {
            tv_call_failf(call, f->err, "so the test says");
        } else {
            assert_null(r.kept);
            r.kept = call;
        }
        return;
    }
    answer(call);
}

/* `method` fails so often from now on; TV_OK: it is kept, not answered. */
static void fault(const char *method, enum tv_err err, int times) {
    for (size_t i = 0; i < TV_ARRAY_LEN(r.faults); i++) {
        if (r.faults[i].times == 0) {
            r.faults[i] = (struct fault){.method = method, .err = err, .times = times};
            return;
        }
    }
    fail_msg("too many faults");
}
#define FOR_EVER 1000000
static void heal(void) { memset(r.faults, 0, sizeof(r.faults)); }

static void on_heard(void *ctx, const struct tv_bus_message *m) { ++*(unsigned *)ctx; }

/* -- the world ----------------------------------------------------------------------------------*/

static TV_UNUSED unsigned add_job(const char *kind, const char *key, int64_t after_us) {
    assert_true(r.job_count < JOBS_MAX);
    r.jobs[r.job_count] =
        (struct job_row){.kind = kind, .key = key, .run_us = tv_clock_mono_us() + after_us};
    return r.job_count++;
}

static void hint(void) {
    assert_int_equal(tv_bus_publish(r.ears, "tv.v1.hint.due", NULL, 0, TV_S("")), TV_OK);
}

/* Whether the metrics have this line. */
static bool counts(const char *line) {
    struct tv_buf text = TV_BUF_INIT(256 * 1024);
    char wanted[256];
    bool found;

    snprintf(wanted, sizeof(wanted), "\n%s\n", line);
    tv_metrics_write(&text);
    found = text.data != NULL && strstr(text.data, wanted) != NULL;
    tv_buf_done(&text);
    return found;
}

/* -- set-up -------------------------------------------------------------------------------------*/

static struct tv_bus *bus_as(const char *name) {
    const struct tv_bus_config config = {
        .url = r.nats.url, .name = name, .version = "0.0.1", .description = "A test."};
    struct tv_error e;
    struct tv_bus *b = NULL;

    assert_int_equal(tv_bus_new(r.loop, &config, &b, &e), TV_OK);
    return b;
}

static void connect_bus(struct tv_bus *b) { assert_true(wait_for(is_connected, b)); }

static struct tv_rpc_server *serve(struct tv_bus *b, const ProtobufCServiceDescriptor *s) {
    static tv_rpc_handler *const handlers[] = {on_call, on_call, on_call, on_call,
                                               on_call, on_call, on_call, on_call};

    assert_true(s->n_methods <= TV_ARRAY_LEN(handlers));
    return tv_rpc_serve(b, s, handlers, NULL, 1000);
}

static void run_notifier(void) {
    const struct tv_service_env env = {.loop = r.loop, .bus = r.bus = bus_as("notifier")};
    struct tv_need needs[TV_SERVICE_NEEDS_MAX];
    struct tv_error e;
    size_t need_count = 7;

    assert_int_equal(start(&env, &r.notifier, needs, &need_count, &e), TV_OK);
    assert_int_equal(need_count, 0);
    connect_bus(r.bus);
}

static int set_up(void **state) {
    struct test_nats nats = r.nats;

    memset(&r, 0, sizeof(r));
    r.nats = nats;
    r.sid = "RM_one";
    tv_clock_set_source(rig_clock);
    r.loop = tv_loop_new();
    r.tick = tv_timer_new(r.loop, on_tick, NULL);
    on_tick(NULL);
    r.appointments = bus_as("appointments");
    r.tokens = bus_as("tokens");
    r.ears = bus_as("ears");
    r.servers[0] = serve(r.appointments, &televisit__v1__due__descriptor);
    r.servers[1] = serve(r.appointments, &televisit__v1__jobs__descriptor);
    r.servers[2] = serve(r.appointments, &televisit__v1__calls__descriptor);
    r.servers[3] = serve(r.tokens, &televisit__v1__tokens__descriptor);
    r.hints = tv_bus_subscribe(r.ears, "tv.v1.hint.due", on_heard, &r.hints_heard);
    r.inbox = tv_bus_subscribe(r.ears, "tv.v1.inbox." CLINIC "." PERSON, on_heard, &r.nudges_heard);
    connect_bus(r.appointments);
    connect_bus(r.tokens);
    connect_bus(r.ears);
    return 0;
}

static void stop_notifier(void) {
    drain(r.notifier);
    (void)wait_for(is_idle, NULL);
    tv_bus_free(TV_TAKE_PTR(r.bus));
    stop(TV_TAKE_PTR(r.notifier));
}

static int tear_down(void **state) {
    if (r.kept != NULL)
        answer(TV_TAKE_PTR(r.kept));
    heal();
    if (r.notifier != NULL)
        stop_notifier();
    tv_bus_unsubscribe(r.hints);
    tv_bus_unsubscribe(r.inbox);
    tv_bus_free(r.ears);
    tv_bus_free(r.tokens);
    tv_bus_free(r.appointments);
    for (size_t i = 0; i < TV_ARRAY_LEN(r.servers); i++)
        tv_rpc_server_free(r.servers[i]);
    tv_timer_free(r.tick);
    tv_loop_free(r.loop);
    tv_metrics_done();
    tv_clock_set_source(NULL);
    return 0;
}

static int group_set_up(void **state) {
    tv_crypto_init();
    tv_log_init("notifier", "0.0.1", TV_LOG_DEBUG);
    tv_log_set_sink(ignore_line);
    r.nats = test_nats_start(NULL);
    return 0;
}

static int group_tear_down(void **state) {
    test_nats_stop(&r.nats);
    return 0;
}

#endif
