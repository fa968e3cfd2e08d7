"""Processes of a stack: each in a session of its own, known by pid and start time, ended by pid.

Who started a process and who ends it may be two runs of this program, so what is known of it lies
in run/<name>.json. A pid alone would not do: after a crash it may belong to somebody else.
"""

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

POLL_S = 0.02
REAP_S = 1.0
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None, use_errno=True).prctl


@dataclass(frozen=True)
class Record:
    pid: int
    started: int  # clock ticks since boot, from /proc
    wanted: bool  # False: it was ended on purpose, so its absence is no news


class Processes:
    def __init__(self, run_dir: Path, log_dir: Path):
        self._run_dir = run_dir
        self._log_dir = log_dir
        # Started by this very program, so that it must reap them and can tell how they ended.
        self._children: dict[str, subprocess.Popen] = {}

    def names(self) -> list[str]:
        return sorted(p.stem for p in self._run_dir.glob("*.json"))

    def log(self, name: str) -> Path:
        return self._log_dir / f"{name}.log"

    def start(self, name: str, argv: list[str], environment: Mapping[str, str], *,
              user: str | None = None, dies_with_us: int | None = None) -> None:
        """Starts a part. `dies_with_us`: the signal that the kernel sends to it when this program
        ends, however it ends; None for a part that stays."""
        parent = os.getpid()

        def bind_to_parent() -> None:
            if dies_with_us is not None:
                _prctl(_PR_SET_PDEATHSIG, dies_with_us, 0, 0, 0)
                if os.getppid() != parent:
                    os._exit(1)

        with open(self.log(name), "ab") as log:
            child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(environment),
                cwd="/", start_new_session=True, preexec_fn=bind_to_parent,
                **as_user(user))
        self._children[name] = child
        state = _stat(child.pid)
        self._write(name, Record(child.pid, state[1] if state else 0, True))

    def pid(self, name: str) -> int | None:
        """The pid of a part that runs, or None."""
        child = self._children.get(name)
        if child is not None:
            child.poll()
        record = self.record(name)
        return record.pid if record and _is_alive(record) else None

    def record(self, name: str) -> Record | None:
        try:
            return Record(**json.loads((self._run_dir / f"{name}.json").read_text()))
        except (FileNotFoundError, ValueError):
            return None

    def how_it_ended(self, name: str) -> str:
        child = self._children.get(name)
        try:  # its threads may still be ending
            status = child.wait(REAP_S) if child else None
        except subprocess.TimeoutExpired:
            status = None
        if status is None:
            return "ended"
        if status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"ended with status {status}"

    def signal(self, name: str, signo: int) -> bool:
        """Sends a signal; False when the part does not run. An end by it is on purpose."""
        record = self.record(name)
        if record is None or not _is_alive(record):
            return False
        if signo in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            self._write(name, Record(record.pid, record.started, False))
        try:
            os.kill(record.pid, signo)
        except ProcessLookupError:  # it ended just now
            return False
        return True

    def end(self, names: Iterable[str], signo: Callable[[str], int], patience_s: float,
            insist_s: Mapping[str, float]) -> list[str]:
        """Ends parts together. `insist_s`: parts that need their signal again after so long.
        Returns those that had to be killed."""
        waiting = [name for name in names if self.pid(name)]
        for name in waiting:
            self.signal(name, signo(name))
            self.signal(name, signal.SIGCONT)  # a stopped process would never hear the first
        begin = time.monotonic()
        insisted: set[str] = set()
        while waiting := [name for name in waiting if self.pid(name)]:
            waited = time.monotonic() - begin
            if waited > patience_s:
                break
            for name in waiting:
                if name not in insisted and waited > insist_s.get(name, patience_s):
                    insisted.add(name)
                    self.signal(name, signo(name))
            time.sleep(POLL_S)
        self.kill(waiting)
        return waiting

    def kill(self, names: Iterable[str]) -> None:
        killed = [name for name in names if self.signal(name, signal.SIGKILL)]
        while any(self.pid(name) for name in killed):
            time.sleep(POLL_S)

    def forget(self, name: str) -> None:
        (self._run_dir / f"{name}.json").unlink(missing_ok=True)

    def _write(self, name: str, record: Record) -> None:
        path = self._run_dir / f"{name}.json"
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(record)) + "\n")
        draft.rename(path)


def as_user(user: str | None) -> dict:
    """Arguments of subprocess that run a program as another user (root only)."""
    return {"user": user, "group": user, "extra_groups": []} if user else {}


def at_work_in(directory: Path) -> list[int]:
    """The processes whose working directory this is."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd") == str(directory):
                found.append(int(process.name))
        except OSError:  # gone, or somebody else's
            continue
    return found


def _stat(pid: int) -> tuple[str, int] | None:
    """State letter and start time of a process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before may hold anything
    return fields[0], int(fields[19])


def _is_alive(record: Record) -> bool:
    state = _stat(record.pid)
    return state is not None and state[0] not in "ZX" and state[1] == record.started
