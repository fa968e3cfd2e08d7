/* route.h - what the gateway knows of an operation, and the bounds of its request.
 *
 * The table `tv_routes` and the rules are generated from proto/ (tools/gen_api.py writes
 * build/gen/routes.h and routes.c). This header is their form: pure data, no I/O. The router finds
 * a route by method and path, the guard asks tv_route_permits(), the validator walks a request
 * message beside its `struct tv_rules`, and the flight takes service, method and limits from it.
 */
#ifndef TV_GATEWAY_ROUTE_H
#define TV_GATEWAY_ROUTE_H

#include <protobuf-c/protobuf-c.h>

#include "lib/base.h"
#include "lib/rpc.h"

/* -- rules: bounds of a request's fields --------------------------------------------------------*/
enum tv_pattern {
    TV_PATTERN_NONE,
    TV_PATTERN_UUID,      /* lower-case, 8-4-4-4-12 */
    TV_PATTERN_TIME_ZONE, /* IANA name, e.g. Europe/Berlin */
    TV_PATTERN_LANGUAGE,  /* BCP 47, e.g. de-CH */
    TV_PATTERN_SLUG,      /* a-z, 0-9 and inner hyphens */
    TV_PATTERN_EMAIL,
    TV_PATTERN_DATE, /* YYYY-MM-DD */
    TV_PATTERN_TIME, /* HH:MM, 00:00 to 24:00 */
    TV_PATTERN_COUNT
};

struct tv_rules;

/* Bounds of one field. A field at its default (empty, 0, unset) is absent: an absent field fails
 * only `required` and, for numbers, `min` and `max`; length and pattern hold for strings that are
 * not empty. In a repeated field each element is checked. */
struct tv_field_rules {
    const char *name;               /* as in the .proto, for reading the table */
    uint32_t length_min;            /* bytes of a string */
    uint32_t length_max;            /* bytes of a string; always set for strings */
    enum tv_pattern pattern;        /* of a string */
    int64_t min, max;               /* of a number; the range of its type unless narrower */
    bool required;                  /* not absent */
    bool secret;                    /* never logged */
    bool hidden;                    /* refused in JSON and parameters; the gateway fills it */
    bool in_path;                   /* taken from the path: refused in the body */
    const struct tv_rules *message; /* rules of a sub-message of ours; NULL for other types */
};

/* Rules of a message type: `fields[i]` is about `type->fields[i]`. */
struct tv_rules {
    const ProtobufCMessageDescriptor *type;
    const struct tv_field_rules *fields;
    unsigned field_count;
};

/* -- routes -------------------------------------------------------------------------------------*/
/* Bits over enum tv_role; TV_ROLE_NONE stands for a caller without a session. */
#define TV_ACCESS(role) (1u << (role))

enum tv_rate_class {
    TV_RATE_READ,
    TV_RATE_WRITE,
    TV_RATE_JOIN,
    TV_RATE_LOG_IN,
    TV_RATE_WEBHOOK,
    TV_RATE_COUNT
};

enum tv_flow {
    TV_FLOW_CALL, /* one call over the bus */
    TV_FLOW_LOCAL /* code of the gateway's own, found by `id` */
};

struct tv_route {
    unsigned id;           /* its index in tv_routes, a TV_ROUTE_… of routes.h */
    const char *operation; /* "Appointments.Book": logs and the OpenAPI operationId */
    const char *label;     /* "appointments.book": metrics; the end of the bus subject */
    const char *method;    /* "POST" */
    const char *path;      /* "/v1/appointments/{appointment_id}/confirm"; parts are fields */
    const ProtobufCServiceDescriptor *service;
    unsigned method_index; /* in service->methods */
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *reply;
    const struct tv_rules *rules; /* of the request; NULL when it has no fields */
    unsigned access;              /* TV_ACCESS bits of the roles that may call it */
    uint32_t body_bytes_max;      /* 0: no body */
    uint32_t deadline_ms;
    bool idempotency_key; /* Idempotency-Key required, goes to field idempotency_key */
    bool if_match;        /* If-Match required, goes to field if_match */
    bool retry_safe;      /* may be sent again to another replica on "unavailable" */
    bool event_stream;    /* the answer is text/event-stream */
    enum tv_rate_class rate;
    enum tv_flow flow;
    const char *raw_body; /* type of a body that is passed on unread, to the field body, with
                             Authorization in the field authorization; NULL: the body is JSON */
    unsigned success;     /* HTTP status; 204 has no body */
    const char *response; /* name of the reply's field that is the body; NULL: the whole reply */
    const char *location; /* template of Location, parts are fields of the body; NULL: none */
};

static inline const ProtobufCMethodDescriptor *tv_route_method(const struct tv_route *r) {
    return &r->service->methods[r->method_index];
}

static inline bool tv_route_permits(const struct tv_route *r, enum tv_role role) {
    return (r->access & TV_ACCESS(role)) != 0;
}

/* Whether it can be called without a session. */
static inline bool tv_route_anonymous(const struct tv_route *r) {
    return tv_route_permits(r, TV_ROLE_NONE);
}

#endif
