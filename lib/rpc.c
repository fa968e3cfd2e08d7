#include "rpc.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "metrics.h"
#include "televisit/v1/common.pb-c.h"

#define DEADLINE_STANDARD_US (5 * TV_US_PER_S) /* of a call that says none */
#define DEADLINE_MAX_MS 600000
#define SUBJECT_MAX 128
#define RETRY_AFTER_S 1

static struct tv_metric expired_metric = {
    .name = "tv_rpc_expired_total",
    .help = "Calls that were dropped because nobody waited for them any more",
    .type = TV_COUNTER,
};
static struct tv_metric malformed_metric = {
    .name = "tv_rpc_malformed_total",
    .help = "Messages that are no call of ours: bytes or headers that cannot be read",
    .type = TV_COUNTER,
};

/* -- actors -------------------------------------------------------------------------------------*/

static const char *const role_names[] = {
    [TV_ROLE_NONE] = "none",       [TV_ROLE_PATIENT] = "patient",
    [TV_ROLE_DOCTOR] = "doctor",   [TV_ROLE_STAFF] = "staff",
    [TV_ROLE_ADMIN] = "admin",     [TV_ROLE_INTERPRETER] = "interpreter",
    [TV_ROLE_GUEST] = "guest",     [TV_ROLE_SERVICE] = "service",
};

const char *tv_role_name(enum tv_role r) {
    return (size_t)r < TV_ARRAY_LEN(role_names) ? role_names[r] : "unknown";
}

static const char *or_dash(const char *id) { return id[0] == '\0' ? "-" : id; }

void tv_actor_format(const struct tv_actor *actor, char out[static TV_ACTOR_TEXT_MAX]) {
    snprintf(out, TV_ACTOR_TEXT_MAX, "%s %s %s %s", or_dash(actor->clinic_id),
             or_dash(actor->person_id), tv_role_name(actor->role), or_dash(actor->session_id));
}

static bool read_id(struct tv_str text, char out[static 37]) {
    if (tv_str_eq(text, TV_S("-"))) {
        out[0] = '\0';
        return true;
    }
    if (!tv_str_is_uuid(text))
        return false;
    memcpy(out, text.p, text.len);
    out[text.len] = '\0';
    return true;
}

static bool read_role(struct tv_str text, enum tv_role *ret) {
    for (size_t i = 0; i < TV_ARRAY_LEN(role_names); i++) {
        if (tv_str_eqz(text, role_names[i])) {
            *ret = (enum tv_role)i;
            return true;
        }
    }
    return false;
}

bool tv_actor_parse(const char *text, struct tv_actor *ret) {
    struct tv_actor actor = {.role = TV_ROLE_NONE};
    struct tv_str rest = tv_str(text);
    if (!read_id(tv_str_cut(&rest, ' '), actor.clinic_id) ||
        !read_id(tv_str_cut(&rest, ' '), actor.person_id) ||
        !read_role(tv_str_cut(&rest, ' '), &actor.role) ||
        !read_id(tv_str_cut(&rest, ' '), actor.session_id))
        return false;
    *ret = actor; /* what a newer peer adds at the end is left alone */
    return true;
}

/* -- problems -----------------------------------------------------------------------------------*/

static const ProtobufCFieldDescriptor *problem_field(const char *json_name) {
    return tv_pb_field(&televisit__v1__problem__descriptor, tv_str(json_name));
}

static void set_member(Televisit__V1__Problem *p, const struct tv_error_member *member,
                       struct tv_arena *a) {
    const ProtobufCFieldDescriptor *f = problem_field(member->name);
    if (f == NULL)
        tv_panic("message Problem has no member %s", member->name);
    void *at = tv_pb_member(&p->base, f);
    if (member->string != NULL)
        *(char **)at = tv_arena_strdup(a, member->string);
    else
        *(Google__Protobuf__Timestamp **)at = tv_pb_time(member->time_us, a);
}

Televisit__V1__Problem *tv_problem_from_error(const struct tv_error *e, struct tv_arena *a) {
    const struct tv_err_info *info = tv_err_info(e->code);
    Televisit__V1__Problem *p =
        TV_PB_NEW(a, Televisit__V1__Problem, televisit__v1__problem__descriptor);
    p->type = tv_arena_printf(a, "/problems/%s", info->slug);
    p->title = tv_arena_strdup(a, info->title);
    p->status = info->http;
    p->detail = tv_arena_strdup(a, e->detail);
    p->retry_after_seconds = e->retry_after_s;
    if (e->pointer[0] != '\0') {
        Televisit__V1__FieldError *at =
            TV_PB_NEW(a, Televisit__V1__FieldError, televisit__v1__field_error__descriptor);
        at->pointer = tv_arena_strdup(a, e->pointer);
        at->detail = p->detail;
        p->errors = tv_arena_alloc(a, sizeof *p->errors);
        p->errors[0] = at;
        p->n_errors = 1;
    }
    for (unsigned i = 0; i < e->members; i++)
        set_member(p, &e->member[i], a);
    return p;
}

