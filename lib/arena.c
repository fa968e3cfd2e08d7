/* arena.c - see arena.h.
 *
 * An arena is a list of chunks; the newest is filled from front to back. Chunks have one of five
 * sizes, each twice the one before, and wait after use in the free list of the thread that freed
 * them. An allocation that would waste much of a chunk gets a piece of its own from malloc.
 *
 * With AddressSanitizer chunks are not recycled, and what was not handed out is poisoned, so that
 * a use after the arena's end or past an allocation is reported.
 */
#include "lib/arena.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifndef WITH_ASAN
#define WITH_ASAN 0
#endif

#if WITH_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, bytes) __asan_poison_memory_region((p), (bytes))
#define UNPOISON(p, bytes) __asan_unpoison_memory_region((p), (bytes))
#else
#define POISON(p, bytes) ((void)(p), (void)(bytes))
#define UNPOISON(p, bytes) ((void)(p), (void)(bytes))
#endif

#define ALIGN alignof(max_align_t)
#define ROUND_UP(bytes) (((bytes) + ALIGN - 1) / ALIGN * ALIGN)
#define RED_ZONE (WITH_ASAN ? ALIGN : 0) /* poisoned bytes behind each allocation */

#define FIRST_BYTES ((size_t)4096) /* of a chunk of class 0, with its header */
#define CLASSES 5                  /* 4, 8, 16, 32, 64 KiB */
#define OWN_CLASS CLASSES          /* a chunk of its own for one large allocation */
#define LARGE_BYTES ((size_t)8192) /* this much and more is large */
#define CACHE_BYTES ((size_t)512 * 1024)

struct chunk {
    struct chunk *next;
    unsigned class;
    alignas(max_align_t) char data[];
};

struct hook {
    struct hook *next;
    void (*fn)(void *p);
    void *p;
};

/* Lives at the start of its first chunk. */
struct tv_arena {
    struct chunk *chunks; /* all, the last taken first */
    struct hook *hooks;   /* the last deferred first */
    char *at, *end;       /* what is free in the chunk that is being filled */
    unsigned next_class;
    size_t used;
};

/* Chunks that wait for use, per thread; take_chunk() takes out, give_chunk() puts in. */
struct cache {
    struct chunk *free[CLASSES];
    size_t bytes;
    bool hooked; /* the key below will free it with the thread */
};
static _Thread_local struct cache cache;
static pthread_key_t cache_key;
static pthread_once_t cache_once = PTHREAD_ONCE_INIT;

static void free_cache(void *p) {
    struct cache *c = p;
    for (unsigned i = 0; i < CLASSES; i++) {
        while (c->free[i] != NULL) {
            struct chunk *chunk = c->free[i];
            c->free[i] = chunk->next;
            free(chunk);
        }
    }
    *c = (struct cache){0};
}

static void make_cache_key(void) {
    if (pthread_key_create(&cache_key, free_cache) != 0)
        tv_panic("no thread key for arenas");
}

static struct chunk *take_chunk(unsigned class) {
    size_t bytes = FIRST_BYTES << class;
    struct chunk *c = cache.free[class];
    if (c != NULL) {
        cache.free[class] = c->next;
        cache.bytes -= bytes;
    } else {
        c = tv_malloc(bytes);
        c->class = class;
    }
    return c;
}

static void give_chunk(struct chunk *c) {
    size_t bytes = FIRST_BYTES << c->class; /* not meaningful for OWN_CLASS */
    if (WITH_ASAN || c->class == OWN_CLASS || cache.bytes + bytes > CACHE_BYTES) {
        free(c);
        return;
    }
    if (!cache.hooked) {
        (void)pthread_once(&cache_once, make_cache_key);
        (void)pthread_setspecific(cache_key, &cache);
        cache.hooked = true;
    }
    c->next = cache.free[c->class];
    cache.free[c->class] = c;
    cache.bytes += bytes;
}

