/* Log lines are valid JSON whatever they are given, one write each. */
#include "lib/log.h"

#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "lib/clock.h"

static char last[PIPE_BUF + 1];
static int lines;

static void keep(const char *line, size_t len) {
    assert_true(len <= PIPE_BUF);
    assert_int_equal(line[len - 1], '\n');
    assert_null(memchr(line, '\n', len - 1)); /* one line */
    (void)memcpy(last, line, len);
    last[len] = '\0';
    lines++;
}

static int64_t fixed_time(void) { return INT64_C(1795422600123456); }

static int setup(void **state) {
    lines = 0;
    last[0] = '\0';
    tv_clock_set_source(fixed_time);
    tv_log_init("gateway", "1.2.3", TV_LOG_DEBUG);
    tv_log_set_sink(keep);
    tv_log_context_set(NULL, NULL);
    return 0;
}

static int teardown(void **state) {
    tv_log_set_sink(NULL);
    tv_clock_set_source(NULL);
    return 0;
}

/* Parses the last line strictly. Returns owned. */
static json_t *parse(void) {
    json_error_t e;
    json_t *line = json_loads(last, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
    if (line == NULL)
        fail_msg("%s: %s", e.text, last);
    return line;
}

static const char *text_of(const json_t *line, const char *key) {
    const char *text = json_string_value(json_object_get(line, key));
    assert_non_null(text);
    return text;
}

static void test_whole_line(void **state) {
    tv_log_context_set("req-1", "trace-1");
    tv_log_info("room created", F_STR(ROOM, "tv_1"), F_INT(DURATION_US, -5),
                F_SLICE(STATE, ((struct tv_str){"openly", 4})));
    assert_string_equal(last, "{\"ts\":\"2026-11-23T08:30:00.123456Z\",\"level\":\"info\","
                              "\"svc\":\"gateway\",\"version\":\"1.2.3\",\"msg\":\"room created\","
                              "\"request_id\":\"req-1\",\"trace_id\":\"trace-1\","
                              "\"room\":\"tv_1\",\"duration_us\":-5,\"state\":\"open\"}\n");
    tv_log_context_set(NULL, NULL);
    tv_log_warn("bare");
    assert_string_equal(last, "{\"ts\":\"2026-11-23T08:30:00.123456Z\",\"level\":\"warn\","
                              "\"svc\":\"gateway\",\"version\":\"1.2.3\",\"msg\":\"bare\"}\n");
}

/* A key that is there twice would make a line that readers disagree about. */
static void test_keys_are_unique(void **state) {
    tv_log_context_set("r", "t");
    struct tv_log_field fields[TV_LOG_KEY_COUNT];
    for (int i = 0; i < TV_LOG_KEY_COUNT; i++)
        fields[i] = (struct tv_log_field){(enum tv_log_key)i, TV_LOG_IS_INT, i, {NULL, 0}};
    tv_log_write(TV_LOG_ERROR, "all", fields, TV_LOG_KEY_COUNT);
    json_t *line = parse();
    assert_int_equal(json_object_size(line), 7 + TV_LOG_KEY_COUNT);
    assert_null(json_object_get(line, "cut"));
    json_decref(line);
}

static void test_levels(void **state) {
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (unsigned least = TV_LOG_DEBUG; least <= TV_LOG_ERROR; least++) {
        enum tv_log_level parsed;
        assert_true(tv_log_level_parse(names[least], &parsed));
        assert_int_equal(parsed, least);
        tv_log_init("gateway", "1.2.3", parsed);
        lines = 0;
        uint64_t before[TV_ARRAY_LEN(names)];
        for (unsigned l = TV_LOG_DEBUG; l <= TV_LOG_ERROR; l++)
            before[l] = tv_log_lines(l);
        tv_log_debug("d");
        tv_log_info("i");
        tv_log_warn("w");
        tv_log_error("e");
        assert_int_equal(lines, 4 - (int)least);
        for (unsigned l = TV_LOG_DEBUG; l <= TV_LOG_ERROR; l++) {
            assert_int_equal(tv_log_lines(l) - before[l], l >= least);
            assert_string_equal(tv_log_level_name(l), names[l]);
        }
    }
    enum tv_log_level level = TV_LOG_WARN;
    assert_false(tv_log_level_parse("INFO", &level));
    assert_false(tv_log_level_parse("", &level));
    assert_false(tv_log_level_parse(NULL, &level));
    assert_int_equal(level, TV_LOG_WARN);
}

static void test_every_control_byte_is_escaped(void **state) {
    for (int c = 0; c < 0x100; c++) {
        char text[3] = {'<', (char)c, '>'};
        tv_log_info("x", F_SLICE(REASON, ((struct tv_str){text, 3})));
        for (const char *p = last; p[1] != '\0'; p++)
            assert_true((unsigned char)*p >= 0x20 && *p != 0x7F);
        json_t *line = parse();
        const json_t *value = json_object_get(line, "reason");
        if (c < 0x80) {
            assert_int_equal(json_string_length(value), 3);
            assert_memory_equal(json_string_value(value), text, 3);
        } else {
            assert_string_equal(json_string_value(value), "<\xEF\xBF\xBD>");
        }
        json_decref(line);
    }
}

static void test_utf8(void **state) {
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"},
        {"\xC2\x9B"
         "31m",
         "\\u009b31m"}, /* a C1 control: CSI to some terminals */
        {"\xC2\xA0", "\xC2\xA0"},
        {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"a\xE2\x82", "a\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF0\x9F\x98(", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD("},
        {"\"\\\n", "\\\"\\\\\\u000a"},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        tv_log_info("x", F_STR(REASON, rows[i].in));
        json_decref(parse());
        const char *value = strstr(last, "\"reason\":\"");
        assert_non_null(value);
        value += strlen("\"reason\":\"");
        assert_true(strncmp(value, rows[i].out, strlen(rows[i].out)) == 0);
        assert_string_equal(value + strlen(rows[i].out), "\"}\n");
    }
}

static void test_long_strings_are_cut_between_characters(void **state) {
    static const char *const characters[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t c = 0; c < TV_ARRAY_LEN(characters); c++) {
        for (size_t lead = 0; lead < 4; lead++) {
            char text[1200] = "";
            (void)memset(text, 'a', lead);
            while (strlen(text) < 600)
                (void)strncat(text, characters[c], 4);
            tv_log_info("x", F_STR(REASON, text));
            json_t *line = parse();
            const char *value = text_of(line, "reason");
            size_t len = strlen(value);
            assert_in_range(len, 512 - 3 + 3, 512 + 3);
            assert_string_equal(value + len - 3, "...");
            assert_memory_equal(value, text, len - 3);
            assert_null(strstr(value, "\xEF\xBF\xBD")); /* no broken character was made */
            json_decref(line);
        }
    }
    char exact[513] = "";
    (void)memset(exact, 'e', 512);
    tv_log_info("x", F_STR(REASON, exact));
    json_t *line = parse();
    assert_string_equal(text_of(line, "reason"), exact);
    json_decref(line);
}

static void test_a_line_has_an_end(void **state) {
    char nasty[513] = "";
    (void)memset(nasty, '\x01', 512); /* six bytes each when escaped */
    tv_log_info("x", F_STR(REASON, nasty), F_STR(SUBJECT, nasty), F_STR(STATE, "small"),
                F_INT(CODE, 1));
    json_t *line = parse();
    assert_true(json_is_true(json_object_get(line, "cut")));
    assert_non_null(json_object_get(line, "reason"));
    assert_null(json_object_get(line, "subject"));
    json_decref(line);
    tv_log_info("next"); /* the next line is not touched by it */
    line = parse();
    assert_null(json_object_get(line, "cut"));
    json_decref(line);
}

static int pipe_lines(int fd, int *ret_bad) {
    FILE *f = fdopen(fd, "r");
    char text[PIPE_BUF + 2];
    int count = 0;
    while (f != NULL && fgets(text, sizeof(text), f) != NULL) {
        json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        if (line == NULL || json_integer_value(json_object_get(line, "count")) < 0)
            ++*ret_bad;
        json_decref(line);
        count++;
    }
    if (f != NULL)
        (void)fclose(f);
    return count;
}

enum { THREADS = 4, LINES_EACH = 200 };

static void *write_many(void *p) {
    char long_text[400];
    (void)memset(long_text, 'l', sizeof(long_text));
    tv_log_context_set(p, NULL);
    for (int i = 0; i < LINES_EACH; i++)
        tv_log_info("from a thread", F_INT(COUNT, i),
                    F_SLICE(REASON, ((struct tv_str){long_text, sizeof(long_text)})));
    return NULL;
}

struct reader {
    int fd, count, bad;
};
static void *read_all(void *p) {
    struct reader *r = p;
    r->count = pipe_lines(r->fd, &r->bad);
    return NULL;
}

static void test_lines_of_threads_do_not_mix(void **state) {
    tv_log_set_sink(NULL);
    int fds[2], old = dup(STDERR_FILENO);
    assert_int_equal(pipe(fds), 0);
    assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
    (void)close(fds[1]);
    struct reader r = {.fd = fds[0]};
    pthread_t threads[THREADS], reader;
    static char id[] = "r";
    assert_int_equal(pthread_create(&reader, NULL, read_all, &r), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, id), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(dup2(old, STDERR_FILENO) >= 0); /* the last writer's end: the reader sees EOF */
    (void)close(old);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(r.bad, 0);
    assert_int_equal(r.count, THREADS * LINES_EACH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_are_unique, setup, teardown),
        cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_control_byte_is_escaped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_utf8, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_strings_are_cut_between_characters, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_line_has_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_of_threads_do_not_mix, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
