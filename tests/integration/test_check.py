"""The visit that `helm test` makes, against a stack: what it does, and says when it cannot."""

import base64
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rig import ROOT, Rig  # pylint: disable=wrong-import-position

PROGRAM = ROOT / "deploy" / "images" / "check" / "visit.py"


def setUpModule():
    global rig
    rig = Rig()
    unittest.addModuleCleanup(rig.close)


def load():
    spec = importlib.util.spec_from_file_location("visit", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Visit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "account.json"
        self.patient, self.doctor = rig.of_role("PATIENT", 3), rig.of_role("DOCTOR", 2)
        self.account = {"clinic": rig.clinic, "patient": self.login(self.patient),
                        "doctor": self.login(self.doctor)}
        self.staff = rig.of_role("STAFF")

    def login(self, person):
        return {"email": person.email, "password": rig.password}

    def check(self, account=None, url=None, wait_s="20"):
        self.file.write_text(json.dumps(account) if account is not None else
                             json.dumps(self.account))
        return subprocess.run(
            [sys.executable, "-I", "-B", str(PROGRAM)], text=True, capture_output=True, check=False,
            timeout=120, env=os.environ | {
                "TELEVISIT_URL": url or f"http://127.0.0.1:{rig.port}",
                "ACCOUNT_FILE": str(self.file), "WAIT_S": wait_s})

    def refused(self, because, **how):
        done = self.check(**how)
        self.assertEqual(1, done.returncode, done.stdout)
        self.assertIn(because, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertNotIn(rig.password, done.stdout + done.stderr)

    def visits(self):
        listed = self.patient.ask("GET", "/v1/appointments?limit=100").json
        return {v["id"]: v["status"] for v in listed.get("appointments", [])}

    def sessions(self):
        return rig.sql("SELECT count(*) FROM tv.session WHERE ended_at IS NULL")

    def made(self, work):
        """Statuses of the visits that `work` has made."""
        before = self.visits()
        work()
        return [status for visit, status in self.visits().items() if visit not in before]

    def passes(self):
        done = self.check()
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual(2, done.stdout.count("was told call.available"), done.stdout)
        self.assertIn("a visit works from booking to both tokens", done.stdout)

    def test_staff_book_it_again_and_again(self):
        self.account["staff"] = self.login(self.staff)
        self.passes()  # all have logged in
        sessions = self.sessions()
        for _ in range(2):
            self.assertEqual(["CANCELLED"], self.made(self.passes))
        self.assertEqual(sessions, self.sessions(), "it logs out")

    def test_the_patient_asks_for_a_slot(self):
        doctor, = rig.add_people("DOCTOR", 1)
        self.account["doctor"] = self.login(doctor)
        self.refused("the doctor has no free slot within 0:30:00")
        hours = [{"weekday": day, "from": "00:00", "to": "24:00", "slotMinutes": 5}
                 for day in range(1, 8)]
        answer = doctor.ask("PUT", f"/v1/doctors/{doctor.id}/availability", {"hours": hours})
        self.assertEqual(200, answer.status, answer)
        for _ in range(2):
            self.assertEqual(["CANCELLED"], self.made(self.passes))

    def test_what_an_operator_may_have_wrong(self):
        password = self.account | {"doctor": self.account["doctor"] | {"password": "mistaken"}}
        role = self.account | {"doctor": self.login(self.staff)}
        mute = self.account | {"patient": {"email": "pia@demo.example"}}
        for because, how in (
                ("the doctor cannot log in", {"account": password}),
                ("given as doctor is that of a STAFF", {"account": role}),
                ("'password'", {"account": mute}), ("'clinic'", {"account": {
                    k: v for k, v in self.account.items() if k != "clinic"}}),
                ("account.json needs clinic", {"account": []}),
                ("http(s)://host[:port]", {"url": "localhost:8080"}),
                ("no answer from 127.0.0.1:1", {"url": "http://127.0.0.1:1", "wait_s": "0.1"})):
            with self.subTest(because):
                self.refused(because, **how)
        self.file.unlink()
        done = subprocess.run([sys.executable, str(PROGRAM)], text=True, capture_output=True,
                              check=False, env=os.environ | {"ACCOUNT_FILE": str(self.file),
                                                             "TELEVISIT_URL": "http://x"})
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertIn("the accounts cannot be read", done.stderr)

    def test_no_notice(self):
        self.account["staff"] = self.login(self.staff)
        rig.ctl("stop", "notifier")
        self.addCleanup(rig.ctl, "start", "notifier")
        self.assertEqual(["CANCELLED"], self.made(
            lambda: self.refused("was not told call.available", wait_s="1")))

    def test_no_livekit(self):
        self.account["staff"] = self.login(self.staff)
        rig.ctl("stop", "livekit")
        self.addCleanup(rig.ctl, "start", "livekit")
        self.assertEqual(["CANCELLED"], self.made(lambda: self.refused("media-unavailable")))


class Tokens(unittest.TestCase):
    """What the check would say of tokens that tokens must not give."""

    def test_wrong_claims(self):
        visit = load()
        now = visit.time_of("2026-11-23T12:00:00Z")
        right = {"sub": "a", "exp": now.timestamp() + 600, "video": {"room": "r", "roomJoin": True}}
        appointment = {"join": {"closesAt": "2026-11-23T14:00:00Z"}}
        ended = {"join": {"closesAt": "2026-11-23T12:05:00Z"}}

        def answer(claims, **more):
            body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
            return {"token": f"h.{body}.s", "room": "r", "identity": claims.get("sub"),
                    "serverUrl": "wss://media.example", "encryptionKey": "k"} | more

        other = answer(right | {"sub": "b"})
        visit.check_tokens({"patient": answer(right), "doctor": other}, appointment, now)
        for because, given, of in (
                ("the room", answer(right, room="s"), appointment),
                ("right to enter", answer(right | {"video": {"room": "r"}}), appointment),
                ("make rooms", answer(right | {"video": right["video"] | {"roomCreate": True}}),
                 appointment),
                ("manage rooms", answer(right | {"video": right["video"] | {"roomAdmin": True}}),
                 appointment),
                ("the identity", answer(right, identity="c"), appointment),
                ("the end", answer(right | {"exp": now.timestamp() + 3600}), appointment),
                ("the end", answer(right), ended),
                ("the end", answer(right | {"exp": now.timestamp() - 1}), appointment),
                ("waiting room", answer(right, token=""), appointment),
                ("no JSON Web Token", answer(right, token="x"), appointment),
                ("no address", answer(right, serverUrl=""), appointment),
                ("different encryption keys", answer(right, encryptionKey="l"), appointment),
                ("the same identity", answer(right | {"sub": "b"}), appointment)):
            with self.subTest(because), self.assertRaises(visit.Fault) as raised:
                visit.check_tokens({"patient": given, "doctor": other}, of, now)
            self.assertIn(because, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
