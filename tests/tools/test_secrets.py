#!/usr/bin/python3
"""tools/secrets: every key that the chart names, kept from run to run, and good for what it is for:
nkeys for a real nats-server, certificates for openssl, session and grant keys for the services."""

import base64
import json
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from stack import certificates, nkeys, openssl  # noqa: E402

TOOL = ROOT / "tools" / "secrets"
ACCOUNTS = ROOT / "build" / "gen" / "nats-accounts.conf"
# As the contract of chart and services has them.
KEYS = {
    "gateway": {"session-key", "nats-nkey"},
    "appointments": {"database-url", "grant-key", "nats-nkey"},
    "tokens": {"livekit-api-key", "livekit-api-secret", "grant-key", "nats-nkey"},
    "notifier": {"nats-nkey"},
    "check": {"account.json"},
    "nats-ca": {"ca.crt"},
}
DEV_KEYS = KEYS | {
    "nats": {"tls.crt", "tls.key", "ca.crt", "nats-keys.conf", "operator.nkey", "sys.nkey"},
    "postgres": {"password"},
    "livekit": {"keys.yaml"},
}
USERS = ("gateway", "appointments", "tokens", "notifier", "operator", "sys")


class Scratch(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.dir = Path(scratch.name)
        self.out = self.dir / "out"

    def file(self, name, text):
        path = self.dir / name
        path.write_text(text)
        return str(path)

    def run_tool(self, *words):
        return subprocess.run([str(TOOL), "--out", str(self.out), *words], text=True, check=False,
                              capture_output=True, stdin=subprocess.DEVNULL)

    def secrets(self, *words):
        """{name: {key: text}} of what is printed."""
        done = self.run_tool(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        for path in self.out.iterdir():
            for line in path.read_text().splitlines():
                if len(line) > 30 and not line.startswith(("-", "#")):
                    self.assertNotIn(line.strip(), done.stderr)
        self.manifests = json.loads(done.stdout)["items"]
        return {m["metadata"]["name"]: {key: base64.b64decode(value, validate=True).decode()
                                        for key, value in m["data"].items()}
                for m in self.manifests}

    def external(self):
        url = self.file("url", "postgres://a:hush@db/x?sslmode=verify-full")
        return ("--database-url-file", url,
                "--nats-ca-file", self.file("ca", "-----BEGIN CERTIFICATE-----\nAAAA\n"))

    def contents(self):
        return {path.name: path.read_text() for path in self.out.iterdir()}

    def refused(self, *words):
        done = self.run_tool(*words)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        return done.stderr


class Manifests(Scratch):
    def test_every_key_of_an_installation(self):
        found = self.secrets(*self.external(), "--release", "televisit")
        self.assertEqual({name.removeprefix("televisit-"): set(keys)
                          for name, keys in found.items()}, KEYS)
        self.assertEqual(found["televisit-appointments"]["database-url"].strip(),
                         "postgres://a:hush@db/x?sslmode=verify-full")
        self.assertIn("AAAA", found["televisit-nats-ca"]["ca.crt"])

    def test_every_key_of_a_development_installation(self):
        found = self.secrets("--dev", "--release", "televisit")
        self.assertEqual({name.removeprefix("televisit-"): set(keys)
                          for name, keys in found.items()}, DEV_KEYS)
        password = found["televisit-postgres"]["password"].strip()
        self.assertEqual(found["televisit-appointments"]["database-url"].strip(),
                         f"postgresql://televisit:{password}@televisit-postgres:5432/televisit"
                         "?sslmode=disable")
        tokens = found["televisit-tokens"]
        self.assertEqual(tokens["livekit-api-key"], "televisit\n")  # dev.livekit.webhookKey
        self.assertEqual(found["televisit-livekit"]["keys.yaml"],
                         f"televisit: {tokens['livekit-api-secret']}")
        self.assertEqual(found["televisit-nats-ca"]["ca.crt"], found["televisit-nats"]["ca.crt"])
        account = json.loads(found["televisit-check"]["account.json"])
        self.assertEqual(set(account), {"clinic", "patient", "doctor", "staff"})
        for role in ("patient", "doctor", "staff"):
            self.assertGreaterEqual(len(account[role]["password"]), 12)  # as add-person wants it
            self.assertIn("@", account[role]["email"])

    def test_keys_are_what_the_services_take(self):
        found = self.secrets("--dev")
        kid, _, key = found["televisit-gateway"]["session-key"].strip().partition(":")
        self.assertTrue(kid)
        for text in (key, found["televisit-tokens"]["grant-key"].strip()):
            self.assertEqual(len(base64.b64decode(text + "=", altchars=b"-_", validate=True)), 32)
        self.assertEqual(found["televisit-tokens"]["grant-key"],
                         found["televisit-appointments"]["grant-key"])
        self.assertGreaterEqual(len(found["televisit-tokens"]["livekit-api-secret"].strip()), 32)
        for service in ("gateway", "appointments", "tokens", "notifier"):
            seed, public = found[f"televisit-{service}"]["nats-nkey"].splitlines()
            self.assertEqual(nkeys.public_key(seed), public)

    def test_names_and_labels(self):
        for words, prefix in ((("--release", "televisit"), "televisit-"),
                              (("--release", "my-televisit-1"), "my-televisit-1-"),
                              (("--release", "clinic"), "clinic-televisit-"),
                              (("--release", "x" * 38), "x" * 38 + "-t-"),
                              (("--release", "x" * 39), "x" * 39 + "-"),
                              (("--release", "clinic", "--fullname", "tv"), "tv-")):
            with self.subTest(words=words):
                found = self.secrets("--dev", *words)
                self.assertEqual({name.removeprefix(prefix) for name in found}, set(DEV_KEYS))
        self.secrets("--dev", "--release", "clinic", "--namespace", "visits")
        for manifest in self.manifests:
            self.assertEqual((manifest["apiVersion"], manifest["kind"], manifest["type"]),
                             ("v1", "Secret", "Opaque"))
            self.assertEqual(manifest["metadata"]["namespace"], "visits")
            name = manifest["metadata"]["name"]
            self.assertEqual(manifest["metadata"]["labels"], {
                "app.kubernetes.io/name": "televisit",
                "app.kubernetes.io/instance": "clinic",
                "app.kubernetes.io/component": name.removeprefix("clinic-televisit-"),
                "app.kubernetes.io/part-of": "televisit",
                "app.kubernetes.io/managed-by": "tools-secrets"})


class Files(Scratch):
    def test_only_the_owner_reads_them(self):
        self.secrets("--dev")
        self.assertEqual(stat.S_IMODE(self.out.stat().st_mode), 0o700)
        for path in self.out.iterdir():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)

    def test_a_second_run_keeps_everything(self):
        first, before = self.secrets("--dev"), self.contents()
        self.assertEqual(self.secrets("--dev"), first)
        self.assertEqual(self.contents(), before)
        self.assertEqual(self.run_tool("--dev").stderr, "")  # nothing is new
        other = self.secrets(*self.external())  # given anew, and the rest of before
        self.assertEqual(other["televisit-gateway"], first["televisit-gateway"])
        self.assertIn("hush", other["televisit-appointments"]["database-url"])

    def test_given_once_is_enough(self):
        first = self.secrets(*self.external())
        self.assertEqual(self.secrets(), first)

    def test_what_is_lost_is_made_again(self):
        first = self.secrets("--dev")
        (self.out / "grant-key").unlink()
        second = self.secrets("--dev")
        self.assertNotEqual(second["televisit-tokens"]["grant-key"],
                            first["televisit-tokens"]["grant-key"])
        self.assertEqual(second["televisit-gateway"], first["televisit-gateway"])

    def test_a_key_that_is_changed(self):
        """Two lines of a key are passed on, and LiveKit of the dev values gets both pairs."""
        self.secrets("--dev")
        old = [(self.out / f"livekit-api-{part}").read_text().strip()
               for part in ("key", "secret")]
        lines = (self.out / "grant-key").read_text() + "f" * 64 + "\n"
        (self.out / "grant-key").write_text(lines)
        (self.out / "livekit-api-secret").write_text("n" * 40 + "\n")
        (self.out / "livekit-api-key").write_text("new\n")
        (self.out / "livekit-webhook-keys").write_text(":".join(old) + "\n")
        found = self.secrets("--dev")
        self.assertEqual(found["televisit-tokens"]["grant-key"], lines)
        self.assertEqual(found["televisit-appointments"]["grant-key"], lines)
        self.assertEqual(found["televisit-tokens"]["livekit-webhook-keys"], ":".join(old) + "\n")
        self.assertEqual(found["televisit-livekit"]["keys.yaml"],
                         f"new: {'n' * 40}\n{': '.join(old)}\n")


class Refusals(Scratch):
    def test_what_is_missing_is_said_and_nothing_is_written(self):
        said = self.refused()
        self.assertIn("missing: the database: --database-url-file", said)
        self.assertIn("missing: NATS' certificate: --nats-ca-file", said)
        self.assertFalse(self.out.exists())
        said = self.refused("--database-url-file", self.file("u", "postgres://a@b/c"),
                            "--livekit-key-file", self.file("k", "key"))
        self.assertIn("--livekit-secret-file", said)
        self.assertNotIn("the database", said)
        self.assertFalse(self.out.exists())

    def test_bad_input_is_not_repeated(self):
        certificate = self.file("ca", "-----BEGIN CERTIFICATE-----\n")
        for words, why in (
                (("--database-url-file", self.file("a", "mysql://hush-hush")), "postgres://"),
                (("--database-url-file", self.file("b", "postgres://hush-hush\nhush-hush")),
                 "one line"),
                (("--database-url-file", self.file("c", "")), "one line"),
                (("--livekit-key-file", self.file("k", "key"),
                  "--livekit-secret-file", self.file("d", "hush-hush")), "less than 32 bytes"),
                (("--nats-ca-file", self.file("e", "hush-hush")), "no certificate"),
                (("--nats-ca-file", str(self.dir / "nowhere")), "nowhere")):
            with self.subTest(why=why):
                said = self.refused("--dev", *words)
                self.assertIn(why, said)
                self.assertNotIn("hush", said)
                self.assertFalse(self.out.exists())
        self.assertEqual(self.run_tool("--nats-ca-file", certificate, "--devel").returncode, 2)

    def test_files_that_were_spoilt(self):
        self.secrets("--dev")
        for name, text, why in (("gateway.nkey", "hush-hush\n", "gateway.nkey: not the seed"),
                                ("session-key", "\n", "session-key is empty")):
            before = (self.out / name).read_text()
            (self.out / name).write_text(text)
            said = self.refused("--dev")
            self.assertIn(why, said)
            self.assertNotIn("hush", said)
            (self.out / name).write_text(before)


class Certificates(Scratch):
    def approves(self, name):
        return openssl.approves("verify", "-CAfile", str(self.out / "ca.crt"), "-x509_strict",
                                "-purpose", "sslserver", "-verify_hostname", name,
                                str(self.out / "tls.crt"))

    def test_of_the_development_server(self):
        self.secrets("--dev", "--release", "clinic", "--namespace", "visits")
        for name in ("", ".visits", ".visits.svc", ".visits.svc.cluster.local"):
            self.assertTrue(self.approves(f"clinic-televisit-nats{name}"), name)
        self.assertFalse(self.approves("clinic-televisit-gateway"))

    def test_of_an_external_server(self):
        database = self.external()[:2]
        found = self.secrets(*database, "--nats-host", "nats.example.org", "--nats-host", "n2")
        self.assertTrue(self.approves("nats.example.org") and self.approves("n2"))
        self.assertNotIn("televisit-nats", found)
        self.assertEqual(found["televisit-nats-ca"]["ca.crt"], (self.out / "ca.crt").read_text())

    def test_none(self):
        found = self.secrets(*self.external()[:2], "--no-nats-ca")
        self.assertNotIn("televisit-nats-ca", found)


class Nats(Scratch):
    """A real server, configured with what is made here and what the protos say."""

    def start(self):
        self.assertTrue(ACCOUNTS.exists(), "run `make gen`")
        self.secrets("--dev")
        certificates.make_server_certificate(self.out, ["127.0.0.1"])
        config = self.out / "nats.conf"
        shutil.copy(ACCOUNTS, self.out / "nats-accounts.conf")
        config.write_text('listen: "127.0.0.1:-1"\nserver_name: test\n'
                          f'ports_file_dir: "{self.dir}"\ninclude "./nats-accounts.conf"\n'
                          'tls {cert_file: "./tls.crt", key_file: "./tls.key"}\n')
        server = subprocess.Popen(["nats-server", "-c", "nats.conf"], cwd=self.out,
                                  stderr=subprocess.PIPE, text=True,
                                  env=os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin"})
        self.addCleanup(server.communicate)
        self.addCleanup(server.terminate)
        deadline = time.monotonic() + 20
        for line in server.stderr:
            if found := re.search(r"client connections on 127\.0\.0\.1:(\d+)", line):
                self.port = int(found.group(1))
            if "Server is ready" in line:
                return
            self.assertLess(time.monotonic(), deadline, line)
        self.fail("nats-server ended")

    def log_in(self, seed):
        """What the server answers to a user with this seed; TLS must be as the CA says."""
        trust = ssl.create_default_context(cafile=self.out / "ca.crt")
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain:
            info = json.loads(plain.recv(4096).split(b" ", 1)[1].split(b"\r\n")[0])
            with trust.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                signature = nkeys.sign(seed, info["nonce"].encode())
                connect = {"verbose": False, "nkey": nkeys.public_key(seed),
                           "sig": base64.urlsafe_b64encode(signature).decode().rstrip("=")}
                secure.sendall(f"CONNECT {json.dumps(connect)}\r\nPING\r\n".encode())
                answer = b""
                while b"\r\n" not in answer:
                    part = secure.recv(4096)
                    if not part:
                        break
                    answer += part
                return answer.decode()

    def test_every_user_gets_in_and_nobody_else(self):
        self.start()
        for user in USERS:
            seed = (self.out / f"{user}.nkey").read_text().splitlines()[0]
            self.assertTrue(self.log_in(seed).startswith("PONG"), user)
        self.assertIn("Authorization Violation", self.log_in(nkeys.make_nkey()[0]))

    def test_public_keys_for_a_server_of_ones_own(self):
        done = self.run_tool("--public-keys")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
        self.assertEqual(lines, [
            f"NKEY_{user.upper()}: {(self.out / f'{user}.nkey').read_text().split()[1]}"
            for user in USERS])
        self.assertEqual((self.out / "nats-keys.conf").read_text(), done.stdout)
        self.assertFalse((self.out / "session-key").exists())


if __name__ == "__main__":
    unittest.main()
