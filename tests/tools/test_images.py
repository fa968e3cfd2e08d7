"""The list of an image's parts, and its size, from archives that are made here."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SBOM = ROOT / "deploy" / "images" / "sbom.py"
SIZES = ROOT / "deploy" / "images" / "sizes.py"

OS_RELEASE = 'ID=debian\nVERSION_ID="13"\nNAME="Debian GNU/Linux"\n'
BASE_STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc
Maintainer: GNU Libc Maintainers <glibc@example.org>
Version: 2.41-12
Description: C library
 Version: 9 is not its version
"""
STATUS = BASE_STATUS + """
Package: libuv1t64
Status: install ok installed
Architecture: amd64
Source: libuv1 (1.50.0-1)
Version: 1:1.50.0-2+b1

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
LOCK = {"packages": {
    "": {"name": "app", "version": "1"},
    "node_modules/react": {"version": "19.1.0", "license": "MIT",
                           "integrity": "sha512-" + "A" * 86 + "=="},
    "node_modules/@livekit/thing": {"version": "2.0.0"},
    "node_modules/a/node_modules/react": {"version": "18.0.0", "license": "MIT"},
    "node_modules/alias": {"name": "@real/name", "version": "3.0.0"},
    "node_modules/vite": {"version": "7.0.0", "dev": True},
    "node_modules/both": {"version": "1.0.0", "devOptional": True}}}


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


class Images(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)

    def archive(self, *layers):
        config = json.dumps({"created": "2026-11-23T12:00:00.123456Z", "layers": len(layers)})
        config_name = hashlib.sha256(config.encode()).hexdigest() + ".json"
        names = [f"layer{i}.tar" for i in range(len(layers))]
        manifest = [{"Config": config_name, "RepoTags": ["localhost/televisit/x:1"],
                     "Layers": names}]
        path = self.dir / "image.tar"
        path.write_bytes(tar_of(dict(zip(names, layers)) | {
            config_name: config, "manifest.json": json.dumps(manifest)}))
        return str(path)

    def run_sbom(self, archive, *options):
        return subprocess.run([sys.executable, "-B", str(SBOM), "--name", "tokens", "--version",
                               "1.2.3", *options, archive], text=True, capture_output=True,
                              check=False)

    def sbom(self, archive, *options):
        done = self.run_sbom(archive, *options)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return json.loads(done.stdout)

    def image(self):
        """The base, a layer that installs something, one that touches neither."""
        return self.archive(
            tar_of({"./usr/lib/os-release": OS_RELEASE, "./var/lib/dpkg/status": BASE_STATUS}),
            tar_of({"var/lib/dpkg/status": STATUS}), tar_of({"usr/local/bin/tokens": "x"}))

    def test_debian_packages_of_the_last_layer_that_has_them(self):
        parts = {p["name"]: p for p in self.sbom(self.image())["components"]}
        self.assertEqual({"debian", "libc6", "libuv1t64"}, set(parts))
        self.assertEqual("2.41-12", parts["libc6"]["version"])
        self.assertEqual("pkg:deb/debian/libuv1t64@1%3A1.50.0-2%2Bb1?arch=amd64&distro=debian-13",
                         parts["libuv1t64"]["purl"])
        self.assertEqual([{"name": "debian:source", "value": "libuv1"}],
                         parts["libuv1t64"]["properties"])
        self.assertEqual("13", parts["debian"]["version"])

    def test_what_the_app_carries(self):
        lock = self.dir / "lock.json"
        lock.write_text(json.dumps(LOCK))
        said = self.sbom(self.image(), "--npm", str(lock), "--extra", "pkg:generic/tokens@1.2.3")
        parts = {p["purl"]: p for p in said["components"] if "purl" in p}
        self.assertEqual(
            {"pkg:npm/react@19.1.0", "pkg:npm/%40livekit/thing@2.0.0", "pkg:npm/react@18.0.0",
             "pkg:npm/%40real/name@3.0.0"}, {p for p in parts if p.startswith("pkg:npm/")})
        react = parts["pkg:npm/react@19.1.0"]
        self.assertEqual([{"alg": "SHA-512", "content": "00" * 64}], react["hashes"])
        self.assertEqual([{"expression": "MIT"}], react["licenses"])
        self.assertEqual(("tokens", "1.2.3", "application"), tuple(
            parts["pkg:generic/tokens@1.2.3"][k] for k in ("name", "version", "type")))

    def test_the_document(self):
        archive = self.image()
        said = self.sbom(archive)
        self.assertEqual(("CycloneDX", "1.6", 1),
                         (said["bomFormat"], said["specVersion"], said["version"]))
        self.assertRegex(said["serialNumber"], "^urn:uuid:[0-9a-f-]{36}$")
        whole = said["metadata"]["component"]
        self.assertEqual(("televisit/tokens", "1.2.3", "container"),
                         (whole["name"], whole["version"], whole["type"]))
        self.assertEqual("2026-11-23T12:00:00Z", said["metadata"]["timestamp"])
        references = [part["bom-ref"] for part in said["components"]]
        self.assertEqual(len(references), len(set(references)))
        self.assertEqual(set(references), set(said["dependencies"][0]["dependsOn"]))
        self.assertEqual(said, self.sbom(archive), "the same archive gives the same document")

    def test_what_is_no_image(self):
        empty = self.archive(tar_of({"a": "b"}))
        done = self.run_sbom(empty)
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertIn("the image has no usr/lib/os-release", done.stderr)
        broken = self.dir / "broken.tar"
        broken.write_bytes(b"no archive")
        for archive in (str(broken), str(self.dir / "nothing.tar")):
            done = self.run_sbom(archive)
            self.assertEqual((1, ""), (done.returncode, done.stdout))
            self.assertNotIn("Traceback", done.stderr)
        done = self.run_sbom(self.image(), "--extra", "livekit")
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertIn("no package URL", done.stderr)

    def test_sizes(self):
        layers = (b"x" * 2_000_000, b"y" * 1_500_000, b"z" * 100_000)
        done = subprocess.run([sys.executable, "-B", str(SIZES), self.archive(*layers)], text=True,
                              capture_output=True, check=True)
        self.assertEqual(["localhost/televisit/x:1", "3.6", "1.6"],
                         done.stdout.splitlines()[1].split())


class Recipes(unittest.TestCase):
    """What all images have in common, whatever is built from which file."""

    def recipes(self):
        found = sorted((ROOT / "deploy" / "images").rglob("Containerfile"))
        self.assertEqual(3, len(found))
        return {str(path.relative_to(ROOT)): path.read_text() for path in found}

    def test_every_image_is_of_the_one_user_and_has_its_licence(self):
        for name, text in self.recipes().items():
            entries = text.count("\nENTRYPOINT [")
            self.assertGreater(entries, 0, name)
            for line in ("USER 10001:10001", "COPY LICENSE /usr/share/licenses/televisit/LICENSE",
                         "LABEL org.opencontainers.image.title="):
                self.assertEqual(entries, text.count(f"\n{line}"), f"{name}: {line}")
            self.assertNotIn("\nHEALTHCHECK", text, name)
            self.assertNotIn("://", text, f"{name}: an address that is not an argument")

    def test_the_context_has_what_is_copied(self):
        ignore = (ROOT / "deploy/images/Containerfile.dockerignore").read_text().splitlines()
        let_in = [line[1:] for line in ignore if line.startswith("!")]
        for name, text in self.recipes().items():
            for line in text.splitlines():
                words = line.split()
                if not words or words[0] != "COPY" or any(w.startswith("--from") for w in words):
                    continue
                for source in [w for w in words[1:-1] if not w.startswith("--")]:
                    self.assertTrue(any(source == p or source.startswith(p + "/")
                                        for p in let_in), f"{name}: {source}")
                    if not source.startswith("build/"):
                        self.assertTrue((ROOT / source).exists(), f"{name}: {source}")


if __name__ == "__main__":
    unittest.main()
