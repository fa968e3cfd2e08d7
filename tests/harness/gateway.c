/* gateway.c - see gateway.h. */
#include "tests/harness/gateway.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/jwt.h"
#include "televisit/v1/appointments.pb-c.h"
#include "televisit/v1/calls.pb-c.h"
#include "televisit/v1/clinic.pb-c.h"
#include "televisit/v1/inbox.pb-c.h"
#include "televisit/v1/sessions.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"

#define METHODS_MAX 16
#define HELD_MAX 64
#define ENV_MAX 24
#define TICK_US (3 * TV_US_PER_MS)
/* 32 bytes, counted up from 0, as base64url. */
#define SESSION_KEY "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

struct fake_method {
    test_fake_fn *fn; /* NULL: hold the call */
    unsigned calls;
    ProtobufCMessage *request; /* the last one, in the rig's arena */
    struct tv_context context;
};

struct fake_service {
    struct test_gateway *rig;
    const ProtobufCServiceDescriptor *type;
    struct tv_rpc_server *server;
    struct fake_method methods[METHODS_MAX];
    struct tv_call *held[HELD_MAX];
    unsigned held_count;
};

static const ProtobufCServiceDescriptor *const served[] = {
    &televisit__v1__appointments__descriptor, &televisit__v1__calls__descriptor,
    &televisit__v1__clinics__descriptor,      &televisit__v1__inbox__descriptor,
    &televisit__v1__sessions__descriptor,     &televisit__v1__tokens__descriptor,
};
#define SERVED TV_ARRAY_LEN(served)

/* -- the services behind ------------------------------------------------------------------------*/

static struct fake_method *fake_of(struct test_gateway *g, const char *name) {
    struct tv_str method = tv_str(name), service = tv_str_cut(&method, '.');
    for (size_t i = 0; i < SERVED; i++) {
        const ProtobufCServiceDescriptor *type = g->services[i].type;
        for (unsigned m = 0; tv_str_eqz(service, type->short_name) && m < type->n_methods; m++)
            if (tv_str_eqz(method, type->methods[m].name))
                return &g->services[i].methods[m];
    }
    fail_msg("there is no method %s", name);
    return NULL;
}

static void on_call(struct tv_call *call) {
    struct fake_service *s = call->service_ctx;
    struct fake_method *m = &s->methods[call->method - s->type->methods];
    m->calls++;
    m->context = call->context;
    m->request =
        tv_pb_unpack(call->method->input, tv_pb_pack(call->request, call->arena), s->rig->arena);
    assert_non_null(m->request);
    if (m->fn != NULL) {
        m->fn(s->rig, call);
        return;
    }
    assert_true(s->held_count < HELD_MAX);
    s->held[s->held_count++] = call;
}

static tv_rpc_handler *const handlers[METHODS_MAX] = {
    on_call, on_call, on_call, on_call, on_call, on_call, on_call, on_call,
    on_call, on_call, on_call, on_call, on_call, on_call, on_call, on_call,
};

void test_fake(struct test_gateway *g, const char *method, test_fake_fn *fn) {
    fake_of(g, method)->fn = fn;
}
unsigned test_fake_calls(struct test_gateway *g, const char *method) {
    return fake_of(g, method)->calls;
}
const ProtobufCMessage *test_fake_request(struct test_gateway *g, const char *method) {
    return fake_of(g, method)->request;
}
const struct tv_context *test_fake_context(struct test_gateway *g, const char *method) {
    return &fake_of(g, method)->context;
}

static void on_told(void *ctx, const struct tv_bus_message *m) {
    struct test_gateway *g = ctx;
    struct test_told *t = TV_ARENA_NEW(g->arena, struct test_told);
    struct tv_str body = tv_bus_body(m);
    t->subject = tv_arena_str(g->arena, tv_bus_subject(m));
    t->body = (struct tv_str){tv_arena_strndup(g->arena, body.p, body.len), body.len};
    STAILQ_INSERT_TAIL(&g->told, t, link);
}

