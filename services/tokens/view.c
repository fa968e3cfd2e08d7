/* view.c - see view.h. */
#include "services/tokens/view.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/pb.h"

#define PAGE_BYTES_MAX (TV_PB_MAX_BYTES - 16) /* `more` goes besides */
#define ROOM_BYTES 12                         /* tags and lengths of one at most */

/* -- times by LiveKit's clock -------------------------------------------------------------------*/

/* Older servers know whole seconds only. 0: not said. */
static int64_t instant_ms(int64_t ms, int64_t seconds) {
    return ms > 0 ? ms : seconds > 0 && seconds < INT64_MAX / 1000 ? seconds * 1000 : 0;
}

static int64_t age_ms(int64_t asked_us, int64_t then_ms) {
    return then_ms == 0 ? 0 : TV_MAX(0, asked_us / TV_US_PER_MS - then_ms);
}

static bool came_before(const Livekit__ParticipantInfo *p, const Livekit__Room *room) {
    int64_t joined_ms = instant_ms(p->joined_at_ms, p->joined_at);
    int64_t created_ms = instant_ms(room->creation_time_ms, room->creation_time);
    return joined_ms != 0 && joined_ms < created_ms - TV_VIEW_APART_MS;
}

/* -- one room -----------------------------------------------------------------------------------*/

static bool is_within(const char *z, size_t max) {
    size_t len = strlen(z);
    return len > 0 && len <= max;
}

static bool is_in(const Livekit__ParticipantInfo *p) {
    return p->state == LIVEKIT__PARTICIPANT_INFO__STATE__ACTIVE &&
           is_within(p->sid, TV_VIEW_SID_MAX) && is_within(p->identity, TV_VIEW_NAME_MAX);
}

bool tv_view_room(const Livekit__ListParticipantsResponse *people, const Livekit__Room *room,
                  const char *name, int64_t asked_us, struct tv_arena *a,
                  Televisit__V1__RoomView **ret) {
    Televisit__V1__RoomView *view =
        TV_PB_NEW(a, Televisit__V1__RoomView, televisit__v1__room_view__descriptor);
    view->room = tv_arena_strdup(a, name);
    *ret = view;
    if (room == NULL || !is_within(room->sid, TV_VIEW_SID_MAX))
        return true;
    view->room_sid = room->sid;
    view->created_age_ms =
        age_ms(asked_us, instant_ms(room->creation_time_ms, room->creation_time));
    view->people = tv_arena_calloc(a, people->n_participants + 1, sizeof(void *));
    for (size_t i = 0; i < people->n_participants; i++) {
        const Livekit__ParticipantInfo *p = people->participants[i];
        if (!is_in(p))
            continue;
        if (came_before(p, room))
            return false;
        Televisit__V1__PersonInRoom *person =
            TV_PB_NEW(a, Televisit__V1__PersonInRoom, televisit__v1__person_in_room__descriptor);
        person->sid = p->sid;
        person->identity = p->identity;
        person->joined_age_ms = age_ms(asked_us, instant_ms(p->joined_at_ms, p->joined_at));
        view->people[view->n_people++] = person;
    }
    return true;
}

/* -- all rooms ----------------------------------------------------------------------------------*/

static int by_name(const void *a, const void *b) {
    const Livekit__Room *const *one = a, *const *two = b;
    return strcmp((*one)->name, (*two)->name);
}

Televisit__V1__ListRoomsReply *tv_view_page(const Livekit__ListRoomsResponse *all,
                                            const char *after, size_t limit, struct tv_arena *a) {
    Livekit__Room **left = tv_arena_calloc(a, all->n_rooms + 1, sizeof(void *));
    size_t count = 0, bytes = 0;
    for (size_t i = 0; i < all->n_rooms; i++) {
        Livekit__Room *room = all->rooms[i];
        if (strcmp(room->name, after) > 0 && is_within(room->name, TV_VIEW_NAME_MAX) &&
            is_within(room->sid, TV_VIEW_SID_MAX))
            left[count++] = room;
    }
    qsort(left, count, sizeof(void *), by_name);
    Televisit__V1__ListRoomsReply *page =
        TV_PB_NEW(a, Televisit__V1__ListRoomsReply, televisit__v1__list_rooms_reply__descriptor);
    page->rooms = tv_arena_calloc(a, TV_MIN(count, limit) + 1, sizeof(void *));
    while (page->n_rooms < TV_MIN(count, limit)) {
        Livekit__Room *room = left[page->n_rooms];
        bytes += strlen(room->name) + strlen(room->sid) + ROOM_BYTES;
        if (bytes > PAGE_BYTES_MAX)
            break;
        Televisit__V1__ListedRoom *listed =
            TV_PB_NEW(a, Televisit__V1__ListedRoom, televisit__v1__listed_room__descriptor);
        listed->room = room->name;
        listed->room_sid = room->sid;
        page->rooms[page->n_rooms++] = listed;
    }
    page->more = page->n_rooms < count;
    return page;
}
