/* The whole notifier as a process, against a NATS server and a Due service that this test plays.
 *
 * This program runs itself with TEST_AS_NOTIFIER set and is then the notifier. The played service
 * has a database's clock of its own, far from this host's, and a list of what is due.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/metrics.h"
#include "lib/pb.h"
#include "lib/rpc.h"
#include "televisit/v1/due.pb-c.h"
#include "tests/harness/nats.h"
#include "tests/harness/proc.h"

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

/* -- the played Due service, and who hears its nudges -------------------------------------------*/

#define DUE_MAX 2000
#define FIRES_MAX 2000

enum mood { WELL, FAILING, SILENT, WITHOUT_NOW, WITH_ABSURD_TIMES };

struct row {
    int64_t due_us; /* on this host's clock */
    const char *clinic, *person, *type;
    int64_t fired_us; /* 0: not yet */
    unsigned nudges;
};

static struct {
    struct test_nats nats;
    struct tv_loop *loop;
    struct tv_timer *tick;
    struct tv_bus *ears; /* hears nudges, gives hints */
    struct tv_bus *bus;  /* of the played service */
    struct tv_rpc_server *server;
    struct tv_bus_subscription *inbox;
    enum mood mood;
    struct tv_call *kept; /* by SILENT */
    struct row rows[DUE_MAX];
    unsigned row_count;
    int64_t fires[FIRES_MAX]; /* when they came */
    unsigned fire_count;
    unsigned nudges, bad_nudges;
    struct tv_context context; /* of the latest Fire */
    int32_t limit;
    int32_t expired; /* said by the next reply */
} t;

static char exe[512];
static struct test_proc *running[4];

static int64_t db_now_us(void) { return tv_clock_mono_us() + DB_AHEAD_US; }

static unsigned due_in(int64_t after_us, const char *clinic, const char *person) {
    assert_true(t.row_count < DUE_MAX);
    t.rows[t.row_count] = (struct row){.due_us = tv_clock_mono_us() + after_us,
                                       .clinic = clinic,
                                       .person = person,
                                       .type = "call.available"};
    return t.row_count++;
}

static Televisit__V1__InboxEntry *entry_of(const struct row *r, struct tv_arena *a) {
    Televisit__V1__InboxEntry *e =
        (Televisit__V1__InboxEntry *)tv_pb_new(&televisit__v1__inbox_entry__descriptor, a);

    e->seq = r - t.rows + 1;
    e->type = tv_arena_strdup(a, r->type);
    e->clinic_id = tv_arena_strdup(a, r->clinic);
    e->person_id = tv_arena_strdup(a, r->person);
    e->due_at = tv_pb_time(r->due_us + DB_AHEAD_US, a);
    return e;
}

/* Fires what is due, as appointments would. */
static void fire_rows(Televisit__V1__FireReply *reply, int32_t limit, struct tv_arena *a) {
    int64_t now_us = tv_clock_mono_us(), next_us = INT64_MAX;

    reply->told = tv_arena_calloc(a, DUE_MAX, sizeof(*reply->told));
    for (unsigned i = 0; i < t.row_count; i++) {
        struct row *r = &t.rows[i];

        if (r->fired_us != 0)
            continue;
        if (r->due_us > now_us) {
            next_us = TV_MIN(next_us, r->due_us);
        } else if (reply->fired == limit) {
            reply->more = true;
        } else {
            r->fired_us = now_us;
            reply->fired++;
            reply->told[reply->n_told++] = entry_of(r, a);
        }
    }
    if (next_us != INT64_MAX)
        reply->next_due_at = tv_pb_time(next_us + DB_AHEAD_US, a);
}

static void answer_fire(struct tv_call *call) {
    const Televisit__V1__FireRequest *request =
        (const Televisit__V1__FireRequest *)(const void *)call->request;
    Televisit__V1__FireReply *reply =
        (Televisit__V1__FireReply *)tv_pb_new(&televisit__v1__fire_reply__descriptor, call->arena);

    fire_rows(reply, request->limit, call->arena);
    reply->now = tv_pb_time(db_now_us(), call->arena);
    reply->expired = t.expired;
    reply->backlog = 3;
    t.expired = 0;
    if (t.mood == WITHOUT_NOW)
        reply->now = NULL;
    if (t.mood == WITH_ABSURD_TIMES) {
        reply->now->seconds = INT64_MAX;
        reply->next_due_at = tv_pb_time(0, call->arena);
        reply->next_due_at->nanos = INT32_MIN;
    }
    tv_call_reply(call, &reply->base);
}