static bool is_flushed(void *ctx) {
    const struct test_gateway *g = ctx;
    return tv_bus_connected(g->bus) && tv_bus_pending(g->bus) == 0;
}

void test_gateway_serve(struct test_gateway *g) {
    for (size_t i = 0; i < SERVED; i++) {
        assert_true(served[i]->n_methods <= METHODS_MAX);
        g->services[i].server =
            tv_rpc_serve(g->bus, served[i], handlers, &g->services[i], HELD_MAX);
    }
    test_gateway_until(g, is_flushed, g, "the services are subscribed");
}

void test_gateway_clear(struct test_gateway *g) {
    for (size_t i = 0; i < SERVED; i++) {
        struct fake_service *s = &g->services[i];
        while (s->held_count > 0)
            tv_call_failf(s->held[--s->held_count], TV_ERR_UNAVAILABLE, "the test is over");
        memset(s->methods, 0, sizeof s->methods);
    }
    STAILQ_INIT(&g->told);
    tv_arena_free(g->arena);
    g->arena = tv_arena_new();
    g->memo = NULL;
}

/* -- the gateway --------------------------------------------------------------------------------*/

/* build/<variant>/bin/gateway, beside build/<variant>/tests/unit/gateway/<this program>. */
static char *program(char *out, size_t size) {
    char self[512];
    const char *dir = getenv("TEST_BIN_DIR");
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(len > 0);
    self[len] = '\0';
    char *tests = strstr(self, "/tests/unit/");
    if (dir != NULL) {
        (void)snprintf(out, size, "%s/gateway", dir);
    } else {
        assert_non_null(tests);
        *tests = '\0';
        (void)snprintf(out, size, "%s/bin/gateway", self);
    }
    if (access(out, X_OK) != 0)
        fail_msg("%s is not built", out);
    return out;
}

/* The port in the line of the log that says `message`; 0: not yet. */
static unsigned logged_port(const char *log, const char *message) {
    const char *line = strstr(log, message);
    const char *port = line == NULL ? NULL : strstr(line, "\"port\":");
    return port == NULL ? 0 : (unsigned)strtoul(port + strlen("\"port\":"), NULL, 10);
}

static bool is_up(void *ctx) {
    struct test_gateway *g = ctx;
    char *log = test_proc_log(g->proc);
    g->port = logged_port(log, "\"serving http\"");
    g->admin_port = logged_port(log, "\"admin port\"");
    bool up = g->port != 0 && g->admin_port != 0 && strstr(log, "\"bus connected\"") != NULL;
    free(log);
    return tv_bus_connected(g->bus) && (up || test_wait(g->proc, 0) >= 0);
}

static void start_program(struct test_gateway *g, char *const env[]) {
    char path[600], nats[96];
    char http[] = "TELEVISIT_HTTP_ADDRESS=127.0.0.1:0";
    char admin[] = "TELEVISIT_ADMIN_ADDRESS=127.0.0.1:0";
    char key[] = "TELEVISIT_SESSION_KEY=" SESSION_KEY;
    char rates[] = "TELEVISIT_RATE_PERCENT=0", access_log[] = "TELEVISIT_ACCESS_LOG=all";
    char *all[ENV_MAX] = {http, admin, key, rates, access_log, nats};
    size_t n = 6;
    (void)snprintf(nats, sizeof nats, "NATS_URL=%s", g->nats.url);
    for (; env != NULL && *env != NULL; env++) {
        size_t name = strcspn(*env, "=") + 1, at = 0;
        while (at < n && strncmp(all[at], *env, name) != 0)
            at++;
        assert_true(at + 1 < ENV_MAX);
        all[at] = *env;
        n = TV_MAX(n, at + 1);
    }
    char *argv[] = {program(path, sizeof path), NULL};
    g->proc = test_spawn("gateway", argv, all, NULL);
}

static void on_tick(void *ctx) {
    struct test_gateway *g = ctx;
    tv_timer_set(g->tick, TICK_US);
}

