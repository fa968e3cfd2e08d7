"""The life of a room and the record of a call: real rooms of a real LiveKit, and its webhooks,
genuine and hostile. Who is in a room is told by webhooks signed here as LiveKit signs them; people
with real media are in tests/e2e."""

import base64
import datetime
import json
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rig import Rig, at_once, text_of, until  # pylint: disable=wrong-import-position
from livekit import RoomEvents, sign  # pylint: disable=wrong-import-position
from sse import Reader  # pylint: disable=wrong-import-position

MINUTE = datetime.timedelta(minutes=1)


def setUpModule():
    global rig, livekit
    rig = Rig("appointments:TELEVISIT_PASSWORD_MEMORY=8",
              "appointments:TELEVISIT_PASSWORD_PASSES=1")
    livekit = rig.livekit()
    unittest.addModuleCleanup(rig.close)
    unittest.addModuleCleanup(rig.ctl, "faults")
    unittest.addModuleCleanup(rig.ctl, "clock", "reset")


class Case(unittest.TestCase):
    def setUp(self):
        self.staff = rig.of_role("STAFF")
        (self.doctor,), (self.patient,) = (rig.add_people(role, 1)
                                           for role in ("DOCTOR", "PATIENT"))
        self.both = (self.doctor, "DOCTOR"), (self.patient, "PATIENT")
        self.reader = Reader()
        self.addCleanup(self.reader.close)

    def stream(self, person):
        stream = self.reader.open(person, after=0)
        self.assertEqual(200, until(lambda: stream.status))
        return stream

    def booked(self, starts_in=10 * MINUTE):
        answer = self.staff.book(self.doctor, text_of(rig.now() + starts_in), confirmed=True,
                                 patientId=self.patient.id, minutes=5)
        self.assertEqual(201, answer.status, answer)
        return answer.json

    def read(self, visit):
        return self.staff.ask("GET", f"/v1/appointments/{visit['id']}").json

    def joined(self, visit, person, kind, **more):
        answer = person.ask("POST", f"/v1/appointments/{visit['id']}/join",
                            {"participantType": kind} | more)
        self.assertEqual(200, answer.status, answer)
        return answer.json

    def open_room(self, visit):
        """Both have a token; the room that LiveKit made for them, as the record knows it."""
        tickets = [self.joined(visit, person, kind) for person, kind in self.both]
        name = tickets[0]["room"]
        sid = until(lambda: self.recorded_sid(name), 10)
        self.assertTrue(sid, "LiveKit's room_started is recorded")
        self.assertEqual(livekit.rooms()[name], sid)
        return RoomEvents(name, sid), tickets

    def recorded_sid(self, name):
        return rig.sql("SELECT room_sid FROM tv.call WHERE over_at IS NULL AND "
                       f"tv.room_name(appointment_id, generation) = '{name}'")

    def tell(self, event, status=200):
        answer = rig.webhook(event)
        self.assertEqual(status, answer.status, answer)
        return answer

    def meet(self, room, tickets):
        """Both come in; their tracks prove that they are there at the same time."""
        for ticket in tickets:
            self.tell(room.joined(ticket["identity"]))
        for ticket in tickets:
            self.tell(room.track(ticket["identity"]))

    def gone(self, name, timeout_s=10):
        """Whether LiveKit has closed the room by then."""
        return until(lambda: (lambda rooms: rooms is not None and name not in rooms)(
            livekit.rooms()), timeout_s)

    def told(self, stream, visit, kind, timeout_s=10):
        self.assertTrue(until(lambda: kind in stream.of(visit["id"]), timeout_s),
                        (kind, stream.of(visit["id"])))