static void on_fire(struct tv_call *call) {
    assert_true(t.fire_count < FIRES_MAX);
    t.fires[t.fire_count++] = tv_clock_mono_us();
    t.context = call->context;
    t.limit = ((const Televisit__V1__FireRequest *)(const void *)call->request)->limit;
    if (t.mood == FAILING)
        tv_call_failf(call, TV_ERR_UNAVAILABLE, "the database is away");
    else if (t.mood == SILENT && t.kept == NULL)
        t.kept = call;
    else
        answer_fire(call);
}

static void on_nudge(void *ctx, const struct tv_bus_message *m) {
    struct tv_arena *a = tv_arena_new();
    const Televisit__V1__InboxEntry *e =
        (const Televisit__V1__InboxEntry *)(const void *)tv_pb_unpack(
            &televisit__v1__inbox_entry__descriptor, tv_bus_body(m), a);
    char subject[256];

    t.nudges++;
    if (e == NULL || e->seq < 1 || e->seq > t.row_count) {
        t.bad_nudges++;
    } else {
        snprintf(subject, sizeof(subject), "tv.v1.inbox.%s.%s", e->clinic_id, e->person_id);
        t.bad_nudges += !tv_str_eqz(tv_bus_subject(m), subject);
        t.rows[e->seq - 1].nudges++;
    }
    tv_arena_free(a);
}

static struct tv_bus *bus_as(const char *name) {
    const struct tv_bus_config config = {
        .url = t.nats.url, .name = name, .version = "0.0.1", .description = "A test."};
    struct tv_error e;
    struct tv_bus *b = NULL;

    assert_int_equal(tv_bus_new(t.loop, &config, &b, &e), TV_OK);
    return b;
}

static bool is_connected(void *ctx) { return tv_bus_connected(ctx); }

static void service_comes(void) {
    static tv_rpc_handler *const handlers[] = {on_fire};

    t.bus = bus_as("appointments");
    t.server = tv_rpc_serve(t.bus, &televisit__v1__due__descriptor, handlers, NULL, 100);
    assert_true(tv_loop_run_until(t.loop, is_connected, t.bus, PATIENCE_US));
}

static void service_goes(void) {
    tv_bus_free(TV_TAKE_PTR(t.bus));
    tv_rpc_server_free(TV_TAKE_PTR(t.server));
}

/* -- running ------------------------------------------------------------------------------------*/

static void on_tick(void *ctx) { tv_timer_set(t.tick, 2 * MS); }

static bool wait_for(bool (*done)(void *ctx), void *ctx) {
    return tv_loop_run_until(t.loop, done, ctx, PATIENCE_US);
}

static bool never(void *ctx) { return false; }
static void wait_us(int64_t us) { (void)tv_loop_run_until(t.loop, never, NULL, us); }

static bool fired_at_least(void *ctx) { return t.fire_count >= *(unsigned *)ctx; }
static void wait_for_fires(unsigned more) {
    unsigned wanted = t.fire_count + more;

    assert_true(wait_for(fired_at_least, &wanted));
}
static bool all_nudged(void *ctx) {
    for (unsigned i = 0; i < t.row_count; i++) {
        if (t.rows[i].nudges == 0)
            return false;
    }
    return true;
}
static bool is_kept(void *ctx) { return t.kept != NULL; }
static bool has_ended(void *ctx) { return test_wait(ctx, 0) >= 0; }

static struct test_proc *run_notifier(void) {
    static unsigned runs;
    char name[32], url[100], as[] = "TEST_AS_NOTIFIER=1", level[] = "TELEVISIT_LOG_LEVEL=debug";
    char *argv[] = {exe, NULL}, *env[] = {as, url, level, NULL};

    snprintf(name, sizeof(name), "notifier-%u", ++runs);
    snprintf(url, sizeof(url), "NATS_URL=%s", t.nats.url);
    for (size_t i = 0; i < TV_ARRAY_LEN(running); i++) {
        if (running[i] == NULL)
            return running[i] = test_spawn(name, argv, env, NULL);
    }
    fail_msg("too many notifiers");
    return NULL;
}

