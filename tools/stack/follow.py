"""The logs of all parts as one, each line with the name of its part."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from .layout import Stack
from .tell import in_colour_of, say

_PAUSE_S = 0.1


class Tail:
    """What is new in one file, by whole lines; begins again when the file is another one."""

    def __init__(self, path: Path, from_end: bool):
        self._path = path
        self._inode = None
        self._offset = 0
        self._rest = b""
        if from_end:
            status = path.stat()
            self._inode, self._offset = status.st_ino, status.st_size

    def lines(self) -> list[str]:
        try:
            with open(self._path, "rb") as log:
                inode = os.fstat(log.fileno()).st_ino
                if inode != self._inode:
                    self._inode, self._offset, self._rest = inode, 0, b""
                log.seek(self._offset)
                new = log.read()
        except FileNotFoundError:
            return []
        self._offset += len(new)
        *whole, self._rest = (self._rest + new).split(b"\n")
        return [line.decode(errors="replace") for line in whole]


def follow(stack: Stack, until: Callable[[], bool], from_end: bool) -> None:
    """Prints what the parts write until `until` says so."""
    tails: dict[str, Tail] = {}
    first = True
    while True:
        ended = until()  # asked before the last look, so that last words are printed
        for path in sorted(stack.log_dir.glob("*.log")):
            tails.setdefault(path.stem, Tail(path, from_end and first))
        first = False
        for index, (name, tail) in enumerate(sorted(tails.items())):
            for line in tail.lines():
                say(f"{in_colour_of(index, f'{name:<13}|')} {line}")
        if ended:
            return
        time.sleep(_PAUSE_S)


def rotate(stack: Stack) -> None:
    """A run begins with empty logs; those of the run before are kept as *.log.1."""
    for path in stack.log_dir.glob("*.log"):
        if not stack.processes.pid(path.stem):
            path.rename(path.with_name(path.name + ".1"))
