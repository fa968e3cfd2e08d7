"""Requests that mean no good, to every operation of openapi.json: each is answered with a problem
that names the fault, and neither rows nor processes are any different afterwards."""

import base64
import http.client
import json
import random
import socket
import sys
import unittest
import uuid
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rig import ROOT, Answer, Rig  # pylint: disable=wrong-import-position

OPENAPI = json.loads((ROOT / "build" / "gen" / "openapi.json").read_text())
OPERATIONS = [(method.upper(), path, operation)
              for path, methods in sorted(OPENAPI["paths"].items())
              for method, operation in sorted(methods.items())]
MUTATIONS, SEED = 1500, 20261123
QUESTIONS = ("/v1/patients/search",)  # posted, for what was typed belongs in no address
BAD_IDS = ("1", "x", "00000000-0000-0000-0000-00000000000", "%00", "%ff%fe", "..", "%2e%2e",
           "' OR '1'='1", "00000000-0000-0000-0000-000000000000; DROP TABLE tv.person",
           "A" * 500, "-", "null", "00000000-0000-0000-0000-00000000000G", "é")
BAD_BODIES = (b"", b"null", b"[]", b"7", b'"x"', b"{", b'{"', b"{}", b"}", b"\xff\xfe", b"\0",
              b'{"a":1}', b'{"a":1,"a":2}', b'{"\xff":1}', b'{"x":"\\ud800"}', b"[" * 1000,
              b'{"a":' * 600, b'{"doctorId":7}', b'{"startsAt":"never"}', b'{"startsAt":{}}',
              b'{"minutes":1e99}', b'{"minutes":"x"}', b'{"reason":null,"reason":""}',
              b'{"reason":"' + b"r" * 3000 + b'"}', b'{"note":"\\u0000"}', b'\xef\xbb\xbf{}',
              b'{"participantType":"KING"}', b'{"participantType":99}', b'{"hours":{}}',
              b'{"hours":[{"weekday":9}]}', b'{"idempotencyKey":"k"}', b'{"ifMatch":1}',
              b'{"appointmentId":"x"}', b'{"cookie":"yes"}', b'{"password":[]}', b"{} {}", b"// x",
              b'{"limit":51}', b'{"limit":-1}', b'{"query":"' + b"q" * 255 + b'"}',
              b'{"query":"\\u0000"}')


def setUpModule():
    global rig
    rig = Rig()
    unittest.addModuleCleanup(rig.close)
    unittest.addModuleCleanup(rig.ctl, "faults")


