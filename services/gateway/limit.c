#include "services/gateway/limit.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/crypto.h"

#define WAYS 4 /* buckets that share a place in the table */

struct rate {
    double per_second;
    double burst;
};

/* The figures that proto/televisit/options.proto tells for each class. */
static const struct rate rates[] = {
    [TV_RATE_READ] = {50, 100}, [TV_RATE_WRITE] = {10, 30},       [TV_RATE_JOIN] = {5, 20},
    [TV_RATE_LOG_IN] = {1, 10}, [TV_RATE_WEBHOOK] = {2000, 4000},
};

struct bucket {
    uint64_t key; /* 0: free */
    int64_t filled_us;
    double tokens;
};

struct tv_limits {
    struct bucket *buckets;
    size_t sets; /* a power of two */
    double factor;
};

struct tv_limits *tv_limits_new(unsigned buckets, unsigned percent) {
    struct tv_limits *l = tv_calloc(1, sizeof *l);
    l->sets = 1;
    while (l->sets * WAYS < buckets)
        l->sets *= 2;
    l->buckets = tv_calloc(l->sets * WAYS, sizeof *l->buckets);
    l->factor = percent / 100.0;
    return l;
}

void tv_limits_free(struct tv_limits *l) {
    if (l == NULL)
        return;
    free(l->buckets);
    free(l);
}

/* The caller's bucket, or the one of its set that was used longest ago, made new. */
static struct bucket *find_bucket(struct tv_limits *l, uint64_t key, double burst, int64_t now_us) {
    struct bucket *set = &l->buckets[(key & (l->sets - 1)) * WAYS];
    struct bucket *oldest = &set[0];
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].key == 0 || (oldest->key != 0 && set[i].filled_us < oldest->filled_us))
            oldest = &set[i];
    }
    *oldest = (struct bucket){.key = key, .filled_us = now_us, .tokens = burst};
    return oldest;
}

struct limit_verdict tv_limits_take(struct tv_limits *l, enum tv_rate_class class,
                                    struct tv_str caller, int64_t now_us) {
    assert((size_t) class < TV_ARRAY_LEN(rates));
    double per_second = rates[class].per_second * l->factor;
    double burst = TV_MAX(rates[class].burst * l->factor, 1.0);
    if (l->factor <= 0)
        return (struct limit_verdict){.pass = true};

    uint64_t key = (tv_hash(caller) ^ ((uint64_t) class << 56)) | 1;
    struct bucket *b = find_bucket(l, key, burst, now_us);
    double elapsed_s = (double)(now_us - b->filled_us) / (double)TV_US_PER_S;
    b->tokens = TV_MIN(burst, b->tokens + TV_MAX(elapsed_s, 0.0) * per_second);
    b->filled_us = now_us;
    struct limit_verdict verdict = {.limit = (unsigned)burst};
    if (b->tokens >= 1.0) {
        b->tokens -= 1.0;
        verdict.pass = true;
    } else {
        verdict.retry_after_s = (unsigned)((1.0 - b->tokens) / per_second) + 1;
    }
    return verdict;
}

struct tv_str tv_limits_network(struct tv_str address, char out[static LIMIT_NETWORK_BYTES]) {
    enum { PREFIX_BYTES = 8 };
    char text[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    if (address.len >= sizeof text)
        return address;
    memcpy(text, address.p, address.len);
    text[address.len] = '\0';
    if (inet_pton(AF_INET6, text, &parsed) != 1)
        return address;
    memcpy(out, "v6/64:", 6);
    memcpy(out + 6, &parsed, PREFIX_BYTES);
    return (struct tv_str){out, 6 + PREFIX_BYTES};
}
