/* The bus with TLS and nkeys: that all of it works as without, who is refused and how it is told,
 * and that the loop never waits for the rest of a record. */
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bus_internal.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "tests/harness/nats.h"

enum { WAIT_US = 20000000, BODY_MAX = 900 * 1024 };

static struct test_nats server;
static struct tv_loop *loop;
static struct tv_bus *bus;
static char *first_key, *second_key; /* texts of nkey files */

static char logged[16384];
static void keep_log(const char *line, size_t len) {
    size_t used = strlen(logged);

    snprintf(logged + used, sizeof(logged) - used, "%.*s", (int)len, line);
}

/* -- servers ------------------------------------------------------------------------------------*/

/* A server with a certificate of `folder`, for the user of `key`; NULL: without. Borrowed. */
static const char *config(const char *folder, const char *key) {
    static char text[2048];
    char tls[1200] = "", users[256] = "";

    if (folder != NULL)
        snprintf(tls, sizeof(tls),
                 "tls { cert_file: \"%s/%s/tls.crt\", key_file: \"%s/%s/tls.key\" }",
                 test_nats_secrets(), folder, test_nats_secrets(), folder);
    if (key != NULL) /* its second line */
        snprintf(users, sizeof(users), "authorization { users = [ { nkey: %.56s } ] }",
                 strchr(key, '\n') + 1);
    snprintf(text, sizeof(text), "%s\n%s\n", tls, users);
    return text;
}

static void restart(const char *config_text) {
    test_nats_kill(&server);
    test_nats_configure(&server, config_text);
    test_nats_restart(&server);
}

static const char *ca(const char *folder) {
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s/ca.crt", test_nats_secrets(), folder);
    return path;
}

static struct tv_bus *new_bus(const char *url, const char *ca_file, const char *key) {
    const struct tv_bus_config c = {
        .url = url, .ca_file = ca_file, .nkey = key, .name = "tester", .version = "1.0.0"};
    struct tv_bus *b = NULL;
    struct tv_error e = TV_ERROR_INIT;

    if (tv_bus_new(loop, &c, &b, &e) != TV_OK)
        fail_msg("%s", e.detail);
    return b;
}

static bool is_connected(void *ctx) { return tv_bus_connected(ctx); }
static bool is_disconnected(void *ctx) { return !tv_bus_connected(ctx); }
static bool is_refused(void *ctx) { return !tv_bus_healthy(ctx); }
static bool never(void *ctx) { return false; }

static void wait_for(bool (*done)(void *ctx), void *ctx) {
    assert_true(tv_loop_run_until(loop, done, ctx, WAIT_US));
}

/* -- requests to a service that gives back what it got ------------------------------------------*/

static const char *const methods[] = {"echo"};
static void on_call(void *ctx, unsigned method, struct tv_bus_call *c) {
    tv_bus_reply(c, tv_bus_body(tv_bus_call_message(c)));
}
static const struct tv_bus_service proof = {
    .name = "proof", .methods = methods, .method_count = 1, .on_call = on_call};

static char sent[BODY_MAX];

struct outcome {
    unsigned calls;
    enum tv_err err;
    size_t size;
    bool same; /* as what was sent */
};
static bool has_ended(void *ctx) { return ((struct outcome *)ctx)->calls > 0; }

static void on_reply(void *ctx, enum tv_err err, const struct tv_bus_message *reply) {
    struct outcome *o = ctx;

    o->calls++;
    o->err = err;
    if (reply != NULL)
        o->same =
            tv_bus_body(reply).len == o->size && memcmp(tv_bus_body(reply).p, sent, o->size) == 0;
}

static void start(struct outcome *o, size_t size, int64_t timeout_us) {
    *o = (struct outcome){.size = size};
    tv_bus_request(bus, "tv.v1.proof.echo", NULL, 0, (struct tv_str){sent, size},
                   tv_clock_mono_us() + timeout_us, on_reply, o);
}

static void check(const struct outcome *o) {
    assert_int_equal(o->err, TV_OK);
    assert_true(o->same);
    assert_int_equal(o->calls, 1);
}

static void ask(size_t size) {
    struct outcome o;

    start(&o, size, WAIT_US);
    wait_for(has_ended, &o);
    check(&o);
}

/* The server knows the service when it answers. */
static void wait_for_service(void) {
    struct outcome o;

    do {
        start(&o, 0, WAIT_US);
        wait_for(has_ended, &o);
    } while (o.err == TV_ERR_UNAVAILABLE);
    check(&o);
}

