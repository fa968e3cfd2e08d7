/* look.c - the operations that only look.
 *
 * Look:      LiveKit has no call that gives a room and who is in it at once. So people first, then
 *            the room; view.c sees whether the room was replaced between the two.
 * ListRooms: LiveKit knows no pages, so each page is cut from the whole list. At a thousand a page
 *            nearly all installations have one.
 * Probe:     one question for one name. What it finds is good for rooms.h too.
 */
#include "lib/clock.h"
#include "lib/pb.h"
#include "services/tokens/operations.h"
#include "services/tokens/view.h"
#include "televisit/v1/tokens.pb-c.h"

#define NOBODYS_ROOM "televisit-probe" /* whether there is one does not matter */

/* Lives in the arena of its call. */
struct look {
    struct tokens *tokens;
    struct tv_call *call;
    int64_t asked_us; /* on this host's wall clock */
    const Livekit__ListParticipantsResponse *people;
};

static struct look *look_new(struct tv_call *call) {
    struct look *l = TV_ARENA_NEW(call->arena, struct look);
    *l = (struct look){.tokens = call->service_ctx, .call = call, .asked_us = tv_clock_wall_us()};
    return l;
}

bool tokens_is_room(struct tv_call *call, const char *name) {
    size_t len = strlen(name);
    if (len > 0 && len <= TV_VIEW_NAME_MAX)
        return true;
    tv_call_failf(call, TV_ERR_INVALID, "the name of a room has 1 to %d bytes", TV_VIEW_NAME_MAX);
    return false;
}

/* -- Look ---------------------------------------------------------------------------------------*/

static void on_room(void *ctx, enum tv_err err, const struct tv_error *e,
                    const ProtobufCMessage *reply) {
    struct look *l = ctx;
    const char *name = ((const Televisit__V1__LookRequest *)(const void *)l->call->request)->room;
    Televisit__V1__RoomView *view = NULL;
    if (err != TV_OK) {
        tv_call_fail(l->call, e);
        return;
    }
    const Livekit__Room *room = tv_livekit_found(reply, name);
    if (room == NULL) /* as it should be, when its call is over: that says nothing of others */
        tv_rooms_forget(l->tokens->rooms, name);
    else
        tv_rooms_seen(l->tokens->rooms, name, room->sid);
    if (tv_view_room(l->people, room, name, l->asked_us, l->call->arena, &view))
        tv_call_reply(l->call, &view->base);
    else
        tv_call_failf(l->call, TV_ERR_UNAVAILABLE, "the room changed meanwhile");
}

static void on_people(void *ctx, enum tv_err err, const struct tv_error *e,
                      const ProtobufCMessage *reply) {
    struct look *l = ctx;
    const Televisit__V1__LookRequest *request = (const void *)l->call->request;
    struct tv_error fault = TV_ERROR_INIT;
    if (err != TV_OK) {
        tv_call_fail(l->call, e);
        return;
    }
    struct tv_arena *a = l->call->arena; /* the reply itself does not last */
    l->people = (const void *)tv_pb_unpack(reply->descriptor, tv_pb_pack(reply, a), a);
    if (tv_livekit_find_room(l->tokens->livekit, request->room, on_room, l, &fault) != TV_OK)
        tv_call_fail(l->call, &fault);
}

void tokens_look(struct tv_call *call) {
    const Televisit__V1__LookRequest *request = (const void *)call->request;
    struct tv_error e = TV_ERROR_INIT;
    if (!tokens_is_room(call, request->room))
        return;
    struct look *l = look_new(call);
    if (tv_livekit_list_people(l->tokens->livekit, request->room, on_people, l, &e) != TV_OK)
        tv_call_fail(call, &e);
}

/* -- ListRooms ----------------------------------------------------------------------------------*/

static void on_rooms(void *ctx, enum tv_err err, const struct tv_error *e,
                     const ProtobufCMessage *reply) {
    struct look *l = ctx;
    const Televisit__V1__ListRoomsRequest *request = (const void *)l->call->request;
    if (err != TV_OK) {
        tv_call_fail(l->call, e);
        return;
    }
    Televisit__V1__ListRoomsReply *page =
        tv_view_page((const void *)reply, request->after, (size_t)request->limit, l->call->arena);
    tv_call_reply(l->call, &page->base);
}

void tokens_list_rooms(struct tv_call *call) {
    const Televisit__V1__ListRoomsRequest *request = (const void *)call->request;
    struct tv_error e = TV_ERROR_INIT;
    if (request->limit < 1 || request->limit > TV_VIEW_PAGE_MAX) {
        tv_call_failf(call, TV_ERR_INVALID, "a page has 1 to %d rooms", TV_VIEW_PAGE_MAX);
        return;
    }
    struct look *l = look_new(call);
    if (tv_livekit_list_rooms(l->tokens->livekit, on_rooms, l, &e) != TV_OK)
        tv_call_fail(call, &e);
}

/* -- Probe --------------------------------------------------------------------------------------*/

static void on_probed(void *ctx, enum tv_err err, const struct tv_error *e,
                      const ProtobufCMessage *reply) {
    struct look *l = ctx;
    const char *name = ((const Televisit__V1__ProbeRequest *)(const void *)l->call->request)->room;
    Televisit__V1__ProbeReply answer = TELEVISIT__V1__PROBE_REPLY__INIT;
    if (err != TV_OK) {
        tv_call_fail(l->call, e);
        return;
    }
    if (name[0] != '\0') {
        const Livekit__Room *room = tv_livekit_found(reply, name);
        if (room != NULL)
            answer.room_sid = room->sid;
        tv_rooms_seen(l->tokens->rooms, name, answer.room_sid);
    }
    tv_call_reply(l->call, &answer.base);
}

void tokens_probe(struct tv_call *call) {
    const Televisit__V1__ProbeRequest *request = (const void *)call->request;
    struct tv_error e = TV_ERROR_INIT;
    const char *name = request->room[0] == '\0' ? NOBODYS_ROOM : request->room;
    if (!tokens_is_room(call, name))
        return;
    struct look *l = look_new(call);
    if (tv_livekit_find_room(l->tokens->livekit, name, on_probed, l, &e) != TV_OK)
        tv_call_fail(call, &e);
}
