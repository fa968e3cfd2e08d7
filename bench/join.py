#!/usr/bin/python3
"""bench/join: what a join costs, beside the floors of its parts, measured in one run.

Starts a stack of its own (free ports, own data), fills it with appointments whose window is open,
and sends joins with bench/load. Each join is complete: session verified, gate, audit row committed,
grant sealed and opened, LiveKit token signed; rooms are made before the measurement. Writes
build/bench/join.json and a table. docs/BENCH.md says how to read it.
"""

import argparse
import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from common import (BIN, MEASURED, SERVICES, STACK_DIR, Meter, gateway_port, join_lines, load,
                    machine, psql, rss_mb, seed, stack, stack_up, write, write_lines)

PAIRS = 64  # appointments; both sides of each join
PAST = 20000  # further appointments, over long ago: a clinic has some, and plans depend on it

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
        done = load(port, connections, requests, "--seconds", str(seconds))
        return meter.per(done["requests"])["http"]
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
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port):
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
    info = stack_up()
    pids = {name: part["pid"] for name, part in info["parts"].items()}
    port = gateway_port(info)
    requests = STACK_DIR / "joins.txt"
    slug, rows = seed(info, PAIRS)
    psql(info, SEED_PAST, slug=slug, past=PAST)
    write_lines(requests, join_lines(info, rows))
    for_seconds = ("--seconds", str(seconds))

    rss_idle = {name: rss_mb(pids[name]) for name in SERVICES}
    load(port, 32, requests, "--seconds", "2")  # rooms made, caches and plans warm
    one = load(port, 1, requests, *for_seconds)
    meter = Meter({name: pids[name] for name in MEASURED})
    full = load(port, 32, requests, *for_seconds)
    cpu = meter.per(full["requests"])
    rss_load = {name: rss_mb(pids[name]) for name in SERVICES}
    half = load(port, 32, requests, *for_seconds, "--rate", str(full["per_second"] / 2))

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
    } | machine()
    stack("reset")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8, help="length of each measurement")
    write(measure(parser.parse_args().seconds), "join")


if __name__ == "__main__":
    main()
