/* Event streams of the built gateway: each notice once and in order, whatever the bus loses. */
#include "tests/unit/gateway/inbox.h"

#define ENTRY_END "\"timeZone\":\"Europe/Berlin\",\"actorId\":\"" TEST_PERSON "\"}\n\n"

static struct test_gateway *g;

static int clear(void **state) {
    test_gateway_clear(g);
    return 0;
}

/* A gateway that looks after its streams so seldom that a test sees what happens without. */
static int start_quiet(void **state) {
    char check[] = "TELEVISIT_STREAM_CHECK=60s", beat[] = "TELEVISIT_STREAM_BEAT=60s";
    char *env[] = {check, beat, NULL};
    g = test_gateway_start(env);
    test_gateway_serve(g);
    return 0;
}

static int start_watchful(void **state) {
    char check[] = "TELEVISIT_STREAM_CHECK=200ms", beat[] = "TELEVISIT_STREAM_BEAT=200ms";
    char *env[] = {check, beat, NULL};
    g = test_gateway_start(env);
    test_gateway_serve(g);
    return 0;
}

static int stop(void **state) {
    test_gateway_stop(g);
    return 0;
}

static void tell(int64_t seq) { inbox_tell(g, inbox_entry(g, seq, g->arena)); }

static void expect_ids(const struct test_http *c, const char *ids) {
    const char *found = stream_ids(g, c);
    if (strcmp(found, ids) != 0)
        fail_msg("%s, not %s\n%s", found, ids, stream_answer(g, c).body);
}

/* -- from the bus to the browser ----------------------------------------------------------------*/

static void test_head_and_form(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    struct test_http *c = stream_open(g, "/v1/events", "");
    struct test_answer r = stream_answer(g, c);
    expect_status(g, &r, 200);
    expect_field(g, &r, "Content-Type", "text/event-stream; charset=utf-8");
    expect_field(g, &r, "X-Accel-Buffering", "no");
    assert_memory_equal(r.body, "retry: ", 7);
    long retry_ms = strtol(r.body + 7, NULL, 10);
    assert_true(retry_ms >= 2000 && retry_ms < 5000);

    inbox.last = 11;
    tell(11);
    stream_until(g, c, "id: 11\n");
    r = stream_answer(g, c);
    expect_in(r.body, "\n\nid: 11\nevent: appointment.confirmed\ndata: {\"seq\":\"11\",");
    expect_in(r.body, ENTRY_END);
    const Televisit__V1__ListInboxRequest *in =
        (const Televisit__V1__ListInboxRequest *)test_fake_request(g, "Inbox.List");
    assert_int_equal(in->limit, 1); /* a new stream asks where the inbox ends, no more */
    assert_string_equal(test_fake_context(g, "Inbox.List")->actor.person_id, inbox.person);
    assert_true(test_gateway_metric(g, "tv_streams") >= 1);
    test_http_close(c);
}

static void test_doubled_and_late(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    struct test_http *c = stream_open(g, "/v1/events", "");
    static const int64_t seqs[] = {11, 11, 10, 12, 11, 1, 12, 13};
    inbox.last = 13;
    for (size_t i = 0; i < TV_ARRAY_LEN(seqs); i++)
        tell(seqs[i]);
    stream_until(g, c, "id: 13\n");
    expect_ids(c, "11 12 13");
    assert_int_equal(test_fake_calls(g, "Inbox.List"), 1);
    test_http_close(c);
}

static void test_gap(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    struct test_http *c = stream_open(g, "/v1/events", "");
    inbox.last = 14;
    tell(11);
    tell(14);
    stream_until(g, c, "id: 14\n");
    expect_ids(c, "11 12 13 14");
    assert_int_equal(test_fake_calls(g, "Inbox.List"), 2);
    const Televisit__V1__ListInboxRequest *in =
        (const Televisit__V1__ListInboxRequest *)test_fake_request(g, "Inbox.List");
    assert_true(in->after == 11);
    inbox.last = 15;
    tell(15);
    stream_until(g, c, "id: 15\n");
    assert_int_equal(test_fake_calls(g, "Inbox.List"), 2); /* live again */
    test_http_close(c);
}

