#!/usr/bin/python3
"""bench/join: what a join costs, beside the floors of its parts, measured in one run.

Starts a stack of its own (free ports, own data), fills it with appointments whose window is open,
and sends joins with bench/load. Each join is complete: session verified, gate, audit row committed,
grant sealed and opened, LiveKit token signed; rooms are made before the measurement. Writes
build/bench/join.json and a table. docs/BENCH.md says how to read it.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import platform
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / "build" / "bench" / "bin"
STACK_DIR = ROOT / "build" / "bench" / "stack"
SERVICES = ("gateway", "appointments", "tokens", "notifier")
PAIRS = 64  # appointments; both sides of each join
PAST = 20000  # further appointments, over long ago: a clinic has some, and plans depend on it

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
RETURNING clinic_id, appointment_id, person_id, type
"""

SEED_PAST = """
WITH pair AS (
    SELECT a.clinic_id, a.doctor_id, a.patient_id FROM tv.appointment a
    JOIN tv.clinic c ON c.id = a.clinic_id WHERE c.slug = :'slug' LIMIT 1),
past AS (
    INSERT INTO tv.appointment (clinic_id, status, doctor_id, patient_id, starts_at, ends_at,
        opens_at, closes_at, time_zone, created_at, created_by, updated_at, updated_by)
    SELECT clinic_id, 'COMPLETED', doctor_id, patient_id, at, at + interval '30 minutes',
        at - interval '30 minutes', at + interval '2 hours', 'UTC', at, doctor_id, at, doctor_id
    FROM pair, generate_series(1, :past) n,
        LATERAL (SELECT tv.tv_now() - n * interval '1 hour' - interval '1 day' AS at) t
    RETURNING clinic_id, id, doctor_id, patient_id, created_at)
INSERT INTO tv.participant (clinic_id, appointment_id, person_id, type, added_at)
SELECT clinic_id, id, doctor_id, 'DOCTOR', created_at FROM past
UNION ALL SELECT clinic_id, id, patient_id, 'PATIENT', created_at FROM past;
ANALYZE tv.appointment, tv.participant, tv.clinic, tv.person;
"""


def stack(*arguments):
    done = subprocess.run([ROOT / "tools" / "stackctl", "--dir", STACK_DIR, *arguments], text=True,
                          stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: stackctl {' '.join(map(str, arguments))} failed:\n{done.stdout}")
    return done.stdout


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

def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def access_token(key_line, clinic, person, role):
    kid, _, key = key_line.partition(":")
    now = int(time.time())
    head = {"alg": "HS256", "typ": "at+jwt", "kid": kid}
    claims = {"iss": "televisit", "aud": "televisit", "sub": person, "cid": clinic,
              "sid": str(uuid.uuid4()), "role": role, "iat": now, "exp": now + 3600}
    text = ".".join(b64(json.dumps(part).encode()) for part in (head, claims))
    secret = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
    return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def write_requests(path, info):
    """One join for each participant, as bench/load reads them."""
    url = Path(info["databaseUrlFile"]).read_text().strip()
    slug = f"bench-{uuid.uuid4().hex[:8]}"
    rows = subprocess.run(
        ["psql", url, "-v", "ON_ERROR_STOP=1", "-qAtF", "\t", "-v", f"slug={slug}",
         "-v", f"pairs={PAIRS}"], input=SEED, text=True, check=True,
        stdout=subprocess.PIPE).stdout.splitlines()
    subprocess.run(["psql", url, "-v", "ON_ERROR_STOP=1", "-q", "-v", f"slug={slug}",
                    "-v", f"past={PAST}"], input=SEED_PAST, text=True, check=True)
    key = (Path(info["dir"]) / "secrets" / "session-key").read_text().splitlines()[0].strip()
    with open(path, "w", encoding="utf-8") as out:
        for row in rows:
            clinic, appointment, person, kind = row.split("\t")
            token = access_token(key, clinic, person, kind)
            body = json.dumps({"participantType": kind})
            out.write(f"POST\t/v1/appointments/{appointment}/join\t{token}\t{body}\n")


def load(port, connections, seconds, requests, rate=0.0):
    done = subprocess.run(
        [BIN / "load", "--port", str(port), "--connections", str(connections), "--seconds",
         str(seconds), "--rate", str(rate), requests], text=True, stdout=subprocess.PIPE,
        check=True)
    result = json.loads(done.stdout)
    if set(result["status"]) - {"200"}:
        sys.exit(f"bench: joins failed: {result['status']}")
    return result


# -- floors ----------------------------------------------------------------------------------------

def floor_http(connections, seconds, requests, port):
    server = subprocess.Popen([BIN / "floor_http", str(port)])
    try:
        deadline = time.monotonic() + 5
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).read()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        meter = Meter({"http": server.pid})
        return meter.per(load(port, connections, seconds, requests)["requests"])["http"]
    finally:
        server.terminate()
        server.wait()


def floor_bus(url, nats_pid, in_flight, seconds):
    meter = Meter({"nats": nats_pid})
    done = subprocess.run([BIN / "floor_bus", url, str(in_flight), str(seconds)], text=True,
                          stdout=subprocess.PIPE, check=True)
    result = json.loads(done.stdout)
    return round(result["cpu_us"] / result["trips"] + meter.per(result["trips"])["nats"], 2)