struct test_gateway *test_gateway_start(char *const env[]) {
    struct test_gateway *g = tv_calloc(1, sizeof *g);
    tv_crypto_init();
    STAILQ_INIT(&g->told);
    g->arena = tv_arena_new();
    g->services = tv_calloc(SERVED, sizeof *g->services);
    for (size_t i = 0; i < SERVED; i++) {
        g->services[i].rig = g;
        g->services[i].type = served[i];
    }
    g->loop = tv_loop_new();
    g->tick = tv_timer_new(g->loop, on_tick, g);
    tv_timer_set(g->tick, TICK_US);
    g->nats = test_nats_start(NULL);
    const struct tv_bus_config config = {.url = g->nats.url,
                                         .name = "fakes",
                                         .version = "1.0.0",
                                         .description = "says what it is told"};
    struct tv_error e;
    assert_int_equal(tv_bus_new(g->loop, &config, &g->bus, &e), TV_OK);
    g->inbox = tv_bus_subscribe(g->bus, "tv.v1.inbox.>", on_told, g);
    g->hint = tv_bus_subscribe(g->bus, "tv.v1.hint.>", on_told, g);
    start_program(g, env);
    test_gateway_until(g, is_up, g, "the gateway is up");
    if (test_wait(g->proc, 0) >= 0) {
        char *log = test_proc_log(g->proc);
        print_error("%s\n", log);
        free(log);
        fail_msg("the gateway has ended");
    }
    return g;
}

void test_gateway_stop(struct test_gateway *g) {
    test_gateway_clear(g);
    if (g->proc != NULL) {
        test_signal(g->proc, SIGTERM);
        int status = test_wait(g->proc, TEST_WAIT_MS);
        char *log = test_proc_log(g->proc);
        if (status != 0)
            print_error("%s\n", log);
        free(log);
        test_stop(g->proc);
        assert_int_equal(status, 0);
    }
    tv_bus_unsubscribe(g->inbox);
    tv_bus_unsubscribe(g->hint);
    tv_bus_free(g->bus);
    for (size_t i = 0; i < SERVED; i++)
        if (g->services[i].server != NULL)
            tv_rpc_server_free(g->services[i].server);
    test_nats_stop(&g->nats);
    tv_timer_free(g->tick);
    tv_loop_free(g->loop);
    tv_arena_free(g->arena);
    free(g->services);
    free(g);
}

/* -- clients ------------------------------------------------------------------------------------*/

void test_gateway_until(struct test_gateway *g, bool (*ok)(void *ctx), void *ctx,
                        const char *what) {
    if (tv_loop_run_until(g->loop, ok, ctx, TEST_WAIT_MS * TV_US_PER_MS))
        return;
    if (g->proc != NULL) {
        char *log = test_proc_log(g->proc);
        size_t len = strlen(log);
        print_error("%s\n", log + (len > 8000 ? len - 8000 : 0));
        free(log);
    }
    fail_msg("waited in vain: %s", what);
}

struct test_http *test_ask_begin(struct test_gateway *g, const char *method, const char *target,
                                 const char *fields, const char *body) {
    struct tv_buf text = TV_BUF_INIT(1 << 22);
    tv_buf_printf(&text, "%s %s HTTP/1.1\r\nHost: visits.example.org\r\n%s", method, target,
                  fields == NULL ? "" : fields);
    if (body != NULL) {
        if (fields == NULL || strcasestr(fields, "Content-Type:") == NULL)
            tv_buf_puts(&text, "Content-Type: application/json\r\n");
        tv_buf_printf(&text, "Content-Length: %zu\r\n", strlen(body));
    }
    tv_buf_printf(&text, "\r\n%s", body == NULL ? "" : body);
    assert_false(text.overflow);
    struct test_http *c = test_http_open(g->loop, g->port, 0);
    test_http_send(c, text.data);
    tv_buf_done(&text);
    return c;
}

