#include "services/gateway/request.h"

#include <string.h>

#include "services/gateway/gateway.h"
#include "services/gateway/validate.h"

#define IDEMPOTENCY_KEY_MAX 128

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool request_decode(struct tv_str text, bool plus, struct tv_arena *a, struct tv_str *ret) {
    char *out = tv_arena_alloc(a, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = text.len - i > 2 ? hex_value(text.p[i + 1]) : -1;
            int low = high >= 0 ? hex_value(text.p[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        out[len++] = c;
    }
    out[len] = '\0';
    struct tv_str decoded = {out, len};
    if (!tv_str_is_utf8(decoded))
        return false;
    *ret = decoded;
    return true;
}

/* -- body ---------------------------------------------------------------------------------------*/

static enum tv_err set_field(struct flight *f, ProtobufCMessage *m, const char *name,
                             struct tv_str text, struct tv_error *e) {
    return tv_pb_set_text(m, tv_pb_field(m->descriptor, tv_str(name)), text, f->arena, e);
}

/* Whether the route takes a body of this type. What ends in +json is JSON too (RFC 6839). */
static bool takes_type(const struct tv_route *route, struct tv_str content_type) {
    struct tv_str type = tv_str_trim(tv_str_cut(&content_type, ';'));
    bool is_json = tv_str_eq_nocase(type, TV_S("application/json"));
    if (route->raw_body == NULL)
        return is_json;
    const char *suffix = strrchr(route->raw_body, '+');
    return tv_str_eq_nocase(type, tv_str(route->raw_body)) ||
           (is_json && suffix != NULL && strcmp(suffix, "+json") == 0);
}

static enum tv_err check_form(const struct flight *f, struct tv_error *e) {
    struct tv_str coding = tv_str_trim(tv_http_header(f->http, "Content-Encoding"));
    if (!takes_type(f->route, tv_http_header(f->http, "Content-Type")))
        return tv_fail_at(e, TV_ERR_UNSUPPORTED_MEDIA_TYPE, "Content-Type", "The body must be %s",
                          f->route->raw_body != NULL ? f->route->raw_body : "application/json");
    if (coding.len > 0 && !tv_str_eq_nocase(coding, TV_S("identity")))
        return tv_fail_at(e, TV_ERR_UNSUPPORTED_MEDIA_TYPE, "Content-Encoding",
                          "The body must not be compressed");
    return TV_OK;
}

/* The bytes as they came, and what the sender signed them with: who can read them judges both. */
static enum tv_err read_raw_body(struct flight *f, ProtobufCMessage **ret, struct tv_error *e) {
    struct tv_str body = tv_http_body(f->http);
    struct tv_str signature = tv_http_header(f->http, "Authorization");
    if (body.len == 0)
        return tv_fail(e, TV_ERR_MALFORMED, "There is no body");
    enum tv_err err = check_form(f, e);
    if (err != TV_OK)
        return err;
    if (signature.len == 0)
        return tv_fail_at(e, TV_ERR_UNAUTHENTICATED, "Authorization", "The body must be signed");
    ProtobufCMessage *m = tv_pb_new(f->route->request, f->arena);
    ProtobufCBinaryData *bytes = tv_pb_member(m, tv_pb_field(f->route->request, TV_S("body")));
    *bytes = (ProtobufCBinaryData){body.len, (uint8_t *)(uintptr_t)body.p}; /* as long as f */
    err = set_field(f, m, "authorization", signature, e);
    if (err == TV_OK)
        *ret = m;
    return err;
}

static enum tv_err read_body(struct flight *f, ProtobufCMessage **ret, struct tv_error *e) {
    const struct tv_route *route = f->route;
    struct tv_str body = tv_http_body(f->http);
    if (route->raw_body != NULL)
        return read_raw_body(f, ret, e);
    if (body.len == 0) {
        *ret = tv_pb_new(route->request, f->arena);
        return TV_OK;
    }
    if (route->body_bytes_max == 0)
        return tv_fail(e, TV_ERR_MALFORMED, "This request takes no body");
    enum tv_err err = check_form(f, e);
    if (err == TV_OK)
        err = tv_pb_from_json(route->request, body, 0, f->arena, ret, e);
    return err != TV_OK ? err : tv_validate_settable(route->rules, *ret, true, e);
}

/* -- path and query -----------------------------------------------------------------------------*/

static enum tv_err read_path(struct flight *f, ProtobufCMessage *m, struct tv_error *e) {
    struct tv_str rest = tv_str(f->route->path);
    for (unsigned i = 0; rest.p != NULL; i++) {
        (void)tv_str_cut(&rest, '{');
        if (rest.p == NULL)
            break;
        struct tv_str name = tv_str_cut(&rest, '}');
        struct tv_str value;
        /* An id that is not one names nothing that exists. */
        if (!request_decode(f->path_values[i], false, f->arena, &value))
            return tv_fail(e, TV_ERR_NOT_FOUND, "There is nothing at this address");
        enum tv_err err = tv_pb_set_text(m, tv_pb_field(m->descriptor, name), value, f->arena, e);
        if (err != TV_OK)
            return err;
    }
    return TV_OK;
}

static enum tv_err read_parameter(struct flight *f, struct tv_str parameter, ProtobufCMessage *m,
                                  struct tv_error *e) {
    struct tv_str text = parameter, value = {"", 0}, name;
    struct tv_str text_name = tv_str_cut(&text, '=');
    if (!request_decode(text_name, true, f->arena, &name) ||
        (text.p != NULL && !request_decode(text, true, f->arena, &value)))
        return tv_fail(e, TV_ERR_MALFORMED, "The query has a broken percent escape");
    const ProtobufCFieldDescriptor *d = tv_pb_field(m->descriptor, name);
    const struct tv_field_rules *rules =
        d == NULL ? NULL : &f->route->rules->fields[d - m->descriptor->fields];
    if (d == NULL || rules->hidden || rules->in_path || rules->secret)
        return tv_fail_at(e, TV_ERR_INVALID, tv_arena_str(f->arena, name),
                          "There is no such parameter");
    if (d->label != PROTOBUF_C_LABEL_REPEATED && tv_pb_has(m, d))
        return tv_fail_at(e, TV_ERR_INVALID, tv_pb_json_name(d), "This parameter is given twice");
    return tv_pb_set_text(m, d, value, f->arena, e);
}

static enum tv_err read_query(struct flight *f, ProtobufCMessage *m, struct tv_error *e) {
    struct tv_str rest = tv_http_query(f->http);
    bool takes_parameters = f->route->body_bytes_max == 0 && f->route->rules != NULL;
    if (rest.len > 0 && !takes_parameters)
        return tv_fail(e, TV_ERR_INVALID, "This request takes no query");
    while (rest.p != NULL) {
        struct tv_str parameter = tv_str_cut(&rest, '&');
        enum tv_err err = parameter.len == 0 ? TV_OK : read_parameter(f, parameter, m, e);
        if (err != TV_OK)
            return err;
    }
    return TV_OK;
}

/* -- fields -------------------------------------------------------------------------------------*/

/* draft-ietf-httpapi-idempotency-key-header: required on requests that create. */
static enum tv_err read_idempotency_key(struct flight *f, ProtobufCMessage *m, struct tv_error *e) {
    struct tv_str key = tv_str_trim(tv_http_header(f->http, "Idempotency-Key"));
    if (key.len >= 2 && key.p[0] == '"' && key.p[key.len - 1] == '"')
        key = (struct tv_str){key.p + 1, key.len - 2};
    bool printable = true;
    for (size_t i = 0; i < key.len; i++)
        printable = printable && key.p[i] > ' ' && key.p[i] < 0x7f;
    if (key.len == 0)
        return tv_fail_at(e, TV_ERR_MALFORMED, "Idempotency-Key",
                          "Idempotency-Key is required: a new random text for each new request");
    if (key.len > IDEMPOTENCY_KEY_MAX || !printable)
        return tv_fail_at(e, TV_ERR_MALFORMED, "Idempotency-Key",
                          "Idempotency-Key must be 1 to %d visible ASCII characters",
                          IDEMPOTENCY_KEY_MAX);
    return set_field(f, m, "idempotency_key", key, e);
}

/* RFC 9110 section 13.1.1; one strong ETag, which is the version in quotes. */
static enum tv_err read_if_match(struct flight *f, ProtobufCMessage *m, struct tv_error *e) {
    struct tv_str tag = tv_str_trim(tv_http_header(f->http, "If-Match"));
    int64_t version;
    if (tag.p == NULL)
        return tv_fail_at(e, TV_ERR_VERSION_REQUIRED, "If-Match",
                          "Give the ETag of the appointment that you saw");
    if (tag.len < 3 || tag.p[0] != '"' || tag.p[tag.len - 1] != '"' ||
        !tv_str_to_i64((struct tv_str){tag.p + 1, tag.len - 2}, 1, INT32_MAX, &version))
        return tv_fail_at(e, TV_ERR_STALE, "If-Match", "This is no ETag of ours");
    return set_field(f, m, "if_match", (struct tv_str){tag.p + 1, tag.len - 2}, e);
}

enum tv_err request_read(struct flight *f, ProtobufCMessage **ret, struct tv_error *e) {
    ProtobufCMessage *m;
    enum tv_err err = read_body(f, &m, e);
    if (err == TV_OK)
        err = read_query(f, m, e);
    if (err == TV_OK)
        err = read_path(f, m, e);
    if (err == TV_OK && f->route->idempotency_key)
        err = read_idempotency_key(f, m, e);
    if (err == TV_OK && f->route->if_match)
        err = read_if_match(f, m, e);
    if (err == TV_OK)
        err = tv_validate(f->route->rules, m, e);
    if (err == TV_OK)
        *ret = m;
    return err;
}
