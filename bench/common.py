"""What the measurements share: a stack of their own, appointments whose window is open, requests
for bench/load, and CPU time and memory of processes."""

import base64
import json
import os
import platform
import subprocess
import sys
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "harness"))
from livekit import sign  # pylint: disable=wrong-import-position

BIN = ROOT / "build" / "bench" / "bin"
STACK_DIR = ROOT / "build" / "bench" / "stack"
SERVICES = ("gateway", "appointments", "tokens", "notifier")
MEASURED = ("gateway", "appointments", "tokens", "nats", "postgres")  # what works for a request

SEED = """
WITH clinic AS (
    INSERT INTO tv.clinic (slug, name, time_zone) VALUES (:'slug', 'Bench', 'UTC') RETURNING id),
people AS (
    INSERT INTO tv.person (clinic_id, role, display_name)
    SELECT id, role, role || n FROM clinic, generate_series(1, :pairs) n,
           unnest(ARRAY['DOCTOR', 'PATIENT']) role
    RETURNING clinic_id, id, role, display_name),
pairs AS (
    SELECT d.clinic_id, d.id AS doctor_id, p.id AS patient_id, gen_random_uuid() AS id
    FROM people d JOIN people p
      ON d.role = 'DOCTOR' AND p.display_name = replace(d.display_name, 'DOCTOR', 'PATIENT')),
appointments AS (
    INSERT INTO tv.appointment (clinic_id, id, status, doctor_id, patient_id, starts_at, ends_at,
        opens_at, closes_at, time_zone, created_at, created_by, updated_at, updated_by)
    SELECT clinic_id, id, 'CONFIRMED', doctor_id, patient_id, t.now, t.now + interval '30 minutes',
        t.now - interval '30 minutes', t.now + interval '2 hours', 'UTC',
        t.now, doctor_id, t.now, doctor_id
    FROM pairs, (SELECT tv.tv_now() AS now) t RETURNING 1)
INSERT INTO tv.participant (clinic_id, appointment_id, person_id, type, added_at)
SELECT clinic_id, id, doctor_id, 'DOCTOR', tv.tv_now() FROM pairs
UNION ALL
SELECT clinic_id, id, patient_id, 'PATIENT', tv.tv_now() FROM pairs
RETURNING clinic_id, appointment_id, person_id, type, id
"""


def stack(*arguments):
    done = subprocess.run([ROOT / "tools" / "stackctl", "--dir", STACK_DIR, *arguments], text=True,
                          stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: stackctl {' '.join(map(str, arguments))} failed:\n{done.stdout}")
    return done.stdout


def stack_up():
    """A fresh stack without people; returns what `stackctl info` says."""
    stack("up", "--detach", "--ports", "free", "--no-seed", "--variant", "release",
          "--set", "gateway:TELEVISIT_RATE_PERCENT=0")
    return json.loads(stack("info"))


def gateway_port(info):
    return int(info["parts"]["gateway"]["url"].rsplit(":", 1)[1])


def psql(info, text, **variables):
    """Rows of tab-separated text."""
    url = Path(info["databaseUrlFile"]).read_text().strip()
    words = [word for name, value in variables.items() for word in ("-v", f"{name}={value}")]
    return subprocess.run(["psql", url, "-v", "ON_ERROR_STOP=1", "-qAtF", "\t", *words], input=text,
                          text=True, check=True, stdout=subprocess.PIPE).stdout.splitlines()


# -- CPU time and memory of processes ------------------------------------------------------------

def children(pid):
    try:
        tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(task) for task in tasks]


def cpu_us(pid):
    """CPU time of a process and its children, from the scheduler's own count (nanoseconds)."""
    total = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0]) / 1000
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total + sum(cpu_us(child) for child in children(pid) if Path(f"/proc/{child}").exists())


def rss_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return None


class Meter:
    """CPU time of several processes between two looks."""

    def __init__(self, pids):
        self._pids = pids
        self._before = {name: cpu_us(pid) for name, pid in pids.items()}

    def per(self, count):
        return {name: round((cpu_us(pid) - self._before[name]) / count, 2)
                for name, pid in self._pids.items()}


# -- requests --------------------------------------------------------------------------------------

def access_token(key_line, clinic, person, role):
    kid, _, key = key_line.partition(":")
    now = int(time.time())
    claims = {"iss": "televisit", "aud": "televisit", "sub": person, "cid": clinic,
              "sid": str(uuid.uuid4()), "role": role, "iat": now, "exp": now + 3600}
    return sign(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)), claims,
                {"alg": "HS256", "typ": "at+jwt", "kid": kid})


def seed(info, pairs):
    """Appointments whose window is open, each with a doctor and a patient of its own; returns the
    slug of their clinic and rows of clinic, appointment, person, type, participant."""
    slug = f"bench-{uuid.uuid4().hex[:8]}"
    return slug, [row.split("\t") for row in psql(info, SEED, slug=slug, pairs=pairs)]


def join_lines(info, rows):
    """One join for each row of seed(), as bench/load reads them."""
    key = (Path(info["dir"]) / "secrets" / "session-key").read_text().splitlines()[0].strip()
    for clinic, appointment, person, kind, _ in rows:
        token = access_token(key, clinic, person, kind)
        body = json.dumps({"participantType": kind})
        yield f"POST\t/v1/appointments/{appointment}/join\t{token}\t{body}\n"


def write_lines(path, lines):
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(lines)


def load(port, connections, requests, *options):
    done = subprocess.run(
        [BIN / "load", "--port", str(port), "--connections", str(connections), *options, requests],
        text=True, stdout=subprocess.PIPE, check=True)
    result = json.loads(done.stdout)
    if set(result["status"]) - {"200"}:
        sys.exit(f"bench: requests failed: {result['status']}")
    return result


# -- results ---------------------------------------------------------------------------------------

def machine():
    return {"load_average": os.getloadavg(),
            "machine": {"cores": os.cpu_count(), "kernel": platform.release(),
                        "system": platform.freedesktop_os_release()["PRETTY_NAME"]}}


def show(value, indent=0):
    for name, entry in value.items():
        if isinstance(entry, dict):
            print(f"{' ' * indent}{name}")
            show(entry, indent + 2)
        else:
            print(f"{' ' * indent}{name:<{30 - indent}} {entry}")


def write(result, name):
    """Writes build/bench/NAME.json and shows it as a table."""
    path = ROOT / "build" / "bench" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    show(result)
    print(f"\nwritten to {path.relative_to(ROOT)}")
