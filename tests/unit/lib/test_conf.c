/* The configuration table: what is accepted, and how every fault is told. */
#include "lib/conf.h"

#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/proc.h"

struct conf {
    const char *title;
    const char *secret;
    int64_t limit;
    int64_t timeout_us;
    bool strict;
    const char *url;
    const char *address;
    const char *level;
    int64_t shift;
};

#define ROW(n, t, member, ...)                                                                     \
    {                                                                                              \
        .name = (n), .type = (t), .offset = offsetof(struct conf, member),                         \
        .help = "Help for " n ".", __VA_ARGS__                                                     \
    }
static const struct tv_conf_row rows[] = {
    ROW("TELEVISIT_TITLE", TV_CONF_STRING, title, .min = 2, .max = 10, .flags = TV_CONF_FILE),
    ROW("LIVEKIT_API_SECRET", TV_CONF_SECRET, secret, .min = 4, .max = 1000,
        .flags = TV_CONF_REQUIRED),
    ROW("TELEVISIT_LIMIT", TV_CONF_INT, limit, .standard = "5", .min = 1, .max = 100),
    ROW("TELEVISIT_TIMEOUT", TV_CONF_DURATION, timeout_us, .standard = "10s", .min = 250000,
        .max = INT64_C(7200000000)),
    ROW("TELEVISIT_STRICT", TV_CONF_BOOL, strict, .standard = "true"),
    ROW("NATS_URL", TV_CONF_URL, url, .choices = "nats,tls"),
    ROW("TELEVISIT_ADDRESS", TV_CONF_ADDRESS, address, .standard = "127.0.0.1:0"),
    ROW("TELEVISIT_LOG_LEVEL", TV_CONF_CHOICE, level, .standard = "info",
        .choices = "debug,info,warn"),
    ROW("TELEVISIT_SHIFT", TV_CONF_INT, shift),
};
#define COUNT TV_ARRAY_LEN(rows)

struct loaded {
    enum tv_err result;
    struct conf conf;
    struct tv_buf faults;
};

static struct loaded load_env(const char *const *env) {
    struct loaded l = {.faults = TV_BUF_INIT(8192)};
    (void)memset(&l.conf, 0xAA, sizeof(l.conf)); /* nothing is assumed of it */
    l.result = tv_conf_load(rows, COUNT, (char *const *)(uintptr_t)env, &l.conf, &l.faults);
    return l;
}

static void done(struct loaded *l) {
    tv_conf_done(rows, COUNT, &l->conf);
    tv_buf_done(&l->faults);
}

#define ENV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SECRET "LIVEKIT_API_SECRET=s3cr3t"

static void test_defaults(void **state) {
    struct loaded l = load_env(ENV("PATH=/bin", SECRET, "OTHER_THING=1"));
    assert_int_equal(l.result, TV_OK);
    assert_null(l.conf.title);
    assert_string_equal(l.conf.secret, "s3cr3t");
    assert_int_equal(l.conf.limit, 5);
    assert_int_equal(l.conf.timeout_us, 10000000);
    assert_true(l.conf.strict);
    assert_null(l.conf.url);
    assert_string_equal(l.conf.address, "127.0.0.1:0");
    assert_string_equal(l.conf.level, "info");
    assert_int_equal(l.conf.shift, 0);
    done(&l);
    assert_null(l.conf.secret);
    assert_null(l.conf.address);
    done(&l); /* twice is harmless */
}

static void test_all_given(void **state) {
    struct loaded l = load_env(ENV(
        SECRET, "TELEVISIT_TITLE=\xC3\xA9t\xC3\xA9", "TELEVISIT_LIMIT=100", "TELEVISIT_TIMEOUT=2h",
        "TELEVISIT_STRICT=false", "NATS_URL=tls://u:p@a:4222", "TELEVISIT_ADDRESS=[::1]:8080",
        "TELEVISIT_LOG_LEVEL=warn", "TELEVISIT_SHIFT=-9223372036854775807"));
    assert_int_equal(l.result, TV_OK);
    assert_string_equal(l.conf.title, "\xC3\xA9t\xC3\xA9");
    assert_int_equal(l.conf.limit, 100);
    assert_int_equal(l.conf.timeout_us, INT64_C(7200000000));
    assert_false(l.conf.strict);
    assert_string_equal(l.conf.url, "tls://u:p@a:4222");
    assert_string_equal(l.conf.address, "[::1]:8080");
    assert_string_equal(l.conf.level, "warn");
    assert_int_equal(l.conf.shift, -INT64_MAX);
    done(&l);
}

