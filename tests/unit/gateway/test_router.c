/* The router: every generated route is found, literals win, and what is not there is not found. */
#include "services/gateway/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "routes.h"

static struct tv_router *router;

static int setup(void **state) {
    router = tv_router_new(tv_routes, TV_ROUTE_COUNT);
    return 0;
}

static int teardown(void **state) {
    tv_router_free(router);
    return 0;
}

/* The template with every `{field}` replaced by "X<n>". */
static struct tv_str fill(const char *template, char *out, size_t size) {
    struct tv_buf b = TV_BUF_INIT(size);
    struct tv_str rest = tv_str(template);
    for (unsigned n = 0; rest.p != NULL; n++) {
        tv_buf_str(&b, tv_str_cut(&rest, '{'));
        if (rest.p == NULL)
            break;
        (void)tv_str_cut(&rest, '}');
        tv_buf_printf(&b, "X%u", n);
    }
    assert_false(b.overflow);
    memcpy(out, b.data, b.len);
    struct tv_str path = {out, b.len};
    tv_buf_done(&b);
    return path;
}

static void test_every_route(void **state) {
    for (size_t i = 0; i < TV_ROUTE_COUNT; i++) {
        char path[256];
        struct router_match m = tv_router_match(router, tv_str(tv_routes[i].method),
                                                fill(tv_routes[i].path, path, sizeof path));
        assert_int_equal(m.verdict, ROUTER_FOUND);
        assert_ptr_equal(m.route, &tv_routes[i]);
        if (strchr(tv_routes[i].path, '{') != NULL)
            assert_true(tv_str_eqz(m.values[0], "X0"));
    }
}

static void test_not_there(void **state) {
    static const char *const paths[] = {
        "",
        "/",
        "//",
        "v1/me",
        "/v1",
        "/v1/",
        "/v1/me/",
        "/v1/ME",
        "/v2/me",
        "/v1/mee",
        "/v1/appointments//join",
        "/v1/appointments/a/join/b",
        "/v1/appointments/a/nothing",
        "/v1/appointments/a/join/",
        "*",
        "/../etc/passwd",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z",
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(paths); i++)
        assert_int_equal(tv_router_match(router, TV_S("GET"), tv_str(paths[i])).verdict,
                         ROUTER_NO_PATH);
}

static void test_methods(void **state) {
    struct router_match m = tv_router_match(router, TV_S("HEAD"), TV_S("/v1/me"));
    assert_int_equal(m.verdict, ROUTER_FOUND);
    assert_string_equal(m.route->method, "GET");

    m = tv_router_match(router, TV_S("DELETE"), TV_S("/v1/me"));
    assert_int_equal(m.verdict, ROUTER_NO_METHOD);
    assert_string_equal(m.allow, "GET, HEAD, PATCH");
    m = tv_router_match(router, TV_S("get"), TV_S("/v1/me")); /* methods have a case */
    assert_int_equal(m.verdict, ROUTER_NO_METHOD);
    m = tv_router_match(router, TV_S("GET"), TV_S("/v1/session"));
    assert_int_equal(m.verdict, ROUTER_NO_METHOD);
    assert_non_null(strstr(m.allow, "POST"));
    assert_non_null(strstr(m.allow, "DELETE"));
}

static void test_literals_win(void **state) {
    static const struct tv_route routes[] = {
        {.id = 0, .method = "GET", .path = "/a/{x}"},
        {.id = 1, .method = "GET", .path = "/a/b"},
        {.id = 2, .method = "GET", .path = "/a/{x}/{y}"},
    };
    struct tv_router *r = tv_router_new(routes, TV_ARRAY_LEN(routes));
    assert_int_equal(tv_router_match(r, TV_S("GET"), TV_S("/a/b")).route->id, 1);
    struct router_match m = tv_router_match(r, TV_S("GET"), TV_S("/a/%2F"));
    assert_int_equal(m.route->id, 0);
    assert_true(tv_str_eqz(m.values[0], "%2F"));
    m = tv_router_match(r, TV_S("GET"), TV_S("/a/1/2"));
    assert_int_equal(m.route->id, 2);
    assert_true(tv_str_eqz(m.values[1], "2"));
    tv_router_free(r);
    tv_router_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route),
        cmocka_unit_test(test_not_there),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_literals_win),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