/* What is not for this stream, and what is no notice at all. */
static void test_not_ours(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    struct test_http *c = stream_open(g, "/v1/events", "");
    Televisit__V1__InboxEntry *e = inbox_entry(g, 11, g->arena);
    e->clinic_id = tv_arena_strdup(g->arena, TEST_SESSION);
    inbox_tell(g, e);
    e = inbox_entry(g, 11, g->arena);
    e->person_id = tv_arena_strdup(g->arena, TEST_SESSION);
    inbox_tell(g, e);
    const char *subject = tv_arena_printf(g->arena, "tv.v1.inbox." TEST_CLINIC ".%s", inbox.person);
    (void)tv_bus_publish(g->bus, subject, NULL, 0, TV_S("\xff\xff\xff"));
    (void)tv_bus_publish(g->bus, subject, NULL, 0, TV_S(""));
    inbox.last = 11;
    tell(11);
    stream_until(g, c, "id: 11\n");
    expect_ids(c, "11");
    expect_in(stream_answer(g, c).body, "\"clinicId\":\"" TEST_CLINIC "\"");
    assert_int_equal(test_fake_calls(g, "Inbox.List"), 1);

    /* A type that would break the lines of the stream, and one that does not fit: the client is
     * told to look for itself. */
    inbox.last = 12;
    e = inbox_entry(g, 12, g->arena);
    e->type = tv_arena_strdup(g->arena, "x\nid: 99");
    inbox_tell(g, e);
    stream_until(g, c, "id: 12\n"); /* read again, and there it is in order */
    char *long_zone = tv_arena_alloc(g->arena, 9001);
    memset(long_zone, 'z', 9000);
    long_zone[9000] = '\0';
    inbox.last = 13;
    e = inbox_entry(g, 13, g->arena);
    e->time_zone = long_zone;
    inbox_tell(g, e);
    stream_until(g, c, "id: 13\n");
    expect_ids(c, "11 12 13");
    assert_null(strstr(stream_answer(g, c).body, "id: 99"));
    static const char end[] = ENTRY_END; /* as it was read, whole */
    struct test_answer r = stream_answer(g, c);
    assert_string_equal(r.body + r.body_bytes - strlen(end), end);
    test_http_close(c);
}

static void test_two_streams_of_a_person(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    struct test_http *a = stream_open(g, "/v1/events", "");
    struct test_http *b = stream_open(g, "/v1/events?after=8", "");
    inbox.last = 11;
    tell(11);
    stream_until(g, a, "id: 11\n");
    stream_until(g, b, "id: 11\n");
    expect_ids(a, "11");
    expect_ids(b, "9 10 11");
    test_http_close(a);
    test_http_close(b);
}

/* -- where a client goes on ---------------------------------------------------------------------*/

static void test_resume(void **state) {
    static const struct {
        const char *target, *fields;
        int64_t first, last;
        const char *ids;
        unsigned reads;
    } rows[] = {
        {"/v1/events", "Last-Event-ID: 5\r\n", 1, 8, "6 7 8", 1},
        {"/v1/events?after=5", "", 1, 8, "6 7 8", 1},
        {"/v1/events?after=2", "Last-Event-ID: 5\r\n", 1, 8, "6 7 8", 1}, /* the later one */
        {"/v1/events?after=0", "", 1, 3, "1 2 3", 1},
        {"/v1/events?after=7", "", 8, 8, "8", 1}, /* just not too old */
        {"/v1/events?after=5", "", 50, 60, "60*", 1},
        {"/v1/events?after=5", "", 61, 60, "60*", 1}, /* nothing is kept any more */
        {"/v1/events?after=100", "", 1, 8, "8*", 1},
        {"/v1/events", "Last-Event-ID: nonsense\r\n", 1, 2, "1 2", 1},
        {"/v1/events", "Last-Event-ID: 99999999999999999999\r\n", 50, 60, "60*", 1},
        {"/v1/events?after=9223372036854775807", "", 1, 8, "8*", 1},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct inbox inbox = {.first = rows[i].first, .last = rows[i].last};
        test_gateway_clear(g);
        inbox_use(g, &inbox);
        struct test_http *c = stream_open(g, rows[i].target, rows[i].fields);
        stream_until(g, c, tv_arena_printf(g->arena, "id: %lld\n", (long long)rows[i].last));
        inbox.last++;
        tell(inbox.last);
        stream_until(g, c, tv_arena_printf(g->arena, "id: %lld\n", (long long)inbox.last));
        expect_ids(c, tv_arena_printf(g->arena, "%s %lld", rows[i].ids, (long long)inbox.last));
        if (test_fake_calls(g, "Inbox.List") != rows[i].reads)
            fail_msg("row %zu: %u reads", i, test_fake_calls(g, "Inbox.List"));
        test_http_close(c);
    }
}

