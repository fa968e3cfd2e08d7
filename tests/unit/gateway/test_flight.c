/* A flight is on one list at a time, and carries the caller's trace on or begins one. */
#include "services/gateway/flight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/crypto.h"
#include "services/gateway/gateway.h"
#include "tests/unit/gateway/fake_http.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static struct gateway gateway;

static int setup(void **state) {
    tv_crypto_init();
    flights_init(&gateway.flights);
    return 0;
}

/* The flight of a request with this traceparent (NULL: none); it lives in the exchange's arena. */
static struct flight *begin(struct tv_http *x, const char *traceparent) {
    *x = (struct tv_http){.arena = tv_arena_new()};
    if (traceparent != NULL)
        x->fields[0] = (struct tv_http_field){"traceparent", traceparent};
    return flight_new(&gateway, x);
}

static void end(struct flight *f, struct tv_http *x) {
    flight_end(f);
    tv_arena_free(x->arena);
}

static bool is_hex(const char *text, size_t len) { return strspn(text, "0123456789abcdef") >= len; }

static void test_traceparent(void **state) {
    static const struct {
        const char *given;
        bool goes_on;
        const char *flags;
    } rows[] = {
        {"00-" TRACE "-" PARENT "-01", true, "01"},
        {"00-" TRACE "-" PARENT "-00", true, "00"},
        {"00-" TRACE "-" PARENT "-03", true, "01"},
        {"00-" TRACE "-" PARENT "-ff", true, "01"},
        {"00-" TRACE "-" PARENT "-02", true, "00"},
        {NULL, false, "00"},
        {"", false, "00"},
        {"00", false, "00"},
        {"01-" TRACE "-" PARENT "-01", false, "00"},
        {"ff-" TRACE "-" PARENT "-01", false, "00"},
        {"00-00000000000000000000000000000000-" PARENT "-01", false, "00"},
        {"00-" TRACE "-0000000000000000-01", false, "00"},
        {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", false, "00"},
        {"00-" TRACE "-" PARENT "-0", false, "00"},
        {"00-" TRACE "-" PARENT "-01-more", false, "00"},
        {"00-" TRACE "-" PARENT "-0g", false, "00"},
        {"00_" TRACE "_" PARENT "_01", false, "00"},
        {"00-4bf92f3577b34da6a3ce929d0e0e473\"-" PARENT "-01", false, "00"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_http x;
        struct flight *f = begin(&x, rows[i].given);
        const char *made = f->context.traceparent;
        assert_int_equal(strlen(made), TV_TRACEPARENT_TEXT - 1);
        assert_memory_equal(made, "00-", 3);
        assert_true(is_hex(made + 3, 32) && is_hex(made + 36, 16));
        assert_true(made[35] == '-' && made[52] == '-');
        if ((memcmp(made + 3, TRACE, 32) == 0) != rows[i].goes_on)
            fail_msg("row %zu: %s", i, made);
        assert_memory_not_equal(made + 36, PARENT, 16); /* the parent of what follows is us */
        assert_string_equal(made + 53, rows[i].flags);
        assert_true(tv_str_is_uuid(tv_str(f->context.request_id)));
        end(f, &x);
    }
}

static void test_ids_differ(void **state) {
    struct tv_http x[2];
    struct flight *a = begin(&x[0], NULL), *b = begin(&x[1], NULL);
    assert_string_not_equal(a->context.request_id, b->context.request_id);
    assert_memory_not_equal(a->context.traceparent + 3, b->context.traceparent + 3, 32);
    end(a, &x[0]);
    end(b, &x[1]);
}

static void test_lists(void **state) {
    struct tv_http x[3];
    struct flight *f[3];
    struct tv_flights *flights = &gateway.flights;
    for (int i = 0; i < 3; i++)
        f[i] = begin(&x[i], NULL);
    assert_ptr_equal(x[1].user, f[1]);
    assert_int_equal(flights->count[FLIGHT_READING], 3);
    assert_ptr_equal(TAILQ_FIRST(&flights->list[FLIGHT_READING]), f[0]);

    flight_move(f[1], FLIGHT_CALLING);
    flight_move(f[1], FLIGHT_CALLING); /* to where it is already: nothing is counted twice */
    assert_int_equal(flights->count[FLIGHT_READING], 2);
    assert_int_equal(flights->count[FLIGHT_CALLING], 1);
    flight_move(f[1], FLIGHT_ANSWERED);
    assert_int_equal(flights->count[FLIGHT_CALLING], 0);
    assert_ptr_equal(TAILQ_FIRST(&flights->list[FLIGHT_ANSWERED]), f[1]);
    flight_move(f[0], FLIGHT_STREAMING);
    assert_int_equal(flights_total(flights), 3);

    for (int i = 0; i < 3; i++)
        end(f[i], &x[i]);
    assert_int_equal(flights_total(flights), 0);
    for (int i = 0; i < FLIGHT_STATES; i++)
        assert_true(TAILQ_EMPTY(&flights->list[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traceparent),
        cmocka_unit_test(test_ids_differ),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
