#include "services/gateway/validate.h"

#include <stdio.h>

#include "lib/clock.h"

#define POINTER_MAX 128

/* -- patterns -----------------------------------------------------------------------------------*/

static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_alnum(char c) { return is_lower(c) || is_upper(c) || is_digit(c); }

/* Parts of `s` between separators: each 1..max characters that `allowed` or `extra` has. */
static bool parts_match(struct tv_str s, char separator, size_t max, const char *extra) {
    while (s.p != NULL) {
        struct tv_str part = tv_str_cut(&s, separator);
        if (part.len == 0 || part.len > max)
            return false;
        for (size_t i = 0; i < part.len; i++)
            if (!is_alnum(part.p[i]) && (part.p[i] == '\0' || strchr(extra, part.p[i]) == NULL))
                return false;
    }
    return true;
}

static bool is_slug(struct tv_str s) {
    for (size_t i = 0; i < s.len; i++)
        if (is_upper(s.p[i]))
            return false;
    return parts_match(s, '-', 63, "");
}

/* One @, something on both sides, no spaces or control characters: more is for the mail server. */
static bool is_email(struct tv_str s) {
    struct tv_str domain = s;
    struct tv_str local = tv_str_cut(&domain, '@');
    if (domain.p == NULL || local.len == 0 || local.len > 64 || domain.len == 0 ||
        memchr(domain.p, '@', domain.len) != NULL)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

static bool is_date(struct tv_str s) {
    char text[sizeof "2000-01-01T00:00:00Z"];
    int64_t us;
    if (s.len != 10)
        return false;
    snprintf(text, sizeof text, "%.*sT00:00:00Z", TV_STR_ARGS(s));
    return tv_time_parse(tv_str(text), &us);
}

static bool is_time(struct tv_str s) {
    uint64_t hour, minute;
    return s.len == 5 && s.p[2] == ':' && tv_str_to_u64((struct tv_str){s.p, 2}, 0, 24, &hour) &&
           tv_str_to_u64((struct tv_str){s.p + 3, 2}, 0, 59, &minute) && (hour < 24 || minute == 0);
}

bool tv_pattern_matches(enum tv_pattern pattern, struct tv_str text) {
    switch (pattern) {
    case TV_PATTERN_NONE:
        return true;
    case TV_PATTERN_UUID:
        return tv_str_is_uuid(text);
    case TV_PATTERN_TIME_ZONE:
        return text.len <= 64 && parts_match(text, '/', 32, "_+-");
    case TV_PATTERN_LANGUAGE:
        return text.len <= 35 && parts_match(text, '-', 8, "");
    case TV_PATTERN_SLUG:
        return is_slug(text);
    case TV_PATTERN_EMAIL:
        return is_email(text);
    case TV_PATTERN_DATE:
        return is_date(text);
    case TV_PATTERN_TIME:
        return is_time(text);
    case TV_PATTERN_COUNT:
        break;
    }
    return false;
}

static const char *const pattern_words[] = {
    [TV_PATTERN_NONE] = "",
    [TV_PATTERN_UUID] = "a UUID in lower case",
    [TV_PATTERN_TIME_ZONE] = "an IANA time zone such as Europe/Berlin",
    [TV_PATTERN_LANGUAGE] = "a language tag such as de or pt-BR",
    [TV_PATTERN_SLUG] = "made of a-z, 0-9 and hyphens",
    [TV_PATTERN_EMAIL] = "a mail address",
    [TV_PATTERN_DATE] = "a date such as 2030-12-31",
    [TV_PATTERN_TIME] = "a time such as 08:30",
};
static_assert(TV_ARRAY_LEN(pattern_words) == TV_PATTERN_COUNT, "a pattern without words");

/* -- fields -------------------------------------------------------------------------------------*/

static enum tv_err check_string(const struct tv_field_rules *r, const char *text,
                                const char *pointer, struct tv_error *e) {
    struct tv_str s = tv_str(text);
    if (s.len == 0)
        return TV_OK;
    if (s.len < r->length_min)
        return tv_fail_at(e, TV_ERR_INVALID, pointer, "must have at least %u bytes", r->length_min);
    if (s.len > r->length_max)
        return tv_fail_at(e, TV_ERR_INVALID, pointer, "must have at most %u bytes", r->length_max);
    if (!tv_pattern_matches(r->pattern, s))
        return tv_fail_at(e, TV_ERR_INVALID, pointer, "must be %s", pattern_words[r->pattern]);
    return TV_OK;
}

static enum tv_err check_number(const struct tv_field_rules *r, int64_t value, const char *pointer,
                                struct tv_error *e) {
    if (value < r->min || value > r->max)
        return tv_fail_at(e, TV_ERR_INVALID, pointer, "must be between %lld and %lld",
                          (long long)r->min, (long long)r->max);
    return TV_OK;
}

static enum tv_err check_message(const struct tv_rules *rules, const ProtobufCMessage *m,
                                 const char *prefix, unsigned depth, struct tv_error *e);

/* One value of a field: `at` points to it as protobuf-c stores it. */
static enum tv_err check_value(const ProtobufCFieldDescriptor *d, const struct tv_field_rules *r,
                               const void *at, const char *pointer, unsigned depth,
                               struct tv_error *e) {
    switch (d->type) {
    case PROTOBUF_C_TYPE_STRING:
        return check_string(r, *(const char *const *)at, pointer, e);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return check_number(r, *(const int32_t *)at, pointer, e);
    case PROTOBUF_C_TYPE_ENUM:
        if (protobuf_c_enum_descriptor_get_value(d->descriptor, *(const int *)at) == NULL)
            return tv_fail_at(e, TV_ERR_INVALID, pointer, "has no such value");
        return TV_OK;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return check_number(r, *(const uint32_t *)at, pointer, e);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return check_number(r, *(const int64_t *)at, pointer, e);
    case PROTOBUF_C_TYPE_MESSAGE: {
        const ProtobufCMessage *sub = *(ProtobufCMessage *const *)at;
        if (sub == NULL || r->message == NULL)
            return TV_OK;
        return check_message(r->message, sub, pointer, depth + 1, e);
    }
    default:
        return TV_OK;
    }
}

static enum tv_err check_field(const ProtobufCFieldDescriptor *d, const struct tv_field_rules *r,
                               const ProtobufCMessage *m, const char *prefix, unsigned depth,
                               struct tv_error *e) {
    char pointer[POINTER_MAX];
    snprintf(pointer, sizeof pointer, "%s/%s", prefix, tv_pb_json_name(d));
    if (r->required && !tv_pb_has(m, d))
        return tv_fail_at(e, TV_ERR_INVALID, pointer, "is required");
    if (d->label != PROTOBUF_C_LABEL_REPEATED)
        return check_value(d, r, tv_pb_member(m, d), pointer, depth, e);

    size_t count = tv_pb_count(m, d);
    const char *elements = *(char *const *)tv_pb_member(m, d);
    for (size_t i = 0; i < count; i++) {
        char element[POINTER_MAX + 24];
        snprintf(element, sizeof element, "%s/%zu", pointer, i);
        enum tv_err err =
            check_value(d, r, elements + i * tv_pb_element_size(d), element, depth, e);
        if (err != TV_OK)
            return err;
    }
    return TV_OK;
}

static enum tv_err check_message(const struct tv_rules *rules, const ProtobufCMessage *m,
                                 const char *prefix, unsigned depth, struct tv_error *e) {
    assert(rules->type == m->descriptor && depth <= TV_PB_MAX_DEPTH);
    for (unsigned i = 0; i < rules->field_count; i++) {
        enum tv_err err =
            check_field(&m->descriptor->fields[i], &rules->fields[i], m, prefix, depth, e);
        if (err != TV_OK)
            return err;
    }
    return TV_OK;
}

enum tv_err tv_validate(const struct tv_rules *rules, const ProtobufCMessage *m,
                        struct tv_error *e) {
    return rules == NULL ? TV_OK : check_message(rules, m, "", 0, e);
}

enum tv_err tv_validate_settable(const struct tv_rules *rules, const ProtobufCMessage *m, bool body,
                                 struct tv_error *e) {
    for (unsigned i = 0; rules != NULL && i < rules->field_count; i++) {
        const ProtobufCFieldDescriptor *d = &m->descriptor->fields[i];
        const struct tv_field_rules *r = &rules->fields[i];
        if ((r->hidden || (body && r->in_path)) && tv_pb_has(m, d)) {
            char pointer[POINTER_MAX];
            snprintf(pointer, sizeof pointer, "%s%s", body ? "/" : "", tv_pb_json_name(d));
            return tv_fail_at(e, TV_ERR_INVALID, pointer, "cannot be given here");
        }
    }
    return TV_OK;
}
