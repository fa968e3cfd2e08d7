"""What open pages live on: the files of the web app, and hints that what they show has changed."""

import re
import sys
import tempfile
import unittest
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rig import SERVICES, Rig, text_of, until  # pylint: disable=wrong-import-position
from livekit import RoomEvents  # pylint: disable=wrong-import-position
from sse import Reader  # pylint: disable=wrong-import-position

PAGE, SCRIPT = b"<!doctype html><title>visits</title>", b"export const answer = 42;\n"
NAVIGATION = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Mode": "navigate"}
HOUR = timedelta(hours=1)


def setUpModule():
    global rig
    folder = tempfile.TemporaryDirectory(prefix="televisit-web-")
    unittest.addModuleCleanup(folder.cleanup)
    Path(folder.name, "index.html").write_bytes(PAGE)
    Path(folder.name, "assets").mkdir()
    Path(folder.name, "assets", "app-1f2e.js").write_bytes(SCRIPT)
    # No check of heads in this time: what arrives was carried by the bus.
    rig = Rig(f"gateway:TELEVISIT_WEB_DIR={folder.name}", "gateway:TELEVISIT_STREAM_CHECK=60s")
    unittest.addModuleCleanup(rig.close)
    unittest.addModuleCleanup(rig.ctl, "faults")


class Files(unittest.TestCase):
    def test_pages_may_connect_to_the_stacks_livekit(self):
        answer = rig.ask("GET", "/appointments/1", **NAVIGATION)
        self.assertEqual((200, PAGE), (answer.status, answer.body))
        allowed = re.search(r"connect-src ([^;]*);", answer.headers["Content-Security-Policy"])[1]
        livekit = rig.info["livekitUrl"]
        self.assertEqual(["'self'", livekit, livekit.replace("ws:", "http:")], allowed.split())

    def test_pages_learn_where_calls_run(self):
        answer = rig.of_role("PATIENT").ask("GET", "/v1/media")
        self.assertEqual((200, {"serverUrl": rig.info["livekitUrl"]}), (answer.status, answer.json))
        self.assertEqual(401, rig.ask("GET", "/v1/media").status)

    def test_pages_come_while_the_bus_is_away(self):
        rig.ctl("stop", "nats")
        try:
            self.assertEqual(PAGE, rig.ask("GET", "/", **NAVIGATION).body)
            self.assertEqual(SCRIPT, rig.ask("GET", "/assets/app-1f2e.js").body)
        finally:
            rig.ctl("start", "nats")
        for part in SERVICES:
            self.assertTrue(until(lambda p=part: rig.visit("/readyz", p).status == 200), part)


