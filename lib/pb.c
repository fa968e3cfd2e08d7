/* pb.c - protobuf-c messages: memory, bytes and fields. JSON is in pb_json.c. */
#include "pb.h"

#include <stdatomic.h>

#include <google/protobuf/timestamp.pb-c.h>

#include "clock.h"

/* What protobuf-c may take from the arena while it unpacks one message. Two bytes can make a
 * sub-message of a hundred, so bounding the bytes alone would not bound the memory. Long lists get
 * less for each of their bytes: lists of rooms take seven. */
#define UNPACK_BYTES_MAX (32u * TV_PB_MAX_BYTES)
#define UNPACK_PER_BYTE 12

/* -- making and packing -------------------------------------------------------------------------*/

ProtobufCMessage *tv_pb_new(const ProtobufCMessageDescriptor *type, struct tv_arena *a) {
    ProtobufCMessage *m = tv_arena_alloc(a, type->sizeof_message);
    protobuf_c_message_init(type, m);
    return m;
}

struct tv_str tv_pb_pack(const ProtobufCMessage *m, struct tv_arena *a) {
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = tv_arena_alloc(a, len == 0 ? 1 : len);
    protobuf_c_message_pack(m, bytes);
    return (struct tv_str){(const char *)bytes, len};
}

/* -- unpacking: look before protobuf-c does -----------------------------------------------------*/

enum wire { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_BYTES = 2, WIRE_32BIT = 5 };

static bool take_varint(struct tv_str *s, uint64_t *ret) {
    uint64_t value = 0;
    for (unsigned i = 0; i < 10 && i < s->len; i++) {
        uint8_t byte = (uint8_t)s->p[i];
        if (i == 9 && byte > 1) {
            return false; /* more than 64 bits */
        }
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *ret = value;
            s->p += i + 1;
            s->len -= i + 1;
            return true;
        }
    }
    return false;
}

static bool take_bytes(struct tv_str *s, uint64_t len, struct tv_str *ret) {
    if (len > s->len) {
        return false;
    }
    *ret = (struct tv_str){s->p, (size_t)len};
    s->p += len;
    s->len -= (size_t)len;
    return true;
}

/* Whether the bytes are well-formed all the way down, not too deep, and their strings are UTF-8
 * without NUL (a char * could not tell). Groups (wire types 3 and 4) are not of proto3. */
static bool wire_ok(const ProtobufCMessageDescriptor *type, struct tv_str s, unsigned depth) {
    if (depth > TV_PB_MAX_DEPTH) {
        return false;
    }
    while (s.len > 0) {
        uint64_t tag, n;
        struct tv_str value;
        if (!take_varint(&s, &tag) || tag >> 3 == 0 || tag > UINT32_MAX) {
            return false;
        }
        switch (tag & 7) {
        case WIRE_VARINT:
            if (!take_varint(&s, &n)) {
                return false;
            }
            break;
        case WIRE_64BIT:
        case WIRE_32BIT:
            if (!take_bytes(&s, (tag & 7) == WIRE_64BIT ? 8 : 4, &value)) {
                return false;
            }
            break;
        case WIRE_BYTES: {
            if (!take_varint(&s, &n) || !take_bytes(&s, n, &value)) {
                return false;
            }
            const ProtobufCFieldDescriptor *f =
                protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
            if (f != NULL && f->type == PROTOBUF_C_TYPE_MESSAGE &&
                !wire_ok(f->descriptor, value, depth + 1)) {
                return false;
            }
            if (f != NULL && f->type == PROTOBUF_C_TYPE_STRING && !tv_str_is_utf8(value)) {
                return false;
            }
            break;
        }
        default:
            return false;
        }
    }
    return true;
}

struct unpacking {
    struct tv_arena *arena;
    size_t left; /* bytes that may still be taken */
};

/* NULL makes protobuf-c give up in order. */
static void *unpack_alloc(void *data, size_t bytes) {
    struct unpacking *u = data;
    if (bytes > u->left) {
        return NULL;
    }
    u->left -= bytes;
    return tv_arena_alloc(u->arena, bytes);
}

static void unpack_free(void *data, void *p) {} /* the arena's work */

ProtobufCMessage *tv_pb_unpack_long(const ProtobufCMessageDescriptor *type, struct tv_str bytes,
                                    size_t bytes_max, struct tv_arena *a) {
    if (bytes.len > bytes_max || !wire_ok(type, bytes, 1)) {
        return NULL;
    }
    struct unpacking u = {a, TV_MAX(UNPACK_BYTES_MAX, UNPACK_PER_BYTE * bytes.len)};
    ProtobufCAllocator allocator = {unpack_alloc, unpack_free, &u};
    return protobuf_c_message_unpack(type, &allocator, bytes.len, (const uint8_t *)bytes.p);
}

