/* messages.h - all message types of ours, and one filled example of each, for tests of pb.h. */
#ifndef TV_TEST_MESSAGES_H
#define TV_TEST_MESSAGES_H

#include <stdio.h>

#include <google/protobuf/timestamp.pb-c.h>

#include "lib/clock.h"
#include "lib/pb.h"
#include "livekit/livekit.pb-c.h"
#include "televisit/v1/appointments.pb-c.h"
#include "televisit/v1/book.pb-c.h"
#include "televisit/v1/calls.pb-c.h"
#include "televisit/v1/clinic.pb-c.h"
#include "televisit/v1/due.pb-c.h"
#include "televisit/v1/gateway.pb-c.h"
#include "televisit/v1/inbox.pb-c.h"
#include "televisit/v1/jobs.pb-c.h"
#include "televisit/v1/sessions.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"

/* Whatever these services take and give, and what that contains, is found from here. */
static const ProtobufCServiceDescriptor *const messages_services[] = {
    &televisit__v1__appointments__descriptor, &televisit__v1__clinics__descriptor,
    &televisit__v1__due__descriptor,          &televisit__v1__gateway__descriptor,
    &televisit__v1__inbox__descriptor,        &televisit__v1__sessions__descriptor,
    &televisit__v1__tokens__descriptor,       &televisit__v1__calls__descriptor,
    &televisit__v1__jobs__descriptor,
};

/* What travels otherwise: sealed, signed, as an error, to LiveKit. */
static const ProtobufCMessageDescriptor *const messages_roots[] = {
    &televisit__v1__grant__descriptor,
    &televisit__v1__problem__descriptor,
    &televisit__v1__access_claims__descriptor,
    &livekit__create_room_request__descriptor,
    &livekit__room__descriptor,
    &livekit__delete_room_request__descriptor,
    &livekit__delete_room_response__descriptor,
    &livekit__twirp_error__descriptor,
    &livekit__access_token__descriptor,
    &televisit__v1__jose_header__descriptor,
    &livekit__list_rooms_request__descriptor,
    &livekit__list_rooms_response__descriptor,
    &livekit__list_participants_request__descriptor,
    &livekit__list_participants_response__descriptor,
    &livekit__webhook_event__descriptor,
    &livekit__webhook_token__descriptor,
    &televisit__v1__call_event__descriptor,
    &televisit__v1__book__descriptor,
    &televisit__v1__book_change__descriptor,
};

static void messages_add(const ProtobufCMessageDescriptor *type,
                         const ProtobufCMessageDescriptor **types, size_t max, size_t *count) {
    for (size_t i = 0; i < *count; i++) {
        if (types[i] == type) {
            return;
        }
    }
    assert(*count < max);
    types[(*count)++] = type;
    for (unsigned i = 0; i < type->n_fields; i++) {
        if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE && !tv_pb_is_time(&type->fields[i])) {
            messages_add(type->fields[i].descriptor, types, max, count);
        }
    }
}

static inline size_t messages_all(const ProtobufCMessageDescriptor **types, size_t max) {
    size_t count = 0;
    for (size_t i = 0; i < TV_ARRAY_LEN(messages_roots); i++) {
        messages_add(messages_roots[i], types, max, &count);
    }
    for (size_t i = 0; i < TV_ARRAY_LEN(messages_services); i++) {
        const ProtobufCServiceDescriptor *s = messages_services[i];
        for (unsigned k = 0; k < s->n_methods; k++) {
            messages_add(s->methods[k].input, types, max, &count);
            messages_add(s->methods[k].output, types, max, &count);
        }
    }
    return count;
}

static ProtobufCMessage *messages_fill(const ProtobufCMessageDescriptor *type, struct tv_arena *a,
                                       unsigned salt);

/* A value that differs from the default, and from field to field. */
static void messages_put(const ProtobufCFieldDescriptor *f, void *to, struct tv_arena *a,
                         unsigned salt) {
    unsigned n = f->id * 7 + salt + 1;
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        *(char **)to = tv_arena_printf(a, "\xc3\xa9 \"%u\" \\ / \n \x01 \xf0\x9f\x98\x80", n);
        return;
    case PROTOBUF_C_TYPE_BYTES: {
        ProtobufCBinaryData *bytes = to;
        bytes->len = 50 + n % 3; /* all three kinds of padding */
        bytes->data = tv_arena_alloc(a, bytes->len);
        for (size_t i = 0; i < bytes->len; i++) {
            bytes->data[i] = (uint8_t)(i * 37 + n);
        }
        return;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        if (tv_pb_is_time(f)) {
            *(Google__Protobuf__Timestamp **)to =
                tv_pb_time(INT64_C(1774774800) * TV_US_PER_S + (int64_t)n * 1001, a);
        } else {
            *(ProtobufCMessage **)to = messages_fill(f->descriptor, a, n);
        }
        return;
    case PROTOBUF_C_TYPE_ENUM: {
        const ProtobufCEnumDescriptor *e = f->descriptor;
        *(int *)to = e->values[1 + n % (e->n_values - 1)].value;
        return;
    }
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)to = 1;
        return;
    default:
        if (tv_pb_element_size(f) == sizeof(int64_t)) {
            *(int64_t *)to = INT64_MAX - n;
        } else {
            *(int32_t *)to = (int32_t)n - (f->type == PROTOBUF_C_TYPE_INT32 ? 40 : 0);
        }
    }
}

static ProtobufCMessage *messages_fill(const ProtobufCMessageDescriptor *type, struct tv_arena *a,
                                       unsigned salt) {
    ProtobufCMessage *m = tv_pb_new(type, a);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        if (f->label != PROTOBUF_C_LABEL_REPEATED) {
            messages_put(f, tv_pb_member(m, f), a, salt);
            continue;
        }
        size_t size = tv_pb_element_size(f), count = 2;
        char *elements = tv_arena_calloc(a, count, size);
        messages_put(f, elements, a, salt);
        messages_put(f, elements + size, a, salt + 1);
        *(char **)tv_pb_member(m, f) = elements;
        *(size_t *)(void *)((char *)m + f->quantifier_offset) = count;
    }
    return m;
}

#endif