static void test_durations(void **state) {
    static const struct {
        const char *entry;
        int64_t us; /* 0: refused */
    } durations[] = {
        {"TELEVISIT_TIMEOUT=250ms", 250000},
        {"TELEVISIT_TIMEOUT=1s", 1000000},
        {"TELEVISIT_TIMEOUT=5m", 300000000},
        {"TELEVISIT_TIMEOUT=2h", INT64_C(7200000000)},
        {"TELEVISIT_TIMEOUT=249ms", 0},
        {"TELEVISIT_TIMEOUT=3h", 0},
        {"TELEVISIT_TIMEOUT=10", 0},
        {"TELEVISIT_TIMEOUT=s", 0},
        {"TELEVISIT_TIMEOUT=1.5s", 0},
        {"TELEVISIT_TIMEOUT=-1s", 0},
        {"TELEVISIT_TIMEOUT=10 s", 0},
        {"TELEVISIT_TIMEOUT=10S", 0},
        {"TELEVISIT_TIMEOUT=1m30s", 0},
        {"TELEVISIT_TIMEOUT=9223372036854775807h", 0},
        {"TELEVISIT_TIMEOUT=99999999999999999999s", 0},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(durations); i++) {
        struct loaded l = load_env(ENV(SECRET, durations[i].entry));
        assert_int_equal(l.result, durations[i].us != 0 ? TV_OK : TV_ERR_INVALID);
        assert_int_equal(l.conf.timeout_us, durations[i].us);
        done(&l);
    }
}

