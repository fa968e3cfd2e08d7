#!/usr/bin/python3
"""One visit, from the outside: book, be told that the call is open, join as both, call it off.

What `helm test` runs against a release. It leaves a cancelled appointment and nothing else, so it
can be run as often as one likes, also by several at once.

    TELEVISIT_URL   where the gateway is, as this program reaches it
    ACCOUNT_FILE    who visits whom (/run/secrets/televisit/account.json):
                    {"clinic": "…", "patient": {"email": "…", "password": "…"},
                     "doctor": {…}, "staff": {…}}
    WAIT_S          how long to wait for the gateway, and for a notice (60)

With staff, they book a start that is near. Without, the patient asks for the doctor's next free
slot and the doctor confirms it: the doctor's hours must then have one that opens now.
"""

import base64
import contextlib
import datetime
import http.client
import json
import os
import ssl
import sys
import time
import urllib.parse
import uuid

ANSWER_S = 15  # for one answer
TOKEN_MAX = datetime.timedelta(minutes=10, seconds=30)  # with clocks that differ a little
MINUTE = datetime.timedelta(minutes=1)


class Fault(Exception):
    """What is wrong, in one line for the operator."""


class Refused(Fault):
    def __init__(self, what, status, problem):
        self.status = status
        self.slug = str(problem.get("type", "")).rpartition("/")[2]
        fields = "; ".join(f"{e.get('pointer')} {e.get('detail')}"
                           for e in problem.get("errors") or [])
        detail = " ".join(filter(None, (problem.get("detail") or problem.get("title"), fields)))
        super().__init__(f"{what} answered {status} {self.slug}: {detail}")


class Gateway:
    def __init__(self, url, wait_s):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise Fault(f"TELEVISIT_URL is http(s)://host[:port], not {url!r}")
        self._parts, self.wait_s = parts, wait_s

    def open(self, method, path, body=None, headers=None, timeout_s=ANSWER_S):
        """The connection and the head of the answer."""
        if self._parts.scheme == "https":
            connection = http.client.HTTPSConnection(self._parts.netloc, timeout=timeout_s,
                                                     context=ssl.create_default_context())
        else:
            connection = http.client.HTTPConnection(self._parts.netloc, timeout=timeout_s)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"} |
                               (headers or {}))
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as fault:
            connection.close()
            raise Fault(f"{method} {path}: no answer from {self._parts.netloc}: "
                        f"{fault or type(fault).__name__}") from fault

    def ask(self, method, path, body=None, headers=None):
        connection, answer = self.open(method, path, body, headers)
        with contextlib.closing(connection):
            try:
                content = answer.read()
                said = json.loads(content) if content else {}
            except (OSError, http.client.HTTPException, ValueError) as fault:
                raise Fault(f"{method} {path}: the answer {answer.status} is not televisit's: "
                            f"is TELEVISIT_URL that of the gateway? ({fault})") from fault
        if not 200 <= answer.status < 300:
            raise Refused(f"{method} {path}", answer.status, said)
        return said

    def wait(self):
        deadline = time.monotonic() + self.wait_s
        while True:
            try:
                return self.ask("GET", "/healthz")
            except Fault:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)  # between two looks


