#!/usr/bin/python3
"""What an image is made of, as a CycloneDX 1.6 document: Debian packages by the image's own dpkg
database, the npm packages of the web app by its lock, and our program.

    sbom.py --name gateway --version 0.1.0 [--npm web/package-lock.json]
            [--extra pkg:golang/…@v1 …] ARCHIVE.tar >gateway.cdx.json

ARCHIVE is a docker-archive (`docker save`, `buildah push … docker-archive:`). The same archive
gives the same document.
"""

import argparse
import base64
import json
import sys
import tarfile
import urllib.parse
import uuid

DPKG_STATUS = "var/lib/dpkg/status"
OS_RELEASE = "usr/lib/os-release"
NAMESPACE = uuid.UUID("0b8f1c8e-7d0a-5c0e-9a64-6f1d9f6a7c11")  # of our serial numbers


class Image:
    """A docker-archive: its configuration, and files as the last layer that has them says."""

    def __init__(self, path):
        self._archive = tarfile.open(path)
        manifest = json.load(self._file("manifest.json"))[0]
        self._layers = manifest["Layers"]
        self.id = manifest["Config"].removesuffix(".json")
        self.config = json.load(self._file(manifest["Config"]))

    def _file(self, name):
        found = self._archive.extractfile(name)
        if found is None:
            raise ValueError(f"{name} is no file")
        return found

    def read(self, path):
        for layer in reversed(self._layers):
            with tarfile.open(fileobj=self._file(layer)) as files:
                for member in files:
                    if member.name.removeprefix("./").lstrip("/") == path:
                        return files.extractfile(member).read().decode()
        raise ValueError(f"the image has no {path}")


def paragraphs(text):
    """Of a Debian control file; lines that go on are left out."""
    for block in text.split("\n\n"):
        fields = {}
        for line in block.splitlines():
            name, colon, value = line.partition(":")
            if colon and not line.startswith((" ", "\t")):
                fields[name] = value.strip()
        if fields:
            yield fields


def os_of(text):
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {name: value.strip('"') for name, value in values.items()}


def purl(kind, name, version, **more):
    text = f"pkg:{kind}/{name}@{urllib.parse.quote(version, safe='')}"
    return text + ("?" + urllib.parse.urlencode(more) if more else "")


def component(ref, name, version, kind="library", **more):
    return {"type": kind, "bom-ref": ref, "name": name, "version": version, "purl": ref} | more


def debian_packages(status, system):
    distro = f"{system['ID']}-{system.get('VERSION_ID', 'sid')}"
    for package in paragraphs(status):
        if package.get("Status", "").split()[-1:] != ["installed"]:
            continue
        name, version = package["Package"], package["Version"]
        ref = purl(f"deb/{system['ID']}", name, version, arch=package["Architecture"],
                   distro=distro)
        source = package.get("Source", name).split(" ")[0]
        yield component(ref, name, version,
                        supplier={"name": package.get("Maintainer", "Debian")},
                        properties=[{"name": "debian:source", "value": source}])


def npm_packages(lock):
    """What the app is built from and may carry; what only builds or tests it is left out."""
    for path, package in lock["packages"].items():
        if not path or package.get("dev") or package.get("devOptional") or package.get("link"):
            continue
        name = package.get("name") or path.rpartition("node_modules/")[2]
        ref = purl("npm", urllib.parse.quote(name, safe="/"), package["version"])
        more = {}
        algorithm, _, digest = package.get("integrity", "").partition("-")
        if algorithm == "sha512":
            more["hashes"] = [{"alg": "SHA-512", "content": base64.b64decode(digest).hex()}]
        if isinstance(package.get("license"), str):
            more["licenses"] = [{"expression": package["license"]}]
        yield component(ref, name, package["version"], **more)


def extra(ref):
    """Something that neither dpkg nor npm has brought, named by its package URL."""
    name, _, version = ref.split("?")[0].removeprefix("pkg:").rpartition("@")
    if not name or not version:
        raise ValueError(f"{ref} is no package URL with a version")
    return component(ref, name.rpartition("/")[2], version, kind="application")


def document(image, name, version, lock, extras):
    system = os_of(image.read(OS_RELEASE))
    whole = component(purl("oci", name, version), f"televisit/{name}", version, kind="container")
    parts = {part["bom-ref"]: part for part in (
        *debian_packages(image.read(DPKG_STATUS), system),
        *(npm_packages(lock) if lock else ()), *map(extra, extras))}
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, image.id)}",
        "metadata": {
            "timestamp": image.config["created"][:19] + "Z",
            "component": whole | {"hashes": [{"alg": "SHA-256", "content": image.id}]}},
        "components": [
            {"type": "operating-system", "bom-ref": "os", "name": system["ID"],
             "version": system.get("VERSION_ID", "")},
            *(parts[ref] for ref in sorted(parts))],
        "dependencies": [{"ref": whole["bom-ref"], "dependsOn": ["os", *sorted(parts)]}],
    }


def main():
    parser = argparse.ArgumentParser(description="the parts of an image as CycloneDX")
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--npm", metavar="LOCK", help="package-lock.json of the web app")
    parser.add_argument("--extra", metavar="PURL", action="append", default=[])
    parser.add_argument("archive")
    options = parser.parse_args()
    try:
        lock = None
        if options.npm:
            with open(options.npm, encoding="utf-8") as file:
                lock = json.load(file)
        said = document(Image(options.archive), options.name, options.version, lock, options.extra)
    except (OSError, ValueError, KeyError, tarfile.TarError) as fault:
        print(f"sbom: {options.archive}: {fault!r}", file=sys.stderr)
        return 1
    json.dump(said, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
