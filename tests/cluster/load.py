"""People at work through the gateway's Service, and what they saw.

Every request is a connection of its own to the Service's address, as of a client that knows nothing
of pods, and none is tried again: a refused connection is a failure like any other.
"""

import collections
import datetime
import http.client
import itertools
import json
import threading
import uuid

from kube import until

PAUSE_S = 0.02
EVENT_S = 20  # at the end, for what is under way still
MINUTE, DAY = datetime.timedelta(minutes=1), datetime.timedelta(days=1)
BOOKED = itertools.count()  # no two bookings of this run are at the same time


def text_of(instant):
    return instant.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


class Person:
    def __init__(self, address, clinic, email, password):
        self.address, self.email = address, email
        self._login = {"clinic": clinic, "email": email, "password": password}
        self.log_in()

    def log_in(self):
        status, body = ask(self.address, "POST", "/v1/session", self._login)
        assert status == 201, (status, body)
        session = json.loads(body)
        self.token, self.id = session["accessToken"], session["person"]["id"]

    def ask(self, method, path, body=None, **headers):
        return ask(self.address, method, path, body, Authorization=f"Bearer {self.token}",
                   **headers)

    def last_seq(self):
        status, body = self.ask("GET", "/v1/inbox?latest=true&limit=1")
        assert status == 200, (status, body)
        return int(json.loads(body).get("lastSeq", 0))


def ask(address, method, path, body=None, **headers):
    connection = http.client.HTTPConnection(*address, timeout=20)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/json"} | headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def book(staff, doctor, patient, starts, **more):
    return staff.ask("POST", "/v1/appointments", {
        "doctorId": doctor.id, "patientId": patient.id, "minutes": 1,
        "startsAt": text_of(starts)} | more, **{"Idempotency-Key": str(uuid.uuid4())})


class Stream(threading.Thread):
    """One person's events, resumed where they broke off for as long as the block lasts."""

    def __init__(self, person):
        super().__init__()
        self.person, self.after = person, person.last_seq()
        self.seqs, self.kinds, self.appointments = [], [], set()
        self.resumed, self.failed, self.over = 0, [], threading.Event()
        self._socket = None

    def run(self):
        while not self.over.is_set():
            try:
                self._read()
                self.resumed += not self.over.is_set()
            except (OSError, http.client.HTTPException, AssertionError) as fault:
                if not self.over.is_set():
                    self.failed.append(repr(fault))
            self.over.wait(0.1)

    def _read(self):
        connection = http.client.HTTPConnection(*self.person.address, timeout=30)
        try:
            connection.connect()
            self._socket = connection.sock
            last = self.seqs[-1] if self.seqs else self.after
            connection.request("GET", "/v1/events", headers={
                "Authorization": f"Bearer {self.person.token}", "Last-Event-ID": str(last)})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            fields = {}
            for line in answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif fields:
                    self._take(fields)
                    fields = {}
        finally:
            connection.close()

    def _take(self, fields):
        kind = fields.get("event")
        if kind and kind != "appointment.changed":  # a hint, which has no number
            self.kinds.append(kind)
            self.seqs.append(int(fields.get("id", -1)))
            self.appointments.add(json.loads(fields["data"]).get("appointmentId"))

    def has(self, seq):
        return seq == self.after or bool(self.seqs) and self.seqs[-1] >= seq

    def close(self):
        self.over.set()
        if self._socket:
            try:
                self._socket.shutdown(2)
            except OSError:  # closed already
                pass
        self.join()


class Load:
    """As long as the block lasts: a patient looks who they are and joins, a doctor lists, the front
    desk books for the two, and they follow their events."""

    def __init__(self, people, visit_id):
        self.patient, self.doctor, self.staff = people
        self.visit_id = visit_id
        self.answers, self.failed, self.booked = collections.Counter(), [], []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(kind, action))
                         for kind, action in (("me", self._me), ("list", self._list),
                                              ("join", self._join), ("book", self._book))]

    @property
    def done(self):
        return sum(self.answers.values())

    def _me(self):
        return self.patient.ask("GET", "/v1/me")

    def _list(self):
        return self.doctor.ask("GET", "/v1/appointments?limit=5")

    def _join(self):
        return self.patient.ask("POST", f"/v1/appointments/{self.visit_id}/join",
                                {"participantType": "PATIENT"})

    def _book(self):
        starts = now() + 30 * DAY + next(BOOKED) * 2 * MINUTE
        status, body = book(self.staff, self.doctor, self.patient, starts, confirmed=True)
        if status == 201:
            self.booked.append(json.loads(body)["id"])
        return status, body

    def _work(self, kind, action):
        while not self._over.wait(PAUSE_S):
            try:
                status, body = action()
                fault = None if status in (200, 201) else f"{status} {body[:200]}"
            except (OSError, http.client.HTTPException) as broken:
                fault = repr(broken)
            self.answers[kind] += 1
            if fault:
                self.failed.append((now().isoformat(timespec="milliseconds"), kind, fault))

    def __enter__(self):
        for person in (self.patient, self.doctor, self.staff):
            person.log_in()  # a session is short
        self.streams = [Stream(person) for person in (self.patient, self.doctor)]
        for thread in (*self.streams, *self._threads):
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()
        try:
            self.heads = [stream.person.last_seq() for stream in self.streams]
            for stream, head in zip(self.streams, self.heads):
                until(lambda s=stream, h=head: s.has(h), EVENT_S)
        finally:
            for stream in self.streams:
                stream.close()

    def check_events(self, case):
        """No notice is missing, doubled or out of order, and both were told of every booking."""
        for stream, head in zip(self.streams, self.heads):
            case.assertEqual(list(range(stream.after + 1, head + 1)), stream.seqs)
            case.assertNotIn("resync", stream.kinds)
            case.assertEqual(set(), set(self.booked) - stream.appointments)

    def __str__(self):
        events = sum(len(stream.seqs) for stream in self.streams)
        return (f"{self.done} requests, {len(self.failed)} failed, {len(self.booked)} booked; "
                f"{events} events, streams resumed {sum(s.resumed for s in self.streams)} times")
