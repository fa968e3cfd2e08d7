/* pb_parse.c - messages in from JSON or text, strictly: the only file that knows jansson.
 *
 * jansson turns the text into a tree (and refuses what is not JSON), then one walk goes down the
 * tree and the descriptor together. The reader carries the JSON pointer of where it stands, so
 * that every refusal names the member and says what is expected there.
 */
#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "crypto.h"
#include "pb.h"

/* A character of JSON becomes some forty bytes of tree at worst. */
#define JSON_BYTES_MAX TV_PB_MAX_BYTES

struct reader {
    struct tv_arena *arena;
    struct tv_error *e;
    unsigned flags;
    unsigned depth;
    size_t path_len;
    char path[sizeof(((struct tv_error *)NULL)->pointer)]; /* RFC 6901 */
};

/* Fails at where the reader stands; always false. */
#define wrong(r, ...) (tv_fail_at((r)->e, TV_ERR_INVALID, (r)->path, __VA_ARGS__), false)

/* Goes down to a member; the former path_len takes back up. The name may be anything. */
static void enter(struct reader *r, struct tv_str name) {
    struct tv_buf path = TV_BUF_INIT(sizeof r->path - 1 - r->path_len);
    tv_buf_char(&path, '/');
    for (size_t i = 0; i < name.len; i++) {
        if (name.p[i] == '~' || name.p[i] == '/') {
            tv_buf_puts(&path, name.p[i] == '~' ? "~0" : "~1");
        } else {
            tv_buf_char(&path, name.p[i]);
        }
    }
    if (!path.overflow && tv_str_is_utf8(tv_buf_view(&path))) {
        memcpy(r->path + r->path_len, path.data, path.len + 1);
        r->path_len += path.len;
    } else {
        r->path_len = sizeof r->path - 1; /* full: the pointer ends here, also for what is below */
    }
    tv_buf_done(&path);
}

static void leave(struct reader *r, size_t path_len) {
    r->path_len = path_len;
    r->path[path_len] = '\0';
}

static void enter_index(struct reader *r, size_t index) {
    char text[24];
    enter(r, (struct tv_str){text, (size_t)snprintf(text, sizeof text, "%zu", index)});
}

/* -- numbers ------------------------------------------------------------------------------------*/

struct whole {
    bool negative;
    uint64_t magnitude;
};

static bool whole_from_text(struct tv_str s, struct whole *ret) {
    bool negative = s.len > 1 && s.p[0] == '-';
    struct tv_str digits = {s.p + negative, s.len - negative};
    if (!tv_str_to_u64(digits, 0, UINT64_MAX, &ret->magnitude)) {
        return false;
    }
    ret->negative = negative && ret->magnitude > 0;
    return true;
}

static bool whole_from_real(double value, struct whole *ret) {
    if (!isfinite(value) || trunc(value) != value || fabs(value) >= 0x1p64) {
        return false;
    }
    *ret = (struct whole){value < 0, (uint64_t)fabs(value)};
    return true;
}

static bool put_whole(struct reader *r, const ProtobufCFieldDescriptor *f, void *to,
                      struct whole w) {
    bool is_unsigned = f->type == PROTOBUF_C_TYPE_UINT32 || f->type == PROTOBUF_C_TYPE_FIXED32 ||
                       f->type == PROTOBUF_C_TYPE_UINT64 || f->type == PROTOBUF_C_TYPE_FIXED64;
    bool is_wide = tv_pb_element_size(f) == sizeof(uint64_t);
    uint64_t max = is_unsigned ? (is_wide ? UINT64_MAX : UINT32_MAX)
                               : (uint64_t)(is_wide ? INT64_MAX : INT32_MAX);
    uint64_t lowest = is_unsigned ? 0 : max + 1; /* magnitude of the smallest number */
    if (w.magnitude > (w.negative ? lowest : max)) {
        return wrong(r, "expected a whole number between %s%llu and %llu", is_unsigned ? "" : "-",
                     (unsigned long long)lowest, (unsigned long long)max);
    }
    uint64_t bits = w.negative ? -w.magnitude : w.magnitude; /* two's complement, signed or not */
    if (is_wide) {
        memcpy(to, &bits, sizeof bits);
    } else {
        memcpy(to, &(uint32_t){(uint32_t)bits}, sizeof(uint32_t));
    }
    return true;
}

