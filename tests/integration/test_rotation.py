"""Every secret is changed while people use the system, and no request fails.

The steps are those of docs/ROTATION.md. As a Deployment does, a restart brings the new process up
before the old one is told to end; so two of a service, with the key files of before and after,
always overlap. What was in force before is refused at the end.
"""

import base64
import contextlib
import datetime
import json
import itertools
import os
import secrets
import signal
import subprocess
import sys
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from nats import Nats  # pylint: disable=wrong-import-position
from rig import ROOT, LiveKit, Rig, text_of, until  # pylint: disable=wrong-import-position

sys.path.insert(0, str(ROOT / "tests" / "harness"))
sys.path.insert(0, str(ROOT / "tools"))
from livekit import RoomEvents  # pylint: disable=wrong-import-position
from stack import nkeys, postgres, services  # pylint: disable=wrong-import-position
from stack.layout import Stack  # pylint: disable=wrong-import-position
from stack.vault import session_key, write_private  # pylint: disable=wrong-import-position

MINUTE = datetime.timedelta(minutes=1)
ENOUGH = 8  # answers of each kind between two steps
OWNER = postgres.ROLE


def setUpModule():
    global rig
    # As in a cluster: a gateway that is to end serves on until everybody has left it.
    rig = Rig("gateway:TELEVISIT_DRAIN_DELAY=500ms", "appointments:TELEVISIT_PASSWORD_MEMORY=8")
    unittest.addModuleCleanup(rig.close)
    unittest.addModuleCleanup(rig.ctl, "faults")


def secret(name):
    return rig.dir / "secrets" / name


def put(name, *lines):
    write_private(secret(name), "\n".join(lines) + "\n")


def configure(service, **environment):
    """For the processes of a service that are started from now on."""
    path = rig.dir / "settings.json"
    settings = json.loads(path.read_text())
    settings["environment"].setdefault(service, {}).update(environment)
    path.write_text(json.dumps(settings))


class Replicas:
    """One of each service; which one it is changes at every restart."""
    running: dict[str, str] = {}

    @classmethod
    def restart(cls, *kinds):
        for kind in kinds:
            old = cls.running.get(kind, kind)
            new = f"{kind}-2" if old == kind else kind
            rig.ctl("start", new)
            if kind == "gateway":
                url = rig.look_again()[new]["url"]
                rig.port = int(url.rpartition(":")[2])
            rig.ctl("stop", old)
            cls.running[kind] = new


class Load:
    """People who ask for one thing after the other while the block lasts; each kind of request by a
    thread of its own. Whatever is not a success counts."""

    def __init__(self, case, *kinds):
        self._case, self._over, self.failed = case, False, []
        self.counts = {kind: 0 for kind in kinds}
        self._under_way = {kind: threading.Lock() for kind in kinds}
        self._going = threading.Event()
        self._going.set()
        self._threads = [threading.Thread(target=self._run, args=(kind,)) for kind in kinds]

    def _run(self, kind):
        while not self._over:
            self._going.wait()
            with self._under_way[kind]:
                if self._going.is_set():
                    self._ask(kind)

    def _ask(self, kind):
        try:
            answer = getattr(self._case, f"do_{kind}")()
            if answer.status not in (200, 201, 204):
                self.failed.append((kind, answer))
            self.counts[kind] += 1
        except Exception as fault:  # pylint: disable=broad-exception-caught
            self.failed.append((kind, fault))
            self._over = True

    @contextlib.contextmanager
    def quiet(self):
        """Inside the block nothing is under way."""
        self._going.clear()
        with contextlib.ExitStack() as stack:
            for lock in self._under_way.values():
                stack.enter_context(lock)
            yield
        self._going.set()

    def went_on(self):
        """Waits until each kind was answered a few times more."""
        before = dict(self.counts)
        self._case.assertTrue(until(lambda: self.failed or all(
            count >= before[kind] + ENOUGH for kind, count in self.counts.items())))
        self._case.assertEqual([], self.failed[:3])

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self.went_on()
        return self

    def __exit__(self, *_):
        self._over = True
        self._going.set()
        for thread in self._threads:
            thread.join()
        self._case.assertEqual([], self.failed[:3])


