#!/usr/bin/python3
"""bench/calls: what the record of a call costs, and what the first join of a room costs.

Starts a stack of its own, with a real LiveKit. First every participant of many appointments joins,
one after the other: the first join of an appointment has its room made, the second finds it. Then
the webhooks of whole visits are sent as LiveKit would send them: signed over their bytes, the
visits side by side, the events of each in order. Each is complete when it is answered: verified,
recorded, committed, people told. The notifier rests meanwhile, for LiveKit knows nothing of these
visits. Writes build/bench/calls.json and a table. docs/BENCH.md says how to read it.
"""

import argparse
import json
import sys
from pathlib import Path

from common import (MEASURED, STACK_DIR, Meter, gateway_port, join_lines, load, machine, psql,
                    seed, stack, stack_up, write, write_lines)
from livekit import LiveKit, RoomEvents

CONNECTIONS = 16  # LiveKit sends the events of a room one by one, those of many rooms at once
SECONDS_MAX = 120
ANALYZE = """ANALYZE tv.appointment, tv.participant, tv.call, tv.presence, tv.call_event, tv.event,
    tv.inbox, tv.inbox_head, tv.job"""


# -- webhooks --------------------------------------------------------------------------------------

def visit(appointment, people):
    """The events of one visit in order."""
    room = RoomEvents(f"room_{appointment}")
    yield room.started()
    for identity in people:
        yield room.joined(identity)
        yield room.track(identity, source="MICROPHONE")
        yield room.track(identity)
    for identity in people:
        yield room.left(identity)
    yield room.finished()


def webhook_lines(info, rows):
    """The first events of all visits, then the second ones, and so on."""
    livekit = LiveKit(info["livekitUrl"], info["livekitKey"],
                      Path(info["livekitSecretFile"]).read_text().strip())
    people = {}
    for _, appointment, _, _, identity in rows:
        people.setdefault(appointment, []).append(identity)
    for events in zip(*(visit(*item) for item in people.items())):
        for event in events:
            body = json.dumps(event)
            yield f"POST\t/v1/livekit/webhook\t{livekit.token_of_webhook(body)}\t{body}\n"


# -- the run ---------------------------------------------------------------------------------------

def figures(result, cpu):
    return {"count": result["requests"], "per_second": round(result["per_second"]),
            "p50_ms": result["p50_ms"], "p99_ms": result["p99_ms"],
            "cpu_us": cpu, "cpu_us_total": round(sum(cpu.values()), 1)}


def measure(visits):
    info = stack_up()
    port = gateway_port(info)
    requests = STACK_DIR / "requests.txt"
    pids = {name: info["parts"][name]["pid"] for name in MEASURED + ("livekit",)}

    def once(lines, connections):
        write_lines(requests, lines)
        meter = Meter(pids)
        done = load(port, connections, requests, "--once", "--seconds", str(SECONDS_MAX))
        return figures(done, meter.per(done["requests"]))

    _, rows = seed(info, visits)
    doctors = [row for row in rows if row[3] == "DOCTOR"]
    patients = [row for row in rows if row[3] == "PATIENT"]
    result = {"first_join": once(join_lines(info, doctors), 1),
              "later_join": once(join_lines(info, patients), 1)}

    def recorded():
        return int(psql(info, "SELECT count(*) FROM tv.call_event")[0])

    stack("stop", "notifier")
    _, rows = seed(info, visits // 4)
    once(webhook_lines(info, rows), CONNECTIONS)  # the tables have something in them
    psql(info, ANALYZE)
    before = recorded()
    _, rows = seed(info, visits // 4)
    result["webhook_1"] = once(webhook_lines(info, rows), 1)
    _, rows = seed(info, visits)
    result["webhook"] = once(webhook_lines(info, rows), CONNECTIONS)
    sent = result["webhook_1"]["count"] + result["webhook"]["count"]
    if recorded() - before < sent:
        sys.exit(f"bench: {sent} webhooks were answered, {recorded() - before} are recorded")
    stack("reset")
    return result | machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=400, help="appointments of each measurement")
    write(measure(parser.parse_args().visits), "calls")


if __name__ == "__main__":
    main()
