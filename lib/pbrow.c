/* pbrow.c - columns become replies; parameters are in pbrow_params.c. See pbrow.h.
 *
 * A binding says where each column of a statement goes in a type of message. It is made once and
 * kept for ever: there are about as many as operations. */
#include "pbrow.h"

#include <stdlib.h>

#include "log.h"

#define PATH_MAX_FIELDS 4

/* Where a column goes: through sub-messages to a field, of the reply or of the row's element. */
struct target {
    char *column; /* owned; to notice a statement that was prepared anew with other columns */
    bool in_element;
    unsigned depth;
    const ProtobufCFieldDescriptor *path[PATH_MAX_FIELDS];
};

struct binding {
    struct binding *next;
    const struct tv_pg_statement *statement;
    const ProtobufCMessageDescriptor *type;
    struct target *targets; /* of the columns; NULL: not looked up yet */
    unsigned target_count;
    const ProtobufCFieldDescriptor *element; /* that rows are appended to; NULL: none */
};

static struct binding *bindings[256];

static struct binding *find_binding(const struct tv_pg_statement *st,
                                    const ProtobufCMessageDescriptor *type) {
    uintptr_t hash = ((uintptr_t)st >> 4) ^ ((uintptr_t)type >> 5);
    struct binding **bucket = &bindings[hash % TV_ARRAY_LEN(bindings)];
    for (struct binding *b = *bucket; b != NULL; b = b->next)
        if (b->statement == st && b->type == type)
            return b;
    struct binding *b = tv_calloc(1, sizeof *b);
    *b = (struct binding){.next = *bucket, .statement = st, .type = type};
    *bucket = b;
    return b;
}

static bool is_repeated(const ProtobufCFieldDescriptor *f) {
    return f->label == PROTOBUF_C_LABEL_REPEATED;
}
/* A message that is not a scalar in SQL. */
static bool is_message(const ProtobufCFieldDescriptor *f) {
    return f->type == PROTOBUF_C_TYPE_MESSAGE && !tv_pb_is_time(f);
}

/* -- columns: where they go ---------------------------------------------------------------------*/

enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_JSON = 114,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_VARCHAR = 1043,
    OID_TIMESTAMP = 1114,
    OID_TIMESTAMPTZ = 1184,
    OID_NUMERIC = 1700,
    OID_JSONB = 3802,
    OID_FIRST_OF_USERS = 16384, /* enum types among them */
};

static bool type_fits(const ProtobufCFieldDescriptor *f, unsigned oid) {
    if (is_repeated(f) || is_message(f))
        return oid == OID_JSON || oid == OID_JSONB || oid == OID_TEXT;
    bool integer = oid == OID_INT2 || oid == OID_INT4 || oid == OID_INT8;
    switch (f->type) {
    case PROTOBUF_C_TYPE_BOOL:
        return oid == OID_BOOL;
    case PROTOBUF_C_TYPE_BYTES:
        return oid == OID_BYTEA;
    case PROTOBUF_C_TYPE_MESSAGE:
        return oid == OID_TIMESTAMPTZ;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return integer || oid == OID_FLOAT4 || oid == OID_FLOAT8 || oid == OID_NUMERIC;
    case PROTOBUF_C_TYPE_ENUM:
        return oid == OID_TEXT || oid == OID_VARCHAR || oid == OID_NAME ||
               oid >= OID_FIRST_OF_USERS;
    case PROTOBUF_C_TYPE_STRING: /* not what PostgreSQL writes in a form of its own */
        return oid != OID_BOOL && oid != OID_BYTEA && oid != OID_TIMESTAMP &&
               oid != OID_TIMESTAMPTZ;
    default:
        return integer;
    }
}