class Rooms(Case):
    def test_a_room_covers_the_window(self):
        visit = self.booked()
        _, tickets = self.open_room(visit)
        room = livekit.room(tickets[0]["room"])
        left = datetime.datetime.fromisoformat(visit["join"]["closesAt"]) - rig.now()
        for timeout in ("empty_timeout", "departure_timeout"):
            self.assertGreaterEqual(room[timeout], left.total_seconds())
        self.assertEqual(16, room["max_participants"])
        self.staff.change(self.read(visit), "cancel")

    def test_cancelled_in_mid_call(self):
        visit = self.booked()
        room, tickets = self.open_room(visit)
        self.meet(room, tickets)
        self.assertEqual(200, self.staff.change(self.read(visit), "cancel").status)
        self.assertTrue(self.gone(room.name))
        for ticket in tickets:
            self.assertEqual(404, livekit.validate(ticket["token"])[0], "an old token is no use")
        self.assertEqual("over", self.patient.join(visit["id"], "PATIENT").problem)
        self.assertTrue(until(lambda: all(
            "inCallSince" not in p for p in self.read(visit)["participants"])))

    def test_the_doctor_ends_the_call(self):
        visit = self.booked()
        streams = [self.stream(person) for person, _ in self.both]
        room, tickets = self.open_room(visit)
        self.meet(room, tickets)
        self.assertEqual(403, self.patient.ask("POST", f"/v1/appointments/{visit['id']}/end")
                         .status)
        ended = self.doctor.ask("POST", f"/v1/appointments/{visit['id']}/end")
        self.assertEqual((200, "COMPLETED"), (ended.status, ended.json["status"]))
        self.assertTrue(self.gone(room.name))
        self.assertEqual(404, livekit.validate(tickets[1]["token"])[0])
        again = self.doctor.ask("POST", f"/v1/appointments/{visit['id']}/end")
        self.assertEqual((409, "illegal-transition"), (again.status, again.problem))
        self.told(streams[1], visit, "appointment.completed")
        for stream in streams:
            self.told(stream, visit, "call.ended")
            self.assertEqual(1, stream.of(visit["id"]).count("call.started"))

    def test_closing_time_with_both_there(self):
        visit = self.booked()
        stream = self.stream(self.patient)
        room, tickets = self.open_room(visit)
        self.meet(room, tickets)
        closes_at = datetime.datetime.fromisoformat(visit["join"]["closesAt"])
        self.addCleanup(rig.ctl, "clock", "reset")
        rig.ctl("clock", text_of(closes_at - 4 * MINUTE))
        self.told(stream, visit, "call.closing")
        rig.ctl("clock", text_of(closes_at))
        self.told(stream, visit, "appointment.completed")
        self.assertTrue(self.gone(room.name))
        self.assertEqual(404, livekit.validate(tickets[0]["token"])[0])
        self.assertEqual("COMPLETED", self.read(visit)["status"])

    def test_closing_time_and_somebody_never_came(self):
        for came, side in ((None, "BOTH"), ("PATIENT", "DOCTOR"), ("DOCTOR", "PATIENT")):
            with self.subTest(came):
                visit = self.booked()
                stream = self.stream(self.doctor)
                if came:
                    room, tickets = self.open_room(visit)
                    self.tell(room.joined(tickets[came == "PATIENT"]["identity"]))
                rig.ctl("clock", visit["join"]["closesAt"])
                self.addCleanup(rig.ctl, "clock", "reset")
                self.told(stream, visit, "appointment.no_show")
                seen = self.read(visit)
                self.assertEqual(("NO_SHOW", side), (seen["status"], seen["noShow"]))
                if came:
                    self.assertTrue(self.gone(room.name))
                corrected = self.staff.change(seen, "complete")
                self.assertEqual((200, "COMPLETED"), (corrected.status, corrected.json["status"]))
                rig.ctl("clock", "reset")

    def test_a_room_that_ended_early_has_a_successor(self):
        visit = self.booked()
        room, _ = self.open_room(visit)
        self.assertEqual(200, livekit.call("DeleteRoom", room=room.name)[0])  # by an operator
        ticket = until(lambda: (lambda t: t if t["room"] != room.name else None)(
            self.joined(visit, self.patient, "PATIENT")))
        self.assertEqual(room.name + ".2", ticket["room"])
        self.assertEqual(200, livekit.validate(ticket["token"])[0])
        self.staff.change(self.read(visit), "cancel")
        self.assertTrue(self.gone(ticket["room"]))

    def test_what_is_left_over_is_swept(self):
        visit = self.booked()
        self.staff.change(self.read(visit), "cancel")
        stray = f"room_{visit['id']}"
        # Of another installation, or of nobody: not ours to close.
        others = ["room_00000000-0000-4000-8000-00000000abcd", "somebody-elses"]
        for name in [stray, *others]:
            self.assertEqual(200, livekit.call("CreateRoom", name=name)[0])
        self.assertTrue(self.gone(stray, 15))
        for name in others:
            self.assertIn(name, livekit.rooms())
            livekit.call("DeleteRoom", room=name)

    def test_livekit_lost_its_rooms(self):
        visit = self.booked()
        room, tickets = self.open_room(visit)
        self.meet(room, tickets)
        rig.ctl("kill", "livekit", "-9")
        rig.ctl("start", "livekit")  # comes back when it is ready
        began = time.monotonic()
        self.assertTrue(until(lambda: room.name in (livekit.rooms() or {}), 10))
        self.assertLess(time.monotonic() - began, 2)
        self.assertNotEqual(room.sid, livekit.rooms()[room.name])
        calls = until(lambda: (lambda a: a["calls"] if len(a["calls"]) == 2 else None)(
            self.staff.ask("GET", f"/v1/appointments/{visit['id']}/calls").json))
        self.assertTrue(calls, "the room made again is a call of its own")
        self.assertEqual(room.sid, calls[0]["roomSid"])
        self.assertTrue(until(lambda: "overAt" in self.staff.ask(
            "GET", f"/v1/appointments/{visit['id']}/calls").json["calls"][0]))
        self.assertEqual("CONFIRMED", self.read(visit)["status"])
        self.staff.change(self.read(visit), "cancel")
        self.assertTrue(self.gone(room.name))

    def test_livekit_away_and_back(self):
        visit = self.booked()
        streams = [self.stream(person) for person, _ in self.both]
        for stream in streams:
            self.told(stream, visit, "call.available")
        rig.ctl("kill", "livekit", "-9")
        try:
            for person, kind in self.both:
                began = time.monotonic()
                answer = person.join(visit["id"], kind)
                self.assertEqual((503, "media-unavailable"), (answer.status, answer.problem))
                self.assertIn("Retry-After", answer.headers)
                self.assertLess(time.monotonic() - began, 2)
        finally:
            rig.ctl("start", "livekit")
        for stream in streams:
            self.told(stream, visit, "call.media_restored")
        for person, kind in self.both:
            self.assertTrue(until(lambda p=person, k=kind: p.join(visit["id"], k).status == 200, 5))
        for stream in streams:
            kinds = stream.of(visit["id"])
            self.assertEqual((1, 1), (kinds.count("call.media_restored"),
                                      kinds.count("call.available")))
        self.staff.change(self.read(visit), "cancel")


