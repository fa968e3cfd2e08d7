#!/usr/bin/python3
"""Runs test programs side by side and closes with the plain line `N passed, N failed`.

A program is known by its ending: none is a cmocka program, .py a unittest file, .mjs a node:test
file; a folder is a Vitest project. Of programs whose path matches --heavy (they load the machine)
one runs at a time, beside the light ones; those of --waiting (they wait for clocks more than they
compute) run one after the other beside all that; those of --alone (they judge by the second) have
the machine for themselves when the rest is done. Each writes to a log of its own; the output of
those that failed is shown. A program that runs no test, hangs or dies counts as failed.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time


class Result:
    def __init__(self, program, passed, failed, seconds, output):
        self.program, self.passed, self.failed = program, passed, failed
        self.seconds, self.output = seconds, output


def command_and_environment(program):
    environment = dict(os.environ)
    if program.endswith(".py"):
        return [sys.executable, "-B", "-m", "unittest", "-v", program], environment
    if program.endswith(".mjs"):
        return ["node", "--test", "--test-reporter=tap", program], environment
    if os.path.isdir(program):
        return [os.path.join(program, "node_modules", ".bin", "vitest"), "run", "--root", program,
                "--reporter", "tap-flat"], environment
    environment["CMOCKA_MESSAGE_OUTPUT"] = "TAP"
    return [program], environment


def count(program, output):
    """(passed, failed) as the framework's own lines tell."""
    if program.endswith(".py"):
        ran = re.search(r"^Ran (\d+) tests? in", output, re.M)
        bad = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", output))
        skipped = sum(int(n) for n in re.findall(r"skipped=(\d+)", output))
        total = int(ran.group(1)) if ran else 0
        return max(total - bad - skipped, 0), bad
    passed = len(re.findall(r"^ok \d+", output, re.M))
    return passed, len(re.findall(r"^not ok \d+", output, re.M))


def run(program, logs, timeout):
    arguments, environment = command_and_environment(program)
    log = logs / (re.sub(r"[^A-Za-z0-9]+", "_", program).strip("_") + ".log")
    started = time.monotonic()
    with log.open("wb") as out:
        child = subprocess.Popen(arguments, stdout=out, stderr=subprocess.STDOUT,
                                 stdin=subprocess.DEVNULL, env=environment,
                                 start_new_session=True)
        try:
            status = child.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            status = child.wait()
            out.write(f"\nstopped: still running after {timeout} s\n".encode())
    output = log.read_text(errors="replace")
    passed, failed = count(program, output)
    if failed == 0 and (status != 0 or passed == 0):
        failed = 1  # died, hung, leaked, or ran nothing
        output += f"\nexit status {status}, {passed} tests passed\n"
    return Result(program, passed, failed, time.monotonic() - started, output)


def show(result):
    mark = "ok  " if result.failed == 0 else "FAIL"
    print(f"{mark} {result.program}: {result.passed} passed, {result.failed} failed "
          f"({result.seconds:.1f} s)", flush=True)
    if result.failed:
        lines = result.output.splitlines()
        print("\n".join("    " + line for line in lines[-120:]), flush=True)


class Lanes:
    """What is still to run: the next heavy one while none runs, else the next light one."""

    def __init__(self, heavy, light):
        self._heavy, self._light = list(heavy), list(light)
        self._heavy_runs = False
        self._changed = threading.Condition()

    def take(self):
        """The next program and whether it is heavy; None when nothing is left."""
        with self._changed:
            while self._heavy or self._light:
                if self._heavy and not self._heavy_runs:
                    self._heavy_runs = True
                    return self._heavy.pop(0), True
                if self._light:
                    return self._light.pop(0), False
                self._changed.wait()
        return None

    def give_back(self):
        """The heavy one is done."""
        with self._changed:
            self._heavy_runs = False
            self._changed.notify_all()


def lane(lanes, logs, timeout, results):
    """Runs one program after the other until nothing is left."""
    while (taken := lanes.take()) is not None:
        program, is_heavy = taken
        try:
            result = run(program, logs, timeout)
            results.append(result)
        finally:
            if is_heavy:
                lanes.give_back()
        show(result)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logs", default="build/test-logs", help="folder of the logs")
    parser.add_argument("--jobs", type=int, default=max(2, os.cpu_count() or 2))
    parser.add_argument("--timeout", type=int, default=300, help="seconds for one program")
    parser.add_argument("--heavy", default="$^",
                        help="pattern of programs of which one runs at a time")
    parser.add_argument("--waiting", default="$^",
                        help="pattern of programs that mostly wait: a lane beside --jobs")
    parser.add_argument("--alone", default="$^",
                        help="pattern of programs beside which none runs, last")
    parser.add_argument("programs", nargs="+")
    options = parser.parse_args()
    logs = pathlib.Path(options.logs)
    logs.mkdir(parents=True, exist_ok=True)

    alone = [p for p in options.programs if re.search(options.alone, p)]
    rest = [p for p in options.programs if p not in alone]
    waiting = [p for p in rest if re.search(options.waiting, p)]
    heavy = [p for p in rest if p not in waiting and re.search(options.heavy, p)]
    light = [p for p in rest if p not in waiting + heavy]
    results = []
    for side_by_side in ([Lanes(heavy, light)] * options.jobs + [Lanes([], waiting)],
                         [Lanes(alone, [])]):
        with concurrent.futures.ThreadPoolExecutor(len(side_by_side)) as pool:
            running = [pool.submit(lane, lanes, logs, options.timeout, results)
                       for lanes in side_by_side]
            for one in running:
                one.result()

    passed = sum(r.passed for r in results)
    failed = sum(r.failed for r in results)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
