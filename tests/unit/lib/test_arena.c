/* The memory of a request: alignment, hooks, recycling; built with the file under test. */
#include "lib/arena.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_alignment_and_content(void **state) {
    struct tv_arena *a = tv_arena_new();
    char *all[400];
    for (size_t i = 0; i < TV_ARRAY_LEN(all); i++) {
        all[i] = tv_arena_alloc(a, i);
        assert_non_null(all[i]);
        assert_int_equal((uintptr_t)all[i] % alignof(max_align_t), 0);
        (void)memset(all[i], (int)(i & 0x7F), i);
    }
    for (size_t i = 0; i < TV_ARRAY_LEN(all); i++)
        for (size_t k = 0; k < i; k++)
            assert_int_equal(all[i][k], i & 0x7F); /* nobody wrote over another's bytes */
    assert_int_equal(tv_arena_used(a), 399 * 400 / 2);
    tv_arena_free(a);
    tv_arena_free(NULL);
}

/* Every size around the borders between classes and to allocations of their own. */
static void test_sizes_at_the_borders(void **state) {
    static const size_t around[] = {4096, 8192, 16384, 65536};
    for (size_t i = 0; i < TV_ARRAY_LEN(around); i++) {
        for (size_t bytes = around[i] - 100; bytes < around[i] + 20; bytes++) {
            struct tv_arena *a = tv_arena_new();
            char *one = tv_arena_alloc(a, bytes), *two = tv_arena_alloc(a, bytes);
            (void)memset(one, 1, bytes);
            (void)memset(two, 2, bytes);
            assert_int_equal(one[bytes - 1], 1);
            assert_int_equal(two[0], 2);
            tv_arena_free(a);
        }
    }
}

static void test_zeroed_and_text(void **state) {
    struct tv_arena *a = tv_arena_new();
    (void)memset(tv_arena_alloc(a, 2000), 0xAA, 2000);
    tv_arena_free(a);
    a = tv_arena_new(); /* perhaps the same memory */
    unsigned char *p = tv_arena_calloc(a, 100, 20);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(p[i], 0);
    assert_string_equal(tv_arena_strdup(a, "z"), "z");
    assert_string_equal(tv_arena_strndup(a, "abc", 2), "ab");
    assert_string_equal(tv_arena_strndup(a, NULL, 0), "");
    assert_string_equal(tv_arena_str(a, TV_S("slice")), "slice");
    assert_string_equal(tv_arena_printf(a, "%d-%s", 4, "x"), "4-x");
    for (int width = 250; width < 260; width++) { /* around the size of the first attempt */
        char *text = tv_arena_printf(a, "%0*d", width, 7);
        assert_int_equal(strlen(text), width);
        assert_int_equal(text[width - 1], '7');
    }
    tv_arena_free(a);
}

static char order[32];
static struct tv_arena *hook_arena;

static void note(void *p) { (void)strncat(order, p, 1); }
static void note_and_defer(void *p) {
    note(p);
    tv_arena_defer(hook_arena, note, tv_arena_strdup(hook_arena, "n"));
}

static void test_hooks_run_last_first(void **state) {
    char names[] = "abc";
    hook_arena = tv_arena_new();
    tv_arena_defer(hook_arena, note, &names[0]);
    tv_arena_defer(hook_arena, note_and_defer, &names[1]);
    tv_arena_defer(hook_arena, note, &names[2]);
    assert_int_equal(tv_arena_used(hook_arena), 0);
    tv_arena_free(hook_arena);
    assert_string_equal(order, "cbna"); /* what b deferred ran before a, and all memory was there */
}

static void test_scope_frees(void **state) {
    static char ran[] = "s";
    order[0] = '\0';
    {
        TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
        tv_arena_defer(a, note, ran);
        assert_string_equal(order, "");
    }
    assert_string_equal(order, "s");
}

static void churn(size_t bytes_each, int count) {
    struct tv_arena *a = tv_arena_new();
    for (int i = 0; i < count; i++)
        (void)memset(tv_arena_alloc(a, bytes_each), 1, bytes_each);
    tv_arena_free(a);
}

static void test_chunks_are_recycled_within_bounds(void **state) {
#if WITH_ASAN
    churn(1000, 20);
    assert_int_equal(cache.bytes, 0); /* freed, so that a late use is seen */
#else
    churn(1000, 20);
    size_t waiting = cache.bytes;
    assert_true(waiting >= 20000);
    struct tv_arena *a = tv_arena_new();
    assert_int_equal(cache.bytes, waiting - FIRST_BYTES); /* taken from there */
    tv_arena_free(a);
    assert_int_equal(cache.bytes, waiting);
    churn(1000, 20);
    assert_int_equal(cache.bytes, waiting); /* the same work needs nothing new */
    churn(7000, 1000);
    assert_true(cache.bytes <= CACHE_BYTES); /* a peak is not kept for ever */
#endif
}

static void *use_arena(void *p) {
    churn(500, 100);
    tv_arena_free(p); /* from another thread */
    return NULL;
}

static void test_threads(void **state) {
    pthread_t threads[4];
    for (size_t i = 0; i < TV_ARRAY_LEN(threads); i++) {
        struct tv_arena *a = tv_arena_new();
        (void)tv_arena_strdup(a, "made elsewhere");
        assert_int_equal(pthread_create(&threads[i], NULL, use_arena, a), 0);
    }
    for (size_t i = 0; i < TV_ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void test_sanitizer_guards(void **state) {
#if WITH_ASAN
    struct tv_arena *a = tv_arena_new();
    char *p = tv_arena_alloc(a, 24);
    assert_int_equal(__asan_address_is_poisoned(p + 23), 0);
    assert_int_equal(__asan_address_is_poisoned(p + 24), 1);
    assert_int_equal(__asan_address_is_poisoned(p + 32), 1);
    tv_arena_free(a);
    assert_int_equal(__asan_address_is_poisoned(p), 1);
#else
    skip();
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment_and_content),
        cmocka_unit_test(test_sizes_at_the_borders),
        cmocka_unit_test(test_zeroed_and_text),
        cmocka_unit_test(test_hooks_run_last_first),
        cmocka_unit_test(test_scope_frees),
        cmocka_unit_test(test_chunks_are_recycled_within_bounds),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_sanitizer_guards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
