/* Messages as JSON: what is written exactly, what is accepted, and what every refusal says. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <google/protobuf/timestamp.pb-c.h>

#include "lib/pb.h"
#include "livekit/livekit.pb-c.h"
#include "televisit/v1/appointments.pb-c.h"
#include "televisit/v1/clinic.pb-c.h"
#include "televisit/v1/common.pb-c.h"
#include "televisit/v1/due.pb-c.h"
#include "televisit/v1/gateway.pb-c.h"
#include "televisit/v1/inbox.pb-c.h"
#include "televisit/v1/sessions.pb-c.h"
#include "televisit/v1/tokens.pb-c.h"

/* -- a message with the kinds of fields that our protos do not use (yet) ------------------------*/

struct kinds {
    ProtobufCMessage base;
    uint32_t u32;
    uint64_t u64;
    float f;
    double d;
    uint32_t choice_case;
    int32_t choice_number; /* oneof choice */
    char *choice_text;     /* oneof choice */
    size_t n_bools;
    protobuf_c_boolean *bools;
    size_t n_chunks;
    ProtobufCBinaryData *chunks;
};

#define FIELD(id, name, member, label, type, quantifier, flags)                                    \
    {                                                                                              \
        name, id, PROTOBUF_C_LABEL_##label, PROTOBUF_C_TYPE_##type, quantifier,                    \
            offsetof(struct kinds, member), NULL, NULL, flags, 0, NULL, NULL                       \
    }
#define CASE offsetof(struct kinds, choice_case)
static const ProtobufCFieldDescriptor kinds_fields[] = {
    FIELD(1, "u32", u32, NONE, UINT32, 0, 0),
    FIELD(2, "u64", u64, NONE, UINT64, 0, 0),
    FIELD(3, "f", f, NONE, FLOAT, 0, 0),
    FIELD(4, "d", d, NONE, DOUBLE, 0, 0),
    FIELD(5, "choice_number", choice_number, NONE, INT32, CASE, PROTOBUF_C_FIELD_FLAG_ONEOF),
    FIELD(6, "choice_text", choice_text, NONE, STRING, CASE, PROTOBUF_C_FIELD_FLAG_ONEOF),
    FIELD(7, "bools", bools, REPEATED, BOOL, offsetof(struct kinds, n_bools), 0),
    FIELD(8, "chunks", chunks, REPEATED, BYTES, offsetof(struct kinds, n_chunks), 0),
};
static void kinds_init(ProtobufCMessage *m);
static const ProtobufCMessageDescriptor kinds_type = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .name = "Kinds",
    .sizeof_message = sizeof(struct kinds),
    .n_fields = TV_ARRAY_LEN(kinds_fields),
    .fields = kinds_fields,
    .message_init = kinds_init,
};
static void kinds_init(ProtobufCMessage *m) {
    memset(m, 0, sizeof(struct kinds));
    m->descriptor = &kinds_type;
}

/* -- writing ------------------------------------------------------------------------------------*/

static void assert_json(const void *m, const char *expected) {
    struct tv_buf out = TV_BUF_INIT(1 << 16);
    tv_pb_to_json(m, &out);
    assert_false(out.overflow);
    assert_string_equal(out.data, expected);
    tv_buf_done(&out);
}

static void test_defaults_are_written(void **state) {
    struct tv_arena *a = tv_arena_new();
    assert_json(
        tv_pb_new(&televisit__v1__inbox_entry__descriptor, a),
        "{\"seq\":\"0\",\"eventId\":\"\",\"type\":\"\",\"clinicId\":\"\",\"personId\":\"\","
        "\"appointmentId\":\"\",\"appointmentVersion\":\"0\",\"timeZone\":\"\",\"actorId\":\"\"}");
    assert_json(tv_pb_new(&televisit__v1__policy__descriptor, a),
                "{\"opensBefore\":0,\"closesAfter\":0,\"waitingRoom\":false,"
                "\"patientMayBook\":false,\"rescheduleNeedsConfirmation\":false,\"reminders\":[],"
                "\"endToEndEncryption\":false,\"cancellationNotice\":0}");
    assert_json(tv_pb_new(&televisit__v1__join__descriptor, a), "{\"decision\":\"UNSPECIFIED\"}");
    assert_json(tv_pb_new(&televisit__v1__issue_request__descriptor, a), "{\"sealedGrant\":\"\"}");
    assert_json(tv_pb_new(&livekit__delete_room_response__descriptor, a), "{}");
    assert_json(tv_pb_new(&kinds_type, a),
                "{\"u32\":0,\"u64\":\"0\",\"f\":0,\"d\":0,\"bools\":[],\"chunks\":[]}");
    tv_arena_free(a);
}

