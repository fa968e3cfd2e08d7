/* livekit.h - LiveKit's room API (Twirp), as far as calls need it.
 *
 * A call is one POST of protobuf bytes. It ends within 1.5 s, whatever LiveKit does: a connection
 * that fails is tried once more, a silent one is cut, and so is an answer that is longer than it
 * can be. Three calls in a row without a proper answer open the circuit: for 300 ms calls are
 * refused at once, so that joins do not pile up on a server that is away; then a single one tries
 * whether it is back. tv_livekit_find_room() is never refused: it is how the notifier watches for
 * the return. That a room does not exist is a proper answer.
 */
#ifndef TV_TOKENS_LIVEKIT_H
#define TV_TOKENS_LIVEKIT_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/loop.h"
#include "lib/str.h"
#include "livekit/livekit.pb-c.h"

struct tv_livekit_config {
    const char *api_url; /* http or https, perhaps with a path; all three are borrowed */
    const char *api_key;
    struct tv_str api_secret;
    void (*on_failing)(void *ctx); /* a call ended without a proper answer; may be NULL */
    void *ctx;
};

struct tv_livekit;
struct tv_livekit *tv_livekit_new(struct tv_loop *l, const struct tv_livekit_config *c);
/* Ends what is under way with TV_ERR_MEDIA_UNAVAILABLE. */
void tv_livekit_free(struct tv_livekit *lk); /* accepts NULL */

/* TV_ERR_NOT_FOUND: LiveKit says so. TV_ERR_MEDIA_UNAVAILABLE, with a time to come back: all else
 * that is no success. `reply` is NULL unless err is TV_OK; it is borrowed for the time of the
 * call. */
typedef void tv_livekit_done(void *ctx, enum tv_err err, const struct tv_error *e,
                             const ProtobufCMessage *reply);

/* Each answers TV_OK when the call was begun: `on_done` comes later, once. Otherwise the circuit is
 * open, and `on_done` will not come. The request is packed before they return. */

/* Reply: Room. A room that exists is a success, and stays as it is. */
TV_MUST_CHECK enum tv_err tv_livekit_create_room(struct tv_livekit *lk,
                                                 const Livekit__CreateRoomRequest *request,
                                                 tv_livekit_done *on_done, void *ctx,
                                                 struct tv_error *e);
/* Reply: DeleteRoomResponse. */
TV_MUST_CHECK enum tv_err tv_livekit_delete_room(struct tv_livekit *lk, const char *room,
                                                 tv_livekit_done *on_done, void *ctx,
                                                 struct tv_error *e);
/* Reply: ListRoomsResponse, with the room or without. */
TV_MUST_CHECK enum tv_err tv_livekit_find_room(struct tv_livekit *lk, const char *room,
                                               tv_livekit_done *on_done, void *ctx,
                                               struct tv_error *e);
/* The room of this name in such a reply; NULL: there is none. */
const Livekit__Room *tv_livekit_found(const ProtobufCMessage *reply, const char *name);
/* Reply: ListRoomsResponse with all rooms, in no order. More than 8 MiB of them (some 30000 rooms)
 * are no proper answer. */
TV_MUST_CHECK enum tv_err tv_livekit_list_rooms(struct tv_livekit *lk, tv_livekit_done *on_done,
                                                void *ctx, struct tv_error *e);
/* Reply: ListParticipantsResponse; empty also when there is no such room. `room` has 1 to 256
 * bytes. */
TV_MUST_CHECK enum tv_err tv_livekit_list_people(struct tv_livekit *lk, const char *room,
                                                 tv_livekit_done *on_done, void *ctx,
                                                 struct tv_error *e);

#endif