static bool put_real(struct reader *r, const ProtobufCFieldDescriptor *f, void *to, double value) {
    if (f->type == PROTOBUF_C_TYPE_DOUBLE) {
        memcpy(to, &value, sizeof value);
        return true;
    }
    if (isfinite(value) && fabs(value) > (double)FLT_MAX) {
        return wrong(r, "expected a number up to %g", (double)FLT_MAX);
    }
    memcpy(to, &(float){(float)value}, sizeof(float));
    return true;
}

static bool put_real_text(struct reader *r, const ProtobufCFieldDescriptor *f, void *to,
                          struct tv_str s) {
    char text[64];
    if (s.len == 0 || s.len >= sizeof text) {
        return wrong(r, "expected a number");
    }
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    if (strspn(text, "0123456789+-.eE") == s.len) { /* neither spaces nor hexadecimal nor "inf" */
        char *end;
        double value = strtod(text, &end);
        if (*end == '\0' && isfinite(value)) {
            return put_real(r, f, to, value);
        }
    }
    return tv_str_eqz(s, "NaN")         ? put_real(r, f, to, (double)NAN)
           : tv_str_eqz(s, "Infinity")  ? put_real(r, f, to, (double)INFINITY)
           : tv_str_eqz(s, "-Infinity") ? put_real(r, f, to, -(double)INFINITY)
                                        : wrong(r, "expected a number");
}

/* -- enums, bytes, strings ----------------------------------------------------------------------*/

static bool refuse_enum(struct reader *r, const ProtobufCEnumDescriptor *type) {
    struct tv_buf names = TV_BUF_INIT(sizeof r->e->detail);
    for (unsigned i = 0; i < type->n_values; i++) {
        if (type->values[i].value != 0) { /* UNSPECIFIED is no advice */
            tv_buf_printf(&names, "%s%s", names.len == 0 ? "" : ", ", type->values[i].name);
        }
    }
    bool ok = wrong(r, "expected one of %s", names.len == 0 ? "its names" : names.data);
    tv_buf_done(&names);
    return ok;
}

/* Lenient readers leave an unknown value at the default. */
static bool put_enum(struct reader *r, const ProtobufCFieldDescriptor *f, void *to,
                     const ProtobufCEnumValue *value) {
    if (value == NULL) {
        return (r->flags & TV_PB_LENIENT) != 0 || refuse_enum(r, f->descriptor);
    }
    memcpy(to, &value->value, sizeof value->value);
    return true;
}

static const ProtobufCEnumValue *enum_by_number(const ProtobufCEnumDescriptor *type,
                                                struct whole w) {
    if (w.magnitude > INT32_MAX) {
        return NULL;
    }
    int number = w.negative ? -(int)w.magnitude : (int)w.magnitude;
    return protobuf_c_enum_descriptor_get_value(type, number);
}

static const ProtobufCEnumValue *enum_by_text(const ProtobufCEnumDescriptor *type,
                                              struct tv_str text) {
    for (unsigned i = 0; i < type->n_values; i++) {
        if (tv_str_eqz(text, type->values[i].name)) {
            return &type->values[i];
        }
    }
    return NULL;
}

/* base64 in either alphabet, with its padding or without. */
static bool put_bytes(struct reader *r, void *to, struct tv_str text) {
    if (text.len % 4 == 0) {
        for (unsigned i = 0; i < 2 && text.len > 0 && text.p[text.len - 1] == '='; i++) {
            text.len--;
        }
    }
    char *url = tv_arena_str(r->arena, text);
    for (size_t i = 0; i < text.len; i++) {
        url[i] = url[i] == '+' ? '-' : url[i] == '/' ? '_' : url[i];
    }
    size_t max = text.len / 4 * 3 + 3;
    ProtobufCBinaryData bytes = {0, tv_arena_alloc(r->arena, max)};
    if (!tv_base64url_decode((struct tv_str){url, text.len}, bytes.data, max, &bytes.len)) {
        return wrong(r, "expected bytes as base64");
    }
    memcpy(to, &bytes, sizeof bytes);
    return true;
}

