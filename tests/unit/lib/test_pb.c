/* Messages as bytes: every type of ours there and back, and bytes that nobody should send. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <google/protobuf/descriptor.pb-c.h>
#include <google/protobuf/empty.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>

#include "lib/clock.h"
#include "lib/pb.h"
#include "livekit/livekit.pb-c.h"
#include "televisit/v1/appointments.pb-c.h"
#include "televisit/v1/clinic.pb-c.h"
#include "televisit/v1/inbox.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"
#include "tests/unit/lib/messages.h"

/* -- every message type -------------------------------------------------------------------------*/

static void round_trip(const ProtobufCMessageDescriptor *type, struct tv_arena *a) {
    ProtobufCMessage *filled = messages_fill(type, a, 0);
    struct tv_str bytes = tv_pb_pack(filled, a);
    ProtobufCMessage *back = tv_pb_unpack(type, bytes, a);
    assert_non_null(back);
    struct tv_str again = tv_pb_pack(back, a);
    assert_true(tv_str_eq(bytes, again));

    struct tv_buf json = TV_BUF_INIT(1 << 20);
    tv_pb_to_json(filled, &json);
    ProtobufCMessage *read = NULL;
    struct tv_error e = TV_ERROR_INIT;
    if (tv_pb_from_json(type, tv_buf_view(&json), 0, a, &read, &e) != TV_OK) {
        fail_msg("%s: %s %s in %s", type->name, e.pointer, e.detail, json.data);
    }
    again = tv_pb_pack(read, a);
    if (!tv_str_eq(bytes, again)) {
        fail_msg("%s changes on its way through %s", type->name, json.data);
    }
    tv_buf_done(&json);
}

static void test_every_message_there_and_back(void **state) {
    const ProtobufCMessageDescriptor *types[256];
    size_t count = messages_all(types, TV_ARRAY_LEN(types));
    assert_true(count > 50);
    for (size_t i = 0; i < count; i++) {
        struct tv_arena *a = tv_arena_new();
        round_trip(types[i], a);
        tv_arena_free(a);
    }
}