static int set_up(void **state) {
    first_key = test_nats_secret("first.nkey");
    second_key = test_nats_secret("second.nkey");
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)(i * 2654435761u >> 13);
    server = test_nats_start(config("good", first_key));
    loop = tv_loop_new();
    bus = NULL;
    logged[0] = '\0';
    tv_log_set_sink(keep_log);
    return 0;
}

static int tear_down(void **state) {
    tv_bus_free(bus);
    tv_loop_free(loop);
    tv_metrics_done();
    tv_log_set_sink(NULL);
    test_nats_kill(&server);
    free(first_key);
    free(second_key);
    return 0;
}

static void connect_and_serve(const char *url) {
    bus = new_bus(url, ca("good"), first_key);
    tv_bus_serve(bus, &proof);
    wait_for(is_connected, bus);
    wait_for_service();
}

/* -- it works -----------------------------------------------------------------------------------*/

static void test_bodies_of_all_sizes(void **state) {
    connect_and_serve(server.tls_url);
    static const size_t sizes[] = {0,     1,     1000,  16000,  16383,  16384,
                                   16385, 32768, 65536, 100000, 500000, BODY_MAX};
    for (size_t i = 0; i < TV_ARRAY_LEN(sizes); i++)
        ask(sizes[i]);
}

/* Many records in one turn, both ways, and nothing is left lying anywhere. */
static void ask_at_once(size_t count, size_t size) {
    struct outcome *all = calloc(count, sizeof(*all));

    assert_non_null(all);
    for (size_t i = 0; i < count; i++)
        start(&all[i], size, WAIT_US);
    for (size_t i = 0; i < count; i++) {
        wait_for(has_ended, &all[i]);
        check(&all[i]);
    }
    free(all);
}

static void test_many_at_once(void **state) {
    connect_and_serve(server.tls_url);
    ask_at_once(2000, 100);
    ask_at_once(300, 20000);
    ask_at_once(20, 500000); /* more than the socket holds */
}

static void test_the_server_goes_and_comes(void **state) {
    connect_and_serve(server.tls_url);
    for (int i = 0; i < 5; i++) {
        test_nats_kill(&server);
        wait_for(is_disconnected, bus);
        test_nats_restart(&server);
        wait_for(is_connected, bus);
        wait_for_service();
        ask(100000);
    }
    assert_true(tv_bus_healthy(bus));
}

static void test_tls_without_a_ca_file_asks_the_machines(void **state) {
    bus = new_bus(server.tls_url, NULL, first_key);
    wait_for(is_refused, bus);
    assert_non_null(strstr(logged, "certificate"));
}

/* -- it is refused ------------------------------------------------------------------------------*/

static void test_refusals_are_told(void **state) {
    const struct {
        const char *server_folder; /* NULL: no TLS */
        const char *server_key;
        bool has_tls;
        const char *ca, *key;
        const char *told;
    } rows[] = {
        {"stranger", first_key, true, "good", first_key, "certificate"},
        {"good", first_key, true, "stranger", first_key, "certificate"},
        {"elsewhere", first_key, true, "good", first_key, "ostname mismatch"},
        {NULL, first_key, true, "good", first_key, "the server has no TLS"},
        {NULL, first_key, true, NULL, first_key, "the server has no TLS"},
        {NULL, NULL, false, "good", NULL, "the server has no TLS"},
        {"good", first_key, false, NULL, first_key, "NATS_URL must begin with tls://"},
        {"good", first_key, true, "good", second_key, "Authorization Violation"},
        {"good", first_key, true, "good", NULL, "Authorization Violation"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        restart(config(rows[i].server_folder, rows[i].server_key));
        logged[0] = '\0';
        bus = new_bus(rows[i].has_tls ? server.tls_url : server.url,
                      rows[i].ca != NULL ? ca(rows[i].ca) : NULL, rows[i].key);
        wait_for(is_refused, bus);
        assert_false(tv_bus_connected(bus));
        if (strstr(logged, rows[i].told) == NULL)
            fail_msg("row %zu: %s", i, logged);
        assert_null(strstr(logged, "SU"));
        /* It goes on to try, and comes in when all is well. */
        if (rows[i].has_tls && rows[i].key == first_key && rows[i].ca != NULL &&
            strcmp(rows[i].ca, "good") == 0) {
            restart(config("good", first_key));
            wait_for(is_connected, bus);
            assert_true(tv_bus_healthy(bus));
        }
        tv_bus_free(TV_TAKE_PTR(bus));
    }
}

/* What was connected does not come back to a server that is another one. */
static void test_a_later_server_is_checked_as_the_first(void **state) {
    connect_and_serve(server.tls_url);
    const char *const folders[] = {NULL, "stranger", "elsewhere"};
    for (size_t i = 0; i < TV_ARRAY_LEN(folders); i++) {
        test_nats_kill(&server);
        wait_for(is_disconnected, bus);
        test_nats_configure(&server, config(folders[i], first_key));
        test_nats_restart(&server);
        assert_false(tv_loop_run_until(loop, is_connected, bus, 700000));
        restart(config("good", first_key));
        wait_for(is_connected, bus);
        wait_for_service();
    }
}

static void test_bad_settings(void **state) {
    char nkey[256];
    const struct {
        struct tv_bus_config c;
        const char *told;
    } rows[] = {
        {{.ca_file = "/nowhere/ca.crt"},
         "NATS_CA_FILE: no CA certificates can be read from "
         "/nowhere/ca.crt"},
        {{.ca_file = "/dev/null"}, "/dev/null"},
        {{.nkey = "no key"}, "NATS_NKEY_FILE: its first line"},
        {{.nkey = nkey, .user = "u", .password = "p"}, "NATS_NKEY_FILE goes without NATS_USER"},
        {{.nkey = nkey, .creds_file = "/x"}, "NATS_NKEY_FILE goes without"},
    };
    snprintf(nkey, sizeof(nkey), "%s", first_key);
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_bus_config c = rows[i].c;
        struct tv_error e = TV_ERROR_INIT;

        c.url = server.tls_url;
        c.name = "tester";
        c.version = "1.0.0";
        assert_int_equal(tv_bus_new(loop, &c, &bus, &e), TV_ERR_INVALID);
        if (strstr(e.detail, rows[i].told) == NULL)
            fail_msg("row %zu: %s", i, e.detail);
    }
}

