"""Patients and doctors with marked names, mails, reasons and notes go through the whole story, with
every log at its most talkative. Afterwards no mark is in any log, metric, token, URL or notice; on
the bus marks are in the bodies of requests and replies, which carry what the API answers, and
nowhere else: not in subjects, headers, heads of calls, nudges and hints."""

import base64
import datetime
import json
import os
import re
import signal
import sys
import unittest
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from marks import Finder, new_mark  # pylint: disable=wrong-import-position
from rig import ROOT, SERVICES, Rig, text_of, until  # pylint: disable=wrong-import-position
from livekit import RoomEvents  # pylint: disable=wrong-import-position
from sse import Reader  # pylint: disable=wrong-import-position

MARKS = {what: new_mark(what) for what in (
    "patient", "doctor", "patientmail", "doctormail", "reason", "cancelnote", "declinenote",
    "strangermail", "wrongpassword", "metadata", "path", "header", "member", "key", "search")}
FINDER = Finder(MARKS)
LOG_KEYS = set(re.findall(r'^    X\([A-Z_]+, "([a-z_]+)"\)', (ROOT / "lib" / "log.h").read_text(),
                          re.M)) | {"ts", "level", "svc", "version", "msg", "request_id",
                                    "trace_id", "cut"}
OPENAPI = json.loads((ROOT / "build" / "gen" / "openapi.json").read_text())
OUR_TEXTS = {"cursor"}  # of URLs: made by us, sent back to us


def setUpModule():
    global rig, story
    rig = Rig(*(f"{service}:TELEVISIT_LOG_LEVEL=debug" for service in SERVICES),
              "gateway:TELEVISIT_ACCESS_LOG=all",
              "appointments:TELEVISIT_PASSWORD_MEMORY=8",
              "appointments:TELEVISIT_PASSWORD_PASSES=1")
    unittest.addModuleCleanup(rig.close)
    trace_nats()
    story = Story()
    story.tell()


def log_of(part):
    return (rig.dir / "log" / f"{part}.log").read_bytes()


def trace_nats():
    """From now on NATS logs every operation with its whole payload, as with -DV."""
    with open(rig.dir / "nats.conf", "a") as conf:
        conf.write("\ndebug: true\ntrace: true\n")
    os.kill(rig.pids()["nats"], signal.SIGHUP)
    assert until(lambda: b"Reloaded: trace = true" in log_of("nats")), log_of("nats")[-2000:]