static bool put_string(struct reader *r, void *to, struct tv_str text) {
    if (!tv_str_is_utf8(text)) {
        return wrong(r, "expected UTF-8 without the character U+0000");
    }
    char *z = tv_arena_str(r->arena, text);
    memcpy(to, &z, sizeof z);
    return true;
}

static bool put_time(struct reader *r, void *to, struct tv_str text) {
    int64_t us;
    if (!tv_time_parse(text, &us)) {
        return wrong(r, "expected a time such as 2026-03-29T09:00:00Z");
    }
    struct Google__Protobuf__Timestamp *t = tv_pb_time(us, r->arena);
    memcpy(to, &t, sizeof t);
    return true;
}

/* -- one value ----------------------------------------------------------------------------------*/

enum kind {
    KIND_WHOLE,
    KIND_REAL,
    KIND_BOOL,
    KIND_ENUM,
    KIND_STRING,
    KIND_BYTES,
    KIND_TIME,
    KIND_MESSAGE,
};

static enum kind kind_of(const ProtobufCFieldDescriptor *f) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FLOAT:
        return KIND_REAL;
    case PROTOBUF_C_TYPE_BOOL:
        return KIND_BOOL;
    case PROTOBUF_C_TYPE_ENUM:
        return KIND_ENUM;
    case PROTOBUF_C_TYPE_STRING:
        return KIND_STRING;
    case PROTOBUF_C_TYPE_BYTES:
        return KIND_BYTES;
    case PROTOBUF_C_TYPE_MESSAGE:
        return tv_pb_is_time(f) ? KIND_TIME : KIND_MESSAGE;
    default:
        return KIND_WHOLE;
    }
}

/* What a refusal says is expected. */
static const char *const kind_names[] = {
    [KIND_WHOLE] = "a whole number", [KIND_REAL] = "a number",     [KIND_BOOL] = "true or false",
    [KIND_ENUM] = "a name",          [KIND_STRING] = "a string",   [KIND_BYTES] = "bytes as base64",
    [KIND_TIME] = "a time",          [KIND_MESSAGE] = "an object",
};

/* A value that stands as text: a JSON string, or a parameter. */
static bool put_text(struct reader *r, const ProtobufCFieldDescriptor *f, void *to,
                     struct tv_str text) {
    struct whole w;
    switch (kind_of(f)) {
    case KIND_WHOLE:
        return whole_from_text(text, &w) ? put_whole(r, f, to, w)
                                         : wrong(r, "expected a whole number");
    case KIND_REAL:
        return put_real_text(r, f, to, text);
    case KIND_ENUM:
        return put_enum(r, f, to, enum_by_text(f->descriptor, text));
    case KIND_STRING:
        return put_string(r, to, text);
    case KIND_BYTES:
        return put_bytes(r, to, text);
    case KIND_TIME:
        return put_time(r, to, text);
    case KIND_BOOL:
    case KIND_MESSAGE:
        break;
    }
    return wrong(r, "expected %s", kind_names[kind_of(f)]);
}

static bool put_number(struct reader *r, const ProtobufCFieldDescriptor *f, void *to,
                       const json_t *v) {
    enum kind kind = kind_of(f);
    if (kind == KIND_REAL) {
        return put_real(r, f, to, json_number_value(v));
    }
    struct whole w;
    if (json_is_integer(v)) {
        json_int_t n = json_integer_value(v);
        w = (struct whole){n < 0, n < 0 ? -(uint64_t)n : (uint64_t)n};
    } else if (!whole_from_real(json_real_value(v), &w)) {
        return wrong(r, "expected %s", kind_names[kind]);
    }
    return kind == KIND_WHOLE  ? put_whole(r, f, to, w)
           : kind == KIND_ENUM ? put_enum(r, f, to, enum_by_number(f->descriptor, w))
                               : wrong(r, "expected %s", kind_names[kind]);
}

static bool read_object(struct reader *r, ProtobufCMessage *m, json_t *object);

