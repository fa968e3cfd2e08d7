/* flow_join.c - the way into a call: appointments decides and seals a grant, tokens opens it and
 * signs. The gateway carries the grant and cannot make one. */
#include "services/gateway/answer.h"
#include "services/gateway/call.h"
#include "services/gateway/flows.h"
#include "services/gateway/gateway.h"
#include "televisit/v1/appointments.pb-c.h"
#include "televisit/v1/gateway.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"

/* Both may be sent again: a grant asked for twice is decided twice, a token signed twice. */
static const struct call_target admit = {&televisit__v1__appointments__descriptor, "Admit",
                                         .retry = true};
static const struct call_target issue = {&televisit__v1__tokens__descriptor, "Issue",
                                         .retry = true};

static void on_issued(struct flight *f, const ProtobufCMessage *reply) {
    const Televisit__V1__IssueReply *issued = (const Televisit__V1__IssueReply *)reply;
    const Televisit__V1__AdmitReply *admitted = f->memo;
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

/* In the waiting room: the place is kept, and there is no token until the doctor lets them in. */
static void answer_waiting(struct flight *f, const Televisit__V1__AdmitReply *admitted) {
    Televisit__V1__JoinAnswer answer = TELEVISIT__V1__JOIN_ANSWER__INIT;
    answer.closes_at = admitted->closes_at;
    answer_with(f, 202, &answer.base, NULL, 0);
}

static void on_admitted(struct flight *f, const ProtobufCMessage *reply) {
    const Televisit__V1__AdmitReply *admitted = (const Televisit__V1__AdmitReply *)reply;
    if (admitted->sealed_grant.len == 0) {
        answer_waiting(f, admitted);
        return;
    }
    f->memo = admitted;
    Televisit__V1__IssueRequest *out =
        TV_PB_NEW(f->arena, Televisit__V1__IssueRequest, televisit__v1__issue_request__descriptor);
    out->sealed_grant = admitted->sealed_grant;
    call_start(f, &issue, &out->base, on_issued);
}

void flow_join(struct flight *f, const ProtobufCMessage *request) {
    const Televisit__V1__JoinRequest *in = (const Televisit__V1__JoinRequest *)request;
    Televisit__V1__AdmitRequest *out =
        TV_PB_NEW(f->arena, Televisit__V1__AdmitRequest, televisit__v1__admit_request__descriptor);
    out->appointment_id = in->appointment_id;
    out->participant_type = in->participant_type;
    call_start(f, &admit, &out->base, on_admitted);
}
