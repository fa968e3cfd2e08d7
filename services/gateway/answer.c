#include "services/gateway/answer.h"

#include "services/gateway/gateway.h"
#include "services/gateway/problem.h"

#define JSON_MAX (2 * 1024 * 1024)
#define LINK_MAX 4096

size_t answer_base_fields(const struct flight *f,
                          struct tv_http_field fields[static ANSWER_FIELDS_MAX]) {
    size_t n = 0;
    fields[n++] = (struct tv_http_field){"X-Content-Type-Options", "nosniff"};
    fields[n++] = (struct tv_http_field){"Referrer-Policy", "no-referrer"};
    fields[n++] = (struct tv_http_field){"X-Request-Id", f->context.request_id};
    if (f->gateway->secure)
        fields[n++] = (struct tv_http_field){"Strict-Transport-Security", "max-age=31536000"};
    return n;
}

size_t answer_common_fields(const struct flight *f,
                            struct tv_http_field fields[static ANSWER_FIELDS_MAX]) {
    size_t n = answer_base_fields(f, fields);
    fields[n++] = (struct tv_http_field){"Cache-Control", "no-store"};
    fields[n++] = (struct tv_http_field){"Content-Security-Policy",
                                         "default-src 'none'; frame-ancestors 'none'"};
    return n;
}

void answer_send(struct flight *f, unsigned status, const char *content_type,
                 const struct tv_http_field *extra, size_t extra_count, struct tv_str body) {
    struct tv_http_field fields[ANSWER_FIELDS_MAX];
    size_t n = answer_common_fields(f, fields);
    if (content_type != NULL)
        fields[n++] = (struct tv_http_field){"Content-Type", content_type};
    assert(n + extra_count <= ANSWER_FIELDS_MAX);
    for (size_t i = 0; i < extra_count; i++)
        fields[n++] = extra[i];
    f->status = status;
    flight_move(f, FLIGHT_ANSWERED);
    tv_httpd_respond(f->http, status, fields, n, body);
}

void answer_lasting(struct flight *f, unsigned status, const struct tv_http_field *fields,
                    size_t field_count, struct tv_str body) {
    f->status = status;
    flight_move(f, FLIGHT_ANSWERED);
    tv_httpd_respond_lasting(f->http, status, fields, field_count, body);
}

void answer_empty(struct flight *f, unsigned status, const struct tv_http_field *extra,
                  size_t extra_count) {
    answer_send(f, status, NULL, extra, extra_count, (struct tv_str){NULL, 0});
}

static const ProtobufCFieldDescriptor *scalar_field(const ProtobufCMessage *m, const char *name,
                                                    ProtobufCType type) {
    const ProtobufCFieldDescriptor *d =
        protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);
    return d != NULL && d->type == type && d->label != PROTOBUF_C_LABEL_REPEATED ? d : NULL;
}

/* ETag of a message that has a version: the version, quoted (RFC 9110 section 8.8.3). */
static const char *etag_of(const ProtobufCMessage *m, struct tv_arena *a) {
    const ProtobufCFieldDescriptor *d = scalar_field(m, "version", PROTOBUF_C_TYPE_INT32);
    if (d == NULL)
        return NULL;
    return tv_arena_printf(a, "\"%d\"", *(const int32_t *)tv_pb_member(m, d));
}

/* The route's template with `{field}` replaced by that member of the body. */
static const char *location_of(const struct tv_route *route, const ProtobufCMessage *m,
                               struct tv_arena *a) {
    if (route->location == NULL)
        return NULL;
    struct tv_str after = tv_str(route->location);
    struct tv_str before = tv_str_cut(&after, '{');
    struct tv_str name = tv_str_cut(&after, '}');
    const ProtobufCFieldDescriptor *d =
        scalar_field(m, tv_arena_str(a, name), PROTOBUF_C_TYPE_STRING);
    if (d == NULL)
        return NULL;
    return tv_arena_printf(a, "%.*s%s%.*s", TV_STR_ARGS(before), *(char *const *)tv_pb_member(m, d),
                           TV_STR_ARGS(after));
}

/* RFC 8288: the same request with the next cursor. */
static const char *next_link(const struct flight *f, const ProtobufCMessage *m) {
    const ProtobufCFieldDescriptor *d = scalar_field(m, "next_cursor", PROTOBUF_C_TYPE_STRING);
    const char *cursor = d == NULL ? NULL : *(char *const *)tv_pb_member(m, d);
    if (cursor == NULL || cursor[0] == '\0')
        return NULL;
    struct tv_buf link = TV_BUF_INIT(LINK_MAX);
    tv_buf_char(&link, '<');
    tv_buf_str(&link, tv_http_path(f->http));
    tv_buf_char(&link, '?');
    struct tv_str rest = tv_http_query(f->http);
    while (rest.p != NULL && rest.len > 0) {
        struct tv_str parameter = tv_str_cut(&rest, '&');
        if (tv_str_starts(parameter, TV_S("cursor=")) || parameter.len == 0)
            continue;
        tv_buf_str(&link, parameter);
        tv_buf_char(&link, '&');
    }
    tv_buf_printf(&link, "cursor=%s>; rel=\"next\"", cursor);
    const char *text = link.overflow ? NULL : tv_arena_strndup(f->arena, link.data, link.len);
    tv_buf_done(&link);
    return text;
}

void answer_with(struct flight *f, unsigned status, const ProtobufCMessage *body,
                 const struct tv_http_field *extra, size_t extra_count) {
    struct tv_http_field fields[ANSWER_FIELDS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < extra_count; i++)
        fields[n++] = extra[i];
    const char *etag = etag_of(body, f->arena);
    const char *location = location_of(f->route, body, f->arena);
    const char *link = next_link(f, body);
    if (etag != NULL)
        fields[n++] = (struct tv_http_field){"ETag", etag};
    if (location != NULL)
        fields[n++] = (struct tv_http_field){"Location", location};
    if (link != NULL)
        fields[n++] = (struct tv_http_field){"Link", link};

    struct tv_buf json = TV_BUF_INIT(JSON_MAX);
    tv_pb_to_json(body, &json);
    if (json.overflow) {
        tv_buf_done(&json);
        tv_problem_answerf(f, TV_ERR_INTERNAL, "The answer is too large; ask for less of it");
        return;
    }
    answer_send(f, status != 0 ? status : f->route->success, "application/json", fields, n,
                tv_buf_view(&json));
    tv_buf_done(&json);
}

void answer_reply(struct flight *f, const ProtobufCMessage *reply) {
    const ProtobufCMessage *body = reply;
    if (f->route->response != NULL) {
        const ProtobufCFieldDescriptor *d =
            protobuf_c_message_descriptor_get_field_by_name(reply->descriptor, f->route->response);
        body = *(ProtobufCMessage *const *)tv_pb_member(reply, d);
        if (body == NULL) {
            tv_problem_answerf(f, TV_ERR_INTERNAL, "The service gave an incomplete answer");
            return;
        }
    }
    if (f->route->success == 204)
        answer_empty(f, 204, NULL, 0);
    else
        answer_with(f, 0, body, NULL, 0);
}
