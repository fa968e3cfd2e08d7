/* Logging in and renewing through their handlers: passwords, hashes, a bounded queue. */
#include "calls.h"

#include "services/appointments/sessions.c"

static struct fixture f;
static struct app app;
/* As cheap as it goes. */
static const struct app_conf conf = {.password_memory_mib = 1,
                                     .password_passes = 1,
                                     .session_idle_us = 3600 * TV_US_PER_S,
                                     .session_length_us = 7200 * TV_US_PER_S};

static int set_up(void **state) {
    fixture_start(&f);
    app = (struct app){.loop = f.loop, .pg = f.pg, .conf = &conf};
    app.sessions = sessions_new(&app);
    char hash[TV_PASSWORD_HASH_MAX], sql[512];
    assert_true(tv_password_hash(TV_S("correct horse"), 1, 1 << 20, hash));
    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO tv.credential (clinic_id, person_id, password_hash) VALUES"
                   " ('" BERLIN "', '" PATIENT "', '%s')",
                   hash);
    free(test_sql(&f.db, sql));
    return 0;
}
static int tear_down(void **state) {
    assert_int_equal(sessions_pending(app.sessions), 0);
    fixture_stop(&f);
    sessions_free(app.sessions);
    return 0;
}
static int each(void **state) {
    fixture_clear(&f);
    fixture_set_now(&f, "2026-11-23T08:00:00Z");
    return 0;
}

#define TEXT(literal) ((char *)(uintptr_t)(literal))
#define NOBODY ((struct tv_actor){.role = TV_ROLE_NONE})

static struct outcome *submit_open(const char *clinic, const char *email, const char *password) {
    Televisit__V1__OpenSessionRequest r = TELEVISIT__V1__OPEN_SESSION_REQUEST__INIT;
    r.clinic = TEXT(clinic);
    r.email = TEXT(email);
    r.password = TEXT(password);
    return call_submit(&app, sessions_open, &NOBODY, &r.base,
                       &televisit__v1__open_session__descriptor);
}

static struct outcome *open_as(const char *clinic, const char *email, const char *password) {
    struct outcome *o = submit_open(clinic, email, password);
    call_wait(&app, o);
    return o;
}

static struct outcome *renew(const char *token) {
    Televisit__V1__RenewSessionRequest r = TELEVISIT__V1__RENEW_SESSION_REQUEST__INIT;
    r.refresh_token = TEXT(token);
    return call_handler(&app, sessions_renew, NOBODY, &r.base,
                        &televisit__v1__open_session__descriptor);
}

static void test_log_in_and_renew(void **state) {
    struct outcome *o = open_as("berlin", "PAULA@example.org", "correct horse");
    assert_outcome(o, TV_OK);
    const Televisit__V1__OpenSession *session = o->reply;
    assert_true(tv_str_is_uuid(tv_str(session->session_id)));
    assert_string_equal(session->person->id, PATIENT);
    assert_string_equal(session->person->clinic_id, BERLIN);
    assert_int_equal(session->person->role, TELEVISIT__V1__ROLE__VALUE__PATIENT);
    assert_string_equal(session->person->display_name, "Paula");
    assert_int_equal(strlen(session->refresh_token), 43);
    assert_string_equal(time_of(session->refresh_expires_at), "2026-11-23T09:00:00Z");
    /* the token itself is nowhere in the database */
    char sql[256];
    (void)snprintf(sql, sizeof(sql),
                   "SELECT count(*) FROM tv.session_token WHERE session_token::text LIKE '%%%s%%'",
                   session->refresh_token);
    assert_int_equal(fixture_count(&f, sql), 0);

    struct outcome *next = renew(session->refresh_token);
    assert_outcome(next, TV_OK);
    const Televisit__V1__OpenSession *renewed = next->reply;
    assert_string_equal(renewed->session_id, session->session_id);
    assert_string_not_equal(renewed->refresh_token, session->refresh_token);
    assert_string_equal(renewed->person->email, "Paula@Example.org");

    fixture_set_now(&f, "2026-11-23T08:01:00Z");
    struct outcome *copied = renew(session->refresh_token);
    assert_outcome(copied, TV_ERR_SESSION_EXPIRED);
    outcome_free(copied);
    copied = renew(renewed->refresh_token);
    assert_outcome(copied, TV_ERR_SESSION_EXPIRED);
    outcome_free(copied);
    outcome_free(next);
    outcome_free(o);
}

static void test_all_failures_look_the_same(void **state) {
    static const struct {
        const char *clinic, *email, *password;
    } rows[] = {
        {"berlin", "paula@example.org", "wrong"},
        {"berlin", "paula@example.org", ""},
        {"berlin", "peter@example.org", "correct horse"}, /* has no password */
        {"berlin", "nobody@example.org", "correct horse"},
        {"new-york", "paula@example.org", "correct horse"},
        {"nowhere", "paula@example.org", "correct horse"},
        {"", "", ""},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct outcome *o = open_as(rows[i].clinic, rows[i].email, rows[i].password);
        assert_outcome(o, TV_ERR_BAD_CREDENTIALS);
        assert_string_equal(o->error.detail, "");
        assert_int_equal(o->error.members, 0);
        outcome_free(o);
    }
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.session"), 0);
}

static bool is_recorded(void *ctx) {
    return fixture_count(&f, "SELECT count(*) FROM tv.audit WHERE decision = 'REFUSED' AND"
                             " action = 'session.open' AND person_id = '" PATIENT "'") > 0;
}

static void test_a_refusal_is_recorded(void **state) {
    outcome_free(open_as("berlin", "paula@example.org", "wrong"));
    assert_true(tv_loop_run_until(f.loop, is_recorded, NULL, 20 * TV_US_PER_S));
}

static void test_bad_tokens(void **state) {
    static const char *const tokens[] = {
        "",
        "x",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",   /* 32 bytes that nobody was given */
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",  /* padding */
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* too long */
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",     /* too short */
        "'; DROP TABLE tv.session; --",
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(tokens); i++) {
        struct outcome *o = renew(tokens[i]);
        assert_outcome(o, TV_ERR_SESSION_EXPIRED);
        outcome_free(o);
    }
}

static void test_the_queue_is_bounded(void **state) {
    app.sessions->pending = PENDING_MAX;
    struct outcome *o = open_as("berlin", "paula@example.org", "correct horse");
    assert_outcome(o, TV_ERR_UNAVAILABLE);
    assert_int_equal(o->error.retry_after_s, 1);
    outcome_free(o);
    app.sessions->pending = 0;

    enum { N = 20 };
    struct outcome *outcomes[N];
    for (unsigned i = 0; i < N; i++)
        outcomes[i] =
            submit_open("berlin", "paula@example.org", i % 2 == 0 ? "correct horse" : "wrong");
    for (unsigned i = 0; i < N; i++) {
        call_wait(&app, outcomes[i]);
        assert_outcome(outcomes[i], i % 2 == 0 ? TV_OK : TV_ERR_BAD_CREDENTIALS);
        outcome_free(outcomes[i]);
    }
    assert_int_equal(sessions_pending(app.sessions), 0);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.session"), N / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_log_in_and_renew, each),
        cmocka_unit_test_setup(test_all_failures_look_the_same, each),
        cmocka_unit_test_setup(test_a_refusal_is_recorded, each),
        cmocka_unit_test_setup(test_bad_tokens, each),
        cmocka_unit_test_setup(test_the_queue_is_bounded, each),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
