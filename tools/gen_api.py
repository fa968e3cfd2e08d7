#!/usr/bin/python3
"""Writes what is made from the API's one source, proto/: the gateway's routes and rules in C,
openapi.json, the NATS allow-lists (nats.json for programs, nats-accounts.conf for nats-server) and
the reference page. `make gen` calls it.
"""

import argparse
import json
import os
import sys

sys.dont_write_bytecode = True

try:
    from api import model, nats, openapi, reader, reference, routes
except ModuleNotFoundError as missing:
    sys.exit(f"gen_api: {missing}: install the package python3-protobuf, or run `make deps`")


def main(argv):
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--descriptors", default="build/gen/api.binpb",
                   help="FileDescriptorSet with imports and source info")
    p.add_argument("--errors", default="lib/err.h", help="the file with TV_ERR_MAP")
    p.add_argument("--version", default="0.0.0")
    p.add_argument("--out", default="build/gen", help="directory")
    args = p.parse_args(argv)
    try:
        api = reader.load(args.descriptors, args.errors)
        write_all(api, args.out, args.version)
    except (model.ApiError, OSError, ValueError) as e:
        print(f"gen_api: {e}", file=sys.stderr)
        return 1
    return 0


def write_all(api, out, version):
    document = openapi.document(api, version)
    for name, text in (("routes.h", routes.header(api)),
                       ("routes.c", routes.source(api)),
                       ("nats.json", nats.as_json(api)),
                       ("nats-accounts.conf", nats.accounts_conf(api)),
                       ("openapi.json", json.dumps(document, indent=2) + "\n"),
                       ("openapi.c", openapi.as_c(document)),
                       ("API.md", reference.page(api))):
        write(os.path.join(out, name), text)


def write(path, text):
    """All or nothing: a reader never sees half a file."""
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(temporary, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
