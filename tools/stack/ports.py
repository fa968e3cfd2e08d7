"""Ports of a stack: chosen once, kept in ports.json, never shared with anybody else.

A port with a fixed default (8080) is part of what people type, so when it is taken they are told.
A port that was chosen here is nobody's habit, so when it is taken another one is chosen.
"""

import json
import os
import random
import re
import socket
from pathlib import Path

from .tell import Fault

FIXED = {"gateway": 8080, "livekit": 7880, "livekit-udp": 7882}
# Below the range from which the system takes ports for outgoing connections.
_FREE_RANGE = (12000, 31999)
_UDP = {"livekit-udp"}


def variable_of(name: str) -> str:
    """The environment variable that sets a port: livekit-udp -> LIVEKIT_UDP_PORT."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper()) + "_PORT"


class Ports:
    """`mode` is "fixed" (the defaults above) or "free" (all chosen, for tests)."""

    def __init__(self, path: Path, mode: str):
        self._path = path
        self._mode = mode
        self._held = False
        self._kept: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}

    def hold(self) -> None:
        """From now on kept ports stay, for other parts are running and know them."""
        self._held = True

    def __getitem__(self, name: str) -> int:
        """The port of a name as it was last claimed."""
        if name not in self._kept:
            self.claim(name)
        return self._kept[name]

    def claim(self, name: str) -> int:
        """Settles the port for a part that is about to start, and makes sure that it is free."""
        port = self._settled(name)
        if port is not None and not is_free(port, name in _UDP):
            if self._stays(name):
                holder = _holder(port, name in _UDP)
                raise Fault(f"port {port} ({name}) is taken{holder}: end that program, "
                            f"or choose another port: {variable_of(name)}=… make up")
            port = None
        return self._keep(name, _choose(name) if port is None else port)

    def foresee(self, name: str) -> int:
        """The port that a part is going to claim, for one that starts before it and must know.
        Whether it can be had is that part's concern, which may never start."""
        port = self._settled(name)
        if port is not None and not self._stays(name) and not is_free(port, name in _UDP):
            port = None
        return self._keep(name, _choose(name) if port is None else port)

    def _settled(self, name: str) -> int | None:
        """As asked for, else as it was, else by habit."""
        wanted = _from_environment(name)
        if wanted is None:
            wanted = self._kept.get(name)
        if wanted is None and self._mode == "fixed":
            wanted = FIXED.get(name)
        return wanted

    def _stays(self, name: str) -> bool:
        return self._held or _is_asked_for(name, self._mode)

    def _keep(self, name: str, port: int) -> int:
        if self._kept.get(name) != port:
            self._kept[name] = port
            self._path.write_text(json.dumps(self._kept, indent=2) + "\n")
        return port


def _is_asked_for(name: str, mode: str) -> bool:
    return _from_environment(name) is not None or (mode == "fixed" and name in FIXED)


def _from_environment(name: str) -> int | None:
    text = os.environ.get(variable_of(name), "")
    if not text:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise Fault(f"{variable_of(name)} is a port from 1 to 65535, not {text!r}")
    return int(text)


def _choose(name: str) -> int:
    for _ in range(1000):
        port = random.randint(*_FREE_RANGE)
        if is_free(port, name in _UDP):
            return port
    raise Fault(f"no free port found for {name} between {_FREE_RANGE[0]} and {_FREE_RANGE[1]}")


def is_free(port: int, udp: bool = False) -> bool:
    kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        if not udp:  # a server that has just stopped leaves connections in TIME_WAIT
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError as refusal:
            raise Fault(f"port {port} may not be opened by this user: choose one from 1024 on"
                        ) from refusal
        except OSError:
            return False
    return True


def _holder(port: int, udp: bool) -> str:
    """Who holds a port, as far as /proc tells this user: " by nginx (pid 12)"."""
    inodes = set()
    for table in ("udp", "udp6") if udp else ("tcp", "tcp6"):
        try:
            rows = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            field = row.split()
            listening = udp or field[3] == "0A"
            if listening and int(field[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{field[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(fd) in inodes for fd in (process / "fd").iterdir()):
                return f" by {(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue
    return ""
