"""Sessions: tokens that rotate, copies that are found out, cookies, and a door that does not tell
who lives behind it."""

import datetime
import http.cookies
import re
import statistics
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rig import Person, Rig, at_once, text_of, until  # pylint: disable=wrong-import-position
from sse import Reader  # pylint: disable=wrong-import-position

TTL_S = 10  # the shortest that the gateway takes


def setUpModule():
    global rig
    rig = Rig(f"gateway:TELEVISIT_ACCESS_TOKEN_TTL={TTL_S}s")
    unittest.addModuleCleanup(rig.close)


def refresh(token):
    return rig.ask("POST", "/v1/session/refresh", {"refreshToken": token})


def log_in(email, password, clinic=None, **headers):
    return rig.ask("POST", "/v1/session", {
        "clinic": clinic or rig.clinic, "email": email, "password": password}, **headers)


def me(token):
    return rig.ask("GET", "/v1/me", Authorization=f"Bearer {token}")


class Tokens(unittest.TestCase):
    def setUp(self):
        self.person = Person(rig, "pia@demo.example")
        self.assertTrue(self.person.session, "logged in, before any clock is moved")
        self.addCleanup(rig.ctl, "clock", "reset")

    def refused(self, answer, status=401, slug="session-expired"):
        self.assertEqual((status, slug), (answer.status, answer.problem), answer)

    def test_each_renewal_gives_other_tokens(self):
        session = self.person.session
        seen = {session["refreshToken"]}
        for _ in range(5):
            answer = refresh(session["refreshToken"])
            self.assertEqual(200, answer.status, answer)
            session = answer.json
            self.assertEqual(200, me(session["accessToken"]).status)
            self.assertNotIn(session["refreshToken"], seen)
            seen.add(session["refreshToken"])
        self.assertEqual("0", rig.sql("SELECT count(*) FROM tv.session_token WHERE sha256 IN ('"
                                      + "', '".join(seen) + "')"), "no token is kept as it is")

    def test_a_copied_token_ends_the_session(self):
        first = self.person.refresh_token
        second = refresh(first).json["refreshToken"]
        third = refresh(second).json["refreshToken"]
        rig.ctl("clock", "+PT11S")  # past the grace of a doubled request
        self.refused(refresh(first))
        self.refused(refresh(third))
        self.refused(refresh(second))
        self.assertEqual("reused", rig.sql("SELECT end_reason FROM tv.session ORDER BY ended_at "
                                           "DESC NULLS LAST LIMIT 1"))
        self.assertNotEqual("0", rig.sql("SELECT count(*) FROM tv.audit WHERE action = "
                                         "'session.renew' AND decision = 'REUSED'"))
        self.assertEqual(201, log_in(self.person.email, rig.password).status, "others go on")

    def test_a_doubled_renewal_is_no_theft(self):
        first = self.person.refresh_token
        answers = at_once(8, lambda _: refresh(first))
        self.assertEqual({200}, {answer.status for answer in answers})
        self.assertEqual(8, len({answer.json["refreshToken"] for answer in answers}))
        goes_on = refresh(answers[3].json["refreshToken"])
        self.assertEqual(200, goes_on.status)
        rig.ctl("clock", "+PT11S")
        self.refused(refresh(answers[5].json["refreshToken"]))
        self.refused(refresh(goes_on.json["refreshToken"]))

    def test_logging_out(self):
        answer = self.person.ask("DELETE", "/v1/session")
        self.assertEqual((204, b""), (answer.status, answer.body))
        self.refused(refresh(self.person.refresh_token))
        again = self.person.ask("DELETE", "/v1/session")
        self.assertEqual(204, again.status, "twice is as good as once")

    def test_an_access_token_expires(self):
        reader = Reader()
        self.addCleanup(reader.close)
        token = self.person.token
        stream = reader.open(self.person, after=0)
        self.assertEqual(200, me(token).status)
        ends = datetime.datetime.fromisoformat(self.person.session["expiresAt"]).timestamp()
        self.assertLessEqual(ends, time.time() + TTL_S + 1)
        answer = until(lambda: (lambda a: a if a.status != 200 else None)(me(token)), TTL_S + 5)
        self.refused(answer)
        self.assertGreaterEqual(time.time(), ends - 0.05)
        self.assertTrue(until(lambda: stream.ended), "a stream ends with its token, and says so")
        self.assertEqual("session-end", stream.events[-1][1])
        self.assertEqual(200, me(refresh(self.person.refresh_token).json["accessToken"]).status)

    def test_a_session_that_was_left_alone_ends(self):
        rig.ctl("clock", "+PT25H")
        self.refused(refresh(self.person.refresh_token))

    def test_tokens_that_are_none(self):
        for text in ("x", "A" * 43, "A" * 44, "-" * 128, "ä" * 20, "' OR 1=1 --"):
            self.refused(refresh(text))
        token = self.person.token
        head, claims, tag = token.split(".")
        flipped = tag[:-2] + ("A" if tag[-2] != "A" else "B") + tag[-1]
        for bad in ("", "x", "..", f"{head}.{claims}.", f"{head}..{tag}", f"{head}.{claims}",
                    f"{head}.{claims}.{flipped}", f"{head}.{claims[:-1]}A.{tag}", token + ".x",
                    "eyJhbGciOiJub25lIn0." + claims + ".", self.person.refresh_token, "A" * 7000):
            with self.subTest(bad[:40]):
                answer = me(bad)
                self.assertEqual((401, "unauthenticated"), (answer.status, answer.problem))
                self.assertIn("WWW-Authenticate", answer.headers)
        self.assertEqual(401, rig.ask("GET", "/v1/me", Authorization=f"Basic {token}").status)


