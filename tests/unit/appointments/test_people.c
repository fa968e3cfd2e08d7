/* What people set for themselves, whom staff find, and how far notices are read. */
#include "fixture.h"

static struct fixture f;

static int set_up(void **state) {
    fixture_start(&f);
    return 0;
}
static int tear_down(void **state) {
    fixture_stop(&f);
    return 0;
}
static int each(void **state) {
    fixture_clear(&f);
    fixture_set_now(&f, "2026-11-23T08:00:00Z");
    return 0;
}
static int each_end(void **state) {
    fixture_check_promises(&f);
    return 0;
}

static struct answer *ask(const struct tv_pg_statement *st, struct tv_actor who,
                          const struct bind *binds, size_t count) {
    struct answer *a = fixture_submit(&f, &who, &st, 1, binds, count);
    fixture_wait(&f, a);
    return a;
}

/* -- oneself ------------------------------------------------------------------------------------*/

static struct answer *update_me(struct tv_actor who, const char *language, const char *time_zone) {
    const struct bind binds[] = {{"language", language}, {"time_zone", time_zone}};
    return ask(&sql_sessions_update_me, who, binds, TV_ARRAY_LEN(binds));
}

static void test_update_me(void **state) {
    static const struct {
        const char *language, *time_zone; /* asked */
        const char *pointer;              /* at fault, or NULL */
        const char *now;                  /* what is set then */
    } rows[] = {
        {"", "", NULL, "en UTC"},
        {"de", "", NULL, "de UTC"},
        {"", "Asia/Riyadh", NULL, "de Asia/Riyadh"},
        {"ar-EG", "Africa/Cairo", NULL, "ar-EG Africa/Cairo"},
        {"ES-419", "", NULL, "ES-419 Africa/Cairo"},
        {"fr", "America/Argentina/Buenos_Aires", NULL, "fr America/Argentina/Buenos_Aires"},
        {"it", "", "/language", "fr America/Argentina/Buenos_Aires"},
        {"arc", "UTC", "/language", "fr America/Argentina/Buenos_Aires"},
        {"de_CH", "", "/language", "fr America/Argentina/Buenos_Aires"},
        {"-", "", "/language", "fr America/Argentina/Buenos_Aires"},
        {"de", "Mars/Base", "/timeZone", "fr America/Argentina/Buenos_Aires"},
        {"", "UTC+3", "/timeZone", "fr America/Argentina/Buenos_Aires"}, /* POSIX, the other way */
        {"", "europe/berlin", "/timeZone", "fr America/Argentina/Buenos_Aires"},
        {"en", "UTC", NULL, "en UTC"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct answer *a = update_me(AS_PATIENT, rows[i].language, rows[i].time_zone);
        if (a->err != (rows[i].pointer == NULL ? TV_OK : TV_ERR_INVALID))
            fail_msg("%s %s: %s", rows[i].language, rows[i].time_zone, tv_err_info(a->err)->slug);
        if (rows[i].pointer != NULL) {
            assert_string_equal(a->error.pointer, rows[i].pointer);
            assert_string_not_equal(a->error.detail, "");
        } else {
            char said[80];
            (void)snprintf(said, sizeof(said), "%s %s", answer_value(a, 0, 0, "language"),
                           answer_value(a, 0, 0, "time_zone"));
            assert_string_equal(said, rows[i].now);
            assert_string_equal(answer_value(a, 0, 0, "clinic_name"), "Praxis");
        }
        answer_free(a);
        char *now = test_sql(&f.db, "SELECT language || ' ' || time_zone FROM tv.person WHERE id ="
                                    " '" PATIENT "'");
        assert_string_equal(now, rows[i].now);
        free(now);
    }
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.person WHERE (language, time_zone)"
                                       " <> ('en', 'UTC')"),
                     0);
}

