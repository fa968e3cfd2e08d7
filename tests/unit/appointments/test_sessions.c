/* Sessions: tokens rotate, a copy ends the session, a doubled request does not. */
#include "fixture.h"

static struct fixture f;

#define TOKEN(n) "000000000000000000000000000000000000000000000000000000000000000" #n

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

static struct answer *run(const struct tv_pg_statement *st, const struct bind *binds, size_t n,
                          const struct tv_actor *who) {
    struct answer *a = fixture_submit(&f, who, &st, 1, binds, n);
    fixture_wait(&f, a);
    if (a->err != TV_OK)
        fail_msg("%s: %s", st->name, a->error.detail);
    return a;
}

/* An hour idle, four hours in all; returns the session's id, owned. */
static char *open_session(const char *token) {
    const struct bind binds[] = {
        {"clinic_id", BERLIN}, {"person_id", PATIENT}, {"token_sha256", token},
        {"idle_s", "3600"},    {"length_s", "14400"},
    };
    struct answer *a = run(&sql_sessions_open, binds, TV_ARRAY_LEN(binds), &AS_PATIENT);
    assert_int_equal(a->rows[0], 1);
    char *id = strdup(answer_value(a, 0, 0, "session_id"));
    answer_free(a);
    return id;
}

/* What the statement says: "renewed", "expired", "reused", or "unknown". */
static const char *renew(const char *shown, const char *next) {
    const struct bind binds[] = {
        {"token_sha256", shown}, {"next_sha256", next}, {"idle_s", "3600"}, {"grace_s", "10"}};
    struct answer *a = run(&sql_sessions_renew, binds, TV_ARRAY_LEN(binds), &AS_PATIENT);
    static char outcome[32];
    if (a->rows[0] == 0) {
        (void)snprintf(outcome, sizeof(outcome), "unknown");
    } else {
        (void)snprintf(outcome, sizeof(outcome), "%s", answer_value(a, 0, 0, "outcome"));
        bool renewed = strcmp(outcome, "renewed") == 0;
        assert_true(renewed == (answer_value(a, 0, 0, "session_id") != NULL));
        assert_true(renewed == (answer_value(a, 0, 0, "person") != NULL));
    }
    answer_free(a);
    return outcome;
}

static void test_find(void **state) {
    free(test_sql(&f.db, "INSERT INTO tv.credential (clinic_id, person_id, password_hash) VALUES"
                         " ('" BERLIN "', '" PATIENT "', '$argon2id$x'),"
                         " ('" NEW_YORK "', '" NY_DOCTOR "', '$argon2id$y')"
                         " ON CONFLICT DO NOTHING"));
    static const struct {
        const char *clinic, *email, *person;
    } rows[] = {
        {"berlin", "paula@example.org", PATIENT},
        {"berlin", "PAULA@EXAMPLE.ORG", PATIENT},
        {"new-york", "adam@example.org", NY_DOCTOR},
        {"berlin", "adam@example.org", NULL},
        {"nowhere", "paula@example.org", NULL},
        {"berlin", "", NULL},
        {"", "", NULL},
        {"berlin", "%", NULL},
        {"berlin", "' OR true --", NULL},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        const struct bind binds[] = {{"clinic", rows[i].clinic}, {"email", rows[i].email}};
        struct answer *a = run(&sql_sessions_find, binds, 2, &AS_PATIENT);
        assert_int_equal(a->rows[0], rows[i].person == NULL ? 0 : 1);
        if (rows[i].person != NULL)
            assert_string_equal(answer_value(a, 0, 0, "person_id"), rows[i].person);
        answer_free(a);
    }
}

static void test_rotation(void **state) {
    free(open_session(TOKEN(1)));
    fixture_set_now(&f, "2026-11-23T08:30:00Z");
    assert_string_equal(renew(TOKEN(1), TOKEN(2)), "renewed");
    fixture_set_now(&f, "2026-11-23T09:20:00Z"); /* an hour after the first, not the second */
    assert_string_equal(renew(TOKEN(2), TOKEN(3)), "renewed");
    assert_string_equal(renew(TOKEN(9), TOKEN(4)), "unknown");
    fixture_set_now(&f, "2026-11-23T10:20:00Z"); /* idle for exactly an hour */
    assert_string_equal(renew(TOKEN(3), TOKEN(4)), "expired");
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.session_token"), 3);
}

