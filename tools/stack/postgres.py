"""The stack's own PostgreSQL cluster. Never as root: as user postgres then, else as oneself."""

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

from .layout import TEMPLATES, Stack
from .processes import POLL_S, as_user, at_work_in
from .tell import Fault

DATABASE = "televisit"
ROLE = "appointments"
SUPERUSER = "postgres"
# A socket's whole path must fit into sockaddr_un.
_SOCKET_DIR_MAX = 90
_BACKENDS_GONE_S = 10.0


def bin_dir() -> Path:
    """Where initdb and postgres are: Debian keeps them out of PATH, one folder per version."""
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    found.sort(key=lambda p: int(p.parent.name) if p.parent.name.isdecimal() else 0)
    in_path = shutil.which("initdb")
    if in_path:
        found.append(Path(in_path).resolve().parent)
    if not found:
        raise Fault("PostgreSQL is missing (initdb): install the package postgresql, "
                    "or run `make deps`")
    return found[-1]


def user() -> str | None:
    """As whom the server runs; None: as oneself."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam("postgres")
    except KeyError as missing:
        raise Fault("PostgreSQL does not run as root, and there is no user postgres: install the "
                    "package postgresql, or run as an ordinary user") from missing
    return "postgres"


def prepare(stack: Stack) -> None:
    port = stack.ports.claim("postgres")
    data = stack.dir / "postgres"
    if not (data / "PG_VERSION").exists():
        _create_cluster(stack, data)
    _check_version(data)
    _clear_after_crash(data)
    _write_owned(data / "pg_hba.conf", (TEMPLATES / "pg_hba.conf").read_text())
    _write_owned(data / "stack.conf", (TEMPLATES / "postgres.conf").read_text())
    host = f"127.0.0.1:{port}"
    stack.vault.refresh("database-url", f"postgresql://{ROLE}:{_password(stack, ROLE)}@{host}"
                                        f"/{DATABASE}?sslmode=disable")  # loopback


def _check_version(data: Path) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    have = bin_dir()
    if have.parent.name.isdecimal() and have.parent.name != made_by:
        raise Fault(f"the data in {data} is of PostgreSQL {made_by}, the installed one is "
                    f"{have.parent.name}: `make reset` begins anew")


def _clear_after_crash(data: Path) -> None:
    """A killed server leaves its lock file, and backends that take a moment to notice. PostgreSQL
    judges the lock by the pid alone, which may live on as a zombie or as somebody else."""
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    deadline = time.monotonic() + _BACKENDS_GONE_S
    while left := at_work_in(data):
        if time.monotonic() > deadline:
            raise Fault(f"PostgreSQL processes of an earlier run still work in {data}: end "
                        f"{', '.join(map(str, left))}")
        time.sleep(POLL_S)
    for stale in (lock, *data.glob(".s.PGSQL.*")):
        stale.unlink(missing_ok=True)


def _password(stack: Stack, role: str) -> str:
    return stack.vault.text(f"postgres-{role}")


def _create_cluster(stack: Stack, data: Path) -> None:
    """Beside its place first, so that a cluster is either whole or not there."""
    draft = data.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    owner = user()
    if owner:
        shutil.chown(draft, owner, owner)
        reach = subprocess.run(["test", "-w", str(draft)], check=False, **as_user(owner))
        if reach.returncode != 0:
            raise Fault(f"PostgreSQL does not run as root, and user {owner} cannot reach "
                        f"{stack.dir}: run as an ordinary user, or elsewhere: "
                        "STACK_DIR=/var/tmp/televisit make up")
    binaries = bin_dir()
    _run([str(binaries / "initdb"), "-D", str(draft), "-U", SUPERUSER, "-E", "UTF8",
          "--locale=C.UTF-8", "--auth=reject", "--data-checksums", "--no-instructions"], "", owner)
    # With no server yet, nobody can look in before the passwords are set.
    setup = (f"ALTER ROLE {SUPERUSER} PASSWORD '{_password(stack, SUPERUSER)}'\n"
             f"CREATE ROLE {ROLE} LOGIN PASSWORD '{_password(stack, ROLE)}'\n"
             f"CREATE DATABASE {DATABASE} OWNER {ROLE}\n")
    _run([str(binaries / "postgres"), "--single", "-D", str(draft),
          "postgres"], setup, owner)
    draft.rename(data)


def _run(argv: list[str], text: str, owner: str | None) -> None:
    done = subprocess.run(argv, input=text, text=True, capture_output=True, check=False, cwd="/",
                          env=_environment(), **as_user(owner))
    errors = [line for line in done.stderr.splitlines() if "ERROR" in line or "FATAL" in line]
    if done.returncode != 0 or errors:
        reason = errors or done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise Fault(f"{Path(argv[0]).name} failed: {reason[0]}")


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _write_owned(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    owner = user()
    if owner:
        shutil.chown(path, owner, owner)


def command(stack: Stack) -> list[str]:
    data = stack.dir / "postgres"
    # The socket lies in the data folder, which only its owner enters.
    socket_dir = str(data) if len(str(data)) <= _SOCKET_DIR_MAX else ""
    return [str(bin_dir() / "postgres"), "-D", str(data),
            "-c", f"config_file={data}/stack.conf", "-c", f"port={stack.ports['postgres']}",
            "-c", f"unix_socket_directories={socket_dir}"]


def environment(_stack: Stack) -> dict[str, str]:
    return _environment()


def not_ready(stack: Stack) -> str | None:
    done = subprocess.run([str(bin_dir() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p",
                           str(stack.ports["postgres"]), "-U", SUPERUSER, "-t", "1"],
                          check=False)
    return None if done.returncode == 0 else "it takes no connections"


def sql(stack: Stack, text: str, variables: dict[str, str] | None = None,
        role: str = ROLE) -> str:
    """Runs SQL in one transaction; gives the rows, unaligned, fields parted by a tab. `:'name'`
    in the text stands for a variable."""
    environment = _environment() | {"PGPASSWORD": _password(stack, role), "PGCONNECT_TIMEOUT": "5"}
    settings = [f"--set={name}={value}" for name, value in (variables or {}).items()]
    done = subprocess.run(
        [str(bin_dir() / "psql"), "-X", "-q", "-A", "-t", "-1", "-F", "\t", "-h", "127.0.0.1",
         "-p", str(stack.ports["postgres"]), "-U", role, "-d", DATABASE,
         "--set=ON_ERROR_STOP=1", *settings, "-f", "-"],
        input=text, text=True, capture_output=True, check=False, env=environment)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["psql failed"]
        raise Fault(f"SQL failed: {lines[0]}")
    return done.stdout.strip()
