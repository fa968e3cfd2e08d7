"""The bus with the keys of our own services in a stranger's hand: what each may not do, what bytes
do no harm, and what appointments still refuses when the gateway is the one who lies."""

import json
import random
import socket
import ssl
import sys
import unittest
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from nats import Nats, nkeys, packed  # pylint: disable=wrong-import-position
from rig import ROOT, Rig, text_of, until  # pylint: disable=wrong-import-position
from sse import Reader  # pylint: disable=wrong-import-position

USERS = ("appointments", "gateway", "notifier", "tokens")
ANSWERED = ("appointments", "calls", "clinics", "due", "inbox", "jobs", "sessions", "tokens")
ALLOW_LISTS = json.loads((ROOT / "build" / "gen" / "nats.json").read_text())["users"]
# Who asks whom, as docs/ARCHITECTURE.md tells it; the generated lists must not give more.
ASKS = {
    "appointments": set(), "tokens": set(),
    "notifier": {"calls.closed", "calls.restoremedia", "calls.settle", "calls.snapshot",
                 "calls.sweep", "due.fire", "jobs.claim", "jobs.finish", "tokens.closeroom",
                 "tokens.listrooms", "tokens.look", "tokens.makeroom", "tokens.probe"},
    "gateway": {"appointments.admit", "appointments.book", "appointments.cancel",
                "appointments.complete", "appointments.confirm", "appointments.decline",
                "appointments.end", "appointments.get", "appointments.list", "appointments.move",
                "appointments.noshow", "calls.list", "calls.missmedia", "calls.record",
                "clinics.getavailability",
                "clinics.getclinic", "clinics.listdoctors", "clinics.listpatients",
                "clinics.listslots", "clinics.putavailability", "inbox.heads", "inbox.list",
                "inbox.markread", "sessions.close", "sessions.me", "sessions.open",
                "sessions.renew", "sessions.updateme", "tokens.issue", "tokens.readwebhook"},
}
METHODS = sorted(set().union(*ASKS.values()))


def setUpModule():
    global rig
    rig = Rig()
    unittest.addModuleCleanup(rig.close)
    unittest.addModuleCleanup(rig.ctl, "faults")


def actor(person, role=None, clinic=None):
    return {"tv-actor": f"{clinic or person.clinic_id} {person.id} {role or 'patient'} -"}


class Bus(unittest.TestCase):
    def setUp(self):
        self.patient, self.doctor = rig.of_role("PATIENT"), rig.of_role("DOCTOR")
        self.staff = rig.of_role("STAFF")
        for person in (self.patient, self.doctor, self.staff):
            self.assertTrue(person.session)

    def connected(self, user):
        client = Nats(rig, user)
        self.addCleanup(client.close)
        return client