class Oneself(unittest.TestCase):
    """What people set for themselves, and how far they have read."""

    def setUp(self):
        self.person, = rig.add_people("PATIENT", 1)

    def test_language_and_zone(self):
        self.assertEqual(("en", "Europe/Berlin"), self.said(self.person.ask("GET", "/v1/me")))
        for change, said in (({}, ("en", "Europe/Berlin")),
                             ({"language": "ar"}, ("ar", "Europe/Berlin")),
                             ({"timeZone": "Asia/Tokyo"}, ("ar", "Asia/Tokyo")),
                             ({"language": "de-CH", "timeZone": ""}, ("de-CH", "Asia/Tokyo"))):
            self.assertEqual(said, self.said(self.person.ask("PATCH", "/v1/me", change)), change)
        self.assertEqual(("de-CH", "Asia/Tokyo"), self.said(self.person.ask("GET", "/v1/me")))
        again = log_in(self.person.email, rig.password)
        self.assertEqual("de-CH", again.json["person"]["language"], "and in the next session")

    def said(self, answer):
        self.assertEqual(200, answer.status, answer)
        return answer.json["language"], answer.json["timeZone"]

    def test_what_cannot_be_set(self):
        for change, pointer in (({"language": "it"}, "/language"), ({"language": "?"}, "/language"),
                                ({"timeZone": "Mars/Base"}, "/timeZone"),
                                ({"timeZone": "' OR 1"}, "/timeZone"),
                                ({"language": "de", "timeZone": "Nowhere"}, "/timeZone")):
            answer = self.person.ask("PATCH", "/v1/me", change)
            self.assertEqual((422, [pointer]), (
                answer.status, [error["pointer"] for error in answer.json["errors"]]), change)
        for change in ({"role": "STAFF"}, {"email": "x@example.org"}, {"language": ["de"]}):
            answer = self.person.ask("PATCH", "/v1/me", change)
            self.assertIn(answer.status, (400, 422), change)
        self.assertEqual(("en", "Europe/Berlin"), self.said(self.person.ask("GET", "/v1/me")))
        self.assertEqual(401, rig.ask("PATCH", "/v1/me", {"language": "de"}).status)

    def test_reading_notices(self):
        staff, doctor = rig.of_role("STAFF"), rig.add_people("DOCTOR", 1)[0]
        for day in (5, 6, 7):
            starts_at = text_of(rig.now() + datetime.timedelta(days=day))
            self.assertEqual(201, staff.book(doctor, starts_at, patientId=self.person.id,
                                             confirmed=True).status)

        def inbox(query=""):
            answer = self.person.ask("GET", "/v1/inbox" + query).json
            return ([entry["seq"] for entry in answer["entries"]], answer["readSeq"],
                    answer["lastSeq"])

        def read(seq):
            answer = self.person.ask("POST", "/v1/inbox/read", {"seq": seq})
            return answer.json["readSeq"], answer.json["lastSeq"]

        self.assertEqual((["1", "2", "3"], "0", "3"), inbox())
        self.assertEqual(("2", "3"), read(2))
        self.assertEqual(("2", "3"), read("1"), "never back")
        self.assertEqual((["2", "3"], "2", "3"), inbox("?latest=true&limit=2"))
        self.assertEqual((["1", "2"], "2", "3"), inbox("?limit=2"))
        self.assertEqual((["3"], "2", "3"), inbox("?latest=true&limit=2&after=2"))
        self.assertEqual(("3", "3"), read(2**62), "and not beyond the newest")
        self.assertEqual(422, self.person.ask("POST", "/v1/inbox/read", {"seq": -1}).status)

    def test_staff_look_for_a_patient(self):
        def found(**asked):
            answer = rig.of_role("STAFF").ask("POST", "/v1/patients/search", asked)
            self.assertEqual(200, answer.status, answer)
            return [patient["displayName"] for patient in answer.json["patients"]]

        self.assertEqual(["Pia Sommer"], found(query="SOMM"))
        self.assertEqual(["Pia Sommer"], found(query="pia@demo.example"))
        self.assertEqual([], found(query="Lindqvist"), "a doctor is no patient")
        self.assertEqual([], found(query="%"))
        self.assertEqual(2, len(found(limit=2)))
        for role in ("PATIENT", "DOCTOR", "ADMIN"):
            answer = rig.of_role(role).ask("POST", "/v1/patients/search", {})
            self.assertEqual((403, "forbidden"), (answer.status, answer.problem), role)


