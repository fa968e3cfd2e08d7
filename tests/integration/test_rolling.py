"""Every service replaced, one replica after the other, while people hold their event streams: each
stream goes on at another gateway by Last-Event-ID, with no notice missing, doubled or untrue."""

import datetime
import itertools
import random
import sys
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from children import get  # pylint: disable=wrong-import-position
from rig import SERVICES, Rig, text_of, until  # pylint: disable=wrong-import-position
from sse import Reader  # pylint: disable=wrong-import-position

PAIRS = 20
DAY, MINUTE = datetime.timedelta(days=1), datetime.timedelta(minutes=1)
NOTICES = {"appointment.requested", "appointment.confirmed", "appointment.cancelled",
           "call.available"}


def setUpModule():
    global rig
    rig = Rig("gateway:TELEVISIT_DRAIN_DELAY=500ms", "gateway:TELEVISIT_STREAM_CHECK=1s",
              "appointments:TELEVISIT_PASSWORD_MEMORY=8",
              "appointments:TELEVISIT_PASSWORD_PASSES=1")
    unittest.addModuleCleanup(rig.close)
    unittest.addModuleCleanup(rig.ctl, "faults")


class Gateways:
    """Those that are ready, as a balancer knows them."""

    def __init__(self):
        self._all = [(int(p["url"].rpartition(":")[2]), int(p["adminUrl"].rpartition(":")[2]))
                     for name, p in rig.info["parts"].items() if name.startswith("gateway")]
        self._good = [port for port, _ in self._all]

    def look(self):
        good = [port for port, admin in self._all if get(admin, "/readyz")[0] == 200]
        self._good = good or self._good

    def choose(self):
        return random.choice(self._good)


class Follower:
    """A person's stream, opened again wherever it ends."""

    def __init__(self, reader, person, gateways):
        self.person, self.past, self.resumed, self.refused = person, [], 0, 0
        self._reader, self._gateways = reader, gateways
        self._stream = reader.open(person, after=0, port=gateways.choose())

    @property
    def events(self):
        return self.past + self._stream.events

    def open(self):
        return self._stream.status == 200 and not self._stream.ended

    def tend(self):
        if not self._stream.ended:
            return
        try:
            following = self._reader.open(self.person, port=self._gateways.choose(),
                                          last_event_id=self.events[-1][0] if self.events else 0)
        except ConnectionRefusedError:
            self.refused += 1
            return
        self.past = self.events
        self._stream = following
        self.resumed += 1


class Background:
    """Does something again and again while the block lasts; its end raises what went wrong."""

    def __init__(self, *works):
        self._over, self._faults = threading.Event(), []
        self._threads = [threading.Thread(target=self._run, args=work) for work in works]

    def _run(self, work, pause_s):
        while not self._over.wait(pause_s):
            try:
                work()
            except Exception as fault:  # pylint: disable=broad-exception-caught
                self._faults.append(fault)
                return

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()
        assert not self._faults, self._faults


class Rolling(unittest.TestCase):
    def setUp(self):
        seconds = [f"{name}-2" for name in SERVICES]
        rig.ctl("start", *seconds)
        self.addCleanup(rig.look_again)
        self.addCleanup(rig.ctl, "stop", *seconds)
        rig.look_again()
        self.staff = rig.of_role("STAFF")
        self.pairs = list(zip(rig.add_people("DOCTOR", PAIRS), rig.add_people("PATIENT", PAIRS)))
        self.gateways, self.now = Gateways(), rig.now()
        self.asked, self.failed, self.nth = 0, [], itertools.count()
        self.reader = Reader()
        self.addCleanup(self.reader.close)

    def make_notices(self):
        """A visit that is confirmed: both are told, and of the calls that are open already too,
        which is the notifier's to do. Some are cancelled again."""
        nth = next(self.nth)
        doctor, patient = self.pairs[nth % PAIRS]
        turn = nth // PAIRS
        starts = self.now + (turn * MINUTE + 5 * MINUTE if turn < 15 else DAY + turn * MINUTE)
        visit = self.ask("POST", "/v1/appointments", {
            "doctorId": doctor.id, "patientId": patient.id, "startsAt": text_of(starts),
            "minutes": 1, "confirmed": True}, {"Idempotency-Key": f"visit-{nth}"})
        if nth % 7 == 0 and visit.status == 201:
            self.ask("POST", f"/v1/appointments/{visit.json['id']}/cancel", None,
                     {"If-Match": f'"{visit.json["version"]}"'})

    def ask(self, method, path, body, headers):
        for _ in range(100):
            try:
                answer = rig.ask(method, path, body, port=self.gateways.choose(),
                                 Authorization=f"Bearer {self.staff.token}", **headers)
            except ConnectionRefusedError:
                continue  # another one, as a balancer does
            self.asked += 1
            if answer.status not in (200, 201):
                self.failed.append(answer)
            return answer
        raise AssertionError("no gateway takes connections")

    def restart_all(self):
        for part in (f"{name}{nth}" for name in SERVICES for nth in ("", "-2")):
            done = self.asked
            rig.ctl("stop", part)
            self.assertTrue(until(lambda d=done: self.asked > d + 5), part)
            rig.ctl("start", part)
            self.assertTrue(until(lambda d=done: self.asked > d + 10), part)
            self.assertTrue(until(lambda: all(f.open() for f in self.followers)), part)

    def test_streams_of_many_people(self):
        people = [person for pair in self.pairs for person in pair]
        self.followers = [Follower(self.reader, person, self.gateways) for person in people]
        self.assertTrue(until(lambda: all(f.open() for f in self.followers)))

        def tend():
            for follower in self.followers:
                follower.tend()

        with Background((self.gateways.look, 0.02), (tend, 0.02), (self.make_notices, 0.005)):
            self.restart_all()
        with Background((tend, 0.02)):
            last = dict(line.split("|") for line in rig.sql(
                "SELECT person_id, last_seq FROM tv.inbox_head").splitlines())
            for follower in self.followers:
                self.assertTrue(until(lambda f=follower: len(f.events) >= int(
                    last[f.person.id])), follower.person.id)
        self.assertEqual([], self.failed[:3])
        for follower in self.followers:
            self.assertEqual(list(range(1, int(last[follower.person.id]) + 1)),
                             [number for number, _, _ in follower.events])
            self.assertLessEqual({kind for _, kind, _ in follower.events}, NOTICES)
        kinds = {kind for follower in self.followers for _, kind, _ in follower.events}
        self.assertIn("call.available", kinds)
        resumed = sum(follower.resumed for follower in self.followers)
        self.assertGreaterEqual(resumed, len(people), "each gateway had some, and they moved")
        print(f"\nrolling restart: {len(people)} streams, resumed {resumed} times, "
              f"{sum(map(int, last.values()))} notices, 0 missing, 0 doubled; "
              f"{self.asked} requests, {len(self.failed)} failed", file=sys.stderr)


if __name__ == "__main__":
    unittest.main()
