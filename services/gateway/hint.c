#include "services/gateway/hint.h"

#include <stdio.h>
#include <string.h>

#define TYPE "appointment.changed"

static uint64_t event_of(const Televisit__V1__InboxEntry *entry) {
    return entry->event_id[0] == '\0' ? 0 : tv_hash(tv_str(entry->event_id));
}

/* A commit is known by its instant: the database's, to the microsecond, for one appointment. */
static uint64_t instant_of(const Televisit__V1__InboxEntry *entry) {
    char text[TV_UUID_TEXT + 48];
    if (entry->occurred_at == NULL)
        return 0;
    int len = snprintf(text, sizeof text, "%s %lld.%d", entry->appointment_id,
                       (long long)entry->occurred_at->seconds, (int)entry->occurred_at->nanos);
    return tv_hash((struct tv_str){text, (size_t)len});
}

bool hint_of(const Televisit__V1__InboxEntry *entry, struct hint *ret) {
    bool bare = entry->seq == 0 && strcmp(entry->type, TYPE) == 0;
    if ((entry->seq <= 0 && !bare) || !tv_str_is_uuid(tv_str(entry->appointment_id)))
        return false;
    *ret = (struct hint){entry->appointment_id, event_of(entry), instant_of(entry), bare};
    return true;
}

static bool has_seen(const struct hints_seen *seen, uint64_t key) {
    for (unsigned i = 0; key != 0 && i < HINT_KEYS_SEEN; i++)
        if (seen->keys[i] == key)
            return true;
    return false;
}

static void note(struct hints_seen *seen, uint64_t key) {
    if (key != 0 && !has_seen(seen, key))
        seen->keys[seen->next++ % HINT_KEYS_SEEN] = key;
}

bool hint_is_new(struct hints_seen *seen, const struct hint *hint) {
    if (has_seen(seen, hint->event != 0 ? hint->event : hint->instant))
        return false;
    note(seen, hint->event);
    note(seen, hint->instant);
    return true;
}

struct tv_str hint_event(const struct hint *hint, char out[static HINT_BYTES]) {
    int len = snprintf(out, HINT_BYTES, "event: " TYPE "\ndata: {\"appointmentId\":\"%s\"}\n\n",
                       hint->appointment_id);
    return (struct tv_str){out, (size_t)len};
}
