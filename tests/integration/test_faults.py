"""Servers taken away and given back: honest errors meanwhile, nothing done later, all recovers."""

import datetime
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rig import SERVICES, Rig, text_of, until  # pylint: disable=wrong-import-position


def setUpModule():
    global rig
    rig = Rig()
    unittest.addModuleCleanup(rig.close)


class Faults(unittest.TestCase):
    def setUp(self):
        self.doctor = rig.of_role("DOCTOR", 1)
        self.patient = rig.of_role("PATIENT")
        self.staff = rig.of_role("STAFF")

    def book(self, hours):
        return self.staff.book(self.doctor,
                               text_of(rig.now() + datetime.timedelta(days=9, hours=hours)),
                               patientId=self.patient.id, minutes=5)

    def take_away(self, part, hours):
        """A booking while `part` is away; it must be refused in time and never be done."""
        starts_at = text_of(rig.now() + datetime.timedelta(days=9, hours=hours))
        before = rig.sql("SELECT count(*) FROM tv.appointment")
        rig.ctl("stop", part)
        try:
            began = time.monotonic()
            answer = self.staff.book(self.doctor, starts_at, patientId=self.patient.id, minutes=5)
            self.assertLess(time.monotonic() - began, 6, "within the deadline of a booking")
            self.assertEqual(503, answer.status, answer)
            self.assertEqual("unavailable", answer.problem)
            self.assertTrue(rig.ask("GET", "/healthz").status == 200, "liveness stays green")
        finally:
            rig.ctl("start", part)
        began = time.monotonic()
        booked = until(lambda: (lambda a: a if a.status == 201 else None)(self.book(hours + 1)))
        self.assertTrue(booked, "bookings work again")
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual(int(before) + 1, int(rig.sql("SELECT count(*) FROM tv.appointment")),
                         "nothing was booked later")

    def test_nats_away(self):
        self.take_away("nats", 0)

    def test_an_answer_that_comes_after_nats_came_back(self):
        """The right to answer ends with the connection that brought the request: such an answer is
        let go, for nobody waits for it, and NATS would call it a violation."""
        starts_at = text_of(rig.now() + datetime.timedelta(days=9, hours=20))
        answers = []
        booking = threading.Thread(target=lambda: answers.append(self.staff.book(
            self.doctor, starts_at, patientId=self.patient.id, minutes=5)))
        with rig.sql_held(f"SELECT FROM tv.person WHERE id = '{self.doctor.id}' FOR UPDATE"):
            booking.start()
            self.assertTrue(until(lambda: rig.sql(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") != "0"))
            rig.ctl("kill", "nats", "-9")
            rig.ctl("start", "nats")
            self.assertTrue(until(lambda: rig.visit("/readyz", "appointments").status == 200, 4))
            self.assertEqual("0", self.booked_at(starts_at), "it still waits")
        booking.join()
        self.assertEqual((504, "unknown-outcome"), (answers[0].status, answers[0].problem))
        self.assertTrue(until(lambda: self.booked_at(starts_at) == "1"))
        # The gateway comes back to NATS in its own time.
        self.assertTrue(until(lambda: self.patient.ask("GET", "/v1/appointments").status == 200))
        self.assertEqual(200, rig.visit("/readyz", "appointments").status)
        self.assertEqual(0, rig.metric("appointments", "tv_bus_permission_violations_total"))

    def booked_at(self, starts_at):
        return rig.sql("SELECT count(*) FROM tv.appointment WHERE "
                       f"(doctor_id, starts_at) = ('{self.doctor.id}', '{starts_at}')")

    def test_postgres_away(self):
        self.take_away("postgres", 10)

    def test_livekit_away(self):
        now = rig.now()
        booked = self.staff.book(self.doctor, text_of(now + datetime.timedelta(minutes=25)),
                                 patientId=self.patient.id, minutes=2, confirmed=True)
        self.assertEqual(201, booked.status, booked)
        rig.ctl("stop", "livekit")
        try:
            began = time.monotonic()
            answer = self.patient.join(booked.json["id"], "PATIENT")
            self.assertLess(time.monotonic() - began, 3)
            self.assertEqual((503, "media-unavailable"), (answer.status, answer.problem))
            self.assertIn("Retry-After", answer.headers)
            self.assertEqual(200, self.patient.ask("GET", "/v1/appointments").status)
        finally:
            rig.ctl("start", "livekit")
        joined = until(lambda: (lambda a: a if a.status == 200 else None)(
            self.patient.join(booked.json["id"], "PATIENT")))
        self.assertTrue(joined, "joins work again")

    def test_a_service_is_killed(self):
        for part in SERVICES:
            with self.subTest(part):
                rig.ctl("kill", part, "-9")
                rig.ctl("start", part)
                self.assertTrue(until(lambda: self.patient.ask("GET", "/v1/me").status == 200))


if __name__ == "__main__":
    unittest.main()
