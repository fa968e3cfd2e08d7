"""Makes sure that there is something to start: packages, our programs, LiveKit."""

import os
import shutil
import subprocess

from .layout import LIVEKIT, ROOT, Stack
from .tell import Fault


def ensure(stack: Stack) -> None:
    """Installs what is missing, builds what is not built."""
    # Where there are no Debian packages, the build and each part name what they miss.
    if shutil.which("dpkg-query"):
        _must_run([str(ROOT / "tools" / "deps.sh"), "build", "run"],
                  "packages are missing: see the line above, then `make up` again")
    if not LIVEKIT.exists():
        _must_run([str(ROOT / "tools" / "livekit.sh")], "LiveKit is missing: see the line above")
    goals = ["all", "web", f"VARIANT={stack.settings.variant}"]
    _must_run(["make", "-s", "--no-print-directory", "-C", str(ROOT), f"-j{os.cpu_count() or 1}",
               *goals], f"the build failed: make {' '.join(goals)}")


def _must_run(argv: list[str], failure: str) -> None:
    # When make has started us, its options and its job server are not for a second make.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    if subprocess.run(argv, env=environment, check=False).returncode != 0:
        raise Fault(failure)