class Door(unittest.TestCase):
    """What one learns without a password."""

    def test_nobody_can_tell_who_has_an_account(self):
        cases = {
            "wrong password": ("pia@demo.example", "not this one", None),
            "wrong mail": ("nobody@demo.example", rig.password, None),
            "wrong clinic": ("pia@demo.example", rig.password, "elsewhere"),
        }
        times, bodies = {name: [] for name in cases}, set()
        for _ in range(15):
            for name, (email, password, clinic) in cases.items():
                began = time.perf_counter()
                answer = log_in(email, password, clinic)
                times[name].append(time.perf_counter() - began)
                self.assertEqual((401, "bad-credentials"), (answer.status, answer.problem))
                bodies.add(re.sub(r'"instance":"[^"]*"', "", answer.body.decode()))
        self.assertEqual(1, len(bodies), bodies)
        medians = {name: statistics.median(took) for name, took in times.items()}
        self.assertLess(max(medians.values()), 1.5 * min(medians.values()), medians)

    def test_no_password_is_in_a_log(self):
        log_in("pia@demo.example", "a-secret-that-was-mistyped")
        log_in("not-a-mail", "a-secret-that-was-mistyped")
        for part in rig.info["parts"].values():
            text = Path(part["log"]).read_text(errors="replace")
            self.assertNotIn("a-secret-that-was-mistyped", text)
            self.assertNotIn(rig.password, text)

    def test_two_hundred_at_the_door(self):
        """The queue of passwords is bounded: who does not get in is told so, and soon."""
        answers = at_once(200, lambda _: (time.monotonic(), log_in(
            "rosa@demo.example", rig.password), time.monotonic()))
        statuses = [answer.status for _, answer, _ in answers]
        self.assertLessEqual(set(statuses), {201, 429, 503}, statuses)
        self.assertGreaterEqual(statuses.count(201), 64)
        self.assertGreater(len(statuses) - statuses.count(201), 0, "the bound holds")
        for began, answer, ended in answers:
            if answer.status != 201:
                self.assertIn("Retry-After", answer.headers)
            self.assertLess(ended - began, 15)
        self.assertEqual(201, log_in("rosa@demo.example", rig.password).status)