static void end(struct test_proc *p) {
    for (size_t i = 0; i < TV_ARRAY_LEN(running); i++) {
        if (running[i] == p)
            running[i] = NULL;
    }
    test_stop(p);
}

static int set_up(void **state) {
    struct test_nats nats = t.nats;

    memset(&t, 0, sizeof(t));
    t.nats = nats;
    t.loop = tv_loop_new();
    t.tick = tv_timer_new(t.loop, on_tick, NULL);
    on_tick(NULL);
    t.ears = bus_as("ears");
    t.inbox = tv_bus_subscribe(t.ears, "tv.v1.inbox.>", on_nudge, NULL);
    assert_true(tv_loop_run_until(t.loop, is_connected, t.ears, PATIENCE_US));
    service_comes();
    return 0;
}

static int tear_down(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(running); i++)
        end(running[i]); /* of a test that failed */
    if (t.bus != NULL)
        service_goes();
    tv_bus_unsubscribe(t.inbox);
    tv_bus_free(t.ears);
    tv_timer_free(t.tick);
    tv_loop_free(t.loop);
    tv_metrics_done();
    return t.bad_nudges == 0 ? 0 : -1;
}

static int group_set_up(void **state) {
    tv_crypto_init();
    t.nats = test_nats_start(NULL);
    return 0;
}

static int group_tear_down(void **state) {
    test_nats_stop(&t.nats);
    return 0;
}

static void stop_well(struct test_proc *p) {
    test_signal(p, SIGTERM);
    assert_true(wait_for(has_ended, p));
    assert_int_equal(test_wait(p, 0), 0);
    end(p);
}

/* -- tests --------------------------------------------------------------------------------------*/

static void test_asks_as_a_service_once_a_second(void **state) {
    struct test_proc *p = run_notifier();
    unsigned before;

    wait_for_fires(1);
    assert_int_equal(t.limit, 500);
    assert_int_equal(t.context.actor.role, TV_ROLE_SERVICE);
    assert_int_equal(strlen(t.context.request_id), 36);
    wait_us(100 * MS);
    before = t.fire_count;
    wait_us(2500 * MS);
    assert_in_range(t.fire_count - before, 2, 3);
    stop_well(p);
}

/* How many of the rows were fired sooner than by looking once a second, where three of ten would
 * be. None may be early; a busy machine makes a few late. */
static unsigned on_time(void) {
    unsigned n = 0;

    for (unsigned i = 0; i < t.row_count; i++) {
        int64_t late_us = t.rows[i].fired_us - t.rows[i].due_us;

        assert_in_range(late_us, 0, 3 * TV_US_PER_S);
        n += late_us <= 300 * MS;
    }
    return n;
}

static void test_fires_at_the_due_time(void **state) {
    struct test_proc *p = run_notifier();

    wait_for_fires(1);
    for (unsigned i = 0; i < 10; i++)
        due_in(1100 * MS + i * 30 * MS, CLINIC, PERSON); /* the idle poll learns of them */
    assert_true(wait_for(all_nudged, NULL));
    assert_int_equal(t.nudges, 10);
    assert_true(on_time() >= 7);
    stop_well(p);
}

static void test_a_hint_wakes_it(void **state) {
    struct test_proc *p = run_notifier();

    wait_for_fires(1);
    for (int i = 0; i < 5; i++) {
        wait_us(20 * MS);
        due_in(0, CLINIC, PERSON);
        assert_int_equal(tv_bus_publish(t.ears, "tv.v1.hint.due", NULL, 0, TV_S("")), TV_OK);
        assert_true(wait_for(all_nudged, NULL));
        /* Something that comes in 100 ms: asked at once, and again then. */
        due_in(100 * MS, CLINIC, PERSON);
        assert_int_equal(tv_bus_publish(t.ears, "tv.v1.hint.due", NULL, 0, TV_S("")), TV_OK);
        assert_true(wait_for(all_nudged, NULL));
    }
    assert_true(on_time() >= 7);
    stop_well(p);
}