static void test_values_are_written(void **state) {
    struct tv_arena *a = tv_arena_new();
    struct kinds *k = (struct kinds *)(void *)tv_pb_new(&kinds_type, a);
    protobuf_c_boolean bools[] = {1, 0};
    ProtobufCBinaryData chunks[] = {
        {1, (uint8_t *)"\xff"}, {2, (uint8_t *)"\xfb\xf0"}, {3, (uint8_t *)"abc"}};
    k->u32 = UINT32_MAX;
    k->u64 = UINT64_MAX;
    k->f = 0.1f;
    k->d = 1e300;
    k->choice_case = 5;
    k->n_bools = 2;
    k->bools = bools;
    k->n_chunks = 3;
    k->chunks = chunks;
    assert_json(k, "{\"u32\":4294967295,\"u64\":\"18446744073709551615\",\"f\":0.1,\"d\":1e+300,"
                   "\"choiceNumber\":0,\"bools\":[true,false],\"chunks\":[\"/w==\",\"+/A=\","
                   "\"YWJj\"]}");
    *k = (struct kinds){.base = k->base, .f = (float)NAN, .d = -(double)INFINITY};
    assert_json(k, "{\"u32\":0,\"u64\":\"0\",\"f\":\"NaN\",\"d\":\"-Infinity\",\"bools\":[],"
                   "\"chunks\":[]}");

    Televisit__V1__FireReply fire = TELEVISIT__V1__FIRE_REPLY__INIT;
    fire.fired = INT32_MIN;
    fire.now = tv_pb_time(INT64_C(1774774800123000), a);
    fire.next_due_at = tv_pb_time(INT64_C(-1), a);
    assert_json(&fire, "{\"told\":[],\"fired\":-2147483648,\"expired\":0,"
                       "\"now\":\"2026-03-29T09:00:00.123Z\","
                       "\"nextDueAt\":\"1969-12-31T23:59:59.999999Z\",\"more\":false,"
                       "\"backlog\":0,\"mediaMissed\":false}");
    fire.now->seconds = INT64_MAX; /* of a broken peer: shown as the last instant there is */
    fire.next_due_at->seconds = INT64_MIN;
    assert_json(&fire, "{\"told\":[],\"fired\":-2147483648,\"expired\":0,"
                       "\"now\":\"9999-12-31T23:59:59.999999Z\","
                       "\"nextDueAt\":\"0001-01-01T00:00:00Z\",\"more\":false,\"backlog\":0,"
                       "\"mediaMissed\":false}");

    Televisit__V1__Join join = TELEVISIT__V1__JOIN__INIT;
    join.decision = 77; /* of a newer peer */
    assert_json(&join, "{\"decision\":77}");
    tv_arena_free(a);
}

static void test_sparse(void **state) {
    Televisit__V1__Problem problem = TELEVISIT__V1__PROBLEM__INIT;
    struct tv_buf out = TV_BUF_INIT(200);
    tv_pb_to_json_sparse(&problem.base, &out);
    assert_string_equal(out.data, "{}");
    tv_buf_clear(&out);
    problem.status = 404;
    problem.title = (char *)"There is no such thing";
    tv_pb_to_json_sparse(&problem.base, &out);
    assert_string_equal(out.data, "{\"title\":\"There is no such thing\",\"status\":404}");
    tv_buf_done(&out);
}

static void test_a_full_buffer_is_told(void **state) {
    Televisit__V1__Problem problem = TELEVISIT__V1__PROBLEM__INIT;
    struct tv_buf out = TV_BUF_INIT(20);
    tv_pb_to_json(&problem.base, &out);
    assert_true(out.overflow);
    tv_buf_done(&out);
}

/* -- reading ------------------------------------------------------------------------------------*/

#define BOOK &televisit__v1__book_request__descriptor
#define HOURS &televisit__v1__put_availability_request__descriptor
#define JOIN &televisit__v1__join_request__descriptor
#define HEADS &televisit__v1__heads_reply__descriptor
#define LOG_IN &televisit__v1__log_in_request__descriptor
#define ISSUE &televisit__v1__issue_request__descriptor
#define PROBLEM &televisit__v1__problem__descriptor
#define POLICY &televisit__v1__policy__descriptor
#define KINDS &kinds_type