def floor_pg(url, postgres_pid, what, count, seconds):
    with subprocess.Popen([BIN / "floor_pg", url, what, str(count), str(seconds)], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout.readline() == "ready\n"
        meter = Meter({"postgres": postgres_pid})
        program.stdin.write("g")
        program.stdin.flush()
        result = json.loads(program.stdout.readline())
        server = meter.per(result["rows"])["postgres"]
        program.stdin.close()
    return round(result["cpu_us"] / result["rows"] + server, 2)


def floor_jwt(seconds):
    done = subprocess.run([BIN / "floor_jwt", str(seconds)], text=True, stdout=subprocess.PIPE,
                          check=True)
    result = json.loads(done.stdout)
    return round(result["cpu_us"] / result["tokens"], 2)


def plain_nats():
    """A nats-server without users, for the floor; returns (process, url)."""
    port = free_port()
    server = subprocess.Popen(["nats-server", "-a", "127.0.0.1", "-p", str(port)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_port(port)
    return server, f"nats://127.0.0.1:{port}"


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port):
    import socket
    deadline = time.monotonic() + 5
    while True:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > deadline:
            sys.exit(f"bench: nothing listens on port {port}")
        time.sleep(0.005)


# -- start to ready --------------------------------------------------------------------------------

def ready_ms(info):
    """Each service stopped and started again, its dependencies up: exec to /readyz."""
    result = {}
    for name in SERVICES:
        pid = info["parts"][name]["pid"]
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
        environment = dict(line.split("=", 1) for line in
                           Path(f"/proc/{pid}/environ").read_text().split("\0") if line)
        stack("stop", name)
        url = info["parts"][name]["adminUrl"] + "/readyz"
        started = time.monotonic()
        with open(STACK_DIR / "log" / "ready.log", "wb") as log:
            process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
        while True:
            try:
                urllib.request.urlopen(url, timeout=1).read()
                break
            except OSError:
                if time.monotonic() - started > 10:
                    process.kill()
                    sys.exit(f"bench: {name} is not ready after 10 s")
                time.sleep(0.001)
        result[name] = round((time.monotonic() - started) * 1000, 1)
        process.terminate()
        process.wait()
        stack("start", name)
    return result


# -- the run ---------------------------------------------------------------------------------------

def measure(seconds):
    stack("up", "--detach", "--ports", "free", "--no-seed", "--variant", "release",
          "--set", "gateway:TELEVISIT_RATE_PERCENT=0")
    info = json.loads(stack("info"))
    pids = {name: part["pid"] for name, part in info["parts"].items()}
    port = int(info["parts"]["gateway"]["url"].rsplit(":", 1)[1])
    requests = STACK_DIR / "joins.txt"
    write_requests(requests, info)

    rss_idle = {name: rss_mb(pids[name]) for name in SERVICES}
    load(port, 32, 2, requests)  # rooms made, caches and plans warm
    one = load(port, 1, seconds, requests)
    measured = {name: pids[name] for name in ("gateway", "appointments", "tokens", "nats",
                                              "postgres")}
    meter = Meter(measured)
    full = load(port, 32, seconds, requests)
    cpu = meter.per(full["requests"])
    rss_load = {name: rss_mb(pids[name]) for name in SERVICES}
    half = load(port, 32, seconds, requests, rate=full["per_second"] / 2)

    nats, nats_url = plain_nats()
    database = Path(info["databaseUrlFile"]).read_text().strip()
    try:
        floors = {
            "http": floor_http(32, 3, requests, free_port()),
            "bus_round_trip": floor_bus(nats_url, nats.pid, 32, 3),
            "pg_read": floor_pg(database, pids["postgres"], "read", 32, 3),
            "pg_insert_row": floor_pg(database, pids["postgres"], "insert", 16, 3),
            "hs256": floor_jwt(2),
        }
    finally:
        nats.terminate()
        nats.wait()
    floor_sum = (floors["http"] + 2 * floors["bus_round_trip"] + floors["pg_read"] +
                 floors["pg_insert_row"] + floors["hs256"])
    result = {
        "joins_per_s": round(full["per_second"]),
        "p50_ms_1": one["p50_ms"], "p99_ms_1": one["p99_ms"],
        "p50_ms_32": full["p50_ms"], "p99_ms_32": full["p99_ms"],
        "p50_ms_half": half["p50_ms"], "p99_ms_half": half["p99_ms"],
        "cpu_us_per_join": cpu, "cpu_us_total": round(sum(cpu.values()), 1),
        "floors_cpu_us": floors, "floors_sum_us": round(floor_sum, 1),
        "ratio_to_floors": round(sum(cpu.values()) / floor_sum, 2),
        "rss_idle_mb": rss_idle, "rss_load_mb": rss_load, "ready_ms": ready_ms(info),
        "load_average": os.getloadavg(),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(),
                    "system": platform.freedesktop_os_release()["PRETTY_NAME"]},
    }
    stack("reset")
    return result


def show(value, indent=0):
    for name, entry in value.items():
        if isinstance(entry, dict):
            print(f"{' ' * indent}{name}")
            show(entry, indent + 2)
        else:
            print(f"{' ' * indent}{name:<{30 - indent}} {entry}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8, help="length of each measurement")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench" / "join.json")
    options = parser.parse_args()
    result = measure(options.seconds)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    show(result)
    print(f"\nwritten to {options.out.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
