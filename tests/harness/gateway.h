/* gateway.h - the real gateway in front, services that say what the test wants behind.
 *
 * The gateway is the built program (beside the test in build/<variant>/bin, or in $TEST_BIN_DIR)
 * with a nats-server of its own. The services behind it are served by the test process through
 * lib/rpc, on the loop that also runs the HTTP clients: everything a test does is one thread. A
 * method without a fake holds its calls until the end of the test.
 */
#ifndef TV_TEST_GATEWAY_H
#define TV_TEST_GATEWAY_H

#include "lib/bus.h"
#include "lib/rpc.h"
#include "tests/harness/http.h"
#include "tests/harness/nats.h"

#define TEST_CLINIC "11111111-1111-4111-8111-111111111111"
#define TEST_PERSON "22222222-2222-4222-8222-222222222222"
#define TEST_SESSION "33333333-3333-4333-8333-333333333333"
#define TEST_WAIT_MS 20000

struct test_gateway;
typedef void test_fake_fn(struct test_gateway *g, struct tv_call *call);

struct test_told {
    char *subject;
    struct tv_str body;
    STAILQ_ENTRY(test_told) link;
};

struct test_gateway {
    struct tv_loop *loop;
    struct tv_bus *bus;
    struct test_nats nats;
    struct test_proc *proc;
    unsigned port, admin_port;
    struct tv_arena *arena;        /* of the test that runs */
    STAILQ_HEAD(, test_told) told; /* what went over the bus to tv.v1.inbox.> and tv.v1.hint.> */
    void *memo;                    /* for the fakes of a test */
    struct tv_timer *tick;
    struct fake_service *services;
    struct tv_bus_subscription *inbox, *hint;
};

/* Starts server, gateway and bus; `env` is added to the gateway's (NULL-ended, may be NULL). */
struct test_gateway *test_gateway_start(char *const env[]);
/* Serves Appointments, Calls, Clinics, Inbox, Sessions and Tokens; until then nobody answers. */
void test_gateway_serve(struct test_gateway *g);
/* Between two tests: forgets fakes, counts, what was told, held calls and the arena's content. */
void test_gateway_clear(struct test_gateway *g);
/* Ends all; the gateway must end well (exit status 0) when it still runs. */
void test_gateway_stop(struct test_gateway *g);

/* `method` is "Appointments.Book". */
void test_fake(struct test_gateway *g, const char *method, test_fake_fn *fn);
unsigned test_fake_calls(struct test_gateway *g, const char *method);
/* The last request of the method and its context; NULL before the first. Until the test ends. */
const ProtobufCMessage *test_fake_request(struct test_gateway *g, const char *method);
const struct tv_context *test_fake_context(struct test_gateway *g, const char *method);

/* Runs the loop until `ok(ctx)`; fails the test after TEST_WAIT_MS. */
void test_gateway_until(struct test_gateway *g, bool (*ok)(void *ctx), void *ctx, const char *what);
/* Sends one request on a connection of its own and waits for the answer, in the arena. `fields` is
 * lines that end with "\r\n" (NULL: none). A body gets its Content-Length, and Content-Type
 * application/json unless `fields` has one. */
struct test_answer test_ask(struct test_gateway *g, const char *method, const char *target,
                            const char *fields, const char *body);
/* The same without waiting: the caller closes the client. */
struct test_http *test_ask_begin(struct test_gateway *g, const char *method, const char *target,
                                 const char *fields, const char *body);
/* A POST of bytes of any kind, with exactly these fields besides Host and Content-Length. */
struct test_http *test_post_begin(struct test_gateway *g, const char *target, const char *fields,
                                  struct tv_str body);
struct test_answer test_ask_end(struct test_gateway *g, struct test_http *c);
const char *test_field(struct test_gateway *g, const struct test_answer *r, const char *name);
/* "Authorization: Bearer …\r\n" for a person of TEST_CLINIC (NULL: TEST_PERSON), in the arena; the
 * token is good for `ttl_s` from now. */
const char *test_bearer(struct test_gateway *g, enum tv_role role, const char *person_id,
                        int64_t ttl_s);
/* The value of a metric of the gateway, e.g. "tv_streams" or "tv_x{a=\"b\"}"; -1 when it is not
 * there. */
double test_gateway_metric(struct test_gateway *g, const char *name);
/* Waits until the metric is `value`. */
void test_gateway_until_metric(struct test_gateway *g, const char *name, double value);

#endif
