"""Bookings against real servers: one winner of a slot, one answer for a key, no change unseen."""

import datetime
import sys
import unittest
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rig import Rig, at_once, text_of  # pylint: disable=wrong-import-position


def setUpModule():
    global rig
    rig = Rig()
    unittest.addModuleCleanup(rig.close)


def free_slot(doctor, nth=0):
    """A free slot of the doctor's hours, some days ahead."""
    day = (rig.now() + datetime.timedelta(days=3)).date().isoformat()
    answer = rig.of_role("PATIENT").ask("GET", f"/v1/doctors/{doctor.id}/slots?from={day}&days=3")
    assert answer.status == 200, answer
    return answer.json["slots"][nth]["startsAt"]


class Booking(unittest.TestCase):
    def setUp(self):
        self.doctor = rig.of_role("DOCTOR")
        self.patient = rig.of_role("PATIENT")
        self.staff = rig.of_role("STAFF")

    def test_a_hundred_want_one_slot(self):
        slot = free_slot(self.doctor)
        patients = [rig.of_role("PATIENT", i) for i in range(3)]
        answers = at_once(100, lambda i: patients[i % 3].book(self.doctor, slot))
        self.assertEqual(1, sum(a.status == 201 for a in answers))
        self.assertEqual(99, sum(a.status == 409 and a.problem == "slot-taken" for a in answers))
        self.assertEqual("1", rig.sql(
            f"SELECT count(*) FROM tv.appointment WHERE starts_at = '{slot}'"))

    def test_fifty_times_one_key(self):
        slot, key = free_slot(self.doctor, 5), str(uuid.uuid4())
        answers = at_once(50, lambda _: self.patient.book(self.doctor, slot, key=key))
        self.assertEqual({201}, {a.status for a in answers})
        self.assertEqual(1, len({a.body for a in answers}), "identical answers")
        self.assertEqual("1", rig.sql(
            f"SELECT count(*) FROM tv.appointment WHERE starts_at = '{slot}'"))
        again = self.patient.book(self.doctor, slot, key=key)
        self.assertEqual(answers[0].body, again.body)
        other = self.patient.book(self.doctor, slot, key=key, reason="something else")
        self.assertEqual((422, "idempotency-key-reused"), (other.status, other.problem))

    def test_the_answer_of_a_key_stays_when_the_appointment_goes_on(self):
        slot, key = free_slot(self.doctor, 8), str(uuid.uuid4())
        first = self.patient.book(self.doctor, slot, key=key)
        self.assertEqual(201, first.status, first)
        self.assertEqual(200, self.doctor.change(first.json, "confirm").status)
        self.assertEqual(first.body, self.patient.book(self.doctor, slot, key=key).body)

    def test_from_request_to_cancellation(self):
        slot = free_slot(self.doctor, 10)
        booked = self.patient.book(self.doctor, slot, reason="a cough")
        self.assertEqual(201, booked.status, booked)
        self.assertEqual(f"/v1/appointments/{booked.json['id']}", booked.headers["Location"])
        self.assertEqual('"1"', booked.headers["ETag"])
        self.assertEqual("REQUESTED", booked.json["status"])
        self.assertEqual("NOT_CONFIRMED", booked.json["join"]["decision"])

        refused = self.patient.change(booked.json, "confirm")
        self.assertEqual((403, "forbidden"), (refused.status, refused.problem))
        confirmed = self.doctor.change(booked.json, "confirm")
        self.assertEqual((200, "CONFIRMED", 2), (confirmed.status, confirmed.json["status"],
                                                 confirmed.json["version"]))
        self.assertEqual("TOO_EARLY", confirmed.json["join"]["decision"])
        stale = self.doctor.change(booked.json, "cancel")
        self.assertEqual((412, "stale"), (stale.status, stale.problem))
        twice = self.doctor.change(confirmed.json, "confirm")
        self.assertEqual((409, "illegal-transition"), (twice.status, twice.problem))
        self.assertEqual("CONFIRMED", twice.json["appointmentStatus"])

        elsewhere = free_slot(self.doctor, 12)
        moved = self.patient.change(confirmed.json, "move", {"startsAt": elsewhere})
        self.assertEqual((200, "REQUESTED", 3), (moved.status, moved.json["status"],
                                                 moved.json["version"]))
        cancelled = self.patient.change(moved.json, "cancel", {"note": "better already"})
        self.assertEqual((200, "CANCELLED"), (cancelled.status, cancelled.json["status"]))
        self.assertEqual("OVER", cancelled.json["join"]["decision"])

        inbox = [e["type"] for e in self.doctor.ask("GET", "/v1/inbox").json["entries"]
                 if e["appointmentId"] == booked.json["id"]]
        self.assertEqual(["appointment.requested", "appointment.moved", "appointment.cancelled"],
                         inbox)

    def test_nothing_of_a_stranger(self):
        booked = self.patient.book(self.doctor, free_slot(self.doctor, 14)).json
        stranger = rig.of_role("PATIENT", 1)
        unknown = str(uuid.uuid4())
        for ask in (lambda i: stranger.ask("GET", f"/v1/appointments/{i}"),
                    lambda i: stranger.join(i, "PATIENT"),
                    lambda i: stranger.change({"id": i, "version": 1}, "cancel")):
            real, none = ask(booked["id"]), ask(unknown)
            self.assertEqual((404, 404), (real.status, none.status))
            strip = lambda a: {k: v for k, v in a.json.items() if k != "instance"}
            self.assertEqual(strip(none), strip(real), "a real id answers like an unknown one")
        listed = stranger.ask("GET", "/v1/appointments?limit=100").json["appointments"]
        self.assertNotIn(booked["id"], [a["id"] for a in listed])

    def test_pages_give_each_row_once(self):
        for nth in (20, 20, 20):
            booked = self.patient.book(self.doctor, free_slot(self.doctor, nth))
            self.assertEqual(201, booked.status, booked)
        whole = self.patient.ask("GET", "/v1/appointments?limit=100").json["appointments"]
        seen, path = [], "/v1/appointments?limit=1"
        while path:
            page = self.patient.ask("GET", path)
            self.assertEqual(200, page.status, page)
            seen += [a["id"] for a in page.json["appointments"]]
            link = page.headers.get("Link")
            path = link.split(">")[0].removeprefix("<") if link else None
        self.assertEqual([a["id"] for a in whole], seen)

    def test_patients_take_slots_and_staff_take_any_time(self):
        odd = text_of(rig.now() + datetime.timedelta(days=20, minutes=7, seconds=11))
        refused = self.patient.book(self.doctor, odd)
        self.assertIn(refused.status, (409, 422), refused)
        booked = self.staff.book(self.doctor, odd, patientId=self.patient.id, minutes=3,
                                 confirmed=True)
        self.assertEqual((201, "CONFIRMED", 2), (booked.status, booked.json["status"],
                                                 booked.json["version"]))

    def test_the_books_balance(self):
        self.assertEqual("0", rig.sql(
            "SELECT count(*) FROM tv.inbox_head h WHERE h.last_seq <> "
            "(SELECT count(*) FROM tv.inbox i WHERE i.person_id = h.person_id)"))


if __name__ == "__main__":
    unittest.main()
