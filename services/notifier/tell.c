/* tell.c - see tell.h. */
#include "services/notifier/tell.h"

#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "lib/metrics.h"
#include "televisit/v1/common.pb-c.h"

#define SUBJECT_MAX 128

static struct tv_metric told_total = {
    .name = "tv_notify_told_total",
    .help = "Notices published as nudges, by type of event.",
    .type = TV_COUNTER,
    .labels = {"type"},
};
static struct tv_metric unsent_total = {
    .name = "tv_notify_unsent_total",
    .help = "Notices that were not published: the bus was away, or they were malformed.",
    .type = TV_COUNTER,
    .labels = {"reason"},
};

/* Types that have a series of their own; what a newer peer sends is counted as "other". */
static const char *const types[] = {
    "appointment.requested", "appointment.confirmed",
    "appointment.declined",  "appointment.moved",
    "appointment.cancelled", "appointment.completed",
    "appointment.no_show",   "appointment.reminder",
    "appointment.changed",   "call.available",
    "call.waiting",          "call.admitted",
    "call.started",          "call.ended",
    "call.closing",          "call.media_restored",
    "message.posted",
};

void tv_tell_init(void) {
    for (size_t i = 0; i < TV_ARRAY_LEN(types); i++)
        (void)tv_metric_series(&told_total, types[i], NULL, NULL, NULL);
    (void)tv_metric_series(&unsent_total, "malformed", NULL, NULL, NULL);
    (void)tv_metric_series(&unsent_total, tv_err_info(TV_ERR_UNAVAILABLE)->slug, NULL, NULL, NULL);
}

static void count_told(const char *type) {
    const char *label = "other";

    for (size_t i = 0; i < TV_ARRAY_LEN(types); i++) {
        if (strcmp(type, types[i]) == 0)
            label = types[i];
    }
    tv_inc(tv_metric_series(&told_total, label, NULL, NULL, NULL));
}

static void publish(struct tv_bus *b, const Televisit__V1__InboxEntry *entry, struct tv_arena *a) {
    char subject[SUBJECT_MAX];
    enum tv_err err;

    /* Anything but a UUID could be a subject of somebody else's. */
    if (!tv_str_is_uuid(tv_str(entry->clinic_id)) || !tv_str_is_uuid(tv_str(entry->person_id))) {
        tv_inc(tv_metric_series(&unsent_total, "malformed", NULL, NULL, NULL));
        tv_log_error("a notice without proper ids was not published",
                     F_STR(EVENT_TYPE, entry->type));
        return;
    }
    (void)snprintf(subject, sizeof(subject), "tv.v1.inbox.%s.%s", entry->clinic_id,
                   entry->person_id);
    err = tv_bus_publish(b, subject, NULL, 0, tv_pb_pack(&entry->base, a));
    if (err == TV_OK)
        count_told(entry->type);
    else
        tv_inc(tv_metric_series(&unsent_total, tv_err_info(err)->slug, NULL, NULL, NULL));
}

static const ProtobufCFieldDescriptor *field(const ProtobufCMessage *m, const char *name) {
    return protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);
}

void tv_tell_reply(struct tv_bus *b, const ProtobufCMessage *reply) {
    const ProtobufCFieldDescriptor *told = field(reply, "told"), *due_now = field(reply, "due_now");

    if (told != NULL && told->descriptor == &televisit__v1__inbox_entry__descriptor) {
        TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();
        size_t count = tv_pb_count(reply, told);
        Televisit__V1__InboxEntry *const *entries =
            *(Televisit__V1__InboxEntry *const *const *)tv_pb_member(reply, told);

        for (size_t i = 0; i < count; i++)
            publish(b, entries[i], a);
    }
    if (due_now != NULL && due_now->type == PROTOBUF_C_TYPE_BOOL && tv_pb_has(reply, due_now))
        (void)tv_bus_publish(b, TV_HINT_SUBJECT, NULL, 0, TV_S("")); /* lost: within a second */
}
