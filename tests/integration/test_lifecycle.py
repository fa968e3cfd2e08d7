"""Coming and going: readiness tells the truth, a stop finishes what was begun, replicas take over
without a word lost, and nobody minds who was started first."""

import contextlib
import datetime
import http.client
import itertools
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from children import Child, get  # pylint: disable=wrong-import-position
from rig import SERVICES, Answer, Rig, text_of, until  # pylint: disable=wrong-import-position
from sse import Reader  # pylint: disable=wrong-import-position

SOON_S = 10
DAY, MINUTE = datetime.timedelta(days=1), datetime.timedelta(minutes=1)
LOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def setUpModule():
    global rig
    # As in a cluster: a gateway that is to end says so before it stops to take new connections.
    rig = Rig("gateway:TELEVISIT_DRAIN_DELAY=500ms")
    unittest.addModuleCleanup(rig.close)
    unittest.addModuleCleanup(rig.ctl, "faults")


def tree_of(pid):
    """A process and those that it has begun."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


@contextlib.contextmanager
def stopped(part):
    rig.ctl("stop", part)
    try:
        yield
    finally:
        rig.ctl("start", part)


@contextlib.contextmanager
def frozen(part):
    """It holds its connections and takes new ones, and says nothing."""
    frozen_pids = tree_of(rig.pids()[part])
    for pid in frozen_pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in frozen_pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


class Watch:
    """Looks at liveness all the time; `reds` are the looks that found no 200."""

    def __init__(self):
        self.looks, self.reds, self._over = 0, [], False
        self._ports = {name: int(rig.info["parts"][name]["adminUrl"].rpartition(":")[2])
                       for name in SERVICES}
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        for name, port in itertools.cycle(self._ports.items()):
            if self._over:
                return
            answer = get(port, "/livez")
            self.looks += 1
            if answer[0] != 200:
                self.reds.append((name, answer))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over = True
        self._thread.join()


class Lifecycle(unittest.TestCase):
    def setUp(self):
        self.patient, self.doctor = rig.of_role("PATIENT", 2), rig.of_role("DOCTOR", 1)
        self.staff = rig.of_role("STAFF")
        for person in (self.patient, self.doctor, self.staff):
            self.assertTrue(person.session)

    def own(self, name, **environment):
        child = Child(rig, name, **environment)
        self.addCleanup(child.close)
        return child

    def ready(self, part, is_ready):
        return until(lambda: (rig.visit("/readyz", part).status == 200) == is_ready, SOON_S)

    # -- what is needed goes away -----------------------------------------------------------------

    def check_need(self, away, needy, needed):
        """While `away` lasts, those who need it are unready within 10 s and say why, the others are
        ready; 10 s after it all are. Nobody is ever not alive."""
        with Watch() as watch:
            began = time.monotonic()
            with away:
                for part in needy:
                    self.assertTrue(self.ready(part, False), f"{part} says that it lacks {needed}")
                red_s = time.monotonic() - began
                for part in needy:
                    body = rig.visit("/readyz", part).body.decode()
                    self.assertRegex(body, rf"(?m)^{needed}: \S+")
                    self.assertNotIn("password", body)
                for part in set(SERVICES) - set(needy):
                    self.assertEqual(200, rig.visit("/readyz", part).status, part)
            began = time.monotonic()
            for part in needy:
                self.assertTrue(self.ready(part, True), f"{part} has found {needed}")
            green_s = time.monotonic() - began
            self.assertTrue(until(lambda: self.patient.ask("GET", "/v1/me").status == 200, 2))
        print(f"\n{self.id().rpartition('.')[2]}: unready after {red_s:.1f} s, ready again after "
              f"{green_s:.1f} s", file=sys.stderr)
        self.assertLess(red_s, SOON_S)
        self.assertLess(green_s, SOON_S)
        self.assertGreater(watch.looks, 20)
        self.assertEqual([], watch.reds, "alive all the time")

    def test_without_postgres(self):
        self.check_need(stopped("postgres"), ["appointments"], "postgres")

    def test_with_a_frozen_postgres(self):
        self.check_need(frozen("postgres"), ["appointments"], "postgres")

    def test_without_nats(self):
        self.check_need(stopped("nats"), SERVICES, "bus")

    def test_with_a_frozen_nats(self):
        self.check_need(frozen("nats"), SERVICES, "bus")

    def test_nobody_is_unready_without_livekit(self):
        """Another tokens would not bring LiveKit back, and this one reads webhooks and says why
        nobody can join; so it stays where it is asked."""
        for nth, away in enumerate((stopped, frozen)):
            visit = self.staff.book(self.doctor, text_of(rig.now() + (25 + nth) * MINUTE),
                                    patientId=self.patient.id, minutes=1, confirmed=True)
            self.assertEqual(201, visit.status, visit)
            self.addCleanup(self.staff.change, visit.json, "cancel")
            with self.subTest(away.__name__), Watch() as watch:
                with away("livekit"):
                    for _ in range(4):  # the circuit opens, and is tried again
                        answer = self.patient.join(visit.json["id"], "PATIENT")
                        self.assertEqual((503, "media-unavailable"),
                                         (answer.status, answer.problem))
                    for part in SERVICES:
                        self.assertEqual(200, rig.visit("/readyz", part).status, part)
                    self.assertEqual(200, self.patient.ask("GET", "/v1/appointments").status)
                self.assertTrue(until(lambda v=visit: self.patient.join(
                    v.json["id"], "PATIENT").status == 200, SOON_S))
            self.assertEqual([], watch.reds, "alive all the time")

    def test_started_before_what_they_need(self):
        rig.ctl("stop", *SERVICES, "nats", "postgres")
        with contextlib.ExitStack() as stack:
            stack.callback(rig.look_again)
            stack.callback(rig.ctl, "start", "postgres", "nats", *SERVICES)
            children = {name: self.own(name) for name in SERVICES}
            for name, child in children.items():
                self.assertEqual(200, get(child.admin, "/livez")[0], name)
                self.assertEqual(503, get(child.admin, "/readyz")[0], name)
            rig.ctl("start", "nats")
            for name in ("tokens", "notifier", "gateway"):
                self.assertTrue(until(children[name].ready, SOON_S), name)
            self.assertFalse(children["appointments"].ready())
            rig.ctl("start", "postgres")
            self.assertTrue(until(children["appointments"].ready, SOON_S))
            port = children["gateway"].port_of("serving http")
            self.assertEqual(200, get(port, "/healthz")[0])
            for name, child in children.items():
                child.terminate()
                self.assertEqual(0, child.exit_status(), name)

    # -- the stop ---------------------------------------------------------------------------------

    def test_a_stop_finishes_what_was_begun(self):
        """The lock on a row holds a booking in the database while the service is told to end."""
        for nth, name in enumerate(("gateway", "appointments")):
            with self.subTest(name):
                child = self.own(name)
                self.assertTrue(until(child.ready))
                port = rig.port
                if name == "gateway":
                    port = child.port_of("serving http")
                else:
                    rig.ctl("stop", "appointments")
                answers, starts = [], text_of(rig.now() + 9 * DAY + nth * 10 * MINUTE)
                booking = threading.Thread(target=lambda p=port, s=starts: answers.append(
                    self.booked_at(p, s)))
                with contextlib.ExitStack() as stack:
                    if name == "appointments":
                        stack.callback(rig.look_again)
                        stack.callback(rig.ctl, "start", "appointments")
                    with rig.sql_held(
                            f"SELECT FROM tv.person WHERE id = '{self.doctor.id}' FOR UPDATE"):
                        booking.start()
                        self.assertTrue(until(lambda: rig.sql(LOCKED) != "0"))
                        child.terminate()
                        self.assertTrue(until(lambda c=child: not c.ready()))
                        self.assertIsNone(child.process.poll(), "it waits for what it has begun")
                    booking.join()
                    self.assertEqual(201, answers[0].status, answers[0])
                    self.assertEqual(0, child.exit_status())
                self.assertIn('"stopped"', child.log.read_text())

    def booked_at(self, port, starts_at):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("POST", "/v1/appointments", json.dumps({
                "doctorId": self.doctor.id, "patientId": self.patient.id, "minutes": 5,
                "startsAt": starts_at}), {
                    "Authorization": f"Bearer {self.staff.token}", "Idempotency-Key": starts_at,
                    "Content-Type": "application/json"})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def test_a_stop_ends_streams_and_nothing_hangs(self):
        child = self.own("gateway", TELEVISIT_DRAIN_DELAY="0s")
        port = child.port_of("serving http")
        self.assertTrue(until(child.ready))
        reader = Reader()
        self.addCleanup(reader.close)
        streams = [reader.open(self.patient, after=0, port=port) for _ in range(3)]
        self.assertTrue(until(lambda: all(s.status == 200 for s in streams)))
        began = time.monotonic()
        child.terminate()
        self.assertEqual(0, child.exit_status())
        self.assertLess(time.monotonic() - began, 5)
        self.assertTrue(until(lambda: all(s.ended for s in streams)))

    def test_keep_alive_clients_are_seen_off(self):
        """In the delay every client has its answer, with the word to come no more on this
        connection; after it, those that asked for nothing are closed, without a reset."""
        child = self.own("gateway", TELEVISIT_DRAIN_DELAY="700ms")
        port = child.port_of("serving http")
        self.assertTrue(until(child.ready))
        asks, is_idle = (http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                         for _ in range(2))
        is_new = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.addCleanup(is_new.close)
        for connection in (asks, is_idle):
            self.addCleanup(connection.close)
            self.assertNotEqual("close", self.me(connection).headers.get("Connection"))
        child.terminate()
        self.assertTrue(until(lambda: not child.ready()))
        late = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.addCleanup(late.close)
        for connection in (asks, late):
            answer = self.me(connection)
            self.assertEqual((200, "close"), (answer.status, answer.headers.get("Connection")))
        for idle in (is_idle.sock, is_new):
            self.assertEqual(b"", idle.recv(1), "an end, not a reset")
        self.assertEqual(0, child.exit_status())

    def me(self, connection):
        connection.request("GET", "/v1/me", headers={
            "Authorization": f"Bearer {self.patient.token}"})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def test_each_ends_well_when_idle(self):
        for name in SERVICES:
            for signo in (signal.SIGTERM, signal.SIGINT):
                child = self.own(name, TELEVISIT_DRAIN_DELAY="0s")
                self.assertTrue(until(child.ready), name)
                began = time.monotonic()
                child.process.send_signal(signo)
                self.assertEqual(0, child.exit_status(), name)
                self.assertLess(time.monotonic() - began, 5)
                log = child.log.read_text()
                self.assertIn('"stopping"', log)
                self.assertNotRegex(log, re.compile('"level":"(error|warn)"'), name)

    # -- replicas ---------------------------------------------------------------------------------

    def test_a_rolling_restart_costs_nobody_anything(self):
        """Two of each service, one after the other restarted, under a light load: no request fails.
        As a balancer does, the load leaves a gateway that is not ready, and asks another one when a
        connection is refused."""
        seconds = [f"{name}-2" for name in SERVICES]
        rig.ctl("start", *seconds)
        self.addCleanup(rig.look_again)
        self.addCleanup(rig.ctl, "stop", *seconds)
        rig.look_again()
        visit = self.staff.book(self.doctor, text_of(rig.now() + 20 * MINUTE), minutes=1,
                                patientId=self.patient.id, confirmed=True)
        self.assertEqual(201, visit.status, visit)
        self.addCleanup(self.staff.change, visit.json, "cancel")
        with Load(self, visit.json["id"]) as load:
            for name in SERVICES:
                for part in (name, f"{name}-2"):
                    done = len(load.answers)
                    rig.ctl("stop", part)
                    self.assertTrue(until(lambda d=done: len(load.answers) > d + 30))
                    rig.ctl("start", part)
                    self.assertTrue(until(lambda d=done: len(load.answers) > d + 60))
        kinds = {kind for kind, _ in load.answers}
        self.assertEqual({"list", "join", "book", "me"}, kinds)
        failed = [(kind, answer) for kind, answer in load.answers
                  if answer.status not in (200, 201)]
        print(f"\nrolling restart: {len(load.answers)} requests, {len(failed)} failed",
              file=sys.stderr)
        self.assertEqual([], failed[:3])


class Load:
    """Four people who ask for one thing after the other, while the block lasts."""

    def __init__(self, case, visit_id):
        self.case, self.visit_id = case, visit_id
        self.answers, self._over, self._faults = [], False, []
        self._gateways = [(int(p["url"].rpartition(":")[2]), int(p["adminUrl"].rpartition(":")[2]))
                          for name, p in rig.info["parts"].items() if name.startswith("gateway")]
        self._good = [port for port, _ in self._gateways]
        self._booked = itertools.count()
        self._threads = [threading.Thread(target=self._run, args=(kind,))
                         for kind in (self._me, self._list, self._join, self._book)]
        self._threads.append(threading.Thread(target=self._look))

    def _look(self):
        while not self._over:
            good = [port for port, admin in self._gateways if get(admin, "/readyz")[0] == 200]
            self._good = good or self._good

    def _me(self):
        return "me", ("GET", "/v1/me", None, self.case.patient)

    def _list(self):
        return "list", ("GET", "/v1/appointments?limit=5", None, self.case.doctor)

    def _join(self):
        return "join", ("POST", f"/v1/appointments/{self.visit_id}/join",
                        {"participantType": "PATIENT"}, self.case.patient)

    def _book(self):
        starts = rig_time + 30 * DAY + next(self._booked) * 2 * MINUTE
        return "book", ("POST", "/v1/appointments", {
            "doctorId": self.case.doctor.id, "patientId": self.case.patient.id, "minutes": 1,
            "startsAt": text_of(starts)}, self.case.staff)

    def _run(self, what):
        try:
            for nth in itertools.count():
                if self._over:
                    return
                kind, request = what()
                self.answers.append((kind, self._ask(nth, *request)))
        except Exception as fault:  # pylint: disable=broad-exception-caught
            self._faults.append(fault)

    def _ask(self, nth, method, path, body, person):
        headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json",
                   "Idempotency-Key": f"{path} {nth}".replace(" ", "-")}
        for turn in itertools.count():
            good = self._good
            connection = http.client.HTTPConnection("127.0.0.1", good[(nth + turn) % len(good)],
                                                    timeout=20)
            try:
                connection.connect()
            except ConnectionRefusedError:
                if turn > 100:
                    raise
                continue
            try:
                connection.request(method, path, json.dumps(body) if body else None, headers)
                answer = connection.getresponse()
                return Answer(answer.status, answer.headers, answer.read())
            finally:
                connection.close()

    def __enter__(self):
        global rig_time
        rig_time = rig.now()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over = True
        for thread in self._threads:
            thread.join()
        self.case.assertEqual([], self._faults)


if __name__ == "__main__":
    unittest.main()
