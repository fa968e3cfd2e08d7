"""The commands of tools/stackctl."""

import argparse
import json
import os
import signal
import time
from pathlib import Path

from . import build, clock, follow, parts, run, seed, services, state
from .layout import ROOT, Stack
from .tell import Fault, bold, say, warn


def main(argv: list[str]) -> int:
    # A negative duration is no option: argparse takes what has a space in it for a value.
    argv = [f" {word}" if word.startswith("-P") else word for word in argv]
    options = _parser().parse_args(argv)
    try:
        return options.run(options) or 0
    except Fault as fault:
        warn(f"stack: {fault}")
        return 1
    except KeyboardInterrupt:
        return 130


def _up(options) -> int:
    environment: dict[str, dict[str, str]] = {}
    for part, name, value in options.set:
        environment.setdefault(part, {})[name] = value
    stack = Stack(options.dir, {"ports": options.ports, "variant": options.variant,
                                "environment": environment})
    names = [parts.find(name).name for name in options.part or parts.ALL]
    run.end_like_ctrl_c()
    begin = time.monotonic()
    if options.build:
        build.ensure(stack)
    stack.create()
    before = set(run.running(stack))
    if before:
        stack.ports.hold()
    if set(names) <= before:
        say(f"the stack in {stack.name} is up already: `make logs`, `make down`")
        _summary(stack, time.monotonic() - begin)
        return 0
    with stack.lock():
        try:
            follow.rotate(stack)
            run.start(stack, names, foreground=not options.detach)
            if options.seed and "gateway" in names:
                seed.sow(stack, with_visits=options.with_visits)
        except (Fault, KeyboardInterrupt):
            # What ran before is not this command's to end.
            run.end(stack, set(run.running(stack)) - before)
            raise
    _summary(stack, time.monotonic() - begin)
    if options.detach:
        return 0
    say("the logs follow; Ctrl-C ends everything\n")
    return _watch(stack)


def _watch(stack: Stack) -> int:
    """Follows the logs until Ctrl-C, or until a part dies."""
    died: list[str] = []

    def over() -> bool:
        name = run.fallen(stack)
        if name:
            died.append(name)
        return bool(died)

    obituary = ""
    try:
        follow.follow(stack, over, from_end=True)
        obituary = run.obituary(stack, died[0])
    except KeyboardInterrupt:
        say("\nending")
    _end_all(stack)
    if obituary:
        raise Fault(obituary)
    return 0


def _end_all(stack: Stack) -> None:
    with stack.lock():
        names = run.running(stack)
        run.end(stack, names)
        for name in stack.processes.names():
            stack.processes.forget(name)


def _down(options) -> None:
    stack = Stack(options.dir)
    if not stack.exists:
        say(f"there is no stack in {stack.name}")
        return
    running = run.running(stack)
    _end_all(stack)
    say(f"ended: {', '.join(running)}" if running else "nothing was running")


def _reset(options) -> None:
    stack = Stack(options.dir)
    if not stack.exists:
        say(f"there is no stack in {stack.name}")
        return
    _end_all(stack)
    stack.remove()
    say(f"cleared {stack.name}: the next `make up` begins anew")


def _status(options) -> int:
    stack = Stack(options.dir)
    stack.must_exist()
    ready = True
    for row in state.rows(stack):
        ready = ready and row["state"] == "ready"
        pid = f"pid {row['pid']}" if row["pid"] else ""
        say(f"  {row['part']:<14} {row['state']:<10} {pid:<12} {row['why']}")
    return 0 if ready else 1


def _info(options) -> None:
    stack = Stack(options.dir)
    stack.must_exist()
    say(json.dumps(state.describe(stack), indent=2))


def _logs(options) -> None:
    stack = Stack(options.dir)
    stack.must_exist()
    try:
        follow.follow(stack, lambda: options.once or not run.running(stack), from_end=False)
    except KeyboardInterrupt:
        pass


def _start(options) -> None:
    stack = Stack(options.dir)
    stack.must_exist()
    stack.ports.hold()
    with stack.lock():
        run.start(stack, options.part)


def _stop(options) -> None:
    stack = Stack(options.dir)
    stack.must_exist()
    with stack.lock():
        run.end(stack, options.part)


def _kill(options) -> None:
    stack = Stack(options.dir)
    stack.must_exist()
    parts.find(options.part)
    while options.at and time.time() < options.at:
        time.sleep(max(0.0, min(options.at - time.time(), 0.5)))
    if not stack.processes.signal(options.part, options.signal):
        raise Fault(f"{options.part} does not run")
    if options.signal == signal.SIGKILL:
        stack.processes.kill([options.part])  # comes back when it is gone


