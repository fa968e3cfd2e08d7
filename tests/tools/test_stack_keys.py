#!/usr/bin/python3
"""Keys and certificates of a stack."""

import os
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from stack import certificates, nkeys, openssl  # noqa: E402
from stack.tell import Fault  # noqa: E402


class Nkeys(unittest.TestCase):
    def test_a_new_pair_fits_together(self):
        seed, public = nkeys.make_nkey()
        self.assertRegex(seed, "^SU[A-Z2-7]{56}$")
        self.assertRegex(public, "^U[A-Z2-7]{55}$")
        self.assertEqual(nkeys.public_key(seed), public)
        self.assertNotEqual(nkeys.make_nkey()[0], seed)

    def test_nonces_are_signed(self):
        seed, _ = nkeys.make_nkey()
        signature = nkeys.sign(seed, b"a nonce")
        self.assertEqual(len(signature), 64)
        self.assertEqual(nkeys.sign(seed, b"a nonce"), signature)
        self.assertNotEqual(nkeys.sign(seed, b"another"), signature)

    def test_no_seed_is_refused_without_showing_it(self):
        seed, public = nkeys.make_nkey()
        turned = seed[:10] + ("B" if seed[10] == "A" else "A") + seed[11:]
        for bad in ("", "SU", public, turned, seed[:-1], seed + "A", "SA" + seed[2:], "ü" * 58):
            with self.assertRaises(ValueError) as refused:
                nkeys.public_key(bad)
            self.assertEqual(str(refused.exception), "not the seed of a NATS user (SU…)")


class Certificates(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.dir = Path(scratch.name)

    def make(self, *names):
        certificates.make_authority(self.dir)
        certificates.make_server_certificate(self.dir, list(names))

    def read(self):
        return {f.name: f.read_text() for f in self.dir.iterdir()}

    def verifies(self, *how):
        return openssl.approves("verify", "-CAfile", str(self.dir / "ca.crt"), "-x509_strict",
                                "-purpose", "sslserver", *how, str(self.dir / "tls.crt"))

    def test_it_is_good_for_its_names_and_no_other(self):
        self.make("localhost", "nats.clinic.svc", "127.0.0.1")
        self.assertTrue(self.verifies("-verify_hostname", "localhost"))
        self.assertTrue(self.verifies("-verify_hostname", "nats.clinic.svc"))
        self.assertTrue(self.verifies("-verify_ip", "127.0.0.1"))
        self.assertFalse(self.verifies("-verify_hostname", "nats.other.svc"))
        self.assertFalse(self.verifies("-verify_ip", "127.0.0.2"))

    def test_only_the_owner_reads_them(self):
        self.make("localhost")
        self.assertEqual(sorted(self.read()), ["ca.crt", "ca.key", "tls.crt", "tls.key"])
        for name in self.read():
            self.assertEqual(stat.S_IMODE(os.stat(self.dir / name).st_mode), 0o600, name)

    def test_what_is_good_is_kept(self):
        self.make("localhost", "127.0.0.1")
        before = self.read()
        self.make("localhost", "127.0.0.1")
        self.assertEqual(self.read(), before)

    def test_other_names_need_another(self):
        self.make("localhost")
        before = self.read()
        self.make("localhost", "elsewhere")
        after = self.read()
        self.assertEqual(after["ca.crt"], before["ca.crt"])
        self.assertNotEqual(after["tls.crt"], before["tls.crt"])
        self.assertTrue(self.verifies("-verify_hostname", "elsewhere"))

    def test_another_authority_needs_another(self):
        self.make("localhost")
        (self.dir / "ca.crt").unlink()
        self.make("localhost")
        self.assertTrue(self.verifies("-verify_hostname", "localhost"))

    def test_what_expires_soon_is_made_anew(self):
        self.make("localhost")
        subprocess.run(["openssl", "req", "-x509", "-new", "-days", "20", "-subj", "/CN=x",
                        "-addext", "subjectAltName=DNS:localhost", "-CA", self.dir / "ca.crt",
                        "-CAkey", self.dir / "ca.key", "-key", self.dir / "tls.key",
                        "-out", self.dir / "tls.crt"], check=True, capture_output=True)
        self.make("localhost")
        month = str(int(time.time()) + 40 * 86400)
        self.assertTrue(self.verifies("-verify_hostname", "localhost", "-attime", month))

    def test_without_the_authoritys_key_it_is_said(self):
        certificates.make_authority(self.dir)
        (self.dir / "ca.key").unlink()
        with self.assertRaises(Fault):
            certificates.make_server_certificate(self.dir, ["localhost"])
        self.assertEqual(list(self.read()), ["ca.crt"])


if __name__ == "__main__":
    unittest.main()
