/* rpc.c - see rpc.h. What a call says of itself stands in its head, what an error says in the
 * message Problem; the bus carries both and knows neither. */
#include "rpc.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "metrics.h"
#include "televisit/v1/common.pb-c.h"

enum {
    DEFAULT_DEADLINE_MS = 5000,
    DEADLINE_MAX_MS = 300000,
    NAME_MAX_BYTES = 64, /* of a service or method in a subject */
    SUBJECT_TEXT = 2 * NAME_MAX_BYTES + 8,
    METHODS_MAX = 256, /* that one process calls */
    NUMBER_TEXT = 24,
    HEAD_MAX_BYTES = 512,
    RETRY_AFTER_S = 1, /* of UNAVAILABLE */
};

/* Begins the head of a call; no packed message begins so (0x74 is the end of a group). */
#define HEAD_MARK "tv1 "

static const char deadline_header[] = "tv-deadline-ms", actor_header[] = "tv-actor",
                  traceparent_header[] = "traceparent", request_id_header[] = "tv-request-id";

static struct tv_metric expired_metric = {
    .name = "tv_rpc_expired_total",
    .help = "Calls that were dropped because nobody waited for them any more.",
    .type = TV_COUNTER,
};
static struct tv_metric malformed_metric = {
    .name = "tv_rpc_malformed_total",
    .help = "Messages that are no call of ours: bytes or headers that cannot be read.",
    .type = TV_COUNTER,
};

/* Subjects are lower case; the names in proto files are not. */
static void lower(const char *name, char out[static NAME_MAX_BYTES]) {
    size_t i = 0;

    for (; name[i] != '\0' && i < NAME_MAX_BYTES - 1; i++)
        out[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + ('a' - 'A') : name[i]);
    out[i] = '\0';
}

/* -- actors -------------------------------------------------------------------------------------*/

static const char *const role_names[] = {
    [TV_ROLE_NONE] = "none",   [TV_ROLE_PATIENT] = "patient", [TV_ROLE_DOCTOR] = "doctor",
    [TV_ROLE_STAFF] = "staff", [TV_ROLE_ADMIN] = "admin",     [TV_ROLE_INTERPRETER] = "interpreter",
    [TV_ROLE_GUEST] = "guest", [TV_ROLE_SERVICE] = "service",
};

const char *tv_role_name(enum tv_role r) {
    return (size_t)r < TV_ARRAY_LEN(role_names) ? role_names[r] : "none";
}

/* Appends the text, or "-" for what is absent, and a space. */
static char *put_word(char *at, const char *text) {
    size_t len = strlen(text);

    memcpy(at, len == 0 ? "-" : text, TV_MAX(len, 1));
    at += TV_MAX(len, 1);
    *at = ' ';
    return at + 1;
}

void tv_actor_format(const struct tv_actor *actor, char out[static TV_ACTOR_TEXT_MAX]) {
    char *at = put_word(out, actor->clinic_id);

    at = put_word(at, actor->person_id);
    at = put_word(at, actor->role == TV_ROLE_NONE ? "" : tv_role_name(actor->role));
    at = put_word(at, actor->session_id);
    at[-1] = '\0';
}

