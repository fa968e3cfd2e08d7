/* pbrow_params.c - requests become parameters; columns are in pbrow.c. See pbrow.h. */
#include "clock.h"
#include "pbrow.h"
#include "rpc.h"
#include "televisit/v1/common.pb-c.h"

#define TEXT_BYTES_MAX (1024 * 1024) /* of a message or an array; requests are smaller */

enum actor_part { ACTOR_NOT, ACTOR_CLINIC, ACTOR_PERSON, ACTOR_SESSION, ACTOR_ROLE };

static const struct {
    const char *name;
    enum actor_part part;
} actor_parts[] = {
    {"actor.clinic_id", ACTOR_CLINIC},
    {"actor.person_id", ACTOR_PERSON},
    {"actor.session_id", ACTOR_SESSION},
    {"actor.role", ACTOR_ROLE},
};

/* Where a parameter comes from: the actor, or a field. */
struct source {
    enum actor_part actor;
    const ProtobufCFieldDescriptor *field;
};

/* The sources of a statement's parameters for a type of request; kept for ever. */
struct binding {
    struct binding *next;
    const struct tv_pg_statement *statement;
    const ProtobufCMessageDescriptor *type;
    struct source sources[];
};

static struct binding *bindings[256];

static bool find_source(const char *name, const ProtobufCMessageDescriptor *type,
                        struct source *ret) {
    for (size_t i = 0; i < TV_ARRAY_LEN(actor_parts); i++) {
        if (strcmp(name, actor_parts[i].name) == 0) {
            *ret = (struct source){.actor = actor_parts[i].part};
            return true;
        }
    }
    const ProtobufCFieldDescriptor *f = type == NULL ? NULL : tv_pb_field(type, tv_str(name));
    if (f != NULL)
        *ret = (struct source){.field = f};
    return f != NULL;
}

static const struct binding *find_binding(const struct tv_pg_statement *st,
                                          const ProtobufCMessageDescriptor *type) {
    uintptr_t hash = ((uintptr_t)st >> 4) ^ ((uintptr_t)type >> 5);
    struct binding **bucket = &bindings[hash % TV_ARRAY_LEN(bindings)];
    for (struct binding *b = *bucket; b != NULL; b = b->next)
        if (b->statement == st && b->type == type)
            return b;
    struct binding *b = tv_calloc(1, sizeof *b + st->param_count * sizeof b->sources[0]);
    b->next = *bucket;
    b->statement = st;
    b->type = type;
    for (unsigned i = 0; i < st->param_count; i++)
        if (!find_source(st->params[i], type, &b->sources[i]))
            tv_panic("statement %s: no field %s in %s", st->name, st->params[i], type->name);
    *bucket = b;
    return b;
}

/* -- texts --------------------------------------------------------------------------------------*/

static const char *absent_if_empty(const char *text) { return text[0] == '\0' ? NULL : text; }

static const char *actor_text(const struct tv_actor *actor, enum actor_part part) {
    if (actor == NULL)
        return NULL;
    switch (part) {
    case ACTOR_CLINIC:
        return absent_if_empty(actor->clinic_id);
    case ACTOR_PERSON:
        return absent_if_empty(actor->person_id);
    case ACTOR_SESSION:
        return absent_if_empty(actor->session_id);
    case ACTOR_ROLE: {
        const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(
            &televisit__v1__role__value__descriptor, (int)actor->role);
        return v == NULL || v->value == 0 ? NULL : v->name;
    }
    case ACTOR_NOT:
        break;
    }
    return NULL;
}

static bool ends_in_id(const char *name) {
    size_t len = strlen(name);
    return len > 3 && strcmp(name + len - 3, "_id") == 0;
}

static const char *string_text(const ProtobufCFieldDescriptor *f, const char *text) {
    if (text == NULL)
        text = "";
    return text[0] == '\0' && ends_in_id(f->name) ? NULL : text;
}

static const char *bytes_text(const ProtobufCBinaryData *data, struct tv_arena *a) {
    static const char digits[] = "0123456789abcdef";
    char *text = tv_arena_alloc(a, 2 * data->len + 3), *to = text;
    *to++ = '\\';
    *to++ = 'x';
    for (size_t i = 0; i < data->len; i++) {
        *to++ = digits[data->data[i] >> 4];
        *to++ = digits[data->data[i] & 15];
    }
    *to = '\0';
    return text;
}

static const char *time_text(const struct Google__Protobuf__Timestamp *t, struct tv_arena *a) {
    char *text = tv_arena_alloc(a, TV_TIME_TEXT_MAX);
    tv_time_format(tv_pb_time_us(t), text);
    return text;
}