static enum tv_err code_of(const Televisit__V1__Problem *p) {
    struct tv_str slug = tv_str(p->type), prefix = TV_S("/problems/");
    enum tv_err code = tv_str_starts(slug, prefix) ? tv_err_by_slug(slug.p + prefix.len) : TV_OK;
    return code != TV_OK ? code : TV_ERR_INTERNAL; /* the error of a newer peer */
}

void tv_problem_to_error(const Televisit__V1__Problem *p, struct tv_error *ret) {
    const char *pointer = p->n_errors > 0 ? p->errors[0]->pointer : "";
    (void)tv_fail_at(ret, code_of(p), pointer, "%s", p->detail);
    ret->retry_after_s = p->retry_after_seconds;
    if (p->opens_at != NULL)
        tv_error_add_time(ret, "opensAt", tv_pb_time_us(p->opens_at));
    if (p->closes_at != NULL)
        tv_error_add_time(ret, "closesAt", tv_pb_time_us(p->closes_at));
    if (p->server_time != NULL)
        tv_error_add_time(ret, "serverTime", tv_pb_time_us(p->server_time));
    if (p->appointment_status[0] != '\0')
        tv_error_add_string(ret, "appointmentStatus", p->appointment_status);
    if (p->wanted_status[0] != '\0' && ret->members < TV_ERROR_MEMBERS_MAX)
        tv_error_add_string(ret, "wantedStatus", p->wanted_status);
}

/* -- the serving side ---------------------------------------------------------------------------*/

struct tv_rpc_server {
    const ProtobufCServiceDescriptor *service;
    tv_rpc_handler *const *handlers; /* borrowed */
    void *service_ctx;
    unsigned in_flight;
    unsigned in_flight_max;
    struct tv_bus_service bus_service; /* owns name and methods */
    struct tv_series *expired, *malformed;
};

static void lower(char *out, const char *name, size_t size) {
    size_t i = 0;
    for (; name[i] != '\0' && i + 1 < size; i++)
        out[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + ('a' - 'A') : name[i]);
    out[i] = '\0';
}

static char *lower_copy(const char *name) {
    size_t size = strlen(name) + 1;
    char *copy = tv_malloc(size);
    lower(copy, name, size);
    return copy;
}

static void answer_error(struct tv_bus_call *c, const struct tv_error *e, struct tv_arena *a) {
    const Televisit__V1__Problem *p = tv_problem_from_error(e, a);
    tv_bus_reply_error(c, e->code, e->detail, tv_pb_pack(&p->base, a));
}

/* Budget of the caller: false when it is used up. */
static bool read_deadline(const struct tv_bus_message *m, int64_t now_us, int64_t *ret_us) {
    const char *text = tv_bus_header(m, "tv-deadline-ms");
    int64_t left_ms;
    *ret_us = now_us + DEADLINE_STANDARD_US;
    if (text == NULL)
        return true;
    struct tv_str s = tv_str(text);
    if (s.len > 0 && s.p[0] == '-')
        return false;
    if (tv_str_to_i64(s, 0, DEADLINE_MAX_MS, &left_ms))
        *ret_us = now_us + left_ms * TV_US_PER_MS;
    return *ret_us > now_us;
}

static void copy_header(char *out, size_t size, const struct tv_bus_message *m, const char *name) {
    const char *value = tv_bus_header(m, name);
    size_t len = value == NULL ? 0 : strlen(value);
    out[0] = '\0';
    if (len > 0 && len < size)
        memcpy(out, value, len + 1);
}

static enum tv_err read_call(struct tv_call *call, const struct tv_bus_message *m,
                             struct tv_error *e) {
    const char *actor = tv_bus_header(m, "tv-actor");
    if (actor != NULL && !tv_actor_parse(actor, &call->context.actor))
        return tv_fail(e, TV_ERR_MALFORMED, "The header tv-actor cannot be read");
    call->request = tv_pb_unpack(call->method->input, tv_bus_body(m), call->arena);
    if (call->request == NULL)
        return tv_fail(e, TV_ERR_MALFORMED, "The message is no %s", call->method->input->name);
    copy_header(call->context.request_id, sizeof call->context.request_id, m, "tv-request-id");
    copy_header(call->context.traceparent, sizeof call->context.traceparent, m, "traceparent");
    return TV_OK;
}