static bool parse_id(struct tv_str text, char out[static 37]) {
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

static bool parse_role(struct tv_str text, enum tv_role *ret) {
    if (tv_str_eq(text, TV_S("-"))) {
        *ret = TV_ROLE_NONE;
        return true;
    }
    for (unsigned r = TV_ROLE_PATIENT; r < TV_ARRAY_LEN(role_names); r++) {
        if (tv_str_eqz(text, role_names[r])) {
            *ret = (enum tv_role)r;
            return true;
        }
    }
    return false;
}

/* Cuts the four words of an actor off `*rest`. */
static bool parse_actor(struct tv_str *rest, struct tv_actor *ret) {
    struct tv_actor actor = {.role = TV_ROLE_NONE};

    if (!parse_id(tv_str_cut(rest, ' '), actor.clinic_id) ||
        !parse_id(tv_str_cut(rest, ' '), actor.person_id) ||
        !parse_role(tv_str_cut(rest, ' '), &actor.role) ||
        !parse_id(tv_str_cut(rest, ' '), actor.session_id))
        return false;
    *ret = actor;
    return true;
}

bool tv_actor_parse(const char *text, struct tv_actor *ret) {
    struct tv_str rest = tv_str(text);
    struct tv_actor actor;

    if (!parse_actor(&rest, &actor) || rest.p != NULL)
        return false;
    *ret = actor;
    return true;
}

/* -- problems on the wire -----------------------------------------------------------------------*/

struct Televisit__V1__Problem *tv_problem_from_error(const struct tv_error *e, struct tv_arena *a) {
    const struct tv_err_info *info = tv_err_info(e->code);
    ProtobufCMessage *base = tv_pb_new(&televisit__v1__problem__descriptor, a);
    Televisit__V1__Problem *p = (Televisit__V1__Problem *)(void *)base;

    p->type = tv_arena_printf(a, "/problems/%s", info->slug);
    p->title = tv_arena_strdup(a, info->title);
    p->status = info->http;
    p->detail = tv_arena_strdup(a, e->detail);
    p->retry_after_seconds = e->retry_after_s;
    if (e->pointer[0] != '\0') {
        Televisit__V1__FieldError *at =
            (void *)tv_pb_new(&televisit__v1__field_error__descriptor, a);
        at->pointer = tv_arena_strdup(a, e->pointer);
        at->detail = p->detail;
        p->errors = tv_arena_calloc(a, 1, sizeof(at));
        p->errors[0] = at;
        p->n_errors = 1;
    }
    for (unsigned i = 0; i < e->members; i++) {
        const struct tv_error_member *m = &e->member[i];
        const ProtobufCFieldDescriptor *f = tv_pb_field(base->descriptor, tv_str(m->name));

        if (f == NULL || tv_pb_is_time(f) != (m->string == NULL))
            tv_panic("message Problem has no such member: %s", m->name);
        if (m->string == NULL)
            *(void **)tv_pb_member(base, f) = tv_pb_time(m->time_us, a);
        else
            *(char **)tv_pb_member(base, f) = tv_arena_strdup(a, m->string);
    }
    return p;
}

/* A static copy of a member's value. They are words of a closed list (states), so a small table
 * holds them all; NULL for what cannot be one. */
static const char *intern(const char *word) {
    static char words[64][32];

    if (strlen(word) >= sizeof(words[0]))
        return NULL;
    for (size_t i = 0; i < TV_ARRAY_LEN(words); i++) {
        if (words[i][0] == '\0')
            memcpy(words[i], word, strlen(word) + 1);
        if (strcmp(words[i], word) == 0)
            return words[i];
    }
    return NULL;
}

/* The error of ours that is nearest to a number of HTTP, for errors of newer peers. */
static enum tv_err err_by_status(uint64_t status) {
    for (enum tv_err code = TV_OK + 1; code < TV_ERR_COUNT; code++) {
        if (tv_err_info(code)->http == status)
            return code;
    }
    return TV_ERR_INTERNAL;
}

static void add_member(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                       struct tv_error *e) {
    if (e->members == TV_ERROR_MEMBERS_MAX || !tv_pb_has(m, f))
        return;
    if (tv_pb_is_time(f)) {
        tv_error_add_time(e, tv_pb_json_name(f), tv_pb_time_us(*(void **)tv_pb_member(m, f)));
    } else if (f->type == PROTOBUF_C_TYPE_STRING) {
        const char *word = intern(*(char **)tv_pb_member(m, f));
        if (word != NULL)
            tv_error_add_string(e, tv_pb_json_name(f), word);
    }
}

void tv_problem_to_error(const struct Televisit__V1__Problem *p, struct tv_error *ret) {
    static const char prefix[] = "/problems/";
    const ProtobufCMessageDescriptor *type = &televisit__v1__problem__descriptor;
    struct tv_error e = TV_ERROR_INIT;

    if (strncmp(p->type, prefix, sizeof(prefix) - 1) == 0)
        e.code = tv_err_by_slug(p->type + sizeof(prefix) - 1);
    if (e.code == TV_OK)
        e.code = err_by_status(p->status);
    snprintf(e.detail, sizeof(e.detail), "%s", p->detail);
    if (p->n_errors > 0)
        snprintf(e.pointer, sizeof(e.pointer), "%s", p->errors[0]->pointer);
    e.retry_after_s = p->retry_after_seconds;
    /* The typed members are those after `errors`. */
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        if (f->offset > offsetof(Televisit__V1__Problem, errors) &&
            f->label != PROTOBUF_C_LABEL_REPEATED)
            add_member(&p->base, f, &e);
    }
    *ret = e;
}