/* Accepted, and how it looks when it is written again. */
static const struct {
    const ProtobufCMessageDescriptor *type;
    const char *json, *again;
} accepted[] = {
    {JOIN, "{}", "{\"appointmentId\":\"\",\"participantType\":\"UNSPECIFIED\",\"takeOver\":false}"},
    {JOIN, " \t\r\n{ \"appointmentId\" : \"x\" } \n",
     "{\"appointmentId\":\"x\",\"participantType\":\"UNSPECIFIED\",\"takeOver\":false}"},
    {JOIN, "{\"participantType\":\"DOCTOR\"}",
     "{\"appointmentId\":\"\",\"participantType\":\"DOCTOR\",\"takeOver\":false}"},
    {JOIN, "{\"participantType\":2}",
     "{\"appointmentId\":\"\",\"participantType\":\"DOCTOR\",\"takeOver\":false}"},
    {JOIN, "{\"participantType\":2.0}",
     "{\"appointmentId\":\"\",\"participantType\":\"DOCTOR\",\"takeOver\":false}"},
    {JOIN, "{\"participantType\":null,\"appointmentId\":null}",
     "{\"appointmentId\":\"\",\"participantType\":\"UNSPECIFIED\",\"takeOver\":false}"},
    {JOIN, "{\"appointment_id\":\"x\"}",
     "{\"appointmentId\":\"x\",\"participantType\":\"UNSPECIFIED\",\"takeOver\":false}"},
    {JOIN, "{\"appointmentId\":\"\\u00e9 \\ud83d\\ude00 \xf0\x9f\x98\x80\"}",
     "{\"appointmentId\":\"\xc3\xa9 \xf0\x9f\x98\x80 \xf0\x9f\x98\x80\","
     "\"participantType\":\"UNSPECIFIED\",\"takeOver\":false}"},
    {HOURS, "{\"hours\":[{\"weekday\":7},{\"weekday\":\"-3\"},{\"weekday\":1e1},{}]}",
     "{\"doctorId\":\"\",\"hours\":["
     "{\"weekday\":7,\"from\":\"\",\"to\":\"\",\"slotMinutes\":0},"
     "{\"weekday\":-3,\"from\":\"\",\"to\":\"\",\"slotMinutes\":0},"
     "{\"weekday\":10,\"from\":\"\",\"to\":\"\",\"slotMinutes\":0},"
     "{\"weekday\":0,\"from\":\"\",\"to\":\"\",\"slotMinutes\":0}]}"},
    {HOURS, "{\"hours\":[{\"weekday\":-2147483648},{\"weekday\":\"2147483647\"}]}",
     "{\"doctorId\":\"\",\"hours\":["
     "{\"weekday\":-2147483648,\"from\":\"\",\"to\":\"\",\"slotMinutes\":0},"
     "{\"weekday\":2147483647,\"from\":\"\",\"to\":\"\",\"slotMinutes\":0}]}"},
    {HEADS,
     "{\"heads\":[{\"lastSeq\":\"9223372036854775807\"},{\"lastSeq\":-9223372036854775808}]}",
     "{\"heads\":[{\"personId\":\"\",\"lastSeq\":\"9223372036854775807\"},"
     "{\"personId\":\"\",\"lastSeq\":\"-9223372036854775808\"}]}"},
    {HEADS, "{\"heads\":[{\"lastSeq\":1.5e3},{\"lastSeq\":-0.0},{\"lastSeq\":\"-0\"}]}",
     "{\"heads\":[{\"personId\":\"\",\"lastSeq\":\"1500\"},{\"personId\":\"\",\"lastSeq\":\"0\"},"
     "{\"personId\":\"\",\"lastSeq\":\"0\"}]}"},
    {HEADS, "{\"heads\":null}", "{\"heads\":[]}"},
    {ISSUE, "{\"sealedGrant\":\"+/-_\"}", "{\"sealedGrant\":\"+/+/\"}"},
    {ISSUE, "{\"sealedGrant\":\"/w==\"}", "{\"sealedGrant\":\"/w==\"}"},
    {ISSUE, "{\"sealedGrant\":\"_w\"}", "{\"sealedGrant\":\"/w==\"}"},
    {PROBLEM, "{\"status\":4294967295,\"opensAt\":\"2026-03-29T11:00:00+02:00\"}",
     "{\"type\":\"\",\"title\":\"\",\"status\":4294967295,\"detail\":\"\",\"instance\":\"\","
     "\"errors\":[],\"opensAt\":\"2026-03-29T09:00:00Z\",\"appointmentStatus\":\"\","
     "\"wantedStatus\":\"\",\"retryAfterSeconds\":0}"},
    {KINDS, "{\"u64\":\"18446744073709551615\",\"f\":\"Infinity\",\"d\":-2,\"choiceText\":\"\"}",
     "{\"u32\":0,\"u64\":\"18446744073709551615\",\"f\":\"Infinity\",\"d\":-2,"
     "\"choiceText\":\"\",\"bools\":[],\"chunks\":[]}"},
    {KINDS,
     "{\"f\":\"1.5\",\"d\":\"-1e-3\",\"choiceText\":null,\"choiceNumber\":1,"
     "\"bools\":[true],\"chunks\":[\"\"]}",
     "{\"u32\":0,\"u64\":\"0\",\"f\":1.5,\"d\":-0.001,\"choiceNumber\":1,\"bools\":[true],"
     "\"chunks\":[\"\"]}"},
};

