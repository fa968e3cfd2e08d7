/* base.h - what every file may use: attributes, small macros, allocation.
 *
 * Allocation never fails here: input is bounded before memory is asked for, so running out means
 * the machine is out, and the process aborts to be restarted (docs/STYLE.md, "Memory").
 */
#ifndef TV_BASE_H
#define TV_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define TV_MUST_CHECK __attribute__((warn_unused_result))
#define TV_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define TV_NORETURN __attribute__((noreturn))
#define TV_UNUSED __attribute__((unused))

/* Runs `fn(&variable)` when the variable goes out of scope. See TV_DEFINE_CLEANUP. */
#define TV_CLEANUP(fn) __attribute__((cleanup(fn)))

/* Defines `name##_p(T *p)` for TV_CLEANUP: frees `*p` with `name`, which accepts NULL. */
#define TV_DEFINE_CLEANUP(type, name)                                                              \
    static inline void name##_p(type *p) { name(*p); }                                             \
    struct tv_cleanup_##name /* swallow the semicolon */

#define TV_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define tv_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Hands an owned pointer on: the expression is its value, the variable becomes NULL. */
#define TV_TAKE_PTR(p)                                                                             \
    ({                                                                                             \
        __typeof__(p) tv_taken_ = (p);                                                             \
        (p) = NULL;                                                                                \
        tv_taken_;                                                                                 \
    })

#define TV_MIN(a, b) ((a) < (b) ? (a) : (b))
#define TV_MAX(a, b) ((a) > (b) ? (a) : (b))

/* TAILQ_FOREACH that allows the current element to be removed; glibc's <sys/queue.h> lacks it. */
#define TV_TAILQ_FOREACH_SAFE(var, head, field, next)                                              \
    for ((var) = TAILQ_FIRST(head); (var) != NULL && ((next) = TAILQ_NEXT((var), field), true);    \
         (var) = (next))

/* Prints the message to stderr and aborts: for broken invariants of our own, never for input. */
TV_NORETURN void tv_panic(const char *fmt, ...) TV_PRINTF(1, 2);

/* As malloc, calloc, realloc, strdup, strndup, but abort when memory is out. Return owned. */
void *tv_malloc(size_t bytes);
void *tv_calloc(size_t count, size_t bytes);
void *tv_realloc(void *p, size_t bytes);
char *tv_strdup(const char *s);
char *tv_strndup(const char *s, size_t len);

#endif