static bool put_json(struct reader *r, const ProtobufCFieldDescriptor *f, void *to, json_t *v) {
    enum kind kind = kind_of(f);
    if (kind == KIND_MESSAGE) {
        ProtobufCMessage *m = tv_pb_new(f->descriptor, r->arena);
        memcpy(to, &m, sizeof m);
        return read_object(r, m, v);
    }
    if (json_is_string(v)) {
        return put_text(r, f, to, (struct tv_str){json_string_value(v), json_string_length(v)});
    }
    if (json_is_number(v)) {
        return put_number(r, f, to, v);
    }
    if (json_is_boolean(v) && kind == KIND_BOOL) {
        memcpy(to, &(protobuf_c_boolean){json_is_true(v)}, sizeof(protobuf_c_boolean));
        return true;
    }
    return wrong(r, "expected %s", kind_names[kind]);
}

/* -- fields and objects -------------------------------------------------------------------------*/

static bool read_array(struct reader *r, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                       json_t *array) {
    if (!json_is_array(array)) {
        return wrong(r, "expected a list");
    }
    size_t count = json_array_size(array), size = tv_pb_element_size(f);
    char *elements = tv_arena_calloc(r->arena, count == 0 ? 1 : count, size);
    size_t path_len = r->path_len;
    for (size_t i = 0; i < count; i++) {
        enter_index(r, i);
        if (!put_json(r, f, elements + i * size, json_array_get(array, i))) {
            return false;
        }
        leave(r, path_len);
    }
    memcpy(tv_pb_member(m, f), &elements, sizeof elements);
    memcpy((char *)m + f->quantifier_offset, &count, sizeof count);
    return true;
}

static bool read_field(struct reader *r, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                       json_t *v) {
    if (json_is_null(v)) {
        return true; /* unset */
    }
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        return read_array(r, m, f, v);
    }
    if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t *chosen = (uint32_t *)(void *)((char *)m + f->quantifier_offset);
        if (*chosen != 0) {
            return wrong(r, "another member stands for it already");
        }
        *chosen = f->id;
    }
    return put_json(r, f, tv_pb_member(m, f), v);
}

static bool read_object(struct reader *r, ProtobufCMessage *m, json_t *object) {
    if (!json_is_object(object)) {
        return wrong(r, "expected an object");
    }
    if (r->depth == TV_PB_MAX_DEPTH) {
        return wrong(r, "nested too deep");
    }
    r->depth++;
    bool *seen = tv_arena_calloc(r->arena, m->descriptor->n_fields + 1, sizeof *seen);
    size_t path_len = r->path_len;
    for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i)) {
        struct tv_str name = tv_str(json_object_iter_key(i));
        const ProtobufCFieldDescriptor *f = tv_pb_field(m->descriptor, name);
        if (f == NULL && (r->flags & TV_PB_LENIENT) != 0) {
            continue;
        }
        enter(r, name);
        if (f == NULL) {
            return wrong(r, "there is no such member");
        }
        if (seen[f - m->descriptor->fields]) {
            return wrong(r, "the member comes twice"); /* under both of its names */
        }
        seen[f - m->descriptor->fields] = true;
        if (!read_field(r, m, f, json_object_iter_value(i))) {
            return false;
        }
        leave(r, path_len);
    }
    r->depth--;
    return true;
}

/* -- text that jansson refuses ------------------------------------------------------------------*/