/* -- keys ---------------------------------------------------------------------------------------*/

static void test_keys_are_read(void **state) {
    char seed[TV_BUS_SEED_TEXT], public[TV_BUS_NKEY_TEXT], text[512];
    struct tv_bus_nkey key;
    struct tv_error e = TV_ERROR_INIT;

    assert_int_equal(sscanf(first_key, "%58s\n%56s", seed, public), 2);
    static const char *const forms[] = {"%s\n%s\n", "%s\n%s", "%s\r\n%s\r\n", "\n %s \n\n%s\t\n\n"};
    for (size_t i = 0; i < TV_ARRAY_LEN(forms); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof(text), forms[i], seed, public);
#pragma GCC diagnostic pop
        assert_int_equal(tv_bus_nkey_parse(text, &key, &e), TV_OK);
        assert_string_equal(key.seed, seed);
        assert_string_equal(key.public, public);
    }
}

static void test_bad_keys_are_named_not_shown(void **state) {
    char seed[TV_BUS_SEED_TEXT], public[TV_BUS_NKEY_TEXT], turned[TV_BUS_SEED_TEXT];
    char turned_public[TV_BUS_NKEY_TEXT];

    assert_int_equal(sscanf(first_key, "%58s\n%56s", seed, public), 2);
    snprintf(turned, sizeof(turned), "%s", seed);
    turned[20] = seed[20] == 'A' ? 'B' : 'A';
    snprintf(turned_public, sizeof(turned_public), "%s", public);
    turned_public[20] = public[20] == 'A' ? 'B' : 'A';
    const struct {
        const char *first, *second, *third, *told;
    } rows[] = {
        {"", "", "", "first line"},
        {"x", public, "", "first line"},
        {turned, public, "", "first line"},
        {public, seed, "", "first line"},
        {"SUÄÖÜ", public, "", "first line"},
        {"SUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", public,
         "", "first line"},
        {"SUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", public, "", "first line"},
        {seed, "", "", "second line"},
        {seed, turned_public, "", "second line"},
        {seed, seed, "", "second line"},
        {seed, "u", "", "second line"},
        {seed, public, seed, "more than"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        char text[512];
        struct tv_bus_nkey key = {.seed = "untouched"};
        struct tv_error e = TV_ERROR_INIT;

        snprintf(text, sizeof(text), "%s\n%s\n%s", rows[i].first, rows[i].second, rows[i].third);
        assert_int_equal(tv_bus_nkey_parse(text, &key, &e), TV_ERR_INVALID);
        if (strstr(e.detail, rows[i].told) == NULL || strstr(e.detail, "NATS_NKEY_FILE") == NULL)
            fail_msg("row %zu: %s", i, e.detail);
        assert_null(strstr(e.detail, "SUA"));
        assert_string_equal(key.seed, "untouched");
    }
}

/* -- half a record ------------------------------------------------------------------------------*/

/* Stands between us and the server, and holds back what it is told to. */
static struct relay {
    pthread_t thread;
    int listener, client, server;
    unsigned port, server_port;
    atomic_long allowance; /* bytes to the client; negative: all */
    atomic_bool over;
} relay;

static bool pass(int from, int to, size_t max) {
    char piece[4096];
    ssize_t n = recv(from, piece, TV_MIN(max, sizeof(piece)), 0);

    return n > 0 && send(to, piece, (size_t)n, MSG_NOSIGNAL) == n &&
           (max == SIZE_MAX || atomic_fetch_sub(&relay.allowance, n) >= 0);
}

static void *relay_thread(void *unused) {
    relay.client = accept(relay.listener, NULL, NULL);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)relay.server_port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    relay.server = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(relay.server, (struct sockaddr *)&to, sizeof(to)) != 0)
        return NULL;
    bool alive = true;
    while (alive && !atomic_load(&relay.over)) {
        long allowance = atomic_load(&relay.allowance);
        struct pollfd p[2] = {{.fd = relay.client, .events = POLLIN},
                              {.fd = allowance != 0 ? relay.server : -1, .events = POLLIN}};
        if (poll(p, 2, 5) > 0) {
            if (p[0].revents != 0)
                alive = pass(relay.client, relay.server, SIZE_MAX);
            if (alive && p[1].revents != 0)
                alive =
                    pass(relay.server, relay.client, allowance < 0 ? SIZE_MAX : (size_t)allowance);
        }
    }
    close(relay.server);
    close(relay.client);
    return NULL;
}

