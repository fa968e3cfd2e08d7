/* flow_join.c - the way into a call: appointments decides and seals a grant, tokens opens it and
 * signs. The gateway carries the grant and cannot make one. */
#include "lib/clock.h"
#include "services/gateway/answer.h"
#include "services/gateway/call.h"
#include "services/gateway/flows.h"
#include "services/gateway/gateway.h"
#include "services/gateway/problem.h"
#include "televisit/v1/appointments.pb-c.h"
#include "televisit/v1/calls.pb-c.h"
#include "televisit/v1/gateway.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"

/* For writing down who missed the media. tokens gives LiveKit 1.5 s, and whoever joins is told
 * within 2 s. */
#define MISS_US (200 * TV_US_PER_MS)

static call_error on_not_issued;
static call_error on_not_noted;

/* All may be sent again: a grant asked for twice is decided twice, a token signed twice, and who
 * missed the media twice is told once. */
static const struct call_target admit = {&televisit__v1__appointments__descriptor, "Admit",
                                         .retry = true};
static const struct call_target issue = {&televisit__v1__tokens__descriptor, "Issue", .retry = true,
                                         .on_error = on_not_issued};
static const struct call_target miss_media = {&televisit__v1__calls__descriptor, "MissMedia",
                                              .retry = true, .on_error = on_not_noted};

/* The flight's memo. */
struct join {
    char *appointment_id;
    const Televisit__V1__AdmitReply *admitted;
    struct tv_error error; /* of Issue */
};

static void on_issued(struct flight *f, const ProtobufCMessage *reply) {
    const Televisit__V1__IssueReply *issued = (const Televisit__V1__IssueReply *)reply;
    const struct join *join = f->memo;
    const Televisit__V1__AdmitReply *admitted = join->admitted;
    Televisit__V1__JoinAnswer answer = TELEVISIT__V1__JOIN_ANSWER__INIT;
    answer.server_url = issued->server_url;
    answer.token = issued->token;
    answer.expires_at = issued->expires_at;
    answer.room = admitted->room;
    answer.identity = admitted->identity;
    answer.closes_at = admitted->closes_at;
    answer.encryption_key = admitted->encryption_key;
    answer_with(f, 0, &answer.base, NULL, 0);
}

/* -- LiveKit is away ----------------------------------------------------------------------------*/

static void on_noted(struct flight *f, const ProtobufCMessage *reply) {
    (void)reply;
    const struct join *join = f->memo;
    tv_problem_answer(f, &join->error);
}

/* They are not told when LiveKit is back; that it is away they must hear all the same. */
static void on_not_noted(struct flight *f, const struct tv_error *e) {
    (void)e;
    on_noted(f, NULL);
}

/* Who is let in and finds LiveKit away is told when it is back, by call.media_restored. When tokens
 * is what is missing, nobody knows how LiveKit is, and nobody could say that it is back: that is an
 * error like others, to be tried again. */
static void on_not_issued(struct flight *f, const struct tv_error *e) {
    struct join *join = f->memo;
    if (e->code != TV_ERR_MEDIA_UNAVAILABLE) {
        tv_problem_answer(f, e);
        return;
    }
    join->error = *e;
    f->context.deadline_us = TV_MIN(f->context.deadline_us, tv_clock_mono_us() + MISS_US);
    Televisit__V1__MissMediaRequest *out = TV_PB_NEW(f->arena, Televisit__V1__MissMediaRequest,
                                                     televisit__v1__miss_media_request__descriptor);
    out->appointment_id = join->appointment_id;
    call_start(f, &miss_media, &out->base, on_noted);
}

/* -- the way in ---------------------------------------------------------------------------------*/

/* In the waiting room: the place is kept, and there is no token until the doctor lets them in. */
static void answer_waiting(struct flight *f, const Televisit__V1__AdmitReply *admitted) {
    Televisit__V1__JoinAnswer answer = TELEVISIT__V1__JOIN_ANSWER__INIT;
    answer.closes_at = admitted->closes_at;
    answer_with(f, 202, &answer.base, NULL, 0);
}

static void on_admitted(struct flight *f, const ProtobufCMessage *reply) {
    const Televisit__V1__AdmitReply *admitted = (const Televisit__V1__AdmitReply *)reply;
    struct join *join = f->memo;
    if (admitted->sealed_grant.len == 0) {
        answer_waiting(f, admitted);
        return;
    }
    join->admitted = admitted;
    Televisit__V1__IssueRequest *out =
        TV_PB_NEW(f->arena, Televisit__V1__IssueRequest, televisit__v1__issue_request__descriptor);
    out->sealed_grant = admitted->sealed_grant;
    call_start(f, &issue, &out->base, on_issued);
}

void flow_join(struct flight *f, const ProtobufCMessage *request) {
    const Televisit__V1__JoinRequest *in = (const Televisit__V1__JoinRequest *)request;
    struct join *join = TV_ARENA_NEW(f->arena, struct join);
    join->appointment_id = in->appointment_id;
    f->memo = join;
    Televisit__V1__AdmitRequest *out =
        TV_PB_NEW(f->arena, Televisit__V1__AdmitRequest, televisit__v1__admit_request__descriptor);
    out->appointment_id = in->appointment_id;
    out->participant_type = in->participant_type;
    out->take_over = in->take_over;
    call_start(f, &admit, &out->base, on_admitted);
}
