/* view.h - what LiveKit says of its rooms, as the other services get it. Pure. */
#ifndef TV_TOKENS_VIEW_H
#define TV_TOKENS_VIEW_H

#include "lib/arena.h"
#include "livekit/livekit.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"

#define TV_VIEW_PAGE_MAX 1000 /* rooms of one page */
#define TV_VIEW_APART_MS 1000 /* how far clocks of LiveKit's own nodes may be apart */
#define TV_VIEW_SID_MAX 64    /* bytes; longer ones are not LiveKit's, and are left out */
#define TV_VIEW_NAME_MAX 256  /* bytes of a room's name, of an identity: likewise */

/* Puts the two lists together: who is in, and `room` as it is after that (NULL: it is not there).
 * Ages are counted back from `asked_us`, on this host's clock. False: somebody came before the room
 * was made, so it was replaced between the lists, and who is in is not known. The result borrows
 * from both lists and is in the arena. */
TV_MUST_CHECK bool tv_view_room(const Livekit__ListParticipantsResponse *people,
                                const Livekit__Room *room, const char *name, int64_t asked_us,
                                struct tv_arena *a, Televisit__V1__RoomView **ret);

/* The page of at most `limit` names after `after`, in the order of bytes; shorter when it would not
 * fit into one message. Borrows from `all`. */
Televisit__V1__ListRoomsReply *tv_view_page(const Livekit__ListRoomsResponse *all,
                                            const char *after, size_t limit, struct tv_arena *a);

#endif