/* Reads a column's name into a target; says why it cannot. */
static enum tv_err find_target(const ProtobufCMessageDescriptor *type, const char *column,
                               const ProtobufCFieldDescriptor **element, struct target *ret,
                               struct tv_error *e) {
    struct target t = {0};
    struct tv_str rest = tv_str(column);
    const char *brackets = strstr(column, "[].");
    if (brackets != NULL) {
        struct tv_str name = {column, (size_t)(brackets - column)};
        const ProtobufCFieldDescriptor *f = tv_pb_field(type, name);
        if (f == NULL || !is_repeated(f) || !is_message(f))
            return tv_fail(e, TV_ERR_INTERNAL, "column %s: no such repeated message in %s", column,
                           type->name);
        if (*element != NULL && *element != f)
            return tv_fail(e, TV_ERR_INTERNAL, "column %s: rows are elements of %s already", column,
                           (*element)->name);
        *element = f;
        t.in_element = true;
        type = f->descriptor;
        rest = tv_str(brackets + 3);
    }
    for (;;) {
        struct tv_str name = tv_str_cut(&rest, '.');
        const ProtobufCFieldDescriptor *f = tv_pb_field(type, name);
        if (f == NULL || t.depth == PATH_MAX_FIELDS)
            return tv_fail(e, TV_ERR_INTERNAL, "column %s: no field %.*s in %s", column,
                           TV_STR_ARGS(name), type->name);
        t.path[t.depth++] = f;
        if (rest.p == NULL)
            break;
        if (is_repeated(f) || !is_message(f))
            return tv_fail(e, TV_ERR_INTERNAL, "column %s: %s is not a message", column, f->name);
        type = f->descriptor;
    }
    t.column = tv_strdup(column);
    *ret = t;
    return TV_OK;
}

static void forget_targets(struct binding *b) {
    for (unsigned i = 0; i < b->target_count; i++)
        free(b->targets[i].column);
    free(b->targets);
    b->targets = NULL;
    b->target_count = 0;
    b->element = NULL;
}

static bool targets_are_of(const struct binding *b, const struct tv_pg_result *r) {
    if (b->targets == NULL || b->target_count != tv_pg_columns(r))
        return false;
    for (unsigned i = 0; i < b->target_count; i++)
        if (strcmp(b->targets[i].column, tv_pg_column_name(r, i)) != 0)
            return false;
    return true;
}

/* Looks up the targets of the result's columns, unless they are known. */
static enum tv_err bind_columns(struct binding *b, const struct tv_pg_result *r,
                                struct tv_error *e) {
    if (targets_are_of(b, r))
        return TV_OK;
    forget_targets(b);
    unsigned count = tv_pg_columns(r);
    b->targets = tv_calloc(count + 1, sizeof *b->targets);
    for (unsigned i = 0; i < count; i++) {
        enum tv_err err =
            find_target(b->type, tv_pg_column_name(r, i), &b->element, &b->targets[i], e);
        if (err != TV_OK) {
            forget_targets(b);
            return err;
        }
        b->target_count = i + 1;
    }
    return TV_OK;
}

/* -- columns: their values ----------------------------------------------------------------------*/

static bool read_integer(const ProtobufCFieldDescriptor *f, struct tv_str v, void *to) {
    int64_t i;
    uint64_t u;
    bool negative = v.len > 0 && v.p[0] == '-';
    switch (f->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        if (!tv_str_to_u64(v, 0, UINT32_MAX, &u))
            return false;
        *(uint32_t *)to = (uint32_t)u;
        return true;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return tv_str_to_u64(v, 0, UINT64_MAX, to);
    default:
        break;
    }
    /* tv_str_to_u64() and not _i64: the sign is PostgreSQL's business and is read here. */
    if (negative)
        v = (struct tv_str){v.p + 1, v.len - 1};
    if (!tv_str_to_u64(v, 0, (uint64_t)INT64_MAX + negative, &u))
        return false;
    i = negative ? (int64_t)(0 - u) : (int64_t)u;
    if (tv_pb_element_size(f) == sizeof(int64_t)) {
        *(int64_t *)to = i;
        return true;
    }
    if (i < INT32_MIN || i > INT32_MAX)
        return false;
    *(int32_t *)to = (int32_t)i;
    return true;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_bytes(struct tv_str v, ProtobufCBinaryData *to, struct tv_arena *a) {
    if (v.len < 2 || v.len % 2 != 0 || v.p[0] != '\\' || v.p[1] != 'x')
        return false;
    size_t len = v.len / 2 - 1;
    uint8_t *data = tv_arena_alloc(a, len + 1);
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(v.p[2 + 2 * i]), low = hex_digit(v.p[3 + 2 * i]);
        if (high < 0 || low < 0)
            return false;
        data[i] = (uint8_t)(high << 4 | low);
    }
    *to = (ProtobufCBinaryData){.len = len, .data = data};
    return true;
}

