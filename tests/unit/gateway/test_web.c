/* The web app as browsers get it from the built gateway. */
#include "tests/unit/gateway/folder.h"

#include "services/gateway/web.h"

#define FOR_EVER "public, max-age=31536000, immutable"
#define PAGES "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "        \
    "font-src 'self'; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; "            \
    "connect-src 'self' wss://media.example.org:7443 https://media.example.org:7443; "             \
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"

static struct test_gateway *g;
static char folder[400];

static int clear(void **state) {
    test_gateway_clear(g);
    return 0;
}

static int start(void **state) {
    char dir[450], url[] = "TELEVISIT_PUBLIC_URL=https://visits.example.org";
    char livekit[] = "LIVEKIT_URL=wss://media.example.org:7443/rtc?x=1";
    char rates[] = "TELEVISIT_RATE_PERCENT=1"; /* a file costs none of it */
    char *env[] = {dir, url, livekit, rates, NULL};
    (void)snprintf(dir, sizeof dir, "TELEVISIT_WEB_DIR=%s", folder_app(folder, sizeof folder));
    g = test_gateway_start(env);
    return 0;
}

static int stop(void **state) {
    test_gateway_stop(g);
    return 0;
}

/* The fields that every page and file has. */
static void expect_web(const struct test_answer *r, unsigned status) {
    if (r->status != status)
        fail_msg("%u, not %u: %s%s", r->status, status, r->head, r->body);
    expect_field(g, r, "Content-Security-Policy", POLICY);
    expect_field(g, r, "Permissions-Policy",
                 "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), "
                 "screen-wake-lock=(self), speaker-selection=(self), autoplay=(self), "
                 "geolocation=()");
    expect_field(g, r, "X-Content-Type-Options", "nosniff");
    expect_field(g, r, "Referrer-Policy", "no-referrer");
    expect_field(g, r, "Cross-Origin-Opener-Policy", "same-origin");
    expect_field(g, r, "Cross-Origin-Resource-Policy", "same-origin");
    expect_field(g, r, "Strict-Transport-Security", "max-age=31536000");
    assert_non_null(test_field(g, r, "ETag"));
    assert_null(test_answer_field(r, "Cache-Control", 1, g->arena));
    assert_null(test_answer_field(r, "Content-Security-Policy", 1, g->arena));
    assert_null(test_field(g, r, "Access-Control-Allow-Origin"));
}