class Cookies(unittest.TestCase):
    def setUp(self):
        self.origin = rig.info["publicUrl"]

    def log_in(self, **headers):
        return rig.ask("POST", "/v1/session", {
            "clinic": rig.clinic, "email": "quentin@demo.example", "password": rig.password,
            "cookie": True}, **headers)

    def cookies_of(self, answer):
        jar = {}
        for line in answer.headers.get_all("Set-Cookie"):
            for flag in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age="):
                self.assertIn(flag, line)
            self.assertNotIn("Domain", line)
            for name, morsel in http.cookies.SimpleCookie(line).items():
                self.assertTrue(name.startswith("__Host-"), name)
                jar[name] = morsel.value
        return jar

    def header_of(self, jar):
        return "; ".join(f"{name}={value}" for name, value in jar.items())

    def test_the_way_of_a_cookie(self):
        for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"},
                        {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"},
                        {"Origin": self.origin, "Sec-Fetch-Site": "cross-site"}):
            answer = self.log_in(**headers)
            self.assertEqual((403, "cross-site"), (answer.status, answer.problem), headers)
            self.assertNotIn("Set-Cookie", answer.headers)
        answer = self.log_in(Origin=self.origin)
        self.assertEqual(201, answer.status, answer)
        self.assertEqual(("", ""), (answer.json["accessToken"], answer.json["refreshToken"]))
        jar = self.cookies_of(answer)
        self.assertEqual(2, len(jar))
        cookie = self.header_of(jar)

        self.assertEqual(200, rig.ask("GET", "/v1/me", Cookie=cookie).status, "reading is safe")
        for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = rig.ask("DELETE", "/v1/session", Cookie=cookie, **headers)
            self.assertEqual((403, "cross-site"), (answer.status, answer.problem), headers)
            answer = rig.ask("POST", "/v1/session/refresh", Cookie=cookie, **headers)
            self.assertEqual((403, "cross-site"), (answer.status, answer.problem), headers)
            answer = rig.ask("PATCH", "/v1/me", {"language": "fr"}, Cookie=cookie, **headers)
            self.assertEqual((403, "cross-site"), (answer.status, answer.problem), headers)
        answer = rig.ask("PATCH", "/v1/me", {"language": "fr"}, Cookie=cookie, Origin=self.origin)
        self.assertEqual((200, "fr"), (answer.status, answer.json["language"]))

        for body in ("", {}):  # without a body it is below
            again = rig.ask("POST", "/v1/session/refresh", body, Cookie=cookie, Origin=self.origin)
            self.assertEqual(200, again.status, again)
            cookie = self.header_of(self.cookies_of(again))
        renewed = rig.ask("POST", "/v1/session/refresh", Cookie=cookie, Origin=self.origin)
        self.assertEqual(200, renewed.status, renewed)
        self.assertEqual("", renewed.json["accessToken"])
        fresh = self.cookies_of(renewed)
        self.assertNotEqual(jar, fresh)
        self.assertEqual(200, rig.ask("GET", "/v1/me", Cookie=self.header_of(fresh)).status)

        out = rig.ask("DELETE", "/v1/session", Cookie=self.header_of(fresh),
                      **{"Sec-Fetch-Site": "same-origin"})
        self.assertEqual(204, out.status, out)
        self.assertEqual({"", ""}, set(self.cookies_of(out).values()))
        self.assertTrue(all("Max-Age=0" in line for line in out.headers.get_all("Set-Cookie")))
        gone = rig.ask("POST", "/v1/session/refresh", Cookie=self.header_of(fresh),
                       Origin=self.origin)
        self.assertEqual((401, "session-expired"), (gone.status, gone.problem))

    def test_a_bearer_token_needs_no_origin(self):
        person = Person(rig, "quentin@demo.example")
        answer = person.ask("DELETE", "/v1/session", Origin="https://elsewhere.example")
        self.assertEqual(204, answer.status, answer)

    def test_cookies_that_are_none(self):
        for cookie in ("__Host-televisit=", "=", ";;;", "a=b; " * 200, "__Host-x=" + "y" * 3000):
            answer = rig.ask("GET", "/v1/me", Cookie=cookie)
            self.assertEqual((401, "unauthenticated"), (answer.status, answer.problem), cookie[:50])


if __name__ == "__main__":
    unittest.main()