class Record(Case):
    def test_the_waiting_side_is_heard(self):
        visit = self.booked()
        streams = [self.stream(person) for person, _ in self.both]
        room, (doctors, patients) = self.open_room(visit)
        began = time.monotonic()
        self.tell(room.joined(patients["identity"]))
        self.told(streams[0], visit, "call.waiting")
        number, _, entry = next(e for e in streams[0].events if e[1] == "call.waiting")
        print(f"call.waiting: {(streams[0].arrived[number] - began) * 1000:.1f} ms after the "
              "webhook was sent", file=sys.stderr)
        self.assertEqual(self.patient.id, entry["actorId"])
        person = next(p for p in self.read(visit)["participants"] if p["type"] == "PATIENT")
        self.assertIn("inCallSince", person)

        before, last = len(streams[0].hints), streams[0].events[-1]
        self.tell(room.left(patients["identity"]))
        self.assertTrue(until(lambda: len(streams[0].hints) > before), "the doctor's page knows")
        self.assertEqual({visit["id"]}, set(streams[0].hints))
        self.assertEqual(last, streams[0].events[-1], "though no notice was written")
        listed = self.staff.ask("GET", "/v1/appointments?limit=100").json["appointments"]
        for place in (self.read(visit), next(a for a in listed if a["id"] == visit["id"])):
            person = next(p for p in place["participants"] if p["type"] == "PATIENT")
            self.assertNotIn("inCallSince", person)
            self.assertIn("leftCallAt", person)
        self.tell(room.joined(patients["identity"]))  # within two minutes, and they never met
        self.tell(room.joined(doctors["identity"]))
        for stream in streams:
            self.told(stream, visit, "call.started")
        self.assertEqual(1, streams[0].of(visit["id"]).count("call.waiting"))
        self.assertNotIn("call.waiting", streams[1].of(visit["id"]))
        self.tell(room.left(doctors["identity"]))
        self.tell(room.left(patients["identity"]))
        self.tell(room.joined(patients["identity"]))  # they have met since
        self.assertTrue(until(lambda: streams[0].of(visit["id"]).count("call.waiting") == 2))
        self.staff.change(self.read(visit), "cancel")

    def test_the_same_person_twice(self):
        visit = self.booked()
        room, (_, patients) = self.open_room(visit)
        self.tell(room.joined(patients["identity"]))
        answer = self.patient.join(visit["id"], "PATIENT")
        self.assertEqual((409, "already-in-call"), (answer.status, answer.problem))
        since = datetime.datetime.fromisoformat(answer.json["since"])
        self.assertLess(abs((rig.now() - since).total_seconds()), 5)
        again = self.joined(visit, self.patient, "PATIENT", takeOver=True)
        self.assertEqual(patients["identity"], again["identity"])
        old = room.left(patients["identity"], "DUPLICATE_IDENTITY")
        self.tell(old)
        person = next(p for p in self.read(visit)["participants"] if p["type"] == "PATIENT")
        self.assertIn("inCallSince", person, "nobody has left")
        self.tell(room.joined(patients["identity"]))
        calls = self.staff.ask("GET", f"/v1/appointments/{visit['id']}/calls").json
        self.assertEqual(["DUPLICATE_IDENTITY", ""],
                         [p["reason"] for p in calls["calls"][0]["presences"]])
        self.staff.change(self.read(visit), "cancel")

    def test_who_sees_the_record(self):
        visit = self.booked()
        path = f"/v1/appointments/{visit['id']}/calls"
        for person in (self.doctor, self.patient, self.staff):
            answer = person.ask("GET", path)
            self.assertEqual((200, []), (answer.status, answer.json["calls"]))
        self.assertEqual(404, rig.of_role("PATIENT", 1).ask("GET", path).status)
        self.assertEqual(401, rig.ask("GET", path).status)
        self.staff.change(self.read(visit), "cancel")


