#!/usr/bin/python3
"""Writes what is made from the API's one source, proto/: the gateway's routes and rules in C,
openapi.json, the NATS allow-lists and the reference page. `make gen` calls it.

    gen_api.py --out build/gen                            all of them
    gen_api.py --nats-conf OUT --passwords FILE           an authorization block for nats-server;
                                                          FILE is JSON: {"gateway": "…", …}
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
    p.add_argument("--out", help="directory")
    p.add_argument("--nats-conf", metavar="OUT")
    p.add_argument("--passwords", metavar="FILE")
    args = p.parse_args(argv)
    if bool(args.nats_conf) != bool(args.passwords):
        p.error("--nats-conf and --passwords go together")
    try:
        api = reader.load(args.descriptors, args.errors)
        if args.nats_conf:
            write_nats_conf(api, args.nats_conf, args.passwords)
        if args.out:
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
                       ("openapi.json", json.dumps(document, indent=2) + "\n"),
                       ("openapi.c", openapi.as_c(document)),
                       ("API.md", reference.page(api))):
        write(os.path.join(out, name), text, 0o644)


def write_nats_conf(api, out, passwords_file):
    with open(passwords_file, encoding="utf-8") as f:
        passwords = json.load(f)
    missing = [name for name in nats.permissions(api) if not passwords.get(name)]
    if missing:
        raise model.ApiError(f"{passwords_file}: no password for {', '.join(missing)}")
    write(out, nats.server_conf(api, passwords), 0o600)


def write(path, text, mode):
    """All or nothing: a reader never sees half a file."""
    temporary = f"{path}.{os.getpid()}"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w",
              encoding="utf-8") as f:
        f.write(text)
    os.replace(temporary, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
