/* expect.h - what every answer of the gateway has, whatever it says. */
#ifndef TV_TEST_EXPECT_H
#define TV_TEST_EXPECT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/pb.h"
#include "televisit/v1/common.pb-c.h"
#include "tests/harness/gateway.h"

static inline void expect_field(struct test_gateway *g, const struct test_answer *r,
                                const char *name, const char *value) {
    const char *found = test_field(g, r, name);
    if (found == NULL || strcmp(found, value) != 0)
        fail_msg("%s: %s, not %s\n%s", name, found == NULL ? "(none)" : found, value, r->head);
}

/* The fields of every answer. */
static inline void expect_common(struct test_gateway *g, const struct test_answer *r) {
    expect_field(g, r, "Cache-Control", "no-store");
    expect_field(g, r, "X-Content-Type-Options", "nosniff");
    expect_field(g, r, "Referrer-Policy", "no-referrer");
    expect_field(g, r, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    assert_null(test_answer_field(r, "Access-Control-Allow-Origin", 0, g->arena));
    const char *id = test_field(g, r, "X-Request-Id");
    assert_true(id != NULL && tv_str_is_uuid(tv_str(id)));
}

static inline void expect_status(struct test_gateway *g, const struct test_answer *r,
                                 unsigned status) {
    if (r->status != status)
        fail_msg("%u, not %u: %s%s", r->status, status, r->head, r->body);
    expect_common(g, r);
}

static inline const Televisit__V1__Problem *
expect_bare_problem(struct test_gateway *g, const struct test_answer *r, enum tv_err err) {
    const struct tv_err_info *info = tv_err_info(err);
    ProtobufCMessage *m = NULL;
    struct tv_error e = TV_ERROR_INIT;
    expect_status(g, r, info->http);
    expect_field(g, r, "Content-Type", "application/problem+json");
    if (tv_pb_from_json(&televisit__v1__problem__descriptor,
                        (struct tv_str){r->body, r->body_bytes}, 0, g->arena, &m, &e) != TV_OK)
        fail_msg("%s: %s", e.detail, r->body);
    const Televisit__V1__Problem *p = (const Televisit__V1__Problem *)m;
    assert_string_equal(p->type, tv_arena_printf(g->arena, "/problems/%s", info->slug));
    assert_string_equal(p->title, info->title);
    assert_int_equal(p->status, info->http);
    assert_string_equal(p->instance,
                        tv_arena_printf(g->arena, "urn:uuid:%s", test_field(g, r, "X-Request-Id")));
    assert_int_equal(info->http == 401, test_field(g, r, "WWW-Authenticate") != NULL);
    assert_int_equal(info->http == 405, test_field(g, r, "Allow") != NULL);
    return p;
}

/* The answer is this problem, in the form of RFC 9457; returns it. People are told when to come
 * again. */
static inline const Televisit__V1__Problem *
expect_problem(struct test_gateway *g, const struct test_answer *r, enum tv_err err) {
    const Televisit__V1__Problem *p = expect_bare_problem(g, r, err);
    if (p->status == 503)
        assert_non_null(test_field(g, r, "Retry-After"));
    return p;
}

/* The same, with one error at this pointer. */
static inline void expect_problem_at(struct test_gateway *g, const struct test_answer *r,
                                     enum tv_err err, const char *pointer) {
    const Televisit__V1__Problem *p = expect_problem(g, r, err);
    if (p->n_errors != 1 || strcmp(p->errors[0]->pointer, pointer) != 0)
        fail_msg("not at %s: %s", pointer, r->body);
}

static inline void expect_in(const char *text, const char *part) {
    if (strstr(text, part) == NULL)
        fail_msg("%s\nis not in\n%s", part, text);
}

#endif