static void test_update_nobody(void **state) {
    struct answer *a = update_me(actor(BERLIN, UNKNOWN, TV_ROLE_PATIENT), "de", "");
    assert_int_equal(a->err, TV_OK);
    assert_int_equal(a->rows[0], 0);
    answer_free(a);
    a = update_me(actor(NEW_YORK, PATIENT, TV_ROLE_PATIENT), "de", "");
    assert_int_equal(a->rows[0], 0);
    answer_free(a);
}

/* -- patients -----------------------------------------------------------------------------------*/

/* Their names, "Paula, Peter". */
static const char *patients_for(struct tv_actor who, const char *query, const char *limit) {
    static char names[4096];
    const struct bind binds[] = {{"query", query}, {"limit", limit}};
    struct answer *a = ask(&sql_clinics_list_patients, who, binds, TV_ARRAY_LEN(binds));
    assert_int_equal(a->err, TV_OK);
    size_t n = 0;
    names[0] = '\0';
    for (unsigned i = 0; i < a->rows[0]; i++)
        n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n == 0 ? "" : ", ",
                              answer_value(a, 0, i, "patients[].display_name"));
    answer_free(a);
    return names;
}

static const char *patients(const char *query, const char *limit) {
    return patients_for(AS_STAFF, query, limit);
}

static void test_list_patients(void **state) {
    free(test_sql(&f.db, "INSERT INTO tv.person (clinic_id, role, display_name, email) VALUES"
                         " ('" BERLIN "', 'PATIENT', '100%_\\ Özil', 'back\\slash@example.com')"));
    static const struct {
        const char *query, *expected;
    } rows[] = {
        {"", "100%_\\ Özil, Paula, Peter, Petra"},
        {"pe", "Peter, Petra"}, /* doctors, staff and other clinics are not patients of this one */
        {"AULA", "Paula"},
        {"paula@EXAMPLE", "Paula"},
        {"example.org", "Paula, Peter"},
        {"%", "100%_\\ Özil"},
        {"_", "100%_\\ Özil"},
        {"\\", "100%_\\ Özil"},
        {"özil", ""}, /* as lower() of the test's database, which has no locale, sees it */
        {"zil", "100%_\\ Özil"},
        {"'; --", ""},
        {"nora", ""},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++)
        assert_string_equal(patients(rows[i].query, "0"), rows[i].expected);
    assert_string_equal(patients("", "2"), "100%_\\ Özil, Paula");
    /* the gateway lets nobody else ask; here they find nobody */
    assert_string_equal(patients_for(AS_DOCTOR, "", "0"), "");
    assert_string_equal(patients_for(AS_PATIENT, "", "0"), "");
    assert_string_equal(patients_for((struct tv_actor){.clinic_id = BERLIN}, "", "0"), "");
    free(test_sql(&f.db, "DELETE FROM tv.person WHERE display_name LIKE '100%'"));
}

static void test_list_patients_is_bounded(void **state) {
    free(test_sql(&f.db,
                  "INSERT INTO tv.person (clinic_id, role, display_name) SELECT '" BERLIN "',"
                  " 'PATIENT', 'x' || n FROM generate_series(1, 60) n"));
    static const struct {
        const char *limit;
        unsigned count;
    } rows[] = {{"0", 20}, {"1", 1}, {"50", 50}, {"51", 50}};
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        const struct bind binds[] = {{"query", "x"}, {"limit", rows[i].limit}};
        struct answer *a = ask(&sql_clinics_list_patients, AS_STAFF, binds, TV_ARRAY_LEN(binds));
        assert_int_equal(a->rows[0], rows[i].count);
        answer_free(a);
    }
    free(test_sql(&f.db, "DELETE FROM tv.person WHERE display_name LIKE 'x%'"));
}

/* -- notices ------------------------------------------------------------------------------------*/

/* "read 1 of 2" */
static const char *mark_read(struct tv_actor who, const char *seq) {
    static char text[64];
    const struct bind binds[] = {{"seq", seq}};
    struct answer *a = ask(&sql_inbox_mark_read, who, binds, TV_ARRAY_LEN(binds));
    assert_int_equal(a->err, TV_OK);
    (void)snprintf(text, sizeof(text), "read %s of %s", answer_value(a, 0, 0, "read_seq"),
                   answer_value(a, 0, 0, "last_seq"));
    answer_free(a);
    return text;
}

