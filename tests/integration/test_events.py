"""Who is told of what, when, and how often: streams of people against real services, with servers
taken away, clocks moved and notifiers killed in the very moment that something is due."""

import contextlib
import datetime
import sys
import threading
import time
import unittest
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rig import Rig, at_once, text_of, until  # pylint: disable=wrong-import-position
from sse import Reader  # pylint: disable=wrong-import-position

MINUTE, DAY = datetime.timedelta(minutes=1), datetime.timedelta(days=1)
OPENS_BEFORE, CLOSES_AFTER = 30 * MINUTE, 120 * MINUTE  # the demo clinic's policy


def setUpModule():
    global rig
    # Cheap passwords: hundreds of people log in here, and sessions are another test's matter.
    rig = Rig("appointments:TELEVISIT_PASSWORD_MEMORY=8",
              "appointments:TELEVISIT_PASSWORD_PASSES=1",
              "gateway:TELEVISIT_STREAM_CHECK=1s")
    unittest.addModuleCleanup(rig.close)
    unittest.addModuleCleanup(rig.ctl, "faults")  # the promises that the tables prove
    unittest.addModuleCleanup(rig.ctl, "clock", "reset")


class Events(unittest.TestCase):
    def setUp(self):
        self.staff = rig.of_role("STAFF")
        (self.doctor,), (self.patient,) = (rig.add_people(role, 1)
                                           for role in ("DOCTOR", "PATIENT"))
        self.reader = Reader()
        self.addCleanup(self.reader.close)

    def stream(self, person, **resume):
        """A stream that has said hello: what happens from now on comes over it."""
        stream = self.reader.open(person, **({"after": 0} | resume))
        self.assertEqual(200, until(lambda: stream.status))
        return stream

    def booked(self, starts_at, confirmed=True, doctor=None, patient=None):
        answer = self.staff.book(doctor or self.doctor, text_of(starts_at), confirmed=confirmed,
                                 patientId=(patient or self.patient).id, minutes=5)
        self.assertEqual(201, answer.status, answer)
        return answer.json

    def changed(self, person, visit, what, body=None):
        answer = person.change(visit, what, body)
        self.assertEqual(200, answer.status, answer)
        return answer.json

    def move_clock(self, instant):
        self.addCleanup(rig.ctl, "clock", "reset")
        rig.ctl("clock", text_of(instant))

    def due_states(self, visit):
        return rig.sql("SELECT version || ' ' || kind || ' ' || state FROM tv.due WHERE "
                       f"appointment_id = '{visit['id']}' ORDER BY 1").splitlines()

    def assert_inbox(self, stream, person):
        """What the stream brought is the person's whole inbox, each number once, in order."""
        last = int(rig.sql("SELECT coalesce(max(last_seq), 0) FROM tv.inbox_head "
                           f"WHERE person_id = '{person.id}'"))
        until(lambda: len(stream.events) >= last)
        self.assertEqual(list(range(1, last + 1)), [number for number, _, _ in stream.events])
        self.assertEqual(person.ask("GET", "/v1/inbox?limit=500").json["entries"],
                         [entry for _, _, entry in stream.events])

    # -- who is told ------------------------------------------------------------------------------

    def test_those_concerned_are_told_and_nobody_else(self):
        (other_doctor,), (other_patient,) = (rig.add_people(role, 1)
                                             for role in ("DOCTOR", "PATIENT"))
        actors = {"doctor": self.doctor, "patient": self.patient, "staff": self.staff,
                  "other doctor": other_doctor, "other patient": other_patient}
        streams = {name: self.stream(person) for name, person in actors.items()}
        rig.sql("INSERT INTO tv.availability (clinic_id, doctor_id, weekday, begins, ends, "
                f"slot_minutes) SELECT clinic_id, '{self.doctor.id}', day, '08:00', '18:00', 30 "
                f"FROM tv.person, generate_series(1, 7) AS day WHERE id = '{self.doctor.id}'")
        slots = [slot["startsAt"] for slot in self.patient.ask(
            "GET", f"/v1/doctors/{self.doctor.id}/slots?days=5").json["slots"][-3:]]
        visit = self.patient.book(self.doctor, slots[0]).json
        visit = self.changed(self.doctor, visit, "confirm")
        visit = self.changed(self.patient, visit, "move", {"startsAt": slots[1]})
        visit = self.changed(self.staff, visit, "confirm")
        visit = self.changed(self.doctor, visit, "move", {"startsAt": slots[2]})
        self.changed(self.patient, visit, "cancel", {"note": "a secret"})
        second = self.patient.book(self.doctor, slots[0]).json
        self.changed(self.doctor, second, "decline", {"note": "another secret"})
        # The last word to everybody: what comes before it is all there was.
        last = self.booked(rig.now() + 3 * DAY, False, other_doctor, other_patient)
        last = self.changed(self.staff, last, "confirm")
        told = {
            "doctor": ["requested", "moved", "confirmed", "cancelled"],
            "patient": ["confirmed", "confirmed", "moved"],
            "staff": ["requested"],
            "other doctor": [], "other patient": [],
        }
        for name, types in told.items():
            with self.subTest(name):
                stream = streams[name]
                person = actors[name]
                self.assert_inbox(stream, person)
                self.assertEqual([f"appointment.{t}" for t in types], stream.of(visit["id"]))
        self.assertEqual(["appointment.requested"], streams["doctor"].of(second["id"]))
        self.assertEqual(["appointment.declined"], streams["patient"].of(second["id"]))
        self.assertEqual(["appointment.requested", "appointment.confirmed"],
                         streams["other doctor"].of(last["id"]))
        self.assertEqual(["appointment.confirmed"], streams["other patient"].of(last["id"]))
        entry = next(e for _, kind, e in streams["doctor"].events if kind.endswith("cancelled"))
        self.assertEqual({"seq", "eventId", "type", "clinicId", "personId", "appointmentId",
                          "appointmentVersion", "occurredAt", "startsAt", "opensAt", "closesAt",
                          "timeZone", "actorId"}, set(entry), "no health data")
        self.assertEqual((self.doctor.id, 6), (entry["personId"], int(entry["appointmentVersion"])))

    def test_each_stream_of_a_person_is_told(self):
        streams = [self.stream(self.patient) for _ in range(3)]
        visits = [self.booked(rig.now() + 3 * DAY + nth * 10 * MINUTE) for nth in range(5)]
        for stream in streams:
            self.assert_inbox(stream, self.patient)
            self.assertEqual([visit["id"] for visit in visits],
                             [entry["appointmentId"] for _, _, entry in stream.events])

    # -- what time brings -------------------------------------------------------------------------

    def test_two_hundred_calls_open_while_notifiers_are_killed(self):
        """At each of four instants fifty calls open, and one of two notifiers dies by SIGKILL."""
        rounds, calls = 4, 50
        rig.ctl("start", "notifier-2")
        self.addCleanup(rig.ctl, "stop", "notifier-2")
        doctors, patients = (rig.add_people(role, rounds * calls) for role in ("DOCTOR", "PATIENT"))
        first = rig.now().replace(microsecond=0) + 40 * DAY
        gap = datetime.timedelta(seconds=2.5)
        starts = [first + (nth // calls) * gap for nth in range(rounds * calls)]
        visits = [None] * len(starts)

        def work(worker):
            for nth in range(worker, len(visits), 8):
                visits[nth] = self.booked(starts[nth], True, doctors[nth], patients[nth])
                self.people_streams[doctors[nth].id] = self.reader.open(doctors[nth], after=0)
                self.people_streams[patients[nth].id] = self.reader.open(patients[nth], after=0)

        self.people_streams = {}
        at_once(8, work)
        self.assertTrue(until(lambda: all(s.status == 200 for s in self.people_streams.values())))
        self.move_clock(first - OPENS_BEFORE - datetime.timedelta(seconds=3))
        ahead = first - OPENS_BEFORE - rig.now()
        opens = time.time() + ahead.total_seconds()
        for nth, late_s in enumerate((0.0, 0.004, 0.01, 0.03)):
            victim = ("notifier", "notifier-2")[nth % 2]
            rig.ctl("kill", victim, "-9", "--at", str(opens + nth * gap.total_seconds() + late_s))
            rig.ctl("start", victim)
        of_these = "', '".join(visit["id"] for visit in visits)
        self.assertTrue(until(lambda: rig.sql(
            "SELECT count(*) FROM tv.due WHERE kind = 'call_available' AND state = 'fired' AND "
            f"appointment_id IN ('{of_these}')") == str(rounds * calls)), "all have fired")
        late = rig.sql("SELECT round(1000 * max(extract(epoch FROM occurred_at - due_at))), "
                       "round(1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY "
                       "extract(epoch FROM occurred_at - due_at))) FROM tv.event "
                       f"WHERE type = 'call.available' AND appointment_id IN ('{of_these}')")
        worst_ms, median_ms = (float(number) for number in late.split("|"))
        print(f"\n200 calls, 4 kills: late by {median_ms:.0f} ms (median), {worst_ms:.0f} ms "
              "(worst)", file=sys.stderr)
        for visit, doctor, patient in zip(visits, doctors, patients):
            for person in (doctor, patient):
                stream = self.people_streams[person.id]
                until(lambda s=stream, v=visit: "call.available" in s.of(v["id"]))
                self.assertEqual(1, stream.of(visit["id"]).count("call.available"))
                self.assertEqual(list(range(1, len(stream.events) + 1)),
                                 [number for number, _, _ in stream.events])
        self.assertLess(worst_ms, 1500, "a notifier looks at least every second")

    def test_confirmed_while_open_is_told_at_once(self):
        streams = [self.stream(person) for person in (self.doctor, self.patient)]
        for nth in range(5):
            visit = self.booked(rig.now() + 10 * MINUTE, False)
            began = time.monotonic()
            visit = self.changed(self.doctor, visit, "confirm")
            for stream in streams:
                until(lambda s=stream, v=visit: "call.available" in s.of(v["id"]))
                number = next(n for n, kind, e in stream.events
                              if (kind, e["appointmentId"]) == ("call.available", visit["id"]))
                self.assertLess(stream.arrived[number] - began, 1.0)
            self.changed(self.staff, visit, "cancel")

    def test_nothing_opens_after_it_closed(self):
        stream = self.stream(self.patient)
        starts_at = rig.now() + 50 * DAY
        visit = self.booked(starts_at)
        rig.ctl("stop", "notifier")
        self.addCleanup(rig.ctl, "start", "notifier")
        self.move_clock(starts_at + CLOSES_AFTER)
        rig.ctl("start", "notifier")
        rig.look_again()
        self.assertTrue(until(lambda: self.due_states(visit) == [
            "2 call_available expired", "2 call_closing expired", "2 reminder expired",
            "2 window_closed fired"]), self.due_states(visit))
        self.assertGreaterEqual(rig.metric("notifier", "tv_notify_expired_total"), 3)
        # Whatever came before it has arrived with it.
        self.assertTrue(until(lambda: "appointment.no_show" in stream.of(visit["id"])))
        self.assertEqual(["appointment.confirmed", "appointment.no_show"], stream.of(visit["id"]))

    def test_the_last_moment_before_it_closes(self):
        stream = self.stream(self.patient)
        starts_at = rig.now() + 60 * DAY
        visit = self.booked(starts_at)
        rig.ctl("stop", "notifier")
        self.addCleanup(rig.ctl, "start", "notifier")
        self.move_clock(starts_at + CLOSES_AFTER - MINUTE)
        rig.ctl("start", "notifier")
        self.assertTrue(until(lambda: "call.available" in stream.of(visit["id"])), "late, but open")
        self.assertEqual(["2 call_available fired", "2 call_closing fired", "2 reminder expired",
                          "2 window_closed due"], self.due_states(visit))

    def test_what_was_called_off_does_not_open(self):
        starts_at = rig.now() + 70 * DAY
        (patient,), (doctor,) = (rig.add_people(role, 1) for role in ("PATIENT", "DOCTOR"))
        control = self.booked(starts_at, True, doctor, patient)
        stream, control_stream = self.stream(self.patient), self.stream(patient)
        moved = self.booked(starts_at)
        moved = self.changed(self.staff, moved, "move", {"startsAt": text_of(starts_at + DAY)})
        cancelled = self.changed(self.staff, self.booked(starts_at), "cancel")
        self.move_clock(starts_at - OPENS_BEFORE)
        self.assertTrue(until(lambda: "call.available" in control_stream.of(control["id"])))
        kinds = ("call_available", "call_closing", "reminder", "window_closed")
        gone = [f"2 {kind} superseded" for kind in kinds]
        self.assertEqual(gone + [f"3 {kind} due" for kind in kinds], self.due_states(moved))
        self.assertEqual(gone, self.due_states(cancelled))
        rig.ctl("clock", text_of(starts_at + DAY - OPENS_BEFORE))
        self.assertTrue(until(lambda: "call.available" in stream.of(moved["id"])))
        self.assertEqual(1, stream.of(moved["id"]).count("call.available"))
        self.assertNotIn("call.available", stream.of(cancelled["id"]))

    def test_a_reminder_a_day_ahead(self):
        streams = [self.stream(person) for person in (self.doctor, self.patient)]
        starts_at = rig.now() + 80 * DAY
        visit = self.booked(starts_at)
        self.move_clock(starts_at - DAY)
        for stream in streams:
            self.assertTrue(until(lambda s=stream: "appointment.reminder" in s.of(visit["id"])))
            self.assertEqual(["appointment.confirmed", "appointment.reminder"],
                             stream.of(visit["id"])[-2:])
        self.assertEqual(["2 call_available due", "2 call_closing due", "2 reminder fired",
                          "2 window_closed due"], self.due_states(visit))

    # -- what gets lost on the way ----------------------------------------------------------------

    def test_a_client_resumes_after_the_gateway_was_away(self):
        first = self.stream(self.patient)
        starts_at = rig.now() + 90 * DAY
        visit = self.booked(starts_at)
        self.assertTrue(until(lambda: first.events))
        rig.ctl("stop", "gateway")
        try:
            self.assertTrue(until(lambda: first.ended))
            self.move_clock(starts_at - OPENS_BEFORE)
            self.assertTrue(until(lambda: self.due_states(visit) == [
                "2 call_available fired", "2 call_closing due", "2 reminder expired",
                "2 window_closed due"]), self.due_states(visit))
        finally:
            rig.ctl("start", "gateway")
        last = first.events[-1][0]
        resumed = self.stream(self.patient, last_event_id=last, after=None)
        self.assertTrue(until(lambda: "call.available" in resumed.of(visit["id"])))
        numbers = [number for number, _, _ in first.events + resumed.events]
        self.assertEqual(list(range(1, len(numbers) + 1)), numbers)
        self.assertEqual("call.available", resumed.events[-1][1])

    def test_a_number_that_was_never_given_is_answered_with_resync(self):
        self.booked(rig.now() + 5 * DAY)
        stream = self.stream(self.patient, last_event_id=10**12, after=None)
        self.assertTrue(until(lambda: stream.events))
        self.assertEqual((1, "resync"), stream.events[0][:2])
        self.booked(rig.now() + 6 * DAY)
        self.assertTrue(until(lambda: len(stream.events) == 2))
        self.assertEqual((2, "appointment.confirmed"), stream.events[1][:2])

    def test_nats_goes_while_a_booking_commits(self):
        """The row lock holds the booking inside the database until NATS is away, so its answer and
        its notices are lost for sure; the check of heads finds them."""
        streams = {person.id: self.stream(person) for person in (self.patient, self.doctor)}
        starts_at, key, answers = rig.now() + 7 * DAY, str(uuid.uuid4()), []
        before = rig.metric("gateway", "tv_stream_reads_total")

        def book():
            answers.append(self.staff.book(self.doctor, text_of(starts_at), key=key,
                                           patientId=self.patient.id, minutes=5, confirmed=True))

        thread = threading.Thread(target=book)
        with contextlib.ExitStack() as stack:
            stack.callback(thread.join)
            with rig.sql_held(f"SELECT FROM tv.person WHERE id = '{self.doctor.id}' FOR UPDATE"):
                thread.start()
                self.assertTrue(until(lambda: rig.sql(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") != "0"))
                rig.ctl("stop", "nats")
            try:
                self.assertTrue(until(lambda: rig.sql(
                    f"SELECT count(*) FROM tv.appointment WHERE doctor_id = '{self.doctor.id}'")
                    == "1"), "it was committed")
            finally:
                rig.ctl("start", "nats")
        self.assertIn(answers[0].status, (503, 504), "an honest answer: nobody knows")
        for person in (self.patient, self.doctor):
            stream = streams[person.id]
            self.assertTrue(until(lambda s=stream: s.events, 15), "the stream has caught up")
            self.assertFalse(stream.ended)
            self.assert_inbox(stream, person)
        self.assertGreater(rig.metric("gateway", "tv_stream_reads_total"), before)
        again = until(lambda: (lambda a: a if a.status == 201 else None)(self.staff.book(
            self.doctor, text_of(starts_at), key=key, patientId=self.patient.id, minutes=5,
            confirmed=True)))
        self.assertEqual(201, again.status, again)
        self.assertEqual("1", rig.sql(
            f"SELECT count(*) FROM tv.appointment WHERE doctor_id = '{self.doctor.id}'"))

    def test_the_tables_agree(self):
        rig.ctl("faults")
        self.assertEqual("0|0", rig.sql(
            "SELECT (SELECT count(*) FROM tv.due WHERE state NOT IN "
            "('fired', 'superseded', 'expired', 'due')), (SELECT count(*) FROM (SELECT FROM "
            "tv.event GROUP BY clinic_id, appointment_id, version, type, lead_s, nth "
            "HAVING count(*) > 1) AS twice)"))
        self.assertEqual("t", rig.sql(
            "SELECT (SELECT count(*) FROM tv.due WHERE state = 'fired' "
            "AND kind <> 'window_closed') = (SELECT count(*) FROM tv.event WHERE type IN "
            "('call.available', 'appointment.reminder', 'call.closing'))"))


if __name__ == "__main__":
    unittest.main()
