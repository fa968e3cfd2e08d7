/* Every statement against the migrated schema: it prepares, and the statements that stand for a
 * method fit its messages. */
#include "fixture.h"
#include "lib/err.h"
#include "services/appointments/app.h"

static struct fixture f;

static int set_up(void **state) {
    fixture_start(&f); /* a connection is usable when all statements are prepared on it */
    return 0;
}
static int tear_down(void **state) {
    fixture_stop(&f);
    return 0;
}

static void test_statements_fit_their_messages(void **state) {
    const struct app app = {.pg = f.pg};
    struct tv_error e = TV_ERROR_INIT;
    if (dispatch_check(&app, &e) != TV_OK)
        fail_msg("%s (%s)", e.detail, e.pointer);
}

static void test_every_statement_is_described(void **state) {
    assert_true(appointments_statement_count >= 20);
    for (size_t i = 0; i < appointments_statement_count; i++)
        assert_non_null(tv_pg_described(f.pg, appointments_statements[i]));
}

/* tv.fail knows the same numbers as lib/err.h, and nothing that is not there. */
static void test_fail_has_the_numbers_of_the_table(void **state) {
    static const struct {
        const char *slug;
        enum tv_err err;
    } rows[] = {
#define X(name, http, retryable, slug, title) {slug, TV_ERR_##name},
        TV_ERR_MAP(X)
#undef X
    };
    unsigned known = 0;
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        char sql[512], expected[32];
        (void)snprintf(sql, sizeof(sql),
                       "CREATE OR REPLACE FUNCTION pg_temp.state() RETURNS text LANGUAGE plpgsql AS"
                       " $$ BEGIN PERFORM tv.fail('%s', 'why'); EXCEPTION WHEN OTHERS THEN"
                       " RETURN SQLSTATE || ' ' || SQLERRM; END $$; SELECT pg_temp.state()",
                       rows[i].slug);
        (void)snprintf(expected, sizeof(expected), "TV%u %s", tv_err_info(rows[i].err)->http,
                       rows[i].slug);
        char *state_text = test_sql(&f.db, sql);
        if (strncmp(state_text, "TV", 2) == 0) {
            assert_string_equal(state_text, expected);
            known++;
        } else {
            assert_non_null(strstr(state_text, "no such slug"));
        }
        free(state_text);
    }
    assert_true(known >= 8);
}

static void test_policy_has_the_defaults_that_are_promised(void **state) {
    static const struct tv_pg_statement *const unit[] = {&sql_clinics_get_clinic};
    struct tv_actor who = AS_PATIENT;
    struct answer *a = fixture_submit(&f, &who, unit, 1, NULL, 0);
    fixture_wait(&f, a);
    assert_int_equal(a->err, TV_OK);
    assert_string_equal(answer_value(a, 0, 0, "policy"),
                        "{\"opensBefore\" : 1800, \"closesAfter\" : 7200, \"waitingRoom\" : false,"
                        " \"patientMayBook\" : true, \"rescheduleNeedsConfirmation\" : true,"
                        " \"reminders\" : [86400], \"endToEndEncryption\" : true,"
                        " \"cancellationNotice\" : 0}");
    answer_free(a);
}

/* Tries a statement that the schema must refuse; returns the SQLSTATE, owned. */
static char *refused(const char *sql) {
    char text[1024];
    (void)snprintf(text, sizeof(text),
                   "CREATE OR REPLACE FUNCTION pg_temp.state() RETURNS text LANGUAGE plpgsql AS"
                   " $f$ BEGIN %s; RETURN 'taken'; EXCEPTION WHEN OTHERS THEN"
                   " RETURN SQLSTATE; END $f$; SELECT pg_temp.state()",
                   sql);
    return test_sql(&f.db, text);
}