/* ProtoJSON of a message field or of a whole repeated field: read as a member of its parent, from
 * where it is moved. */
static bool read_json(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, struct tv_str v,
                      struct tv_arena *a) {
    struct tv_buf json = TV_BUF_INIT(v.len + 256);
    tv_buf_printf(&json, "{\"%s\":", f->name);
    tv_buf_str(&json, v);
    tv_buf_char(&json, '}');
    ProtobufCMessage *parent = NULL;
    struct tv_error e = TV_ERROR_INIT;
    bool ok = tv_pb_from_json(m->descriptor, tv_buf_view(&json), 0, a, &parent, &e) == TV_OK;
    tv_buf_done(&json);
    if (!ok) {
        tv_log_debug("column is not ProtoJSON", F_STR(NAME, e.pointer), F_STR(REASON, e.detail));
        return false;
    }
    if (is_repeated(f)) {
        memcpy(tv_pb_member(m, f), tv_pb_member(parent, f), sizeof(void *));
        memcpy((char *)m + f->quantifier_offset, (char *)parent + f->quantifier_offset,
               sizeof(size_t));
    } else {
        memcpy(tv_pb_member(m, f), tv_pb_member(parent, f), sizeof(void *));
    }
    return true;
}

/* Sets field `f` of `m` from a value that is not NULL. */
static bool read_value(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                       const struct tv_pg_result *r, unsigned row, unsigned column,
                       struct tv_arena *a) {
    struct tv_str v = tv_pg_value(r, row, column);
    if (is_repeated(f) || is_message(f))
        return read_json(m, f, v, a);
    void *to = tv_pb_member(m, f);
    if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
        memcpy((char *)m + f->quantifier_offset, &f->id, sizeof f->id);
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        *(char **)to = tv_arena_str(a, v);
        return true;
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(v, to, a);
    case PROTOBUF_C_TYPE_MESSAGE: {
        int64_t us;
        if (!tv_pg_time(r, row, column, &us))
            return false;
        *(struct Google__Protobuf__Timestamp **)to = tv_pb_time(us, a);
        return true;
    }
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)to = tv_str_eqz(v, "t");
        return v.len == 1 && (v.p[0] == 't' || v.p[0] == 'f');
    case PROTOBUF_C_TYPE_ENUM: {
        const ProtobufCEnumValue *value =
            protobuf_c_enum_descriptor_get_value_by_name(f->descriptor, v.p);
        if (value == NULL)
            return false;
        *(int *)to = value->value;
        return true;
    }
    case PROTOBUF_C_TYPE_FLOAT:
        *(float *)to = strtof(v.p, NULL);
        return true;
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)to = strtod(v.p, NULL);
        return true;
    default:
        return read_integer(f, v, to);
    }
}

/* The message at the end of the target's path, made where it is missing. */
static ProtobufCMessage *walk(ProtobufCMessage *m, const struct target *t, struct tv_arena *a) {
    for (unsigned i = 0; i + 1 < t->depth; i++) {
        ProtobufCMessage **sub = tv_pb_member(m, t->path[i]);
        if (*sub == NULL)
            *sub = tv_pb_new(t->path[i]->descriptor, a);
        m = *sub;
    }
    return m;
}