static void test_a_session_is_never_longer(void **state) {
    free(open_session(TOKEN(1)));
    fixture_set_now(&f, "2026-11-23T08:50:00Z");
    assert_string_equal(renew(TOKEN(1), TOKEN(2)), "renewed");
    fixture_set_now(&f, "2026-11-23T09:45:00Z");
    assert_string_equal(renew(TOKEN(2), TOKEN(3)), "renewed");
    fixture_set_now(&f, "2026-11-23T10:40:00Z");
    assert_string_equal(renew(TOKEN(3), TOKEN(4)), "renewed");
    fixture_set_now(&f, "2026-11-23T11:30:00Z");
    assert_string_equal(renew(TOKEN(4), TOKEN(5)), "renewed");
    assert_int_equal(fixture_count(&f, "SELECT extract(epoch FROM max(expires_at)"
                                       " - '2026-11-23T12:00:00Z') FROM tv.session_token"),
                     0);
    fixture_set_now(&f, "2026-11-23T12:00:00Z");
    assert_string_equal(renew(TOKEN(5), TOKEN(6)), "expired");
}

static void test_a_copy_ends_the_session(void **state) {
    free(open_session(TOKEN(1)));
    assert_string_equal(renew(TOKEN(1), TOKEN(2)), "renewed");
    fixture_set_now(&f, "2026-11-23T08:00:10.000001Z");
    assert_string_equal(renew(TOKEN(1), TOKEN(3)), "reused");
    /* for both sides, at once */
    assert_string_equal(renew(TOKEN(2), TOKEN(4)), "expired");
    assert_string_equal(renew(TOKEN(3), TOKEN(4)), "unknown");
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.session"
                                       " WHERE end_reason = 'reused'"),
                     1);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.audit"
                                       " WHERE action = 'session.renew' AND decision = 'REUSED'"),
                     1);
}

static void test_a_doubled_request_is_no_copy(void **state) {
    free(open_session(TOKEN(1)));
    assert_string_equal(renew(TOKEN(1), TOKEN(2)), "renewed");
    fixture_set_now(&f, "2026-11-23T08:00:10Z");
    assert_string_equal(renew(TOKEN(1), TOKEN(3)), "renewed");
    /* one of the two goes on; the other one is used up with it */
    fixture_set_now(&f, "2026-11-23T08:20:00Z");
    assert_string_equal(renew(TOKEN(3), TOKEN(4)), "renewed");
    fixture_set_now(&f, "2026-11-23T08:20:11Z");
    assert_string_equal(renew(TOKEN(2), TOKEN(5)), "reused");
    assert_string_equal(renew(TOKEN(4), TOKEN(6)), "expired");
}

static void test_doubled_at_the_same_time(void **state) {
    enum { N = 8 };
    free(open_session(TOKEN(1)));
    struct answer *answers[N];
    static const struct tv_pg_statement *const unit[] = {&sql_sessions_renew};
    for (unsigned i = 0; i < N; i++) {
        char next[65];
        (void)snprintf(next, sizeof(next), "1%063u", i);
        const struct bind binds[] = {{"token_sha256", TOKEN(1)},
                                     {"next_sha256", next},
                                     {"idle_s", "3600"},
                                     {"grace_s", "10"}};
        answers[i] = fixture_submit(&f, &AS_PATIENT, unit, 1, binds, TV_ARRAY_LEN(binds));
    }
    for (unsigned i = 0; i < N; i++) {
        fixture_wait(&f, answers[i]);
        assert_int_equal(answers[i]->err, TV_OK);
        assert_string_equal(answer_value(answers[i], 0, 0, "outcome"), "renewed");
        answer_free(answers[i]);
    }
}

static void test_close(void **state) {
    char *id = open_session(TOKEN(1));
    const struct bind binds[] = {{"session_id", id}};
    /* nobody else can */
    answer_free(run(&sql_sessions_close, binds, 1, &AS_PATIENT2));
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.session WHERE ended_at IS NULL"),
                     1);
    answer_free(run(&sql_sessions_close, binds, 1, &AS_PATIENT));
    assert_string_equal(renew(TOKEN(1), TOKEN(2)), "expired");
    answer_free(run(&sql_sessions_close, binds, 1, &AS_PATIENT)); /* again: nothing happens */
    free(id);
}

static void test_me(void **state) {
    struct answer *a = run(&sql_sessions_me, NULL, 0, &AS_PATIENT);
    assert_string_equal(answer_value(a, 0, 0, "display_name"), "Paula");
    assert_string_equal(answer_value(a, 0, 0, "clinic_name"), "Praxis");
    assert_string_equal(answer_value(a, 0, 0, "role"), "PATIENT");
    answer_free(a);
    struct tv_actor stranger = actor(NEW_YORK, PATIENT, TV_ROLE_PATIENT);
    a = run(&sql_sessions_me, NULL, 0, &stranger);
    assert_int_equal(a->rows[0], 0);
    answer_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_find, each),
        cmocka_unit_test_setup(test_rotation, each),
        cmocka_unit_test_setup(test_a_session_is_never_longer, each),
        cmocka_unit_test_setup(test_a_copy_ends_the_session, each),
        cmocka_unit_test_setup(test_a_doubled_request_is_no_copy, each),
        cmocka_unit_test_setup(test_doubled_at_the_same_time, each),
        cmocka_unit_test_setup(test_close, each),
        cmocka_unit_test_setup(test_me, each),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
