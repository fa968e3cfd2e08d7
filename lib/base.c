/* base.c - see base.h. */
#include "lib/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tv_panic(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)fputs("panic: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
    abort();
}

static void *need(void *p, size_t bytes) {
    if (p == NULL)
        tv_panic("out of memory: %zu bytes", bytes);
    return p;
}

/* Zero bytes are asked for as one: an answer of NULL would not mean failure then. */

void *tv_malloc(size_t bytes) { return need(malloc(TV_MAX(bytes, (size_t)1)), bytes); }

void *tv_calloc(size_t count, size_t bytes) {
    return need(calloc(TV_MAX(count, (size_t)1), TV_MAX(bytes, (size_t)1)), bytes);
}

void *tv_realloc(void *p, size_t bytes) {
    return need(realloc(p, TV_MAX(bytes, (size_t)1)), bytes);
}

char *tv_strdup(const char *s) { return tv_strndup(s, strlen(s)); }

char *tv_strndup(const char *s, size_t len) {
    size_t used = strnlen(s, len);
    char *copy = tv_malloc(used + 1);
    memcpy(copy, s, used);
    copy[used] = '\0';
    return copy;
}
