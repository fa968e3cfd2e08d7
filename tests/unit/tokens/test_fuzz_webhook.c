/* Whatever the fuzzer of webhooks once found, and what it began with, stays right. */
#include "tests/fuzz/fuzz_webhook.c"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CORPUS "tests/fuzz/corpus/webhook"

static bool replay(const char *name) {
    static uint8_t data[2 * TV_PB_MAX_BYTES];
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", CORPUS, name);
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    size_t len = fread(data, 1, sizeof data, file);
    (void)fclose(file);
    return len > 0 && LLVMFuzzerTestOneInput(data, len) == 0;
}

static void test_corpus(void **state) {
    unsigned replayed = 0;
    DIR *dir = opendir(CORPUS);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.') {
            assert_true(replay(entry->d_name));
            replayed++;
        }
    }
    (void)closedir(dir);
    assert_true(replayed >= 15);
}

int main(void) {
    tv_crypto_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
