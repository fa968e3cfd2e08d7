/* The table of errors, and texts that are cut without breaking a character. */
#include "lib/err.h"

#include <ctype.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/str.h"
#include "tests/harness/proc.h"

static void test_every_row_is_sound(void **state) {
    for (unsigned i = TV_OK + 1; i < TV_ERR_COUNT; i++) {
        const struct tv_err_info *info = tv_err_info((enum tv_err)i);
        assert_true(info->http >= 400 && info->http <= 599);
        assert_true(strlen(info->title) > 0);
        assert_true(info->title[strlen(info->title) - 1] != '.');
        for (const char *c = info->slug; *c != '\0'; c++)
            assert_true(islower((unsigned char)*c) || *c == '-');
        /* Slugs are the wire names: each finds its own row, so none is there twice. */
        assert_int_equal(tv_err_by_slug(info->slug), i);
        /* Only what may pass by itself is worth sending again. */
        if (info->retryable)
            assert_true(info->http == 429 || info->http >= 503);
    }
    assert_string_equal(tv_err_info(TV_ERR_SLOT_TAKEN)->name, "SLOT_TAKEN");
    assert_int_equal(tv_err_info(TV_ERR_SLOT_TAKEN)->http, 409);
}

static void test_unknown_slugs(void **state) {
    assert_int_equal(tv_err_by_slug("no-such-error"), TV_OK);
    assert_int_equal(tv_err_by_slug(""), TV_OK);
    assert_int_equal(tv_err_by_slug(NULL), TV_OK);
    assert_int_equal(tv_err_by_slug("Slot-Taken"), TV_OK);
}

static void test_fail_replaces_all(void **state) {
    struct tv_error e = TV_ERROR_INIT;
    assert_int_equal(tv_fail_at(&e, TV_ERR_INVALID, "/startsAt", "not %s", "a time"),
                     TV_ERR_INVALID);
    assert_string_equal(e.detail, "not a time");
    assert_string_equal(e.pointer, "/startsAt");
    tv_error_add_time(&e, "opensAt", 5);
    tv_error_add_string(&e, "status", "CONFIRMED");
    assert_int_equal(e.members, 2);
    assert_string_equal(e.member[0].name, "opensAt");
    assert_null(e.member[0].string);
    assert_int_equal(e.member[0].time_us, 5);
    assert_string_equal(e.member[1].string, "CONFIRMED");
    e.retry_after_s = 9;

    /* Its own text may be the argument. */
    assert_int_equal(tv_fail(&e, TV_ERR_GONE, "was: %s", e.detail), TV_ERR_GONE);
    assert_int_equal(e.code, TV_ERR_GONE);
    assert_string_equal(e.detail, "was: not a time");
    assert_string_equal(e.pointer, "");
    assert_int_equal(e.members, 0);
    assert_int_equal(e.retry_after_s, 0);
}

static void test_no_object(void **state) {
    assert_int_equal(tv_fail(NULL, TV_ERR_STALE, "x"), TV_ERR_STALE);
    assert_int_equal(tv_fail_at(NULL, TV_ERR_STALE, "/a", "x"), TV_ERR_STALE);
    tv_error_add_time(NULL, "opensAt", 1);
}

static void info_of_ok(void) { (void)tv_err_info(TV_OK); }
static void info_past_the_end(void) { (void)tv_err_info(TV_ERR_COUNT); }
static void member_too_many(void) {
    struct tv_error e = TV_ERROR_INIT;
    for (int i = 0; i <= TV_ERROR_MEMBERS_MAX; i++)
        tv_error_add_time(&e, "opensAt", i);
}

static void test_misuse_panics(void **state) {
    assert_true(test_panics(info_of_ok));
    assert_true(test_panics(info_past_the_end));
    assert_true(test_panics(member_too_many));
}

/* For each way in which the end of the room can meet characters of 1 to 4 bytes. */
static void test_cut_between_characters(void **state) {
    static const char *const characters[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t c = 0; c < TV_ARRAY_LEN(characters); c++) {
        for (size_t lead = 0; lead < 4; lead++) {
            char text[600] = "";
            (void)memset(text, 'a', lead);
            while (strlen(text) < 400)
                (void)strncat(text, characters[c], 4);
            struct tv_error e;
            (void)tv_fail_at(&e, TV_ERR_INVALID, text, "%s", text);
            size_t width = strlen(characters[c]);
            assert_true(tv_str_is_utf8(tv_str(e.detail)));
            assert_true(tv_str_is_utf8(tv_str(e.pointer)));
            assert_in_range(strlen(e.detail), sizeof(e.detail) - width, sizeof(e.detail) - 1);
            assert_in_range(strlen(e.pointer), sizeof(e.pointer) - width, sizeof(e.pointer) - 1);
            assert_memory_equal(e.detail, text, strlen(e.detail));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_sound), cmocka_unit_test(test_unknown_slugs),
        cmocka_unit_test(test_fail_replaces_all),  cmocka_unit_test(test_no_object),
        cmocka_unit_test(test_misuse_panics),      cmocka_unit_test(test_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
