/* Whatever the fuzzer of messages once found, and what it began with, stays right. */
#include "tests/fuzz/fuzz_pb_json.c"
#include "tests/harness/corpus.h"

static void test_corpus(void **state) {
    assert_true(test_replay_corpus("tests/fuzz/corpus/pb_json", LLVMFuzzerTestOneInput) >= 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