class Rights(Bus):
    """What the server of NATS refuses each of our services."""

    def test_nobody_comes_in_without_their_key(self):
        seed, public = nkeys.make_nkey()
        gateways = Path(rig.info["natsNkeyFiles"]["gateway"]).read_text().split()[1]
        for credentials in ({}, {"user": "gateway", "pass": ""}, {"auth_token": "x"},
                            {"nkey": gateways}, {"nkey": gateways, "sig": "A" * 86},
                            (seed, public), (seed, gateways)):
            with self.subTest(credentials=list(credentials)):
                with self.assertRaises(OSError):
                    Nats(rig, "gateway", credentials)

    def test_nobody_comes_in_without_tls(self):
        with self.assertRaises(OSError):
            Nats(rig, "gateway", tls=False)

    def test_the_certificate_is_good_for_nobody_else(self):
        host, _, port = rig.info["natsUrl"].partition("://")[2].partition(":")
        for name, trust in ((host, ssl.create_default_context()),
                            ("elsewhere", ssl.create_default_context(
                                cafile=rig.info["natsCaFile"]))):
            with socket.create_connection((host, int(port)), timeout=10) as plain:
                plain.recv(4096)  # INFO
                with self.assertRaises(ssl.SSLCertVerificationError):
                    trust.wrap_socket(plain, server_hostname=name)

    def test_each_publishes_only_what_it_must(self):
        nudge = "tv.v1.inbox.%s.%s" % (uuid.uuid4(), uuid.uuid4())
        others = ["tv.v1.hint.due", nudge, "$SRV.PING", "$SYS.REQ.SERVER.PING", "$JS.API.INFO",
                  "$JS.API.STREAM.LIST", "$JS.API.STREAM.CREATE.x", "$SYS.REQ.ACCOUNT.PING.CONNZ",
                  "tv.v1.appointments.nothing", "tv.v1.nothing.get", "tv.v2.due.fire", "x", "_R_.x",
                  "tv.v1.feed.x.y"] + [f"_INBOX_{user}.a.b" for user in USERS]
        may = {"gateway": {"tv.v1.hint.due", nudge}, "notifier": {"tv.v1.hint.due", nudge}}
        for user in USERS:
            client = self.connected(user)
            for subject in [f"tv.v1.{method}" for method in METHODS] + others:
                allowed = subject in may.get(user, ()) or (
                    subject.startswith("tv.v1.") and subject[6:] in ASKS[user])
                with self.subTest(user=user, subject=subject):
                    if not allowed:
                        client.publish(subject)
                        self.assertEqual([f'Permissions Violation for Publish to "{subject}"'],
                                         client.sync())
                    self.assertEqual(allowed, self.listed(ALLOW_LISTS[user]["publish"], subject))

            self.assertIn("Publish Violation", self.told_by_the_server(user))

    @staticmethod
    def told_by_the_server(user):
        """Its log's lines about a user."""
        public = Path(rig.info["natsNkeyFiles"][user]).read_text().split()[1]
        log = Path(rig.info["parts"]["nats"]["log"]).read_text()
        return "".join(line for line in log.splitlines() if public in line)

    @staticmethod
    def listed(rights, subject):
        def fits(pattern):
            words, parts = pattern.split("."), subject.split(".")
            return len(words) == len(parts) and all(
                word in ("*", part) for word, part in zip(words, parts))
        return any(fits(pattern) for pattern in rights["allow"])

    def test_each_hears_only_what_it_must(self):
        for user in USERS:
            client = self.connected(user)
            subjects = [">", "*", "*.>", "tv.>", "tv.v1.>", "tv.v1.*.*", "_INBOX.>", "_INBOX_*.>",
                        "$SYS.>", "$JS.>", "_R_.>", "tv.*.inbox.*.*"]
            subjects += [f"_INBOX_{other}.>" for other in USERS if other != user]
            subjects += [f"tv.v1.{service}.*" for service in ANSWERED]
            subjects += [f"tv.v1.{method}" for method in METHODS]
            if user != "notifier":
                subjects.append("tv.v1.hint.due")
            if user != "gateway":
                subjects.append("tv.v1.inbox.*.*")
            for subject in subjects:
                with self.subTest(user=user, subject=subject):
                    client.subscribe(subject)
                    self.assertIn("Permissions Violation for Subscription", "".join(client.sync()))
            for other in USERS:
                for service in ANSWERED:
                    if other != user or service not in self.answers(user):
                        client.subscribe(f"tv.v1.{service}.*", other)
                        self.assertIn("Permissions Violation", "".join(client.sync()),
                                      (user, other, service))
            self.assertIn("Subscription Violation", self.told_by_the_server(user))

    @staticmethod
    def answers(user):
        return {"tokens": ("tokens",), "appointments": [s for s in ANSWERED if s != "tokens"]
                }.get(user, ())

    def test_what_must_work_works(self):
        gateway, notifier = self.connected("gateway"), self.connected("notifier")
        reply = gateway.request("tv.v1.sessions.me", b"", actor(self.patient))
        self.assertEqual(0, reply.error, reply)
        self.assertIn(self.patient.id.encode(), reply.body)
        self.assertEqual(0, notifier.request("tv.v1.due.fire", packed((1, 1))).error)
        hear = gateway.subscribe("tv.v1.inbox.*.*")
        gateway.sync()
        notifier.publish(f"tv.v1.inbox.{self.patient.clinic_id}.{uuid.uuid4()}", b"x")
        notifier.sync()
        self.assertTrue(until(lambda: gateway.sync() or [m for m in gateway.messages
                                                         if m.sid == hear]))

    def test_a_reply_may_be_given_once(self):
        """What allows an answer allows no second one, and none that was not asked for."""
        client = self.connected("tokens")
        client.publish("_INBOX_gateway.1.2", b"forged")
        self.assertIn("Permissions Violation for Publish", "".join(client.sync()))