struct test_http *test_post_begin(struct test_gateway *g, const char *target, const char *fields,
                                  struct tv_str body) {
    struct test_http *c = test_http_open(g->loop, g->port, 0);
    test_http_send(c, tv_arena_printf(g->arena,
                                      "POST %s HTTP/1.1\r\nHost: visits.example.org\r\n%s"
                                      "Content-Length: %zu\r\n\r\n",
                                      target, fields, body.len));
    test_http_send_bytes(c, body);
    return c;
}

struct waiting {
    const struct test_http *client;
    struct test_answer answer;
    struct tv_arena *arena;
    bool head_only;
};

static bool is_answered(void *ctx) {
    struct waiting *w = ctx;
    w->answer = test_http_answer(w->client, w->head_only, w->arena);
    return w->answer.complete || test_http_closed(w->client);
}

static struct test_answer wait_for(struct test_gateway *g, struct test_http *c, bool head_only) {
    struct waiting w = {.client = c, .arena = g->arena, .head_only = head_only};
    test_gateway_until(g, is_answered, &w, "an answer");
    if (!w.answer.complete)
        fail_msg("the connection ended before the answer: %s%s", w.answer.head, w.answer.body);
    return w.answer;
}

struct test_answer test_ask_end(struct test_gateway *g, struct test_http *c) {
    struct test_answer answer = wait_for(g, c, false);
    test_http_close(c);
    return answer;
}

struct test_answer test_ask(struct test_gateway *g, const char *method, const char *target,
                            const char *fields, const char *body) {
    struct test_http *c = test_ask_begin(g, method, target, fields, body);
    struct test_answer answer = wait_for(g, c, strcmp(method, "HEAD") == 0);
    test_http_close(c);
    return answer;
}

const char *test_field(struct test_gateway *g, const struct test_answer *r, const char *name) {
    return test_answer_field(r, name, 0, g->arena);
}

const char *test_bearer(struct test_gateway *g, enum tv_role role, const char *person_id,
                        int64_t ttl_s) {
    unsigned char bytes[32];
    size_t len;
    assert_true(
        tv_base64url_decode(tv_str(strchr(SESSION_KEY, ':') + 1), bytes, sizeof bytes, &len));
    const struct tv_jwt_key key = {"test", {(const char *)bytes, len}};
    long long now_s = tv_clock_wall_us() / TV_US_PER_S;
    const char *claims = tv_arena_printf(
        g->arena,
        "{\"iss\":\"televisit\",\"aud\":\"televisit\",\"sub\":\"%s\",\"cid\":\"" TEST_CLINIC
        "\",\"sid\":\"" TEST_SESSION "\",\"role\":%d,\"iat\":%lld,\"exp\":%lld}",
        person_id == NULL ? TEST_PERSON : person_id, (int)role, now_s, now_s + ttl_s);
    struct tv_str token;
    assert_int_equal(tv_jwt_sign(&key, "at+jwt", tv_str(claims), g->arena, &token, NULL), TV_OK);
    return tv_arena_printf(g->arena, "Authorization: Bearer %.*s\r\n", TV_STR_ARGS(token));
}

double test_gateway_metric(struct test_gateway *g, const char *name) {
    struct test_http *c = test_http_open(g->loop, g->admin_port, 0);
    test_http_send(c, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    struct test_answer answer = test_ask_end(g, c);
    const char *line = tv_arena_printf(g->arena, "\n%s ", name);
    const char *found = strstr(answer.body, line);
    return found == NULL ? -1 : strtod(found + strlen(line), NULL);
}

void test_gateway_until_metric(struct test_gateway *g, const char *name, double value) {
    int64_t end_us = tv_clock_mono_us() + TEST_WAIT_MS * TV_US_PER_MS;
    while (test_gateway_metric(g, name) != value) /* asking turns the loop */
        if (tv_clock_mono_us() > end_us)
            fail_msg("%s is %g, not %g", name, test_gateway_metric(g, name), value);
}
