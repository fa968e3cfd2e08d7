"""What the integration tests share: a stack of their own, and people who talk to it over HTTP.

The stack runs our programs as they were built with the sanitizers (VARIANT=asan, or TV_VARIANT), a
real PostgreSQL, nats-server and LiveKit, on free ports, with the demo clinic's people.
"""

import contextlib
import datetime
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "harness"))
# pylint: disable=wrong-import-position
from livekit import LiveKit
from until import until  # pylint: disable=unused-import # for the tests

STACKCTL = str(ROOT / "tools" / "stackctl")
VARIANT = os.environ.get("TV_VARIANT", "asan")
SERVICES = ("appointments", "tokens", "notifier", "gateway")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def problem(self):
        """The slug of a problem document; fails when the answer is none."""
        assert self.headers.get("Content-Type") == "application/problem+json", self
        assert self.json["status"] == self.status, self
        return self.json["type"].removeprefix("/problems/")

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:600]!r}"


class Person:
    """One member of the demo clinic. Logs in when it is first of use."""

    def __init__(self, rig, email, person_id=None):
        self.rig, self.email, self._id, self._session = rig, email, person_id, None

    @property
    def session(self):
        if self._session is None:
            answer = self.rig.ask("POST", "/v1/session", {
                "clinic": self.rig.clinic, "email": self.email, "password": self.rig.password})
            assert answer.status == 201, answer
            self._session = answer.json
        return self._session

    @property
    def token(self):
        return self.session["accessToken"]

    @property
    def refresh_token(self):
        return self.session["refreshToken"]

    @property
    def id(self):
        return self._id or self.session["person"]["id"]

    @property
    def clinic_id(self):
        return self.session["person"]["clinicId"]

    def ask(self, method, path, body=None, **headers):
        return self.rig.ask(method, path, body, Authorization=f"Bearer {self.token}", **headers)

    def book(self, doctor, starts_at, key=None, **more):
        return self.ask("POST", "/v1/appointments",
                        {"doctorId": doctor.id, "startsAt": starts_at} | more,
                        **{"Idempotency-Key": key or str(uuid.uuid4())})

    def change(self, appointment, what, body=None, version=None):
        return self.ask("POST", f"/v1/appointments/{appointment['id']}/{what}", body,
                        **{"If-Match": f'"{version or appointment["version"]}"'})

    def join(self, appointment_id, kind):
        return self.ask("POST", f"/v1/appointments/{appointment_id}/join",
                        {"participantType": kind})


