#include "services/appointments/room.h"

#include <stdio.h>
#include <string.h>

void tv_room_format(const struct tv_room *r, char out[static TV_ROOM_NAME_MAX]) {
    if (r->generation > 1)
        (void)snprintf(out, TV_ROOM_NAME_MAX, "room_%s.%d", r->appointment_id, (int)r->generation);
    else
        (void)snprintf(out, TV_ROOM_NAME_MAX, "room_%s", r->appointment_id);
}

bool tv_room_parse(struct tv_str name, struct tv_room *ret) {
    static const struct tv_str prefix = TV_S("room_");
    struct tv_room room = {.generation = 1};
    struct tv_str rest = {name.p + prefix.len, name.len - prefix.len};
    if (!tv_str_starts(name, prefix))
        return false;
    struct tv_str id = tv_str_cut(&rest, '.');
    int64_t generation = 1;
    if (!tv_str_is_uuid(id) || (rest.p != NULL && !tv_str_to_i64(rest, 2, INT32_MAX, &generation)))
        return false;
    memcpy(room.appointment_id, id.p, id.len);
    room.generation = (int32_t)generation;
    char again[TV_ROOM_NAME_MAX];
    tv_room_format(&room, again);
    if (!tv_str_eqz(name, again)) /* one room has one name: no .02 */
        return false;
    *ret = room;
    return true;
}
