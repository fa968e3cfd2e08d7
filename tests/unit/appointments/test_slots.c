/* Slots: local hours as instants, on ordinary days and on the nights when clocks change. */
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
    fixture_set_now(&f, "2026-01-01T00:00:00Z");
    return 0;
}

static struct answer *slots(const char *clinic, const char *doctor, const char *from,
                            const char *days) {
    static const struct tv_pg_statement *const unit[] = {&sql_clinics_list_slots};
    struct tv_actor who = actor(clinic, UNKNOWN, TV_ROLE_PATIENT);
    const struct bind binds[] = {{"doctor_id", doctor}, {"from", from}, {"days", days}};
    struct answer *a = fixture_submit(&f, &who, unit, 1, binds, TV_ARRAY_LEN(binds));
    fixture_wait(&f, a);
    if (a->err != TV_OK)
        fail_msg("%s", a->error.detail);
    return a;
}

static unsigned count(const char *json) {
    unsigned n = 0;
    for (const char *p = json; (p = strstr(p, "startsAt")) != NULL; p++)
        n++;
    return n;
}

static bool has(const char *json, const char *starts_at) {
    char text[64];
    (void)snprintf(text, sizeof(text), "\"startsAt\" : \"%s\"", starts_at);
    return strstr(json, text) != NULL;
}

/* On a night when clocks change: how many slots the day has, which there are, which are not. */
static const struct night {
    const char *clinic, *doctor, *day;
    unsigned slots;
    const char *there[4], *not_there[3];
} nights[] = {
    /* forward at 02:00: 02:00 and 02:30 are no times */
    {BERLIN,
     DOCTOR,
     "2026-03-29",
     46,
     {"2026-03-29T00:30:00+00:00", "2026-03-29T01:00:00+00:00", "2026-03-28T23:00:00+00:00",
      "2026-03-29T21:30:00+00:00"},
     {"2026-03-29T22:00:00+00:00"}},
    /* back at 03:00: 02:00 and 02:30 come twice, the first ones count */
    {BERLIN,
     DOCTOR,
     "2026-10-25",
     48,
     {"2026-10-25T00:00:00+00:00", "2026-10-25T00:30:00+00:00", "2026-10-25T02:00:00+00:00",
      "2026-10-24T22:00:00+00:00"},
     {"2026-10-25T01:00:00+00:00", "2026-10-25T01:30:00+00:00"}},
    {NEW_YORK,
     NY_DOCTOR,
     "2026-03-08",
     46,
     {"2026-03-08T06:30:00+00:00", "2026-03-08T07:00:00+00:00", "2026-03-08T05:00:00+00:00",
      "2026-03-09T03:30:00+00:00"},
     {"2026-03-09T04:00:00+00:00"}},
    {NEW_YORK,
     NY_DOCTOR,
     "2026-11-01",
     48,
     {"2026-11-01T05:00:00+00:00", "2026-11-01T05:30:00+00:00", "2026-11-01T07:00:00+00:00",
      "2026-11-01T04:00:00+00:00"},
     {"2026-11-01T06:00:00+00:00", "2026-11-01T06:30:00+00:00"}},
    /* half an hour, from +10:30 to +11 at 02:00: 02:00 is no time, 02:30 is */
    {LORD_HOWE,
     LH_DOCTOR,
     "2026-10-04",
     47,
     {"2026-10-03T15:00:00+00:00", "2026-10-03T15:30:00+00:00", "2026-10-03T13:30:00+00:00",
      "2026-10-04T12:30:00+00:00"},
     {"2026-10-04T13:00:00+00:00"}},
    /* and back at 02:00 to 01:30: 01:30 comes twice */
    {LORD_HOWE,
     LH_DOCTOR,
     "2026-04-05",
     48,
     {"2026-04-04T14:30:00+00:00", "2026-04-04T15:30:00+00:00", "2026-04-04T13:00:00+00:00",
      "2026-04-05T13:00:00+00:00"},
     {"2026-04-04T15:00:00+00:00"}},
    /* an ordinary day */
    {BERLIN,
     DOCTOR,
     "2026-06-01",
     48,
     {"2026-05-31T22:00:00+00:00"},
     {"2026-06-01T22:00:00+00:00"}},
};

static void check_night(const struct night *n) {
    struct answer *a = slots(n->clinic, n->doctor, n->day, "1");
    const char *json = answer_value(a, 0, 0, "slots");
    if (count(json) != n->slots)
        fail_msg("%s: %u slots, not %u: %s", n->day, count(json), n->slots, json);
    for (size_t t = 0; t < 4 && n->there[t] != NULL; t++)
        if (!has(json, n->there[t]))
            fail_msg("%s: no %s in %s", n->day, n->there[t], json);
    for (size_t t = 0; t < 3 && n->not_there[t] != NULL; t++)
        if (has(json, n->not_there[t]))
            fail_msg("%s: %s in %s", n->day, n->not_there[t], json);
    answer_free(a);
}

static void test_nights(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(nights); i++)
        check_night(&nights[i]);
}

