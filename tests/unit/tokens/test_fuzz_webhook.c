/* Whatever the fuzzer of webhooks once found, and what it began with, stays right. */
#include "tests/fuzz/fuzz_webhook.c"
#include "tests/harness/corpus.h"

static void test_corpus(void **state) {
    assert_true(test_replay_corpus("tests/fuzz/corpus/webhook", LLVMFuzzerTestOneInput) >= 15);
}

int main(void) {
    tv_crypto_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
