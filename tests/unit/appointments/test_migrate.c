/* The rule of migrations as a table, and the command against a real PostgreSQL, with steps of the
 * test's own in place of the program's. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "services/appointments/migrate.c"
#include "tests/harness/postgres.h"

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SHA_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

const struct migration migrations[] = {
    {1, "base", SHA_A, "create schema if not exists tv;\ncreate table tv.a (n int);\n"},
    {2, "filled", SHA_B, "insert into tv.a values (1); select pg_sleep(0.05); -- the end"},
    {3, "last", SHA_C, "insert into tv.a values (3);\n\ninsert into tv.needed values (3);"},
    {0, NULL, NULL, NULL},
};
const size_t migration_count = 3;

/* -- the rule -----------------------------------------------------------------------------------*/

static void test_plan(void **state) {
    static const struct {
        struct migration_applied applied[5];
        size_t count;
        size_t first; /* when it is fine */
        bool newer;
        const char *fault;
    } table[] = {
        {.count = 0, .first = 0},
        {{{1, "base", SHA_A}}, 1, .first = 1},
        {{{1, "base", SHA_A}, {2, "filled", SHA_B}, {3, "last", SHA_C}}, 3, .first = 3},
        {{{1, "base", SHA_A}, {2, "filled", SHA_B}, {3, "last", SHA_C}, {4, "x", "?"}},
         4,
         .first = 3,
         .newer = true},
        {{{1, "base", SHA_B}}, 1, .fault = "0001_base.sql was changed after it was applied"},
        {{{1, "base", SHA_A}, {2, "filled", ""}},
         2,
         .fault = "0002_filled.sql was changed after it was applied"},
        {{{1, "other", SHA_A}},
         1,
         .fault = "0001_base.sql was called 0001_other.sql when it was applied"},
        {{{1, "base", SHA_A}, {3, "last", SHA_C}},
         2,
         .fault = "the database has 0003_last.sql but not the step 0002 before it"},
        {{{2, "filled", SHA_B}},
         1,
         .fault = "the database has 0002_filled.sql but not the step 0001 before it"},
        {{{1, "base", SHA_A}, {2, "filled", SHA_B}, {3, "last", SHA_C}, {5, "x", "?"}},
         4,
         .fault = "the database has 0005_x.sql but not the step 0004 before it"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(table); i++) {
        struct migration_plan plan = {99, false};
        struct tv_error e = TV_ERROR_INIT;
        enum tv_err err = migrate_plan(migrations, 3, table[i].applied, table[i].count, &plan, &e);
        assert_string_equal(e.detail, table[i].fault == NULL ? "" : table[i].fault);
        assert_int_equal(err, table[i].fault == NULL ? TV_OK : TV_ERR_CONFLICT);
        assert_int_equal(plan.first, table[i].fault == NULL ? table[i].first : 99);
        assert_int_equal(plan.newer, table[i].newer);
    }
}

/* -- the command --------------------------------------------------------------------------------*/

static struct test_postgres postgres;
static char said[4096]; /* by the last command, on both streams */

static void run_sql(const char *sql) { free(test_sql(&postgres, sql)); }

static void assert_sql(const char *sql, const char *expected) {
    char *value = test_sql(&postgres, sql);
    assert_non_null(value);
    assert_string_equal(value, expected);
    free(value);
}

/* The exit status of the command; what it prints goes to `said`. */
static int run_command(const char *url, const char *option) {
    char path[512], name[] = "migrate", text[32];
    snprintf(path, sizeof(path), "%s/said", test_dir());
    snprintf(text, sizeof(text), "%s", option == NULL ? "" : option);
    fflush(stdout);
    int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(out >= 0 && err >= 0 && fd >= 0);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    char *argv[] = {name, text, NULL};
    int status = migrate_run(url, option == NULL ? 1 : 2, argv);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    ssize_t len = pread(fd, said, sizeof(said) - 1, 0);
    close(fd);
    close(out);
    close(err);
    assert_true(len >= 0);
    said[len] = '\0';
    return status;
}

static void assert_said(const char *text) {
    if (strstr(said, text) == NULL)
        fail_msg("said: %s\nnot: %s", said, text);
}

static int start(void **state) {
    postgres = test_postgres_start();
    return 0;
}

static int stop(void **state) {
    test_postgres_stop(&postgres);
    return 0;
}

static int empty_database(void **state) {
    run_sql("drop schema if exists tv cascade");
    return 0;
}

static void let_last_step_pass(void) {
    run_sql("create schema if not exists tv; create table tv.needed (n int)");
}

static void test_applies_in_order_and_once(void **state) {
    let_last_step_pass();
    assert_int_equal(run_command(postgres.url, NULL), 0);
    assert_said("applied 0001_base.sql (");
    assert_said("applied 0002_filled.sql (");
    assert_said("applied 0003_last.sql (");
    assert_sql("select string_agg(number || name || left(sha256, 1), ' ' order by applied_at)"
               " from tv.schema_migration",
               "1basea 2filledb 3lastc");
    assert_int_equal(run_command(postgres.url, NULL), 0);
    assert_string_equal(said, "nothing to do\n");
    assert_sql("select count(*) from tv.a", "2");
}

static void test_failing_step_is_undone_and_tried_again_later(void **state) {
    assert_int_equal(run_command(postgres.url, NULL), 1);
    assert_said("applied 0002_filled.sql");
    assert_said("migrate: 0003_last.sql: line 3: relation \"tv.needed\" does not exist");
    assert_sql("select count(*) from tv.a", "1");
    assert_sql("select count(*) from tv.schema_migration", "2");
    let_last_step_pass();
    assert_int_equal(run_command(postgres.url, NULL), 0);
    assert_null(strstr(said, "0002"));
    assert_said("applied 0003_last.sql");
    assert_sql("select count(*) from tv.a", "2");
}

static void test_looking_changes_nothing(void **state) {
    assert_int_equal(run_command(postgres.url, "--dry-run"), 0);
    assert_string_equal(said, "would apply 0001_base.sql\nwould apply 0002_filled.sql\n"
                              "would apply 0003_last.sql\n");
    assert_int_equal(run_command(postgres.url, "--status"), 0);
    assert_string_equal(said, "0001_base.sql missing\n0002_filled.sql missing\n"
                              "0003_last.sql missing\n");
    assert_sql("select count(*) from pg_namespace where nspname = 'tv'", "0");
    assert_int_equal(run_command(postgres.url, NULL), 1);
    assert_int_equal(run_command(postgres.url, "--status"), 0);
    assert_string_equal(said, "0001_base.sql applied\n0002_filled.sql applied\n"
                              "0003_last.sql missing\n");
}

static void test_changed_step_is_refused(void **state) {
    let_last_step_pass();
    assert_int_equal(run_command(postgres.url, NULL), 0);
    run_sql("update tv.schema_migration set sha256 = 'x' where number = 2");
    assert_int_equal(run_command(postgres.url, NULL), 1);
    assert_string_equal(said, "migrate: 0002_filled.sql was changed after it was applied\n");
    assert_int_equal(run_command(postgres.url, "--status"), 1);
}

static void test_gap_is_refused(void **state) {
    let_last_step_pass();
    assert_int_equal(run_command(postgres.url, NULL), 0);
    run_sql("delete from tv.schema_migration where number = 2");
    assert_int_equal(run_command(postgres.url, NULL), 1);
    assert_said("but not the step 0002 before it");
    assert_sql("select count(*) from tv.a", "2");
}

/* The release before runs while a new one is rolled out. */
static void test_newer_database_is_left_alone(void **state) {
    let_last_step_pass();
    assert_int_equal(run_command(postgres.url, NULL), 0);
    run_sql("insert into tv.schema_migration values (4, 'future', 'y')");
    assert_int_equal(run_command(postgres.url, NULL), 0);
    assert_string_equal(said,
                        "migrate: the database is ahead of this program; it is left as it is\n");
    assert_int_equal(run_command(postgres.url, "--status"), 0);
    assert_said("0004_future.sql applied by a newer release");
    struct tv_error e = TV_ERROR_INIT;
    assert_int_equal(migrate_apply(postgres.url, &e), TV_OK);
}

/* What a service finds; `expected` is why it waits, empty: it does not. */
static void assert_found(const char *expected) {
    struct tv_pg_script *s = NULL;
    const struct tv_pg_result *rows = NULL;
    struct tv_error e = TV_ERROR_INIT;
    char why[128] = "";
    assert_int_equal(tv_pg_script_open(postgres.url, "test", &s, &e), TV_OK);
    assert_int_equal(tv_pg_script_run(s, migrate_check_text, &rows, &e), TV_OK);
    assert_int_equal(migrate_check(rows, why), expected[0] == '\0');
    assert_string_equal(why, expected);
    tv_pg_script_close(s);
}

static void test_what_a_service_waits_for(void **state) {
    assert_int_equal(run_command(postgres.url, NULL), 1); /* the third step fails */
    assert_found("has version 2, needs 3; run appointments migrate");
    let_last_step_pass();
    assert_int_equal(run_command(postgres.url, NULL), 0);
    assert_found("");
    run_sql("insert into tv.schema_migration values (4, 'future', 'y'), (5, 'later', 'z')");
    assert_found(""); /* a newer release only adds */
    run_sql("update tv.schema_migration set sha256 = 'x' where number = 2");
    assert_found("0002_filled.sql was changed after it was applied");
    run_sql("delete from tv.schema_migration where number = 2");
    assert_found("the database has 0003_last.sql but not the step 0002 before it");
    run_sql("truncate tv.schema_migration");
    assert_found("has version 0, needs 3; run appointments migrate");
    run_sql("insert into tv.schema_migration values (-7, 'odd', 'y')");
    assert_found("tv.schema_migration has the number -7");
}

static void *apply_in_thread(void *arg) {
    struct tv_error *e = arg;
    return migrate_apply(postgres.url, e) == TV_OK ? NULL : e;
}

static void test_two_at_a_time(void **state) {
    enum { THREADS = 4 };
    let_last_step_pass();
    pthread_t threads[THREADS];
    struct tv_error errors[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, apply_in_thread, &errors[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_string_equal(errors[i].detail, "");
        assert_null(failed);
    }
    assert_sql("select count(*) from tv.a", "2");
}

static void test_no_database(void **state) {
    assert_int_equal(run_command("postgres://127.0.0.1:1/x", NULL), 1);
    assert_said("refused");
    struct tv_error e = TV_ERROR_INIT;
    assert_int_equal(migrate_apply("postgres://127.0.0.1:1/x", &e), TV_ERR_UNAVAILABLE);
}

static void test_unknown_option(void **state) {
    assert_int_equal(run_command(postgres.url, "--down"), 2);
    assert_said("usage:");
}

#define TEST(name) cmocka_unit_test_setup(name, empty_database)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),
        TEST(test_applies_in_order_and_once),
        TEST(test_failing_step_is_undone_and_tried_again_later),
        TEST(test_looking_changes_nothing),
        TEST(test_changed_step_is_refused),
        TEST(test_gap_is_refused),
        TEST(test_newer_database_is_left_alone),
        TEST(test_what_a_service_waits_for),
        TEST(test_two_at_a_time),
        TEST(test_no_database),
        TEST(test_unknown_option),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