class Hints(unittest.TestCase):
    def setUp(self):
        self.staff, self.nurse = rig.of_role("STAFF"), rig.add_people("STAFF", 1)[0]
        (self.doctor,), (self.patient,), (self.stranger,) = (
            rig.add_people(role, 1) for role in ("DOCTOR", "PATIENT", "PATIENT"))
        self.reader = Reader()
        self.addCleanup(self.reader.close)
        self.starts_at = rig.now().replace(microsecond=0) + timedelta(days=3)
        self.settled = 0

    def stream(self, person):
        """A stream that has read its inbox: it is told what comes from now on."""
        before = rig.metric("gateway", "tv_bus_requests_total")
        stream = self.reader.open(person, after=0)
        self.assertTrue(until(lambda: stream.status == 200 and rig.metric(
            "gateway", "tv_bus_requests_total") > before))
        return stream

    def requested(self):
        """An appointment that waits for the doctor's word."""
        answer = self.staff.book(self.doctor, text_of(self.starts_at), confirmed=False, minutes=5,
                                 patientId=self.patient.id)
        self.assertEqual(201, answer.status, answer)
        return answer.json

    def settle(self, *streams):
        """Waits until all that was told so far has arrived: what the bus carries keeps its order,
        so it came before the notices of a new booking, which these streams hear of."""
        self.settled += 1
        answer = self.staff.book(self.doctor, text_of(self.starts_at + self.settled * HOUR),
                                 confirmed=True, minutes=5, patientId=self.stranger.id)
        self.assertEqual(201, answer.status, answer)
        visit = answer.json["id"]
        for stream in streams:
            self.assertTrue(until(lambda s=stream: visit in s.hints or s.of(visit)))

    def test_staff_and_the_other_device_learn_of_a_confirmation(self):
        visit = self.requested()
        people = self.staff, self.nurse, self.doctor, self.doctor, self.patient, self.stranger
        streams = [self.stream(person) for person in people]
        board, nurse, desk, phone, patient, stranger = streams
        self.settle(board, nurse, desk, phone, stranger)
        before = [s.hints.count(visit["id"]) for s in streams]
        self.assertEqual(200, self.doctor.change(visit, "confirm").status)
        self.settle(board, nurse, desk, phone, stranger)
        self.assertTrue(until(lambda: "appointment.confirmed" in patient.of(visit["id"])))
        after = [s.hints.count(visit["id"]) for s in streams]
        self.assertEqual([1, 1, 1, 1, 0, 0], [a - b for a, b in zip(after, before)])
        for stream in (board, nurse, desk, phone, stranger):
            self.assertNotIn("appointment.confirmed", stream.of(visit["id"]))
        for stream in streams:
            numbers = [number for number, _, _ in stream.events]
            self.assertEqual(list(range(1, len(numbers) + 1)), numbers, "hints move no number")

    def test_one_hint_for_an_event_that_two_are_told(self):
        visit = self.requested()
        self.assertEqual(200, self.doctor.change(visit, "confirm").status)
        board, desk, patient = (self.stream(p) for p in (self.nurse, self.doctor, self.patient))
        streams = board, desk, patient
        self.settle(board, desk)
        before = [s.hints.count(visit["id"]) for s in streams]
        # The staff cancel: doctor and patient are told of one event.
        self.assertEqual(200, self.staff.change(visit, "cancel", version=2).status)
        self.settle(board, desk)
        for stream in (desk, patient):
            self.assertTrue(until(
                lambda s=stream: "appointment.cancelled" in s.of(visit["id"])))
        after = [s.hints.count(visit["id"]) for s in streams]
        self.assertEqual([1, 0, 0], [a - b for a, b in zip(after, before)])

    def test_who_comes_and_goes_is_seen(self):
        self.starts_at = rig.now() + timedelta(minutes=10)
        visit = self.requested()
        self.assertEqual(200, self.doctor.change(visit, "confirm").status)
        ticket = self.patient.join(visit["id"], "PATIENT").json
        room = RoomEvents(ticket["room"], until(
            lambda: rig.livekit().rooms().get(ticket["room"])))
        board, desk, home = streams = [
            self.stream(person) for person in (self.nurse, self.doctor, self.patient)]
        self.settle(board, desk)

        def comes_or_goes(event, waiting):
            """The doctor is told that the patient waits; whatever nobody is told is hinted at."""
            before = [stream.hints.count(visit["id"]) for stream in streams]
            self.assertEqual(200, rig.webhook(event).status)
            for stream, count in zip(streams, before):
                if stream is not desk or not waiting:
                    self.assertTrue(until(lambda s=stream, c=count: s.hints.count(visit["id"]) > c))
            self.assertTrue(until(lambda: "call.waiting" in desk.of(visit["id"])))

        comes_or_goes(room.joined(ticket["identity"]), True)
        comes_or_goes(room.left(ticket["identity"]), False)
        comes_or_goes(room.joined(ticket["identity"]), False)  # so soon it is not told again
        self.assertEqual(1, desk.of(visit["id"]).count("call.waiting"))
        for stream in (board, home):
            self.assertNotIn("call.waiting", stream.of(visit["id"]))
        self.assertEqual(200, self.staff.change(self.doctor.ask(
            "GET", f"/v1/appointments/{visit['id']}").json, "cancel").status)


if __name__ == "__main__":
    unittest.main()