static void start_relay(void) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    relay = (struct relay){.listener = socket(AF_INET, SOCK_STREAM, 0), .server_port = server.port};
    atomic_store(&relay.allowance, -1);
    assert_int_equal(bind(relay.listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(relay.listener, 1), 0);
    assert_int_equal(getsockname(relay.listener, (struct sockaddr *)&at, &len), 0);
    relay.port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&relay.thread, NULL, relay_thread, NULL), 0);
}

static void end_relay(void) {
    atomic_store(&relay.over, true);
    pthread_join(relay.thread, NULL);
    close(relay.listener);
}

static void connect_through_relay(void) {
    char url[64];

    start_relay();
    snprintf(url, sizeof(url), "tls://localhost:%u", relay.port);
    connect_and_serve(url);
}

/* Of a record that comes in pieces nothing is waited for: deadlines hold, the rest is awaited. */
static void test_half_a_record_does_not_stop_the_loop(void **state) {
    static const long pieces[] = {1, 4, 5, 6, 100, 3000};

    connect_through_relay();
    for (size_t i = 0; i < TV_ARRAY_LEN(pieces); i++) {
        struct outcome early, late;

        atomic_store(&relay.allowance, pieces[i]);
        int64_t from_us = tv_clock_mono_us();
        start(&early, 10000, 100000);
        start(&late, 20000, WAIT_US);
        wait_for(has_ended, &early);
        assert_int_equal(early.err, TV_ERR_DEADLINE);
        assert_true(tv_clock_mono_us() - from_us < 3000000);
        assert_int_equal(late.calls, 0);
        atomic_store(&relay.allowance, -1);
        wait_for(has_ended, &late);
        check(&late);
    }
}

/* The end in the middle of a record is an end. */
static void test_the_end_within_a_record(void **state) {
    struct outcome cut;

    connect_through_relay();
    atomic_store(&relay.allowance, 3);
    start(&cut, 20000, WAIT_US);
    tv_loop_run_until(loop, never, NULL, 100000);
    assert_int_equal(cut.calls, 0);
    end_relay();
    wait_for(has_ended, &cut);
    assert_int_equal(cut.err, TV_ERR_UNKNOWN_OUTCOME);
    wait_for(is_disconnected, bus);
}

static int tear_down_relay(void **state) {
    if (!atomic_load(&relay.over))
        end_relay();
    return tear_down(state);
}

int main(void) {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
#define RELAYED(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down_relay)
    const struct CMUnitTest tests[] = {
        TEST(test_bodies_of_all_sizes),
        TEST(test_many_at_once),
        TEST(test_the_server_goes_and_comes),
        TEST(test_tls_without_a_ca_file_asks_the_machines),
        TEST(test_refusals_are_told),
        TEST(test_a_later_server_is_checked_as_the_first),
        TEST(test_bad_settings),
        TEST(test_keys_are_read),
        TEST(test_bad_keys_are_named_not_shown),
        RELAYED(test_half_a_record_does_not_stop_the_loop),
        RELAYED(test_the_end_within_a_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
