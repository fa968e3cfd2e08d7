/* Which entries are hints for others, and that each is seen once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "services/gateway/hint.h"

#define VISIT "44444444-4444-4444-8444-444444444444"
#define OTHER "55555555-5555-4555-8555-555555555555"
#define EVENT "66666666-6666-4666-8666-666666666666"

static int set_up(void **state) {
    tv_crypto_init();
    return 0;
}

static Televisit__V1__InboxEntry entry_of(int64_t seq, char *type, char *visit, char *event) {
    Televisit__V1__InboxEntry e = TELEVISIT__V1__INBOX_ENTRY__INIT;
    e.seq = seq;
    e.type = type;
    e.appointment_id = visit;
    e.event_id = event;
    return e;
}

static void test_which(void **state) {
    static char changed[] = "appointment.changed", confirmed[] = "appointment.confirmed";
    static char visit[] = VISIT, event[] = EVENT, none[] = "", bad[] = VISIT "\"}\n\nid: 9";
    static const struct {
        int64_t seq;
        char *type, *visit;
        bool hint, bare;
    } rows[] = {
        {1, confirmed, visit, true, false}, {7, changed, visit, true, false},
        {0, changed, visit, true, true},    {0, confirmed, visit, false, false},
        {-1, changed, visit, false, false}, {-1, confirmed, visit, false, false},
        {1, confirmed, none, false, false}, {0, changed, none, false, false},
        {1, confirmed, bad, false, false},  {0, none, visit, false, false},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        Televisit__V1__InboxEntry e = entry_of(rows[i].seq, rows[i].type, rows[i].visit, event);
        struct hint hint = {.bare = true};
        if (hint_of(&e, &hint) != rows[i].hint)
            fail_msg("row %zu", i);
        if (!rows[i].hint)
            continue;
        assert_int_equal(hint.bare, rows[i].bare);
        assert_string_equal(hint.appointment_id, VISIT);
        char out[HINT_BYTES];
        assert_true(tv_str_eqz(hint_event(&hint, out), "event: appointment.changed\n"
                                                       "data: {\"appointmentId\":\"" VISIT "\"}"
                                                       "\n\n"));
    }
}

/* The key of an entry with this event, instant and appointment. */
static struct hint key_of(const char *event, int64_t seconds, int32_t nanos, const char *visit) {
    static char type[] = "appointment.changed";
    char visit_text[TV_UUID_TEXT], event_text[TV_UUID_TEXT];
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    struct hint hint;
    memcpy(visit_text, visit, sizeof visit_text);
    memcpy(event_text, event, strlen(event) + 1);
    Televisit__V1__InboxEntry e = entry_of(0, type, visit_text, event_text);
    at.seconds = seconds;
    at.nanos = nanos;
    e.occurred_at = seconds < 0 ? NULL : &at;
    assert_true(hint_of(&e, &hint));
    return hint;
}

static void test_keys(void **state) {
    struct hint one = key_of(EVENT, 1, 0, VISIT), two = key_of(EVENT, 2, 0, VISIT);
    assert_true(one.event != 0 && one.event == two.event);
    assert_true(one.instant != 0 && one.instant != two.instant && one.instant != one.event);
    struct hint instant = key_of("", 1, 5000, VISIT);
    assert_true(instant.event == 0 && instant.instant != 0);
    assert_true(instant.instant == key_of("", 1, 5000, VISIT).instant);
    assert_true(instant.instant != key_of("", 1, 6000, VISIT).instant);
    assert_true(instant.instant != key_of("", 2, 5000, VISIT).instant);
    assert_true(instant.instant != key_of("", 1, 5000, OTHER).instant);
    struct hint unknown = key_of("", -1, 0, VISIT);
    assert_true(unknown.event == 0 && unknown.instant == 0);
}

static void test_seen(void **state) {
    struct hints_seen seen = {0};
    struct {
        uint64_t event, instant;
        bool is_new;
    } rows[] = {
        {0, 0, true},   {0, 0, true},                   /* rather twice than never */
        {1, 10, true},  {1, 10, false}, {2, 10, true},  /* another event of the same commit */
        {0, 10, false}, {0, 11, true},  {0, 11, false}, /* nothing besides the events of it */
        {3, 11, true},  {1, 99, false}, {0, 99, true},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct hint hint = {.event = rows[i].event, .instant = rows[i].instant};
        if (hint_is_new(&seen, &hint) != rows[i].is_new)
            fail_msg("row %zu", i);
    }
    struct hint hint = {0};
    for (uint64_t n = 0; n < HINT_KEYS_SEEN; n++) {
        hint.event = 1000 + n;
        assert_true(hint_is_new(&seen, &hint));
    }
    assert_false(hint_is_new(&seen, &hint));
    hint.event = 1; /* forgotten: others have taken its place */
    assert_true(hint_is_new(&seen, &hint));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_seen),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