class Person:
    def __init__(self, gateway, role, clinic, account):
        self.gateway, self.role = gateway, role
        try:
            session = gateway.ask("POST", "/v1/session", {
                "clinic": clinic, "email": account["email"], "password": account["password"]})
        except Refused as refusal:
            raise Fault(f"the {role} cannot log in: {refusal}") from refusal
        self._headers = {"Authorization": f"Bearer {session['accessToken']}"}
        self.id, has = session["person"]["id"], session["person"]["role"]
        if has != role.upper():
            self.log_out()
            raise Fault(f"the account given as {role} is that of a {has}")

    def ask(self, method, path, body=None, **headers):
        return self.gateway.ask(method, path, body, self._headers | headers)

    def book(self, wish):
        return self.ask("POST", "/v1/appointments", wish, **{"Idempotency-Key": str(uuid.uuid4())})

    def change(self, appointment, what):
        now = self.ask("GET", f"/v1/appointments/{appointment['id']}")
        return self.ask("POST", f"/v1/appointments/{now['id']}/{what}", {},
                        **{"If-Match": f'"{now["version"]}"'})

    def join(self, appointment):
        return self.ask("POST", f"/v1/appointments/{appointment['id']}/join",
                        {"participantType": self.role.upper()})

    def log_out(self):
        self.ask("DELETE", "/v1/session")

    @contextlib.contextmanager
    def listening(self):
        """The stream of what this person is told from now on."""
        last = int(self.ask("GET", "/v1/inbox?latest=true&limit=1").get("lastSeq", 0))
        connection, answer = self.gateway.open("GET", f"/v1/events?after={last}", None,
                                               self._headers, self.gateway.wait_s)
        with contextlib.closing(connection), contextlib.closing(answer):
            if answer.status != 200:
                raise Fault(f"the event stream of the {self.role} answered {answer.status}")
            yield answer

    def wait_for(self, stream, kind, appointment):
        """Until this person is told `kind` of the appointment."""
        deadline = time.monotonic() + self.gateway.wait_s
        told, event = [], ""
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < deadline:
                line = stream.readline().decode()
                if not line:
                    raise Fault(f"the event stream of the {self.role} ended")
                name, _, value = line.rstrip("\r\n").partition(": ")
                if name == "event":
                    event = value
                elif name == "data" and json.loads(value).get("appointmentId") == appointment["id"]:
                    told.append(event)
                    if event == kind:
                        return
        raise Fault(f"the {self.role} was not told {kind} in {self.gateway.wait_s:g} s"
                    f" (but {', '.join(told) or 'nothing'}): is the notifier running?")


def read_account(path):
    try:
        with open(path, encoding="utf-8") as file:
            account = json.load(file)
        for role in ("patient", "doctor", *(["staff"] if "staff" in account else [])):
            for word in ("email", "password"):
                if not isinstance(account[role][word], str):
                    raise TypeError(f"{role}.{word}")
        if not isinstance(account["clinic"], str):
            raise TypeError("clinic")
    except OSError as fault:
        raise Fault(f"the accounts cannot be read: {fault}") from fault
    except ValueError as fault:
        raise Fault(f"{path} is no JSON: {type(fault).__name__}") from fault
    except (KeyError, TypeError) as fault:
        raise Fault(f"{path} needs clinic, and for patient and doctor an email and a password; "
                    f"what is wrong is {fault}") from fault
    return account


def time_of(text):
    return datetime.datetime.fromisoformat(text)


def text_of(instant):
    return instant.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def book_near(starts, book):
    """Books the first of these starts that is not taken."""
    for start in starts:
        try:
            return book(text_of(start))
        except Refused as refusal:
            if refusal.slug != "slot-taken":
                raise
    raise Fault("the patient or the doctor has other appointments at every near time")


def book_by_staff(staff, patient, doctor, now, opens_before):
    """Any minute will do from which the call is open now."""
    count = max(int((opens_before - MINUTE) / MINUTE), 1)
    starts = (now + min(MINUTE * (i + 1), opens_before / 2) for i in range(count))
    return book_near(starts, lambda start: staff.book({
        "doctorId": doctor.id, "patientId": patient.id, "startsAt": start, "minutes": 1,
        "confirmed": True}))


def book_by_patient(patient, doctor, now, opens_before):
    slots = patient.ask("GET", f"/v1/doctors/{doctor.id}/slots?days=2").get("slots", [])
    near = [start for start in (time_of(slot["startsAt"]) for slot in slots)
            if now + MINUTE / 2 < start < now + opens_before]
    if not near:
        raise Fault(f"the doctor has no free slot within {opens_before}: give the doctor of the "
                    "account file hours around the clock, or the file an account of staff")
    return book_near(near, lambda start: patient.book({"doctorId": doctor.id, "startsAt": start}))


def claims_of(token):
    try:
        payload = token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError) as fault:
        raise Fault("the token for LiveKit is no JSON Web Token") from fault


