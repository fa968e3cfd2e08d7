"""Proves that the options of all operations and fields make sense, before anything is written."""

import re

from .model import EMPTY, PACKAGE, ROLES, TIMESTAMP, ApiError, F, template_fields

PATTERNS = ["uuid", "time_zone", "language", "slug", "email", "date", "time"]
METHODS = {"GET": False, "DELETE": False, "POST": True, "PUT": True, "PATCH": True}  # has a body
SUCCESSES = (200, 201, 202, 204)
DEADLINE_MS_MAX = 60000


def check(api):
    role = api.enums.get(f"{PACKAGE}.Role.Value")
    if role is not None and role.values[1:len(ROLES) + 1] != ROLES:
        raise ApiError(f"{role.full_name}: the roles are not {', '.join(ROLES)}, in this order")
    for m in api.messages.values():
        for f in m.fields:
            check_rules(m, f)
    for o in api.operations:
        for fault in operation_faults(api, o):
            raise ApiError(f"{o.file}:{o.line}: {o.name}: {fault}")
    check_unique(api.routes())


def check_rules(m, f):
    for fault in rule_faults(f):
        raise ApiError(f"{m.file}:{f.line}: {m.full_name}.{f.name}: {fault}")


def rule_faults(f):
    r = f.rules
    if r.pattern and r.pattern not in PATTERNS:
        yield f'unknown pattern "{r.pattern}"; there are {", ".join(PATTERNS)}'
    if (r.pattern or r.length_max or r.length_min) and f.type != F.TYPE_STRING:
        yield "pattern and length are for strings"
    if r.length_max and r.length_min > r.length_max:
        yield "length_min is above length_max"
    if (r.min or r.max) and not f.is_int:
        yield "min and max are for integers"
    if f.is_int and f.bounds()[0] > f.bounds()[1]:
        yield "min is above max"
    if r.hidden and r.required:
        yield "a hidden field cannot be required"


def operation_faults(api, o):
    """Each fault as text; the first one is reported."""
    if not o.access or "ACCESS_UNSPECIFIED" in o.access:
        yield "no access: who may call it?"
    if len(set(o.access)) != len(o.access):
        yield "a role is listed twice in access"
    if len(o.access) > 1 and {"ANONYMOUS", "ANYONE", "SERVICE"} & set(o.access):
        yield "ANONYMOUS, ANYONE and SERVICE stand alone in access"
    yield from (bus_faults(o) if not o.http else route_faults(api, o))
    for slug in o.options.problems:
        if slug not in api.problems:
            yield f'unknown problem "{slug}"; lib/err.h has no such row'
    for caller in o.options.callers:
        if not re.fullmatch("[a-z]+", caller):
            yield f'caller "{caller}" is no name of a program'
    if o.deadline_ms > DEADLINE_MS_MAX:
        yield f"deadline_ms is above {DEADLINE_MS_MAX}"


def bus_faults(o):
    if o.options.path:
        yield "a path without a method"
    if o.access != ["SERVICE"]:
        yield "no method, so access is SERVICE"
    if not o.options.callers:
        yield "no callers: a SERVICE operation names the programs that call it"
    if o.options.raw_body:
        yield "a raw_body without a method"


def route_faults(api, o):
    if o.options.method not in METHODS:
        yield f'unknown method "{o.options.method}"; there are {", ".join(METHODS)}'
    if "SERVICE" in o.access:
        yield "access SERVICE has no HTTP route"
    if o.rate == "RATE_UNSPECIFIED":
        yield "no rate class"
    yield from path_faults(o)
    yield from body_faults(o)
    yield from header_faults(o)
    yield from raw_body_faults(o) if o.options.raw_body else ()
    yield from answer_faults(api, o)


