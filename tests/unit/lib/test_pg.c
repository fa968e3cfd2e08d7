/* The pool against a real PostgreSQL: units as transactions, bounds, deadlines, lost servers. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/loop.h"
#include "lib/metrics.h"
#include "lib/pg_private.h"
#include "tests/harness/postgres.h"

#define WAIT_US (20 * TV_US_PER_S)

static struct test_postgres postgres;
static struct tv_loop *loop;
static struct tv_pg *pg;
static bool is_over;   /* a test has failed and its answers are gone */
static int states[16]; /* what on_state told */
static unsigned state_count;

#define STATEMENT(variable, ro, sql, ...)                                                          \
    static const char *const variable##_params[] = {__VA_ARGS__};                                  \
    static const struct tv_pg_statement variable = {                                               \
        .name = #variable,                                                                         \
        .text = sql,                                                                               \
        .params = variable##_params,                                                               \
        .param_count = TV_ARRAY_LEN(variable##_params) - 1,                                        \
        .read_only = ro,                                                                           \
    }
STATEMENT(echo, true, "select $1::text as said", "a", NULL);
STATEMENT(divide, true, "select 100 / $1::int", "by", NULL);
STATEMENT(types, true,
          "select 1 as n, null::text as nothing, ''::text as empty, 'x'::text as \"Join.at\","
          " timestamptz '2026-03-29 02:30:00.25+01' as t, timestamptz 'infinity' as never"
          " union all select 2, 'a', 'b', 'c', '1999-12-31 23:59:59.999999Z', '2000-01-01 BC'"
          " order by 1",
          NULL);
STATEMENT(put, false, "insert into probe (n) values ($1::int)", "n", NULL);
STATEMENT(put_late, false, "insert into late (n) values ($1::int)", "n", NULL);
STATEMENT(change, false, "update probe set n = n + 1000 where n < $1::int", "n", NULL);
STATEMENT(nap, true, "select pg_sleep($1::float8)::text", "s", NULL);
STATEMENT(nap_and_put, false,
          "with s as (select pg_sleep($1::float8)) insert into probe select 7 from s", "s", NULL);
STATEMENT(fail_slug, false, "select tv_fail($1::text, $2::text, $3::text)", "state", "slug",
          "detail", NULL);
STATEMENT(collide, false, "select collide($1::int)::text", "times", NULL);
STATEMENT(pid, true, "select pg_backend_pid()::text", NULL);
STATEMENT(end_session, false,
          "with p as (insert into probe values (9))"
          " select pg_terminate_backend(pg_backend_pid())::text",
          NULL);
STATEMENT(end_reader, true, "select pg_terminate_backend(pg_backend_pid())::text", NULL);

static const struct tv_pg_statement *const statements[] = {
    &echo,        &divide,    &types,   &put, &put_late,    &change,    &nap,
    &nap_and_put, &fail_slug, &collide, &pid, &end_session, &end_reader};

static const char schema[] =
    "create table probe (n int primary key check (n >= 0));"
    "create table late (n int primary key deferrable initially deferred);"
    "create table child (n int references probe);"
    "create table span (s int4range, exclude using gist (s with &&));"
    "create sequence tries;"
    "create function tv_fail(state text, slug text, detail text) returns text language plpgsql as"
    " $$ begin raise exception using errcode = state, message = slug, detail = detail; end $$;"
    "create function collide(times int) returns bigint language plpgsql as"
    " $$ declare n bigint := nextval('tries'); begin"
    " if n <= times then raise exception using errcode = '40001'; end if; return n; end $$;";

/* -- helpers ------------------------------------------------------------------------------------*/

struct answer {
    unsigned calls;
    enum tv_err err;
    struct tv_error error;
    unsigned count;
    char text[64]; /* first value of the last result */
};

static void on_done(void *ctx, enum tv_err err, const struct tv_error *e,
                    const struct tv_pg_result *const *results, unsigned count) {
    struct answer *a = ctx;
    if (is_over)
        return;
    a->calls++;
    a->err = err;
    a->error = *e;
    a->count = count;
    if (count > 0 && tv_pg_rows(results[count - 1]) > 0)
        snprintf(a->text, sizeof(a->text), "%s", tv_pg_value(results[count - 1], 0, 0).p);
}

struct awaited {
    const struct answer *answers;
    unsigned count;
};

static bool all_answered(void *ctx) {
    const struct awaited *w = ctx;
    for (unsigned i = 0; i < w->count; i++)
        if (w->answers[i].calls == 0)
            return false;
    return true;
}

static void wait_for(const struct answer *answers, unsigned count) {
    struct awaited w = {answers, count};
    assert_true(tv_loop_run_until(loop, all_answered, &w, WAIT_US));
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(answers[i].calls, 1);
}

static void submit_until(const struct tv_pg_statement *s, const char *const *params,
                         struct answer *a, int64_t after_us) {
    const struct tv_pg_query q = {s, params};
    memset(a, 0, sizeof(*a));
    tv_pg_submit(pg, &q, 1, tv_clock_mono_us() + after_us, on_done, a);
}

/* One statement with one parameter that outlives the unit. */
#define SUBMIT(s, value, a) submit_until(s, (const char *const[]){value}, a, WAIT_US)

static struct answer ask(const struct tv_pg_statement *s, const char *const *params) {
    struct answer a;
    submit_until(s, params, &a, WAIT_US);
    wait_for(&a, 1);
    return a;
}

static void assert_sql(const char *sql, const char *expected) {
    char *value = test_sql(&postgres, sql);
    assert_non_null(value);
    assert_string_equal(value, expected);
    free(value);
}

static void run_sql(const char *sql) { free(test_sql(&postgres, sql)); }

static bool is_usable(void *ctx) { return tv_pg_usable(pg); }
static bool all_usable(void *ctx) { return tv_pg_usable_connections(pg) == *(unsigned *)ctx; }
static bool is_down(void *ctx) { return !tv_pg_usable(pg); }
static bool has_failed(void *ctx) { return tv_pg_last_error(pg)[0] != '\0'; }

static void on_state(void *ctx, bool usable) {
    assert_true(state_count < TV_ARRAY_LEN(states));
    states[state_count++] = usable;
}

static struct tv_pg_config config(unsigned connections, unsigned window) {
    return (struct tv_pg_config){
        .url = postgres.url,
        .application_name = "test_pg",
        .connections = connections,
        .window = window,
        .queue_max = 2000,
        .statement_timeout_us = 10 * TV_US_PER_S,
        .statements = statements,
        .statement_count = TV_ARRAY_LEN(statements),
        .on_state = on_state,
    };
}

static void open_with(struct tv_pg_config c) {
    pg = tv_pg_new(loop, &c);
    assert_true(tv_loop_run_until(loop, all_usable, &c.connections, WAIT_US));
}

static void open_pool(unsigned connections, unsigned window) {
    open_with(config(connections, window));
}

static int set_up(void **state) {
    run_sql("truncate probe, late, child, span; alter sequence tries restart");
    loop = tv_loop_new();
    pg = NULL;
    is_over = false;
    state_count = 0;
    return 0;
}

static int tear_down(void **state) {
    is_over = true;
    tv_pg_free(pg);
    tv_loop_free(loop);
    if (postgres.proc == NULL)
        test_postgres_restart(&postgres);
    tv_metrics_done();
    return 0;
}

static int start(void **state) {
    postgres = test_postgres_start();
    run_sql(schema);
    return 0;
}

static int stop(void **state) {
    test_postgres_stop(&postgres);
    return 0;
}

/* -- results ------------------------------------------------------------------------------------*/

static void on_types(void *ctx, enum tv_err err, const struct tv_error *e,
                     const struct tv_pg_result *const *results, unsigned count) {
    struct answer *a = ctx;
    a->calls++;
    assert_int_equal(err, TV_OK);
    assert_int_equal(e->code, TV_OK);
    assert_int_equal(count, 1);
    const struct tv_pg_result *r = results[0];
    assert_ptr_equal(tv_pg_result_statement(r), &types);
    assert_int_equal(tv_pg_rows(r), 2);
    assert_int_equal(tv_pg_columns(r), 6);
    assert_string_equal(tv_pg_column_name(r, 3), "Join.at");
    assert_int_equal(tv_pg_column(r, "Join.at"), 3);
    assert_int_equal(tv_pg_column(r, "join.at"), -1);
    assert_true(tv_pg_is_null(r, 0, 1));
    assert_int_equal(tv_pg_value(r, 0, 1).len, 0);
    assert_string_equal(tv_pg_value(r, 0, 1).p, "");
    assert_false(tv_pg_is_null(r, 0, 2));
    assert_true(tv_str_eqz(tv_pg_value(r, 1, 3), "c"));
    int64_t us = 0;
    assert_true(tv_pg_time(r, 0, 4, &us));
    assert_int_equal(us, INT64_C(1774747800250000));
    assert_true(tv_pg_time(r, 1, 4, &us));
    assert_int_equal(us, INT64_C(946684799999999));
    assert_false(tv_pg_time(r, 0, 5, &us)); /* infinity */
    assert_false(tv_pg_time(r, 1, 5, &us)); /* BC */
    assert_false(tv_pg_time(r, 0, 1, &us)); /* NULL */
    assert_int_equal(us, INT64_C(946684799999999));
}

static void test_values_and_columns(void **state) {
    open_pool(1, 4);
    const struct tv_pg_query q = {&types, NULL};
    struct answer a = {0};
    tv_pg_submit(pg, &q, 1, tv_clock_mono_us() + WAIT_US, on_types, &a);
    assert_int_equal(a.calls, 0);
    assert_int_equal(tv_pg_pending(pg), 1);
    wait_for(&a, 1);
    assert_int_equal(tv_pg_pending(pg), 0);
}

static void test_statements_are_described(void **state) {
    struct tv_pg_config c = config(2, 4);
    pg = tv_pg_new(loop, &c);
    assert_null(tv_pg_described(pg, &types));
    assert_true(tv_loop_run_until(loop, is_usable, NULL, WAIT_US));
    const struct tv_pg_result *r = tv_pg_described(pg, &types);
    assert_non_null(r);
    assert_int_equal(tv_pg_rows(r), 0);
    assert_int_equal(tv_pg_columns(r), 6);
    assert_string_equal(tv_pg_column_name(r, 3), "Join.at");
    assert_int_equal(tv_pg_column_type(r, 0), 23);   /* int4 */
    assert_int_equal(tv_pg_column_type(r, 4), 1184); /* timestamptz */
    assert_int_equal(tv_pg_columns(tv_pg_described(pg, &put)), 0);
    static const struct tv_pg_statement stranger = {.name = "stranger"};
    assert_null(tv_pg_described(pg, &stranger));
}

static void on_affected(void *ctx, enum tv_err err, const struct tv_error *e,
                        const struct tv_pg_result *const *results, unsigned count) {
    struct answer *a = ctx;
    a->calls++;
    assert_int_equal(err, TV_OK);
    assert_int_equal(tv_pg_affected(results[0]), 1);
    assert_int_equal(tv_pg_affected(results[1]), 3);
}

static void test_affected_rows_and_session(void **state) {
    run_sql("insert into probe values (1), (2)");
    open_pool(1, 4);
    const struct tv_pg_query q[] = {{&put, (const char *const[]){"3"}},
                                    {&change, (const char *const[]){"100"}}};
    struct answer a = {0};
    tv_pg_submit(pg, q, 2, tv_clock_mono_us() + WAIT_US, on_affected, &a);
    wait_for(&a, 1);
    assert_sql("select count(*) from pg_stat_activity where application_name = 'test_pg'", "1");
    a = ask(&echo, (const char *const[]){NULL});
    assert_int_equal(a.err, TV_OK);
    assert_string_equal(a.text, "");
}

/* -- units --------------------------------------------------------------------------------------*/

static void test_unit_is_one_transaction(void **state) {
    open_pool(1, 8);
    struct answer a[3];
    SUBMIT(&put, "1", &a[0]);
    const struct tv_pg_query q[] = {{&put, (const char *const[]){"2"}},
                                    {&put, (const char *const[]){"1"}},
                                    {&put, (const char *const[]){"3"}}};
    memset(&a[1], 0, sizeof(a[1]));
    tv_pg_submit(pg, q, 3, tv_clock_mono_us() + WAIT_US, on_done, &a[1]);
    SUBMIT(&put, "4", &a[2]);
    wait_for(a, 3);
    assert_int_equal(a[0].err, TV_OK);
    assert_int_equal(a[1].err, TV_ERR_CONFLICT);
    assert_int_equal(a[1].count, 0);
    assert_string_equal(a[1].error.detail, "");
    assert_int_equal(a[2].err, TV_OK);
    assert_sql("select string_agg(n::text, ',' order by n) from probe", "1,4");
}

static void test_refusal_at_commit(void **state) {
    open_pool(1, 8);
    struct answer a[3];
    SUBMIT(&put_late, "1", &a[0]);
    SUBMIT(&put_late, "1", &a[1]); /* deferred: the insert succeeds, the commit does not */
    SUBMIT(&put_late, "2", &a[2]);
    wait_for(a, 3);
    assert_int_equal(a[0].err, TV_OK);
    assert_int_equal(a[1].err, TV_ERR_CONFLICT);
    assert_int_equal(a[2].err, TV_OK);
    assert_sql("select string_agg(n::text, ',' order by n) from late", "1,2");
}

/* Readers share a transaction on the wire; the fault of one is not theirs. */
static void test_failing_reader_among_readers(void **state) {
    open_pool(1, 64);
    static const char *const by[][1] = {{"1"},  {"2"}, {"0"},  {"5"},  {"x"},
                                        {"10"}, {"0"}, {"20"}, {"25"}, {"50"}};
    static const char *const expected[] = {"100", "50", NULL, "20", NULL,
                                           "10",  NULL, "5",  "4",  "2"};
    struct answer a[60];
    for (unsigned i = 0; i < 60; i++)
        submit_until(&divide, by[i % 10], &a[i], WAIT_US);
    wait_for(a, 60);
    for (unsigned i = 0; i < 60; i++) {
        if (expected[i % 10] == NULL)
            assert_int_equal(a[i].err, TV_ERR_INVALID);
        else
            assert_string_equal(a[i].text, expected[i % 10]);
    }
    struct answer alone = ask(&divide, (const char *const[]){"4"});
    assert_string_equal(alone.text, "25");
}

static void test_thousand_units_on_two_connections(void **state) {
    enum { UNITS = 1000 };
    struct one {
        char text[8];
        const char *params[1];
    } *units = tv_calloc(UNITS, sizeof(*units));
    struct answer *a = tv_calloc(UNITS, sizeof(*a));
    open_pool(2, 16);
    for (unsigned i = 0; i < UNITS; i++) {
        snprintf(units[i].text, sizeof(units[i].text), "%u", i);
        units[i].params[0] = units[i].text;
        submit_until(i % 3 == 0 ? &put : &echo, units[i].params, &a[i], WAIT_US);
    }
    wait_for(a, UNITS);
    for (unsigned i = 0; i < UNITS; i++) {
        assert_int_equal(a[i].err, TV_OK);
        assert_string_equal(a[i].text, i % 3 == 0 ? "" : units[i].text);
    }
    free(units);
    free(a);
    assert_sql("select count(*) from probe", "334");
}

/* More than the sockets hold, both ways. */
static void test_large_values(void **state) {
    open_pool(1, 32);
    size_t len = 1000000;
    char *large = tv_malloc(len + 1);
    memset(large, 'x', len);
    large[len] = '\0';
    struct answer a[20];
    for (unsigned i = 0; i < 20; i++)
        SUBMIT(&echo, large, &a[i]);
    wait_for(a, 20);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(a[i].err, TV_OK);
        assert_int_equal(strlen(a[i].text), sizeof(a[i].text) - 1);
    }
    free(large);
}

