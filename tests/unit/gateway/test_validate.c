/* Bounds and patterns of requests, by the rules that the protos state. */
#include "services/gateway/validate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "routes.h"
#include "services/gateway/request.h"

static void test_patterns(void **state) {
    static const struct {
        enum tv_pattern pattern;
        const char *text;
        bool matches;
    } rows[] = {
        {TV_PATTERN_UUID, "0b0e7a3c-1c1d-4f6e-9a7b-2f1f0a9d8c7b", true},
        {TV_PATTERN_UUID, "0B0E7A3C-1C1D-4F6E-9A7B-2F1F0A9D8C7B", false},
        {TV_PATTERN_UUID, "0b0e7a3c1c1d4f6e9a7b2f1f0a9d8c7b", false},
        {TV_PATTERN_TIME_ZONE, "Europe/Berlin", true},
        {TV_PATTERN_TIME_ZONE, "America/Argentina/Buenos_Aires", true},
        {TV_PATTERN_TIME_ZONE, "Etc/GMT+5", true},
        {TV_PATTERN_TIME_ZONE, "../etc/passwd", false},
        {TV_PATTERN_TIME_ZONE, "/Berlin", false},
        {TV_PATTERN_TIME_ZONE, "Europe/", false},
        {TV_PATTERN_LANGUAGE, "de", true},
        {TV_PATTERN_LANGUAGE, "pt-BR", true},
        {TV_PATTERN_LANGUAGE, "de_DE", false},
        {TV_PATTERN_LANGUAGE, "de-", false},
        {TV_PATTERN_SLUG, "demo-clinic-2", true},
        {TV_PATTERN_SLUG, "Demo", false},
        {TV_PATTERN_SLUG, "-demo", false},
        {TV_PATTERN_SLUG, "demo--clinic", false},
        {TV_PATTERN_SLUG, "demo clinic", false},
        {TV_PATTERN_EMAIL, "a@b", true},
        {TV_PATTERN_EMAIL, "ada.o'neil+x@clinic.example", true},
        {TV_PATTERN_EMAIL, "a@b@c", false},
        {TV_PATTERN_EMAIL, "@b", false},
        {TV_PATTERN_EMAIL, "a@", false},
        {TV_PATTERN_EMAIL, "a b@c", false},
        {TV_PATTERN_EMAIL, "a@b\r\nBcc: x@y", false},
        {TV_PATTERN_DATE, "2028-02-29", true},
        {TV_PATTERN_DATE, "2027-02-29", false},
        {TV_PATTERN_DATE, "2027-13-01", false},
        {TV_PATTERN_DATE, "2027-1-01", false},
        {TV_PATTERN_DATE, "2027-01-01T", false},
        {TV_PATTERN_TIME, "00:00", true},
        {TV_PATTERN_TIME, "24:00", true},
        {TV_PATTERN_TIME, "24:01", false},
        {TV_PATTERN_TIME, "23:60", false},
        {TV_PATTERN_TIME, "9:00", false},
        {TV_PATTERN_TIME, "09.00", false},
        {TV_PATTERN_NONE, "anything\n", true},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++)
        if (tv_pattern_matches(rows[i].pattern, tv_str(rows[i].text)) != rows[i].matches)
            fail_msg("pattern %d and \"%s\"", (int)rows[i].pattern, rows[i].text);
}

static enum tv_err check_json(unsigned route, const char *json, struct tv_error *e) {
    struct tv_arena *a = tv_arena_new();
    ProtobufCMessage *m;
    enum tv_err err = tv_pb_from_json(tv_routes[route].request, tv_str(json), 0, a, &m, e);
    if (err == TV_OK)
        err = tv_validate_settable(tv_routes[route].rules, m, true, e);
    if (err == TV_OK)
        err = tv_validate(tv_routes[route].rules, m, e);
    tv_arena_free(a);
    return err;
}

#define DOCTOR "\"doctorId\":\"0b0e7a3c-1c1d-4f6e-9a7b-2f1f0a9d8c7b\""
#define START "\"startsAt\":\"2030-01-02T09:00:00Z\""

