"""A demo clinic: people by SQL, for nobody may create them from outside yet; appointments through
the gateway, so that they obey every rule that real ones obey.

There is always one visit that is open and one that opens in two minutes: each `make up` looks, and
books what has gone by.
"""

import datetime
import http.client
import json
import subprocess
import uuid

from . import postgres, services
from .layout import TEMPLATES, Stack
from .tell import Fault, say
from .vault import demo_password

_DEMO = json.loads((TEMPLATES / "demo.json").read_text())
CLINIC = _DEMO["clinic"]
PEOPLE = _DEMO["people"]
_OPENS_BEFORE = datetime.timedelta(minutes=30)  # the policy that seed.sql gives the clinic
_SOON = datetime.timedelta(minutes=2)
_SOWN = "demo-is-sown"


def password(stack: Stack) -> str:
    return stack.vault.text("demo-password", demo_password)


def is_sown(stack: Stack) -> bool:
    return (stack.dir / _SOWN).exists()


def sow(stack: Stack) -> None:
    """Makes the clinic when there is none, and its visits when they have gone by."""
    if not is_sown(stack):
        postgres.sql(stack, (TEMPLATES / "seed.sql").read_text(),
                     {"demo": json.dumps(_DEMO), "password_hash": _hash(stack)})
        (stack.dir / _SOWN).touch()
        say(f"  the clinic {CLINIC['slug']} has {len(PEOPLE)} people")
    _book_visits(stack)


def _hash(stack: Stack) -> str:
    """The service itself makes the hash, so that its cost is the service's."""
    done = subprocess.run([str(stack.binary("appointments")), "hash-password"],
                          input=password(stack), text=True, capture_output=True, check=False,
                          cwd="/", env=services.environment(stack, "appointments"))
    if done.returncode != 0 or not done.stdout.startswith("$argon2id$"):
        raise Fault(f"appointments hash-password failed: {done.stderr.strip()}")
    return done.stdout.strip()


class _Api:
    """The gateway as one person sees it."""

    def __init__(self, stack: Stack, email: str):
        self._port = stack.ports["gateway"]
        self._headers = {"Content-Type": "application/json"}
        session = self.ask("POST", "/v1/session", {
            "clinic": CLINIC["slug"], "email": email, "password": password(stack)})
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


def _book_visits(stack: Stack) -> None:
    staff = next(p for p in PEOPLE if p["role"] == "STAFF")
    doctors = [p for p in PEOPLE if p["role"] == "DOCTOR"]
    patients = [p for p in PEOPLE if p["role"] == "PATIENT"]
    api = _Api(stack, staff["email"])
    now = _time(postgres.sql(stack, "SELECT to_json(tv.tv_now()) #>> '{}'"))
    known = _visits(api, now)
    # One doctor and patient for each of the two visits, so that they never overlap.
    for doctor, patient, starts_at in (
            (doctors[0], patients[0], now + datetime.timedelta(minutes=10)),
            (doctors[1], patients[1], now + _OPENS_BEFORE + _SOON)):
        if not any(_serves(visit, doctor["name"], now, starts_at) for visit in known):
            _book(stack, api, doctor, patient, starts_at)


def _visits(api: _Api, now: datetime.datetime) -> list[dict]:
    since = now - datetime.timedelta(hours=3)
    listed = api.ask("GET", f"/v1/appointments?limit=100&from={_text(since)}")["appointments"]
    return [visit for visit in listed if visit["status"] == "CONFIRMED"]


def _serves(visit: dict, doctor: str, now: datetime.datetime, wanted: datetime.datetime) -> bool:
    """Whether a visit that is there does for the one wanted: open now, or yet to open."""
    if not any(p["displayName"] == doctor for p in visit["participants"]):
        return False
    opens_at, closes_at = _time(visit["join"]["opensAt"]), _time(visit["join"]["closesAt"])
    if wanted - _OPENS_BEFORE <= now:
        return opens_at <= now < closes_at - datetime.timedelta(minutes=15)
    return now < opens_at <= now + 2 * _SOON


def _book(stack: Stack, api: _Api, doctor: dict, patient: dict,
          starts_at: datetime.datetime) -> None:
    ids = dict(line.split("\t") for line in postgres.sql(
        stack, "SELECT p.email, p.id FROM tv.person p JOIN tv.clinic c ON c.id = p.clinic_id "
               "WHERE c.slug = :'slug'", {"slug": CLINIC["slug"]}).splitlines())
    try:
        api.ask("POST", "/v1/appointments",
                {"doctorId": ids[doctor["email"]], "patientId": ids[patient["email"]],
                 "startsAt": _text(starts_at), "minutes": 5, "confirmed": True},
                **{"Idempotency-Key": str(uuid.uuid4())})
    except Fault as refusal:
        # Visits of the run before may still lie there; the demo clinic is of use all the same.
        say(f"  no visit of {patient['name']} with {doctor['name']} was booked: {refusal}")
        return
    say(f"  {patient['name']} visits {doctor['name']}, starts at {_text(starts_at)}")


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _text(time: datetime.datetime) -> str:
    return time.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