def check_tokens(answers, visit, now):
    """Each is for this room and this person, and for no longer than it must be."""
    closes_at = time_of(visit["join"]["closesAt"])
    for role, answer in answers.items():
        if not answer.get("token"):
            raise Fault(f"the {role} got no token: is the clinic's waiting room on?")
        claims = claims_of(answer["token"])
        video = claims.get("video", {})
        expires_at = datetime.datetime.fromtimestamp(claims.get("exp", 0), datetime.timezone.utc)
        for what, holds in (
                ("the room", video.get("room") == answer["room"]),
                ("the right to enter", video.get("roomJoin") is True),
                ("the right to make rooms", not video.get("roomCreate")),
                ("the right to manage rooms", not video.get("roomAdmin")),
                ("the identity", claims.get("sub") == answer["identity"]),
                ("the end", now < expires_at <= min(closes_at, now + TOKEN_MAX))):
            if not holds:
                raise Fault(f"{what} in the {role}'s token is wrong")
        if not answer.get("serverUrl", "").startswith(("ws://", "wss://")):
            raise Fault(f"the {role} got no address of LiveKit")
    patient, doctor = answers["patient"], answers["doctor"]
    for what, holds in (
            ("different rooms", patient["room"] == doctor["room"]),
            ("different encryption keys",
             patient.get("encryptionKey") == doctor.get("encryptionKey")),
            ("the same identity", patient["identity"] != doctor["identity"])):
        if not holds:
            raise Fault(f"patient and doctor have {what}")


class Steps:
    """Tells each step with its time."""

    def __init__(self):
        self._begin = time.monotonic()

    def __call__(self, text):
        print(f"  {time.monotonic() - self._begin:6.2f} s  {text}", flush=True)


def run(url, account_file, wait_s):
    step = Steps()
    account = read_account(account_file)
    gateway = Gateway(url, wait_s)
    gateway.wait()
    step(f"{url} answers")
    with contextlib.ExitStack() as stack:
        people = {}
        for role in ("patient", "doctor", "staff"):
            if role in account:
                people[role] = Person(gateway, role, account["clinic"], account[role])
                stack.callback(people[role].log_out)
        step(f"{', '.join(people)} logged in")
        visit_of(people, stack, step)
    step("cancelled, logged out")


def visit_of(people, stack, step):
    patient, doctor, staff = people["patient"], people["doctor"], people.get("staff")
    streams = {p: stack.enter_context(p.listening()) for p in (patient, doctor)}
    policy = patient.ask("GET", "/v1/clinic")["policy"]
    opens_before = datetime.timedelta(seconds=policy.get("opensBefore", 0))
    if opens_before < MINUTE * 2:
        raise Fault(f"the clinic opens calls {opens_before} before the start: too late for a test")
    now = datetime.datetime.now(datetime.timezone.utc)
    visit = (book_by_staff(staff, patient, doctor, now, opens_before) if staff else
             book_by_patient(patient, doctor, now, opens_before))
    stack.callback(lambda: call_off(staff or doctor, visit))
    if visit["status"] != "CONFIRMED":
        doctor.change(visit, "confirm")
    step(f"booked and confirmed, to start at {visit['startsAt']}")
    for person, stream in streams.items():
        person.wait_for(stream, "call.available", visit)
        step(f"the {person.role} was told call.available")
    answers = {p.role: p.join(visit) for p in (doctor, patient)}
    step("both may join")
    check_tokens(answers, visit, time_of(
        patient.ask("GET", f"/v1/appointments/{visit['id']}")["join"]["serverTime"]))
    step("their tokens are for one room, for each of them alone, and short-lived")


def call_off(person, visit):
    if person.change(visit, "cancel")["status"] != "CANCELLED":
        raise Fault("the appointment could not be cancelled")


def main():
    url = os.environ.get("TELEVISIT_URL", "")
    account_file = os.environ.get("ACCOUNT_FILE") or "/run/secrets/televisit/account.json"
    try:
        run(url, account_file, float(os.environ.get("WAIT_S") or 60))
    except Fault as fault:
        # What went wrong while it cleaned up hides what went wrong before.
        before = fault.__context__ if fault.__cause__ is None else None
        for told in (before, fault):
            if isinstance(told, Fault):
                print(f"check: {told}", file=sys.stderr)
        return 1
    except KeyError as missing:
        print(f"check: an answer of the gateway lacks {missing}", file=sys.stderr)
        return 1
    print("a visit works from booking to both tokens")
    return 0


if __name__ == "__main__":
    sys.exit(main())