/* Fills `m` from the columns of one row that belong to the element, or that do not. */
static enum tv_err fill_row(const struct binding *b, const struct tv_pg_result *r, unsigned row,
                            bool in_element, ProtobufCMessage *m, struct tv_arena *a,
                            struct tv_error *e) {
    for (unsigned i = 0; i < b->target_count; i++) {
        const struct target *t = &b->targets[i];
        if (t->in_element != in_element || tv_pg_is_null(r, row, i))
            continue;
        if (!read_value(walk(m, t, a), t->path[t->depth - 1], r, row, i, a)) {
            tv_log_debug("column does not fit", F_STR(STATEMENT, b->statement->name),
                         F_STR(NAME, t->column));
            return tv_fail_at(e, TV_ERR_INTERNAL, t->column, "%s", "");
        }
    }
    return TV_OK;
}

static bool has_element(const struct binding *b, const struct tv_pg_result *r, unsigned row) {
    for (unsigned i = 0; i < b->target_count; i++)
        if (b->targets[i].in_element && !tv_pg_is_null(r, row, i))
            return true;
    return false;
}

/* Each row is one element of the field `b->element`. */
static enum tv_err fill_elements(const struct binding *b, const struct tv_pg_result *r,
                                 ProtobufCMessage *reply, struct tv_arena *a, struct tv_error *e) {
    unsigned rows = tv_pg_rows(r);
    ProtobufCMessage **elements = tv_arena_calloc(a, rows + 1, sizeof *elements);
    size_t count = 0;
    for (unsigned row = 0; row < rows; row++) {
        if (!has_element(b, r, row))
            continue;
        ProtobufCMessage *m = tv_pb_new(b->element->descriptor, a);
        enum tv_err err = fill_row(b, r, row, true, m, a, e);
        if (err != TV_OK)
            return err;
        elements[count++] = m;
    }
    memcpy(tv_pb_member(reply, b->element), &elements, sizeof elements);
    memcpy((char *)reply + b->element->quantifier_offset, &count, sizeof count);
    return TV_OK;
}

enum tv_err tv_pbrow_fill(const struct tv_pg_result *r, ProtobufCMessage *reply, struct tv_arena *a,
                          struct tv_error *e) {
    struct binding *b = find_binding(tv_pg_result_statement(r), reply->descriptor);
    enum tv_err err = bind_columns(b, r, e);
    if (err == TV_OK && b->element != NULL)
        err = fill_elements(b, r, reply, a, e);
    if (err == TV_OK && tv_pg_rows(r) > 0)
        err = fill_row(b, r, tv_pg_rows(r) - 1, false, reply, a, e);
    return err;
}

/* -- the check ----------------------------------------------------------------------------------*/

static enum tv_err check_columns(const struct tv_pg_result *described, struct binding *b,
                                 struct tv_error *e) {
    enum tv_err err = bind_columns(b, described, e);
    for (unsigned i = 0; err == TV_OK && i < b->target_count; i++) {
        const struct target *t = &b->targets[i];
        const ProtobufCFieldDescriptor *f = t->path[t->depth - 1];
        if (!type_fits(f, tv_pg_column_type(described, i)))
            err = tv_fail(e, TV_ERR_INTERNAL, "column %s: its type does not fit the field",
                          t->column);
        for (unsigned k = 0; k < i && err == TV_OK; k++)
            if (strcmp(b->targets[k].column, t->column) == 0)
                err = tv_fail(e, TV_ERR_INTERNAL, "column %s: is there twice", t->column);
    }
    return err;
}

enum tv_err tv_pbrow_check(const struct tv_pg_statement *st, const struct tv_pg_result *described,
                           const ProtobufCMessageDescriptor *request,
                           const ProtobufCMessageDescriptor *reply, struct tv_error *e) {
    struct tv_error fault = TV_ERROR_INIT;
    enum tv_err err = tv_pbrow_check_params(st, request, e);
    if (err != TV_OK || described == NULL || reply == NULL)
        return err;
    if (check_columns(described, find_binding(st, reply), &fault) != TV_OK)
        return tv_fail(e, TV_ERR_INTERNAL, "statement %s: %.*s", st->name, 180, fault.detail);
    return TV_OK;
}