static void test_accepted(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(accepted); i++) {
        struct tv_arena *a = tv_arena_new();
        struct tv_error e = TV_ERROR_INIT;
        ProtobufCMessage *m = NULL;
        if (tv_pb_from_json(accepted[i].type, tv_str(accepted[i].json), 0, a, &m, &e) != TV_OK) {
            fail_msg("%s: %s %s", accepted[i].json, e.pointer, e.detail);
        }
        assert_json(m, accepted[i].again);
        tv_arena_free(a);
    }
}

#define INVALID TV_ERR_INVALID
#define MALFORMED TV_ERR_MALFORMED

/* Refused: with what, where, and a part of what is said. */
static const struct {
    const ProtobufCMessageDescriptor *type;
    struct tv_str json;
    enum tv_err err;
    const char *pointer, *detail;
} refused[] = {
    /* not JSON */
    {BOOK, {"", 0}, MALFORMED, "", "line 1, column 0"},
    {BOOK, TV_S("{"), MALFORMED, "", "line 1, column 1"},
    {BOOK, TV_S("{\n\"reason\": nope}"), MALFORMED, "", "line 2"},
    {BOOK, TV_S("{\"reason\":\"a}"), MALFORMED, "", "not JSON"},
    {BOOK, TV_S("{'reason':1}"), MALFORMED, "", "not JSON"},
    {BOOK, TV_S("{\"minutes\":NaN}"), MALFORMED, "", "not JSON"},
    {BOOK, TV_S("{\"minutes\":Infinity}"), MALFORMED, "", "not JSON"},
    {BOOK, TV_S("{\"minutes\":01}"), MALFORMED, "", "not JSON"},
    {BOOK, TV_S("{\"minutes\":+1}"), MALFORMED, "", "not JSON"},
    {BOOK, TV_S("{\"minutes\":0x10}"), MALFORMED, "", "not JSON"},
    {BOOK, TV_S("{\"minutes\":1,}"), MALFORMED, "", "not JSON"},
    {BOOK, TV_S("\xef\xbb\xbf{}"), MALFORMED, "", "not JSON"},
    {BOOK, TV_S("{\"reason\":\"\\ud800\"}"), MALFORMED, "", "not JSON"},
    {BOOK, TV_S("{\"reason\":\"\\udc00\\ud800\"}"), MALFORMED, "", "not JSON"},
    {BOOK, TV_S("{\"reason\":\"\\x41\"}"), MALFORMED, "", "not JSON"},
    {BOOK, TV_S("{\"reason\":\"line\nbreak\"}"), MALFORMED, "", "not JSON"},
    {BOOK, TV_S("{\"reason\":\"a\0b\"}"), MALFORMED, "", "not JSON"},
    {LOG_IN, TV_S("{\"password\":\"hunter2\" oops}"), MALFORMED, "", "line 1"},
    /* JSON, but not an object and nothing else */
    {BOOK, TV_S("null"), INVALID, "", "expected an object"},
    {BOOK, TV_S("[]"), INVALID, "", "expected an object"},
    {BOOK, TV_S("\"x\""), INVALID, "", "expected an object"},
    {BOOK, TV_S("17"), INVALID, "", "expected an object"},
    {BOOK, TV_S("{}{}"), INVALID, "", "follows the end"},
    {BOOK, TV_S("{}x"), INVALID, "", "follows the end"},
    {BOOK, TV_S("{}\0"), INVALID, "", "follows the end"},
    /* members */
    {BOOK, TV_S("{\"nope\":1}"), INVALID, "/nope", "no such member"},
    {BOOK, TV_S("{\"a/b~c\":1}"), INVALID, "/a~1b~0c", "no such member"},
    {BOOK, TV_S("{\"\":1}"), INVALID, "/", "no such member"},
    {BOOK, TV_S("{\"Reason\":\"x\"}"), INVALID, "/Reason", "no such member"},
    {BOOK, TV_S("{\"reason\":\"x\",\"reason\":\"y\"}"), INVALID, "/reason", "comes twice"},
    {BOOK, TV_S("{\"doctorId\":\"x\",\"doctor_id\":\"y\"}"), INVALID, "/doctor_id", "comes twice"},
    {BOOK, TV_S("{\"a\\u0000b\":1}"), INVALID, "/a\\u0000b", "no such member"},
    {HOURS, TV_S("{\"hours\":[{},{\"weekday\":1,\"weekday\":1}]}"), INVALID, "/hours/1/weekday",
     "comes twice"},
    {HOURS, TV_S("{\"doctorId\":\"[{\\\"\",\"hours\":[{\"weekday\":1},{\"from\":\"x\xff\"}]}"),
     INVALID, "/hours/1/from", "UTF-8"},
    /* types */
    {BOOK, TV_S("{\"doctorId\":17}"), INVALID, "/doctorId", "expected a string"},
    {BOOK, TV_S("{\"doctorId\":true}"), INVALID, "/doctorId", "expected a string"},
    {BOOK, TV_S("{\"doctorId\":{}}"), INVALID, "/doctorId", "expected a string"},
    {BOOK, TV_S("{\"doctorId\":[\"x\"]}"), INVALID, "/doctorId", "expected a string"},
    {BOOK, TV_S("{\"minutes\":true}"), INVALID, "/minutes", "expected a whole number"},
    {BOOK, TV_S("{\"minutes\":\"\"}"), INVALID, "/minutes", "expected a whole number"},
    {BOOK, TV_S("{\"minutes\":\"1 \"}"), INVALID, "/minutes", "expected a whole number"},
    {BOOK, TV_S("{\"minutes\":\"+1\"}"), INVALID, "/minutes", "expected a whole number"},
    {BOOK, TV_S("{\"minutes\":\"0x1\"}"), INVALID, "/minutes", "expected a whole number"},
    {BOOK, TV_S("{\"minutes\":\"-\"}"), INVALID, "/minutes", "expected a whole number"},
    {BOOK, TV_S("{\"minutes\":\"--1\"}"), INVALID, "/minutes", "expected a whole number"},
    {BOOK, TV_S("{\"minutes\":[1]}"), INVALID, "/minutes", "expected a whole number"},
    {BOOK, TV_S("{\"minutes\":1.5}"), INVALID, "/minutes", "expected a whole number"},
    {BOOK, TV_S("{\"confirmed\":\"true\"}"), INVALID, "/confirmed", "expected true or false"},
    {BOOK, TV_S("{\"confirmed\":1}"), INVALID, "/confirmed", "expected true or false"},
    {BOOK, TV_S("{\"startsAt\":\"tomorrow\"}"), INVALID, "/startsAt", "expected a time"},
    {BOOK, TV_S("{\"startsAt\":\"2026-03-29\"}"), INVALID, "/startsAt", "expected a time"},
    {BOOK, TV_S("{\"startsAt\":\"2026-02-30T00:00:00Z\"}"), INVALID, "/startsAt",
     "expected a time"},
    {BOOK, TV_S("{\"startsAt\":1774774800}"), INVALID, "/startsAt", "expected a time"},
    {BOOK, TV_S("{\"startsAt\":{\"seconds\":1}}"), INVALID, "/startsAt", "expected a time"},
    {HOURS, TV_S("{\"hours\":{}}"), INVALID, "/hours", "expected a list"},
    {HOURS, TV_S("{\"hours\":\"x\"}"), INVALID, "/hours", "expected a list"},
    {HOURS, TV_S("{\"hours\":[{},7]}"), INVALID, "/hours/1", "expected an object"},
    {HOURS, TV_S("{\"hours\":[null]}"), INVALID, "/hours/0", "expected an object"},
    {HOURS, TV_S("{\"hours\":[[]]}"), INVALID, "/hours/0", "expected an object"},
    {HOURS, TV_S("{\"hours\":[{\"weekday\":\"x\"}]}"), INVALID, "/hours/0/weekday",
     "expected a whole number"},
    {JOIN, TV_S("{\"participantType\":\"doctor\"}"), INVALID, "/participantType",
     "expected one of PATIENT, DOCTOR, INTERPRETER, GUEST"},
    {JOIN, TV_S("{\"participantType\":99}"), INVALID, "/participantType", "expected one of"},
    {JOIN, TV_S("{\"participantType\":1.5}"), INVALID, "/participantType", "expected a name"},
    {JOIN, TV_S("{\"participantType\":-4294967294}"), INVALID, "/participantType", "expected one"},
    {JOIN, TV_S("{\"participantType\":true}"), INVALID, "/participantType", "expected a name"},
    {ISSUE, TV_S("{\"sealedGrant\":\"a\"}"), INVALID, "/sealedGrant", "base64"},
    {ISSUE, TV_S("{\"sealedGrant\":\"ab cd\"}"), INVALID, "/sealedGrant", "base64"},
    {ISSUE, TV_S("{\"sealedGrant\":\"/w=\"}"), INVALID, "/sealedGrant", "base64"},
    {ISSUE, TV_S("{\"sealedGrant\":\"====\"}"), INVALID, "/sealedGrant", "base64"},
    {ISSUE, TV_S("{\"sealedGrant\":17}"), INVALID, "/sealedGrant", "base64"},
    {KINDS, TV_S("{\"choiceNumber\":1,\"choiceText\":\"x\"}"), INVALID, "/choiceText",
     "stands for it already"},
    {KINDS, TV_S("{\"bools\":[true,\"true\"]}"), INVALID, "/bools/1", "expected true or false"},
    {KINDS, TV_S("{\"d\":\"1x\"}"), INVALID, "/d", "expected a number"},
    {KINDS, TV_S("{\"d\":\"inf\"}"), INVALID, "/d", "expected a number"},
    {KINDS, TV_S("{\"d\":\"1e400\"}"), INVALID, "/d", "expected a number"},
    {KINDS, TV_S("{\"d\":[]}"), INVALID, "/d", "expected a number"},
    /* ranges */
    {BOOK, TV_S("{\"minutes\":2147483648}"), INVALID, "/minutes",
     "between -2147483648 and 2147483647"},
    {BOOK, TV_S("{\"minutes\":\"-2147483649\"}"), INVALID, "/minutes", "between -2147483648"},
    {BOOK, TV_S("{\"minutes\":1e18}"), INVALID, "/minutes", "between"},
    {BOOK, TV_S("{\"minutes\":1e300}"), INVALID, "/minutes", "expected a whole number"},
    {BOOK, TV_S("{\"minutes\":1e400}"), INVALID, "/minutes", "too large"},
    {BOOK, TV_S("{\"minutes\":99999999999999999999}"), INVALID, "/minutes", "too large"},
    {BOOK, TV_S("{\"minutes\":\"99999999999999999999\"}"), INVALID, "/minutes", "whole number"},
    {HEADS, TV_S("{\"heads\":[{\"lastSeq\":\"9223372036854775808\"}]}"), INVALID,
     "/heads/0/lastSeq", "between -9223372036854775808 and 9223372036854775807"},
    {HEADS, TV_S("{\"heads\":[{\"lastSeq\":9223372036854775808}]}"), INVALID, "/heads/0/lastSeq",
     "too large"},
    {PROBLEM, TV_S("{\"status\":-1}"), INVALID, "/status", "between 0 and 4294967295"},
    {PROBLEM, TV_S("{\"status\":4294967296}"), INVALID, "/status", "between 0 and 4294967295"},
    {KINDS, TV_S("{\"u64\":-1}"), INVALID, "/u64", "between 0 and 18446744073709551615"},
    {KINDS, TV_S("{\"f\":1e39}"), INVALID, "/f", "expected a number up to"},
    /* text */
    {BOOK, TV_S("{\"reason\":\"a\\u0000b\"}"), INVALID, "/reason", "U+0000"},
    {BOOK, TV_S("{\"reason\":\"\xff\"}"), INVALID, "/reason", "UTF-8"},
    {BOOK, TV_S("{\"reason\":\"\xc0\x80\"}"), INVALID, "/reason", "UTF-8"},
    {BOOK, TV_S("{\"reason\":\"\xed\xa0\x80\"}"), INVALID, "/reason", "UTF-8"},
    {BOOK, TV_S("{\"reason\":\"\xf4\x90\x80\x80\"}"), INVALID, "/reason", "UTF-8"},
    {BOOK, TV_S("{\"\xff\":1}"), INVALID, "/", "UTF-8"},
};

