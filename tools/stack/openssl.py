"""The `openssl` command, which makes what Python's own library cannot: keys and certificates."""

import contextlib
import os
import subprocess

from .tell import Fault


def run(*arguments: str, given: bytes = b"") -> bytes:
    """What it prints; `given` is its standard input."""
    try:
        done = subprocess.run(["openssl", *arguments], input=given, capture_output=True,
                              check=False)
    except FileNotFoundError as missing:
        raise Fault("openssl is missing: install the package openssl, or run `make deps`") \
            from missing
    if done.returncode:
        raise Fault(f"openssl {arguments[0]}: " + done.stderr.decode(errors="replace").strip())
    return done.stdout


def approves(*arguments: str) -> bool:
    """Whether a command that checks something is content."""
    try:
        run(*arguments)
    except Fault:
        return False
    return True


@contextlib.contextmanager
def in_memory(content: bytes):
    """A path to read `content` from, for what should not lie on a disk."""
    fd = os.memfd_create("openssl")
    try:
        os.write(fd, content)
        # Not /dev/fd: it has to be opened anew, by another process.
        yield f"/proc/{os.getpid()}/fd/{fd}"
    finally:
        os.close(fd)