class ShortList(Bus):
    """A service that may do less than it must: that is seen, and not only by those who wait."""

    def setUp(self):
        super().setUp()
        self.path = Path(rig.dir) / "nats-accounts.conf"
        self.text = self.path.read_text()
        self.addCleanup(self.make_whole)

    def make_whole(self):
        self.path.write_text(self.text)
        rig.ctl("kill", "nats", "HUP")
        rig.ctl("stop", "gateway")
        rig.ctl("start", "gateway")
        self.assertEqual(200, rig.visit("/readyz", "gateway").status)

    def may(self, method):
        """Whether the list that the server goes by allows it; None while it reads one, and lets
        nobody in."""
        try:
            client = Nats(rig, "gateway")
        except ConnectionError:
            return None
        try:
            client.publish(f"tv.v1.{method}", b"")
            return not client.sync()
        finally:
            client.close()

    def test_it_is_counted_and_makes_unready(self):
        def counted():
            return rig.metric("gateway", "tv_bus_permission_violations_total")
        self.assertEqual(200, self.patient.ask("GET", "/v1/clinic").status)
        self.assertEqual(0, counted())
        self.path.write_text(self.text.replace('    "tv.v1.clinics.getclinic"\n', ""))
        rig.ctl("kill", "nats", "HUP")
        self.assertTrue(until(lambda: self.may("clinics.getclinic") is False))
        until(lambda: rig.visit("/readyz", "gateway").status == 200)  # a reload may part them
        self.assertGreaterEqual(self.patient.ask("GET", "/v1/clinic").status, 500)
        self.assertGreaterEqual(counted(), 1)
        self.assertEqual(503, rig.visit("/readyz", "gateway").status)
        self.assertEqual(200, rig.visit("/livez", "gateway").status)


