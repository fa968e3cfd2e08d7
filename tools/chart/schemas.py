#!/usr/bin/python3
"""Writes JSON schemas for kubeconform, one a kind, from Kubernetes' OpenAPI file and from CRDs.

    schemas.py DIR swagger.json [crd.yaml ...]

A file is called <kind>-<first part of the group>-<version>.json. The schemas are strict: a field
that the API does not know is refused, as the API server itself does with --validate=strict.
"""

import json
import os
import sys

import yaml

INT_OR_STRING = {"oneOf": [{"type": "string"}, {"type": "integer"}]}
REF = "#/definitions/"
GVK = "x-kubernetes-group-version-kind"


def strict(node):
    """The same schema, closed: objects with named properties take no others."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("format") == "int-or-string" or node.get("x-kubernetes-int-or-string") is True:
        return INT_OR_STRING
    if isinstance(node.get("$ref"), str):
        return {"$ref": node["$ref"]}
    out = {}
    for key, value in node.items():
        if key == "properties":  # here the keys are names of fields, not words of the schema
            out[key] = {name: strict(field) for name, field in value.items()}
        elif not key.startswith("x-kubernetes-"):
            out[key] = strict(value)
    if isinstance(out.get("properties"), dict):
        if not node.get("x-kubernetes-preserve-unknown-fields"):
            out.setdefault("additionalProperties", False)
        # The API server takes null for an optional field that is not given.
        for name, field in out["properties"].items():
            if name not in out.get("required", []) and isinstance(field.get("type"), str):
                field = out["properties"][name] = dict(field, type=[field["type"], "null"])
                if "enum" in field:
                    field["enum"] = [*field["enum"], None]
    return out


def references(node, definitions, seen):
    """All definitions that `node` leads to."""
    if isinstance(node, dict):
        name = node.get("$ref", "")
        if isinstance(name, str) and name.startswith(REF) and name[len(REF):] not in seen:
            seen.add(name[len(REF):])
            references(definitions[name[len(REF):]], definitions, seen)
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            references(item, definitions, seen)
    return seen


def named(schema, group, version, kind):
    """The schema of a whole object of this kind."""
    schema = dict(schema)
    schema["properties"] = dict(schema.get("properties", {}), kind={"const": kind}, apiVersion={
        "const": f"{group}/{version}" if group else version})
    schema["required"] = sorted({*schema.get("required", []), "apiVersion", "kind"})
    return schema


def of_openapi(document):
    definitions = {name: strict(node) for name, node in document["definitions"].items()}
    for name, node in document["definitions"].items():
        for gvk in node.get(GVK, []):
            schema = named(definitions[name], gvk["group"], gvk["version"], gvk["kind"])
            schema["definitions"] = {
                n: definitions[n] for n in sorted(references(schema, definitions, set()))}
            yield gvk["group"], gvk["version"], gvk["kind"], schema


def of_crd(crd):
    spec = crd["spec"]
    for version in spec["versions"]:
        schema = strict(version["schema"]["openAPIV3Schema"])
        # CRDs leave metadata open: the API server knows it.
        schema["properties"]["metadata"] = {"type": "object"}
        kind = spec["names"]["kind"]
        yield (spec["group"], version["name"], kind,
               named(schema, spec["group"], version["name"], kind))


def main(folder, swagger, *crds):
    os.makedirs(folder)
    with open(swagger, encoding="utf-8") as f:
        schemas = list(of_openapi(json.load(f)))
    for path in crds:
        with open(path, encoding="utf-8") as f:
            schemas += of_crd(yaml.safe_load(f))
    for group, version, kind, schema in schemas:
        name = "-".join(x for x in (kind, group.split(".")[0], version) if x).lower()
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as f:
            json.dump(schema, f, separators=(",", ":"))
    print(f"schemas: {len(schemas)} kinds")


if __name__ == "__main__":
    main(*sys.argv[1:])