static void test_refused(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(refused); i++) {
        struct tv_arena *a = tv_arena_new();
        struct tv_error e = TV_ERROR_INIT;
        ProtobufCMessage *untouched = (void *)&e, *m = untouched;
        enum tv_err err = tv_pb_from_json(refused[i].type, refused[i].json, 0, a, &m, &e);
        if (err != refused[i].err || strcmp(e.pointer, refused[i].pointer) != 0 ||
            strstr(e.detail, refused[i].detail) == NULL) {
            fail_msg("%.*s: %s, at \"%s\": \"%s\"; expected %s, \"%s\": \"%s\"",
                     TV_STR_ARGS(refused[i].json),
                     err == TV_OK ? "accepted" : tv_err_info(err)->name, e.pointer, e.detail,
                     tv_err_info(refused[i].err)->name, refused[i].pointer, refused[i].detail);
        }
        assert_int_equal(e.code, err);
        assert_ptr_equal(m, untouched); /* outputs are written only on success */
        assert_null(strstr(e.detail, "hunter2"));
        tv_arena_free(a);
    }
}

/* A refusal does not depend on somebody listening to why. */
static void test_refused_without_error_object(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(refused); i++) {
        struct tv_arena *a = tv_arena_new();
        ProtobufCMessage *m = NULL;
        assert_int_equal(tv_pb_from_json(refused[i].type, refused[i].json, 0, a, &m, NULL),
                         refused[i].err);
        tv_arena_free(a);
    }
}

