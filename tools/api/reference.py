"""API.md: the reference page for people."""

from .model import STRING_MAX, TIMESTAMP, F
from .openapi import (COOKIE, SIGNED, access_names, body_types, int_schema, needed, problems_of,
                      schema_name)

INTRODUCTION = f"""# API reference

Generated from `proto/`; `openapi.json` says the same to programs.

- JSON is canonical ProtoJSON: lowerCamelCase names, enums by name, times as RFC 3339 in UTC, 64-bit
  numbers as strings. Unknown or doubled members are refused with a pointer.
- A session is the cookie `{COOKIE}` or `Authorization: Bearer` with the access token.
- An error is a problem (RFC 9457, `application/problem+json`); all of them are in the table at the
  end. Where the table says "again", the same request may be sent again later.
- Creating takes an `Idempotency-Key`, changing takes `If-Match` with the ETag.
"""


def page(api):
    parts = [INTRODUCTION, "\n## Operations\n\n| route | operation | who |\n|---|---|---|\n"]
    routes = api.routes()
    for o in routes:
        parts.append(f"| {o.options.method} {o.options.path} | [{o.name}](#{anchor(o)}) | "
                     f"{', '.join(access_names(o))} |\n")
    for s in api.services:
        mine = [o for o in s.operations if o.http]
        if mine:
            parts.append(f"\n## {s.name}\n")
            parts += [operation(api, o) for o in mine]
    parts.append("\n## Types\n")
    asked = [o.input for o in routes]
    answered = [o.body for o in routes if o.body is not None]
    for m in api.closure(answered + [f for o in asked for f in nested(api, o)]):
        parts.append(message(m))
    parts.append(enums(api, asked + answered))
    parts.append(problems(api))
    return "".join(parts)


def anchor(o):
    return o.name.lower().replace(".", "")


def nested(api, m):
    return [api.messages[f.type_name] for f in m.fields if f.is_message]


def operation(api, o):
    parts = [f"\n### {o.name}\n\n`{o.options.method} {o.options.path}`\n\n{o.comment}\n\n",
             f"- Who: {', '.join(access_names(o))}\n"]
    headers = [name for name, on in (("Idempotency-Key", o.options.idempotency_key),
                                     ("If-Match", o.options.if_match)) if on]
    if headers:
        parts.append(f"- Headers: {', '.join(headers)}\n")
    if o.options.body_bytes_max:
        types = " or ".join(f"`{kind}`" for kind in body_types(o)) + ", " \
            if o.options.raw_body else ""
        parts.append(f"- Body: {types}at most {o.options.body_bytes_max} bytes\n")
    if o.options.raw_body:
        parts.append(f"- Signed: {SIGNED}\n")
    answer = f"[{schema_name(o.body.full_name)}](#{schema_name(o.body.full_name).lower()})" \
        if o.body is not None else "nothing"
    stream = ", as a stream of events" if o.options.event_stream else ""
    parts.append(f"- Answer: {o.success}, {answer}{stream}\n")
    slugs = [p.slug for p in problems_of(api, o)]
    parts.append(f"- Problems: {', '.join(slugs)}\n")
    fields = [f for f in o.input.fields if not f.rules.hidden]
    if fields:
        where = "body" if o.options.body_bytes_max else "query"
        parts.append("\n| field | in | type | rules | |\n|---|---|---|---|---|\n")
        for f in fields:
            place = "path" if f.name in o.path_fields else where
            parts.append(f"| {f.json_name} | {place} | {type_text(f)} | {rules_text(f)} | "
                         f"{cell(f.comment)} |\n")
    return "".join(parts)


def message(m):
    rows = "".join(f"| {f.json_name} | {type_text(f)} | {cell(f.comment)} |\n" for f in m.fields)
    comment = m.comment + "\n\n" if m.comment else ""
    head = "| member | type | |\n|---|---|---|\n"
    return f"\n### {schema_name(m.full_name)}\n\n{comment}{head}{rows}"


def enums(api, messages):
    names = {f.type_name for m in api.closure(messages) for f in m.fields if f.type == F.TYPE_ENUM}
    rows = "".join(f"| {schema_name(n)} | {', '.join(api.enums[n].values[1:])} |\n"
                   for n in sorted(names))
    return f"\n### Enums\n\n| enum | values |\n|---|---|\n{rows}"


def problems(api):
    rows = "".join(f"| {p.status} | {p.slug} | {p.title} | {'again' if p.retryable else ''} |\n"
                   for p in api.problems.values())
    return f"\n## Problems\n\n| status | slug | title | |\n|---|---|---|---|\n{rows}"


def cell(text):
    return " ".join(text.split()).replace("|", "\\|")


def type_text(f):
    if f.is_message and f.type_name == TIMESTAMP:
        text = "time"
    elif f.is_message:
        name = schema_name(f.type_name)
        text = f"[{name}](#{name.lower()})"
    elif f.type == F.TYPE_ENUM:
        text = schema_name(f.type_name)
    elif f.is_int:
        text = int_schema(f, False)["format"]
    else:
        text = {F.TYPE_STRING: "string", F.TYPE_BYTES: "base64", F.TYPE_BOOL: "bool",
                F.TYPE_DOUBLE: "number"}[f.type]
    return f"list of {text}" if f.repeated else text


def rules_text(f):
    parts = ["required"] if needed(f) else []
    if f.rules.pattern:
        parts.append(f.rules.pattern)
    elif f.type == F.TYPE_STRING:
        parts.append(f"at most {f.rules.length_max or STRING_MAX} bytes")
    if f.is_int and f.has_rules:
        low, high = f.bounds()
        parts.append(f"{low} to {high}" if f.rules.max else f"at least {low}")
    return ", ".join(parts)