/* -- serving ------------------------------------------------------------------------------------*/

struct tv_rpc_server {
    struct tv_bus *bus;
    const ProtobufCServiceDescriptor *descriptor;
    tv_rpc_handler *const *handlers;
    void *service_ctx;
    unsigned in_flight, in_flight_max;
    struct tv_series *expired, *malformed;
    struct tv_bus_service service;
    char name[NAME_MAX_BYTES];
    char (*methods)[NAME_MAX_BYTES];
    const char **method_names;
};

static void answer_error(struct tv_bus_call *c, const struct tv_error *e, struct tv_arena *a) {
    const struct Televisit__V1__Problem *p = tv_problem_from_error(e, a);

    tv_bus_reply_error(c, e->code, e->detail, tv_pb_pack(&p->base, a));
}

static void refuse(struct tv_bus_call *c, const struct tv_error *e) {
    TV_CLEANUP(tv_arena_free_p) struct tv_arena *a = tv_arena_new();

    answer_error(c, e, a);
}

static void copy_header(const struct tv_bus_message *m, const char *name, char *out, size_t size) {
    const char *value = tv_bus_header(m, name);

    if (value != NULL && strlen(value) < size && tv_str_is_utf8(tv_str(value)))
        memcpy(out, value, strlen(value) + 1);
}

/* The budget; 0 when it is used up, as a negative number says, too. */
static bool parse_budget(struct tv_str text, uint64_t *ret_ms) {
    bool is_over = text.len > 0 && text.p[0] == '-';
    uint64_t ms;

    if (is_over)
        text = (struct tv_str){text.p + 1, text.len - 1};
    if (!tv_str_to_u64(text, 0, UINT64_MAX, &ms))
        return false;
    *ret_ms = is_over ? 0 : TV_MIN(ms, (uint64_t)DEADLINE_MAX_MS);
    return true;
}

/* What the headers say. A context without a deadline gets the usual one. */
static enum tv_err read_headers(const struct tv_bus_message *m, int64_t now_us,
                                struct tv_context *ret, struct tv_error *e) {
    const char *deadline = tv_bus_header(m, deadline_header);
    const char *actor = tv_bus_header(m, actor_header);
    uint64_t left_ms = DEFAULT_DEADLINE_MS;

    ret->deadline_us = now_us + DEFAULT_DEADLINE_MS * TV_US_PER_MS;
    if (deadline != NULL && !parse_budget(tv_str(deadline), &left_ms))
        return tv_fail(e, TV_ERR_MALFORMED, "the header %s is not a number", deadline_header);
    ret->deadline_us = now_us + (int64_t)left_ms * TV_US_PER_MS;
    if (actor != NULL && !tv_actor_parse(actor, &ret->actor))
        return tv_fail(e, TV_ERR_MALFORMED, "the header %s cannot be read", actor_header);
    copy_header(m, request_id_header, ret->request_id, sizeof(ret->request_id));
    copy_header(m, traceparent_header, ret->traceparent, sizeof(ret->traceparent));
    return TV_OK;
}

/* A word of the head that is an id or the like; "-" is absent. What is too long is left out. */
static void copy_word(struct tv_str word, char *out, size_t size) {
    if (word.len < size && !tv_str_eq(word, TV_S("-")) && tv_str_is_utf8(word))
        memcpy(out, word.p, word.len);
}