static enum tv_err read_book(const struct tv_buf *json, struct tv_error *e) {
    struct tv_arena *a = tv_arena_new();
    ProtobufCMessage *m = NULL;
    enum tv_err err = tv_pb_from_json(BOOK, tv_buf_view(json), 0, a, &m, e);
    tv_arena_free(a);
    return err;
}

static void test_hostile_sizes(void **state) {
    struct tv_error e = TV_ERROR_INIT;
    struct tv_buf json = TV_BUF_INIT(1 << 20);

    for (unsigned i = 0; i < 100000; i++) { /* deep nesting */
        tv_buf_puts(&json, "[");
    }
    assert_int_equal(read_book(&json, &e), TV_ERR_MALFORMED);
    tv_buf_clear(&json);
    for (unsigned i = 0; i < 50000; i++) {
        tv_buf_puts(&json, "{\"a\":");
    }
    assert_int_equal(read_book(&json, &e), TV_ERR_MALFORMED);

    tv_buf_clear(&json); /* a name that does not fit into the pointer */
    tv_buf_puts(&json, "{\"");
    for (unsigned i = 0; i < 1000; i++) {
        tv_buf_puts(&json, "\xc3\xa9");
    }
    tv_buf_puts(&json, "\":1}");
    assert_int_equal(read_book(&json, &e), TV_ERR_INVALID);
    assert_string_equal(e.pointer, "");
    assert_non_null(strstr(e.detail, "no such member"));

    tv_buf_clear(&json); /* a number of many digits */
    tv_buf_puts(&json, "{\"minutes\":1");
    for (unsigned i = 0; i < 10000; i++) {
        tv_buf_char(&json, '0');
    }
    tv_buf_puts(&json, "}");
    assert_int_equal(read_book(&json, &e), TV_ERR_INVALID);
    assert_string_equal(e.pointer, "/minutes");

    tv_buf_clear(&json);
    tv_buf_puts(&json, "{\"reason\":\"");
    while (json.len < TV_PB_MAX_BYTES - 2) {
        tv_buf_char(&json, 'x');
    }
    tv_buf_puts(&json, "\"}");
    assert_int_equal(json.len, TV_PB_MAX_BYTES);
    assert_int_equal(read_book(&json, &e), TV_OK);
    tv_buf_char(&json, ' ');
    assert_int_equal(read_book(&json, &e), TV_ERR_TOO_LARGE);
    tv_buf_done(&json);
}

