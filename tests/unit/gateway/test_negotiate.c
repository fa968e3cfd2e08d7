/* What a client takes, and what it has: tables of field values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "services/gateway/negotiate.h"

#define ALL (CODING_BIT(CODING_BR) | CODING_BIT(CODING_GZIP) | CODING_BIT(CODING_IDENTITY))
#define PLAIN CODING_BIT(CODING_IDENTITY)
#define NO_BR (ALL & ~CODING_BIT(CODING_BR))

static void test_coding(void **state) {
    static const struct {
        const char *field; /* NULL: absent */
        unsigned there;
        enum coding coding;
    } rows[] = {
        {NULL, ALL, CODING_IDENTITY},
        {"", ALL, CODING_IDENTITY},
        {"gzip, deflate, br, zstd", ALL, CODING_BR},
        {"gzip, deflate, br, zstd", NO_BR, CODING_GZIP},
        {"gzip, deflate, br, zstd", PLAIN, CODING_IDENTITY},
        {"gzip", ALL, CODING_GZIP},
        {"GZip", ALL, CODING_GZIP},
        {"deflate", ALL, CODING_IDENTITY},
        {"brotli", ALL, CODING_IDENTITY},
        {"br;q=0.5, gzip", ALL, CODING_GZIP},
        {"br;q=0.5,gzip;q=0.501", ALL, CODING_GZIP},
        {"br ; q=0.5 , gzip ; Q=0.5", ALL, CODING_BR},
        {"br;q=0, gzip", ALL, CODING_GZIP},
        {"br;q=0.000, gzip;q=0", ALL, CODING_IDENTITY},
        {"br;q=0.001", ALL, CODING_BR},
        {"identity, br;q=0.9", ALL, CODING_IDENTITY},
        {"identity;q=0.5, gzip;q=0.4", ALL, CODING_IDENTITY},
        {"identity;q=0.1, gzip;q=0.4", ALL, CODING_GZIP},
        {"*", ALL, CODING_BR},
        {"*", PLAIN, CODING_IDENTITY},
        {"*;q=0", ALL, CODING_IDENTITY}, /* nothing is acceptable: what everybody can read */
        {"br;q=0, *", ALL, CODING_GZIP},
        {"gzip, *;q=0", ALL, CODING_GZIP},
        {"identity;q=0", ALL, CODING_IDENTITY},
        {"identity;q=0, gzip;q=0.1", ALL, CODING_GZIP},
        {"br;q=1.000", ALL, CODING_BR},
        {"br;q=2", ALL, CODING_IDENTITY},
        {"br;q=1.001", ALL, CODING_IDENTITY},
        {"br;q=0.1234, gzip", ALL, CODING_GZIP},
        {"br;q=, gzip", ALL, CODING_GZIP},
        {"br;q=-1, gzip", ALL, CODING_GZIP},
        {"br;q, gzip", ALL, CODING_GZIP},
        {"br;q=0.x, gzip", ALL, CODING_GZIP},
        {"br;level=9;q=0.1, gzip;q=0.2", ALL, CODING_GZIP},
        {",,, br ,", ALL, CODING_BR},
        {";;;,=,;q=1", ALL, CODING_IDENTITY},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        enum coding coding = negotiate_coding(tv_str(rows[i].field), rows[i].there);
        if (coding != rows[i].coding)
            fail_msg("row %zu, %s: %u", i, rows[i].field, coding);
    }
}

static void test_names(void **state) {
    static const struct {
        const char *field;
        bool named;
    } rows[] = {
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
        {"application/json, Text/HTML;q=0.1", true},
        {"text/html;level=1", true},
        {"*/*", false},
        {"text/*", false},
        {"text/html;q=0", false},
        {"text/htmlx", false},
        {"application/json", false},
        {"", false},
        {NULL, false},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++)
        if (negotiate_names(tv_str(rows[i].field), "text/html") != rows[i].named)
            fail_msg("row %zu, %s", i, rows[i].field);
}

static void test_has(void **state) {
    static const struct {
        const char *field;
        bool has;
    } rows[] = {
        {"\"abc\"", true},    {"W/\"abc\"", true},      {"*", true},
        {" * ", true},        {"\"x\", \"abc\"", true}, {"\"x\",W/\"abc\" ,\"y\"", true},
        {"abc", false},       {"\"ab\"", false},        {"\"abcd\"", false},
        {"w/\"abc\"", false}, {"\"x\"", false},         {"", false},
        {NULL, false},        {"\"x\", *", false},      {"W/", false},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++)
        if (negotiate_has(tv_str(rows[i].field), "\"abc\"") != rows[i].has)
            fail_msg("row %zu, %s", i, rows[i].field);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coding),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
