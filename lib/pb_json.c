/* pb_json.c - messages out as canonical ProtoJSON. The way in is pb_parse.c.
 *
 * One walk over the descriptor, straight into the buffer: no tree of JSON values is built, since
 * this runs once for each answer of the gateway and each notice to a browser.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "crypto.h"
#include "pb.h"

/* The range of google.protobuf.Timestamp: years 1 to 9999. */
#define TIME_MIN_US (INT64_C(-62135596800) * TV_US_PER_S)
#define TIME_MAX_US (INT64_C(253402300800) * TV_US_PER_S - 1)

static void write_unsigned(struct tv_buf *out, uint64_t value, bool negative, bool quoted) {
    char text[24]; /* filled from its end; much cheaper than printf */
    char *p = text + sizeof text;
    if (quoted) {
        *--p = '"';
    }
    do {
        *--p = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    if (negative) {
        *--p = '-';
    }
    if (quoted) {
        *--p = '"';
    }
    tv_buf_append(out, p, (size_t)(text + sizeof text - p));
}

static void write_signed(struct tv_buf *out, int64_t value, bool quoted) {
    write_unsigned(out, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0, quoted);
}

/* The shortest text that reads back as the same number. */
static void write_real(struct tv_buf *out, double value, bool single) {
    if (!isfinite(value)) {
        tv_buf_puts(out, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    char text[40];
    for (int digits = single ? FLT_DIG : DBL_DIG;; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value) {
            break;
        }
    }
    tv_buf_puts(out, text);
}

static void write_bytes(struct tv_buf *out, const ProtobufCBinaryData *bytes) {
    tv_buf_char(out, '"');
    for (size_t i = 0; i < bytes->len; i += 48) {
        char text[64 + 1];
        size_t n = tv_base64url(bytes->data + i, TV_MIN(bytes->len - i, (size_t)48), text);
        for (size_t k = 0; k < n; k++) { /* ProtoJSON writes the standard alphabet, padded */
            text[k] = text[k] == '-' ? '+' : text[k] == '_' ? '/' : text[k];
        }
        while (n % 4 != 0) {
            text[n++] = '=';
        }
        tv_buf_append(out, text, n);
    }
    tv_buf_char(out, '"');
}

static void write_enum(struct tv_buf *out, const ProtobufCEnumDescriptor *type, int value) {
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);
    if (known == NULL) { /* of a newer peer */
        write_signed(out, value, false);
        return;
    }
    tv_buf_char(out, '"');
    tv_buf_puts(out, known->name);
    tv_buf_char(out, '"');
}

static void write_time(struct tv_buf *out, const struct Google__Protobuf__Timestamp *t) {
    char text[TV_TIME_TEXT_MAX];
    int64_t us = TV_MAX(TIME_MIN_US, TV_MIN(TIME_MAX_US, tv_pb_time_us(t)));
    size_t len = tv_time_format(us, text);
    tv_buf_char(out, '"');
    tv_buf_append(out, text, len);
    tv_buf_char(out, '"');
}

/* Writes one value; `p` points to the member, or to the element of a repeated one. */
static void write_value(struct tv_buf *out, const ProtobufCFieldDescriptor *f, const void *p) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        write_signed(out, *(const int32_t *)p, false);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        write_unsigned(out, *(const uint32_t *)p, false, false);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        write_signed(out, *(const int64_t *)p, true);
        return;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        write_unsigned(out, *(const uint64_t *)p, false, true);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
        write_real(out, (double)*(const float *)p, true);
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        write_real(out, *(const double *)p, false);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        tv_buf_puts(out, *(const protobuf_c_boolean *)p ? "true" : "false");
        return;
    case PROTOBUF_C_TYPE_ENUM:
        write_enum(out, f->descriptor, *(const int *)p);
        return;
    case PROTOBUF_C_TYPE_STRING:
        tv_buf_json(out, tv_str(*(const char *const *)p));
        return;
    case PROTOBUF_C_TYPE_BYTES:
        write_bytes(out, p);
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        if (tv_pb_is_time(f)) {
            write_time(out, *(const struct Google__Protobuf__Timestamp *const *)p);
        } else {
            tv_pb_to_json(*(const ProtobufCMessage *const *)p, out);
        }
        return;
    }
    tv_panic("field %s has a type that protobuf-c does not know", f->name);
}

static void write_repeated(struct tv_buf *out, const ProtobufCMessage *m,
                           const ProtobufCFieldDescriptor *f) {
    size_t count = tv_pb_count(m, f);
    const char *element = *(const char *const *)tv_pb_member(m, f);
    tv_buf_char(out, '[');
    for (size_t i = 0; i < count; i++, element += tv_pb_element_size(f)) {
        if (i > 0) {
            tv_buf_char(out, ',');
        }
        write_value(out, f, element);
    }
    tv_buf_char(out, ']');
}

static bool is_left_out(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, bool sparse) {
    bool may_be_absent =
        sparse ||
        (f->label != PROTOBUF_C_LABEL_REPEATED &&
         (f->type == PROTOBUF_C_TYPE_MESSAGE || (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0));
    return may_be_absent && !tv_pb_has(m, f);
}

static void write_message(const ProtobufCMessage *m, struct tv_buf *out, bool sparse) {
    const char *separator = "{\"";
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        if (is_left_out(m, f, sparse)) {
            continue;
        }
        tv_buf_append(out, separator, 2);
        tv_buf_puts(out, tv_pb_json_name(f));
        tv_buf_append(out, "\":", 2);
        separator = ",\"";
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            write_repeated(out, m, f);
        } else {
            write_value(out, f, tv_pb_member(m, f));
        }
    }
    tv_buf_puts(out, separator[0] == '{' ? "{}" : "}");
}

void tv_pb_to_json(const ProtobufCMessage *m, struct tv_buf *out) { write_message(m, out, false); }

void tv_pb_to_json_sparse(const ProtobufCMessage *m, struct tv_buf *out) {
    write_message(m, out, true);
}