struct chain {
    unsigned left;
    struct answer answer;
};

static void on_link(void *ctx, enum tv_err err, const struct tv_error *e,
                    const struct tv_pg_result *const *results, unsigned count) {
    struct chain *c = ctx;
    assert_int_equal(err, TV_OK);
    const struct tv_pg_query q = {&pid, NULL};
    if (c->left-- > 0)
        tv_pg_submit(pg, &q, 1, tv_clock_mono_us() + WAIT_US, on_link, c);
    else
        c->answer.calls++;
}

static void test_callback_submits(void **state) {
    open_pool(1, 1);
    struct chain c = {.left = 50};
    const struct tv_pg_query q = {&pid, NULL};
    tv_pg_submit(pg, &q, 1, tv_clock_mono_us() + WAIT_US, on_link, &c);
    wait_for(&c.answer, 1);
}

static void assert_metric(const char *text) {
    struct tv_buf out = TV_BUF_INIT(1024 * 1024);
    tv_metrics_write(&out);
    bool found = strstr(out.data, text) != NULL;
    tv_buf_done(&out);
    if (!found)
        fail_msg("no metric %s", text);
}

/* -- bounds -------------------------------------------------------------------------------------*/

static void test_queue_bound(void **state) {
    struct tv_pg_config c = config(1, 1);
    c.queue_max = 3;
    open_with(c);
    struct answer a[5];
    for (unsigned i = 0; i < 5; i++)
        SUBMIT(&echo, "x", &a[i]);
    assert_int_equal(a[4].calls, 0); /* never from within */
    assert_int_equal(tv_pg_pending(pg), 5);
    wait_for(a, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(a[i].err, i < 3 ? TV_OK : TV_ERR_UNAVAILABLE);
    assert_true(a[4].error.retry_after_s > 0);
    assert_metric("tv_pg_unsent_total{reason=\"queue_full\"} 2\n");
}

/* What waits behind a nap of 0.3 s on the only connection has waited that long. */
static void test_waits_are_measured(void **state) {
    open_pool(1, 1);
    struct answer a[2];
    SUBMIT(&nap, "0.3", &a[0]);
    SUBMIT(&echo, "x", &a[1]);
    wait_for(a, 2);
    assert_metric("tv_pg_wait_seconds_bucket{le=\"0.25\"} 1\n");
    assert_metric("tv_pg_wait_seconds_count 2\n");
}

static void test_deadline_while_waiting(void **state) {
    open_pool(1, 1);
    struct answer a[4];
    SUBMIT(&nap, "0.3", &a[0]);
    submit_until(&put, (const char *const[]){"1"}, &a[1], 100 * TV_US_PER_MS);
    submit_until(&put, (const char *const[]){"2"}, &a[2], WAIT_US);
    submit_until(&put, (const char *const[]){"3"}, &a[3], 50 * TV_US_PER_MS);
    wait_for(&a[1], 1);
    wait_for(&a[3], 1);
    assert_int_equal(a[0].calls, 0);
    assert_int_equal(a[1].err, TV_ERR_DEADLINE);
    assert_int_equal(a[3].err, TV_ERR_DEADLINE);
    wait_for(a, 4);
    assert_int_equal(a[2].err, TV_OK);
    assert_sql("select string_agg(n::text, ',') from probe", "2");
}

static void test_deadline_that_is_over(void **state) {
    open_pool(1, 1);
    struct answer a;
    submit_until(&put, (const char *const[]){"1"}, &a, -1);
    wait_for(&a, 1);
    assert_int_equal(a.err, TV_ERR_DEADLINE);
    assert_sql("select count(*) from probe", "0");
}

static void test_statement_timeout(void **state) {
    struct tv_pg_config c = config(1, 4);
    c.statement_timeout_us = 100 * TV_US_PER_MS;
    open_with(c);
    struct answer a[2];
    SUBMIT(&nap_and_put, "10", &a[0]);
    SUBMIT(&echo, "after", &a[1]);
    wait_for(a, 2);
    assert_int_equal(a[0].err, TV_ERR_DEADLINE);
    assert_string_equal(a[1].text, "after");
    assert_sql("select count(*) from probe", "0");
}

/* -- errors -------------------------------------------------------------------------------------*/

static void test_sqlstates(void **state) {
    static const struct {
        const char *sqlstate;
        enum tv_err code;
    } table[] = {
        {"23P01", TV_ERR_SLOT_TAKEN},  {"23505", TV_ERR_CONFLICT},    {"23503", TV_ERR_NOT_FOUND},
        {"23514", TV_ERR_INVALID},     {"22P02", TV_ERR_INVALID},     {"22003", TV_ERR_INVALID},
        {"57014", TV_ERR_DEADLINE},    {"08006", TV_ERR_UNAVAILABLE}, {"57P01", TV_ERR_UNAVAILABLE},
        {"57P03", TV_ERR_UNAVAILABLE}, {"53300", TV_ERR_UNAVAILABLE}, {"25006", TV_ERR_UNAVAILABLE},
        {"25P02", TV_ERR_INTERNAL},    {"42P01", TV_ERR_INTERNAL},    {"XX000", TV_ERR_INTERNAL},
        {"", TV_ERR_INTERNAL},         {"P0001", TV_ERR_INTERNAL},    {"40001", TV_ERR_UNAVAILABLE},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(table); i++)
        if (tv_pg_sqlstate(table[i].sqlstate) != table[i].code)
            fail_msg("%s is %s", table[i].sqlstate,
                     tv_err_info(tv_pg_sqlstate(table[i].sqlstate))->name);
}

static void test_errors_of_our_own(void **state) {
    open_pool(1, 4);
    struct answer a = ask(&fail_slug, (const char *const[]){"TV409", "illegal-transition", "No."});
    assert_int_equal(a.err, TV_ERR_ILLEGAL_TRANSITION);
    assert_int_equal(a.error.code, TV_ERR_ILLEGAL_TRANSITION);
    assert_string_equal(a.error.detail, "No.");
    a = ask(&fail_slug, (const char *const[]){"TV404", "not-found", ""});
    assert_int_equal(a.err, TV_ERR_NOT_FOUND);
    assert_string_equal(a.error.detail, "");
    a = ask(&fail_slug, (const char *const[]){"TV499", "no-such-slug", "secret"});
    assert_int_equal(a.err, TV_ERR_INTERNAL);
    assert_string_equal(a.error.detail, "");
    a = ask(&fail_slug, (const char *const[]){"P0001", "not-found", "secret"});
    assert_int_equal(a.err, TV_ERR_INTERNAL);
    assert_string_equal(a.error.detail, "");
}

static void test_collisions_are_tried_again(void **state) {
    open_pool(1, 4);
    struct answer a = ask(&collide, (const char *const[]){"3"});
    assert_int_equal(a.err, TV_OK);
    assert_string_equal(a.text, "4");
    run_sql("alter sequence tries restart");
    a = ask(&collide, (const char *const[]){"1000"});
    assert_int_equal(a.err, TV_ERR_UNAVAILABLE);
    assert_sql("select last_value from tries", "4"); /* the first and three more */
}

/* -- connections --------------------------------------------------------------------------------*/

static void test_no_server(void **state) {
    test_postgres_stop(&postgres);
    struct tv_pg_config c = config(2, 4);
    pg = tv_pg_new(loop, &c);
    assert_string_equal(tv_pg_last_error(pg), "");
    struct answer a;
    SUBMIT(&echo, "x", &a);
    wait_for(&a, 1);
    assert_int_equal(a.err, TV_ERR_UNAVAILABLE);
    assert_true(tv_loop_run_until(loop, has_failed, NULL, WAIT_US));
    assert_non_null(strstr(tv_pg_last_error(pg), "refused"));
    assert_int_equal(state_count, 0);
    test_postgres_restart(&postgres);
    assert_true(tv_loop_run_until(loop, is_usable, NULL, WAIT_US));
    assert_string_equal(tv_pg_last_error(pg), "");
    assert_int_equal(state_count, 1);
    assert_true(states[0]);
    assert_string_equal(ask(&echo, (const char *const[]){"x"}).text, "x");
}

static void test_bad_urls(void **state) {
    static const char *const urls[] = {"postgres://127.0.0.1:notaport/x", "nonsense",
                                       "postgres://nobody@127.0.0.1:1/x"};
    for (size_t i = 0; i < TV_ARRAY_LEN(urls); i++) {
        struct tv_pg_config c = config(1, 1);
        c.url = urls[i];
        pg = tv_pg_new(loop, &c);
        assert_true(tv_loop_run_until(loop, has_failed, NULL, WAIT_US));
        assert_false(tv_pg_usable(pg));
        tv_pg_free(pg);
        pg = NULL;
    }
}

static void test_bad_statement_keeps_the_pool_down_until_the_schema_is_there(void **state) {
    STATEMENT(of_later, true, "select n from future where n = $1", "n", NULL);
    const struct tv_pg_statement *const both[] = {&echo, &of_later};
    struct tv_pg_config c = config(2, 4);
    c.statements = both;
    c.statement_count = 2;
    pg = tv_pg_new(loop, &c);
    assert_true(tv_loop_run_until(loop, has_failed, NULL, WAIT_US));
    assert_false(tv_pg_usable(pg));
    assert_string_equal(tv_pg_last_error(pg),
                        "statement of_later: relation \"future\" does not exist");
    run_sql("create table future (n int); insert into future values (5)");
    assert_true(tv_loop_run_until(loop, is_usable, NULL, WAIT_US));
    assert_string_equal(ask(&of_later, (const char *const[]){"5"}).text, "5");
    run_sql("drop table future");
}

/* One connection that gets no answer in time has those without work made anew as well: a server
 * that is frozen would have to be found out by each of them. */
static void test_silence_is_for_all(void **state) {
    struct tv_pg_config c = config(3, 4);
    c.statement_timeout_us = 100 * TV_US_PER_MS;
    open_with(c);
    char *before = test_sql(&postgres, "select string_agg(pid::text, ',') from pg_stat_activity"
                                       " where application_name = 'test_pg'");
    pid_t frozen = atoi(ask(&pid, NULL).text);
    assert_int_equal(kill(frozen, SIGSTOP), 0);
    struct answer a;
    SUBMIT(&echo, "x", &a); /* to the first connection, as the one before */
    wait_for(&a, 1);
    kill(frozen, SIGCONT);
    assert_int_equal(a.err, TV_OK); /* sent once more */
    assert_true(tv_loop_run_until(loop, all_usable, &c.connections, WAIT_US));
    char sql[256];
    snprintf(sql, sizeof(sql),
             "select count(*) from pg_stat_activity where pid in (%s) and pid <> %d", before,
             frozen);
    assert_sql(sql, "0");
    free(before);
}

static bool never(void *ctx) { return false; }

/* A connection with work that was sent later is not cut, but not counted on until it answers. */
static void test_silence_makes_others_doubtful(void **state) {
    struct tv_pg_config c = config(2, 4);
    c.statement_timeout_us = 100 * TV_US_PER_MS;
    open_with(c);
    pid_t first = atoi(ask(&pid, NULL).text);
    char sql[256];
    snprintf(sql, sizeof(sql),
             "select pid::text from pg_stat_activity where application_name = 'test_pg' and"
             " pid <> %d",
             first);
    char *second = test_sql(&postgres, sql);
    assert_int_equal(kill(first, SIGSTOP), 0);
    assert_int_equal(kill(atoi(second), SIGSTOP), 0);
    struct answer a[2];
    SUBMIT(&echo, "x", &a[0]);
    assert_false(tv_loop_run_until(loop, never, NULL, 700 * TV_US_PER_MS));
    SUBMIT(&pid, NULL, &a[1]);
    bool down = tv_loop_run_until(loop, is_down, NULL, WAIT_US);
    kill(first, SIGCONT);
    kill(atoi(second), SIGCONT);
    assert_true(down);
    wait_for(a, 2);
    assert_int_equal(a[1].err, TV_OK);
    assert_string_equal(a[1].text, second); /* it kept its connection */
    assert_true(tv_loop_run_until(loop, all_usable, &c.connections, WAIT_US));
    free(second);
}

/* -- the schema ---------------------------------------------------------------------------------*/

STATEMENT(from_future, true, "select n::text from future where n = $1::int", "n", NULL);
static const struct tv_pg_statement *const of_future[] = {&from_future, &put};

static bool wants_two(void *ctx, const struct tv_pg_result *rows, char why[static 128]) {
    snprintf(why, 128, "has %u", tv_pg_rows(rows));
    return tv_pg_rows(rows) == 2;
}

/* Whether the pool has last said that there were so many rows. */
static bool has_found(void *ctx) { return strcmp(tv_pg_last_error(pg), ctx) == 0; }

static void test_a_schema_is_waited_for(void **state) {
    static char none[] = "has 0", one[] = "has 1";
    run_sql("drop table if exists steps");
    struct tv_pg_config c = config(2, 4);
    c.check_text = "select n from steps";
    c.check = wants_two;
    pg = tv_pg_new(loop, &c);
    assert_true(tv_loop_run_until(loop, has_found, none, WAIT_US)); /* no table: no rows */
    run_sql("create table steps (n int); insert into steps values (1)");
    assert_true(tv_loop_run_until(loop, has_found, one, WAIT_US));
    assert_false(tv_pg_usable(pg));
    assert_int_equal(state_count, 0);
    run_sql("insert into steps values (2)");
    assert_true(tv_loop_run_until(loop, is_usable, NULL, WAIT_US));
    assert_string_equal(ask(&echo, (const char *const[]){"x"}).text, "x");
    assert_string_equal(tv_pg_last_error(pg), "");
    run_sql("drop table steps");
}

static void test_a_check_that_the_server_refuses(void **state) {
    struct tv_pg_config c = config(1, 4);
    c.check_text = "select 1 / 0";
    c.check = wants_two;
    pg = tv_pg_new(loop, &c);
    assert_true(tv_loop_run_until(loop, has_failed, NULL, WAIT_US));
    assert_string_equal(tv_pg_last_error(pg), "division by zero");
    assert_false(tv_pg_usable(pg));
}

/* Another database was restored in the place of this one, or a migration changed what a statement
 * gives: who asks then waits for the new schema, and nothing is done twice. */
static void test_the_schema_changes_beneath(void **state) {
    run_sql("drop table if exists future; create table future (n int);"
            "insert into future values (5)");
    struct tv_pg_config c = config(2, 4);
    c.statements = of_future;
    c.statement_count = TV_ARRAY_LEN(of_future);
    open_with(c);
    assert_string_equal(ask(&from_future, (const char *const[]){"5"}).text, "5");
    run_sql("drop table future");
    struct answer a[4];
    SUBMIT(&from_future, "5", &a[0]);
    SUBMIT(&from_future, "5", &a[1]);
    SUBMIT(&from_future, "5", &a[2]);
    SUBMIT(&from_future, "5", &a[3]);
    static char lacks[] = "statement from_future: relation \"future\" does not exist";
    assert_true(tv_loop_run_until(loop, has_found, lacks, WAIT_US));
    assert_true(tv_loop_run_until(loop, is_down, NULL, WAIT_US));
    run_sql("create table future (n int); insert into future values (5)");
    wait_for(a, 4);
    for (size_t i = 0; i < TV_ARRAY_LEN(a); i++) {
        assert_int_equal(a[i].err, TV_OK);
        assert_string_equal(a[i].text, "5");
    }
    run_sql("drop table future");
}

/* Only the connection that met it is made anew, when it has nothing else to answer. */
static void test_a_result_of_another_type(void **state) {
    STATEMENT(all_of_it, true, "select * from future where n > $1::int", "n", NULL);
    static const struct tv_pg_statement *const both[] = {&all_of_it, &put};
    run_sql("drop table if exists future; create table future (n int);"
            "insert into future values (5)");
    struct tv_pg_config c = config(1, 8);
    c.statements = both;
    c.statement_count = 2;
    open_with(c);
    run_sql("alter table future add column more text");
    struct answer a[3];
    SUBMIT(&put, "1", &a[0]);
    SUBMIT(&all_of_it, "1", &a[1]);
    SUBMIT(&put, "2", &a[2]);
    wait_for(a, 3);
    for (size_t i = 0; i < TV_ARRAY_LEN(a); i++)
        assert_int_equal(a[i].err, TV_OK);
    assert_sql("select string_agg(n::text, ',' order by n) from probe", "1,2");
    run_sql("drop table future");
}

static void make_read_only(const char *on_or_off) {
    char url[256], sql[128];
    snprintf(url, sizeof(url), "%s?target_session_attrs=any", postgres.url);
    snprintf(sql, sizeof(sql),
             "begin read write; alter database televisit set default_transaction_read_only = %s;"
             "commit",
             on_or_off);
    struct tv_pg_script *s = NULL;
    struct tv_error e = TV_ERROR_INIT;
    assert_int_equal(tv_pg_script_open(url, "test", &s, &e), TV_OK);
    assert_int_equal(tv_pg_script_run(s, sql, NULL, &e), TV_OK);
    tv_pg_script_close(s);
}

/* A standby answers, but it is no use; when it is promoted the pool comes up. */
static void test_server_that_only_reads(void **state) {
    make_read_only("on");
    struct tv_pg_config c = config(1, 1);
    pg = tv_pg_new(loop, &c);
    bool failed = tv_loop_run_until(loop, has_failed, NULL, WAIT_US);
    make_read_only("off");
    assert_true(failed);
    assert_non_null(strstr(tv_pg_last_error(pg), "read-only"));
    assert_true(tv_loop_run_until(loop, is_usable, NULL, WAIT_US));
}

static void test_metrics(void **state) {
    STATEMENT(counted, false, "select 1 / $1::int", "n", NULL);
    const struct tv_pg_statement *const only[] = {&counted};
    struct tv_pg_config c = config(3, 1);
    c.statements = only;
    c.statement_count = 1;
    open_with(c);
    assert_metric("tv_pg_connections{state=\"usable\"} 3\n");
    assert_metric("tv_pg_queries_total{statement=\"counted\",outcome=\"unknown\"} 0\n");
    assert_metric("tv_pg_wait_seconds_count 0\n");
    ask(&counted, (const char *const[]){"1"});
    ask(&counted, (const char *const[]){"2"});
    ask(&counted, (const char *const[]){"0"});
    struct answer late;
    submit_until(&counted, (const char *const[]){"1"}, &late, -1);
    wait_for(&late, 1);
    assert_metric("tv_pg_queries_total{statement=\"counted\",outcome=\"ok\"} 2\n");
    assert_metric("tv_pg_queries_total{statement=\"counted\",outcome=\"refused\"} 1\n");
    assert_metric("tv_pg_queries_total{statement=\"counted\",outcome=\"failed\"} 1\n");
    assert_metric("tv_pg_seconds_count{statement=\"counted\"} 4\n");
    assert_metric("tv_pg_waiting 0\n");
    assert_metric("tv_pg_wait_seconds_count 3\n"); /* the late one got no connection */
    assert_metric("tv_pg_unsent_total{reason=\"waited_too_long\"} 1\n");
    assert_metric("tv_pg_unsent_total{reason=\"queue_full\"} 0\n");
    assert_metric("tv_pg_unsent_total{reason=\"no_connection\"} 0\n");
    assert_metric("tv_pg_reconnects_total 0\n");
    test_postgres_kill(&postgres);
    assert_true(tv_loop_run_until(loop, is_down, NULL, WAIT_US));
    assert_metric("tv_pg_connections{state=\"usable\"} 0\n");
    assert_metric("tv_pg_connections{state=\"down\"} 3\n");
    assert_int_equal(ask(&counted, (const char *const[]){"1"}).err, TV_ERR_UNAVAILABLE);
    assert_metric("tv_pg_unsent_total{reason=\"no_connection\"} 1\n");
}

static bool naps_run(void *ctx) {
    char *n = test_sql(&postgres, "select count(*) from pg_stat_activity"
                                  " where query like '%pg_sleep(%' and state = 'active'"
                                  " and pid <> pg_backend_pid()");
    bool ok = atoi(n) == *(int *)ctx;
    free(n);
    return ok;
}

static bool asked_twice(void *ctx) { return ++*(int *)ctx > 1; }

/* Sends what was submitted and waits until the server sleeps in `n` statements. */
static void wait_for_naps(int n) {
    int asked = 0;
    assert_true(tv_loop_run_until(loop, asked_twice, &asked, WAIT_US)); /* a turn */
    assert_true(test_until(naps_run, &n, WAIT_US / TV_US_PER_MS));
}

/* One connection sleeps in a reader with a writer behind it, the other in a writer; two wait. */
static void test_server_is_killed(void **state) {
    open_pool(2, 2);
    struct answer a[6];
    SUBMIT(&nap, "1", &a[0]);
    SUBMIT(&nap_and_put, "5", &a[1]);
    SUBMIT(&put, "1", &a[2]);
    SUBMIT(&echo, "read", &a[3]);
    SUBMIT(&put, "2", &a[4]);
    SUBMIT(&echo, "waited", &a[5]);
    wait_for_naps(2);
    test_postgres_kill(&postgres);
    assert_true(tv_loop_run_until(loop, is_down, NULL, WAIT_US));
    wait_for(&a[1], 2);
    assert_int_equal(a[1].err, TV_ERR_UNKNOWN_OUTCOME);
    assert_int_equal(a[2].err, TV_ERR_UNKNOWN_OUTCOME);
    assert_int_equal(tv_pg_pending(pg), 4);
    test_postgres_restart(&postgres);
    wait_for(a, 6);
    assert_int_equal(a[0].err, TV_OK);
    assert_string_equal(a[3].text, "read");
    assert_int_equal(a[4].err, TV_OK);
    assert_string_equal(a[5].text, "waited");
    assert_sql("select string_agg(n::text, ',') from probe", "2");
    assert_int_equal(state_count, 3);
    assert_true(states[0] && !states[1] && states[2]);
}

/* The server says that it ends the session, so what became of the write is known. */
static void test_session_is_ended_by_the_server(void **state) {
    open_pool(1, 8);
    struct answer a[3];
    submit_until(&end_session, NULL, &a[0], WAIT_US);
    SUBMIT(&put, "1", &a[1]);
    SUBMIT(&echo, "read", &a[2]);
    wait_for(a, 3);
    assert_int_equal(a[0].err, TV_ERR_UNAVAILABLE);
    assert_int_equal(a[1].err, TV_ERR_UNKNOWN_OUTCOME);
    assert_string_equal(a[2].text, "read");
    assert_sql("select count(*) from probe", "0");
}

static void test_reader_is_sent_twice_and_no_more(void **state) {
    open_pool(1, 8);
    struct answer a;
    submit_until(&end_reader, NULL, &a, WAIT_US);
    wait_for(&a, 1);
    assert_int_equal(a.err, TV_ERR_UNAVAILABLE);
    assert_true(tv_loop_run_until(loop, is_usable, NULL, WAIT_US));
}

static void test_silent_server(void **state) {
    struct tv_pg_config c = config(1, 8);
    c.statement_timeout_us = 200 * TV_US_PER_MS;
    open_with(c);
    struct answer a[2];
    submit_until(&pid, NULL, &a[0], WAIT_US);
    wait_for(a, 1);
    pid_t backend = (pid_t)atoi(a[0].text);
    assert_int_equal(kill(backend, SIGSTOP), 0);
    SUBMIT(&put, "1", &a[0]);
    SUBMIT(&echo, "read", &a[1]);
    wait_for(a, 2);
    assert_int_equal(kill(backend, SIGCONT), 0);
    assert_int_equal(a[0].err, TV_ERR_UNKNOWN_OUTCOME);
    assert_string_equal(a[1].text, "read"); /* by a new connection */
}

static void test_free_with_work_pending(void **state) {
    open_pool(1, 2);
    struct answer a[4];
    SUBMIT(&nap, "5", &a[0]);
    SUBMIT(&put, "1", &a[1]);
    SUBMIT(&put, "2", &a[2]);
    SUBMIT(&echo, "x", &a[3]);
    wait_for_naps(1);
    tv_pg_free(pg);
    pg = NULL;
    static const enum tv_err expected[] = {TV_ERR_UNAVAILABLE, TV_ERR_UNKNOWN_OUTCOME,
                                           TV_ERR_UNAVAILABLE, TV_ERR_UNAVAILABLE};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(a[i].calls, 1);
        assert_int_equal(a[i].err, expected[i]);
    }
}