class Story:
    """Everything that people do, and what was said on the way."""

    def __init__(self):
        self.urls, self.answers, self.tokens, self.notices = [], [], [], []
        ask = rig.ask

        def ask_and_note(method, path, *words, **more):
            answer = ask(method, path, *words, **more)
            self.urls.append(f"{method} {path}")
            self.urls += [answer.headers[name] for name in ("Location", "Link", "Content-Location")
                          if answer.headers[name]]
            self.answers.append(answer.body)
            return answer

        rig.ask = ask_and_note
        self.staff = rig.of_role("STAFF")
        (self.doctor,), (self.patient,) = (rig.add_people(role, 1) for role in
                                           ("DOCTOR", "PATIENT"))
        for person, what in ((self.doctor, "doctor"), (self.patient, "patient")):
            mail = f"{MARKS[what + 'mail']}@marked.example"
            rig.sql(f"UPDATE tv.person SET display_name = 'Dr. {MARKS[what]} Ünlü', "
                    f"email = '{mail}' WHERE id = '{person.id}'")
            person.email = mail
        self.reader = Reader()

    def tell(self):
        try:
            self.streams = [self.reader.open(person, after=0)
                            for person in (self.patient, self.doctor, self.staff)]
            self.log_in_badly()
            self.visit(10)
            self.declined(60)
            self.search()
            self.misbehave()
            self.tokens += [person.token for person in (self.patient, self.doctor, self.staff)]
        finally:
            self.reader.close()
        for stream in self.streams:
            self.notices += [json.dumps(event) for event in stream.events] + stream.hints

    def expect(self, status, answer):
        assert answer.status == status, answer
        return answer.json if answer.body else None

    def log_in_badly(self):
        for mail, password in ((f"{MARKS['strangermail']}@marked.example", rig.password),
                               (self.patient.email, MARKS["wrongpassword"])):
            self.expect(401, rig.ask("POST", "/v1/session", {
                "clinic": rig.clinic, "email": mail, "password": password}))

    def booked(self, minutes):
        return self.expect(201, self.staff.book(
            self.doctor, text_of(rig.now() + datetime.timedelta(minutes=minutes)),
            patientId=self.patient.id, minutes=5, reason=f"It is {MARKS['reason']} again"))

    def read(self, visit):
        return self.expect(200, self.staff.ask("GET", f"/v1/appointments/{visit['id']}"))

    def visit(self, minutes):
        visit = self.booked(minutes)
        for person in (self.patient, self.doctor, self.staff):
            for path in ("/v1/appointments", "/v1/me", "/v1/inbox", "/v1/doctors",
                         f"/v1/appointments/{visit['id']}"):
                self.expect(200, person.ask("GET", path))
        visit = self.expect(200, self.doctor.change(visit, "confirm"))
        visit = self.expect(200, self.staff.change(visit, "move", {
            "startsAt": text_of(rig.now() + datetime.timedelta(minutes=minutes + 2))}))
        self.heard("call.available", visit)
        tickets = [self.expect(200, person.join(visit["id"], kind)) for person, kind in
                   ((self.doctor, "DOCTOR"), (self.patient, "PATIENT"))]
        self.tokens += [ticket["token"] for ticket in tickets]
        self.webhooks(tickets)
        self.heard("call.started", visit)
        self.expect(200, self.staff.ask("GET", f"/v1/appointments/{visit['id']}/calls"))
        self.expect(200, self.patient.change(self.read(visit), "cancel", {
            "note": f"because of {MARKS['cancelnote']}"}))
        self.heard("appointment.cancelled", visit)
        assert until(lambda: tickets[0]["room"] not in (rig.livekit().rooms() or {}))

    def heard(self, kind, visit):
        assert until(lambda: any(kind in stream.of(visit["id"]) for stream in self.streams)), (
            kind, [stream.events for stream in self.streams])

    def webhooks(self, tickets):
        """As of a LiveKit whose operator has put names into everything that takes text."""
        sid = until(lambda: (rig.livekit().rooms() or {}).get(tickets[0]["room"]))
        room = RoomEvents(tickets[0]["room"], sid)
        for ticket in tickets:
            event = room.joined(ticket["identity"])
            event["room"]["metadata"] = MARKS["metadata"]
            event["participant"] |= {"name": MARKS["metadata"], "metadata": MARKS["metadata"],
                                     "attributes": {"name": MARKS["metadata"]}}
            self.expect(200, rig.webhook(event))
            rig.webhook(event, "forged")
        rig.webhook(json.dumps(event)[:-1])  # genuine, and no JSON

    def declined(self, minutes):
        visit = self.booked(minutes)
        self.expect(200, self.doctor.change(visit, "decline", {"note": MARKS["declinenote"]}))
        self.heard("appointment.declined", visit)

    def search(self):
        for word, found in ((MARKS["patient"], 1), (MARKS["search"], 0)):
            answer = self.expect(200, self.staff.ask("POST", "/v1/patients/search",
                                                     {"query": word}))
            assert len(answer["patients"]) == found, answer

    def misbehave(self):
        """Requests that are refused: what they hold must not end in a log as the reason why. Their
        URLs are not ours, so they are not noted."""
        noted = len(self.urls)
        for method, path, body, headers in (
                ("GET", f"/v1/appointments/{MARKS['path']}", None, {}),
                ("GET", f"/v1/{MARKS['path']}?x={MARKS['path']}", None, {}),
                ("GET", "/v1/me", None, {"Cookie": f"a={MARKS['header']}",
                                         "X-Forwarded-For": MARKS["header"],
                                         "X-Request-Id": MARKS["header"],
                                         "traceparent": MARKS["header"],
                                         "User-Agent": MARKS["header"]}),
                ("POST", "/v1/appointments", {MARKS["member"]: MARKS["member"]}, {}),
                ("POST", "/v1/appointments", '{"reason": "' + MARKS["member"], {}),
                ("POST", "/v1/appointments", {
                    "doctorId": self.doctor.id, "startsAt": MARKS["member"]}, {}),
                ("POST", "/v1/appointments", {
                    "doctorId": self.doctor.id, "startsAt": "2020-01-01T10:00:00Z",
                    "patientId": self.patient.id, "reason": MARKS["reason"]}, {}),
                ("PATCH", "/v1/me", {"language": MARKS["member"]}, {}),
                ("POST", "/v1/session/refresh", {"refreshToken": MARKS["member"]}, {})):
            self.staff.ask(method, path, body, **{
                "Idempotency-Key": MARKS["key"] + str(uuid.uuid4())[:8]}, **headers)
        rig.ask("GET", "/v1/me", Authorization=f"Bearer {MARKS['header']}")
        del self.urls[noted:]