/* What the head says; leaves in `*body` what follows it. */
static enum tv_err read_head(struct tv_str *body, int64_t now_us, struct tv_context *ret,
                             struct tv_error *e) {
    struct tv_str head = tv_str_cut(body, '\n');
    uint64_t left_ms;

    (void)tv_str_cut(&head, ' '); /* the mark */
    ret->deadline_us = now_us + DEFAULT_DEADLINE_MS * TV_US_PER_MS;
    if (body->p == NULL || !parse_budget(tv_str_cut(&head, ' '), &left_ms) ||
        !parse_actor(&head, &ret->actor))
        return tv_fail(e, TV_ERR_MALFORMED, "the head of the call cannot be read");
    ret->deadline_us = now_us + (int64_t)left_ms * TV_US_PER_MS;
    copy_word(tv_str_cut(&head, ' '), ret->request_id, sizeof(ret->request_id));
    copy_word(tv_str_cut(&head, ' '), ret->traceparent, sizeof(ret->traceparent));
    return TV_OK;
}

static enum tv_err read_context(const struct tv_bus_message *m, struct tv_str *body, int64_t now_us,
                                struct tv_context *ret, struct tv_error *e) {
    return tv_str_starts(*body, TV_S(HEAD_MARK)) ? read_head(body, now_us, ret, e)
                                                 : read_headers(m, now_us, ret, e);
}

static void end_call(struct tv_call *call) {
    struct tv_arena *a = call->arena; /* the call lives in it */

    call->server->in_flight--;
    tv_arena_free(a);
}

/* True, and the call is over, when its caller has given up. */
static bool is_too_late(struct tv_call *call, int64_t now_us) {
    if (now_us < call->context.deadline_us)
        return false;
    tv_inc(call->server->expired);
    tv_bus_drop(call->bus_call);
    end_call(call);
    return true;
}

static void on_bus_call(void *ctx, unsigned method, struct tv_bus_call *bus_call) {
    struct tv_rpc_server *s = ctx;
    const struct tv_bus_message *m = tv_bus_call_message(bus_call);
    struct tv_str body = tv_bus_body(m);
    int64_t now_us = tv_clock_mono_us();
    struct tv_error e = TV_ERROR_INIT;

    if (s->in_flight >= s->in_flight_max) {
        (void)tv_fail(&e, TV_ERR_UNAVAILABLE, "too many calls at a time");
        e.retry_after_s = RETRY_AFTER_S;
        refuse(bus_call, &e);
        return;
    }
    struct tv_arena *a = tv_arena_new();
    struct tv_call *call = TV_ARENA_NEW(a, struct tv_call);
    *call = (struct tv_call){.arena = a,
                             .method = &s->descriptor->methods[method],
                             .service_ctx = s->service_ctx,
                             .bus_call = bus_call,
                             .server = s};
    s->in_flight++;
    if (read_context(m, &body, now_us, &call->context, &e) != TV_OK) {
        tv_inc(s->malformed);
        tv_call_fail(call, &e);
        return;
    }
    if (is_too_late(call, now_us))
        return;
    call->request = tv_pb_unpack(call->method->input, body, a);
    if (call->request == NULL) {
        tv_inc(s->malformed);
        tv_call_failf(call, TV_ERR_MALFORMED, "the request is not a %s",
                      call->method->input->short_name);
        return;
    }
    s->handlers[method](call);
}

void tv_call_reply(struct tv_call *call, const ProtobufCMessage *reply) {
    assert(reply->descriptor == call->method->output);
    if (is_too_late(call, tv_clock_mono_us()))
        return;
    tv_bus_reply(call->bus_call, tv_pb_pack(reply, call->arena));
    end_call(call);
}

void tv_call_fail(struct tv_call *call, const struct tv_error *e) {
    if (is_too_late(call, tv_clock_mono_us()))
        return;
    answer_error(call->bus_call, e, call->arena);
    end_call(call);
}

void tv_call_failf(struct tv_call *call, enum tv_err err, const char *fmt, ...) {
    struct tv_error e = {.code = err};
    va_list args;

    va_start(args, fmt);
    vsnprintf(e.detail, sizeof(e.detail), fmt, args);
    va_end(args);
    tv_call_fail(call, &e);
}

