"""Starting parts and waiting for them; ending them; watching over them."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping

from . import parts, postgres, services
from .layout import Stack
from .parts import Part
from .processes import POLL_S
from .tell import Fault, say, warn

READY_S = float(os.environ.get("STACK_TIMEOUT", "60"))
_END_S = 12.0
_LAST_WORDS = 20  # lines among which the reason of an end is looked for
_ERROR = re.compile(r"\b(FATAL|PANIC|ERROR|ERR|fatal|panic|error|Sanitizer)\b")


def start(stack: Stack, names: Iterable[str], foreground: bool = False) -> None:
    """Starts the parts that do not run yet, stage by stage, and waits until each is ready."""
    wanted = sorted({name: parts.find(name) for name in names}.values(), key=lambda p: p.stage)
    for stage in sorted({part.stage for part in wanted}):
        of_stage = [part for part in wanted if part.stage == stage]
        starting = [part.name for part in of_stage if not stack.processes.pid(part.name)]
        if "appointments" in starting and stack.processes.pid("postgres"):
            _migrate(stack)
        _start_stage(stack, of_stage, foreground)


def _start_stage(stack: Stack, stage: list[Part], foreground: bool) -> None:
    started = time.monotonic()
    waiting = []
    for part in stage:
        if not stack.processes.pid(part.name):
            part.prepare(stack)
            stack.processes.start(part.name, part.command(stack), part.environment(stack),
                                  user=part.user(),
                                  dies_with_us=part.stop if foreground else None)
        waiting.append(part)
    reason: dict[str, str] = {}
    while waiting:
        for part in list(waiting):
            if not stack.processes.pid(part.name):
                raise Fault(obituary(stack, part.name))
            reason[part.name] = part.not_ready(stack) or ""
            if not reason[part.name]:
                waiting.remove(part)
                say(f"  {part.name:<14} ready after {time.monotonic() - started:.2f} s")
        if waiting and time.monotonic() - started > READY_S:
            late = waiting[0].name
            raise Fault(f"{late} is not ready after {READY_S:.0f} s ({reason[late]}): "
                        f"see {stack.processes.log(late)}")
        if waiting:
            time.sleep(POLL_S)


def _migrate(stack: Stack) -> None:
    """Brings the schema up to date. Cheap when it is."""
    services.must_be_built(stack, "appointments")
    with open(stack.processes.log("migrate"), "ab") as log:
        done = subprocess.run([str(stack.binary("appointments")), "migrate"], stdout=log,
                              stderr=log, stdin=subprocess.DEVNULL, check=False, cwd="/",
                              env=services.environment(stack, "appointments"))
    if done.returncode != 0:
        raise Fault(f"the migrations failed: {last_line(stack, 'migrate')} "
                    f"(see {stack.processes.log('migrate')})")


def end(stack: Stack, names: Iterable[str]) -> None:
    """Ends parts, the last stage first. A second Ctrl-C ends the rest at once."""
    going = [parts.find(name) for name in names]
    insist = {part.name: part.insist_s for part in going if part.insist_s is not None}
    stop_of: Mapping[str, int] = {part.name: part.stop for part in going}
    try:
        for stage in sorted({part.stage for part in going}, reverse=True):
            of_stage = [part.name for part in going if part.stage == stage]
            for name in stack.processes.end(of_stage, stop_of.__getitem__, _END_S, insist):
                warn(f"{name} did not end within {_END_S:.0f} s and was killed")
    except KeyboardInterrupt:
        stack.processes.kill([part.name for part in going])


def fallen(stack: Stack) -> str | None:
    """The first part that should run and does not."""
    for name in stack.processes.names():
        record = stack.processes.record(name)
        if record and record.wanted and not stack.processes.pid(name):
            # Ended on purpose in this very moment? Then its record says so by now.
            record = stack.processes.record(name)
            if record and record.wanted:
                return name
    return None


def obituary(stack: Stack, name: str) -> str:
    return (f"{name} {stack.processes.how_it_ended(name)}: {last_line(stack, name)} "
            f"(see {stack.processes.log(name)})")


def last_line(stack: Stack, name: str) -> str:
    """The line of a log that most likely says why: the last one that speaks of an error."""
    try:
        lines = stack.processes.log(name).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    last = [line.strip() for line in lines if line.strip()][-_LAST_WORDS:]
    telling = [line for line in last if _ERROR.search(line)]
    return (telling or last or ["it wrote nothing"])[-1]


def running(stack: Stack) -> list[str]:
    return [name for name in stack.processes.names() if stack.processes.pid(name)]


def raise_interrupt(*_signal) -> None:
    raise KeyboardInterrupt


def end_like_ctrl_c() -> None:
    """A closed terminal or a plain `kill` ends a foreground stack as Ctrl-C does."""
    for signo in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signo, raise_interrupt)


def ask_sql(stack: Stack, text: str) -> str:
    if not stack.processes.pid("postgres"):
        raise Fault("postgres does not run: `make up`")
    return postgres.sql(stack, text)
