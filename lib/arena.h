/* arena.h - the memory of one request.
 *
 * Everything that lives as long as a request is taken from its arena and freed in one stroke, so
 * handlers never free. Foreign resources (a NATS message, a PGresult) hang their disposal on it
 * with tv_arena_defer(). Arenas are recycled through a small per-thread free list: making and
 * freeing one costs no malloc in the steady state.
 */
#ifndef TV_ARENA_H
#define TV_ARENA_H

#include <stdarg.h>

#include "base.h"
#include "str.h"

struct tv_arena;

/* Returns owned. */
struct tv_arena *tv_arena_new(void);
/* Runs the deferred functions, last one first, and frees all memory. Accepts NULL. */
void tv_arena_free(struct tv_arena *a);
TV_DEFINE_CLEANUP(struct tv_arena *, tv_arena_free);

/* Memory aligned for any type, not zeroed; lives until the arena is freed. Never NULL. */
void *tv_arena_alloc(struct tv_arena *a, size_t bytes);
void *tv_arena_calloc(struct tv_arena *a, size_t count, size_t bytes);
char *tv_arena_strdup(struct tv_arena *a, const char *z);
char *tv_arena_strndup(struct tv_arena *a, const char *p, size_t len); /* adds the NUL */
static inline char *tv_arena_str(struct tv_arena *a, struct tv_str s) {
    return tv_arena_strndup(a, s.p, s.len);
}
char *tv_arena_printf(struct tv_arena *a, const char *fmt, ...) TV_PRINTF(2, 3);

#define TV_ARENA_NEW(arena, type) ((type *)tv_arena_calloc((arena), 1, sizeof(type)))

/* Calls `fn(p)` when the arena is freed. */
void tv_arena_defer(struct tv_arena *a, void (*fn)(void *p), void *p);

/* Bytes handed out so far; for limits and tests. */
size_t tv_arena_used(const struct tv_arena *a);

#endif