struct tv_arena *tv_arena_new(void) {
    struct chunk *c = take_chunk(0);
    struct tv_arena *a = (struct tv_arena *)(void *)c->data;
    c->next = NULL;
    *a = (struct tv_arena){.chunks = c,
                           .at = c->data + ROUND_UP(sizeof(*a)),
                           .end = (char *)c + FIRST_BYTES,
                           .next_class = 1};
    POISON(a->at, (size_t)(a->end - a->at));
    return a;
}

void tv_arena_free(struct tv_arena *a) {
    if (a == NULL)
        return;
    while (a->hooks != NULL) { /* a hook may defer another one */
        struct hook h = *a->hooks;
        a->hooks = h.next;
        h.fn(h.p);
    }
    /* The arena itself is in the chunk that comes last. */
    for (struct chunk *c = a->chunks, *next; c != NULL; c = next) {
        next = c->next;
        give_chunk(c);
    }
}

/* A piece of its own, so that the chunk being filled goes on being filled. */
static void *alloc_large(struct tv_arena *a, size_t bytes) {
    struct chunk *c = tv_malloc(sizeof(*c) + bytes);
    c->class = OWN_CLASS;
    c->next = a->chunks;
    a->chunks = c;
    return c->data;
}

void *tv_arena_alloc(struct tv_arena *a, size_t bytes) {
    if (bytes > PTRDIFF_MAX)
        tv_panic("out of memory: %zu bytes", bytes);
    a->used += bytes;
    if (bytes >= LARGE_BYTES)
        return alloc_large(a, bytes);
    size_t need = ROUND_UP(TV_MAX(bytes, (size_t)1)) + RED_ZONE;
    if (need > (size_t)(a->end - a->at)) {
        /* A small one never fails to fit: it is below LARGE_BYTES, or the class is 2 and more. */
        unsigned class = need > FIRST_BYTES ? TV_MAX(a->next_class, 2U) : a->next_class;
        struct chunk *c = take_chunk(class);
        c->next = a->chunks;
        a->chunks = c;
        a->at = c->data;
        a->end = (char *)c + (FIRST_BYTES << class);
        a->next_class = TV_MIN(class + 1, (unsigned)CLASSES - 1);
        POISON(a->at, (size_t)(a->end - a->at));
    }
    void *p = a->at;
    a->at += need;
    UNPOISON(p, bytes);
    return p;
}

void *tv_arena_calloc(struct tv_arena *a, size_t count, size_t bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total))
        tv_panic("out of memory: %zu times %zu bytes", count, bytes);
    void *p = tv_arena_alloc(a, total);
    memset(p, 0, total);
    return p;
}

char *tv_arena_strdup(struct tv_arena *a, const char *z) {
    return tv_arena_strndup(a, z, strlen(z));
}

char *tv_arena_strndup(struct tv_arena *a, const char *p, size_t len) {
    char *copy = tv_arena_alloc(a, len + 1);
    if (len > 0)
        memcpy(copy, p, len);
    copy[len] = '\0';
    return copy;
}

char *tv_arena_printf(struct tv_arena *a, const char *fmt, ...) {
    char text[256];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (len < 0)
        tv_panic("bad format: %s", fmt);
    if ((size_t)len < sizeof(text))
        return tv_arena_strndup(a, text, (size_t)len);
    char *out = tv_arena_alloc(a, (size_t)len + 1);
    va_start(args, fmt);
    (void)vsnprintf(out, (size_t)len + 1, fmt, args);
    va_end(args);
    return out;
}

void tv_arena_defer(struct tv_arena *a, void (*fn)(void *p), void *p) {
    struct hook *h = tv_arena_alloc(a, sizeof(*h));
    *h = (struct hook){.next = a->hooks, .fn = fn, .p = p};
    a->hooks = h;
    a->used -= sizeof(*h); /* nobody asked for these */
}

size_t tv_arena_used(const struct tv_arena *a) { return a->used; }