static void test_free_at_once(void **state) {
    struct tv_pg_config c = config(4, 2);
    pg = tv_pg_new(loop, &c);
    struct answer a;
    SUBMIT(&echo, "x", &a);
    tv_pg_free(pg);
    pg = NULL;
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.err, TV_ERR_UNAVAILABLE);
    tv_pg_free(NULL);
}

/* -- scripts ------------------------------------------------------------------------------------*/

static void test_script(void **state) {
    struct tv_pg_script *s = NULL;
    struct tv_error e = TV_ERROR_INIT;
    const struct tv_pg_result *r = NULL;
    assert_int_equal(tv_pg_script_open(postgres.url, "test", &s, &e), TV_OK);
    assert_int_equal(tv_pg_script_run(s, "select 1; select 'two' as t", &r, &e), TV_OK);
    assert_string_equal(tv_pg_value(r, 0, 0).p, "two");
    assert_int_equal(tv_pg_script_run(s, "", NULL, &e), TV_OK);
    assert_int_equal(tv_pg_script_run(s, "select 1;\n-- \xc3\xa9\n\nselect nothing", NULL, &e),
                     TV_ERR_INTERNAL);
    assert_string_equal(e.detail, "line 4: column \"nothing\" does not exist");
    assert_int_equal(tv_pg_script_run(s, "select pg_terminate_backend(pg_backend_pid())", NULL, &e),
                     TV_ERR_UNAVAILABLE);
    assert_int_equal(tv_pg_script_run(s, "select 1", NULL, &e), TV_ERR_UNAVAILABLE);
    tv_pg_script_close(s);
    tv_pg_script_close(NULL);
    assert_int_equal(tv_pg_script_open("postgres://127.0.0.1:1/x", "test", &s, &e),
                     TV_ERR_UNAVAILABLE);
    assert_non_null(strstr(e.detail, "refused"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_values_and_columns),
        TEST(test_statements_are_described),
        TEST(test_affected_rows_and_session),
        TEST(test_unit_is_one_transaction),
        TEST(test_refusal_at_commit),
        TEST(test_failing_reader_among_readers),
        TEST(test_thousand_units_on_two_connections),
        TEST(test_large_values),
        TEST(test_callback_submits),
        TEST(test_queue_bound),
        TEST(test_waits_are_measured),
        TEST(test_deadline_while_waiting),
        TEST(test_deadline_that_is_over),
        TEST(test_statement_timeout),
        TEST(test_sqlstates),
        TEST(test_errors_of_our_own),
        TEST(test_collisions_are_tried_again),
        TEST(test_no_server),
        TEST(test_bad_urls),
        TEST(test_bad_statement_keeps_the_pool_down_until_the_schema_is_there),
        TEST(test_silence_is_for_all),
        TEST(test_silence_makes_others_doubtful),
        TEST(test_a_schema_is_waited_for),
        TEST(test_a_check_that_the_server_refuses),
        TEST(test_the_schema_changes_beneath),
        TEST(test_a_result_of_another_type),
        TEST(test_server_that_only_reads),
        TEST(test_metrics),
        TEST(test_server_is_killed),
        TEST(test_session_is_ended_by_the_server),
        TEST(test_reader_is_sent_twice_and_no_more),
        TEST(test_silent_server),
        TEST(test_free_with_work_pending),
        TEST(test_free_at_once),
        TEST(test_script),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