static void test_many_pages(void **state) {
    struct inbox inbox = {.first = 1, .last = 350};
    inbox_use(g, &inbox);
    struct test_http *c = stream_open(g, "/v1/events?after=0", "");
    stream_until(g, c, "id: 350\n");
    struct tv_buf expected = TV_BUF_INIT(1 << 16);
    for (int i = 1; i <= 350; i++)
        tv_buf_printf(&expected, "%s%d", i > 1 ? " " : "", i);
    expect_ids(c, expected.data);
    tv_buf_done(&expected);
    assert_int_equal(test_fake_calls(g, "Inbox.List"), 4);
    test_http_close(c);
}

static void test_failed_read(void **state) {
    struct inbox inbox = {.first = 1, .last = 8, .failures = 2};
    inbox_use(g, &inbox);
    struct test_http *c = stream_open(g, "/v1/events?after=6", "");
    stream_until(g, c, "id: 8\n");
    expect_ids(c, "7 8");
    assert_int_equal(test_fake_calls(g, "Inbox.List"), 3);
    test_http_close(c);
}

static void test_bad_requests(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    const char *token = inbox_bearer(g, 600);
    struct test_answer r = test_ask(g, "GET", "/v1/events?after=-1", token, NULL);
    expect_problem_at(g, &r, TV_ERR_INVALID, "/after");
    r = test_ask(g, "GET", "/v1/events?after=x", token, NULL);
    expect_problem_at(g, &r, TV_ERR_INVALID, "after");
    r = test_ask(g, "GET", "/v1/events", NULL, NULL);
    expect_problem(g, &r, TV_ERR_UNAUTHENTICATED);
    static const char new_reads[] = "tv_stream_reads_total{reason=\"new\"}";
    double before = test_gateway_metric(g, new_reads);
    r = test_ask(g, "HEAD", "/v1/events", token, NULL);
    expect_status(g, &r, 200);
    expect_field(g, &r, "Content-Type", "text/event-stream; charset=utf-8");
    assert_int_equal(r.body_bytes, 0);
    assert_true(test_gateway_metric(g, new_reads) == before);
}

/* Old entries again and again, though there should be new ones: it does not go on asking. */
static void list_in_circles(struct test_gateway *rig, struct tv_call *call) {
    Televisit__V1__ListInboxReply *reply = TV_PB_NEW(call->arena, Televisit__V1__ListInboxReply,
                                                     televisit__v1__list_inbox_reply__descriptor);
    reply->entries = tv_arena_calloc(call->arena, 1, sizeof *reply->entries);
    reply->entries[reply->n_entries++] = inbox_entry(g, 5, call->arena);
    reply->first_seq = 1;
    reply->last_seq = 9;
    tv_call_reply(call, &reply->base);
}

static void test_circles(void **state) {
    struct inbox inbox = {.first = 1, .last = 9};
    inbox_use(g, &inbox);
    test_fake(g, "Inbox.List", list_in_circles);
    struct test_http *c = stream_open(g, "/v1/events?after=6", "");
    stream_until(g, c, "id: 9\n");
    expect_ids(c, "9*");
    assert_int_equal(test_fake_calls(g, "Inbox.List"), 1);
    test_http_close(c);
}

/* -- limits and ends ----------------------------------------------------------------------------*/

static void test_streams_of_a_person_are_few(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    struct test_http *c[6];
    for (size_t i = 0; i < TV_ARRAY_LEN(c); i++)
        c[i] = stream_open(g, "/v1/events", "");
    const char *token = inbox_bearer(g, 600);
    struct test_answer r = test_ask(g, "GET", "/v1/events", token, NULL);
    expect_problem(g, &r, TV_ERR_RATE_LIMITED);
    assert_non_null(test_field(g, &r, "Retry-After"));

    /* Clients that have gone do not count, though nothing was written to them since. */
    test_http_close(c[0]);
    test_http_close(c[3]);
    c[0] = stream_open(g, "/v1/events", "");
    c[3] = stream_open(g, "/v1/events", "");
    inbox.last = 11;
    tell(11);
    for (size_t i = 0; i < TV_ARRAY_LEN(c); i++) {
        stream_until(g, c[i], "id: 11\n");
        test_http_close(c[i]);
    }
}

static void test_session_ends(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    int64_t start_us = tv_clock_mono_us();
    const char *token = inbox_bearer(g, 2);
    struct test_http *c = test_ask_begin(g, "GET", "/v1/events", token, NULL);
    stream_until(g, c, "event: session-end\ndata: {}\n\n");
    int64_t took_us = tv_clock_mono_us() - start_us;
    assert_true(took_us > TV_US_PER_S && took_us < 5 * TV_US_PER_S);
    stream_until_over(g, c);
    struct test_answer r = stream_answer(g, c);
    assert_true(r.complete);
    test_http_close(c);
}