/* One fault each, and its exact line. */
static void test_fault_lines(void **state) {
    static const struct {
        const char *entry, *line;
    } faults[] = {
        {"TELEVISIT_TITLE=x", "TELEVISIT_TITLE: \"x\" must be text from 2 to 10 bytes\n"},
        {"TELEVISIT_TITLE=a\nb", "TELEVISIT_TITLE: \"a?b\" must be text from 2 to 10 bytes\n"},
        {"TELEVISIT_TITLE=a\xFF", "TELEVISIT_TITLE: \"a?\" must be text from 2 to 10 bytes\n"},
        {"TELEVISIT_LIMIT=0", "TELEVISIT_LIMIT: \"0\" must be a whole number from 1 to 100\n"},
        {"TELEVISIT_LIMIT=101", "TELEVISIT_LIMIT: \"101\" must be a whole number from 1 to 100\n"},
        {"TELEVISIT_LIMIT=+5", "TELEVISIT_LIMIT: \"+5\" must be a whole number from 1 to 100\n"},
        {"TELEVISIT_SHIFT=--5", "TELEVISIT_SHIFT: \"--5\" must be a whole number\n"},
        {"TELEVISIT_SHIFT=-", "TELEVISIT_SHIFT: \"-\" must be a whole number\n"},
        {"TELEVISIT_TIMEOUT=soon", "TELEVISIT_TIMEOUT: \"soon\" must be a duration such as 250ms, "
                                   "10s, 5m or 2h from 250ms to 2h\n"},
        {"TELEVISIT_STRICT=yes", "TELEVISIT_STRICT: \"yes\" must be true or false\n"},
        {"NATS_URL=http://user:pass@h/?k=v", "NATS_URL: \"http://***@h/?***\" must be a URL that "
                                             "begins with nats:// or tls://\n"},
        {"NATS_URL=user:pass@h", "NATS_URL: \"***@h\" must be a URL that begins with nats:// or "
                                 "tls://\n"},
        {"NATS_URL=nats://", "NATS_URL: \"nats://\" must be a URL that begins with nats:// or "
                             "tls://\n"},
        {"NATS_URL=://x", "NATS_URL: \"://x\" must be a URL that begins with nats:// or tls://\n"},
        {"TELEVISIT_ADDRESS=:80", "TELEVISIT_ADDRESS: \":80\" must be host:port with a port from 0 "
                                  "to 65535\n"},
        {"TELEVISIT_ADDRESS=a:65536", "TELEVISIT_ADDRESS: \"a:65536\" must be host:port with a "
                                      "port from 0 to 65535\n"},
        {"TELEVISIT_ADDRESS=::1:80", "TELEVISIT_ADDRESS: \"::1:80\" must be host:port with a port "
                                     "from 0 to 65535\n"},
        {"TELEVISIT_ADDRESS=host", "TELEVISIT_ADDRESS: \"host\" must be host:port with a port from "
                                   "0 to 65535\n"},
        {"TELEVISIT_LOG_LEVEL=INFO", "TELEVISIT_LOG_LEVEL: \"INFO\" must be debug, info or warn\n"},
        {"TELEVISIT_LOG_LEVEL=debug,info",
         "TELEVISIT_LOG_LEVEL: \"debug,info\" must be debug, info or warn\n"},
        {"TELEVISIT_LIMITS=5",
         "TELEVISIT_LIMITS: there is no such variable; do you mean TELEVISIT_LIMIT?\n"},
        {"TELEVISIT_TIMOUT=5s",
         "TELEVISIT_TIMOUT: there is no such variable; do you mean TELEVISIT_TIMEOUT?\n"},
        {"TELEVISIT_BANANA_SPLIT=1", "TELEVISIT_BANANA_SPLIT: there is no such variable\n"},
        /* Only secrets come from files. */
        {"TELEVISIT_LOG_LEVEL_FILE=/x", "TELEVISIT_LOG_LEVEL_FILE: there is no such variable\n"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(faults); i++) {
        struct loaded l = load_env(ENV(SECRET, faults[i].entry));
        assert_int_equal(l.result, TV_ERR_INVALID);
        assert_string_equal(l.faults.data, faults[i].line);
        assert_null(l.conf.secret); /* it holds nothing */
        assert_null(l.conf.address);
        done(&l);
    }
}

static void test_all_faults_at_once(void **state) {
    struct loaded l = load_env(
        ENV("TELEVISIT_LIMIT=x", "TELEVISIT_STRICT=x", "TELEVISIT_X=1", "LIVEKIT_API_SECRET="));
    assert_int_equal(l.result, TV_ERR_INVALID);
    assert_string_equal(
        l.faults.data, "TELEVISIT_X: there is no such variable\n"
                       "LIVEKIT_API_SECRET: is required; it must be a secret from 4 to 1000 bytes\n"
                       "TELEVISIT_LIMIT: \"x\" must be a whole number from 1 to 100\n"
                       "TELEVISIT_STRICT: \"x\" must be true or false\n");
    done(&l);
}

static void test_secrets_are_never_told(void **state) {
    struct loaded l = load_env(ENV("LIVEKIT_API_SECRET=abc"));
    assert_string_equal(l.faults.data,
                        "LIVEKIT_API_SECRET: must be a secret from 4 to 1000 bytes\n");
    done(&l);
}

static void test_long_values_are_cut(void **state) {
    char entry[400] = "TELEVISIT_TITLE=";
    while (strlen(entry) < 300)
        (void)strncat(entry, "\xE2\x82\xAC", 4);
    struct loaded l = load_env(ENV(SECRET, entry));
    assert_true(tv_str_is_utf8(tv_buf_view(&l.faults)));
    assert_non_null(strstr(l.faults.data, "\xE2\x82\xAC...\" must be text"));
    assert_true(l.faults.len < 160);
    done(&l);
}

static void load_bad_default(void) {
    static const struct tv_conf_row bad =
        ROW("TELEVISIT_LIMIT", TV_CONF_INT, limit, .standard = "0", .min = 1, .max = 9);
    char *const env[] = {NULL};
    struct conf c;
    struct tv_buf faults = TV_BUF_INIT(100);
    (void)!tv_conf_load(&bad, 1, env, &c, &faults);
}

static void test_a_bad_default_is_our_fault(void **state) {
    assert_true(test_panics(load_bad_default));
}

/* --- secrets from files --- */

static char path[] = "/tmp/televisit-conf-XXXXXX";
static char path_entry[sizeof(path) + 32];

static const char *file_with(const char *text, size_t len) {
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    (void)snprintf(path_entry, sizeof(path_entry), "LIVEKIT_API_SECRET_FILE=%s", path);
    return path_entry;
}

static int make_file(void **state) {
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}
static int remove_file(void **state) { return unlink(path); }

static void test_secret_files(void **state) {
    static const struct {
        struct tv_str text;
        const char *secret; /* NULL: refused */
        const char *fault;
    } files[] = {
        {TV_S("from file\n"), "from file", NULL},
        {TV_S("from file\r\n"), "from file", NULL},
        {TV_S("from file"), "from file", NULL},
        {TV_S(" spaces stay \n\n"), " spaces stay \n", NULL},
        {TV_S("\n"), NULL, "the file is empty"},
        {TV_S(""), NULL, "the file is empty"},
        {TV_S("nul\0inside"), NULL, "the file has a NUL byte"},
        {TV_S("abc\n"), NULL, "must be a secret from 4 to 1000 bytes"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(files); i++) {
        struct loaded l = load_env(ENV(file_with(files[i].text.p, files[i].text.len)));
        if (files[i].secret != NULL) {
            assert_int_equal(l.result, TV_OK);
            assert_string_equal(l.conf.secret, files[i].secret);
        } else {
            assert_int_equal(l.result, TV_ERR_INVALID);
            assert_non_null(strstr(l.faults.data, files[i].fault));
            assert_null(strstr(l.faults.data, "abc"));
        }
        done(&l);
    }
    char *large = calloc(1, 70000);
    assert_non_null(large);
    (void)memset(large, 'x', 70000);
    struct loaded l = load_env(ENV(file_with(large, 70000)));
    assert_non_null(strstr(l.faults.data, "the file is too large"));
    done(&l);
    free(large);
}

/* No secret, so it is shown; yet it may lie beside one. */
static void test_row_that_may_be_a_file(void **state) {
    char entry[sizeof(path) + 32];
    (void)file_with("A title\n", 8);
    (void)snprintf(entry, sizeof(entry), "TELEVISIT_TITLE_FILE=%s", path);
    struct loaded l = load_env(ENV(SECRET, entry));
    assert_int_equal(l.result, TV_OK);
    assert_string_equal(l.conf.title, "A title");
    done(&l);
    (void)file_with("A title that is too long\n", 25);
    l = load_env(ENV(SECRET, entry));
    assert_int_equal(l.result, TV_ERR_INVALID);
    assert_string_equal(l.faults.data, "TELEVISIT_TITLE_FILE: \"A title that is too long\" must be "
                                       "text from 2 to 10 bytes\n");
    done(&l);
    l = load_env(ENV(SECRET, "TELEVISIT_TITLE=here", entry));
    assert_string_equal(l.faults.data, "TELEVISIT_TITLE: TELEVISIT_TITLE_FILE is set too; only one "
                                       "of them may be\n");
    done(&l);
}

static void test_secret_file_faults(void **state) {
    struct loaded l = load_env(ENV("LIVEKIT_API_SECRET_FILE=/nowhere/at/all"));
    assert_string_equal(l.faults.data, "LIVEKIT_API_SECRET_FILE: \"/nowhere/at/all\": No such file "
                                       "or directory\n");
    done(&l);
    l = load_env(ENV("LIVEKIT_API_SECRET_FILE=/tmp"));
    assert_non_null(strstr(l.faults.data, "Is a directory"));
    done(&l);
    l = load_env(ENV(SECRET, "LIVEKIT_API_SECRET_FILE=/x"));
    assert_string_equal(l.faults.data, "LIVEKIT_API_SECRET: LIVEKIT_API_SECRET_FILE is set too; "
                                       "only one of them may be\n");
    done(&l);
    /* An empty one counts as not set, as compose files and charts write it. */
    l = load_env(ENV(SECRET, "LIVEKIT_API_SECRET_FILE="));
    assert_int_equal(l.result, TV_OK);
    done(&l);
}

/* --- printing --- */

static char *printed(const struct conf *c) {
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    if (c != NULL)
        tv_conf_print(rows, COUNT, c, f);
    else
        tv_conf_print_help(rows, COUNT, f);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void test_print(void **state) {
    struct loaded l = load_env(ENV(SECRET, "NATS_URL=nats://u:p@ss@host:4222", "TELEVISIT_SHIFT=-3",
                                   "TELEVISIT_TIMEOUT=90000ms"));
    char *text = printed(&l.conf);
    assert_string_equal(text, "TELEVISIT_TITLE=\n"
                              "LIVEKIT_API_SECRET=***\n"
                              "TELEVISIT_LIMIT=5\n"
                              "TELEVISIT_TIMEOUT=90s\n"
                              "TELEVISIT_STRICT=true\n"
                              "NATS_URL=nats://***@host:4222\n"
                              "TELEVISIT_ADDRESS=127.0.0.1:0\n"
                              "TELEVISIT_LOG_LEVEL=info\n"
                              "TELEVISIT_SHIFT=-3\n");
    free(text);
    done(&l);
}

static void test_help_tells_every_row(void **state) {
    char *text = printed(NULL);
    for (size_t i = 0; i < COUNT; i++) {
        assert_non_null(strstr(text, rows[i].name));
        assert_non_null(strstr(text, rows[i].help));
    }
    assert_non_null(strstr(text, "TELEVISIT_LIMIT\n    integer: a whole number from 1 to 100; "
                                 "default 5\n    Help for TELEVISIT_LIMIT.\n"));
    assert_non_null(strstr(text, "LIVEKIT_API_SECRET\n    secret: a secret from 4 to 1000 bytes; "
                                 "required; or LIVEKIT_API_SECRET_FILE, a file that holds it\n"));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_all_given),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_fault_lines),
        cmocka_unit_test(test_all_faults_at_once),
        cmocka_unit_test(test_secrets_are_never_told),
        cmocka_unit_test(test_long_values_are_cut),
        cmocka_unit_test(test_a_bad_default_is_our_fault),
        cmocka_unit_test(test_secret_files),
        cmocka_unit_test(test_row_that_may_be_a_file),
        cmocka_unit_test(test_secret_file_faults),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_help_tells_every_row),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
