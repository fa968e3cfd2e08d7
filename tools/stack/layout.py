"""A stack's directory: what lies where, and what is kept from one run to the next.

    settings.json  how it was set up       ports.json  see ports.py      secrets/  see vault.py
    postgres/      the cluster             nats*.conf, livekit.yaml      log/, run/  per part
"""

import contextlib
import fcntl
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .ports import Ports
from .processes import Processes
from .tell import Fault
from .vault import Vault

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "deploy" / "dev"
LIVEKIT = ROOT / "build" / "tools" / "livekit-server"
WEB = ROOT / "build" / "web"
NATS_ACCOUNTS = ROOT / "build" / "gen" / "nats-accounts.conf"


@dataclass
class Settings:
    ports: str = "fixed"      # see ports.py
    variant: str = "release"  # of our programs
    # More variables for our programs: by service, or by part (notifier-2).
    environment: dict[str, dict[str, str]] = field(default_factory=dict)


class Stack:
    def __init__(self, directory: Path, given: dict | None = None):
        """Opens a stack; `given` are settings of this run, which go before the kept ones."""
        self.dir = directory.resolve()
        self._settings_path = self.dir / "settings.json"
        kept = json.loads(self._settings_path.read_text()) if self.exists else {}
        self.settings = Settings(**kept | {k: v for k, v in (given or {}).items() if v})
        self.ports = Ports(self.dir / "ports.json", self.settings.ports)
        self.vault = Vault(self.dir / "secrets")
        self.log_dir = self.dir / "log"
        self.processes = Processes(self.dir / "run", self.log_dir)

    @property
    def exists(self) -> bool:
        return self._settings_path.exists()

    @property
    def name(self) -> str:
        """Its directory as a person would type it."""
        return os.path.relpath(self.dir) if self.dir.is_relative_to(Path.cwd()) else str(self.dir)

    def create(self) -> None:
        """Makes the directory, or brings its settings up to date."""
        self.dir.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            self.dir.chmod(0o755)  # PostgreSQL runs as another user and must get through
        for folder in (self.log_dir, self.dir / "run"):
            folder.mkdir(exist_ok=True)
        self._settings_path.write_text(json.dumps(asdict(self.settings), indent=2) + "\n")

    def must_exist(self) -> None:
        if not self.exists:
            raise Fault(f"there is no stack in {self.name}: `make up` makes one")

    def binary(self, service: str) -> Path:
        return ROOT / "build" / self.settings.variant / "bin" / service

    @contextlib.contextmanager
    def lock(self):
        """Held while parts are started or ended, so that two commands do not mix."""
        with open(self.dir / "lock", "a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as busy:
                raise Fault(f"another command is starting or ending the stack in {self.name}: "
                            "wait for it") from busy
            yield

    def remove(self) -> None:
        """Clears everything. Only what create() has made can be removed."""
        self.must_exist()
        shutil.rmtree(self.dir)