static void test_past_and_taken(void **state) {
    fixture_set_now(&f, "2026-06-01T10:00:00Z");
    struct answer *a = slots(BERLIN, DOCTOR, "", "1"); /* today, from 12:00 local time */
    const char *json = answer_value(a, 0, 0, "slots");
    assert_false(has(json, "2026-06-01T10:00:00+00:00"));
    assert_true(has(json, "2026-06-01T10:30:00+00:00"));
    assert_int_equal(count(json), 23);
    assert_string_equal(answer_value(a, 0, 0, "time_zone"), "Europe/Berlin");
    answer_free(a);

    /* an hour across two slots and a bit takes three; what is called off takes none */
    struct answer *b = fixture_book(&f, AS_STAFF,
                                    (struct booking){.patient_id = PATIENT,
                                                     .starts_at = "2026-06-01T12:10:00Z",
                                                     .minutes = "60"});
    assert_int_equal(b->err, TV_OK);
    a = slots(BERLIN, DOCTOR, "2026-06-01", "1");
    json = answer_value(a, 0, 0, "slots");
    assert_int_equal(count(json), 20);
    assert_true(has(json, "2026-06-01T11:30:00+00:00"));
    assert_false(has(json, "2026-06-01T12:00:00+00:00"));
    assert_false(has(json, "2026-06-01T13:00:00+00:00"));
    assert_true(has(json, "2026-06-01T13:30:00+00:00"));
    answer_free(a);
    answer_free(b);
    free(test_sql(&f.db, "UPDATE tv.appointment SET status = 'DECLINED'"));
    a = slots(BERLIN, DOCTOR, "2026-06-01", "1");
    assert_int_equal(count(answer_value(a, 0, 0, "slots")), 23);
    answer_free(a);
    /* a week is the default */
    a = slots(BERLIN, DOCTOR, "", "0");
    assert_int_equal(count(answer_value(a, 0, 0, "slots")), 23 + 6 * 48);
    answer_free(a);
}

static void test_no_such_doctor(void **state) {
    static const char *const ids[] = {UNKNOWN, NY_DOCTOR, PATIENT, STAFF};
    for (size_t i = 0; i < TV_ARRAY_LEN(ids); i++) {
        struct answer *a = slots(BERLIN, ids[i], "2026-06-01", "1");
        assert_int_equal(a->rows[0], 0);
        answer_free(a);
    }
}

static struct answer *put(struct tv_actor who, const char *doctor, const char *hours) {
    static const struct tv_pg_statement *const unit[] = {&sql_clinics_put_availability};
    const struct bind binds[] = {{"doctor_id", doctor}, {"hours", hours}};
    struct answer *a = fixture_submit(&f, &who, unit, 1, binds, TV_ARRAY_LEN(binds));
    fixture_wait(&f, a);
    return a;
}

#define HOURS(weekday, from, to, minutes)                                                          \
    "{\"weekday\":" #weekday ",\"from\":\"" from "\",\"to\":\"" to "\",\"slotMinutes\":" #minutes  \
    "}"

static void test_put_availability(void **state) {
    static const struct {
        const char *hours;
        enum tv_err expected;
    } rows[] = {
        {"[" HOURS(8, "09:00", "12:00", 30) "]", TV_ERR_INVALID},
        {"[" HOURS(1, "09:00", "09:00", 30) "]", TV_ERR_INVALID},
        {"[" HOURS(1, "12:00", "09:00", 30) "]", TV_ERR_INVALID},
        {"[" HOURS(1, "09:00", "25:00", 30) "]", TV_ERR_INVALID},
        {"[" HOURS(1, "09:00", "12:00", 4) "]", TV_ERR_INVALID},
        {"[" HOURS(1, "09:00", "12:00", 30) "," HOURS(1, "11:59", "14:00", 30) "]", TV_ERR_INVALID},
        {"[" HOURS(1, "09:00", "12:00", 30) "," HOURS(1, "09:00", "12:00", 30) "]", TV_ERR_INVALID},
        {"[]", TV_OK},
        /* 09:00 again and again: the old row goes before the new one comes */
        {"[" HOURS(1, "09:00", "12:00", 30) "," HOURS(1, "12:00", "24:00", 45) "]", TV_OK},
        {"[" HOURS(1, "09:00", "11:00", 20) "]", TV_OK},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct answer *a = put(actor(BERLIN, DOCTOR2, TV_ROLE_DOCTOR), DOCTOR2, rows[i].hours);
        if (a->err != rows[i].expected)
            fail_msg("%s: %d %s", rows[i].hours, (int)a->err, a->error.detail);
        answer_free(a);
    }
    struct answer *a = slots(BERLIN, DOCTOR2, "2026-06-01", "7"); /* a Monday */
    assert_int_equal(count(answer_value(a, 0, 0, "slots")), 6);
    answer_free(a);

    a = put(AS_DOCTOR, DOCTOR2, "[]");
    assert_int_equal(a->err, TV_ERR_FORBIDDEN);
    answer_free(a);
    a = put(actor(NEW_YORK, NY_DOCTOR, TV_ROLE_STAFF), DOCTOR2, "[]");
    assert_int_equal(a->err, TV_OK);
    assert_int_equal(a->rows[0], 0);
    answer_free(a);
    a = put(AS_STAFF, DOCTOR2, "[" HOURS(7, "22:00", "24:00", 60) "]");
    assert_int_equal(a->err, TV_OK);
    const char *hours = answer_value(a, 0, 0, "hours");
    assert_non_null(strstr(hours, "\"to\" : \"24:00\""));
    answer_free(a);
    assert_int_equal(fixture_count(&f, "SELECT count(*) FROM tv.availability WHERE doctor_id ="
                                       " '" DOCTOR2 "'"),
                     1);
    /* what does not divide the hours leaves a rest without a slot */
    a = put(AS_STAFF, DOCTOR2, "[" HOURS(7, "22:00", "23:59", 60) "]");
    answer_free(a);
    a = slots(BERLIN, DOCTOR2, "2026-06-07", "1");
    assert_int_equal(count(answer_value(a, 0, 0, "slots")), 1);
    answer_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nights, each),
        cmocka_unit_test_setup(test_past_and_taken, each),
        cmocka_unit_test_setup(test_no_such_doctor, each),
        cmocka_unit_test_setup(test_put_availability, each),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
