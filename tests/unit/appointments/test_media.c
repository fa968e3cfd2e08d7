/* Who was let in while LiveKit was away is told when it is back, once, and only while it helps. */
#include "fixture.h"

static struct fixture f;
static char *id; /* open from 10:30 to 13:00 */

#define NOW "2026-11-26T11:00:00Z"

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
    id = fixture_confirmed(&f, PATIENT, "2026-11-26T11:00:00Z");
    fixture_set_now(&f, NOW);
    return 0;
}
static int each_end(void **state) {
    fixture_check_promises(&f);
    free(id);
    return 0;
}

static void miss(struct tv_actor who, const char *appointment) {
    static const struct tv_pg_statement *const unit[] = {&sql_calls_miss_media};
    const struct bind binds[] = {{"appointment_id", appointment}};
    struct answer *a = fixture_submit(&f, &who, unit, 1, binds, 1);
    fixture_wait(&f, a);
    assert_int_equal(a->err, TV_OK);
    assert_int_equal(a->columns[0], 0); /* answered by google.protobuf.Empty */
    answer_free(a);
}

static struct answer *restore_submit(void) {
    static const struct tv_pg_statement *const unit[] = {&sql_calls_restore_media};
    struct tv_actor nobody = {.role = TV_ROLE_SERVICE};
    return fixture_submit(&f, &nobody, unit, 1, NULL, 0);
}

static unsigned entries(const struct answer *a) {
    unsigned n = 0;
    for (const char *p = answer_value(a, 0, 0, "told"); (p = strstr(p, "\"seq\"")) != NULL; p++)
        n++;
    return n;
}

/* How many were told; `who` (may be NULL) is one of them. */
static unsigned restore(const char *who) {
    struct answer *a = restore_submit();
    fixture_wait(&f, a);
    if (a->err != TV_OK)
        fail_msg("%s", a->error.detail);
    unsigned n = entries(a);
    assert_string_equal(answer_value(a, 0, 0, "due_now"), "f");
    assert_string_equal(answer_value(a, 0, 0, "again_ms"), "0");
    if (who != NULL) {
        assert_non_null(strstr(answer_value(a, 0, 0, "told"), who));
        assert_non_null(strstr(answer_value(a, 0, 0, "told"), "call.media_restored"));
    }
    answer_free(a);
    return n;
}

static long missing(void) {
    return fixture_count(&f, "SELECT count(*) FROM tv.participant"
                             " WHERE media_missed_at IS NOT NULL");
}

static void test_who_missed_it_is_told(void **state) {
    assert_int_equal(restore(NULL), 0);
    miss(AS_PATIENT, id);
    miss(AS_PATIENT, id);
    assert_int_equal(missing(), 1);
    assert_int_equal(restore(PATIENT), 1);
    assert_int_equal(missing(), 0);
    assert_int_equal(restore(NULL), 0);
    miss(AS_DOCTOR, id); /* again, and both */
    miss(AS_PATIENT, id);
    assert_int_equal(restore(DOCTOR), 2);
    char *nth = test_sql(&f.db, "SELECT string_agg(nth::text, ' ' ORDER BY nth) FROM tv.event"
                                " WHERE type = 'call.media_restored' AND version = 2");
    assert_string_equal(nth, "1 2");
    free(nth);
}

static void test_who_cannot_miss_it(void **state) {
    miss(AS_PATIENT2, id); /* does not take part */
    miss(AS_STAFF, id);
    miss(AS_PATIENT, UNKNOWN);
    miss(AS_PATIENT, NULL);
    miss(actor(NEW_YORK, PATIENT, TV_ROLE_PATIENT), id);
    fixture_set_now(&f, "2026-11-26T10:29:59.999999Z");
    miss(AS_PATIENT, id);
    fixture_set_now(&f, "2026-11-26T13:00:00Z");
    miss(AS_PATIENT, id);
    assert_int_equal(missing(), 0);
    fixture_set_now(&f, "2026-11-26T12:59:59.999999Z");
    miss(AS_PATIENT, id);
    fixture_set_now(&f, "2026-11-26T10:30:00Z");
    miss(AS_DOCTOR, id);
    assert_int_equal(missing(), 2);
    struct answer *a = fixture_change(&f, AS_DOCTOR,
                                      (struct changing){.id = id,
                                                        .if_match = "2",
                                                        .from = "CONFIRMED",
                                                        .to = "CANCELLED",
                                                        .event_type = "appointment.cancelled"});
    assert_int_equal(a->err, TV_OK);
    answer_free(a);
    free(test_sql(&f.db, "UPDATE tv.participant SET media_missed_at = NULL"));
    miss(AS_PATIENT, id);
    assert_int_equal(missing(), 0);
}

/* When the call is over there is nothing to come back to. */
static void test_too_late(void **state) {
    miss(AS_PATIENT, id);
    fixture_set_now(&f, "2026-11-26T13:00:00Z");
    assert_int_equal(restore(NULL), 0);
    assert_int_equal(missing(), 0);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.event"
                                       " WHERE type = 'call.media_restored'"),
                     0);
}

static void test_several_calls(void **state) {
    fixture_set_now(&f, "2026-11-23T08:00:00Z");
    char *other = fixture_confirmed(&f, PATIENT2, "2026-11-26T11:30:00Z");
    fixture_set_now(&f, NOW);
    miss(AS_PATIENT, id);
    miss(AS_PATIENT2, other);
    assert_int_equal(restore(PATIENT2), 2);
    free(other);
}

/* Two replicas see at the same time that LiveKit is back. */
static void test_told_once(void **state) {
    enum { TIMES = 16 };
    miss(AS_PATIENT, id);
    miss(AS_DOCTOR, id);
    struct answer *answers[TIMES];
    for (unsigned i = 0; i < TIMES; i++)
        answers[i] = restore_submit();
    unsigned told = 0;
    for (unsigned i = 0; i < TIMES; i++) {
        fixture_wait(&f, answers[i]);
        assert_int_equal(answers[i]->err, TV_OK);
        told += entries(answers[i]);
        answer_free(answers[i]);
    }
    assert_int_equal(told, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_missed_it_is_told, each, each_end),
        cmocka_unit_test_setup_teardown(test_who_cannot_miss_it, each, each_end),
        cmocka_unit_test_setup_teardown(test_too_late, each, each_end),
        cmocka_unit_test_setup_teardown(test_several_calls, each, each_end),
        cmocka_unit_test_setup_teardown(test_told_once, each, each_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