/* The protos are asked, so that a new message cannot be forgotten in messages.h. */
static void test_no_message_is_forgotten(void **state) {
    static char text[1 << 19];
    int fd = open("build/gen/api.binpb", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t len = read(fd, text, sizeof text);
    close(fd);
    assert_true(len > 0 && (size_t)len < sizeof text);
    Google__Protobuf__FileDescriptorSet *set =
        google__protobuf__file_descriptor_set__unpack(NULL, (size_t)len, (const uint8_t *)text);
    assert_non_null(set);

    const ProtobufCMessageDescriptor *types[256];
    size_t count = messages_all(types, TV_ARRAY_LEN(types));
    for (size_t i = 0; i < set->n_file; i++) {
        const Google__Protobuf__FileDescriptorProto *file = set->file[i];
        if (strcmp(file->package, "televisit.v1") != 0 && strcmp(file->package, "livekit") != 0) {
            continue;
        }
        for (size_t k = 0; k < file->n_message_type; k++) {
            char name[128];
            bool found = file->message_type[k]->n_field == 0; /* a holder of an enum, or empty */
            snprintf(name, sizeof name, "%s.%s", file->package, file->message_type[k]->name);
            for (size_t t = 0; t < count && !found; t++) {
                found = strcmp(types[t]->name, name) == 0;
            }
            if (!found) {
                fail_msg("add %s to the roots in messages.h", name);
            }
        }
    }
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
}

/* -- hostile bytes ------------------------------------------------------------------------------*/

static bool unpacks(const ProtobufCMessageDescriptor *type, struct tv_str bytes) {
    struct tv_arena *a = tv_arena_new();
    bool ok = tv_pb_unpack(type, bytes, a) != NULL;
    tv_arena_free(a);
    return ok;
}

static void test_bytes(void **state) {
    static const struct {
        const char *what;
        struct tv_str bytes; /* as a ListAppointmentsReply or, being general, anything */
        bool ok;
    } cases[] = {
        {"nothing", {"", 0}, true},
        {"a string", TV_S("\x12\x02hi"), true},
        {"an unknown varint", TV_S("\xf8\x07\x01"), true},
        {"an unknown string", TV_S("\xfa\x07\x02hi"), true},
        {"an unknown string that is no UTF-8", TV_S("\xfa\x07\x02\xff\xfe"), true},
        {"a sub-message", TV_S("\x0a\x02\x10\x05"), true},
        {"a tag alone", TV_S("\x12"), false},
        {"half a tag", TV_S("\xfa"), false},
        {"field number 0", TV_S("\x02\x00"), false},
        {"field number above the largest", TV_S("\xfa\xff\xff\xff\xff\x01\x00"), false},
        {"a length that reaches too far", TV_S("\x12\x05hi"), false},
        {"a length of 2^64-1", TV_S("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), false},
        {"a length of 2^32", TV_S("\x12\x80\x80\x80\x80\x10hi"), false},
        {"a varint without end", TV_S("\xf8\x07\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
         false},
        {"a varint of 65 bits", TV_S("\xf8\x07\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), false},
        {"seven bytes of eight", TV_S("\xf9\x07zzzzzzz"), false},
        {"three bytes of four", TV_S("\xfd\x07zzz"), false},
        {"a group", TV_S("\x0b\x0c"), false},
        {"wire type 6", TV_S("\x0e\x00"), false},
        {"a string that is no UTF-8", TV_S("\x12\x02\xff\xfe"), false},
        {"a string with NUL",
         TV_S("\x12\x03"
              "a\0b"),
         false},
        {"a bad sub-message", TV_S("\x0a\x01\x0a"), false},
        {"a varint where a sub-message belongs", TV_S("\x08\x01"), false},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        bool ok = unpacks(&televisit__v1__list_appointments_reply__descriptor, cases[i].bytes);
        if (ok != cases[i].ok) {
            fail_msg("%s: expected %s", cases[i].what, cases[i].ok ? "a message" : "refusal");
        }
    }
}

/* protobuf-c recurses for each level; a DescriptorProto may hold itself. */
static void test_depth(void **state) {
    char bytes[400];
    for (unsigned depth = 1; depth <= 60; depth++) {
        size_t at = sizeof bytes;
        for (unsigned i = 1; i < depth; i++) { /* nested_type = 3 */
            size_t len = sizeof bytes - at;
            bytes[--at] = (char)(len & 0x7f);
            assert_true(len < 128);
            bytes[--at] = 0x1a;
        }
        assert_int_equal(unpacks(&google__protobuf__descriptor_proto__descriptor,
                                 (struct tv_str){bytes + at, sizeof bytes - at}),
                         depth <= TV_PB_MAX_DEPTH);
    }
}

static void test_size(void **state) {
    size_t size = TV_PB_MAX_BYTES + 1;
    char *bytes = tv_calloc(1, size);
    memcpy(bytes, "\x12\xfc\xff\x0f", 4); /* a string of TV_PB_MAX_BYTES - 4 bytes */
    memset(bytes + 4, 'x', size - 4);
    const ProtobufCMessageDescriptor *type = &televisit__v1__list_appointments_reply__descriptor;
    assert_true(unpacks(type, (struct tv_str){bytes, TV_PB_MAX_BYTES}));
    bytes[1] = '\xfd';
    assert_false(unpacks(type, (struct tv_str){bytes, TV_PB_MAX_BYTES + 1}));
    free(bytes);
}

/* Two bytes each make an appointment of more than a hundred bytes: the memory has a bound too. */
static void test_amplification(void **state) {
    char *bytes = tv_malloc(TV_PB_MAX_BYTES);
    for (size_t i = 0; i < TV_PB_MAX_BYTES; i += 2) {
        memcpy(bytes + i, "\x0a\x00", 2);
    }
    struct tv_arena *a = tv_arena_new();
    assert_null(tv_pb_unpack(&televisit__v1__list_appointments_reply__descriptor,
                             (struct tv_str){bytes, TV_PB_MAX_BYTES}, a));
    assert_true(tv_arena_used(a) < 64u << 20);
    assert_true(
        unpacks(&televisit__v1__list_appointments_reply__descriptor, (struct tv_str){bytes, 2000}));
    tv_arena_free(a);
    free(bytes);
}

/* -- fields -------------------------------------------------------------------------------------*/

static void test_json_names(void **state) {
    const ProtobufCMessageDescriptor *t = &televisit__v1__appointment__descriptor;
    assert_string_equal(tv_pb_json_name(tv_pb_field(t, TV_S("starts_at"))), "startsAt");
    assert_string_equal(tv_pb_json_name(tv_pb_field(t, TV_S("startsAt"))), "startsAt");
    assert_string_equal(tv_pb_json_name(tv_pb_field(t, TV_S("id"))), "id");
    assert_ptr_equal(tv_pb_json_name(tv_pb_field(t, TV_S("timeZone"))),
                     tv_pb_json_name(tv_pb_field(t, TV_S("time_zone"))));
    assert_null(tv_pb_field(t, TV_S("startsat")));
    assert_null(tv_pb_field(t, TV_S("")));
    const ProtobufCMessageDescriptor *p = &televisit__v1__policy__descriptor;
    assert_string_equal(tv_pb_json_name(tv_pb_field(p, TV_S("end_to_end_encryption"))),
                        "endToEndEncryption");
}

static void test_presence(void **state) {
    struct tv_arena *a = tv_arena_new();
    const ProtobufCMessageDescriptor *types[256];
    size_t count = messages_all(types, TV_ARRAY_LEN(types));
    for (size_t i = 0; i < count; i++) {
        ProtobufCMessage *empty = tv_pb_new(types[i], a);
        ProtobufCMessage *full = messages_fill(types[i], a, 0);
        for (unsigned k = 0; k < types[i]->n_fields; k++) {
            assert_false(tv_pb_has(empty, &types[i]->fields[k]));
            assert_true(tv_pb_has(full, &types[i]->fields[k]));
        }
    }
    tv_arena_free(a);
}

static void test_times(void **state) {
    static const struct {
        int64_t us, seconds;
        int32_t nanos;
    } cases[] = {
        {0, 0, 0},
        {1, 0, 1000},
        {-1, -1, 999999000},
        {1500000, 1, 500000000},
        {-1000000, -1, 0},
        {INT64_C(253402300799999999), INT64_C(253402300799), 999999000},
        {INT64_C(-62135596800000000), INT64_C(-62135596800), 0},
    };
    struct tv_arena *a = tv_arena_new();
    for (size_t i = 0; i < TV_ARRAY_LEN(cases); i++) {
        Google__Protobuf__Timestamp *t = tv_pb_time(cases[i].us, a);
        assert_true(t->seconds == cases[i].seconds && t->nanos == cases[i].nanos);
        assert_true(tv_pb_time_us(t) == cases[i].us);
    }
    Google__Protobuf__Timestamp *t = tv_pb_time(0, a);
    t->seconds = INT64_MAX; /* a peer may say so */
    assert_true(tv_pb_time_us(t) == INT64_MAX);
    t->seconds = INT64_MIN;
    assert_true(tv_pb_time_us(t) == INT64_MIN);

    const ProtobufCMessageDescriptor *slot = &televisit__v1__slot__descriptor;
    assert_true(tv_pb_is_time(&slot->fields[0]));
    const ProtobufCMessageDescriptor *clinic = &televisit__v1__clinic__descriptor;
    assert_false(tv_pb_is_time(tv_pb_field(clinic, TV_S("policy"))));
    tv_arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message_there_and_back),
        cmocka_unit_test(test_no_message_is_forgotten),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_amplification),
        cmocka_unit_test(test_json_names),
        cmocka_unit_test(test_presence),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