class Finding(unittest.TestCase):
    """The finder finds: without this nothing below means anything."""

    def test_every_dress(self):
        for name, mark in MARKS.items():
            raw = mark.encode()
            for text in (mark, mark.upper(), raw.hex(), raw.hex().upper(), raw.hex(" "),
                         "".join(f"%{byte:02X}" for byte in raw),
                         "".join(f"\\u{byte:04x}" for byte in raw),
                         "".join(f"\\x{byte:02x}" for byte in raw), mark.encode("utf-16-le"),
                         *(base64.b64encode(b"xyz"[:n] + raw + b"!") for n in range(3)),
                         *(base64.urlsafe_b64encode(b"?>~"[:n] + raw) for n in range(3)),
                         "a.b.c" + base64.b64encode(json.dumps({"name": mark}).encode()).decode()):
                text = text if isinstance(text, bytes) else text.encode()
                found = FINDER.find(b"before " + text + b" after")
                self.assertTrue([f for f in found if f.startswith(f"{name} (")], (mark, text))

    def test_nothing_else(self):
        for text in ("", "Zq", "patient", MARKS["patient"][:-1], MARKS["patient"][1:],
                     base64.b64encode(b"patient doctor reason note"), os.urandom(100000)):
            self.assertEqual([], FINDER.find(text))

    def test_what_it_looks_at_is_where_marks_went(self):
        """The story has carried all marks: they are in the database and in the API's answers."""
        stored = rig.sql("SELECT string_agg(p::text, '') FROM tv.person p") + rig.sql(
            "SELECT string_agg(a::text, '') FROM tv.appointment a")
        for what in ("patient", "doctor", "patientmail", "reason", "cancelnote", "declinenote"):
            self.assertIn(f"{what} (plain)", FINDER.find(stored))
        told = FINDER.find(b"".join(story.answers))
        for what in ("patient", "doctor", "reason", "cancelnote", "declinenote", "patientmail"):
            self.assertIn(f"{what} (plain)", told)


class Logs(unittest.TestCase):
    def test_no_mark_in_any_log(self):
        for path in sorted((rig.dir / "log").iterdir()):
            if path.stem != "nats":  # that one is a trace of the bus: see Bus
                with self.subTest(path.name):
                    self.assertEqual([], FINDER.find(path.read_bytes()))

    def test_they_were_talkative(self):
        for service in SERVICES:
            lines = [json.loads(line) for line in log_of(service).splitlines()]
            for line in lines:
                self.assertLessEqual(set(line), LOG_KEYS)
            if service in ("gateway", "notifier"):
                self.assertIn("debug" if service == "notifier" else "info",
                              {line["level"] for line in lines})
        requests = [line for line in map(json.loads, log_of("gateway").splitlines())
                    if line["msg"] == "request"]
        self.assertGreater(len(requests), 40, "the access log is on")
        self.assertLess(20, len(log_of("livekit").splitlines()))

    def test_a_name_in_livekit_would_be_found(self):
        mark = new_mark("planted")
        self.assertEqual(200, rig.livekit().call("CreateRoom", name=mark)[0])
        finder = Finder({"planted": mark})
        self.assertTrue(until(lambda: finder.find(log_of("livekit")), 10))
        rig.livekit().call("DeleteRoom", room=mark)
        for service in SERVICES:
            self.assertEqual([], finder.find(log_of(service)), service)