class Hostile(Bus):
    """Malformed messages, with the rights of the gateway and the notifier."""

    def setUp(self):
        super().setUp()
        self.pids = {name: pid for name, pid in rig.pids().items() if pid}
        self.clients = {user: self.connected(user) for user in ("gateway", "notifier")}
        self.addCleanup(self.check_that_all_is_well)

    def check_that_all_is_well(self):
        self.assertEqual(self.pids, {name: pid for name, pid in rig.pids().items() if pid})
        for part in ("appointments", "tokens", "notifier", "gateway"):
            self.assertEqual(200, rig.visit("/readyz", part).status, part)
        self.assertEqual(200, self.patient.ask("GET", "/v1/appointments").status)

    def each_method(self):
        for user, methods in ASKS.items():
            for method in sorted(methods):
                yield self.clients[user], method, f"tv.v1.{method}"

    def rows(self):
        return rig.sql("SELECT (SELECT count(*) FROM tv.appointment), (SELECT count(*) FROM "
                       "tv.event), (SELECT count(*) FROM tv.session), (SELECT max(version) FROM "
                       "tv.appointment), (SELECT count(*) FROM tv.availability)")

    def refused(self, reply, *numbers):
        self.assertIsNotNone(reply, "a reply, whatever was sent")
        self.assertIn(reply.error, numbers, reply)
        self.assertIn("nats-service-error", reply.headers)
        self.assertIn(b"/problems/", reply.body)
        for word in (b"SELECT", b"ERROR:", b"tv.", b"uuid:"):
            self.assertNotIn(word, reply.body)

    def test_bytes_that_are_no_message(self):
        before = self.rows()
        counted = rig.metric("appointments", "tv_rpc_malformed_total")
        dice = random.Random(20261123)
        later = packed((1, b"\xff\xfe"))  # where nothing is asked for: a field of a later version
        takes_nothing = ("calls.restoremedia", "clinics.getclinic", "clinics.listdoctors",
                         "sessions.me")
        for client, method, subject in self.each_method():
            for body in (b"\xff" * 11, b"\x0a\x05ab", b"\x0a\xff\xff\xff\xff\x7f", b"\x07", b"\x0b",
                         b"\x00", later, dice.randbytes(400), b"A" * 900_000):
                with self.subTest(method=method, body=body[:12]):
                    reply = client.request(subject, body, actor(self.patient))
                    if body != later or method not in takes_nothing:
                        self.refused(reply, 400, 401, 403, 404, 422, 428)
        self.assertEqual(before, self.rows())
        self.assertGreater(rig.metric("appointments", "tv_rpc_malformed_total"), counted + 100)

    def test_headers_that_cannot_be_read(self):
        before = self.rows()
        counted = rig.metric("appointments", "tv_rpc_malformed_total")
        someone = str(uuid.uuid4())
        for client, method, subject in self.each_method():
            for headers in (
                    {"tv-deadline-ms": "soon"}, {"tv-deadline-ms": "1e3"},
                    {"tv-deadline-ms": "99999999999999999999999"}, {"tv-actor": "x"},
                    {"tv-actor": f"{someone} {someone} patient"},
                    {"tv-actor": f"{someone} {someone} king -"},
                    {"tv-actor": f"{someone} {someone}' patient -"},
                    {"tv-actor": f"{someone} {someone} patient - -"},
                    {"tv-actor": "- - patient " + "x" * 5000}):
                with self.subTest(method=method, headers=headers):
                    self.refused(client.request(subject, b"", headers), 400)
        self.assertEqual(before, self.rows())
        self.assertGreater(rig.metric("appointments", "tv_rpc_malformed_total"), counted + 150)

    def test_header_blocks_that_are_none(self):
        for client, _, subject in self.each_method():
            for nth, block in enumerate((
                          b"NATS/1.0\r\n\r\n", b"NATS/1.0 503\r\n\r\n",
                          b"NATS/1.0\r\nno colon\r\n\r\n",
                          b"NATS/1.0\r\n: nothing\r\n\r\n", b"NATS/1.0\r\nx: \xff\xfe\r\n\r\n",
                          b"HTTP/1.1\r\n\r\n", b"\r\n", b"NATS/1.0\r\nx: y",
                          b"NATS/1.0\r\n" + b"a: b\r\n" * 1000 + b"\r\n",
                          b"NATS/1.0\r\ntv-request-id: " + b"r" * 9000 + b"\r\n\r\n",
                          b"NATS/1.0\r\ntv-request-id: \x01\x02\xff\r\ntraceparent: zz\r\n\r\n")):
                client.publish(subject, b"\xff\xff", block, f"_INBOX_x.{subject}.{nth}")
                self.assertEqual([], client.sync())
        # Whoever waits behind them for longer than the deadline is dropped, so it asks again.
        reply = until(lambda: self.clients["gateway"].request(
            "tv.v1.sessions.me", b"", actor(self.patient)), 60)
        self.assertIn(self.patient.id.encode(), reply.body)

    def test_what_comes_too_late_is_dropped(self):
        counted = rig.metric("appointments", "tv_rpc_expired_total")
        for left in ("0", "-1", "-99999999999"):
            client = self.clients["gateway"]
            self.assertIsNone(client.request("tv.v1.sessions.me", b"", actor(self.patient) | {
                "tv-deadline-ms": left}, timeout_s=0.3))
        self.assertTrue(until(lambda: rig.metric("appointments", "tv_rpc_expired_total")
                              == counted + 3))

    def test_without_an_actor_nothing_is_given(self):
        before = self.rows()
        patient = self.patient
        requests = self.good_requests()
        for headers in ({}, {"tv-actor": "- - - -"}, {"tv-actor": f"- {patient.id} patient -"},
                        {"tv-actor": f"{patient.clinic_id} - patient -"},
                        {"tv-actor": f"{patient.clinic_id} - - -"}):
            for method, body in requests.items():
                with self.subTest(method=method, headers=headers):
                    reply = self.clients["gateway"].request(f"tv.v1.{method}", body, headers)
                    self.assertIsNotNone(reply)
                    self.assertNotIn(patient.email.encode(), reply.body)
                    self.assertNotEqual(500, reply.error, reply)
        self.assertEqual(before, self.rows())

    def good_requests(self):
        """A request of each kind that would be carried out for the right person."""
        visit = self.staff.ask("GET", "/v1/appointments?limit=1").json["appointments"][0]
        seen, starts = visit["id"], packed((1, 1893456000))
        return {
            "appointments.admit": packed((1, seen), (2, 1)),
            "appointments.book": packed((1, self.doctor.id), (2, starts), (7, str(uuid.uuid4()))),
            "appointments.cancel": packed((1, seen), (2, visit["version"])),
            "appointments.confirm": packed((1, seen), (2, visit["version"])),
            "appointments.decline": packed((1, seen), (2, visit["version"])),
            "appointments.move": packed((1, seen), (2, visit["version"]), (3, starts)),
            "appointments.get": packed((1, seen)),
            "appointments.list": b"",
            "clinics.getavailability": packed((1, self.doctor.id)),
            "clinics.getclinic": b"",
            "clinics.listdoctors": b"",
            "clinics.listpatients": b"",
            "clinics.listslots": packed((1, self.doctor.id)),
            "clinics.putavailability": packed((1, self.doctor.id)),
            "inbox.list": b"",
            "inbox.markread": packed((1, 1)),
            "sessions.me": b"",
            "sessions.updateme": packed((1, "de")),
        }

    def test_another_clinic_is_another_world(self):
        before = self.rows()
        (clinic, person), = [line.split("|") for line in rig.sql("""
            WITH clinic AS (
                INSERT INTO tv.clinic (slug, name, time_zone)
                VALUES ('c' || floor(random() * 1e9)::bigint, 'Elsewhere', 'Asia/Tokyo')
                RETURNING id)
            INSERT INTO tv.person (clinic_id, id, role, display_name, email, time_zone)
            SELECT id, gen_random_uuid(), 'STAFF', 'Stranger', 's@else.example', 'Asia/Tokyo'
            FROM clinic RETURNING clinic_id, id""").splitlines()]
        # Staff there; and a liar, who names our clinic and comes from theirs, or the reverse.
        for actor_text in (f"{clinic} {person} staff -", f"{clinic} {self.staff.id} staff -",
                           f"{clinic} {self.doctor.id} doctor -"):
            for method, body in self.good_requests().items():
                with self.subTest(method=method, actor=actor_text):
                    reply = self.clients["gateway"].request(f"tv.v1.{method}", body,
                                                            {"tv-actor": actor_text})
                    self.assertIsNotNone(reply)
                    self.assertNotEqual(500, reply.error, reply)
                    for ours in (self.patient.id, self.patient.clinic_id, "Pia Sommer"):
                        self.assertNotIn(ours.encode(), reply.body)
        self.assertEqual(before, self.rows())

    def test_nudges_that_are_none(self):
        """Whoever may tell may lie; a stream then asks for the truth."""
        reader = Reader()
        self.addCleanup(reader.close)
        stream = reader.open(self.patient, after=0)
        last = self.patient.ask("GET", "/v1/inbox?limit=1").json["lastSeq"]
        until(lambda: len(stream.events) == int(last))
        subject = f"tv.v1.inbox.{self.patient.clinic_id}.{self.patient.id}"
        dice = random.Random(1123)
        client = self.clients["notifier"]
        for body in [b"", b"\xff", b"A" * 900_000, packed((1, 10**12)), packed((1, -1 % 2**64)),
                     packed((1, int(last) + 1), (3, "appointment.confirmed"), (5, "not-an-id")),
                     packed((1, int(last) + 2), (3, "x\n\nid: 9"), (4, self.patient.clinic_id),
                            (5, self.patient.id))] + [dice.randbytes(60) for _ in range(50)]:
            client.publish(subject, body)
            client.publish("tv.v1.inbox.x.y", body)
        client.sync()
        visit = self.staff.book(self.doctor, text_of(rig.now().replace(microsecond=0)
                                                     .replace(year=2029)),
                                patientId=self.patient.id, minutes=5, confirmed=True).json
        self.assertTrue(until(lambda: visit["id"] in [e["appointmentId"]
                                                      for _, _, e in stream.events]))
        self.assertEqual(list(range(1, int(last) + 2)), [n for n, _, _ in stream.events])

    def test_a_flood_of_hints(self):
        """Three thousand hints are one look, or a few: not three thousand."""
        client = self.clients["gateway"]
        before = rig.metric("notifier", "tv_bus_requests_total")
        client.send(b"PUB tv.v1.hint.due 5\r\nwhat?\r\n" * 3000)
        self.assertEqual([], client.sync())
        self.assertLess(rig.metric("notifier", "tv_bus_requests_total") - before, 300)