static void test_more_than_one_reply_holds(void **state) {
    struct test_proc *p;
    unsigned fires = 0;

    for (unsigned i = 0; i < 1200; i++)
        due_in(0, CLINIC, PERSON);
    p = run_notifier();
    assert_true(wait_for(all_nudged, NULL));
    for (unsigned i = 0; i < t.fire_count; i++)
        fires += t.fires[i] <= t.fires[0] + 800 * MS;
    assert_int_equal(fires, 3);
    assert_int_equal(t.nudges, 1200);
    stop_well(p);
}

static void test_errors_are_waited_out(void **state) {
    struct test_proc *p;
    unsigned before;

    t.mood = FAILING;
    due_in(0, CLINIC, PERSON);
    p = run_notifier();
    wait_for_fires(1);
    before = t.fire_count;
    wait_us(1600 * MS); /* after 100, 200, 400, 800 ms, each up to a quarter less */
    assert_in_range(t.fire_count - before, 2, 4);
    t.mood = WELL;
    assert_true(wait_for(all_nudged, NULL));
    stop_well(p);
}

/* The bus away is no error of Fire: it is asked as soon as the bus is back. */
static void test_the_bus_goes_and_comes_back(void **state) {
    struct test_proc *p = run_notifier();

    wait_for_fires(1);
    test_nats_kill(&t.nats);
    wait_us(300 * MS);
    test_nats_restart(&t.nats);
    assert_true(wait_for(is_connected, t.ears)); /* or it would not hear the nudge */
    due_in(0, CLINIC, PERSON);
    assert_true(wait_for(all_nudged, NULL));
    assert_int_equal(t.nudges, 1);
    stop_well(p);
}

static void test_the_service_goes_and_comes_back(void **state) {
    struct test_proc *p = run_notifier();
    int64_t back_us;
    unsigned row;

    wait_for_fires(1);
    service_goes();
    row = due_in(200 * MS, CLINIC, PERSON);
    wait_us(1200 * MS);
    service_comes();
    back_us = tv_clock_mono_us();
    assert_true(wait_for(all_nudged, NULL));
    assert_in_range(t.rows[row].fired_us - back_us, 0, 2500 * MS);
    stop_well(p);
}

static void test_malformed_replies(void **state) {
    static const enum mood moods[] = {WITHOUT_NOW, WITH_ABSURD_TIMES};
    struct test_proc *p = run_notifier();

    wait_for_fires(1);
    for (size_t i = 0; i < TV_ARRAY_LEN(moods); i++) {
        unsigned before;

        t.mood = moods[i];
        due_in(0, CLINIC, PERSON);
        assert_true(wait_for(all_nudged, NULL)); /* it is committed, so it is told */
        before = t.fire_count;
        wait_us(700 * MS);
        assert_true(t.fire_count - before <= 4); /* treated as an error: no spin */
    }
    t.mood = WELL;
    due_in(0, CLINIC, PERSON);
    assert_true(wait_for(all_nudged, NULL));
    stop_well(p);
}

static void test_only_uuids_become_subjects(void **state) {
    static const char *const bad[] = {"",
                                      "*",
                                      ">",
                                      "a.b",
                                      "0197f6b2-5b5e-4a10-8d6f-0000000000a",
                                      " ",
                                      "x",
                                      CLINIC ".x",
                                      "0197F6B2-5B5E-4A10-8D6F-000000000001"};
    struct test_proc *p = run_notifier();
    unsigned good;

    for (size_t i = 0; i < TV_ARRAY_LEN(bad); i++) {
        t.rows[due_in(0, bad[i], PERSON)].nudges = 1; /* not waited for */
        t.rows[due_in(0, CLINIC, bad[i])].nudges = 1;
    }
    good = due_in(0, CLINIC, PERSON);
    assert_true(wait_for(all_nudged, NULL));
    assert_int_equal(t.rows[good].nudges, 1);
    assert_int_equal(t.nudges, 1);
    stop_well(p);
}

