/* room.h - names of rooms: `room_{appointmentId}`, and `.2`, `.3`, … for later generations. Pure.
 */
#ifndef APPOINTMENTS_ROOM_H
#define APPOINTMENTS_ROOM_H

#include "lib/base.h"
#include "lib/crypto.h"
#include "lib/str.h"

#define TV_ROOM_NAME_MAX 64 /* with NUL */

struct tv_room {
    char appointment_id[TV_UUID_TEXT];
    int32_t generation; /* from 1 */
};

/* As tv.room_name() of the schema does. */
void tv_room_format(const struct tv_room *r, char out[static TV_ROOM_NAME_MAX]);
/* False when it is no name that tv_room_format() would write: somebody else's room. */
TV_MUST_CHECK bool tv_room_parse(struct tv_str name, struct tv_room *ret);

#endif
