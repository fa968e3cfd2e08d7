"""What Prometheus reads of our services: good form, nothing about people, no more series however
many people and appointments there are, and everything that alerts and dashboard ask for."""

import base64
import datetime
import json
import re
import shutil
import subprocess
import sys
import time
import unittest
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rig import ROOT, SERVICES, Person, Rig, text_of, until  # pylint: disable=wrong-import-position
from livekit import RoomEvents, sign  # pylint: disable=wrong-import-position
from sse import Reader  # pylint: disable=wrong-import-position

FILES = ROOT / "deploy" / "k8s" / "televisit" / "files"
OPENAPI = json.loads((ROOT / "build" / "gen" / "openapi.json").read_text())
PEOPLE = APPOINTMENTS = 10000
DOCTORS = 500  # of them
LABELS = {"code", "decision", "event", "kind", "le", "level", "method", "need", "operation",
          "outcome", "program", "reason", "result", "state", "statement", "status", "subject",
          "type", "version", "what"}
ROLES = ("PATIENT", "DOCTOR", "STAFF")
# Given by Prometheus and the ServiceMonitor, not by us.
TARGET = {"job", "instance", "le", "alertname", "alertstate"}


def setUpModule():
    global rig
    rig = Rig("appointments:TELEVISIT_PASSWORD_MEMORY=8",
              "appointments:TELEVISIT_PASSWORD_PASSES=1")
    unittest.addModuleCleanup(rig.close)
    unittest.addModuleCleanup(rig.ctl, "faults")
    warm_up()


def warm_up():
    """Every operation is asked for once, with and without success."""
    people = [rig.of_role(role) for role in ROLES]
    for path, methods in OPENAPI["paths"].items():
        for method, operation in methods.items():
            if operation["operationId"] not in ("Gateway.Events", "Gateway.LogOut"):
                for person in people:
                    person.ask(method.upper(), re.sub(r"\{\w+\}", str(uuid.uuid4()), path),
                               {} if "requestBody" in operation else None,
                               **{"Idempotency-Key": str(uuid.uuid4()), "If-Match": '"1"'})
    (doctor,), (patient,) = (rig.add_people(role, 1) for role in ("DOCTOR", "PATIENT"))
    tell_the_story(doctor, patient, rig.of_role("STAFF"))


def tell_the_story(doctor, patient, staff):
    """From the booking to the end of a call, as the demo does it."""
    starts_at = text_of(rig.now() + datetime.timedelta(minutes=10))
    assert rig.ask("POST", "/v1/session", {"clinic": rig.clinic, "email": patient.email,
                                           "password": "wrong"}).status == 401
    visit = staff.book(doctor, starts_at, patientId=patient.id, minutes=5).json
    reader = Reader()
    try:
        stream = reader.open(patient, after=0)
        visit = doctor.change(visit, "confirm").json
        assert until(lambda: "call.available" in stream.of(visit["id"])), stream.events
        tickets = [person.join(visit["id"], kind).json
                   for person, kind in ((doctor, "DOCTOR"), (patient, "PATIENT"))]
        sid = until(lambda: (rig.livekit().rooms() or {}).get(tickets[0]["room"]))
        room = RoomEvents(tickets[0]["room"], sid)
        for ticket in tickets:
            assert rig.webhook(room.joined(ticket["identity"])).status == 200
        assert until(lambda: "call.started" in stream.of(visit["id"])), stream.events
        assert rig.webhook("{}", "forged").status == 401
        # A running call is watched, and compared with LiveKit's list every 15 seconds.
        asked = [f'tv_bus_requests_total{{subject="tv.v1.{method}",outcome="ok"}}'
                 for method in ("tokens.probe", "tokens.look", "calls.snapshot")]
        assert until(lambda: series_of("notifier").issuperset(asked), 60)
        visit = staff.ask("GET", f"/v1/appointments/{visit['id']}").json
        for path in ("/v1/appointments", "/v1/inbox", "/v1/doctors",
                     f"/v1/appointments/{visit['id']}/calls"):
            answer = staff.ask("GET", path)
            assert answer.status == 200, (path, answer)
        assert staff.ask("POST", "/v1/patients/search", {"query": "pia"}).status == 200
        assert staff.change(visit, "cancel").status == 200
        assert until(lambda: tickets[0]["room"] not in (rig.livekit().rooms() or {}))
    finally:
        reader.close()


def exposition(service):
    return rig.visit("/metrics", service).body.decode()


def series_of(service):
    """Name and labels of each series."""
    return {line.rpartition(" ")[0] for line in exposition(service).splitlines()
            if not line.startswith("#")}


def all_series():
    return set().union(*(series_of(service) for service in SERVICES))


def labels_of(series):
    return dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', series.partition("{")[2]))


