"""Makes sure that there is something to start: packages, our programs, LiveKit."""

import os
import shutil
import subprocess

from . import nats, postgres
from .layout import LIVEKIT, ROOT, Stack
from .tell import Fault, say

_COMMANDS = ("make", "gcc", "pkg-config", "protoc", "protoc-c", "nats-server", "psql")


def ensure(stack: Stack) -> None:
    """Installs what is missing, builds what is not built, and says so only when there is work."""
    missing = _missing()
    if missing:
        _install(missing)
    if not LIVEKIT.exists():
        _must_run(["bash", str(ROOT / "tools" / "livekit.sh")], "LiveKit could not be built")
    _make(["all", f"VARIANT={stack.settings['variant']}"], "the build failed")


def _missing() -> list[str]:
    absent = [c for c in _COMMANDS if not shutil.which(c, path=nats.search_path())]
    try:
        postgres.bin_dir()
    except Fault:
        absent.append("initdb")
    return absent or _missing_libraries()


def _missing_libraries() -> list[str]:
    """mk/deps.mk knows the libraries and their versions, and refuses to go on without them."""
    asked = subprocess.run(["make", "-C", str(ROOT), "-n", "gen"], env=_make_environment(),
                           capture_output=True, text=True, check=False)
    return [line.partition("***")[2].strip().rstrip(". ").split(":")[0]
            for line in asked.stderr.splitlines() if "is missing" in line]


def _install(missing: list[str]) -> None:
    named = ", ".join(missing)
    say(f"missing: {named}")
    if not may_install():
        raise Fault(f"missing: {named}. Packages can be installed by root only: "
                    "run `sudo make deps`, then `make up` again")
    _make(["deps"], f"{named} could not be installed")
    still = _missing()
    if still:
        raise Fault(f"`make deps` did not bring {', '.join(still)}")


def may_install() -> bool:
    if os.geteuid() == 0:
        return True
    sudo = shutil.which("sudo")
    return bool(sudo) and subprocess.run([sudo, "-n", "true"], capture_output=True,
                                         check=False).returncode == 0


def _make(goals: list[str], failure: str) -> None:
    _must_run(["make", "-C", str(ROOT), "--no-print-directory", f"-j{os.cpu_count() or 1}", *goals],
              f"{failure}: make {' '.join(goals)}")


def _make_environment() -> dict[str, str]:
    # When make has started us, its options and job server are not for a second make.
    return {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def _must_run(argv: list[str], failure: str) -> None:
    if subprocess.run(argv, env=_make_environment(), check=False).returncode != 0:
        raise Fault(failure)