class Roles(Bus):
    """What appointments refuses although the gateway asks for it."""

    def ask(self, method, body, person, role):
        reply = self.connected("gateway").request(f"tv.v1.{method}", body, actor(person, role))
        self.assertIsNotNone(reply)
        return reply

    def test_patients_do_what_patients_may(self):
        booked = self.staff.book(self.doctor, text_of(rig.now().replace(year=2030)),
                                 patientId=self.patient.id, minutes=5).json
        versions = packed((1, booked["id"]), (2, booked["version"]))
        stranger = rig.of_role("PATIENT", 1)
        hours = packed((1, self.doctor.id))
        for method, body, person, role, numbers in (
                ("appointments.confirm", versions, self.patient, "patient", (403,)),
                ("appointments.decline", versions, self.patient, "patient", (403,)),
                ("appointments.confirm", versions, stranger, "patient", (404,)),
                ("appointments.cancel", versions, stranger, "patient", (404,)),
                ("appointments.get", packed((1, booked["id"])), stranger, "patient", (404,)),
                ("appointments.confirm", versions, rig.of_role("DOCTOR", 1), "doctor", (404,)),
                ("appointments.book", packed((1, self.doctor.id), (2, packed((1, 1893456000))),
                                             (5, stranger.id), (7, "k")), self.patient, "patient",
                 (403,)),
                ("appointments.book", packed((1, self.doctor.id), (2, packed((1, 1893456000))),
                                             (7, "k")), self.doctor, "doctor", (403,)),
                ("clinics.putavailability", hours, self.patient, "patient", (403, 404)),
                ("clinics.putavailability", hours, rig.of_role("DOCTOR", 1), "doctor", (403, 404)),
                ("clinics.putavailability", hours, self.patient, "-", (403, 404)),
                ("sessions.close", packed((1, str(uuid.uuid4()))), self.patient, "patient", (0,))):
            with self.subTest(method=method, role=role):
                reply = self.ask(method, body, person, role)
                self.assertIn(reply.error, numbers, reply)
        self.assertEqual("REQUESTED", self.staff.ask(
            "GET", f"/v1/appointments/{booked['id']}").json["status"])

    def test_a_session_is_closed_by_its_owner_only(self):
        session = rig.sql(f"SELECT id FROM tv.session WHERE person_id = '{self.doctor.id}' "
                          "AND ended_at IS NULL LIMIT 1")
        self.ask("sessions.close", packed((1, session)), self.patient, "patient")
        self.assertEqual("", rig.sql(f"SELECT ended_at FROM tv.session WHERE id = '{session}'"))

    def test_a_grant_that_we_did_not_seal(self):
        gateway = self.connected("gateway")
        counted = rig.metric("tokens", "tv_tokens_issued_total")
        for grant in (b"", b"x" * 10, b"\0" * 32, b"\0" * 200, b"x" * 60_000):
            reply = gateway.request("tv.v1.tokens.issue", packed((1, grant)))
            self.assertIn(reply.error, (400, 401, 403, 422), reply)
            self.assertNotIn(b"eyJ", reply.body)
        self.assertGreaterEqual(rig.metric("tokens", "tv_tokens_issued_total"), counted)