def path_faults(o):
    if not re.fullmatch(r"(/([a-z0-9.-]+|\{[a-z0-9_]+\}))+", o.options.path):
        yield f'malformed path "{o.options.path}"'
    for name in o.path_fields:
        f = o.input.field(name)
        if f is None:
            yield f"the path has {{{name}}}, but {o.input.full_name} has no field {name}"
        elif f.repeated or f.is_message or f.rules.hidden:
            yield f"the path has {{{name}}}, which is repeated, hidden or a message"
        elif f.rules.secret:
            yield f"the secret field {name} would stand in a URL"
    if len(set(o.path_fields)) != len(o.path_fields):
        yield "a field stands twice in the path"


def body_faults(o):
    has_body = METHODS.get(o.options.method, False)
    if o.options.body_bytes_max and not has_body:
        yield f"a body on {o.options.method}: body_bytes_max must be 0"
    if has_body and not o.options.body_bytes_max:
        yield f"{o.options.method} without body_bytes_max"
    for f in o.outside_fields() if not has_body else []:
        if f.rules.secret:
            yield f"the secret field {f.name} would stand in a URL"
        if f.is_message and f.type_name != TIMESTAMP:
            yield f"field {f.name} is a message and cannot be a query parameter"


def header_faults(o):
    """Fields that are filled from headers exist, are hidden and of the right type."""
    for option, types, wanted in (("idempotency_key", (F.TYPE_STRING,), "string"),
                                  ("if_match", (F.TYPE_INT32, F.TYPE_INT64), "int32")):
        f = o.input.field(option)
        if getattr(o.options, option):
            if f is None or f.type not in types or not f.rules.hidden:
                yield f"{option} needs a hidden {wanted} field {option} in {o.input.full_name}"
        elif f is not None:
            yield f"{o.input.full_name} has a field {option}, but the option {option} is off"


def raw_body_faults(o):
    """Bytes that are passed on: nothing of them is read here, and Authorization is no session."""
    if o.options.method != "POST" or not o.local:
        yield "raw_body is for POST with flow LOCAL"
    if not o.anonymous:
        yield "raw_body goes with access ANONYMOUS: Authorization is the sender's, not a session's"
    if not re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", o.options.raw_body):
        yield f'raw_body "{o.options.raw_body}" is no media type'
    for name, kind, wanted in (("body", F.TYPE_BYTES, "bytes"),
                               ("authorization", F.TYPE_STRING, "string")):
        f = o.input.field(name)
        if f is None or f.type != kind or f.repeated or not f.rules.hidden:
            yield f"raw_body needs a hidden {wanted} field {name} in {o.input.full_name}"
    for f in o.outside_fields():
        yield f"raw_body: nobody could set the field {f.name}; it is neither hidden nor in the path"


def answer_faults(api, o):
    if o.success not in SUCCESSES:
        yield f"success {o.success} is none of {SUCCESSES}"
    if (o.output.full_name == EMPTY) != (o.success == 204):
        yield "an empty reply goes with success 204, and only that"
    if o.options.event_stream and not (o.options.method == "GET" and o.local):
        yield "event_stream is for GET with flow LOCAL"
    if o.options.response:
        f = o.output.field(o.options.response)
        if f is None:
            yield f"response: {o.output.full_name} has no field {o.options.response}"
            return
        if not f.is_message or f.repeated or f.type_name not in api.messages:
            yield f"response: {o.options.response} is not a single message"
            return
    if o.options.location:
        if o.success != 201:
            yield "location goes with success 201"
        for name in template_fields(o.options.location):
            if o.body is None or o.body.field(name) is None:
                yield f"location has {{{name}}}, which the body of the answer has not"


def check_unique(routes):
    seen = {}
    for o in routes:
        shape = (o.options.method, re.sub(r"\{[^}]*\}", "{}", o.options.path))
        if shape in seen:
            raise ApiError(f"{o.file}:{o.line}: {o.name}: the route {o.options.method} "
                           f"{o.options.path} is also that of {seen[shape].name}")
        seen[shape] = o
