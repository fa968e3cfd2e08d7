"""The API as an OpenAPI 3.1 document. JSON follows the ProtoJSON mapping."""

import json
from http import HTTPStatus

from .model import PACKAGE, STRING_MAX, TIMESTAMP, F

PROBLEM_JSON = "application/problem+json"
COOKIE = "__Host-tv_session"
# Said of operations with a raw_body, whose sender proves itself by signing.
SIGNED = ("`Authorization` holds the sender's signature over the exact bytes of the body, as it "
          "is, without a word `Bearer`; sessions are not looked at. A body that was written anew "
          "on its way is refused.")
PATTERNS = {
    "uuid": {"format": "uuid",
             "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
    "time_zone": {"pattern": "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$", "examples": ["Europe/Berlin"]},
    "language": {"pattern": "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", "examples": ["de-CH"]},
    "slug": {"pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "examples": ["lakeside"]},
    "email": {"format": "email"},
    "date": {"format": "date"},
    "time": {"pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", "examples": ["08:30"]},
}
INT_FORMATS = {F.TYPE_INT32: "int32", F.TYPE_SINT32: "int32", F.TYPE_UINT32: "uint32",
               F.TYPE_INT64: "int64", F.TYPE_SINT64: "int64"}
# Headers of requests: name, the option that demands it, its parameter.
REQUEST_HEADERS = (
    ("Idempotency-Key", "idempotency_key", {
        "required": True, "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        "description": "Chosen by the client, once for each thing to be created. Sent again with "
                       "the same body it gives the same answer."}),
    ("If-Match", "if_match", {
        "required": True, "schema": {"type": "string", "pattern": '^"[0-9]+"$',
                                     "examples": ['"3"']},
        "description": "The ETag of the version that is to be changed."}),
    ("Last-Event-ID", "event_stream", {
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "description": "The id of the last event that was seen."}),
)
# Headers of answers, as components.
ANSWER_HEADERS = {
    "ETag": ("The version of the resource.", {"type": "string", "examples": ['"3"']}),
    "Location": ("The address of what was created.", {"type": "string", "format": "uri-reference"}),
    "Link": ("The next page, `rel=\"next\"`; absent on the last page.", {"type": "string"}),
    "RateLimit": ("What is left of the quota (IETF draft RateLimit header fields).",
                  {"type": "string"}),
    "Retry-After": ("Seconds to wait.", {"type": "integer", "minimum": 0}),
}
# Which problems an operation can have besides those that it names itself.
USUAL_PROBLEMS = (
    ("invalid", lambda o: o.outside_fields() or o.path_fields or o.options.raw_body),
    ("malformed", lambda o: True),
    ("unauthenticated", lambda o: not o.anonymous or o.options.raw_body),
    ("session-expired", lambda o: not o.anonymous),
    ("forbidden", lambda o: not o.anonymous),
    ("cross-site", lambda o: o.options.method != "GET" and not o.options.raw_body),
    ("not-found", lambda o: o.path_fields),
    ("stale", lambda o: o.options.if_match),
    ("too-large", lambda o: True),
    ("uri-too-long", lambda o: True),
    ("unsupported-media-type", lambda o: o.options.body_bytes_max),
    ("idempotency-key-reused", lambda o: o.options.idempotency_key),
    ("version-required", lambda o: o.options.if_match),
    ("rate-limited", lambda o: True),
    ("headers-too-large", lambda o: True),
    ("internal", lambda o: True),
    ("unavailable", lambda o: True),
    ("deadline", lambda o: True),
    ("unknown-outcome", lambda o: o.options.method != "GET"),
)


def document(api, version):
    return Document(api).build(version)


def as_c(doc):
    """The minified document as a C array."""
    text = json.dumps(doc, separators=(",", ":"))
    lines = []
    for i in range(0, len(text), 80):
        piece = text[i:i + 80].replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")
        lines.append(f'    "{piece}"\n')
    return ("/* Generated from proto/ by tools/gen_api.py. */\n#include \"routes.h\"\n\n"
            "const char tv_openapi_json[] =\n" + "".join(lines).rstrip("\n") + ";\n"
            "const size_t tv_openapi_json_bytes = sizeof(tv_openapi_json) - 1;\n")


def problems_of(api, o):
    """Problems that the operation can answer, as rows of lib/err.h in their order."""
    slugs = {slug for slug, applies in USUAL_PROBLEMS if applies(o)} | set(o.options.problems)
    return [p for p in api.problems.values() if p.slug in slugs]


def body_types(o):
    """Media types of the request's body; RFC 6839: what ends in +json is JSON too."""
    raw = o.options.raw_body
    if not raw:
        return ["application/json"]
    return [raw, "application/json"] if raw.endswith("+json") else [raw]


def access_names(o):
    return ["anonymous"] if o.anonymous else [r.lower() for r in o.roles]


def summary(o):
    """The first sentence of the comment, without its full stop."""
    first = o.comment.split("\n\n")[0].split(". ")[0].rstrip(".")
    return first or o.name


def schema_name(full_name):
    """televisit.v1.BookRequest is BookRequest; an enum Role.Value is Role."""
    short = full_name[len(PACKAGE) + 1:]
    return short[:-len(".Value")] if short.endswith(".Value") else short.replace(".", "")


def ref(kind, name):
    return {"$ref": f"#/components/{kind}/{name}"}


class Document:
    def __init__(self, api):
        self.api = api
        self.routes = api.routes()
        self.asked = {m.full_name for m in api.closure(o.input for o in self.routes)}
        self.in_path = {}
        for o in self.routes:
            self.in_path.setdefault(o.input.full_name, set()).update(o.path_fields)
        self.responses = {}

    def build(self, version):
        paths = {}
        for o in self.routes:
            paths.setdefault(self.path(o), {})[o.options.method.lower()] = self.operation(o)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "televisit",
                "version": version,
                "description": "Clinical video visits: appointments, the way into a call, and "
                               "the notices about both. Every error is a problem (RFC 9457).",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "tags": [{"name": s.name, "description": s.comment or s.name}
                     for s in sorted(self.api.services, key=lambda s: s.name)
                     if any(o.http for o in s.operations)],
            "paths": paths,
            "components": {
                "schemas": self.schemas(),
                "responses": dict(sorted(self.responses.items())),
                "headers": {name: {"description": text, "schema": schema}
                            for name, (text, schema) in ANSWER_HEADERS.items()},
                "securitySchemes": {
                    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE,
                                "description": "Set by logging in with `cookie`. Unsafe methods "
                                               "are refused to other sites."},
                    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                               "description": "The `accessToken` of a session."},
                    **self.signature(),
                },
            },
        }

    def signature(self):
        if not any(o.options.raw_body for o in self.routes):
            return {}
        return {"signature": {"type": "apiKey", "in": "header", "name": "Authorization",
                              "description": SIGNED}}

    # -- operations --------------------------------------------------------------------------------

    def path(self, o):
        path = o.options.path
        for name in o.path_fields:
            path = path.replace("{" + name + "}", "{" + o.input.field(name).json_name + "}")
        return path

    def operation(self, o):
        result = {
            "operationId": o.name,
            "summary": summary(o),
            "description": o.comment or o.name,
            "tags": [o.service.name],
            "x-access": access_names(o),
            "security": self.security(o),
        }
        parameters = self.parameters(o)
        if parameters:
            result["parameters"] = parameters
        if o.options.body_bytes_max:
            result["requestBody"] = self.request_body(o)
        result["responses"] = self.answers(o)
        return result

    def security(self, o):
        if o.options.raw_body:
            return [{"signature": []}]
        return [] if o.anonymous else [{"session": []}, {"bearer": []}]

    def parameters(self, o):
        result = [{"name": f.json_name, "in": "path", "required": True, **self.described(f)}
                  for f in map(o.input.field, o.path_fields)]
        if not o.options.body_bytes_max:
            for f in o.outside_fields():
                row = {"name": f.json_name, "in": "query", **self.described(f)}
                if needed(f):
                    row["required"] = True
                result.append(row)
        result += [{"name": name, "in": "header", **parameter}
                   for name, option, parameter in REQUEST_HEADERS if getattr(o.options, option)]
        return result

    def described(self, f):
        """A field as a parameter: its comment stands beside its schema."""
        schema = self.field_schema(f, asked=True)
        comment = schema.pop("description", None)
        return {**({"description": comment} if comment else {}), "schema": schema}

    def request_body(self, o):
        if o.options.raw_body:
            text = f"At most {o.options.body_bytes_max} bytes. {SIGNED}"
            schema = {"type": "object", "additionalProperties": True} \
                if o.options.raw_body.endswith("json") else {}
            return {"required": True, "description": text,
                    "content": {kind: {"schema": schema} for kind in body_types(o)}}
        fields = o.outside_fields()
        schema = ref("schemas", schema_name(o.input.full_name))
        return {"required": any(needed(f) for f in fields),
                "description": f"At most {o.options.body_bytes_max} bytes.",
                "content": {"application/json": {"schema": schema}}}

    def answers(self, o):
        result = {str(o.success): self.good_answer(o)}
        by_status = {}
        for p in problems_of(self.api, o):
            by_status.setdefault(p.status, []).append(p)
        for status in sorted(by_status):
            result[str(status)] = self.problem_answer(status, by_status[status])
        return result

    def good_answer(self, o):
        headers = ["RateLimit"]
        answer = {"description": HTTPStatus(o.success).phrase}
        if o.body is not None:
            if o.body.field("version"):
                headers.append("ETag")
            if o.body.field("next_cursor"):
                headers.append("Link")
        if o.options.location:
            headers.append("Location")
        answer["headers"] = {name: ref("headers", name) for name in sorted(headers)}
        if o.options.event_stream:
            name = schema_name(o.body.full_name)
            answer["description"] = f"A stream of events; the data of each is one {name} as JSON."
            answer["content"] = {"text/event-stream": {
                "schema": {"type": "string"}, "x-event-data": ref("schemas", name)}}
        elif o.body is not None:
            answer["content"] = {"application/json": {
                "schema": ref("schemas", schema_name(o.body.full_name))}}
        return answer

    def problem_answer(self, status, problems):
        name = f"{status}." + ".".join(p.slug for p in problems)
        if name not in self.responses:
            headers = ["RateLimit"] if status == 429 else []
            headers += ["Retry-After"] if status in (429, 503) else []
            kinds = {"type": "object", "properties": {
                "type": {"type": "string", "enum": [f"/problems/{p.slug}" for p in problems]}}}
            examples = {p.slug: {"value": {"type": f"/problems/{p.slug}", "title": p.title,
                                           "status": status}} for p in problems}
            response = {"description": "; ".join(f"{p.slug}: {p.title}" for p in problems)}
            if headers:
                response["headers"] = {h: ref("headers", h) for h in headers}
            response["content"] = {PROBLEM_JSON: {
                "schema": {"allOf": [ref("schemas", "Problem"), kinds]}, "examples": examples}}
            self.responses[name] = response
        return ref("responses", name)

    # -- schemas -----------------------------------------------------------------------------------

    def schemas(self):
        with_body = [o.input for o in self.routes
                     if o.options.body_bytes_max and not o.options.raw_body]
        roots = with_body + [o.body for o in self.routes if o.body is not None]
        roots.append(self.api.messages[f"{PACKAGE}.Problem"])
        messages = self.api.closure(roots)
        enums = {f.type_name for m in messages + [o.input for o in self.routes]
                 for f in m.fields if f.type == F.TYPE_ENUM}
        result = {schema_name(m.full_name): self.message_schema(m) for m in messages}
        result.update({schema_name(name): self.enum_schema(self.api.enums[name])
                       for name in enums})
        return dict(sorted(result.items()))

    def message_schema(self, m):
        """Messages of requests are closed, since unknown members are refused; those of answers
        are open, since fields are added."""
        asked = m.full_name in self.asked
        hidden = self.in_path.get(m.full_name, ())
        fields = [f for f in m.fields if not f.rules.hidden and f.name not in hidden]
        schema = {"type": "object"}
        if m.comment:
            schema["description"] = m.comment
        schema["properties"] = {f.json_name: self.field_schema(f, asked) for f in fields}
        if m.full_name == f"{PACKAGE}.Problem":
            required = ["type", "title", "status"]
        elif asked:
            required = [f.json_name for f in fields if needed(f)]
        else:  # defaults are written out, unset messages are not
            required = [f.json_name for f in fields if f.repeated or not f.is_message]
        if required:
            schema["required"] = required
        if asked:
            schema["additionalProperties"] = False
        return schema

    def enum_schema(self, e):
        schema = {"type": "string", "enum": [v for v in e.values if v != "UNSPECIFIED"]}
        return {**({"description": e.comment} if e.comment else {}), **schema}

    def field_schema(self, f, asked):
        schema = self.type_schema(f, asked)
        if f.repeated:
            schema = {"type": "array", "items": schema}
        if f.comment:
            schema = {"description": f.comment, **schema}
        if f.rules.secret:
            schema["writeOnly"] = True
        return schema

    def type_schema(self, f, asked):
        if f.type == F.TYPE_STRING:
            return string_schema(f, asked)
        if f.type == F.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        if f.type == F.TYPE_BOOL:
            return {"type": "boolean"}
        if f.type == F.TYPE_DOUBLE:
            return {"type": "number", "format": "double"}
        if f.is_int:
            return int_schema(f, asked)
        if f.type_name == TIMESTAMP:
            return {"type": "string", "format": "date-time"}
        return ref("schemas", schema_name(f.type_name))


def needed(f):
    """Whether a request without the field is refused: by its rule, or since 0 is out of bounds."""
    if f.rules.required:
        return True
    return f.is_int and not f.repeated and f.bounds()[0] > 0


def string_schema(f, asked):
    if not asked:
        return {"type": "string", **({"format": "uuid"} if f.rules.pattern == "uuid" else {})}
    schema = {"type": "string", "maxLength": f.rules.length_max or STRING_MAX}
    low = f.rules.length_min or (1 if f.rules.required else 0)
    if low:
        schema["minLength"] = low
    return {**schema, **PATTERNS.get(f.rules.pattern, {})}


def int_schema(f, asked):
    low, high = f.bounds()
    if f.type in (F.TYPE_INT64, F.TYPE_SINT64):  # a string, since JSON numbers lose digits
        sign = "" if asked and low >= 0 else "-?"
        return {"type": "string", "format": "int64", "pattern": f"^{sign}[0-9]+$"}
    schema = {"type": "integer", "format": INT_FORMATS[f.type]}
    if asked and f.has_rules or f.type == F.TYPE_UINT32:
        schema["minimum"] = low
    if asked and f.rules.max:
        schema["maximum"] = high
    return schema