class Form(unittest.TestCase):
    def test_promtool_has_nothing_to_say(self):
        self.assertTrue(shutil.which("promtool"), "promtool is missing: install the package "
                        "prometheus, or run `make deps` (tools/packages.txt, group test)")
        for service in SERVICES:
            done = subprocess.run(["promtool", "check", "metrics"], input=exposition(service),
                                  capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual((0, ""), (done.returncode, done.stdout + done.stderr), service)

    def test_names_and_labels(self):
        for service in SERVICES:
            text = exposition(service)
            for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
                with self.subTest(name):
                    self.assertRegex(name, r"^(tv|process)_[a-z][a-z0-9_]*$")
                    self.assertEqual(kind == "counter", name.endswith("_total"))
                    self.assertNotRegex(name, r"_(ms|us|ns|kb|mb|milliseconds|kilobytes)(_|$)")
                    self.assertTrue(kind != "histogram" or name.endswith(("_seconds", "_bytes")))
            for series in series_of(service):
                for label, value in labels_of(series).items():
                    self.assertIn(label, LABELS, series)
                    self.assertNotRegex(value, r"[0-9a-f]{8}-[0-9a-f]{4}|@|room_[0-9a-f]{8}|RM_",
                                        series)
                    self.assertLess(len(value), 80, series)
        self.assertEqual(set(SERVICES), {labels_of(s)["program"] for s in all_series()
                                         if s.startswith("tv_build_info")})

    def test_what_an_operator_waits_for_is_there_at_zero(self):
        there = all_series()
        for name in ("tv_pg_reconnects_total", "tv_bus_reconnects_total", "tv_streams_cut_total",
                     "tv_bus_permission_violations_total", "tv_bus_slow_consumer_total",
                     'tv_pg_unsent_total{reason="queue_full"}', "tv_jobs_dead",
                     'tv_log_lines_total{level="error"}', "tv_notify_expired_total",
                     'tv_http_problems_total{code="media-unavailable"}',
                     'tv_bus_requests_total{subject="tv.v1.tokens.issue",outcome="unavailable"}',
                     'tv_bus_served_total{subject="tv.v1.tokens.issue",outcome="failed"}'):
            self.assertIn(name, there)
        for operation in (o["operationId"] for m in OPENAPI["paths"].values() for o in m.values()):
            for status in ("2xx", "4xx", "5xx"):
                self.assertIn("tv_http_requests_total{operation=\"%s\",status=\"%s\"}" % (
                    operation.lower(), status), there)
            self.assertIn(
                f'tv_http_request_seconds_count{{operation="{operation.lower()}"}}', there)


class Asked(unittest.TestCase):
    """What alerts and dashboard ask for is there, under that name and with that label."""

    def setUp(self):
        self.there = all_series()
        board = json.loads((FILES / "dashboard.json").read_text())
        self.queries = [t["expr"] for panel in board["panels"] for t in panel.get("targets", ())]
        self.queries += re.split(r"^ +- alert: ", (FILES / "alerts.yaml").read_text(), flags=re.M)

    def test_names(self):
        there = {series.partition("{")[0] for series in self.there}
        asked = set(re.findall(r"\b(?:tv|process)_[a-z0-9_]+", "\n".join(self.queries)))
        self.assertGreater(len(asked), 40)
        self.assertEqual(set(), asked - there)

    def test_labels_and_their_values(self):
        checked = 0
        for query in self.queries:
            for name, inside in re.findall(r"\b((?:tv|process)_[a-z0-9_]+)\s*\{([^}]*)\}", query):
                values = {}
                for series in self.there:
                    if series.partition("{")[0] == name:
                        for label, value in labels_of(series).items():
                            values.setdefault(label, set()).add(value)
                for label, value in re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', inside):
                    if label not in TARGET:
                        self.assertIn(label, values, query)
                        self.assertLessEqual(set(value.split("|")), values[label], query)
                        checked += 1
            for label in re.findall(r"\b(?:sum|max|min|count) by \(([^)]*)\)", query):
                known = {key for series in self.there for key in labels_of(series)} | TARGET
                self.assertLessEqual({word.strip() for word in label.split(",")}, known, query)
        self.assertGreater(checked, 15)


class Series(unittest.TestCase):
    def token_of(self, person_id, clinic_id, role):
        """As the gateway would sign it, for people without a password."""
        vault = Path(rig.info["databaseUrlFile"]).parent
        kid, _, text = (vault / "session-key").read_text().strip().splitlines()[0].partition(":")
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        now = int(time.time())
        return sign(key, {"iss": "televisit", "aud": "televisit", "sub": person_id,
                          "cid": clinic_id, "sid": str(uuid.uuid4()), "role": role, "iat": now,
                          "exp": now + 600}, {"alg": "HS256", "typ": "at+jwt", "kid": kid})

    def fill(self):
        """10,000 people, 10,000 confirmed appointments, 500 of which are open now."""
        rig.sql(f"""
            CREATE TABLE tv.test_many AS
            SELECT n, gen_random_uuid() AS id, c.id AS clinic_id,
                   CASE WHEN n < {DOCTORS} THEN 'DOCTOR' ELSE 'PATIENT' END AS role
            FROM tv.clinic c, generate_series(0, {PEOPLE} - 1) n WHERE c.slug = '{rig.clinic}';
            INSERT INTO tv.person (clinic_id, id, role, display_name, email)
            SELECT clinic_id, id, role, 'Person ' || n, 'n' || n || '@many.example'
            FROM tv.test_many;
            INSERT INTO tv.credential (clinic_id, person_id, password_hash)
            SELECT clinic_id, id, (SELECT password_hash FROM tv.credential LIMIT 1)
            FROM tv.test_many;
            CREATE TABLE tv.test_visits AS
            SELECT nth, d.clinic_id, gen_random_uuid() AS id, d.id AS doctor_id, p.id AS patient_id,
                   now() AS now, now() + interval '15 minutes' + nth / {DOCTORS} * interval '1 day'
                       AS starts_at
            FROM generate_series(0, {APPOINTMENTS} - 1) nth
            JOIN tv.test_many d ON d.n = nth % {DOCTORS}
            JOIN tv.test_many p ON p.n = {DOCTORS} + nth % {PEOPLE - DOCTORS};
            INSERT INTO tv.appointment (clinic_id, id, status, doctor_id, patient_id, starts_at,
                ends_at, opens_at, closes_at, time_zone, created_at, created_by, updated_at,
                updated_by)
            SELECT clinic_id, id, 'CONFIRMED', doctor_id, patient_id, starts_at,
                starts_at + interval '15 minutes', starts_at - interval '30 minutes',
                starts_at + interval '2 hours', 'UTC', now, doctor_id, now, doctor_id
            FROM tv.test_visits;
            INSERT INTO tv.participant (clinic_id, appointment_id, person_id, type, added_at)
            SELECT clinic_id, id, doctor_id, 'DOCTOR', now FROM tv.test_visits
            UNION ALL SELECT clinic_id, id, patient_id, 'PATIENT', now FROM tv.test_visits;
            INSERT INTO tv.due (clinic_id, appointment_id, version, kind, due_at, expires_at)
            SELECT clinic_id, id, 1, kind, due_at, expires_at
            FROM tv.test_visits CROSS JOIN LATERAL (VALUES
                ('call_available', greatest(starts_at - interval '30 minutes', now),
                 starts_at + interval '2 hours'),
                ('call_closing', starts_at + interval '115 minutes',
                 starts_at + interval '2 hours'),
                ('window_closed', starts_at + interval '2 hours', 'infinity'))
                AS due (kind, due_at, expires_at)""")
        self.assertEqual(f"{PEOPLE}|{APPOINTMENTS}", rig.sql(
            "SELECT (SELECT count(*) FROM tv.person WHERE email LIKE '%@many.example'), "
            "count(*) FROM tv.appointment JOIN tv.test_visits USING (id)"))

    def come_in(self, reader):
        """Hundreds of them do what people do."""
        rows = [row.split("|") for row in rig.sql(
            "SELECT id, clinic_id, doctor_id, patient_id FROM tv.test_visits ORDER BY nth LIMIT 200"
        ).splitlines()]

        def visit(row):
            appointment_id, clinic_id, doctor_id, patient_id = row
            for person_id, role, kind in ((doctor_id, 2, "DOCTOR"), (patient_id, 1, "PATIENT")):
                person = Person(rig, "", person_id)
                person._session = {"accessToken": self.token_of(person_id, clinic_id, role)}
                answers = [person.ask("GET", "/v1/appointments?limit=5"),
                           person.ask("GET", f"/v1/appointments/{appointment_id}"),
                           person.ask("GET", "/v1/inbox"), person.join(appointment_id, kind)]
                self.assertEqual([200] * 4, [answer.status for answer in answers], answers)

        def log_in(number):
            person = Person(rig, f"n{DOCTORS + number}@many.example")
            self.assertTrue(person.token)
            reader.open(person, after=0)

        with ThreadPoolExecutor(6) as pool:
            for done in [*pool.map(visit, rows), *pool.map(log_in, range(60))]:
                self.assertIsNone(done)

    def test_they_do_not_grow_with_people_or_appointments(self):
        before = {service: series_of(service) for service in SERVICES}
        self.fill()
        reader = Reader()
        self.addCleanup(reader.close)
        self.come_in(reader)
        fired = "SELECT count(*) FROM tv.event WHERE type = 'call.available'"
        self.assertTrue(until(lambda: int(rig.sql(fired)) >= DOCTORS, 60), rig.sql(fired))
        after = {service: series_of(service) for service in SERVICES}
        for service in SERVICES:
            print(f"{service}: {len(before[service])} series, {len(after[service])} with "
                  f"{PEOPLE} people and {APPOINTMENTS} appointments", file=sys.stderr)
            self.assertEqual(set(), after[service] - before[service], service)
        self.assertGreaterEqual(rig.metric("gateway", "tv_streams"), 50)
        self.assertGreaterEqual(rig.metric("appointments", "tv_admit_decisions_total"), 400)


if __name__ == "__main__":
    unittest.main()