struct tv_rpc_server *tv_rpc_serve(struct tv_bus *b, const ProtobufCServiceDescriptor *service,
                                   tv_rpc_handler *const *handlers, void *service_ctx,
                                   unsigned in_flight_max) {
    struct tv_rpc_server *s = tv_calloc(1, sizeof(*s));

    s->bus = b;
    s->descriptor = service;
    s->handlers = handlers;
    s->service_ctx = service_ctx;
    s->in_flight_max = in_flight_max;
    s->methods = tv_calloc(service->n_methods, sizeof(*s->methods));
    s->method_names = tv_calloc(service->n_methods, sizeof(*s->method_names));
    s->expired = tv_metric_single(&expired_metric);
    s->malformed = tv_metric_single(&malformed_metric);
    lower(service->short_name, s->name);
    for (unsigned i = 0; i < service->n_methods; i++) {
        if (handlers[i] == NULL)
            tv_panic("%s.%s has no handler", service->name, service->methods[i].name);
        lower(service->methods[i].name, s->methods[i]);
        s->method_names[i] = s->methods[i];
    }
    s->service = (struct tv_bus_service){.name = s->name,
                                         .methods = s->method_names,
                                         .method_count = service->n_methods,
                                         .on_call = on_bus_call,
                                         .ctx = s};
    tv_bus_serve(b, &s->service);
    return s;
}

unsigned tv_rpc_in_flight(const struct tv_rpc_server *s) { return s->in_flight; }

void tv_rpc_server_free(struct tv_rpc_server *s) {
    if (s == NULL)
        return;
    if (s->in_flight != 0)
        tv_panic("%s: %u calls are in flight", s->name, s->in_flight);
    free(s->methods);
    free(s->method_names);
    free(s);
}

/* -- calling ------------------------------------------------------------------------------------*/

struct flying_call {
    struct tv_arena *arena;
    const ProtobufCMessageDescriptor *output;
    tv_rpc_reply_fn *on_reply;
    void *ctx;
};

/* Fills `e` from an error reply; false when it is a good one. */
static bool read_error(const struct tv_bus_message *m, struct tv_arena *a, struct tv_error *e) {
    const char *number = tv_bus_header(m, "Nats-Service-Error-Code");
    uint64_t status = 0;

    if (number == NULL && tv_bus_header(m, "Nats-Service-Error") == NULL)
        return false;
    struct tv_str body = tv_bus_body(m);
    ProtobufCMessage *p =
        body.len == 0 ? NULL : tv_pb_unpack(&televisit__v1__problem__descriptor, body, a);
    if (p != NULL) {
        tv_problem_to_error((struct Televisit__V1__Problem *)(void *)p, e);
        return true;
    }
    const char *slug = tv_bus_header(m, "tv-error");
    if (slug != NULL)
        e->code = tv_err_by_slug(slug);
    if (e->code == TV_OK && number != NULL && tv_str_to_u64(tv_str(number), 0, 599, &status))
        e->code = err_by_status(status);
    if (e->code == TV_OK)
        e->code = TV_ERR_INTERNAL;
    return true;
}

/* What a person may be told of a call that got no answer; the title says the rest. */
static const char *words_for(enum tv_err err) {
    return err == TV_ERR_UNAVAILABLE ? "The service is not there; try again in a moment"
           : err == TV_ERR_DEADLINE  ? "The service did not answer in time"
                                     : "";
}

static void on_bus_reply(void *ctx, enum tv_err err, const struct tv_bus_message *m) {
    const struct flying_call *f = ctx;
    struct tv_error e = TV_ERROR_INIT;
    ProtobufCMessage *reply = NULL;

    if (err != TV_OK)
        (void)tv_fail(&e, err, "%s", words_for(err));
    else if (!read_error(m, f->arena, &e)) {
        reply = tv_pb_unpack(f->output, tv_bus_body(m), f->arena);
        if (reply == NULL)
            (void)tv_fail(&e, TV_ERR_INTERNAL, "the reply is not a %s", f->output->short_name);
    }
    if (e.code == TV_ERR_UNAVAILABLE && e.retry_after_s == 0)
        e.retry_after_s = RETRY_AFTER_S;
    f->on_reply(f->ctx, e.code, &e, reply);
}