/* LiveKit may say more tomorrow. */
static void test_lenient(void **state) {
    struct tv_arena *a = tv_arena_new();
    struct tv_error e = TV_ERROR_INIT;
    ProtobufCMessage *m = NULL;
    const struct tv_str room =
        TV_S("{\"sid\":\"RM_D9bhG5ofS2kE\", \"name\":\"visit-1\", \"empty_timeout\":600, "
             "\"creation_time\":\"1795399085\", \"enabled_codecs\":[{\"mime\":\"audio/PCMU\"}], "
             "\"metadata\":\"{\\\"v\\\":1}\", \"active_recording\":false, \"version\":null}");
    assert_int_equal(tv_pb_from_json(&livekit__room__descriptor, room, TV_PB_LENIENT, a, &m, &e),
                     TV_OK);
    const Livekit__Room *r = (const Livekit__Room *)(void *)m;
    assert_string_equal(r->sid, "RM_D9bhG5ofS2kE");
    assert_int_equal(r->empty_timeout, 600);
    assert_true(r->creation_time == 1795399085);

    assert_int_equal(
        tv_pb_from_json(JOIN, TV_S("{\"participantType\":\"ROBOT\"}"), TV_PB_LENIENT, a, &m, &e),
        TV_OK);
    assert_int_equal(((const Televisit__V1__JoinRequest *)(void *)m)->participant_type, 0);
    /* but a wrong type stays wrong */
    assert_int_equal(
        tv_pb_from_json(JOIN, TV_S("{\"appointmentId\":{}}"), TV_PB_LENIENT, a, &m, &e),
        TV_ERR_INVALID);
    tv_arena_free(a);
}