static const char *json_text(struct tv_buf *json, struct tv_arena *a) {
    if (json->overflow)
        tv_panic("a request is larger than the bus can carry");
    char *text = tv_arena_strndup(a, json->len == 0 ? "" : json->data, json->len);
    tv_buf_done(json);
    return text;
}

static const char *message_text(const ProtobufCMessage *m, struct tv_arena *a) {
    struct tv_buf json = TV_BUF_INIT(TEXT_BYTES_MAX);
    tv_pb_to_json(m, &json);
    return json_text(&json, a);
}

/* Text of one value, at `p`; NULL for SQL NULL. */
static const char *value_text(const ProtobufCFieldDescriptor *f, const void *p,
                              struct tv_arena *a) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return tv_arena_printf(a, "%d", *(const int32_t *)p);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return tv_arena_printf(a, "%u", *(const uint32_t *)p);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return tv_arena_printf(a, "%lld", (long long)*(const int64_t *)p);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return tv_arena_printf(a, "%llu", (unsigned long long)*(const uint64_t *)p);
    case PROTOBUF_C_TYPE_FLOAT:
        return tv_arena_printf(a, "%.9g", (double)*(const float *)p);
    case PROTOBUF_C_TYPE_DOUBLE:
        return tv_arena_printf(a, "%.17g", *(const double *)p);
    case PROTOBUF_C_TYPE_BOOL:
        return *(const protobuf_c_boolean *)p ? "true" : "false";
    case PROTOBUF_C_TYPE_ENUM: {
        int number = *(const int *)p;
        const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(f->descriptor, number);
        return v == NULL || number == 0 ? NULL : v->name;
    }
    case PROTOBUF_C_TYPE_STRING:
        return string_text(f, *(char *const *)p);
    case PROTOBUF_C_TYPE_BYTES:
        return bytes_text(p, a);
    case PROTOBUF_C_TYPE_MESSAGE: {
        const ProtobufCMessage *m = *(ProtobufCMessage *const *)p;
        if (m == NULL)
            return NULL;
        return tv_pb_is_time(f) ? time_text((const void *)m, a) : message_text(m, a);
    }
    }
    return NULL;
}

/* '{"a","b"}': every element quoted, which PostgreSQL accepts for all types. */
static const char *array_text(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                              struct tv_arena *a) {
    struct tv_buf out = TV_BUF_INIT(TEXT_BYTES_MAX);
    const char *elements = *(char *const *)tv_pb_member(m, f);
    size_t count = tv_pb_count(m, f), size = tv_pb_element_size(f);
    bool messages = f->type == PROTOBUF_C_TYPE_MESSAGE && !tv_pb_is_time(f);
    tv_buf_char(&out, messages ? '[' : '{');
    for (size_t i = 0; i < count; i++) {
        const char *text = value_text(f, elements + i * size, a);
        if (i > 0)
            tv_buf_char(&out, ',');
        if (messages || text == NULL) {
            tv_buf_puts(&out, text == NULL ? "NULL" : text);
            continue;
        }
        tv_buf_char(&out, '"');
        for (; *text != '\0'; text++) {
            if (*text == '"' || *text == '\\')
                tv_buf_char(&out, '\\');
            tv_buf_char(&out, *text);
        }
        tv_buf_char(&out, '"');
    }
    tv_buf_char(&out, messages ? ']' : '}');
    return json_text(&out, a);
}

const char *const *tv_pbrow_params(const struct tv_pg_statement *st,
                                   const ProtobufCMessage *request, const struct tv_actor *actor,
                                   struct tv_arena *a) {
    const struct source *sources = find_binding(st, request->descriptor)->sources;
    const char **texts = tv_arena_calloc(a, st->param_count + 1, sizeof *texts);
    for (unsigned i = 0; i < st->param_count; i++) {
        const ProtobufCFieldDescriptor *f = sources[i].field;
        if (f == NULL)
            texts[i] = actor_text(actor, sources[i].actor);
        else if (f->label == PROTOBUF_C_LABEL_REPEATED)
            texts[i] = array_text(request, f, a);
        else
            texts[i] = value_text(f, tv_pb_member(request, f), a);
    }
    return texts;
}

enum tv_err tv_pbrow_check_params(const struct tv_pg_statement *st,
                                  const ProtobufCMessageDescriptor *request, struct tv_error *e) {
    struct source unused;
    for (unsigned i = 0; i < st->param_count; i++)
        if (!find_source(st->params[i], request, &unused))
            return tv_fail(e, TV_ERR_INTERNAL, "statement %s: no field for :%s", st->name,
                           st->params[i]);
    return TV_OK;
}