/* The numbers of the entries and how far they are read: "1 2 3 read 0 of 3". */
static const char *list(struct tv_actor who, const char *after, const char *limit, bool latest) {
    static char text[256];
    const struct bind binds[] = {
        {"after", after}, {"limit", limit}, {"latest", latest ? "true" : "false"}};
    struct answer *a = ask(&sql_inbox_list, who, binds, TV_ARRAY_LEN(binds));
    assert_int_equal(a->err, TV_OK);
    size_t n = 0;
    for (const char *at = answer_value(a, 0, 0, "entries"); (at = strstr(at, "\"seq\" : ")) != NULL;
         at += 8)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%ld ", strtol(at + 8, NULL, 10));
    (void)snprintf(text + n, sizeof(text) - n, "read %s of %s", answer_value(a, 0, 0, "read_seq"),
                   answer_value(a, 0, 0, "last_seq"));
    answer_free(a);
    return text;
}

static void notices_of_patient(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        char starts[32];
        (void)snprintf(starts, sizeof(starts), "2026-12-%02uT09:00:00Z", i + 1);
        free(fixture_confirmed(&f, PATIENT, starts));
    }
}

static void test_mark_read(void **state) {
    assert_string_equal(mark_read(AS_PATIENT, "5"), "read 0 of 0"); /* nothing was ever told */
    notices_of_patient(3);
    assert_string_equal(list(AS_PATIENT, "0", "0", false), "1 2 3 read 0 of 3");
    assert_string_equal(mark_read(AS_PATIENT, "2"), "read 2 of 3");
    assert_string_equal(mark_read(AS_PATIENT, "1"), "read 2 of 3");
    assert_string_equal(mark_read(AS_PATIENT, "-7"), "read 2 of 3");
    assert_string_equal(list(AS_PATIENT, "0", "0", false), "1 2 3 read 2 of 3");
    assert_string_equal(mark_read(AS_PATIENT, "9223372036854775807"), "read 3 of 3");
    free(fixture_confirmed(&f, PATIENT, "2026-12-10T09:00:00Z"));
    assert_string_equal(list(AS_PATIENT, "0", "0", false), "1 2 3 4 read 3 of 4"); /* unread */
    assert_string_equal(list(AS_DOCTOR, "7", "0", false), "8 read 0 of 8"); /* everybody's own */
    assert_string_equal(mark_read(actor(NEW_YORK, PATIENT, TV_ROLE_PATIENT), "4"), "read 0 of 0");
    assert_string_equal(list(AS_PATIENT, "9", "0", false), "read 3 of 4");
}

static void test_the_latest(void **state) {
    notices_of_patient(5);
    assert_string_equal(list(AS_PATIENT, "0", "2", false), "1 2 read 0 of 5");
    assert_string_equal(list(AS_PATIENT, "0", "2", true), "4 5 read 0 of 5");
    assert_string_equal(list(AS_PATIENT, "2", "2", true), "4 5 read 0 of 5");
    assert_string_equal(list(AS_PATIENT, "4", "2", true), "5 read 0 of 5");
    assert_string_equal(list(AS_PATIENT, "5", "2", true), "read 0 of 5");
    assert_string_equal(list(AS_PATIENT, "0", "0", true), "1 2 3 4 5 read 0 of 5");
    assert_string_equal(list(AS_PATIENT2, "0", "0", true), "read 0 of 0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_update_me, each, each_end),
        cmocka_unit_test_setup_teardown(test_update_nobody, each, each_end),
        cmocka_unit_test_setup_teardown(test_list_patients, each, each_end),
        cmocka_unit_test_setup_teardown(test_list_patients_is_bounded, each, each_end),
        cmocka_unit_test_setup_teardown(test_mark_read, each, each_end),
        cmocka_unit_test_setup_teardown(test_the_latest, each, each_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