class Hostile(unittest.TestCase):
    def setUp(self):
        self.patient, self.doctor = rig.of_role("PATIENT"), rig.of_role("DOCTOR")
        self.staff = rig.of_role("STAFF")
        for person in (self.patient, self.doctor, self.staff):
            self.assertTrue(person.session)
        # Far away and open to every change, should one come through.
        self.target = self.staff.ask(
            "GET", "/v1/appointments?limit=1").json["appointments"][0]
        self.connection = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=20)
        self.addCleanup(self.connection.close)
        self.before = self.world()

    def tearDown(self):
        self.assertEqual(self.before, self.world(), "nothing was written, nobody has died")

    def world(self):
        tables = rig.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'tv' AND "
                         "tablename <> 'audit' ORDER BY 1").splitlines()
        counts = rig.sql(" UNION ALL ".join(
            f"SELECT '{t}', count(*), md5(string_agg(r::text, '|' ORDER BY r::text)) "
            f"FROM tv.{t} AS r" for t in tables))
        return counts, {name: pid for name, pid in rig.pids().items() if pid}

    def ask(self, method, path, body=None, **headers):
        """Over one connection as long as it lasts, as browsers do."""
        try:
            self.connection.request(method, path, body, headers)
            answer = self.connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        except (http.client.HTTPException, OSError):
            self.connection.close()  # refused before it was read: the answer may be lost
            return None

    def headers_of(self, operation, person=None, version=None):
        headers = {"Authorization": f"Bearer {(person or self.staff).token}"}
        for parameter in operation.get("parameters", ()):
            if parameter["name"] == "Idempotency-Key":
                headers["Idempotency-Key"] = str(uuid.uuid4())
            if parameter["name"] == "If-Match":
                headers["If-Match"] = f'"{version or self.target["version"]}"'
        if "requestBody" in operation:
            headers["Content-Type"] = "application/json"
        return headers

    def path_of(self, path):
        return path.replace("{appointmentId}", self.target["id"]).replace(
            "{doctorId}", self.doctor.id)

    def person_for(self, path):
        return self.patient if path.endswith("/join") else self.staff

    def refused(self, answer, *words, slugs=None):
        """A problem of the caller's making, with what RFC 9457 wants."""
        self.assertIsNotNone(answer)
        self.assertGreaterEqual(answer.status, 400, answer)
        self.assertLess(answer.status, 500, answer)
        slug = answer.problem
        if slugs:
            self.assertIn(slug, slugs, answer)
        problem = answer.json
        self.assertTrue(problem["title"] and problem["instance"].startswith("urn:uuid:"), problem)
        for word in words:
            self.assertIn(word, answer.body.decode())
        for leak in (b"SELECT", b"ERROR", b"pg_", b".c:", b"127.0.0.1", b"::uuid", b"Traceback"):
            self.assertNotIn(leak, answer.body)

    # -- each part of a request -------------------------------------------------------------------

    def test_ids_that_are_none(self):
        for method, path, operation in OPERATIONS:
            if "{" not in path:
                continue
            before, _, after = path.partition("{")
            headers = self.headers_of(operation, self.person_for(path))
            body = b"{}" if "requestBody" in operation else None
            for bad in BAD_IDS:
                for text in {quote(bad, safe="%"), quote(bad, safe="%", encoding="latin-1",
                                                         errors="replace")}:
                    with self.subTest(path=path, id=text):
                        self.refused(self.ask(method, before + text + after.partition("}")[2], body,
                                              **headers))
            unknown = before + str(uuid.uuid4()) + after.partition("}")[2]
            if method == "GET":
                self.refused(self.ask(method, unknown, None, **headers), slugs=["not-found"])

    def test_queries_that_are_none(self):
        common = ("?x=1", "?%", "?%zz=1", "?=1", "?a=%00", "?" + "a=1&" * 500, "?%ff=1")
        own = {
            "/v1/appointments": (
                "?limit=-1", "?limit=101", "?limit=x", "?limit=1.5", "?limit=", "?limit=1&limit=2",
                "?limit=99999999999999999999", "?status=KING", "?status=-1", "?status=99",
                "?from=yesterday", "?from=2026-13-01T00:00:00Z", "?from=2026-02-30T00:00:00Z",
                "?from=2026-01-01", "?from=10000-01-01T00:00:00Z", "?from=0000-01-01T00:00:00Z",
                "?from=2026-01-01T25:00:00Z", "?from=2026-01-01T00:00:00+99:99", "?from=1e9",
                "?to=2026-01-01T00:00:00", "?to=", "?cursor=x", "?cursor=%00",
                "?cursor=" + "A" * 190,
                "?cursor=" + "A" * 300, "?startsAt=2026-01-01T00:00:00Z"),
            "/v1/doctors/{doctorId}/slots": (
                "?days=63", "?days=-1", "?days=x", "?from=2026-02-30", "?from=2026-1-1",
                "?from=10000-01-01", "?from=-001-01-01", "?from=infinity",
                "?from=2026-01-01T00:00Z",
                "?doctorId=" + str(uuid.uuid4())),
            "/v1/inbox": ("?latest=1", "?latest=yes", "?after=-1", "?after=x",
                          "?after=9223372036854775808", "?limit=501", "?limit=0x10"),
            "/v1/events": ("?after=-1", "?after=x", "?after=1&after=2"),
        }
        for method, path, operation in OPERATIONS:
            if "requestBody" in operation or method != "GET":
                continue
            for query in common + own.get(path, ()):
                with self.subTest(path=path, query=query[:60]):
                    self.refused(self.ask(method, self.path_of(path) + query, None,
                                          **self.headers_of(operation)),
                                 slugs=["invalid", "malformed", "uri-too-long"])

    def test_bodies_that_are_none(self):
        for method, path, operation in OPERATIONS:
            headers = self.headers_of(operation, self.person_for(path))
            for body in BAD_BODIES:
                if body in (b"", b"{}") and path.endswith((
                        "/confirm", "/decline", "/cancel", "/availability", "/me", "/read",
                        "/search")):
                    continue  # these ask for no more; no hours are hours, too
                if body == b"" and "requestBody" not in operation:
                    continue
                with self.subTest(path=path, body=body[:30]):
                    self.refused(self.ask(method, self.path_of(path), body, **{
                        "Content-Type": "application/json"} | headers))

    def test_a_pointer_shows_the_fault(self):
        booking = {"doctorId": self.doctor.id, "startsAt": "2030-01-01T10:00:00Z",
                   "patientId": self.patient.id}
        for change, pointer in (
                ({"doctorId": "x"}, "/doctorId"), ({"doctorId": None}, "/doctorId"),
                ({"startsAt": "soon"}, "/startsAt"), ({"minutes": 481}, "/minutes"),
                ({"minutes": "many"}, "/minutes"), ({"minutes": 1.5}, "/minutes"),
                ({"minutes": -1}, "/minutes"), ({"reason": 7}, "/reason"),
                ({"reason": "r" * 2001}, "/reason"), ({"confirmed": "yes"}, "/confirmed"),
                ({"patientId": "x"}, "/patientId"), ({"what": 1}, "/what"),
                ({"a/b~c": 1}, "/a~1b~0c"), ({"idempotencyKey": "x"}, "/idempotencyKey")):
            with self.subTest(change=change):
                answer = self.staff.ask("POST", "/v1/appointments", booking | change,
                                        **{"Idempotency-Key": "pointer"})
                self.refused(answer, slugs=["invalid"])
                self.assertEqual([pointer], [e["pointer"] for e in answer.json["errors"]])
        hours = {"weekday": 1, "from": "08:00", "to": "12:00", "slotMinutes": 30}
        for change, pointer in (({"weekday": 8}, "/hours/1/weekday"), ({"from": "8"},
                                "/hours/1/from"), ({"slotMinutes": 1}, "/hours/1/slotMinutes"),
                                ({"to": "24:01"}, "/hours/1/to"), ({"x": 1}, "/hours/1/x")):
            with self.subTest(change=change):
                answer = self.staff.ask("PUT", f"/v1/doctors/{self.doctor.id}/availability",
                                        {"hours": [hours, hours | change]})
                self.refused(answer, slugs=["invalid"])
                self.assertEqual([pointer], [e["pointer"] for e in answer.json["errors"]])

    def test_headers_that_are_none(self):
        path = f"/v1/appointments/{self.target['id']}/confirm"
        for tag, slug in (("x", "stale"), ('""', "stale"), ('W/"1"', "stale"), ("*", "stale"),
                          ('"1", "2"', "stale"), ('"-1"', "stale"), ('"99999999999"', "stale"),
                          ('"0"', "stale"), (None, "version-required")):
            headers = {"If-Match": tag} if tag else {}
            answer = self.doctor.ask("POST", path, b"", **headers)
            self.assertEqual(slug, answer.problem, tag)
        for key in ("", " ", "ä", "a b", "k" * 129, "\x7f"):
            answer = self.staff.ask("POST", "/v1/appointments", {}, **{"Idempotency-Key": key})
            self.refused(answer, slugs=["malformed", "invalid"])
        for kind in ("text/plain", "application/xml", "application/json2", "", "multipart/x"):
            answer = self.staff.ask("POST", "/v1/appointments", b"{}", **{
                "Content-Type": kind, "Idempotency-Key": "k"})
            self.refused(answer, slugs=["unsupported-media-type"])
        answer = self.ask("POST", "/v1/appointments", b"x" * 100_000, **{
            "Idempotency-Key": "k", "Authorization": f"Bearer {self.staff.token}"})
        if answer is not None:
            self.refused(answer, slugs=["too-large"])
        self.refused(rig.ask("GET", "/v1/me", x="y" * 9000), slugs=["headers-too-large"])
        self.refused(rig.ask("GET", "/v1/" + "x" * 5000), slugs=["uri-too-long"])
        for method in ("BREW", "PATCH", "DELETE", "OPTIONS", "TRACE", "get"):
            self.refused(rig.ask(method, "/v1/appointments"),
                         slugs=["method-not-allowed", "malformed"])
        for path in ("/", "/v1", "/v2/me", "//v1/me", "/v1/me/", "/v1/../v1/me", "/admin",
                     "/metrics", "/%2e%2e/etc/passwd"):
            self.refused(self.staff.ask("GET", path), slugs=["not-found", "malformed"])

    # -- time -------------------------------------------------------------------------------------

    def test_times_beyond_time(self):
        for starts_at in ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999999Z",
                          "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1999-12-31T23:59:59Z",
                          "3000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2030-01-01T10:00:60Z",
                          "2030-02-29T10:00:00Z",
                          "2030-01-01T10:00:00", "2030-01-01 10:00:00Z", "2030-01-01T10:00Z",
                          "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", 1893456000,
                          {"seconds": 1}, ["2030-01-01T10:00:00Z"], "infinity", "now", "epoch"):
            with self.subTest(starts_at):
                booking = {"doctorId": self.doctor.id, "startsAt": starts_at}
                for person, more in ((self.patient, {}), (self.staff, {
                        "patientId": self.patient.id, "minutes": 480, "confirmed": True})):
                    answer = person.ask("POST", "/v1/appointments", booking | more,
                                        **{"Idempotency-Key": str(uuid.uuid4())})
                    self.refused(answer)
                answer = self.staff.change(self.target, "move", {"startsAt": starts_at})
                self.refused(answer)

    def test_spans_beyond_time(self):
        get = self.staff.ask
        listed = get("GET", "/v1/appointments?from=9999-12-31T23:59:59Z")
        self.assertEqual((200, []), (listed.status, listed.json["appointments"]))
        listed = get("GET", "/v1/appointments?from=2031-01-01T00:00:00Z&to=2030-01-01T00:00:00Z")
        self.assertIn(listed.status, (200, 422), listed)
        if listed.status == 200:
            self.assertEqual([], listed.json["appointments"])
        for first in ("9999-12-31", "0001-01-01", "9999-01-01"):
            slots = get("GET", f"/v1/doctors/{self.doctor.id}/slots?from={first}&days=62")
            self.assertIn(slots.status, (200, 422), slots)
        # Clocks that skip and repeat an hour in the clinic's zone.
        for first in ("2027-03-28", "2027-10-31"):
            slots = get("GET", f"/v1/doctors/{self.doctor.id}/slots?from={first}&days=1").json
            starts = [slot["startsAt"] for slot in slots["slots"]]
            self.assertEqual(sorted(set(starts)), starts)

    def test_cursors_that_were_tampered_with(self):
        page = self.staff.ask("GET", "/v1/appointments?limit=1")
        cursor = page.json["nextCursor"]
        self.assertTrue(cursor)
        self.assertEqual(200, self.staff.ask("GET", f"/v1/appointments?cursor={cursor}").status)
        dice = random.Random(SEED)
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        bad = [cursor[:-1], cursor + "A", cursor[1:], cursor * 2, cursor.swapcase(), "A", "AAAA"]
        bad += [base64.urlsafe_b64encode(text).decode().rstrip("=") for text in (
            raw[:-1], raw + b"x", raw[::-1], b"9" * 40, b"{}", b"' OR 1=1", dice.randbytes(24))]
        for text in bad:
            with self.subTest(text):
                answer = self.staff.ask("GET", "/v1/appointments?cursor=" + quote(text))
                if answer.status == 200:  # a cursor of another place is still a cursor
                    self.assertIsInstance(answer.json["appointments"], list)
                else:
                    self.refused(answer, "cursor", slugs=["invalid"])
        mine = self.patient.ask("GET", f"/v1/appointments?cursor={cursor}").json["appointments"]
        for visit in mine:
            self.assertIn(self.patient.id, [p["personId"] for p in visit["participants"]],
                          "another person's cursor opens nothing")

    # -- no HTTP ----------------------------------------------------------------------------------

    def test_what_is_no_http(self):
        bearer = f"Authorization: Bearer {self.staff.token}\r\n".encode()
        whole = b"Host: x\r\n" + bearer
        dice = random.Random(SEED)
        for raw in (
                b"\r\n\r\n\r\n", b"\0" * 100, b"GET\r\n\r\n", b"GET /v1/me\r\n\r\n",
                b"GET /v1/me HTTP/9.9\r\n\r\n", b"GET /v1/me HTTP/1.1\r\nno colon\r\n\r\n",
                b"GET /v1/me HTTP/1.1\r\nHost: x\r\nHost: y\r\n" + bearer + b"\r\n",
                b"GET /v1/me HTTP/1.1\r\n: x\r\n\r\n", b"GET  /v1/me  HTTP/1.1\r\n\r\n",
                b"GET /v1/\xff\xfe HTTP/1.1\r\n" + whole + b"\r\n",
                b"GET http://elsewhere/v1/me HTTP/1.1\r\n" + whole + b"\r\n",
                b"POST /v1/appointments HTTP/1.1\r\n" + whole + b"Content-Length: -1\r\n\r\n",
                b"POST /v1/appointments HTTP/1.1\r\n" + whole + b"Content-Length: x\r\n\r\n",
                b"POST /v1/appointments HTTP/1.1\r\n" + whole
                + b"Content-Length: 99999999999999999999999\r\n\r\n",
                b"POST /v1/appointments HTTP/1.1\r\n" + whole
                + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n{}  ",
                b"POST /v1/appointments HTTP/1.1\r\n" + whole
                + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                b"POST /v1/appointments HTTP/1.1\r\n" + whole
                + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
                b"POST /v1/appointments HTTP/1.1\r\n" + whole
                + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                b"POST /v1/appointments HTTP/1.1\r\n" + whole
                + b"Transfer-Encoding: gzip\r\n\r\nx",
                b"GET /v1/me HTTP/1.1\r\n" + b"a: b\r\n" * 3000 + b"\r\n",
                b"GET /v1/me HTTP/1.1\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
                b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", dice.randbytes(3000),
                b"GET /v1/me HTTP/1.1\r\nCookie: " + b"\xff" * 50 + b"\r\n\r\n"):
            with self.subTest(raw[:60]):
                status, head, body = self.raw(raw)
                if status is None:
                    continue  # hung up without a word
                self.assertTrue(400 <= status < 500 or status in (501, 505), (status, body))
                if b"problem+json" in head:
                    self.assertEqual(status, json.loads(body)["status"])

    def raw(self, text):
        """What comes back for bytes within a second: (status, head, body), or Nones. The end of
        ours is told, so that nobody waits for more."""
        with socket.create_connection(("127.0.0.1", rig.port), timeout=1) as s:
            got = b""
            try:
                s.sendall(text)
                s.shutdown(socket.SHUT_WR)
                while piece := s.recv(65536):
                    got += piece
            except OSError:
                pass  # cut off while we spoke
        if not got.startswith(b"HTTP/1.1 "):
            return None, b"", got
        head, _, body = got.partition(b"\r\n\r\n")
        return int(got[9:12]), head, body

    def test_a_second_request_hidden_in_the_first(self):
        """What a front proxy might see otherwise: such a connection gives one answer and ends."""
        bearer = f"Host: x\r\nAuthorization: Bearer {self.staff.token}\r\n".encode()
        hidden = b"GET /v1/clinic HTTP/1.1\r\n" + bearer + b"\r\n"
        for lengths in (b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(hidden),
                        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(hidden),
                        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                        b"Transfer-Encoding: xchunked\r\n",
                        b"Content-Length: +%d\r\n" % len(hidden)):
            with self.subTest(lengths):
                _, _, body = self.raw(b"POST /v1/session HTTP/1.1\r\nHost: x\r\n"
                                      b"Content-Type: application/json\r\n" + lengths
                                      + b"\r\n0\r\n\r\n" + hidden)
                self.assertNotIn(b"Europe/Berlin", body)

    # -- dice -------------------------------------------------------------------------------------

    def test_mutations(self):
        """Good requests with one thing wrong, chosen by dice that always fall the same way."""
        dice = random.Random(SEED)
        bodies = {
            "/v1/session": {"clinic": "demo", "email": "x@demo.example", "password": "wrong"},
            "/v1/session/refresh": {"refreshToken": "A" * 43},
            "/v1/appointments": {"doctorId": str(uuid.uuid4()), "startsAt": "2030-01-01T10:00:00Z",
                                 "patientId": str(uuid.uuid4()), "minutes": 30, "reason": "r"},
            "/v1/doctors/{doctorId}/availability": {"hours": [
                {"weekday": 1, "from": "08:00", "to": "07:00", "slotMinutes": 30}]},
            "/v1/appointments/{appointmentId}/join": {"participantType": "DOCTOR"},
            "/v1/me": {"language": "it", "timeZone": "Mars/Base"},
            "/v1/inbox/read": {"seq": "two"},
            "/v1/appointments/{appointmentId}/move": {"startsAt": "2020-01-01T10:00:00Z"},
        }
        # Nothing of it may do anything: the session stays, and no version is the right one.
        operations = [o for o in OPERATIONS if o[:2] != ("DELETE", "/v1/session")]
        seen = {}
        for nth in range(MUTATIONS):
            method, path, operation = dice.choice(operations)
            headers = self.headers_of(operation, self.person_for(path), version=10**6)
            body = bodies.get(path) if "requestBody" in operation else None
            body = json.dumps(body).encode() if body else None
            target = self.path_of(path)
            if path == "/v1/events":
                target += "?after=x"
            kind = dice.randrange(5)
            if kind == 0 and body:
                body = self.damaged(dice, body)
            elif kind == 1:
                target += "?" + quote(dice.randbytes(dice.randrange(1, 20)), safe="&=%+")
            elif kind == 2:
                at = dice.randrange(4, len(target))
                target = target[:at] + quote(dice.randbytes(1)) + target[at + 1:]
            elif kind == 3:
                name = dice.choice(sorted(headers))
                headers[name] = "".join(chr(dice.randrange(33, 126))
                                        for _ in range(dice.randrange(1, 60)))
            else:
                headers[dice.choice(["Expect", "Content-Encoding", "Range", "Accept", "Cookie",
                                     "Last-Event-ID", "X-Forwarded-For", "Transfer-Encoding"])] = \
                    dice.choice(["x", "100-continue", "gzip", "*/*", "-1", "a=b;c", "chunked"])
                if headers.get("Transfer-Encoding"):
                    del headers["Transfer-Encoding"]
            answer = self.ask(method, target, body, **headers)
            if answer is None:
                continue
            seen[answer.status] = seen.get(answer.status, 0) + 1
            said = f"{nth}: {method} {target} {headers} {body} -> {answer}"
            self.assertLess(answer.status, 500, said)
            if answer.status >= 400:
                self.assertEqual("application/problem+json", answer.headers["Content-Type"], said)
            elif method != "GET" and path not in QUESTIONS:
                self.fail(f"it was done: {said}")
        self.assertGreater(sum(seen.values()), MUTATIONS * 0.95)
        self.assertGreater(len(seen), 5, seen)

    @staticmethod
    def damaged(dice, body):
        at = dice.randrange(len(body))
        return dice.choice((
            lambda: body[:at],
            lambda: body[:at] + dice.randbytes(1) + body[at + 1:],
            lambda: body[:at] + body[at:at + 10] * 50 + body[at:],
            lambda: body[at:],
            lambda: body[:at] + dice.choice([b'"', b"\\", b"{", b"}", b"[", b",", b"1e999", b"\\u",
                                             b"null", b"-", b"\0", b"\xf0\x9f"]) + body[at:],
        ))()


if __name__ == "__main__":
    unittest.main()
