"""Checks of values: the schema is closed, refuses what is wrong by its name, takes what is right,
and no value is dead."""

import copy
import fnmatch
import json
import os

import yaml

from objects import LOADER
from render import HELMS, TESTS, ToolError, chart_file


def table(name):
    with open(os.path.join(TESTS, name), encoding="utf-8") as f:
        return yaml.load(f, Loader=LOADER)


def open_objects(node, path=""):
    """Paths of objects in a schema that take any key without saying of what kind."""
    if isinstance(node, list):
        for i, item in enumerate(node):
            yield from open_objects(item, f"{path}/{i}")
        return
    if not isinstance(node, dict):
        return
    if node.get("type") == "object" and node.get("additionalProperties") is not False and (
            "properties" in node or not isinstance(node.get("additionalProperties"), dict)):
        yield path
    for key, value in node.items():
        yield from open_objects(value, f"{path}/{key}")


def resolve(schema, node):
    """What a schema says itself: without its outermost $ref, the first of allOf."""
    while "$ref" in node or ("allOf" in node and "properties" not in node):
        if "$ref" not in node:
            node = node["allOf"][0]
            continue
        target = schema
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def unknown_keys(schema, node, values, path=""):
    """Keys of values that the schema does not have by name, and the other way round."""
    node = resolve(schema, node)
    named = node.get("properties")
    if named is None or not isinstance(values, dict):
        return
    for key in set(named) - set(values):
        yield f"{path}{key} is in the schema, not in values.yaml"
    for key, value in values.items():
        if key not in named:
            yield f"{path}{key} is in values.yaml, not in the schema"
        else:
            yield from unknown_keys(schema, named[key], value, f"{path}{key}.")


def closed_schema(_):
    schema = json.loads(chart_file("values.schema.json"))
    # What a parent chart shares is open by nature.
    yield "closed", [f"{p} takes any key" for p in open_objects(schema)
                     if p != "/properties/global"]
    values = yaml.load(chart_file("values.yaml"), Loader=LOADER)
    optional = {"global", "services.appointments.service", "services.tokens.service",
                "services.notifier.service"}
    faults = list(unknown_keys(schema, schema, values))
    yield "values.yaml", [f for f in faults if f.split()[0] not in optional]


def refusal(renderer, which, values):
    try:
        renderer.text(which, extra=values)
    except ToolError as e:
        return str(e)
    return None


def bad_values(renderer):
    """Each is refused by both helms, with a message that names the key."""
    rows = table("bad-values.yaml")
    yield "rows", [] if len(rows) >= 30 else [f"only {len(rows)}"], f"{len(rows)} bad values"
    for row in rows:
        for which in HELMS:
            said = refusal(renderer, which, row["values"])
            if said is None:
                faults = ["it was taken"]
            else:
                faults = [] if row["names"] in said else [f"{row['names']} is not named: {said}"]
            yield f"{which} {json.dumps(row['values'])}", faults


def good_values(renderer):
    """Unusual values that are right."""
    for row in table("good-values.yaml"):
        for which in HELMS:
            said = refusal(renderer, which, row)
            yield f"{which} {json.dumps(row)}", [] if said is None else [said]


def leaves(node, path=()):
    """(path, value) of all that an operator may set; a list is one value, so is an empty map."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(value, path + (key,))
    else:
        yield path, node


def nested(path, value):
    for key in reversed(path):
        value = {key: value}
    return value


def merged(under, over):
    out = copy.deepcopy(under)
    for key, value in over.items():
        out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(
            out.get(key), dict) else value
    return out


def live_values(renderer):
    """Changing a value changes what is rendered: none is dead."""
    values = yaml.load(chart_file("values.yaml"), Loader=LOADER)
    other = table("other-values.yaml")
    count = 0
    for path, value in leaves(values):
        name = ".".join(map(str, path))
        row = next((r for r in other if fnmatch.fnmatchcase(name, r["key"])), {})
        new = row.get("value")
        if "value" not in row:
            new = (not value if isinstance(value, bool) else
                   value + 1 if isinstance(value, int) else
                   "other" if isinstance(value, str) else {"example.org/a": "b"})
        base = row.get("with", {})
        on = row.get("base", "dev" if path[0] == "dev" else "full")
        count += 1
        try:
            before = renderer.text(values=on, extra=base)
            after = renderer.text(values=on, extra=merged(base, nested(path, new)))
        except ToolError as e:
            yield name, [f"{new!r} is refused: {e}"]
            continue
        yield name, [f"{new!r} changes nothing"] if before == after else []
    yield "counted", [] if count else ["none"], f"{count} values"
