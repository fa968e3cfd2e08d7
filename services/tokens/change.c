/* change.c - the operations that change LiveKit's rooms. Both may be repeated without harm.
 *
 * CloseRoom: the room is forgotten and deleted. One that is just being made is waited for first,
 *            for otherwise the making might overtake the deleting.
 * MakeRoom:  the room is forgotten and made, also when it was known: whoever asks has seen that
 *            LiveKit has it no more. When LiveKit comes back without its rooms, those of all
 *            running calls are asked for at once; they are made a few at a time, in the order in
 *            which they came.
 */
#include <google/protobuf/empty.pb-c.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "services/tokens/operations.h"
#include "televisit/v1/tokens.pb-c.h"

/* Lives in the arena of its call. One that waits for its turn is on tokens->turns. */
struct tokens_turn {
    struct tokens *tokens;
    struct tv_call *call;
    struct tv_rooms_waiter waiter;
    struct tv_rooms_wish wish; /* of CloseRoom its name only */
    STAILQ_ENTRY(tokens_turn) link;
};

static struct tokens_turn *turn_new(struct tv_call *call, struct tv_rooms_wish wish,
                                    void (*on_made)(void *ctx, enum tv_err err,
                                                    const struct tv_error *e)) {
    struct tokens_turn *turn = TV_ARENA_NEW(call->arena, struct tokens_turn);
    *turn = (struct tokens_turn){.tokens = call->service_ctx,
                                 .call = call,
                                 .waiter = {.on_made = on_made, .ctx = turn},
                                 .wish = wish};
    return turn;
}

static void reply_empty(struct tv_call *call) {
    Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
    tv_call_reply(call, &empty.base);
}

/* -- CloseRoom ----------------------------------------------------------------------------------*/

static void on_deleted(void *ctx, enum tv_err err, const struct tv_error *e,
                       const ProtobufCMessage *reply) {
    struct tokens_turn *turn = ctx;
    tv_rooms_forget(turn->tokens->rooms, turn->wish.name);
    if (err != TV_OK && err != TV_ERR_NOT_FOUND) {
        tv_call_fail(turn->call, e);
        return;
    }
    tv_log_info("room closed", F_STR(ROOM, turn->wish.name));
    reply_empty(turn->call);
}

static void delete_room(struct tokens_turn *turn) {
    struct tv_error e = TV_ERROR_INIT;
    tv_rooms_forget(turn->tokens->rooms, turn->wish.name);
    if (tv_livekit_delete_room(turn->tokens->livekit, turn->wish.name, on_deleted, turn, &e) !=
        TV_OK)
        tv_call_fail(turn->call, &e);
}

/* Made or not: if it is there, it has to go. */
static void on_made_before_close(void *ctx, enum tv_err err, const struct tv_error *e) {
    delete_room(ctx);
}

void tokens_close_room(struct tv_call *call) {
    const Televisit__V1__CloseRoomRequest *request = (const void *)call->request;
    if (!tokens_is_room(call, request->room))
        return;
    struct tv_rooms_wish wish = {.name = request->room};
    struct tokens_turn *turn = turn_new(call, wish, on_made_before_close);
    if (!tv_rooms_wait(turn->tokens->rooms, wish.name, &turn->waiter))
        delete_room(turn);
}

/* -- MakeRoom -----------------------------------------------------------------------------------*/

static void begin_turns(struct tokens *t) {
    struct tokens_turn *turn;
    while (t->making < TOKENS_MAKING_MAX && (turn = STAILQ_FIRST(&t->turns)) != NULL) {
        struct tv_error e = TV_ERROR_INIT;
        STAILQ_REMOVE_HEAD(&t->turns, link);
        if (turn->call->context.deadline_us <= tv_clock_mono_us()) {
            tv_call_failf(turn->call, TV_ERR_DEADLINE, "%s", ""); /* nobody waits any more */
            continue;
        }
        tv_rooms_forget(t->rooms, turn->wish.name);
        if (tv_rooms_make(t->rooms, &turn->wish, &turn->waiter, &e) == TV_OK)
            t->making++;
        else
            tv_call_fail(turn->call, &e); /* LiveKit is away: all who wait learn it at once */
    }
}

static void on_made(void *ctx, enum tv_err err, const struct tv_error *e) {
    struct tokens_turn *turn = ctx;
    struct tokens *t = turn->tokens;
    if (err == TV_OK) {
        tv_log_info("room made again", F_STR(ROOM, turn->wish.name));
        reply_empty(turn->call);
    } else {
        tv_call_fail(turn->call, e);
    }
    t->making--;
    begin_turns(t);
}

void tokens_make_room(struct tv_call *call) {
    const Televisit__V1__MakeRoomRequest *request = (const void *)call->request;
    struct tokens *t = call->service_ctx;
    if (!tokens_is_room(call, request->room))
        return;
    if (request->open_s < 1 || request->participants_max < 1) {
        tv_call_failf(call, TV_ERR_INVALID, "a room is open for a time and has places");
        return;
    }
    struct tv_rooms_wish wish = {request->room, (uint32_t)request->open_s,
                                 (uint32_t)request->participants_max};
    struct tokens_turn *turn = turn_new(call, wish, on_made);
    STAILQ_INSERT_TAIL(&t->turns, turn, link);
    begin_turns(t);
}