def _faults(options) -> int:
    stack = Stack(options.dir)
    stack.must_exist()
    rows = run.ask_sql(stack, "SELECT rule, place FROM tv.faults()")
    say(rows.replace("\t", ": ") or "no promise is broken")
    return 1 if rows else 0


def _seed(options) -> None:
    stack = Stack(options.dir)
    stack.must_exist()
    if not stack.processes.pid("gateway"):
        raise Fault("gateway does not run: `make up`")
    with stack.lock():
        seed.sow(stack)


def _clock(options) -> None:
    stack = Stack(options.dir)
    stack.must_exist()
    now = clock.command(stack, options.shift and options.shift.strip())
    say(json.dumps(now) if options.json else now["now"])


def _summary(stack: Stack, took_s: float) -> None:
    if not stack.processes.pid("gateway"):
        say(f"ready after {took_s:.1f} s")
        return
    without = "" if services.has_web(stack) else ", without the web app: `make web` builds it"
    say(f"\n{bold(services.public_url(stack))}: {bold('televisit')} is up after {took_s:.1f} s"
        f"{without}")
    clinic, password = seed.CLINIC["slug"], seed.password(stack)
    if seed.is_sown(stack):
        say(f"clinic {clinic}, password {password}, and one of:")
        for person in seed.PEOPLE:
            say(f"  {person['role'].lower():<8} {person['name']:<18} {person['email']}")
    say()


def _signal(text: str) -> int:
    name = text.lstrip("-").upper().removeprefix("SIG")
    try:
        return int(signal.Signals(int(name)) if name.isdecimal() else signal.Signals[f"SIG{name}"])
    except (KeyError, ValueError) as unknown:
        raise argparse.ArgumentTypeError(f"there is no signal {text!r}") from unknown


def _setting(text: str) -> tuple[str, str, str]:
    part, _, rest = text.partition(":")
    name, equals, value = rest.partition("=")
    if not (part and name and equals):
        raise argparse.ArgumentTypeError("a setting is PART:NAME=VALUE")
    return part, name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stack", description="televisit on one machine")
    parser.add_argument("--dir", type=Path,
                        default=Path(os.environ.get("STACK_DIR") or ROOT / "build" / "stack"),
                        help="where the stack is kept (STACK_DIR, build/stack)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function, what: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=what, description=what)
        added.add_argument("--dir", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        added.set_defaults(run=function)
        return added

    up = command("up", _up, "start everything, or the named parts, and follow the logs")
    up.add_argument("part", nargs="*", help=f"of {', '.join(parts.ALL)}")
    up.add_argument("--detach", action="store_true", help="come back when all is ready")
    up.add_argument("--build", action="store_true", help="install and build what is missing first")
    up.add_argument("--ports", choices=("fixed", "free"), help="free: any free ports, for tests")
    up.add_argument("--variant", choices=("release", "asan", "tsan"), help="of our programs")
    up.add_argument("--no-seed", dest="seed", action="store_false", help="no demo clinic")
    up.add_argument("--with-visits", action="store_true",
                    help="the demo clinic has visits of last week and of the days to come, too")
    up.add_argument("--set", type=_setting, action="append", default=[],
                    metavar="PART:NAME=VALUE", help="an environment variable for a service")
    command("down", _down, "end everything; the data stay")
    command("reset", _reset, "end everything and clear the data")
    command("status", _status, "what runs; exit status 1 unless all of it is ready")
    command("info", _info, "addresses, pids, files and demo accounts as JSON")
    logs = command("logs", _logs, "follow the logs")
    logs.add_argument("--once", action="store_true", help="print what there is and come back")
    command("start", _start, "start parts, also one more: notifier-2").add_argument(
        "part", nargs="+")
    command("stop", _stop, "end parts as they like to be ended").add_argument("part", nargs="+")
    kill = command("kill", _kill, "send a part a signal")
    kill.add_argument("part")
    kill.add_argument("signal", nargs="?", type=_signal, default=signal.SIGKILL,
                      help="KILL, STOP, CONT, 9 …")
    kill.add_argument("-9", dest="signal", action="store_const", const=signal.SIGKILL,
                      default=argparse.SUPPRESS, help="the same as KILL")
    kill.add_argument("--at", type=float, help="when, in seconds since 1970 (default: now)")
    command("faults", _faults, "the promises that the tables prove, and which of them is broken")
    command("seed", _seed, "book the demo clinic's visits anew where they have gone by")
    shift = command("clock", _clock, "show or move the clock that all services go by (tests only)")
    shift.add_argument("shift", nargs="?", help="+PT2H or -PT90S: add to the offset; an RFC 3339 "
                       "time: the time it shall be now; reset: no offset")
    shift.add_argument("--json", action="store_true", help="with the offset in milliseconds")
    return parser