static bool is_cut(void *ctx) {
    return test_gateway_metric(g, "tv_streams_cut_total") > *(double *)ctx;
}

static void test_stalled_reader(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    double cut_before = test_gateway_metric(g, "tv_streams_cut_total");
    struct test_http *good = stream_open(g, "/v1/events", "");
    struct test_http *c = stream_open_stalled(g);
    inbox_flood(g, good, 5000, is_cut, &cut_before);
    assert_true(is_cut(&cut_before));
    test_http_go_on(c);
    struct stream_wait w = {c, "", false};
    test_gateway_until(g, stream_is_over, &w, "the cut");
    assert_true(test_http_closed(c));
    assert_false(stream_answer(g, c).complete); /* no end of the body: the client comes back */
    test_http_close(c);
    test_http_close(good);
}

/* -- what the gateway finds by itself -----------------------------------------------------------*/

static void test_lost_nudge(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    struct test_http *c = stream_open(g, "/v1/events", "");
    inbox.last = 12;
    stream_until(g, c, "id: 12\n");
    expect_ids(c, "11 12");
    const Televisit__V1__HeadsRequest *in =
        (const Televisit__V1__HeadsRequest *)test_fake_request(g, "Inbox.Heads");
    assert_int_equal(in->n_person_ids, 1);
    assert_string_equal(in->person_ids[0], inbox.person);
    assert_int_equal(test_fake_context(g, "Inbox.Heads")->actor.role, TV_ROLE_SERVICE);
    assert_int_equal(test_fake_calls(g, "Inbox.List"), 2);
    test_http_close(c);
}

static void fail_heads(struct test_gateway *rig, struct tv_call *call) {
    tv_call_failf(call, TV_ERR_UNAVAILABLE, "The database is away");
}

static bool heads_were_asked_thrice(void *ctx) { return test_fake_calls(g, "Inbox.Heads") >= 3; }

static void test_failed_check(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    test_fake(g, "Inbox.Heads", fail_heads);
    struct test_http *c = stream_open(g, "/v1/events", "");
    inbox.last = 11;
    test_gateway_until(g, heads_were_asked_thrice, NULL, "three checks");
    expect_ids(c, "");
    test_fake(g, "Inbox.Heads", inbox_heads);
    stream_until(g, c, "id: 11\n");
    test_http_close(c);
}

static void test_beats(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    struct test_http *c = stream_open(g, "/v1/events", "");
    stream_until(g, c, ": beat\n\n: beat\n\n");
    test_http_close(c);
}

/* A client that went away is found by the beat, and with the last stream the checks end. */
static void test_gone_client(void **state) {
    struct inbox inbox = {.first = 1, .last = 10};
    inbox_use(g, &inbox);
    struct test_http *c = stream_open(g, "/v1/events", "");
    test_http_close(c);
    test_gateway_until_metric(g, "tv_streams", 0);
}

int main(void) {
    const struct CMUnitTest quiet[] = {
        cmocka_unit_test_teardown(test_head_and_form, clear),
        cmocka_unit_test_teardown(test_doubled_and_late, clear),
        cmocka_unit_test_teardown(test_gap, clear),
        cmocka_unit_test_teardown(test_not_ours, clear),
        cmocka_unit_test_teardown(test_two_streams_of_a_person, clear),
        cmocka_unit_test_teardown(test_resume, clear),
        cmocka_unit_test_teardown(test_many_pages, clear),
        cmocka_unit_test_teardown(test_failed_read, clear),
        cmocka_unit_test_teardown(test_bad_requests, clear),
        cmocka_unit_test_teardown(test_circles, clear),
        cmocka_unit_test_teardown(test_streams_of_a_person_are_few, clear),
        cmocka_unit_test_teardown(test_session_ends, clear),
        cmocka_unit_test_teardown(test_stalled_reader, clear),
    };
    const struct CMUnitTest watchful[] = {
        cmocka_unit_test_teardown(test_lost_nudge, clear),
        cmocka_unit_test_teardown(test_failed_check, clear),
        cmocka_unit_test_teardown(test_beats, clear),
        cmocka_unit_test_teardown(test_gone_client, clear),
    };
    int failed = cmocka_run_group_tests(quiet, start_quiet, stop);
    failed += cmocka_run_group_tests(watchful, start_watchful, stop);
    return failed;
}
