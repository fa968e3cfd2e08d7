/* corpus.h - what a fuzzer found once, and what it began with, given to it again. */
#ifndef TEST_CORPUS_H
#define TEST_CORPUS_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static inline bool test_replay_file(const char *dir, const char *name,
                                    int (*fuzz)(const uint8_t *data, size_t size)) {
    static uint8_t data[512 * 1024];
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    size_t len = fread(data, 1, sizeof data, file);
    (void)fclose(file);
    return len > 0 && fuzz(data, len) == 0;
}

/* Every file of the folder; returns how many there were. */
static inline unsigned test_replay_corpus(const char *dir,
                                          int (*fuzz)(const uint8_t *data, size_t size)) {
    unsigned replayed = 0;
    DIR *corpus = opendir(dir);
    assert_non_null(corpus);
    for (const struct dirent *entry; (entry = readdir(corpus)) != NULL;) {
        if (entry->d_name[0] != '.') {
            assert_true(test_replay_file(dir, entry->d_name, fuzz));
            replayed++;
        }
    }
    (void)closedir(corpus);
    return replayed;
}

#endif