static void test_bodies(void **state) {
    static const struct {
        unsigned route;
        const char *json;
        const char *pointer; /* NULL: good */
    } rows[] = {
        {TV_ROUTE_APPOINTMENTS_BOOK, "{" DOCTOR "," START "}", NULL},
        {TV_ROUTE_APPOINTMENTS_BOOK, "{" DOCTOR "}", "/startsAt"},
        {TV_ROUTE_APPOINTMENTS_BOOK, "{" START "}", "/doctorId"},
        {TV_ROUTE_APPOINTMENTS_BOOK, "{\"doctorId\":\"\"," START "}", "/doctorId"},
        {TV_ROUTE_APPOINTMENTS_BOOK, "{\"doctorId\":\"ada\"," START "}", "/doctorId"},
        {TV_ROUTE_APPOINTMENTS_BOOK, "{" DOCTOR "," START ",\"minutes\":-1}", "/minutes"},
        {TV_ROUTE_APPOINTMENTS_BOOK, "{" DOCTOR "," START ",\"minutes\":481}", "/minutes"},
        {TV_ROUTE_APPOINTMENTS_BOOK, "{" DOCTOR "," START ",\"minutes\":480}", NULL},
        {TV_ROUTE_APPOINTMENTS_BOOK, "{" DOCTOR "," START ",\"patientId\":\"x\"}", "/patientId"},
        {TV_ROUTE_APPOINTMENTS_BOOK, "{" DOCTOR "," START ",\"idempotencyKey\":\"k\"}",
         "/idempotencyKey"},
        {TV_ROUTE_APPOINTMENTS_CONFIRM,
         "{\"appointmentId\":\"0b0e7a3c-1c1d-4f6e-9a7b-2f1f0a9d8c7b\"}", "/appointmentId"},
        {TV_ROUTE_APPOINTMENTS_CONFIRM, "{\"ifMatch\":3}", "/ifMatch"},
        {TV_ROUTE_GATEWAY_LOG_IN, "{\"clinic\":\"demo\",\"email\":\"a@b\",\"password\":\"\"}",
         "/password"},
        {TV_ROUTE_GATEWAY_LOG_IN, "{\"clinic\":\"Demo\",\"email\":\"a@b\",\"password\":\"x\"}",
         "/clinic"},
        {TV_ROUTE_GATEWAY_LOG_IN, "{\"clinic\":\"demo\",\"email\":\"a@b\",\"password\":\"x\"}",
         NULL},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_error e = TV_ERROR_INIT;
        enum tv_err err = check_json(rows[i].route, rows[i].json, &e);
        if (rows[i].pointer == NULL
                ? err != TV_OK
                : err != TV_ERR_INVALID || strcmp(e.pointer, rows[i].pointer) != 0)
            fail_msg("%s: error %d at \"%s\"", rows[i].json, (int)err, e.pointer);
    }
}

static void test_nested_pointer(void **state) {
    struct tv_arena *a = tv_arena_new();
    ProtobufCMessage *m;
    struct tv_error e = TV_ERROR_INIT;
    const struct tv_route *put = &tv_routes[TV_ROUTE_CLINICS_PUT_AVAILABILITY];
    struct tv_str json =
        TV_S("{\"hours\":[{\"weekday\":1,\"from\":\"09:00\",\"to\":\"12:00\",\"slotMinutes\":30},"
             "{\"weekday\":8,\"from\":\"09:00\",\"to\":\"12:00\",\"slotMinutes\":30}]}");
    assert_int_equal(tv_pb_from_json(put->request, json, 0, a, &m, &e), TV_OK);
    struct tv_str doctor = TV_S("0b0e7a3c-1c1d-4f6e-9a7b-2f1f0a9d8c7b");
    assert_int_equal(
        tv_pb_set_text(m, tv_pb_field(m->descriptor, TV_S("doctor_id")), doctor, a, &e), TV_OK);
    assert_int_equal(tv_validate(put->rules, m, &e), TV_ERR_INVALID);
    assert_string_equal(e.pointer, "/hours/1/weekday");
    tv_arena_free(a);
}

static void test_length(void **state) {
    char json[4096];
    struct tv_error e = TV_ERROR_INIT;
    for (size_t bytes = 2000; bytes <= 2001; bytes++) {
        struct tv_buf b = TV_BUF_INIT(sizeof json);
        tv_buf_puts(&b, "{" DOCTOR "," START ",\"reason\":\"");
        for (size_t i = 0; i < bytes; i++)
            tv_buf_char(&b, 'a');
        tv_buf_puts(&b, "\"}");
        assert_int_equal(check_json(TV_ROUTE_APPOINTMENTS_BOOK, b.data, &e),
                         bytes == 2000 ? TV_OK : TV_ERR_INVALID);
        tv_buf_done(&b);
    }
    assert_string_equal(e.pointer, "/reason");
}

static void test_percent_decoding(void **state) {
    static const struct {
        const char *text;
        bool plus;
        const char *decoded; /* NULL: refused */
    } rows[] = {
        {"", false, ""},       {"abc", false, "abc"}, {"a%20b", false, "a b"},
        {"a+b", false, "a+b"}, {"a+b", true, "a b"},  {"%C3%a4", false, "\xc3\xa4"},
        {"%", false, NULL},    {"%4", false, NULL},   {"a%4", false, NULL},
        {"%g1", false, NULL},  {"%1g", false, NULL},  {"%00", false, NULL},
        {"%ff", false, NULL},  {"%41", false, "A"},   {"%41%", false, NULL},
    };
    struct tv_arena *a = tv_arena_new();
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_str out = {NULL, 0};
        /* An exact copy on the heap, so that a read past its end is seen. */
        size_t len = strlen(rows[i].text);
        char *text = tv_malloc(len + (len == 0));
        memcpy(text, rows[i].text, len);
        bool ok = request_decode((struct tv_str){text, len}, rows[i].plus, a, &out);
        free(text);
        if (ok != (rows[i].decoded != NULL) || (ok && !tv_str_eqz(out, rows[i].decoded)))
            fail_msg("\"%s\"", rows[i].text);
    }
    tv_arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),         cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_nested_pointer),   cmocka_unit_test(test_length),
        cmocka_unit_test(test_percent_decoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