static void test_files(void **state) {
    static const struct {
        const char *target, *media_type, *keep, *body;
    } rows[] = {
        {"/", "text/html; charset=utf-8", "no-cache", INDEX},
        {"/index.html", "text/html; charset=utf-8", "no-cache", INDEX},
        {"/?clinic=demo", "text/html; charset=utf-8", "no-cache", INDEX},
        {"/sw.js", "text/javascript; charset=utf-8", "no-cache", "// worker"},
        {"/manifest.webmanifest", "application/manifest+json", "no-cache", "{}"},
        {"/icons/a%20b.svg", "image/svg+xml", "no-cache", "<svg/>"},
        {"/%69cons/icon%2Epng", "image/png", "no-cache", "png"},
        {"/empty.txt", "text/plain; charset=utf-8", "no-cache", ""},
        {"/assets/app-1f2e.js", "text/javascript; charset=utf-8", FOR_EVER, SCRIPT},
        {"/assets/app-1f2e.js?v=2", "text/javascript; charset=utf-8", FOR_EVER, SCRIPT},
        {"/assets/font.woff2", "font/woff2", FOR_EVER, "woff2"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct test_answer r = test_ask(g, "GET", rows[i].target, NULL, NULL);
        expect_web(&r, 200);
        expect_field(g, &r, "Content-Type", rows[i].media_type);
        expect_field(g, &r, "Cache-Control", rows[i].keep);
        expect_field(g, &r, "Vary", "Accept-Encoding");
        assert_null(test_field(g, &r, "Content-Encoding"));
        assert_string_equal(r.body, rows[i].body);

        struct test_answer head = test_ask(g, "HEAD", rows[i].target, NULL, NULL);
        expect_web(&head, 200);
        assert_int_equal(head.body_bytes, 0);
        expect_field(g, &head, "Content-Length", test_field(g, &r, "Content-Length"));
        expect_field(g, &head, "ETag", test_field(g, &r, "ETag"));
    }
}

static void test_codings(void **state) {
    static const struct {
        const char *target, *accepts, *coding, *body;
    } rows[] = {
        {"/", "gzip, deflate, br, zstd", "br", "br of the page"},
        {"/", "gzip", "gzip", "gz of the page"},
        {"/", "br;q=0.1, gzip;q=0.2", "gzip", "gz of the page"},
        {"/", "br;q=0, gzip;q=0", NULL, INDEX},
        {"/assets/app-1f2e.js", "gzip, br", "br", "br of the script"},
        {"/assets/app-1f2e.js", "gzip", NULL, SCRIPT},
        {"/sw.js", "gzip, br", NULL, "// worker"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        const char *fields = tv_arena_printf(g->arena, "Accept-Encoding: %s\r\n", rows[i].accepts);
        struct test_answer r = test_ask(g, "GET", rows[i].target, fields, NULL);
        expect_web(&r, 200);
        expect_field(g, &r, "Vary", "Accept-Encoding");
        if (rows[i].coding != NULL)
            expect_field(g, &r, "Content-Encoding", rows[i].coding);
        else
            assert_null(test_field(g, &r, "Content-Encoding"));
        assert_string_equal(r.body, rows[i].body);
    }
}

static void test_not_modified(void **state) {
    static const char *const codings[] = {"br", "gzip", "identity"};
    for (size_t i = 0; i < TV_ARRAY_LEN(codings); i++) {
        const char *takes = tv_arena_printf(g->arena, "Accept-Encoding: %s\r\n", codings[i]);
        struct test_answer r = test_ask(g, "GET", "/", takes, NULL);
        expect_web(&r, 200);
        const char *tag = test_field(g, &r, "ETag");
        for (size_t k = 0; k < TV_ARRAY_LEN(codings); k++) {
            const char *again = tv_arena_printf(
                g->arena, "Accept-Encoding: %s\r\nIf-None-Match: \"x\", %s\r\n", codings[k], tag);
            r = test_ask(g, "GET", "/", again, NULL);
            expect_web(&r, i == k ? 304 : 200); /* a tag is of one variant */
            expect_field(g, &r, "Cache-Control", "no-cache");
            expect_field(g, &r, "Vary", "Accept-Encoding");
            if (i != k)
                continue;
            assert_int_equal(r.body_bytes, 0);
            assert_null(test_field(g, &r, "Content-Encoding"));
            expect_field(g, &r, "ETag", tag);
        }
    }
    struct test_answer r = test_ask(g, "HEAD", "/", "If-None-Match: *\r\n", NULL);
    expect_web(&r, 304);
}

/* What is not a file: an address within the app, or nothing at all. */
static void test_routes_of_the_app(void **state) {
    static const struct {
        const char *target, *fields;
        bool page;
    } rows[] = {
        {"/appointments", PAGES, true},
        {"/appointments/123/", PAGES, true},
        {"/a.b/c", PAGES, true},
        {"/visits/J%C3%BCrgen", PAGES, true},
        {"/v1x", PAGES, true},
        {"/appointments", "Sec-Fetch-Mode: navigate\r\n", true},
        {"/appointments", "Sec-Fetch-Mode: navigate\r\nAccept: */*\r\n", true},
        {"/appointments", NULL, false},
        {"/appointments", "Accept: */*\r\n", false},
        {"/appointments", "Accept: application/json\r\nSec-Fetch-Mode: cors\r\n", false},
        {"/appointments", "Accept: text/html;q=0\r\n", false},
        {"/old.js", PAGES, false},
        {"/assets/app-0000.js", PAGES, false},
        {"/assets/app-1f2e.js.map", PAGES, false},
        {"/index.html.br", PAGES, false},
        {"/.env", PAGES, false},
        {"/v1", PAGES, false},
        {"/v1/", PAGES, false},
        {"/v1/nothing", PAGES, false},
        {"/%761/nothing", PAGES, false},
        {"/bad%", PAGES, false},
        {"/bad%2", PAGES, false},
        {"/bad%zz", PAGES, false},
        {"/bad%00", PAGES, false},
        {"/bad%ff", PAGES, false},
        {"/index.html%00", PAGES, false},
        {"/../index.html", NULL, false},
        {"/%2e%2e/%2e%2e/etc/passwd", NULL, false},
        {"/assets/../sw.js", PAGES, false},
        {"//sw.js", NULL, false},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct test_answer r = test_ask(g, "GET", rows[i].target, rows[i].fields, NULL);
        if (!rows[i].page) {
            expect_problem(g, &r, TV_ERR_NOT_FOUND);
            continue;
        }
        expect_web(&r, 200);
        expect_field(g, &r, "Content-Type", "text/html; charset=utf-8");
        expect_field(g, &r, "Cache-Control", "no-cache");
        expect_field(g, &r, "Vary", "Accept-Encoding, Accept, Sec-Fetch-Mode");
        assert_string_equal(r.body, INDEX);
    }
}

static void test_methods(void **state) {
    static const char *const files[] = {"/", "/sw.js", "/assets/app-1f2e.js"};
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"};
    for (size_t i = 0; i < TV_ARRAY_LEN(files); i++)
        for (size_t k = 0; k < TV_ARRAY_LEN(methods); k++) {
            struct test_answer r = test_ask(g, methods[k], files[i], PAGES, "{}");
            expect_problem(g, &r, TV_ERR_METHOD_NOT_ALLOWED);
            expect_field(g, &r, "Allow", "GET, HEAD");
        }
    struct test_answer r = test_ask(g, "POST", "/appointments", PAGES, "{}");
    expect_problem(g, &r, TV_ERR_NOT_FOUND);
}

/* The API is what it was: its routes win, with its own fields. */
static void test_api_wins(void **state) {
    struct test_answer r = test_ask(g, "GET", "/healthz", PAGES, NULL);
    expect_status(g, &r, 200);
    expect_field(g, &r, "Content-Type", "application/json");
    r = test_ask(g, "GET", "/v1/me", PAGES, NULL);
    expect_problem(g, &r, TV_ERR_UNAUTHENTICATED);
    r = test_ask(g, "PUT", "/v1/appointments", PAGES, NULL);
    expect_problem(g, &r, TV_ERR_METHOD_NOT_ALLOWED);
}

static void test_counts_and_log(void **state) {
    static const char name[] = "tv_http_requests_total{operation=\"web\",status=\"2xx\"}";
    double before = test_gateway_metric(g, name);
    assert_true(before >= 0);
    for (int i = 0; i < 200; i++) { /* far beyond what the limits would let pass */
        struct test_answer r = test_ask(g, "GET", "/assets/app-1f2e.js", NULL, NULL);
        expect_web(&r, 200);
    }
    test_gateway_until_metric(g, name, before + 200);
    char *log = test_proc_log(g->proc);
    expect_in(log, "\"route\":\"web\",\"status\":200");
    free(log);
}

static bool is_closed(void *client) { return test_http_closed(client); }

/* One connection, one file after the other, as a browser asks. */
static void test_one_connection(void **state) {
    struct test_http *c = test_http_open(g->loop, g->port, 0);
    test_http_send(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /sw.js HTTP/1.1\r\nHost: x\r\n\r\n"
                      "GET /assets/app-1f2e.css HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    test_gateway_until(g, is_closed, c, "the end of the third answer");
    struct test_answer r = test_ask_end(g, c);
    expect_web(&r, 200);
    expect_in(r.body, INDEX);
    expect_in(r.body, "// worker");
    expect_in(r.body, "body{}");
}

/* A new build does not change what a running gateway serves. */
static void test_new_build(void **state) {
    folder_put(folder, "sw.js", "// another worker");
    struct test_answer r = test_ask(g, "GET", "/sw.js", NULL, NULL);
    expect_web(&r, 200);
    assert_string_equal(r.body, "// worker");
}

static void test_without_the_bus(void **state) {
    test_nats_kill(&g->nats);
    struct test_answer r = test_ask(g, "GET", "/appointments", PAGES, NULL);
    expect_web(&r, 200);
    r = test_ask(g, "GET", "/assets/app-1f2e.js", NULL, NULL);
    expect_web(&r, 200);
    test_nats_restart(&g->nats);
}

/* -- what stands in its way at start ------------------------------------------------------------*/

static void test_livekit_url(void **state) {
    static const struct {
        const char *url;
        bool good;
    } rows[] = {
        {NULL, true},
        {"ws://localhost:7880", true},
        {"wss://[2001:db8::1]:443/", true},
        {"wss://media.example.org#x", true},
        {"wss://media.example.org;script-src", false},
        {"wss://media.example.org,x", false},
        {"wss://user:secret@media.example.org", false},
        {"wss://m\xc3\xbcller.example", false},
        {"wss:///rtc", false},
        {"wss://'self'", false},
        {"wss://*", false},
    };
    char dir[400];
    folder_app(dir, sizeof dir);
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_web *web = NULL;
        struct tv_error e = TV_ERROR_INIT;
        enum tv_err err = tv_web_new(dir, rows[i].url, &web, &e);
        if (err != (rows[i].good ? TV_OK : TV_ERR_INVALID))
            fail_msg("%s: %d %s", rows[i].url, err, e.detail);
        if (err != TV_OK)
            expect_in(e.detail, "LIVEKIT_URL");
        tv_web_free(web);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_files, clear),
        cmocka_unit_test_teardown(test_codings, clear),
        cmocka_unit_test_teardown(test_not_modified, clear),
        cmocka_unit_test_teardown(test_routes_of_the_app, clear),
        cmocka_unit_test_teardown(test_methods, clear),
        cmocka_unit_test_teardown(test_api_wins, clear),
        cmocka_unit_test_teardown(test_counts_and_log, clear),
        cmocka_unit_test_teardown(test_one_connection, clear),
        cmocka_unit_test_teardown(test_new_build, clear),
        cmocka_unit_test_teardown(test_without_the_bus, clear),
        cmocka_unit_test_teardown(test_livekit_url, clear),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
