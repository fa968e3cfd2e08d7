#include "services/gateway/nudge.h"

#include <stdio.h>

#include "services/gateway/gateway.h"
#include "televisit/v1/common.pb-c.h"

#define HINT_SUBJECT "tv.v1.hint.due"
#define SUBJECT_MAX 128

static void publish_entry(struct gateway *g, const Televisit__V1__InboxEntry *entry,
                          struct tv_arena *a) {
    char subject[SUBJECT_MAX];
    if (!tv_str_is_uuid(tv_str(entry->clinic_id)) || !tv_str_is_uuid(tv_str(entry->person_id)))
        return;
    snprintf(subject, sizeof subject, "tv.v1.inbox.%s.%s", entry->clinic_id, entry->person_id);
    /* Lost when the bus is away; the recipients' streams will find the gap. */
    (void)tv_bus_publish(g->bus, subject, NULL, 0, tv_pb_pack(&entry->base, a));
}

void nudge_from_reply(struct gateway *g, const ProtobufCMessage *reply) {
    const ProtobufCFieldDescriptor *told =
        protobuf_c_message_descriptor_get_field_by_name(reply->descriptor, "told");
    const ProtobufCFieldDescriptor *due_now =
        protobuf_c_message_descriptor_get_field_by_name(reply->descriptor, "due_now");
    if (told != NULL && told->descriptor == &televisit__v1__inbox_entry__descriptor) {
        TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
        size_t count = tv_pb_count(reply, told);
        Televisit__V1__InboxEntry *const *entries =
            *(Televisit__V1__InboxEntry * *const *)tv_pb_member(reply, told);
        for (size_t i = 0; i < count; i++)
            publish_entry(g, entries[i], a);
    }
    if (due_now != NULL && due_now->type == PROTOBUF_C_TYPE_BOOL &&
        *(const protobuf_c_boolean *)tv_pb_member(reply, due_now))
        (void)tv_bus_publish(g->bus, HINT_SUBJECT, NULL, 0, (struct tv_str){NULL, 0});
}
