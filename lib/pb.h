/* pb.h - protobuf-c messages: memory, bytes, JSON and rows, all by descriptor.
 *
 * The .proto files are the only list of messages and fields. protobuf-c compiles them with
 * descriptors, and everything that moves a message is written once against those:
 *   bytes  tv_pb_pack / tv_pb_unpack      the bus
 *   JSON   tv_pb_to_json / tv_pb_from_json   HTTP and LiveKit; canonical ProtoJSON
 *   rows   lib/pbrow.h                    SQL parameters from request fields, reply fields from
 *                                         columns
 * Messages live in an arena; nobody calls the generated free functions.
 */
#ifndef TV_PB_H
#define TV_PB_H

#include <protobuf-c/protobuf-c.h>

#include "arena.h"
#include "base.h"
#include "err.h"
#include "str.h"

#define TV_PB_MAX_BYTES (256 * 1024) /* of one packed message */
#define TV_PB_MAX_DEPTH 16           /* of nested messages, in bytes and in JSON */

/* An initialised message of this type in the arena; to be cast to the generated struct. */
ProtobufCMessage *tv_pb_new(const ProtobufCMessageDescriptor *type, struct tv_arena *a);
/* The same, cast: TV_PB_NEW(arena, Televisit__V1__Head, televisit__v1__head__descriptor). */
#define TV_PB_NEW(arena, type, descriptor) ((type *)(void *)tv_pb_new(&(descriptor), (arena)))

struct tv_str tv_pb_pack(const ProtobufCMessage *m, struct tv_arena *a);
/* NULL on malformed bytes, too many bytes or too deep nesting. Borrows nothing from `bytes`. */
TV_MUST_CHECK ProtobufCMessage *tv_pb_unpack(const ProtobufCMessageDescriptor *type,
                                             struct tv_str bytes, struct tv_arena *a);
/* The same with a bound of the caller's: for other people's long lists (LiveKit). */
TV_MUST_CHECK ProtobufCMessage *tv_pb_unpack_long(const ProtobufCMessageDescriptor *type,
                                                  struct tv_str bytes, size_t bytes_max,
                                                  struct tv_arena *a);

/* Pointer to the member of field `f` in `m`, and presence: a set sub-message, a non-empty
 * repeated field, a chosen oneof case, or a scalar that differs from its default. */
void *tv_pb_member(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f);
bool tv_pb_has(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f);
/* How many elements a repeated field has, and the bytes of one. */
size_t tv_pb_count(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f);
size_t tv_pb_element_size(const ProtobufCFieldDescriptor *f);
/* lowerCamelCase of a field's name (the JSON name). Borrowed from a cache or the descriptor. */
const char *tv_pb_json_name(const ProtobufCFieldDescriptor *f);
/* Whether the field is a google.protobuf.Timestamp. */
bool tv_pb_is_time(const ProtobufCFieldDescriptor *f);
/* A Timestamp message in the arena, and back (microseconds since 1970). */
struct Google__Protobuf__Timestamp *tv_pb_time(int64_t us, struct tv_arena *a);
int64_t tv_pb_time_us(const struct Google__Protobuf__Timestamp *t);

/* -- JSON (https://protobuf.dev/programming-guides/json/) ----------------------------------------
 * lowerCamelCase names, enums by name, 64-bit numbers as strings, bytes as base64, Timestamp as
 * RFC 3339. Scalars, enums and repeated fields are written even when they have their default;
 * unset sub-messages and oneofs are left out. */
void tv_pb_to_json(const ProtobufCMessage *m, struct tv_buf *out);
/* The same, but the message's own fields (not those of its sub-messages) are left out when they
 * have their default: for problem details, where an empty member would mislead. */
void tv_pb_to_json_sparse(const ProtobufCMessage *m, struct tv_buf *out);

enum {
    /* Unknown members and unknown enum names are skipped: for other people's JSON (LiveKit). */
    TV_PB_LENIENT = 1,
};
/* Strict unless lenient: unknown or doubled members, wrong types, numbers out of range, bad UTF-8
 * and trailing bytes are TV_ERR_INVALID with a JSON pointer in `e`; text that is not JSON is
 * TV_ERR_MALFORMED with line and column. snake_case names are accepted as ProtoJSON demands.
 * On success `*ret` lives in the arena. */
TV_MUST_CHECK enum tv_err tv_pb_from_json(const ProtobufCMessageDescriptor *type,
                                          struct tv_str json, unsigned flags, struct tv_arena *a,
                                          ProtobufCMessage **ret, struct tv_error *e);

/* Sets one scalar, enum or Timestamp field from text (a path or query parameter); repeated fields
 * grow by one. TV_ERR_INVALID names the parameter in `e->pointer`. */
TV_MUST_CHECK enum tv_err tv_pb_set_text(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                                         struct tv_str text, struct tv_arena *a,
                                         struct tv_error *e);
/* Field by its JSON or its proto name; NULL when there is none. */
const ProtobufCFieldDescriptor *tv_pb_field(const ProtobufCMessageDescriptor *type,
                                            struct tv_str name);

#endif
