#!/usr/bin/python3
"""Runs every image as a container, as strictly as the cluster does, and one visit through them.

Each container runs as the image's own user, with a read-only root, no capability and no way to gain
one, on the machine's network, where all listen on free ports of loopback. PostgreSQL, NATS and
LiveKit come first, then the migrations and the services, and each must say that it is ready; then
`check` makes its visit, twice. Configuration, keys and ports are those of tools/stack, in
build/images/try-…, which goes again at the end, as do the containers. Usage: try.py VERSION
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "build" / "images"
sys.path.insert(0, str(ROOT / "tools"))
# pylint: disable=wrong-import-position
from stack import livekit, nats, parts, postgres, services
from stack.layout import Stack
from stack.tell import Fault
# pylint: enable=wrong-import-position

UID = 10001
READY_S = 60
END_S = 20
CLINIC = "try"
STORES = ("postgres", "nats", "livekit")
CONF = """[containers]
default_ulimits = []
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


class Podman:
    def __init__(self, version, directory):
        self.version, self._dir = version, directory
        conf = directory / "containers.conf"
        conf.write_text(CONF)
        self._environment = os.environ | {"CONTAINERS_CONF": str(conf)}
        self._prefix = f"televisit-try-{os.getpid()}"
        self.names = []

    def __call__(self, *words, given=None):
        done = subprocess.run(
            ["podman", "--root", str(PLACE / "storage"), "--runroot", str(PLACE / "run"),
             "--tmpdir", str(PLACE / "run" / "libpod"), *words], input=given or "", text=True,
            capture_output=True, check=False, env=self._environment)
        if done.returncode != 0:
            raise Fault(f"podman {' '.join(words[:2])} {words[-1]}: {done.stdout}{done.stderr}")
        return done.stdout

    def run(self, name, image, *words, options=(), environment=None, detach=True, given=None):
        """Starts a container, or runs one to its end and gives what it says."""
        settings = [f"--env={k}={v}" for k, v in (environment or {}).items()]
        how = ["--detach"] if detach else ["--rm", "--interactive"]
        if detach:
            self.names.append(name)
        return self("run", *how, f"--name={self._prefix}-{name}", "--pull=never", "--network=host",
                    "--read-only", "--read-only-tmpfs=false", "--cap-drop=all",
                    "--security-opt=no-new-privileges", *settings, *options,
                    f"localhost/televisit/{image}:{self.version}", *words, given=given)

    def state(self, name):
        return json.loads(self("inspect", "--format", "{{json .State}}", f"{self._prefix}-{name}"))

    def logs(self, name):
        return self("logs", "--tail=20", f"{self._prefix}-{name}")

    def end(self, name):
        """Ends a container as Kubernetes does; its exit status."""
        self("stop", f"--time={END_S}", f"{self._prefix}-{name}")
        return self.state(name)["ExitCode"]

    def remove_all(self):
        for name in reversed(self.names):
            with contextlib.suppress(Fault):
                self("rm", "--force", "--time=0", "--volumes", f"{self._prefix}-{name}")