static void test_what_the_schema_refuses(void **state) {
    free(test_sql(&f.db, "INSERT INTO tv.audit (clinic_id, at, action, subject, decision)"
                         " VALUES ('" BERLIN "', tv.tv_now(), 'a', 's', 'd')"));
    static const struct {
        const char *sql, *sqlstate;
    } rows[] = {
        {"UPDATE tv.audit SET decision = 'x'", "P0001"},
        {"DELETE FROM tv.audit", "P0001"},
        {"TRUNCATE tv.audit", "P0001"},
        /* a row that points into another clinic */
        {"INSERT INTO tv.availability VALUES ('" BERLIN "', '" NY_DOCTOR "', 1, '09:00', '10:00',"
         " 30)",
         "23503"},
        /* the same mail address in another case, and no id for two people */
        {"INSERT INTO tv.person (clinic_id, role, display_name, email) VALUES ('" BERLIN "',"
         " 'PATIENT', 'X', 'PAULA@example.ORG')",
         "23505"},
        {"INSERT INTO tv.person (clinic_id, id, role, display_name) VALUES ('" NEW_YORK "',"
         " '" PATIENT "', 'PATIENT', 'X')",
         "23505"},
        {"INSERT INTO tv.clinic (slug, name, time_zone) VALUES ('x', 'X', 'Europe/Nowhere')",
         "22023"},
        {"INSERT INTO tv.clinic (slug, name, time_zone) VALUES ('X_', 'X', 'UTC')", "23514"},
        {"INSERT INTO tv.credential VALUES ('" BERLIN "', '" PATIENT "', 'secret')", "23514"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        char *sqlstate = refused(rows[i].sql);
        if (strcmp(sqlstate, rows[i].sqlstate) != 0)
            fail_msg("%s: %s, not %s", rows[i].sql, sqlstate, rows[i].sqlstate);
        free(sqlstate);
    }
}

/* ADR 0004: in production the clock is inlined; another body is seen by plans that are cached. */
static void test_the_clock(void **state) {
    char *body = test_sql(&f.db, "EXPLAIN (VERBOSE, FORMAT json) SELECT tv.tv_now()");
    assert_non_null(strstr(body, "clock_timestamp()"));
    free(body);

    static const struct tv_pg_statement *const unit[] = {&sql_due_fire};
    const struct bind binds[] = {{"limit", "1"}};
    struct tv_actor nobody = {.role = TV_ROLE_SERVICE};
    for (unsigned i = 0; i < 16; i++) { /* on all connections, until plans are generic */
        fixture_set_now(&f, i % 2 == 0 ? "2031-01-01T00:00:00Z" : "2032-01-01T00:00:00Z");
        struct answer *a = fixture_submit(&f, &nobody, unit, 1, binds, 1);
        fixture_wait(&f, a);
        assert_string_equal(answer_value(a, 0, 0, "now"),
                            i % 2 == 0 ? "2031-01-01 00:00:00+00" : "2032-01-01 00:00:00+00");
        answer_free(a);
    }
}

/* Two that insert the same row at once: the later one waits and takes the arm of ON CONFLICT, but
 * only where the index is the one it names. In another unique index it may be refused. */
static void test_no_index_refuses_what_on_conflict_takes(void **state) {
    static const char insert[] = "INSERT INTO ", conflict[] = "ON CONFLICT (";
    unsigned seen = 0;
    for (size_t i = 0; i < appointments_statement_count; i++) {
        const char *table = NULL, *name = appointments_statements[i]->name;
        for (const char *at = appointments_statements[i]->text; *at != '\0'; at++) {
            if (strncmp(at, insert, sizeof(insert) - 1) == 0)
                table = at + sizeof(insert) - 1;
            if (strncmp(at, conflict, sizeof(conflict) - 1) != 0)
                continue;
            const char *columns = at + sizeof(conflict) - 1;
            assert_non_null(table);
            char *others = fixture_sql(
                &f,
                "SELECT string_agg(indexrelid::regclass::text, ', ') FROM pg_index i WHERE"
                " indisunique AND indrelid = '%.*s'::regclass AND '%.*s' <> (SELECT"
                " string_agg(attname, ', ' ORDER BY nth) FROM unnest(indkey::int2[])"
                " WITH ORDINALITY k (attnum, nth) JOIN pg_attribute a USING (attnum)"
                " WHERE attrelid = indrelid)"
                /* random ids meet nobody's */
                " AND NOT EXISTS (SELECT FROM pg_attrdef WHERE adrelid = indrelid AND"
                " adnum = ANY (indkey) AND pg_get_expr(adbin, adrelid) = 'gen_random_uuid()')",
                (int)strcspn(table, " "), table, (int)strcspn(columns, ")"), columns);
            if (others != NULL && others[0] != '\0')
                fail_msg("%s: ON CONFLICT (%.*s) may be refused by %s", name,
                         (int)strcspn(columns, ")"), columns, others);
            free(others);
            seen++;
        }
    }
    assert_true(seen >= 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_statement_is_described),
        cmocka_unit_test(test_statements_fit_their_messages),
        cmocka_unit_test(test_fail_has_the_numbers_of_the_table),
        cmocka_unit_test(test_policy_has_the_defaults_that_are_promised),
        cmocka_unit_test(test_what_the_schema_refuses),
        cmocka_unit_test(test_the_clock),
        cmocka_unit_test(test_no_index_refuses_what_on_conflict_takes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