class Webhooks(Case):
    def setUp(self):
        super().setUp()
        self.visit = self.booked()
        self.addCleanup(lambda: self.staff.change(self.read(self.visit), "cancel"))
        self.room, (_, self.patients) = self.open_room(self.visit)

    def event_ids(self):
        return rig.sql("SELECT id FROM tv.call_event e JOIN tv.call c USING (clinic_id, room_sid) "
                       f"WHERE c.appointment_id = '{self.visit['id']}'").split()

    def event(self):
        return self.room.joined(self.patients["identity"])

    def test_replayed(self):
        event = self.event()
        body = json.dumps(event)
        token = livekit.token_of_webhook(body)
        answers = at_once(8, lambda _: rig.webhook(body, token))
        self.assertEqual([200] * 8, [a.status for a in answers])
        self.assertEqual(1, self.event_ids().count(event["id"]))
        calls = self.staff.ask("GET", f"/v1/appointments/{self.visit['id']}/calls").json
        self.assertEqual(1, len(calls["calls"][0]["presences"]))

    def test_forged_and_broken(self):
        event = self.event()
        body, now = json.dumps(event), int(time.time())
        good = livekit.token_of_webhook(body)
        head, claims, signature = good.split(".")
        unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
        for name, text, token in (
                ("no token", body, None),
                ("no token at all", body, ""),
                ("another secret", body, type(livekit)("x//x", livekit.key, "s" * 32)
                 .token_of_webhook(body)),
                ("another key", body, livekit.token_of_webhook(body, iss="another")),
                ("alg none", body, f"{unsigned}.{claims}."),
                ("no signature", body, f"{head}.{claims}."),
                ("a flipped signature", body, f"{head}.{claims}.{signature[::-1]}"),
                ("expired", body, livekit.token_of_webhook(body, nbf=now - 400, exp=now - 70)),
                ("not yet", body, livekit.token_of_webhook(body, nbf=now + 70, exp=now + 400)),
                ("of another body", body, livekit.token_of_webhook(body + " ")),
                ("truncated", body[:-1], good),
                ("encoded again", json.dumps(event, separators=(",", ":")), good),
                ("no hash", body, sign(livekit.secret, {"iss": livekit.key, "exp": now + 300})),
                ("a session of ours", body, self.patient.token)):
            with self.subTest(name):
                answer = rig.webhook(text, token)
                self.assertEqual((401, "unauthenticated"), (answer.status, answer.problem))
        self.assertNotIn(event["id"], self.event_ids())
        log = (rig.dir / "log" / "tokens.log").read_text() + (
            rig.dir / "log" / "gateway.log").read_text()
        for token in (good, claims, signature):
            self.assertNotIn(token, log)

    def test_genuine_but_unreadable(self):
        for name, body in (("no JSON", "<html>"), ("an array", "[]"),
                           ("a wrong type", '{"event": 7}'),
                           ("no sid", json.dumps(self.event() | {"room": {"name": "x"}}))):
            with self.subTest(name):
                answer = rig.webhook(body)
                self.assertEqual((400, "malformed"), (answer.status, answer.problem))
        answer = rig.webhook(json.dumps(self.event() | {"pad": "x" * 70000}))
        self.assertEqual((413, "too-large"), (answer.status, answer.problem))

    def test_genuine_and_of_no_concern(self):
        before = rig.sql("SELECT count(*) FROM tv.call_event")
        unknown = RoomEvents("room_00000000-0000-4000-8000-00000000abcd")
        foreign = RoomEvents("somebody-elses")
        for event in (unknown.started(), foreign.started(),
                      self.event() | {"event": "egress_started"},
                      self.event() | {"event": "of_the_future", "future": {"field": 1}}):
            self.assertFalse(self.tell(event).json["recorded"])
        self.assertEqual(before, rig.sql("SELECT count(*) FROM tv.call_event"))
        answer = self.tell(self.event() | {"future": {"field": [1, None]}})
        self.assertTrue(answer.json["recorded"])
        self.assertEqual(int(before) + 1, int(rig.sql("SELECT count(*) FROM tv.call_event")))

    def test_a_clock_that_is_wrong(self):
        now = int(time.time())
        event = self.event()
        for created_at in (now + 90, now - 2 * 3600):
            answer = rig.webhook(event | {"createdAt": str(created_at)})
            self.assertEqual((401, "unauthenticated"), (answer.status, answer.problem))
        self.assertNotIn(event["id"], self.event_ids())
        self.tell(event | {"createdAt": str(now + 30)})
        self.assertIn(event["id"], self.event_ids())


if __name__ == "__main__":
    unittest.main()
