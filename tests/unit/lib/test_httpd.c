/* The HTTP server and well-behaved clients: one connection, many, streams, the end. */
#include "tests/unit/lib/httpd_rig.h"

/* -- ordinary clients ---------------------------------------------------------------------------*/

static void test_one_connection_many_requests(void **state) {
    struct client c;

    start(usual());
    c = dial();
    say(&c, GET("/a?x=1"));
    expect(&c, 200, "\r\n\r\nhello");
    assert_string_equal(t.peer, "127.0.0.1");
    say(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    expect(&c, 200, "\r\n\r\nabc");
    say(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    expect(&c, 200, "\r\n\r\nabcdefg");
    say(&c, GET("/empty"));
    expect(&c, 204, "\r\n");
    say(&c, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    c.head = true;
    expect(&c, 200, "Content-Length: 5\r\n");
    c.head = false;
    say(&c, GET("/a"));
    expect(&c, 200, "hello"); /* nothing of the HEAD's body came before it */
    say(&c, "GET /field HTTP/1.1\r\nhost: h\r\nX-TEST: one\r\nx-test: two\r\n\r\n");
    expect(&c, 200, "\r\n\r\none");
    say(&c, GET("/field"));
    expect(&c, 200, "\r\n\r\nnone");
    assert_int_equal(t.requests, 8);
    assert_int_equal(tv_httpd_connections(t.httpd), 1);
    hang_up(&c);
    assert_true(wait_for(nobody_connected, NULL));
}

static void test_the_target_is_kept_as_sent(void **state) {
    struct client c;
    unsigned one = 1;

    start(usual());
    c = dial();
    say(&c, GET("/hold?a=%2F&b=+c?d"));
    assert_true(wait_for(held_enough, &one));
    assert_true(tv_str_eq(tv_http_query(t.held[0]), TV_S("a=%2F&b=+c?d")));
    assert_true(tv_str_eq(tv_http_path(t.held[0]), TV_S("/hold")));
    assert_true(tv_str_eq(tv_http_method(t.held[0]), TV_S("GET")));
    assert_false(tv_http_answered(t.held[0]));
    respond_text(t.held[0], 200, TV_S("x"));
    expect(&c, 200, "x");
    say(&c, GET("/%68old/%2e%2e?"));
    expect(&c, 200, "hello"); /* not /hold: nothing was decoded */
    hang_up(&c);
}

static void test_pipelining(void **state) {
    struct client c;
    unsigned one = 1;

    start(usual());
    c = dial();
    say(&c, GET("/1") GET("/hold") "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nzz" GET(
                "/field") GET("/empty"));
    assert_true(wait_for(held_enough, &one));
    expect(&c, 200, "hello");
    assert_int_equal(t.requests, 2); /* the rest waits for its turn */
    respond_text(t.held[0], 202, TV_S("later"));
    expect(&c, 202, "later");
    expect(&c, 200, "zz");
    expect(&c, 200, "none");
    expect(&c, 204, "");
    hang_up(&c);
}

static void test_many_deferred(void **state) {
    static struct client c[300];
    unsigned n = TV_ARRAY_LEN(c);

    start(usual());
    for (unsigned i = 0; i < n; i++) {
        c[i] = dial();
        say(&c[i], GET("/hold"));
    }
    assert_true(wait_for(held_enough, &n));
    for (unsigned i = n; i-- > 0;)
        respond_text(t.held[i], i % 2 ? 409 : 200, TV_S("done"));
    for (unsigned i = 0; i < n; i++) {
        char *text;

        assert_true(wait_for(heard, &c[i]));
        text = answer(&c[i], (int)number(c[i].in.data + 9));
        assert_non_null(strstr(text, "done"));
        free(text);
        hang_up(&c[i]);
    }
    assert_true(wait_for(all_ended, NULL));
    assert_int_equal(t.ends, n);
}

/* Bytes that stay are sent from where they are, however long the client takes. */
static void test_lasting_bytes(void **state) {
    struct client c;
    char *text, *body;

    start(usual());
    c = dial();
    for (int i = 0; i < 2; i++) {
        say(&c, GET("/lasting"));
        text = answer(&c, 200);
        body = strstr(text, "\r\n\r\n") + 4;
        assert_int_equal(strlen(body), 8 << 20);
        assert_int_equal(strspn(body, "b"), 8 << 20);
        free(text);
    }
    say(&c, "HEAD /lasting HTTP/1.1\r\nHost: h\r\n\r\n");
    c.head = true;
    expect(&c, 200, "Content-Length: 8388608\r\n");
    hang_up(&c);
}

static void test_old_client(void **state) {
    struct client c;

    start(usual());
    c = dial();
    say(&c, "GET / HTTP/1.0\r\n\r\n");
    expect(&c, 200, "hello");
    expect_eof(&c);
    hang_up(&c);
}

static void test_no_injection_into_fields(void **state) {
    struct client c;
    char *text;

    start(usual());
    c = dial();
    say(&c, GET("/inject"));
    text = answer(&c, 200);
    assert_null(strstr(text, "X-B"));
    assert_non_null(strstr(text, "X-C: 3"));
    free(text);
    hang_up(&c);
}

/* -- streams ------------------------------------------------------------------------------------*/

static struct client open_stream(void) {
    struct client c = dial();

    say(&c, GET("/stream"));
    assert_true(wait_for(stream_open, NULL));
    return c;
}

struct wanted {
    struct client *client;
    const char *text;
};

static bool has_text(void *ctx) {
    struct wanted *w = ctx;

    heard(w->client);
    return w->client->in.len > 0 && strstr(w->client->in.data, w->text) != NULL;
}

static void expect_text(struct client *c, const char *text) {
    struct wanted w = {c, text};

    assert_true(wait_for(has_text, &w));
}

static void test_stream(void **state) {
    struct client c;

    start(usual());
    c = open_stream();
    expect_text(&c, "Content-Type: text/event-stream\r\n");
    assert_true(tv_http_write(t.stream, TV_S("data: one\n\n")));
    expect_text(&c, "data: one\n\n");
    for (int i = 0; i < 2000; i++) { /* in sum far more than the queue */
        char text[64];

        snprintf(text, sizeof(text), "data: event %d .................\n\n", i);
        assert_true(tv_http_write(t.stream, tv_str(text)));
        if (i % 20 == 19)
            expect_text(&c, text);
    }
    assert_true(tv_http_write(t.stream, TV_S("last")));
    tv_http_close(t.stream);
    assert_false(tv_http_write(t.stream, TV_S("too late")));
    expect_text(&c, "last\r\n0\r\n\r\n");
    assert_true(wait_for(all_ended, NULL));
    assert_null(strstr(c.in.data, "too late"));
    hang_up(&c);
}

static bool write_until_cut(void *ctx) {
    static const char event[QUEUE_MAX / 2] = {[0 ... QUEUE_MAX / 2 - 2] = 'x'};
    bool *ok = ctx;

    if (t.stream != NULL && *ok)
        *ok = tv_http_write(t.stream, tv_str(event));
    return t.stream == NULL;
}

static void test_slow_reader_is_cut(void **state) {
    struct client c;
    bool ok = true;

    start(usual());
    c = open_stream();
    assert_true(wait_for(write_until_cut, &ok));
    assert_false(ok);
    assert_true(wait_for(nobody_connected, NULL));
    assert_int_equal(t.ends, 1);
    hang_up(&c);
}

static void test_one_write_above_the_queue(void **state) {
    static const char event[QUEUE_MAX + 2] = {[0 ... QUEUE_MAX] = 'x'};
    struct client c;

    start(usual());
    c = open_stream();
    assert_false(tv_http_write(t.stream, tv_str(event)));
    assert_true(wait_for(all_ended, NULL));
    hang_up(&c);
}

static void test_stream_whose_reader_left(void **state) {
    struct client c;

    start(usual());
    c = open_stream();
    assert_true(tv_http_write(t.stream, TV_S(": here\n\n")));
    expect_text(&c, ": here");
    hang_up(&c);
    assert_false(tv_loop_run_until(t.loop, all_ended, NULL, 20 * TV_US_PER_MS));
    assert_false(tv_http_write(t.stream, TV_S(": heartbeat\n\n"))); /* the first one tells */
    assert_true(wait_for(all_ended, NULL));
}

/* -- the end ------------------------------------------------------------------------------------*/

static void test_quiesce(void **state) {
    struct client c, stream, late;
    unsigned one = 1;
    struct sockaddr_in a = {.sin_family = AF_INET};

    start(usual());
    c = dial();
    stream = open_stream();
    say(&c, GET("/hold"));
    assert_true(wait_for(held_enough, &one));
    tv_httpd_quiesce(t.httpd);
    late.fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_port = htons((uint16_t)tv_httpd_port(t.httpd));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(late.fd, (struct sockaddr *)&a, sizeof(a)), -1);
    close(late.fd);
    respond_text(t.held[0], 200, TV_S("the last"));
    expect(&c, 200, "Connection: close\r\n");
    expect_eof(&c);
    tv_http_close(t.stream);
    expect_eof(&stream);
    assert_true(wait_for(nobody_connected, NULL));
    hang_up(&c);
    hang_up(&stream);
}

/* A keep-alive client that is seen off has its answer, and goes; another may still come. */
static void test_clients_are_seen_off(void **state) {
    struct client kept, late;

    start(usual());
    kept = dial();
    say(&kept, GET("/"));
    expect(&kept, 200, "hello");
    tv_httpd_see_off(t.httpd);
    say(&kept, GET("/"));
    expect(&kept, 200, "Connection: close\r\n");
    expect_eof(&kept);
    late = dial();
    say(&late, GET("/"));
    expect(&late, 200, "Connection: close\r\n");
    expect_eof(&late);
    hang_up(&kept);
    hang_up(&late);
}

/* Whoever asks for nothing is closed when the server quiesces, with an end and no reset; a request
 * that has come by then is answered. */
static void test_idle_clients_are_closed(void **state) {
    struct client fresh, kept, asking;

    start(usual());
    fresh = dial();
    kept = dial();
    say(&kept, GET("/"));
    expect(&kept, 200, "hello");
    asking = dial();
    say(&asking, GET("/"));
    expect(&asking, 200, "hello");
    say(&asking, GET("/")); /* in the socket, not read yet */
    tv_httpd_quiesce(t.httpd);
    expect(&asking, 200, "Connection: close\r\n");
    expect_eof(&asking);
    expect_eof(&kept);
    expect_eof(&fresh);
    assert_true(wait_for(nobody_connected, NULL));
    hang_up(&fresh);
    hang_up(&kept);
    hang_up(&asking);
}

static void test_stop_with_everything_open(void **state) {
    struct client idle, half, body, held, stream;
    unsigned one = 1;

    start(usual());
    idle = dial();
    say(&idle, GET("/"));
    expect(&idle, 200, "hello");
    half = dial();
    say(&half, "GET / HT");
    body = dial();
    say(&body, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc");
    held = dial();
    say(&held, GET("/hold"));
    stream = open_stream();
    assert_true(wait_for(held_enough, &one));
    tv_httpd_free(t.httpd);
    t.httpd = NULL;
    assert_int_equal(t.ends, t.heads);
    assert_null(t.held[0]);
    assert_null(t.stream);
    expect_eof(&idle);
    expect_eof(&half);
    expect_eof(&body);
    expect_eof(&held);
    expect_eof(&stream);
    hang_up(&idle);
    hang_up(&half);
    hang_up(&body);
    hang_up(&held);
    hang_up(&stream);
}

static void test_addresses(void **state) {
    static const struct {
        const char *address;
        bool ok;
    } rows[] = {
        {"127.0.0.1:0", true}, {"[::]:0", true},       {"0.0.0.0:0", true},
        {"127.0.0.1", false},  {":8080", false},       {"", false},
        {"[::1", false},       {"999.1.1.1:0", false}, {"192.0.2.1:0", false}, /* not ours */
    };

    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_httpd_config config = usual();
        struct tv_httpd *d;
        struct tv_error e = TV_ERROR_INIT;

        config.address = rows[i].address;
        if (rows[i].ok) {
            assert_int_equal(tv_httpd_new(t.loop, &config, &d, &e), TV_OK);
            tv_httpd_free(d);
        } else {
            assert_int_equal(tv_httpd_new(t.loop, &config, &d, &e), TV_ERR_UNAVAILABLE);
            assert_true(strlen(e.detail) > 0);
        }
    }
}

static void test_both_families_on_one_socket(void **state) {
    struct tv_httpd_config config = usual();
    struct client c;

    config.address = "[::]:0";
    start(config);
    c = dial();
    say(&c, GET("/"));
    expect(&c, 200, "hello");
    assert_string_equal(t.peer, "127.0.0.1"); /* not ::ffff:127.0.0.1 */
    hang_up(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_one_connection_many_requests),
        T(test_the_target_is_kept_as_sent),
        T(test_pipelining),
        T(test_many_deferred),
        T(test_lasting_bytes),
        T(test_old_client),
        T(test_no_injection_into_fields),
        T(test_stream),
        T(test_slow_reader_is_cut),
        T(test_one_write_above_the_queue),
        T(test_stream_whose_reader_left),
        T(test_quiesce),
        T(test_clients_are_seen_off),
        T(test_idle_clients_are_closed),
        T(test_stop_with_everything_open),
        T(test_addresses),
        T(test_both_families_on_one_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