/* `tv.v1.<service>.<method>`, made once for each method that this process calls. */
static const char *subject_of(const ProtobufCServiceDescriptor *service,
                              const ProtobufCMethodDescriptor *method) {
    static struct {
        const ProtobufCMethodDescriptor *method;
        char text[SUBJECT_TEXT];
    } made[METHODS_MAX];
    char service_name[NAME_MAX_BYTES], method_name[NAME_MAX_BYTES];
    size_t at = (uintptr_t)method / sizeof(*method) % METHODS_MAX;

    for (size_t i = 0; i < METHODS_MAX; i++, at = (at + 1) % METHODS_MAX) {
        if (made[at].method == method)
            return made[at].text;
        if (made[at].method == NULL)
            break;
    }
    if (made[at].method != NULL)
        tv_panic("more than %d methods are called, the last is %s", METHODS_MAX, method->name);
    lower(service->short_name, service_name);
    lower(method->name, method_name);
    snprintf(made[at].text, SUBJECT_TEXT, "tv.v1.%s.%s", service_name, method_name);
    made[at].method = method;
    return made[at].text;
}

/* What is left until the deadline, in milliseconds; returns where the digits begin. */
static const char *budget_text(int64_t left_us, char out[static NUMBER_TEXT]) {
    uint64_t ms = (uint64_t)TV_MAX(left_us, 0) / TV_US_PER_MS;
    char *at = out + NUMBER_TEXT - 1;

    *at = '\0';
    do
        *--at = (char)('0' + ms % 10);
    while ((ms /= 10) > 0);
    return at;
}

/* The head and the packed request behind it. */
static struct tv_str pack_call(const struct tv_context *context, const ProtobufCMessage *request,
                               struct tv_arena *a) {
    size_t packed = protobuf_c_message_get_packed_size(request);
    char *text = tv_arena_alloc(a, HEAD_MAX_BYTES + packed), budget[NUMBER_TEXT];
    char *at = text + sizeof(HEAD_MARK) - 1;

    static_assert(sizeof(HEAD_MARK) + NUMBER_TEXT + TV_ACTOR_TEXT_MAX + TV_REQUEST_ID_TEXT +
                          TV_TRACEPARENT_TEXT + 8 <
                      HEAD_MAX_BYTES,
                  "a head always fits");
    memcpy(text, HEAD_MARK, sizeof(HEAD_MARK) - 1);
    at = put_word(at, budget_text(context->deadline_us - tv_clock_mono_us(), budget));
    tv_actor_format(&context->actor, at);
    at += strlen(at);
    *at++ = ' ';
    at = put_word(at, context->request_id);
    at = put_word(at, context->traceparent);
    at[-1] = '\n';
    protobuf_c_message_pack(request, (uint8_t *)at);
    return (struct tv_str){text, (size_t)(at - text) + packed};
}

tv_bus_token tv_rpc_call(struct tv_bus *b, const ProtobufCServiceDescriptor *service,
                         const ProtobufCMethodDescriptor *method, const struct tv_context *context,
                         const ProtobufCMessage *request, struct tv_arena *a,
                         tv_rpc_reply_fn *on_reply, void *ctx) {
    struct flying_call *f = TV_ARENA_NEW(a, struct flying_call);
    /* A trace that is sampled is told to other tools on the bus as well. */
    const struct tv_bus_header trace = {traceparent_header, context->traceparent};
    size_t len = strlen(context->traceparent);
    bool sampled = len > 0 && context->traceparent[len - 1] == '1';

    assert(request->descriptor == method->input);
    *f = (struct flying_call){
        .arena = a, .output = method->output, .on_reply = on_reply, .ctx = ctx};
    return tv_bus_request(b, subject_of(service, method), &trace, sampled ? 1 : 0,
                          pack_call(context, request, a), context->deadline_us, on_bus_reply, f);
}
