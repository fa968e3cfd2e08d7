#include "services/gateway/hint.h"

#include <stdio.h>
#include <string.h>

#define TYPE "appointment.changed"

/* An entry without an event is of one commit, and told of once in it: its instant and its
 * appointment say which. */
static uint64_t key_of(const Televisit__V1__InboxEntry *entry) {
    char text[TV_UUID_TEXT + 48];
    if (entry->event_id[0] != '\0')
        return tv_hash(tv_str(entry->event_id));
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
    *ret = (struct hint){entry->appointment_id, key_of(entry), bare};
    return true;
}

bool hint_is_new(struct hints_seen *seen, const struct hint *hint) {
    if (hint->key == 0)
        return true;
    for (unsigned i = 0; i < HINTS_SEEN; i++)
        if (seen->keys[i] == hint->key)
            return false;
    seen->keys[seen->next++ % HINTS_SEEN] = hint->key;
    return true;
}

struct tv_str hint_event(const struct hint *hint, char out[static HINT_BYTES]) {
    int len = snprintf(out, HINT_BYTES, "event: " TYPE "\ndata: {\"appointmentId\":\"%s\"}\n\n",
                       hint->appointment_id);
    return (struct tv_str){out, (size_t)len};
}