class Rig:
    def __init__(self, *settings, seed=True):
        self.dir = Path(tempfile.mkdtemp(prefix="televisit-"))
        options = [word for s in settings for word in ("--set", s)]
        self.ctl("up", "--detach", "--ports", "free", "--variant", VARIANT,
                 "--set", "gateway:TELEVISIT_RATE_PERCENT=0",
                 "--set", "gateway:TELEVISIT_WEB_DIR=", *options,  # built or not, it is no matter
                 *(() if seed else ("--no-seed",)))
        self.info = json.loads(self.ctl("info"))
        self.port = int(self.info["parts"]["gateway"]["url"].rsplit(":", 1)[1])
        self.clinic = self.info["demo"]["clinic"]
        self.password = self.info["demo"]["password"]
        self.people = {}

    def close(self):
        """Ends the stack; a sanitizer's report in a log is an error."""
        self.ctl("down")
        logs = {log.name: log.read_text(errors="replace") for log in (self.dir / "log").iterdir()}
        shutil.rmtree(self.dir, ignore_errors=True)
        for name, text in logs.items():
            for mark in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:"):
                if mark in text:
                    raise AssertionError(f"{name}: {text[text.index(mark):][:4000]}")

    def ctl(self, *words):
        done = subprocess.run([STACKCTL, "--dir", str(self.dir), *words], text=True,
                              capture_output=True, check=False, timeout=180)
        if done.returncode != 0:
            raise AssertionError(f"stackctl {' '.join(words)}: {done.stdout}{done.stderr}")
        if "was killed" in done.stderr:  # it did not end when it was told to
            logs = (self.dir / "log" / f"{part}.log" for part in words[1:])
            raise AssertionError(done.stderr + "".join(
                log.read_text(errors="replace")[-3000:] for log in logs if log.exists()))
        return done.stdout

    def ask(self, method, path, body=None, timeout=30, port=None, **headers):
        if isinstance(body, (dict, list)):
            headers.setdefault("Content-Type", "application/json")
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def person(self, email):
        if email not in self.people:
            self.people[email] = Person(self, email)
            assert self.people[email].session  # once, before many threads ask for it
        return self.people[email]

    def of_role(self, role, index=0):
        emails = [p["email"] for p in self.info["demo"]["people"] if p["role"] == role]
        return self.person(emails[index])

    def sql(self, text):
        url = Path(self.info["databaseUrlFile"]).read_text().strip()
        return subprocess.run(["psql", url, "-v", "ON_ERROR_STOP=1", "-qAt"], input=text, text=True,
                              check=True, capture_output=True).stdout.strip()

    @contextlib.contextmanager
    def sql_held(self, text):
        """Runs statements in a transaction that stays open, with its locks, inside the block."""
        url = Path(self.info["databaseUrlFile"]).read_text().strip()
        with subprocess.Popen(["psql", url, "-v", "ON_ERROR_STOP=1", "-qAt"], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as psql:
            psql.stdin.write(f"BEGIN;\n{text};\nSELECT 'held';\n")
            psql.stdin.flush()
            while (line := psql.stdout.readline().strip()) != "held":
                assert line or psql.poll() is None, text
            try:
                yield
            finally:
                psql.stdin.close()  # rolls back

    def add_people(self, role, count):
        """New people of the demo clinic, who log in with the demo's password."""
        ids = [str(uuid.uuid4()) for _ in range(count)]
        self.sql(f"""
            WITH person AS (
                INSERT INTO tv.person (clinic_id, id, role, display_name, email, time_zone)
                SELECT c.id, added, '{role}', added, added || '@added.example', c.time_zone
                FROM tv.clinic c, unnest('{{{",".join(ids)}}}'::uuid[]) AS added
                WHERE c.slug = '{self.clinic}'
                RETURNING clinic_id, id)
            INSERT INTO tv.credential (clinic_id, person_id, password_hash)
            SELECT p.clinic_id, p.id, (SELECT password_hash FROM tv.credential LIMIT 1)
            FROM person p""")
        return [Person(self, f"{person_id}@added.example", person_id) for person_id in ids]

    def livekit(self):
        """The stack's LiveKit, with its key."""
        secret = Path(self.info["livekitSecretFile"]).read_text().strip()
        return LiveKit(self.info["livekitUrl"], self.info["livekitKey"], secret)

    def webhook(self, event, *token):
        """Posts an event, or the text of one, as LiveKit does. The token is signed here unless one
        is given; None: none."""
        body = event if isinstance(event, str) else json.dumps(event)
        authorization = token[0] if token else self.livekit().token_of_webhook(body)
        headers = {} if authorization is None else {"Authorization": authorization}
        return self.ask("POST", "/v1/livekit/webhook", body,
                        **headers, **{"Content-Type": "application/webhook+json"})

    def visit(self, path, part, timeout=10):
        """What a part answers on its private port; None when nobody answers there."""
        url = self.info["parts"][part]["adminUrl"]
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=timeout)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        except OSError:
            return None
        finally:
            connection.close()

    def metric(self, part, name):
        """The sum of a metric's series on a part's private port."""
        lines = self.visit("/metrics", part).body.decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines
                   if line.split("{")[0].split(" ")[0] == name)

    def look_again(self):
        """Reads the addresses and pids anew, after parts were started."""
        self.info = json.loads(self.ctl("info"))
        return self.info["parts"]

    def pids(self):
        """Which process is which part, now."""
        return {name: part["pid"] for name, part in self.look_again().items()}

    def now(self):
        return datetime.datetime.fromisoformat(self.sql("SELECT to_json(tv.tv_now()) #>> '{}'"))


def text_of(instant):
    return instant.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def at_once(count, work):
    """Runs work(i) in `count` threads that start together; the results in order."""
    barrier = threading.Barrier(count)
    results = [None] * count

    def one(i):
        barrier.wait()
        results[i] = work(i)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
