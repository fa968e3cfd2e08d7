"""NATS of the stack: with TLS, and for each user a key and an allow-list."""

import http.client
import os
import re
import shutil
from pathlib import Path
from string import Template

from . import certificates
from .layout import NATS_ACCOUNTS, TEMPLATES, Stack
from .nkeys import make_nkey
from .tell import Fault
from .vault import write_private

# Certificates are for names, not for addresses: libnats compares nothing else.
HOST = "localhost"


def prepare(stack: Stack) -> None:
    if not shutil.which("nats-server", path=search_path()):
        raise Fault("nats-server is missing: install the package nats-server, or run `make deps`")
    secrets = stack.vault.directory()
    certificates.make_authority(secrets)
    certificates.make_server_certificate(secrets, [HOST, "127.0.0.1"])
    template = Template((TEMPLATES / "nats.conf").read_text())
    write_private(stack.dir / "nats.conf", template.substitute(
        port=stack.ports.claim("nats"), monitor_port=stack.ports.claim("nats-monitor"),
        secrets=secrets))
    write_private(stack.dir / "nats-accounts.conf", _accounts())
    write_private(stack.dir / "nats-keys.conf", "".join(
        f"NKEY_{user.upper()}: {nkey_file(stack, user).read_text().split()[1]}\n"
        for user in users()))


def _accounts() -> str:
    if not NATS_ACCOUNTS.exists():
        raise Fault(f"{NATS_ACCOUNTS} is missing: run `make gen`")
    return NATS_ACCOUNTS.read_text()


def users() -> list[str]:
    """All that the accounts know, in their order."""
    return [name.lower() for name in re.findall(r"nkey: \$NKEY_(\w+)", _accounts())]


def nkey_file(stack: Stack, user: str) -> Path:
    """Seed and public key, a line each, as the services read them."""
    return stack.vault.path(f"nats-{user}.nkey", lambda: "\n".join(make_nkey()))


def ca_file(stack: Stack) -> Path:
    return stack.vault.directory() / "ca.crt"


def url(stack: Stack) -> str:
    return f"tls://{HOST}:{stack.ports['nats']}"


def search_path() -> str:
    """Debian puts servers into /usr/sbin, which an ordinary user's PATH lacks."""
    return os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin"


def command(stack: Stack) -> list[str]:
    return [shutil.which("nats-server", path=search_path()) or "nats-server",
            "-c", str(stack.dir / "nats.conf")]


def environment(_stack: Stack) -> dict[str, str]:
    # A handful of clients on one machine: one processor is plenty, and a server that does not
    # spread itself over all of them answers sooner and costs a quarter less.
    return {"GOMAXPROCS": "1"}


def not_ready(stack: Stack) -> str | None:
    return http_not_ready(stack.ports["nats-monitor"], "/healthz")


def http_not_ready(port: int, path: str) -> str | None:
    """None when the address answers 200, else why not, in one line."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as fault:
        return f"{path} on port {port}: {fault}"
    finally:
        connection.close()
    if answer.status == 200:
        return None
    return f"{path} answers {answer.status}: " + "; ".join(body.split("\n")).strip("; ")
