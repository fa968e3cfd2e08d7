/* kind_rooms.c - the work that keeps LiveKit's rooms and the call record in line. The key of these
 * jobs is the room's name.
 *
 * close_room: who is in there is written down, the appointment is settled from that record, and
 * then the room goes. That it is gone ends what the record still has open.
 * reconcile_call: what LiveKit says of a running call is written down, again and again until it is
 * over: webhooks may get lost.
 */
#include "services/notifier/kinds.h"
#include "televisit/v1/calls.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"

/* An attempt to close counts from 1. From this one on a LiveKit that shows its room to nobody does
 * not hold up the end of the appointment: the record as it is must do. */
#define BLIND_FROM_ATTEMPT 4

static void call_calls(struct tv_job *j, const char *method, const ProtobufCMessage *request,
                       tv_job_next_fn *next) {
    tv_job_call(j, &televisit__v1__calls__descriptor, method, request, next, NULL);
}

static void look(struct tv_job *j, tv_job_next_fn *next, tv_job_otherwise_fn *otherwise) {
    Televisit__V1__LookRequest request = TELEVISIT__V1__LOOK_REQUEST__INIT;

    request.room = tv_job_row(j)->key;
    tv_job_call(j, &televisit__v1__tokens__descriptor, "Look", &request.base, next, otherwise);
}

static void snapshot(struct tv_job *j, const ProtobufCMessage *reply, tv_job_next_fn *next) {
    Televisit__V1__RoomView view = *(const Televisit__V1__RoomView *)(const void *)reply;
    Televisit__V1__SnapshotRequest request = TELEVISIT__V1__SNAPSHOT_REQUEST__INIT;

    view.room = tv_job_row(j)->key; /* the one that was asked for, whatever the view says */
    request.view = &view;
    request.age_ms = tv_job_step_age_ms(j);
    call_calls(j, "Snapshot", &request.base, next);
}

/* -- close_room ---------------------------------------------------------------------------------*/

static void on_recorded(struct tv_job *j, const ProtobufCMessage *reply) { tv_job_done(j); }

static void on_closed(struct tv_job *j, const ProtobufCMessage *reply) {
    Televisit__V1__ClosedRequest request = TELEVISIT__V1__CLOSED_REQUEST__INIT;

    request.room = tv_job_row(j)->key;
    call_calls(j, "Closed", &request.base, on_recorded);
}

static void on_settled(struct tv_job *j, const ProtobufCMessage *reply) {
    Televisit__V1__CloseRoomRequest request = TELEVISIT__V1__CLOSE_ROOM_REQUEST__INIT;

    request.room = tv_job_row(j)->key;
    tv_job_call(j, &televisit__v1__tokens__descriptor, "CloseRoom", &request.base, on_closed, NULL);
}

static void settle(struct tv_job *j) {
    Televisit__V1__SettleRequest request = TELEVISIT__V1__SETTLE_REQUEST__INIT;

    request.appointment_id = tv_job_row(j)->appointment_id;
    call_calls(j, "Settle", &request.base, on_settled);
}

static void on_last_snapshot(struct tv_job *j, const ProtobufCMessage *reply) { settle(j); }

static void on_last_look(struct tv_job *j, const ProtobufCMessage *view) {
    snapshot(j, view, on_last_snapshot);
}

static void on_no_last_look(struct tv_job *j, enum tv_err err) {
    if (tv_job_row(j)->attempts >= BLIND_FROM_ATTEMPT)
        settle(j);
    else
        tv_job_fail(j, err);
}

void tv_kind_close_room(struct tv_job *j) { look(j, on_last_look, on_no_last_look); }

/* -- reconcile_call -----------------------------------------------------------------------------*/

static void on_snapshot(struct tv_job *j, const ProtobufCMessage *reply) {
    const Televisit__V1__CallReply *call = (const Televisit__V1__CallReply *)(const void *)reply;

    if (call->again_ms > 0)
        tv_job_again(j, call->again_ms);
    else
        tv_job_done(j);
}

static void on_look(struct tv_job *j, const ProtobufCMessage *view) {
    snapshot(j, view, on_snapshot);
}

void tv_kind_reconcile_call(struct tv_job *j) { look(j, on_look, NULL); }
