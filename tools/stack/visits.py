"""The visits of the demo clinic. They are made through the gateway, by the people whom it concerns,
so that they obey every rule that real ones obey, and leave what real ones leave.

There is always one visit that is open and one that opens in two minutes: each `make up` looks, and
books what has gone by. Once, on request, a clinic gets the days around them: a visit of last week
that took place, one later today, some in the days to come, and a request that is not answered.
"""

import contextlib
import datetime
import http.client
import json
import uuid
import zoneinfo
from collections.abc import Iterator

from . import clock, postgres
from .layout import Stack
from .tell import Fault, say

_OPENS_BEFORE = datetime.timedelta(minutes=30)  # the policy that seed.sql gives the clinic
_SOON = datetime.timedelta(minutes=2)
_HOUR = datetime.timedelta(hours=1)
_DAY = datetime.timedelta(days=1)


class _Api:
    """The gateway as one person sees it."""

    def __init__(self, port: int, clinic: str, email: str, password: str):
        self._port = port
        self._headers = {"Content-Type": "application/json"}
        session = self.ask("POST", "/v1/session", {
            "clinic": clinic, "email": email, "password": password})
        self._headers["Authorization"] = f"Bearer {session['accessToken']}"

    def ask(self, method: str, path: str, body: dict | None = None, **headers: str) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)
        try:
            connection.request(method, path, json.dumps(body) if body else None,
                               self._headers | headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as fault:
            raise Fault(f"{method} {path}: {fault}") from fault
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise Fault(f"{method} {path} answered {answer.status}: "
                        f"{content.decode(errors='replace')[:300]}")
        return json.loads(content)

    def book(self, wish: dict) -> dict:
        return self.ask("POST", "/v1/appointments", wish, **{"Idempotency-Key": str(uuid.uuid4())})


class Clinic:
    """The demo clinic, from the outside."""

    def __init__(self, stack: Stack, clinic: dict, people: list[dict], password: str):
        self._stack, self._slug, self._password = stack, clinic["slug"], password
        self._zone = zoneinfo.ZoneInfo(clinic["timeZone"])
        self._doctors = [p for p in people if p["role"] == "DOCTOR"]
        self._patients = [p for p in people if p["role"] == "PATIENT"]
        self._staff = self._as(next(p for p in people if p["role"] == "STAFF"))
        self._ids = dict(line.split("\t") for line in postgres.sql(
            stack, "SELECT p.email, p.id FROM tv.person p JOIN tv.clinic c ON c.id = p.clinic_id "
                   "WHERE c.slug = :'slug'", {"slug": self._slug}).splitlines())

    def book_now(self) -> None:
        """The visit that is open and the one that opens soon, unless they are there."""
        now = self._now()
        known = self._visits(now)
        # One doctor and patient for each of the two visits, so that they never overlap.
        for doctor, patient, starts_at in (
                (self._doctors[0], self._patients[0], now + datetime.timedelta(minutes=10)),
                (self._doctors[1], self._patients[1], now + _OPENS_BEFORE + _SOON)):
            if not any(_serves(visit, doctor["name"], now, starts_at) for visit in known):
                self._book(doctor, patient, starts_at, minutes=5)

    def book_days(self) -> None:
        """What makes the clinic look lived in. Which weekday or hour it is now does not matter:
        staff book at any time."""
        ada, ben, clara = self._doctors[:3]
        pia, quentin, rosa, layla, grace, theo = self._patients[:6]
        self._book_past(ada, theo, 7, "The rash is back")
        now = self._now()
        today = now.astimezone(self._zone).replace(minute=0, second=0, microsecond=0)
        self._book(clara, layla, _later_today(today), reason="Results of the blood test")
        for doctor, patient, days, hour, reason in (
                (ada, grace, 1, 15, "A second opinion"), (clara, pia, 2, 9, ""),
                (ada, quentin, 2, 11, "Blood pressure"), (ben, theo, 3, 10, "Shortness of breath")):
            self._book(doctor, patient, (today + days * _DAY).replace(hour=hour), reason=reason)
        self._request(ada, rosa, now + _DAY, "Tired all day since the summer")

    def _book_past(self, doctor: dict, patient: dict, days: int, reason: str) -> None:
        """A visit that took place: booked, waited for and completed while the clinic's clock said
        so."""
        starts_at = (self._now() - days * _DAY).replace(minute=0, second=0, microsecond=0)
        with self._clock_moved():
            clock.command(self._stack, _text(starts_at - _DAY - _HOUR))
            visit = self._book(doctor, patient, starts_at, reason=reason)
            clock.command(self._stack, _text(starts_at + datetime.timedelta(minutes=25)))
            if visit:
                self._as(doctor).ask("POST", f"/v1/appointments/{visit['id']}/complete", {},
                                     **{"If-Match": f'"{visit["version"]}"'})

    @contextlib.contextmanager
    def _clock_moved(self) -> Iterator[None]:
        """The clock may be moved inside, and runs on as before after that."""
        offset_ms = clock.command(self._stack, None)["offsetMs"]
        try:
            yield
        finally:
            clock.command(self._stack, "reset")
            if offset_ms:
                sign = "-" if offset_ms < 0 else "+"
                clock.command(self._stack, f"{sign}PT{abs(offset_ms) / 1000:.3f}S")

    def _book(self, doctor: dict, patient: dict, starts_at: datetime.datetime, minutes: int = 30,
              reason: str = "") -> dict | None:
        try:
            visit = self._staff.book({
                "doctorId": self._ids[doctor["email"]], "patientId": self._ids[patient["email"]],
                "startsAt": _text(starts_at), "minutes": minutes, "reason": reason,
                "confirmed": True})
        except Fault as refusal:
            # Visits of the run before may still lie there; the demo clinic is of use all the same.
            say(f"  no visit of {patient['name']} with {doctor['name']} was booked: {refusal}")
            return None
        say(f"  {patient['name']} visits {doctor['name']}, starts at {_text(starts_at)}")
        return visit

    def _request(self, doctor: dict, patient: dict, since: datetime.datetime, reason: str) -> None:
        """The patient asks for the first free slot."""
        api, doctor_id = self._as(patient), self._ids[doctor["email"]]
        slots = api.ask("GET", f"/v1/doctors/{doctor_id}/slots?days=14")["slots"]
        starts_at = next((s["startsAt"] for s in slots if _time(s["startsAt"]) >= since), None)
        if starts_at is None:
            say(f"  {doctor['name']} has no free slot for {patient['name']}")
            return
        api.book({"doctorId": doctor_id, "startsAt": starts_at, "reason": reason})
        say(f"  {patient['name']} asks for {doctor['name']}, to start at {starts_at}")

    def _visits(self, now: datetime.datetime) -> list[dict]:
        since = now - 3 * _HOUR
        listed = self._staff.ask("GET", f"/v1/appointments?limit=100&from={_text(since)}")
        return [visit for visit in listed["appointments"] if visit["status"] == "CONFIRMED"]

    def _as(self, person: dict) -> _Api:
        return _Api(self._stack.ports["gateway"], self._slug, person["email"], self._password)

    def _now(self) -> datetime.datetime:
        return _time(postgres.sql(self._stack, "SELECT to_json(tv.tv_now()) #>> '{}'"))


def _serves(visit: dict, doctor: str, now: datetime.datetime, wanted: datetime.datetime) -> bool:
    """Whether a visit that is there does for the one wanted: open now, or yet to open."""
    if not any(p["displayName"] == doctor for p in visit["participants"]):
        return False
    opens_at, closes_at = _time(visit["join"]["opensAt"]), _time(visit["join"]["closesAt"])
    if wanted - _OPENS_BEFORE <= now:
        return opens_at <= now < closes_at - datetime.timedelta(minutes=15)
    return now < opens_at <= now + 2 * _SOON


def _later_today(hour: datetime.datetime) -> datetime.datetime:
    """Some hours after this hour, though not after the last half hour of its day; late at night
    that has passed, and then it is early tomorrow."""
    last = hour.replace(hour=23, minute=30)
    wanted = min(hour + 3 * _HOUR, last)
    return wanted if wanted > hour + _HOUR else hour + 3 * _HOUR


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _text(time: datetime.datetime) -> str:
    return time.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