class Rotation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.patient, cls.doctor = rig.of_role("PATIENT", 2), rig.of_role("DOCTOR", 1)
        staff, starts = rig.of_role("STAFF"), rig.now() + 10 * MINUTE
        cls.visits = []
        for nth in range(3):
            answer = staff.book(cls.doctor, text_of(starts + nth * 2 * MINUTE), minutes=1,
                                patientId=cls.patient.id, confirmed=True)
            assert answer.status == 201, answer
            cls.visits.append(answer.json["id"])
        cls.events = RoomEvents(f"room_{cls.visits[1]}")
        cls.nth = itertools.count()

    # -- what people do ---------------------------------------------------------------------------

    def do_me(self):
        return self.patient.ask("GET", "/v1/me")

    def do_join(self):
        return self.patient.join(self.visits[0], "PATIENT")

    def do_hook(self):
        """LiveKit tells of a room, as tokens seals it for appointments."""
        return rig.webhook(self.events.started())

    def do_log_in(self):
        """And the token is good at whichever gateway is asked next."""
        answer = rig.ask("POST", "/v1/session", {
            "clinic": rig.clinic, "email": self.doctor.email, "password": rig.password})
        if answer.status != 201:
            return answer
        return rig.ask("GET", "/v1/me", Authorization=f"Bearer {answer.json['accessToken']}")

    # -- the secrets ------------------------------------------------------------------------------

    def test_session_key(self):
        old, new = secret("session-key").read_text().strip(), session_key()
        with Load(self, "me", "log_in") as load:
            for lines in ((old, new), (new, old)):
                put("session-key", *lines)
                Replicas.restart("gateway")
                load.went_on()
        # After a quarter of an hour nobody has a token of the old key any more.
        put("session-key", new)
        Replicas.restart("gateway")
        self.assertEqual(self.do_me().status, 401)
        for person in rig.people.values():
            person._session = None  # pylint: disable=protected-access
        self.assertEqual(self.do_me().status, 200)

    def test_grant_key(self):
        """It seals in both directions: grants for tokens, events for appointments."""
        old, new = secret("grant-key").read_text().strip(), secrets.token_hex(32)
        with Load(self, "join", "hook") as load:
            for lines in ((old, new), (new, old), (new,)):
                put("grant-key", *lines)
                Replicas.restart("tokens", "appointments")
                load.went_on()

    def test_livekit_key(self):
        old = [secret(name).read_text().strip() for name in ("livekit-key", "livekit-secret")]
        new = [f"new{secrets.token_hex(6)}", secrets.token_urlsafe(32)]
        configure("tokens", LIVEKIT_API_KEY="",
                  LIVEKIT_API_KEY_FILE=str(secret("livekit-key")),
                  LIVEKIT_WEBHOOK_KEYS_FILE=str(secret("livekit-webhook-keys")))
        # LiveKit gets the new one besides the old one, and tokens may hear either.
        put("livekit-webhook-keys", ":".join(new))
        rig.ctl("stop", "livekit")
        rig.ctl("start", "livekit")
        Replicas.restart("tokens")
        if Replicas.running.get("gateway", "gateway") != "gateway":
            Replicas.restart("gateway")  # the one that LiveKit tells
        self.assertTrue(until(lambda: self.do_join().status == 200))
        with Load(self, "me", "join") as load:
            put("livekit-key", new[0])
            put("livekit-secret", new[1])
            put("livekit-webhook-keys", ":".join(old))
            Replicas.restart("tokens")
            load.went_on()
            # LiveKit still signs with the old one: what it tells of a new room is recorded.
            self.assertEqual(self.patient.join(self.visits[2], "PATIENT").status, 200)
            self.assertTrue(until(lambda: rig.sql(
                "SELECT count(*) FROM tv.call WHERE started_by = 'WEBHOOK'"
                f" AND appointment_id = '{self.visits[2]}'") == "1"))
        token = self.do_join().json["token"]
        self.assertEqual(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["iss"],
                         new[0])
        # Then LiveKit is told to sign with the new one, and nobody takes the old one.
        secret("livekit-webhook-keys").unlink()
        rig.ctl("stop", "livekit")
        rig.ctl("start", "livekit")
        configure("tokens", LIVEKIT_WEBHOOK_KEYS_FILE="")
        Replicas.restart("tokens")
        rig.look_again()
        body = json.dumps(self.events.started())
        signed = LiveKit(rig.info["livekitUrl"], *old).token_of_webhook(body)
        self.assertEqual(rig.webhook(body, signed).status, 401)
        self.assertEqual(rig.webhook(body).status, 200)
        self.assertTrue(until(lambda: self.do_join().status == 200))

    def test_nats_key(self):
        """The server knows both for a while: the new one by its variable, the old one by a second
        line. It reloads in a quiet moment, for at a reload it forgets which answers it has allowed
        (allow_responses), and what is under way is never answered."""
        users = ("gateway", "appointments", "tokens", "notifier")
        accounts, keys = rig.dir / "nats-accounts.conf", rig.dir / "nats-keys.conf"
        text, old = accounts.read_text(), {}
        both = text
        with Load(self, "me", "join", "hook") as load:
            for user in users:
                variable = f"$NKEY_{user.upper()}"
                old[user] = secret(f"nats-{user}.nkey").read_text().split()
                seed, public = nkeys.make_nkey()
                put(f"nats-{user}.nkey", seed, public)
                write_private(keys, keys.read_text().replace(old[user][1], public))
                line = next(line for line in text.splitlines() if f"nkey: {variable}," in line)
                both = both.replace(line, f"{line}\n{line.replace(variable, old[user][1])}")
            with load.quiet():
                self.reload_nats(accounts, both)
            load.went_on()
            for user in users:
                Replicas.restart(user)
                load.went_on()
            with load.quiet():
                self.reload_nats(accounts, text)
            load.went_on()
        for user in users:
            with contextlib.closing(Nats(rig, user)) as client:
                client.sync()
            with self.assertRaises(OSError, msg=user):
                Nats(rig, user, old[user]).sync()

    def reload_nats(self, accounts, text):
        write_private(accounts, text)
        log = Path(rig.info["parts"]["nats"]["log"])
        before = log.read_text().count("Reloaded server configuration")
        os.kill(rig.info["parts"]["nats"]["pid"], signal.SIGHUP)
        self.assertTrue(until(
            lambda: log.read_text().count("Reloaded server configuration") > before),
            log.read_text()[-600:])

    def test_database_password(self):
        """Two roles that log in and act as the owner; each has its turn."""
        url = secret("database-url").read_text().strip()
        urls = {}
        with Load(self, "me", "join") as load:
            for role in ("login_a", "login_b"):
                password = secrets.token_hex(16)
                self.administer(f"CREATE ROLE {role} LOGIN PASSWORD '{password}' IN ROLE {OWNER};"
                                f"ALTER ROLE {role} SET role = {OWNER}")
                before, _, after = url.partition(f"://{OWNER}:")
                urls[role] = f"{before}://{role}:{password}@{after.partition('@')[2]}"
                put("database-url", urls[role])
                Replicas.restart("appointments")  # migrates first, as that role
                load.went_on()
            self.administer("ALTER ROLE login_a NOLOGIN")
            load.went_on()
        self.assertEqual(rig.sql("SELECT session_user, current_user"), f"login_b|{OWNER}")
        self.assertEqual(rig.sql("SELECT count(*) FROM pg_stat_activity"
                                 " WHERE usename = 'login_a'"), "0")
        self.administer(f"CREATE DATABASE fresh OWNER {OWNER}")
        self.assertIn("applied 0001_base.sql", self.migrate(urls["login_b"].replace(
            f"/{postgres.DATABASE}?", "/fresh?")))  # an installation may begin so
        refused = subprocess.run(["psql", urls["login_a"], "-c", "SELECT 1"], check=False,
                                 capture_output=True, text=True)
        self.assertNotEqual(refused.returncode, 0)
        put("database-url", url)
        Replicas.restart("appointments")

    def migrate(self, url):
        stack = Stack(rig.dir)
        environment = services.environment(stack, "appointments")
        del environment["DATABASE_URL_FILE"]
        return subprocess.run([str(stack.binary("appointments")), "migrate"], check=True, text=True,
                              capture_output=True, cwd="/",
                              env=environment | {"DATABASE_URL": url}).stdout

    def administer(self, sql):
        environment = os.environ | {"PGPASSWORD": secret("postgres-postgres").read_text().strip()}
        url = secret("database-url").read_text().partition("@")[2].strip()
        subprocess.run(["psql", f"postgresql://{postgres.SUPERUSER}@{url}", "-qc", sql],
                       check=True, capture_output=True, env=environment)


if __name__ == "__main__":
    unittest.main()
