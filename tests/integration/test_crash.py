"""kill -9 of every part at every step of a room's life: no room is left open that should not be,
none is closed early, and no webhook that was answered with success is missing."""

import contextlib
import datetime
import http.client
import json
import os
import signal
import sys
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rig import SERVICES, Rig, text_of, until  # pylint: disable=wrong-import-position
from livekit import RoomEvents  # pylint: disable=wrong-import-position

PARTS = (*SERVICES, "nats", "postgres", "livekit")
VISITS = 4  # at the step, when the part is killed
RECOVERY_S = 10
MINUTE = datetime.timedelta(minutes=1)


def setUpModule():
    global rig, livekit
    rig = Rig("appointments:TELEVISIT_PASSWORD_MEMORY=8",
              "appointments:TELEVISIT_PASSWORD_PASSES=1")
    livekit = rig.livekit()
    unittest.addModuleCleanup(rig.close)
    unittest.addModuleCleanup(rig.ctl, "faults")


class Visit:
    """One appointment whose window is open, with a doctor and a patient of its own."""

    def __init__(self):
        staff = rig.of_role("STAFF")
        (self.doctor,), (self.patient,) = (rig.add_people(role, 1)
                                           for role in ("DOCTOR", "PATIENT"))
        booked = staff.book(self.doctor, text_of(rig.now() + 10 * MINUTE), confirmed=True,
                            patientId=self.patient.id, minutes=5)
        assert booked.status == 201, booked
        self.id, self.room = booked.json["id"], f"room_{booked.json['id']}"
        self.identities = {p["type"]: p["id"] for p in booked.json["participants"]}
        assert self.doctor.session and self.patient.session
        self.ended, self.answered = False, []

    def join(self, who="PATIENT"):
        person = {"PATIENT": self.patient, "DOCTOR": self.doctor}[who]
        return person.join(self.id, who)

    def end(self):
        return self.doctor.ask("POST", f"/v1/appointments/{self.id}/end")

    def tell(self, events):
        """As LiveKit: one after the other, each again until it is answered with success."""
        for event in events:
            body = json.dumps(event)
            token = livekit.token_of_webhook(body)
            if until(lambda b=body, t=token: status_of(lambda: rig.webhook(b, t)) == 200):
                self.answered.append(event["id"])


def status_of(ask):
    """0 when the connection broke."""
    try:
        return ask().status
    except (OSError, http.client.HTTPException):
        return 0


def is_well(part):
    if part in SERVICES:
        answer = rig.visit("/readyz", part)
        return answer is not None and answer.status == 200
    return livekit.rooms() is not None if part == "livekit" else True


class Crash(unittest.TestCase):
    def setUp(self):
        self.visits = [Visit() for _ in range(VISITS)]
        self.addCleanup(self.clear)

    def clear(self):
        for visit in self.visits:
            self.end_for_good(visit)

    def end_for_good(self, visit):
        self.assertTrue(until(lambda: status_of(visit.end) in (200, 409)))
        visit.ended = True

    def killed_at(self, part, step):
        """Runs step(visit) for all visits at once and kills the part when the first has begun."""
        pid = rig.pids()[part]
        begun = threading.Event()

        def work(visit):
            begun.set()
            with contextlib.suppress(OSError, http.client.HTTPException):
                step(visit)

        threads = [threading.Thread(target=work, args=(visit,)) for visit in self.visits]
        for thread in threads:
            thread.start()
        begun.wait()
        os.kill(pid, signal.SIGKILL)
        rig.ctl("start", part)
        self.assertTrue(until(lambda: all(is_well(p) for p in PARTS)), "all is well again")
        for thread in threads:
            thread.join()

    def all_is_as_it_should_be(self):
        """Within ten seconds, the rooms that must not be are gone; those that must be are there."""
        ended = {visit.room for visit in self.visits if visit.ended}
        self.assertTrue(until(lambda: (lambda rooms: rooms is not None and not ended & set(rooms))(
            livekit.rooms()), RECOVERY_S), "no room is left over")

    def test_create(self):
        """The first join of each visit; then half of them end."""
        for part in PARTS:
            with self.subTest(part):
                self.visits = [Visit() for _ in range(VISITS)]
                self.killed_at(part, Visit.join)
                for visit in self.visits:
                    self.assertTrue(until(lambda v=visit: status_of(v.join) == 200, RECOVERY_S),
                                    "joins work again")
                for visit in self.visits[::2]:
                    self.end_for_good(visit)
                self.all_is_as_it_should_be()
                self.stays_open(self.visits[1::2])
                self.clear()

    def test_join(self):
        """The second person joins while the first is there already."""
        for part in PARTS:
            with self.subTest(part):
                self.visits = [Visit() for _ in range(VISITS)]
                for visit in self.visits:
                    self.assertEqual(200, visit.join("DOCTOR").status)
                before = livekit.rooms()
                self.killed_at(part, Visit.join)
                for visit in self.visits:
                    self.assertTrue(until(lambda v=visit: status_of(v.join) == 200, RECOVERY_S))
                if part != "livekit":
                    self.assertEqual({v.room: before[v.room] for v in self.visits},
                                     {v.room: livekit.rooms()[v.room] for v in self.visits},
                                     "no room was closed early")
                self.stays_open(self.visits)
                self.clear()
                self.all_is_as_it_should_be()

    def test_webhook(self):
        """What was answered with success is in the record, whoever died meanwhile."""
        for part in PARTS:
            with self.subTest(part):
                self.visits = [Visit() for _ in range(VISITS)]
                rooms = {}
                for visit in self.visits:
                    self.assertEqual(200, visit.join().status)
                    room = RoomEvents(visit.room, livekit.rooms()[visit.room])
                    rooms[visit] = [room.joined(visit.identities["PATIENT"]),
                                    room.track(visit.identities["PATIENT"]),
                                    room.joined(visit.identities["DOCTOR"]),
                                    room.left(visit.identities["DOCTOR"])]
                self.killed_at(part, lambda v, r=rooms: v.tell(r[v]))
                for visit in self.visits:
                    kept = rig.sql("SELECT e.id FROM tv.call_event e JOIN tv.call c "
                                   "USING (clinic_id, room_sid) WHERE c.appointment_id = "
                                   f"'{visit.id}'").split()
                    self.assertEqual(4, len(visit.answered), "each was answered in the end")
                    self.assertEqual(set(), set(visit.answered) - set(kept))
                    self.assertEqual(len(set(kept)), len(kept))
                self.clear()
                self.all_is_as_it_should_be()

    def test_close(self):
        """The doctor ends the call; the room goes, whoever dies while it is closed."""
        for part in PARTS:
            with self.subTest(part):
                self.visits = [Visit() for _ in range(VISITS)]
                for visit in self.visits:
                    self.assertEqual(200, visit.join().status)
                self.killed_at(part, Visit.end)
                self.clear()  # where the answer was lost, the doctor presses again
                self.all_is_as_it_should_be()
                for visit in self.visits:
                    self.assertEqual("over", visit.join().problem)

    def stays_open(self, visits):
        """Looks a second time after a sweep has had its say: a notifier begins with one."""
        rig.ctl("stop", "notifier")
        rig.ctl("start", "notifier")
        self.assertTrue(until(lambda: rig.metric("notifier", "tv_watch_sweeps_total") > 0))
        for visit in visits:
            self.assertEqual(200, status_of(visit.join))
            self.assertIn(visit.room, livekit.rooms())


if __name__ == "__main__":
    unittest.main()
