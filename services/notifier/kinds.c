/* kinds.c - see kinds.h. */
#include "services/notifier/kinds.h"

#include <string.h>

#include "services/notifier/clock.h"

const struct tv_kind tv_kinds[] = {
    {"close_room", tv_kind_close_room, 500, 8000, 0},
    {"reconcile_call", tv_kind_reconcile_call, 1000, 15000, 0},
};
const size_t tv_kind_count = TV_ARRAY_LEN(tv_kinds);

const struct tv_kind *tv_kind_find(const char *name) {
    for (size_t i = 0; i < tv_kind_count; i++) {
        if (strcmp(tv_kinds[i].name, name) == 0)
            return &tv_kinds[i];
    }
    return NULL;
}

int32_t tv_kind_wait_ms(const struct tv_kind *k, int32_t attempts, uint64_t *random) {
    int32_t doublings = TV_MIN(TV_MAX(attempts - 1, 0), 30);
    int64_t wait_ms = TV_MIN((int64_t)k->wait_min_ms << doublings, (int64_t)k->wait_max_ms);

    return (int32_t)(wait_ms - tv_due_jitter(random, wait_ms / 4 + 1));
}

bool tv_kind_is_hopeless(enum tv_err err) {
    unsigned http = tv_err_info(err)->http;

    /* Of 4xx those pass that are about the moment: conflicts, staleness, limits. */
    return http >= 400 && http < 500 && http != 409 && http != 412 && http != 429;
}