/* What GET /metrics of the process answers. Static. */
static const char *metrics_of(struct test_proc *p) {
    static char text[65536];
    struct sockaddr_in a = {.sin_family = AF_INET};
    char *log = test_proc_log(p), *at = strstr(log, "\"admin port\"");
    unsigned port = 0;
    size_t len = 0;
    ssize_t n;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_non_null(at);
    assert_int_equal(sscanf(strstr(at, "\"port\":"), "\"port\":%u", &port), 1);
    free(log);
    a.sin_port = htons((uint16_t)port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    dprintf(fd, "GET /metrics HTTP/1.0\r\n\r\n");
    while ((n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(fd);
    return text;
}

static void test_counts(void **state) {
    static const char *const lines[] = {
        "\ntv_notify_told_total{type=\"call.available\"} 2\n",
        "\ntv_notify_told_total{type=\"other\"} 1\n",
        "\ntv_notify_unsent_total{reason=\"malformed\"} 1\n",
        "\ntv_notify_expired_total 7\n",
        "\ntv_notify_backlog 3\n",
        "\ntv_notify_fire_errors_total{code=\"unavailable\"} 1\n",
        "\ntv_notify_fire_errors_total{code=\"deadline\"} 0\n",
        "\ntv_notify_next_due_timestamp_seconds 0\n",          /* nothing waits */
        "\ntv_notify_lateness_seconds_bucket{le=\"0.5\"} 3\n", /* the fourth is a minute late */
        "\ntv_notify_lateness_seconds_count 4\n",
    };
    struct test_proc *p;
    const char *text;

    t.mood = FAILING;
    p = run_notifier();
    wait_for_fires(1);
    t.mood = WELL;
    t.expired = 7;
    due_in(0, CLINIC, PERSON);
    due_in(-60 * TV_US_PER_S, CLINIC, PERSON);
    t.rows[due_in(0, CLINIC, PERSON)].type = "of.tomorrow";
    t.rows[due_in(0, CLINIC, "*")].nudges = 1;
    assert_true(wait_for(all_nudged, NULL));
    text = metrics_of(p);
    for (size_t i = 0; i < TV_ARRAY_LEN(lines); i++) {
        if (strstr(text, lines[i]) == NULL)
            fail_msg("%s is not in %s", lines[i], text);
    }
    stop_well(p);
}

static void test_two_replicas(void **state) {
    struct test_proc *a = run_notifier(), *b = run_notifier();

    wait_for_fires(4);
    for (unsigned i = 0; i < 20; i++)
        due_in(1200 * MS + i * 20 * MS, CLINIC, PERSON);
    assert_true(wait_for(all_nudged, NULL));
    assert_true(on_time() >= 14);
    test_signal(a, SIGKILL);
    assert_true(wait_for(has_ended, a));
    for (unsigned i = 0; i < 20; i++)
        due_in(1200 * MS + i * 20 * MS, CLINIC, PERSON);
    assert_true(wait_for(all_nudged, NULL));
    assert_true(on_time() >= 28);
    for (unsigned i = 0; i < t.row_count; i++)
        assert_int_equal(t.rows[i].nudges, 1);
    end(a);
    stop_well(b);
}

static void test_stop_waits_for_the_fire_in_flight(void **state) {
    struct test_proc *p;

    t.mood = SILENT;
    due_in(0, CLINIC, PERSON);
    p = run_notifier();
    assert_true(wait_for(is_kept, NULL));
    test_signal(p, SIGTERM);
    wait_us(100 * MS);
    assert_int_equal(test_wait(p, 0), -1);
    answer_fire(TV_TAKE_PTR(t.kept));
    assert_true(wait_for(all_nudged, NULL));
    assert_true(wait_for(has_ended, p));
    assert_int_equal(test_wait(p, 0), 0);
    assert_int_equal(t.fire_count, 1); /* and none after it */
    end(p);
}

int main(int argc, char **argv) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_asks_as_a_service_once_a_second),
        T(test_fires_at_the_due_time),
        T(test_a_hint_wakes_it),
        T(test_more_than_one_reply_holds),
        T(test_errors_are_waited_out),
        T(test_the_bus_goes_and_comes_back),
        T(test_the_service_goes_and_comes_back),
        T(test_malformed_replies),
        T(test_only_uuids_become_subjects),
        T(test_counts),
        T(test_two_replicas),
        T(test_stop_waits_for_the_fire_in_flight),
    };
    ssize_t len;

    if (getenv("TEST_AS_NOTIFIER") != NULL)
        return notifier_main(argc, argv);
    len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    assert_true(len > 0);
    exe[len] = '\0';
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