/* Follows JSON, well-formed so far, and leaves the reader at the member where it ends. */
static void enter_end_of(struct reader *r, struct tv_str json) {
    struct {
        bool is_object, at_key;
        size_t path_len, index;
    } level[TV_PB_MAX_DEPTH + 1];
    unsigned depth = 0;
    for (size_t i = 0; i < json.len; i++) {
        char c = json.p[i];
        if (c == '{' || c == '[') {
            if (++depth > TV_PB_MAX_DEPTH) {
                return;
            }
            level[depth].is_object = level[depth].at_key = c == '{';
            level[depth].path_len = r->path_len;
            level[depth].index = 0;
            if (c == '[') {
                enter_index(r, 0);
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            leave(r, level[depth--].path_len);
        } else if (c == ',' && depth > 0) {
            leave(r, level[depth].path_len);
            level[depth].at_key = level[depth].is_object;
            if (!level[depth].is_object) {
                enter_index(r, ++level[depth].index);
            }
        } else if (c == '"') {
            size_t start = ++i;
            while (i < json.len && json.p[i] != '"') {
                i += json.p[i] == '\\' ? 2 : 1;
            }
            if (depth > 0 && level[depth].at_key) {
                enter(r, (struct tv_str){json.p + start, TV_MIN(i, json.len) - start});
                level[depth].at_key = false;
            }
        }
    }
}

/* jansson's own texts repeat the input, which may be a password. */
static enum tv_err refuse_text(struct reader *r, struct tv_str json, const json_error_t *fault) {
    const char *why;
    switch (json_error_code(fault)) {
    case json_error_duplicate_key:
        why = "the member comes twice";
        break;
    case json_error_invalid_utf8:
        why = "expected UTF-8";
        break;
    case json_error_numeric_overflow:
        why = "the number is too large";
        break;
    case json_error_null_byte_in_key:
        why = "there is no such member";
        break;
    case json_error_end_of_input_expected:
        return tv_fail_at(r->e, TV_ERR_INVALID, "",
                          "line %d, column %d: something follows the end of the object",
                          fault->line, fault->column);
    default:
        return tv_fail(r->e, TV_ERR_MALFORMED, "line %d, column %d: this is not JSON (RFC 8259)",
                       fault->line, fault->column);
    }
    size_t end = fault->position < 0 ? 0 : TV_MIN((size_t)fault->position, json.len);
    enter_end_of(r, (struct tv_str){json.p, end});
    return tv_fail_at(r->e, TV_ERR_INVALID, r->path, "line %d, column %d: %s", fault->line,
                      fault->column, why);
}

enum tv_err tv_pb_from_json(const ProtobufCMessageDescriptor *type, struct tv_str json,
                            unsigned flags, struct tv_arena *a, ProtobufCMessage **ret,
                            struct tv_error *e) {
    struct reader r = {.arena = a, .e = e, .flags = flags};
    if (json.len > JSON_BYTES_MAX) {
        return tv_fail(e, TV_ERR_TOO_LARGE, "expected at most %d bytes", JSON_BYTES_MAX);
    }
    json_error_t fault;
    json_t *tree = json_loadb(json.len == 0 ? "" : json.p, json.len,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &fault);
    if (tree == NULL) {
        return refuse_text(&r, json, &fault);
    }
    ProtobufCMessage *m = tv_pb_new(type, a);
    bool ok = read_object(&r, m, tree);
    json_decref(tree);
    if (!ok) {
        return TV_ERR_INVALID;
    }
    *ret = m;
    return TV_OK;
}

/* -- parameters ---------------------------------------------------------------------------------*/

enum tv_err tv_pb_set_text(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                           struct tv_str text, struct tv_arena *a, struct tv_error *e) {
    struct reader r = {.arena = a, .e = e};
    snprintf(r.path, sizeof r.path, "%s", tv_pb_json_name(f));
    char value[sizeof(ProtobufCBinaryData)]; /* the largest there is */
    if (kind_of(f) == KIND_BOOL && (tv_str_eqz(text, "true") || tv_str_eqz(text, "false"))) {
        memcpy(value, &(protobuf_c_boolean){text.len == 4}, sizeof(protobuf_c_boolean));
    } else if (!put_text(&r, f, value, text)) {
        return TV_ERR_INVALID;
    }
    size_t size = tv_pb_element_size(f);
    if (f->label != PROTOBUF_C_LABEL_REPEATED) {
        if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
            memcpy((char *)m + f->quantifier_offset, &f->id, sizeof f->id);
        }
        memcpy(tv_pb_member(m, f), value, size);
        return TV_OK;
    }
    size_t count = tv_pb_count(m, f);
    char *elements = tv_arena_alloc(a, (count + 1) * size);
    if (count > 0) {
        memcpy(elements, *(char *const *)tv_pb_member(m, f), count * size);
    }
    memcpy(elements + count * size, value, size);
    count++;
    memcpy(tv_pb_member(m, f), &elements, sizeof elements);
    memcpy((char *)m + f->quantifier_offset, &count, sizeof count);
    return TV_OK;
}