static void on_call(void *ctx, unsigned method, struct tv_bus_call *bus_call) {
    struct tv_rpc_server *s = ctx;
    const struct tv_bus_message *m = tv_bus_call_message(bus_call);
    int64_t now_us = tv_clock_mono_us(), deadline_us;
    struct tv_error e = TV_ERROR_INIT;
    if (!read_deadline(m, now_us, &deadline_us)) {
        tv_inc(s->expired);
        tv_bus_drop(bus_call);
        return;
    }
    struct tv_arena *a = tv_arena_new();
    struct tv_call *call = TV_ARENA_NEW(a, struct tv_call);
    *call = (struct tv_call){.arena = a,
                             .context = {.deadline_us = deadline_us},
                             .method = &s->service->methods[method],
                             .service_ctx = s->service_ctx,
                             .bus_call = bus_call,
                             .server = s,
                             .method_index = method,
                             .started_us = now_us};
    enum tv_err err = TV_OK;
    if (s->in_flight >= s->in_flight_max) {
        err = tv_fail(&e, TV_ERR_UNAVAILABLE, "The service is busy");
        e.retry_after_s = RETRY_AFTER_S;
    } else if (read_call(call, m, &e) != TV_OK) {
        err = e.code;
        tv_inc(s->malformed);
    }
    if (err != TV_OK) {
        answer_error(bus_call, &e, a);
        tv_arena_free(a);
        return;
    }
    s->in_flight++;
    s->handlers[method](call);
}

/* The call is over: true when somebody still waits for the answer. */
static bool end_call(struct tv_call *call) {
    call->server->in_flight--;
    if (tv_clock_mono_us() < call->context.deadline_us)
        return true;
    tv_inc(call->server->expired);
    tv_bus_drop(call->bus_call);
    tv_arena_free(call->arena);
    return false;
}

void tv_call_reply(struct tv_call *call, const ProtobufCMessage *reply) {
    assert(reply->descriptor == call->method->output);
    if (!end_call(call))
        return;
    tv_bus_reply(call->bus_call, tv_pb_pack(reply, call->arena));
    tv_arena_free(call->arena);
}

void tv_call_fail(struct tv_call *call, const struct tv_error *e) {
    if (!end_call(call))
        return;
    answer_error(call->bus_call, e, call->arena);
    tv_arena_free(call->arena);
}

void tv_call_failf(struct tv_call *call, enum tv_err err, const char *fmt, ...) {
    char detail[sizeof((struct tv_error *)NULL)->detail];
    struct tv_error e = TV_ERROR_INIT;
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    (void)tv_fail(&e, err, "%s", detail);
    tv_call_fail(call, &e);
}

struct tv_rpc_server *tv_rpc_serve(struct tv_bus *b, const ProtobufCServiceDescriptor *service,
                                   tv_rpc_handler *const *handlers, void *service_ctx,
                                   unsigned in_flight_max) {
    struct tv_rpc_server *s = tv_calloc(1, sizeof *s);
    const char **methods = tv_calloc(service->n_methods, sizeof *methods);
    for (unsigned i = 0; i < service->n_methods; i++) {
        if (handlers[i] == NULL)
            tv_panic("%s.%s has no handler", service->name, service->methods[i].name);
        methods[i] = lower_copy(service->methods[i].name);
    }
    s->service = service;
    s->handlers = handlers;
    s->service_ctx = service_ctx;
    s->in_flight_max = in_flight_max;
    s->expired = tv_metric_single(&expired_metric);
    s->malformed = tv_metric_single(&malformed_metric);
    s->bus_service = (struct tv_bus_service){.name = lower_copy(service->short_name),
                                             .methods = methods,
                                             .method_count = service->n_methods,
                                             .on_call = on_call,
                                             .ctx = s};
    tv_bus_serve(b, &s->bus_service);
    return s;
}

unsigned tv_rpc_in_flight(const struct tv_rpc_server *s) { return s->in_flight; }

