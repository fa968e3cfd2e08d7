/* Which heads can stand: the table of RFC 9112 sections 3.2 and 6.3, as far as we go along. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/httpd_head.h"

static const struct {
    const char *version;
    const char *fields[6]; /* name, value, ... */
    bool stands;
    bool chunked, waits;
} rows[] = {
    {"HTTP/1.1", {"Host", "h"}, true, false, false},
    {"HTTP/1.1", {"hOST", ""}, true, false, false},
    {"HTTP/1.1", {NULL}, false, false, false},
    {"HTTP/1.0", {NULL}, true, false, false},
    {"HTTP/1.1", {"Host", "a", "Host", "a"}, false, false, false},
    {"HTTP/1.0", {"Host", "a", "Host", "b"}, false, false, false},
    {"HTTP/1.1", {"Hos", "a", "Hosts", "b"}, false, false, false},
    {"HTTP/1.1", {"Host", "h", "Content-Length", "3"}, true, false, false},
    {"HTTP/1.1", {"Host", "h", "Content-Length", "3", "content-length", "3"}, false, false, false},
    {"HTTP/1.1", {"Host", "h", "Transfer-Encoding", "chunked"}, true, true, false},
    {"HTTP/1.1", {"Host", "h", "TRANSFER-ENCODING", "CHUNKED"}, true, true, false},
    {"HTTP/1.1", {"Host", "h", "Transfer-Encoding", "gzip"}, false, false, false},
    {"HTTP/1.1", {"Host", "h", "Transfer-Encoding", "gzip, chunked"}, false, false, false},
    {"HTTP/1.1", {"Host", "h", "Transfer-Encoding", ""}, false, false, false},
    {"HTTP/1.1",
     {"Host", "h", "Transfer-Encoding", "chunked", "Content-Length", "3"},
     false,
     true,
     false},
    {"HTTP/1.1",
     {"Host", "h", "Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"},
     false,
     true,
     false},
    {"HTTP/1.1", {"Host", "h", "Expect", "100-continue"}, true, false, true},
};

static void test_heads(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        struct tv_httpd_head h = {0};
        const char *fault;

        for (size_t f = 0; f < TV_ARRAY_LEN(rows[i].fields) && rows[i].fields[f] != NULL; f += 2)
            tv_httpd_head_field(&h, tv_str(rows[i].fields[f]), tv_str(rows[i].fields[f + 1]));
        fault = tv_httpd_head_fault(&h, rows[i].version);
        if ((fault == NULL) != rows[i].stands)
            fail_msg("row %zu: %s", i, fault != NULL ? fault : "stands");
        assert_int_equal(h.chunked, rows[i].chunked);
        assert_int_equal(h.waits, rows[i].waits);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_heads)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