class Try:
    def __init__(self, version, directory):
        self.dir = directory
        self.stack = Stack(directory / "stack", {"ports": "free"})
        self.stack.create()
        self.podman = Podman(version, directory)
        # All that the parts read lies there; in the containers as well.
        self._mount = f"--volume={self.stack.dir}:{self.stack.dir}:ro"

    def _own(self):
        """Secrets are for their owner only, and that is the user of the containers."""
        for path in (self.stack.dir, *self.stack.dir.rglob("*")):
            os.chown(path, UID, UID)

    def prepare(self):
        nats.prepare(self.stack)
        livekit.prepare(self.stack)
        port = self.stack.ports.claim("postgres")
        password = self.stack.vault.text(f"postgres-{postgres.ROLE}")
        self.stack.vault.refresh("database-url", f"postgresql://{postgres.ROLE}:{password}"
                                 f"@127.0.0.1:{port}/{postgres.DATABASE}?sslmode=disable")
        for name in services.NAMES:
            self.stack.ports.claim(services.admin(name))
            self.environment(name)  # makes its secrets
        self.stack.ports.claim("gateway")
        for folder in ("data", "account"):
            (self.dir / folder).mkdir(mode=0o700)
            os.chown(self.dir / folder, UID, UID)
        self._own()

    def environment(self, name):
        """As the stack gives it, but for what the image knows better."""
        given = services.environment(self.stack, name)
        return {k: v for k, v in given.items()
                if k not in ("PATH", "HOME", "TELEVISIT_WEB_DIR")}

    def start_store(self, name):
        if name == "postgres":
            secret = self.stack.vault.path(f"postgres-{postgres.ROLE}")
            self.podman.run(
                name, "dev-postgres", "-c", "listen_addresses=127.0.0.1",
                options=[f"--volume={self.dir}/data:/var/lib/postgresql/data",
                         f"--volume={secret}:/run/secrets/televisit/password:ro"],
                environment={"POSTGRES_USER": postgres.ROLE, "POSTGRES_DB": postgres.DATABASE,
                             "POSTGRES_PORT": self.stack.ports["postgres"]})
        else:
            part = parts.find(name)
            self.podman.run(name, f"dev-{name}", *part.command(self.stack)[1:],
                            options=[self._mount])

    def start(self, name):
        begin = time.monotonic()
        if name in STORES:
            self.start_store(name)
        else:
            self.podman.run(name, name, options=[self._mount], environment=self.environment(name))
        self.wait(name)
        pid = self.podman.state(name)["Pid"]
        must_be_confined(name, pid)
        print(f"  {name:<14}{time.monotonic() - begin:>6.2f} s to ready {memory_mb(pid):>8.1f} MB",
              flush=True)

    def must_be_of_the_version(self, name):
        says = self.podman.run(f"{name}-version", name, "--version", detach=False).strip()
        if says != f"{name} {self.podman.version}":
            raise Fault(f"the image {name}:{self.podman.version} has another program: {says}")

    def wait(self, name):
        part = parts.find(name)
        deadline = time.monotonic() + READY_S
        while why := part.not_ready(self.stack):
            state = self.podman.state(name)
            if not state["Running"] or time.monotonic() > deadline:
                raise Fault(f"{name} is not ready ({why}), exit status {state['ExitCode']}:\n"
                            f"{self.podman.logs(name)}")
            time.sleep(0.02)  # between two looks

    def command(self, *words, given=None):
        """One command of appointments."""
        return self.podman.run("appointments-" + words[0], "appointments", *words, detach=False,
                               options=[self._mount], environment=self.environment("appointments"),
                               given=given)

    def settle(self):
        """A clinic and its people, as an operator makes them."""
        self.command("add-clinic", "--slug", CLINIC, "--name", "A clinic", "--time-zone", "UTC")
        account = {"clinic": CLINIC}
        for role in ("patient", "doctor", "staff"):
            email, password = f"{role}@try.example", secrets.token_urlsafe(16)
            self.command("add-person", "--clinic", CLINIC, "--role", role, "--name", role,
                         "--email", email, given=password + "\n")
            account[role] = {"email": email, "password": password}
        path = self.dir / "account" / "account.json"
        path.write_text(json.dumps(account))
        os.chown(path, UID, UID)

    def check(self):
        url = f"http://127.0.0.1:{self.stack.ports['gateway']}"
        said = self.podman.run("check", "check", detach=False, environment={"TELEVISIT_URL": url},
                               options=[f"--volume={self.dir}/account:/run/secrets/televisit:ro"])
        print(said, end="")

    def end(self):
        for name in reversed(self.podman.names):
            status = self.podman.end(name)
            # LiveKit and NATS tell how they were ended.
            if status != 0 and name in (*services.NAMES, "postgres"):
                raise Fault(f"{name} ended with {status}:\n{self.podman.logs(name)}")


def must_be_confined(name, pid):
    """What the kernel itself says of the container's first process."""
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = {key: value.split() for key, _, value in (row.partition(":") for row in rows)}
    mounts = [row.split() for row in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()]
    root = [row for row in mounts if row[4] == "/"][-1]
    writable = [row[4] for row in mounts if "rw" in row[5].split(",")
                and not row[4].startswith(("/proc", "/dev", "/sys"))]
    for what, holds in (
            ("runs as another user", status["Uid"] == [str(UID)] * 4),
            ("runs in another group", status["Gid"] == [str(UID)] * 4),
            ("has capabilities", all(int(status[c][0], 16) == 0 for c in ("CapEff", "CapPrm"))),
            ("may gain privileges", status["NoNewPrivs"] == ["1"]),
            ("has a writable root", "ro" in root[5].split(",")),
            (f"may write {writable}", len(writable) <= (name == "postgres"))):
        if not holds:
            raise Fault(f"{name} {what}")


def memory_mb(pid):
    """Of a process and its children; pages that several share are counted once."""
    kb = next(int(line.split()[1]) for line in
              Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:"))
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return kb / 1024 + sum(memory_mb(child) for child in children)


def run(version, directory):
    attempt = Try(version, directory)
    try:
        attempt.prepare()
        for name in STORES:
            attempt.start(name)
        for name in services.NAMES:
            attempt.must_be_of_the_version(name)
        attempt.command("migrate")
        for name in services.NAMES:
            attempt.start(name)
        attempt.settle()
        for _ in range(2):
            attempt.check()
        attempt.end()
    finally:
        attempt.podman.remove_all()
    print("each ran as user 10001 with a read-only root and was ready, and ended as asked")


def main():
    if os.geteuid() != 0 or not shutil.which("podman"):
        print("try: it needs root and podman: make deps DEPS=cluster", file=sys.stderr)
        return 1
    if "IMAGES_INSIDE" not in os.environ:  # the mounts are ours and end with us, as in build.sh
        os.environ["IMAGES_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable,
                              "-B", *sys.argv])
    PLACE.mkdir(parents=True, exist_ok=True)
    lock = open(PLACE / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("try: images are being built", file=sys.stderr)
        return 1
    with lock, tempfile.TemporaryDirectory(prefix="try-", dir=PLACE) as directory:
        os.chmod(directory, 0o755)
        try:
            run(sys.argv[1], Path(directory))
        except Fault as fault:
            print(f"try: {fault}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
