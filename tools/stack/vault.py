"""Secrets of a stack: made once, kept in files that only their owner reads."""

import base64
import os
import secrets
from pathlib import Path


class Vault:
    def __init__(self, directory: Path):
        self._directory = directory

    def path(self, name: str, make=lambda: secrets.token_urlsafe(32)) -> Path:
        """The file of a secret; `make` gives its text when there is none yet."""
        path = self.directory() / name
        if not path.exists():
            write_private(path, make() + "\n")
        return path

    def directory(self) -> Path:
        """For those who keep files there of their own."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        return self._directory

    def text(self, name: str, make=lambda: secrets.token_urlsafe(32)) -> str:
        return self.path(name, make).read_text().strip()

    def refresh(self, name: str, text: str) -> None:
        """Writes a secret that follows from others, such as an address with a password in it."""
        path = self.directory() / name
        if not path.exists() or path.read_text() != text + "\n":
            write_private(path, text + "\n")


def write_private(path: Path, text: str) -> None:
    """Writes a file with mode 0600, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    draft.rename(path)


def session_key() -> str:
    """kid:key, as the gateway wants it."""
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return f"{secrets.token_hex(4)}:{key}"


def demo_password() -> str:
    """Short enough to be typed; it opens a clinic that listens on loopback only."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(3))