ProtobufCMessage *tv_pb_unpack(const ProtobufCMessageDescriptor *type, struct tv_str bytes,
                               struct tv_arena *a) {
    return tv_pb_unpack_long(type, bytes, TV_PB_MAX_BYTES, a);
}

/* -- fields -------------------------------------------------------------------------------------*/

/* Descriptors give offsets into the generated structs; this is the one place that follows them. */
static void *at(const ProtobufCMessage *m, unsigned offset) {
    return (char *)(uintptr_t)m + offset;
}

void *tv_pb_member(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    return at(m, f->offset);
}

bool tv_pb_has(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    const void *p = at(m, f->offset);
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        return tv_pb_count(m, f) > 0;
    }
    if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        return *(const uint32_t *)at(m, f->quantifier_offset) == f->id;
    }
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(const ProtobufCMessage *const *)p != NULL;
    case PROTOBUF_C_TYPE_STRING: {
        const char *z = *(const char *const *)p;
        return z != NULL && z[0] != '\0';
    }
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)p)->len > 0;
    default: { /* numbers, by their bits: -0.0 is not the default */
        static const char zero[sizeof(uint64_t)];
        return memcmp(p, zero, tv_pb_element_size(f)) != 0;
    }
    }
}

size_t tv_pb_count(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    return *(const size_t *)at(m, f->quantifier_offset);
}

size_t tv_pb_element_size(const ProtobufCFieldDescriptor *f) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return sizeof(uint32_t);
    }
    tv_panic("field %s has a type that protobuf-c does not know", f->name);
}

/* -- names --------------------------------------------------------------------------------------*/

/* JSON names are made once a field and kept for ever: a message type has few fields, and a program
 * has few types. Buckets only grow at their heads, so readers need no lock; two threads that meet
 * at a new name may both add it, which costs some bytes and nothing else. */
struct name {
    const ProtobufCFieldDescriptor *field;
    struct name *next;
    char text[];
};
static _Atomic(struct name *) names[256];

static struct name *name_new(const ProtobufCFieldDescriptor *f) {
    struct name *n = tv_malloc(sizeof *n + strlen(f->name) + 1);
    n->field = f;
    char *to = n->text;
    bool upper = false;
    for (const char *from = f->name; *from != '\0'; from++) {
        if (*from == '_') {
            upper = true;
            continue;
        }
        *to++ = upper && *from >= 'a' && *from <= 'z' ? (char)(*from - 'a' + 'A') : *from;
        upper = false;
    }
    *to = '\0';
    return n;
}

const char *tv_pb_json_name(const ProtobufCFieldDescriptor *f) {
    if (strchr(f->name, '_') == NULL) {
        return f->name;
    }
    _Atomic(struct name *) *bucket = &names[((uintptr_t)f / sizeof *f) % TV_ARRAY_LEN(names)];
    for (const struct name *n = atomic_load(bucket); n != NULL; n = n->next) {
        if (n->field == f) {
            return n->text;
        }
    }
    struct name *n = name_new(f);
    n->next = atomic_load(bucket);
    while (!atomic_compare_exchange_weak(bucket, &n->next, n)) {
    }
    return n->text;
}

const ProtobufCFieldDescriptor *tv_pb_field(const ProtobufCMessageDescriptor *type,
                                            struct tv_str name) {
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        if (tv_str_eqz(name, tv_pb_json_name(f)) || tv_str_eqz(name, f->name)) {
            return f;
        }
    }
    return NULL;
}

/* -- times --------------------------------------------------------------------------------------*/

bool tv_pb_is_time(const ProtobufCFieldDescriptor *f) {
    return f->type == PROTOBUF_C_TYPE_MESSAGE &&
           f->descriptor == &google__protobuf__timestamp__descriptor;
}

Google__Protobuf__Timestamp *tv_pb_time(int64_t us, struct tv_arena *a) {
    Google__Protobuf__Timestamp *t = tv_arena_alloc(a, sizeof *t);
    google__protobuf__timestamp__init(t);
    int64_t rest = us % TV_US_PER_S;
    t->seconds = us / TV_US_PER_S - (rest < 0 ? 1 : 0); /* nanos count forward, also before 1970 */
    t->nanos = (int32_t)((rest < 0 ? rest + TV_US_PER_S : rest) * 1000);
    return t;
}

int64_t tv_pb_time_us(const Google__Protobuf__Timestamp *t) {
    int64_t us;
    if (__builtin_mul_overflow(t->seconds, TV_US_PER_S, &us) ||
        __builtin_add_overflow(us, (int64_t)t->nanos / 1000, &us)) {
        return t->seconds < 0 ? INT64_MIN : INT64_MAX; /* a peer may send any seconds */
    }
    return us;
}