/* -- parameters ---------------------------------------------------------------------------------*/

static const struct {
    const ProtobufCMessageDescriptor *type;
    const char *field, *text;
    const char *json; /* NULL: refused */
    const char *detail;
} parameters[] = {
    {&televisit__v1__join__descriptor, "opens_at", "2026-03-29T09:00:00Z",
     "{\"decision\":\"UNSPECIFIED\",\"opensAt\":\"2026-03-29T09:00:00Z\"}", NULL},
    {&televisit__v1__join__descriptor, "decision", "OVER", "{\"decision\":\"OVER\"}", NULL},
    {&televisit__v1__join__descriptor, "decision", "5", NULL, "expected one of ALLOWED"},
    {&televisit__v1__join__descriptor, "opens_at", "now", NULL, "expected a time"},
    {&televisit__v1__get_appointment_request__descriptor, "appointment_id", "x",
     "{\"appointmentId\":\"x\"}", NULL},
    {&televisit__v1__get_appointment_request__descriptor, "appointment_id", "\xff", NULL, "UTF-8"},
    {&televisit__v1__events_request__descriptor, "after", "-7", "{\"after\":\"-7\"}", NULL},
    {&televisit__v1__events_request__descriptor, "after", "7.0", NULL, "whole number"},
    {&televisit__v1__events_request__descriptor, "after", "", NULL, "whole number"},
    {&televisit__v1__appointment__descriptor, "join", "x", NULL, "expected an object"},
    {KINDS, "bools", "true",
     "{\"u32\":0,\"u64\":\"0\",\"f\":0,\"d\":0,\"bools\":[true],\"chunks\":[]}", NULL},
    {KINDS, "bools", "yes", NULL, "expected true or false"},
    {KINDS, "choice_number", "3",
     "{\"u32\":0,\"u64\":\"0\",\"f\":0,\"d\":0,\"choiceNumber\":3,\"bools\":[],\"chunks\":[]}",
     NULL},
};

static void test_parameters(void **state) {
    for (size_t i = 0; i < TV_ARRAY_LEN(parameters); i++) {
        struct tv_arena *a = tv_arena_new();
        struct tv_error e = TV_ERROR_INIT;
        ProtobufCMessage *m = tv_pb_new(parameters[i].type, a);
        const ProtobufCFieldDescriptor *f =
            tv_pb_field(parameters[i].type, tv_str(parameters[i].field));
        enum tv_err err = tv_pb_set_text(m, f, tv_str(parameters[i].text), a, &e);
        if (parameters[i].json != NULL) {
            assert_int_equal(err, TV_OK);
            assert_json(m, parameters[i].json);
        } else {
            assert_int_equal(err, TV_ERR_INVALID);
            assert_string_equal(e.pointer, tv_pb_json_name(f));
            assert_non_null(strstr(e.detail, parameters[i].detail));
        }
        tv_arena_free(a);
    }
}

static void test_repeated_parameters_grow(void **state) {
    struct tv_arena *a = tv_arena_new();
    ProtobufCMessage *m = tv_pb_new(&televisit__v1__heads_request__descriptor, a);
    const ProtobufCFieldDescriptor *f = tv_pb_field(m->descriptor, TV_S("personIds"));
    assert_int_equal(tv_pb_set_text(m, f, TV_S("a"), a, NULL), TV_OK);
    assert_int_equal(tv_pb_set_text(m, f, TV_S("b"), a, NULL), TV_OK);
    assert_json(m, "{\"personIds\":[\"a\",\"b\"]}");
    tv_arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_written),
        cmocka_unit_test(test_values_are_written),
        cmocka_unit_test(test_sparse),
        cmocka_unit_test(test_a_full_buffer_is_told),
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_without_error_object),
        cmocka_unit_test(test_hostile_sizes),
        cmocka_unit_test(test_lenient),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_repeated_parameters_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