class Outside(unittest.TestCase):
    def test_metrics(self):
        for service in SERVICES:
            self.assertEqual([], FINDER.find(rig.visit("/metrics", service).body), service)

    def test_tokens(self):
        self.assertEqual(5, len(story.tokens))
        for token in story.tokens:
            self.assertEqual([], FINDER.find(token))
            for part in token.split(".")[:2]:
                text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
                self.assertIsInstance(json.loads(text), dict)
                self.assertEqual([], FINDER.find(text))

    def test_notices(self):
        kinds = {json.loads(notice)[1] for notice in story.notices if notice.startswith("[")}
        self.assertLessEqual({"appointment.requested", "appointment.declined", "call.available",
                              "appointment.cancelled", "call.started"}, kinds)
        for notice in story.notices:
            self.assertEqual([], FINDER.find(notice))

    def test_urls(self):
        self.assertGreater(len(story.urls), 30)
        for url in story.urls:
            self.assertEqual([], FINDER.find(url), url)

    def test_no_url_takes_what_somebody_types(self):
        for path, methods in OPENAPI["paths"].items():
            for method, operation in methods.items():
                for parameter in operation.get("parameters", ()):
                    schema = parameter["schema"]
                    if parameter["in"] in ("query", "path") and schema.get("type") == "string":
                        closed = {"pattern", "enum", "format"} & set(schema)
                        self.assertTrue(closed or parameter["name"] in OUR_TEXTS,
                                        f"{method} {path}: {parameter['name']} is free text")


class Bus(unittest.TestCase):
    """What the trace of NATS shows of everything that went over it."""

    LINE = re.compile(rb"cid:(\d+) - .*?(?:<<-|->>) (?:\[(\w+) (.*)\]|MSG_PAYLOAD: \[\"(.*)\"\])$")

    @staticmethod
    def unquote(text):
        """What Go's %q has made of bytes."""
        named = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f",
                 b"v": b"\v", b'"': b'"', b"\\": b"\\"}

        def plain(match):
            if match[1]:
                return bytes([int(match[1], 16)])
            return chr(int(match[2] or match[3], 16)).encode() if match[2] or match[3] else named[
                match[4]]

        return re.sub(rb"\\(?:x(..)|u(....)|U(........)|(.))", plain, text)

    def setUp(self):
        self.operations, self.published = [], []  # (words), (subject, headers, body)
        last = {}
        for line in log_of("nats").splitlines():
            match = self.LINE.search(line)
            if not match:
                continue
            if match[2]:
                self.operations.append(match[3])
                last[match[1]] = (match[2], match[3])
            elif last.get(match[1], (b"",))[0] in (b"PUB", b"HPUB"):
                verb, words = last.pop(match[1])
                payload, head = self.unquote(match[4]), b""
                if verb == b"HPUB":
                    size = int(words.split()[-2])
                    head, payload = payload[:size], payload[size:]
                self.published.append((words.split()[0].decode(), head, payload))

    def of(self, beginning):
        return [m for m in self.published if m[0].startswith(beginning)]

    def test_it_was_heard(self):
        self.assertGreater(len(self.of("tv.v1.inbox.")), 10)
        self.assertGreater(len(self.of("tv.v1.appointments.")), 10)
        self.assertGreater(len([m for m in self.published if m[1]]), 3, "messages with headers")
        found = set(FINDER.find(b"".join(body for _, _, body in self.published)))
        for what in ("patient", "doctor", "reason", "strangermail", "cancelnote", "declinenote"):
            self.assertIn(f"{what} (plain)", found, "bodies of requests and replies carry them")

    def test_subjects(self):
        for words in set(self.operations):
            self.assertEqual([], FINDER.find(words), words)

    def test_headers_and_heads(self):
        heads = 0
        for subject, headers, body in self.published:
            self.assertEqual([], FINDER.find(headers), subject)
            if body.startswith(b"tv1 "):
                heads += 1
                self.assertEqual([], FINDER.find(body.partition(b"\n")[0]), subject)
        self.assertGreater(heads, 50)

    def test_nudges_hints_and_feeds(self):
        for beginning in ("tv.v1.inbox.", "tv.v1.hint.", "tv.v1.feed.", "$"):
            for subject, _, body in self.of(beginning):
                self.assertEqual([], FINDER.find(body), subject)

    def test_only_requests_and_replies_carry_them(self):
        carriers = {re.sub(r"^_INBOX.*|^_R_.*", "reply", subject)
                    for subject, _, body in self.published if FINDER.find(body)}
        self.assertLessEqual(carriers, {
            "reply", "tv.v1.appointments.book", "tv.v1.appointments.cancel",
            "tv.v1.appointments.decline", "tv.v1.clinics.listpatients", "tv.v1.sessions.open",
            "tv.v1.sessions.renew", "tv.v1.sessions.updateme", "tv.v1.tokens.readwebhook",
            "tv.v1.appointments.get"})


if __name__ == "__main__":
    unittest.main()
