"""Writes routes.h and routes.c: the route table and the rules of requests, in C.

Their form is services/gateway/route.h.
"""

from .model import PACKAGE, STRING_MAX, F

HEADER = "/* Generated from proto/ by tools/gen_api.py. */\n"


def c_name(full_name):
    """televisit.v1.BookRequest as protobuf-c writes it: televisit__v1__book_request."""
    return "__".join(map(camel_to_lower, full_name.split(".")))


def camel_to_lower(name):
    out, was_upper = "", True
    for c in name:
        if c.isupper() and not was_upper:
            out += "_"
        out += c.lower()
        was_upper = c.isupper()
    return out


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if text else "NULL"


def c_int(value):
    if value == -(2**63):
        return "INT64_MIN"
    return f"INT64_C({value})"


def c_bool(value):
    return "true" if value else "false"


def route_id(o):
    return "TV_ROUTE_" + camel_to_lower(o.service.name).upper() + "_" + \
        camel_to_lower(o.method_name).upper()


def header(api):
    ids = "".join(f"    {route_id(o)},\n" for o in api.routes())
    return f"""{HEADER}#ifndef TV_GEN_ROUTES_H
#define TV_GEN_ROUTES_H

#include "services/gateway/route.h"

/* Index of each operation in tv_routes. */
enum tv_route_id {{
{ids}    TV_ROUTE_COUNT
}};

/* By path and method; fixed parts of a path stand before fields. */
extern const struct tv_route tv_routes[TV_ROUTE_COUNT];

/* openapi.json as it is served: not NUL-terminated. */
extern const char tv_openapi_json[];
extern const size_t tv_openapi_json_bytes;

#endif
"""


def source(api):
    routes = api.routes()
    messages = api.closure(o.input for o in routes)
    in_path = {}
    for o in routes:
        in_path.setdefault(o.input.full_name, set()).update(o.path_fields)
    with_fields = [m for m in messages if m.fields]
    parts = [HEADER, '#include "routes.h"\n\n', includes(api, routes), "\n"]
    parts += [f"static const struct tv_rules {rules_name(m)};\n" for m in with_fields]
    parts += [rules(m, in_path.get(m.full_name, ())) for m in with_fields]
    parts.append("\nconst struct tv_route tv_routes[TV_ROUTE_COUNT] = {\n")
    parts += [route(o) for o in routes]
    parts.append("};\n")
    return "".join(parts)


def includes(api, routes):
    files = {o.service.file for o in routes}
    for o in routes:
        files |= {o.input.file, o.output.file}
    files |= {m.file for m in api.closure(o.input for o in routes)}
    return "".join(f'#include "{f[:-len(".proto")]}.pb-c.h"\n' for f in sorted(files))


def rules_name(m):
    return "rules_" + c_name(m.full_name)


def rules(m, in_path):
    rows = "".join(field_rules(f, f.name in in_path) for f in m.fields)
    name = c_name(m.full_name)
    return f"""
static const struct tv_field_rules fields_{name}[] = {{
{rows}}};
static const struct tv_rules {rules_name(m)} = {{
    &{name}__descriptor, fields_{name}, {len(m.fields)}
}};
"""


def field_rules(f, in_path):
    r, members = f.rules, [f'.name = "{f.name}"']
    if f.type == F.TYPE_STRING:
        members.append(f".length_max = {r.length_max or STRING_MAX}")
    if r.length_min:
        members.append(f".length_min = {r.length_min}")
    if r.pattern:
        members.append(f".pattern = TV_PATTERN_{r.pattern.upper()}")
    if f.is_int:
        low, high = f.bounds()
        members += [f".min = {c_int(low)}", f".max = {c_int(high)}"]
    members += [f".{flag} = true" for flag in ("required", "secret", "hidden") if getattr(r, flag)]
    if in_path:
        members.append(".in_path = true")
    if f.is_message and f.type_name.startswith(PACKAGE + "."):
        members.append(f".message = &rules_{c_name(f.type_name)}")
    return "    {" + ", ".join(members) + "},\n"


def access(o):
    bits = ["NONE"] * o.anonymous + o.roles
    return " |\n                  ".join(f"TV_ACCESS(TV_ROLE_{r})" for r in bits)


def route(o):
    p = o.options
    rules_of = f"&{rules_name(o.input)}" if o.input.fields else "NULL"
    return f"""    [{route_id(o)}] = {{
        .id = {route_id(o)},
        .operation = "{o.name}",
        .label = "{o.label}",
        .method = "{p.method}",
        .path = "{p.path}",
        .service = &{c_name(o.service.full_name)}__descriptor,
        .method_index = {o.index},
        .request = &{c_name(o.input.full_name)}__descriptor,
        .reply = &{c_name(o.output.full_name)}__descriptor,
        .rules = {rules_of},
        .access = {access(o)},
        .body_bytes_max = {p.body_bytes_max},
        .deadline_ms = {o.deadline_ms},
        .idempotency_key = {c_bool(p.idempotency_key)},
        .if_match = {c_bool(p.if_match)},
        .retry_safe = {c_bool(p.retry_safe)},
        .event_stream = {c_bool(p.event_stream)},
        .rate = TV_RATE_{o.rate},
        .flow = {"TV_FLOW_LOCAL" if o.local else "TV_FLOW_CALL"},
        .raw_body = {c_string(p.raw_body)},
        .success = {o.success},
        .response = {c_string(p.response)},
        .location = {c_string(p.location)},
    }},
"""