void tv_rpc_server_free(struct tv_rpc_server *s) {
    if (s == NULL)
        return;
    assert(s->in_flight == 0);
    for (size_t i = 0; i < s->bus_service.method_count; i++)
        free((void *)(uintptr_t)s->bus_service.methods[i]);
    free((void *)(uintptr_t)s->bus_service.methods);
    free((void *)(uintptr_t)s->bus_service.name);
    free(s);
}

/* -- the calling side ---------------------------------------------------------------------------*/

struct pending {
    const ProtobufCMessageDescriptor *output;
    struct tv_arena *arena;
    tv_rpc_reply_fn *on_reply;
    void *ctx;
};

/* What a person may be told of a call that got no answer. */
static const char *words_for(enum tv_err err) {
    switch (err) {
    case TV_ERR_UNAVAILABLE:
        return "The service is not there; try again in a moment";
    case TV_ERR_DEADLINE:
        return "The service did not answer in time";
    default:
        return "";
    }
}

static enum tv_err read_reply(const struct pending *p, const struct tv_bus_message *m,
                              ProtobufCMessage **ret, struct tv_error *e) {
    if (tv_bus_header(m, "Nats-Service-Error-Code") != NULL) {
        const Televisit__V1__Problem *problem = (const void *)tv_pb_unpack(
            &televisit__v1__problem__descriptor, tv_bus_body(m), p->arena);
        const char *slug = tv_bus_header(m, "tv-error");
        if (problem != NULL && problem->type[0] != '\0') {
            tv_problem_to_error(problem, e);
            return e->code;
        }
        /* An error of the bus's own making, such as an unknown method. */
        enum tv_err code = slug == NULL ? TV_OK : tv_err_by_slug(slug);
        return tv_fail(e, code != TV_OK ? code : TV_ERR_INTERNAL, "The service refused the call");
    }
    *ret = tv_pb_unpack(p->output, tv_bus_body(m), p->arena);
    if (*ret == NULL)
        return tv_fail(e, TV_ERR_INTERNAL, "The service gave an answer that cannot be read");
    return TV_OK;
}

static void on_bus_reply(void *ctx, enum tv_err err, const struct tv_bus_message *m) {
    struct pending *p = ctx;
    struct tv_error e = TV_ERROR_INIT;
    ProtobufCMessage *reply = NULL;
    if (err == TV_OK)
        err = read_reply(p, m, &reply, &e);
    else
        (void)tv_fail(&e, err, "%s", words_for(err));
    if (err == TV_ERR_UNAVAILABLE && e.retry_after_s == 0)
        e.retry_after_s = RETRY_AFTER_S;
    p->on_reply(p->ctx, err, &e, err == TV_OK ? reply : NULL);
}

static void write_subject(char out[static SUBJECT_MAX], const ProtobufCServiceDescriptor *service,
                          const ProtobufCMethodDescriptor *method) {
    size_t len = sizeof "tv.v1." - 1;
    memcpy(out, "tv.v1.", len);
    lower(out + len, service->short_name, SUBJECT_MAX - len);
    len += strlen(out + len);
    out[len++] = '.';
    lower(out + len, method->name, SUBJECT_MAX - len);
}

tv_bus_token tv_rpc_call(struct tv_bus *b, const ProtobufCServiceDescriptor *service,
                         const ProtobufCMethodDescriptor *method, const struct tv_context *context,
                         const ProtobufCMessage *request, struct tv_arena *a,
                         tv_rpc_reply_fn *on_reply, void *ctx) {
    assert(request->descriptor == method->input);
    char subject[SUBJECT_MAX], actor[TV_ACTOR_TEXT_MAX], left[24];
    int64_t left_ms = (context->deadline_us - tv_clock_mono_us()) / TV_US_PER_MS;
    struct tv_bus_header headers[4];
    size_t n = 0;
    write_subject(subject, service, method);
    tv_actor_format(&context->actor, actor);
    snprintf(left, sizeof left, "%lld", (long long)TV_MAX(left_ms, 1));
    headers[n++] = (struct tv_bus_header){"tv-deadline-ms", left};
    headers[n++] = (struct tv_bus_header){"tv-actor", actor};
    if (context->traceparent[0] != '\0')
        headers[n++] = (struct tv_bus_header){"traceparent", context->traceparent};
    if (context->request_id[0] != '\0')
        headers[n++] = (struct tv_bus_header){"tv-request-id", context->request_id};

    struct pending *p = TV_ARENA_NEW(a, struct pending);
    *p = (struct pending){method->output, a, on_reply, ctx};
    return tv_bus_request(b, subject, headers, n, tv_pb_pack(request, a), context->deadline_us,
                          on_bus_reply, p);
}