class Discovery(Bus):
    """ADR-32: who is there, asked by an operator, who has a user of their own."""

    def setUp(self):
        super().setUp()
        self.operator = self.connected("operator")

    def test_all_answer(self):
        pings = {}
        for verb in ("PING", "INFO", "STATS"):
            answers = [json.loads(m.body) for m in self.operator.requests(
                f"$SRV.{verb}", b"", None, len(ANSWERED))]
            self.assertEqual(sorted(ANSWERED), sorted(a["name"] for a in answers), verb)
            for answer in answers:
                self.assertEqual(f"io.nats.micro.v1.{verb.lower()}_response", answer["type"])
                self.assertRegex(answer["version"], r"^\d+\.\d+\.\d+")
                pings.setdefault(answer["name"], set()).add(answer["id"])
                if verb == "STATS":
                    self.assertEqual({f"tv.v1.{m}" for m in METHODS
                                      if m.startswith(answer["name"] + ".")},
                                     {e["subject"] for e in answer["endpoints"]})
        for name, ids in pings.items():
            self.assertEqual(1, len(ids), "one id for a life")
            for subject in (f"$SRV.PING.{name}", f"$SRV.INFO.{name}.{next(iter(ids))}"):
                self.assertEqual(name, json.loads(self.operator.request(subject).body)["name"])
        self.assertEqual("503", self.operator.request("$SRV.PING.nobody").status)

    def test_calls_are_counted(self):
        def calls(field):
            stats = json.loads(self.operator.request("$SRV.STATS.sessions").body)
            return sum(e[field] for e in stats["endpoints"] if e["subject"] == "tv.v1.sessions.me")
        before, errors = calls("num_requests"), calls("num_errors")
        for _ in range(5):
            self.assertEqual(200, self.patient.ask("GET", "/v1/me").status)
        gateway = self.connected("gateway")
        self.assertEqual(400, gateway.request("tv.v1.sessions.me", b"", {"tv-actor": "x"}).error)
        self.assertEqual(before + 6, calls("num_requests"))
        self.assertEqual(errors + 1, calls("num_errors"))


if __name__ == "__main__":
    unittest.main()
