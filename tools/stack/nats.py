"""NATS of the stack: a user with a password and an allow-list for each service."""

import http.client
import json
import os
import shutil
from string import Template

from .layout import ALLOW_LISTS, TEMPLATES, Stack
from .tell import Fault
from .vault import write_private


def prepare(stack: Stack) -> None:
    if not shutil.which("nats-server", path=search_path()):
        raise Fault("nats-server is missing: install the package nats-server, or run `make deps`")
    ports = {"port": stack.ports.claim("nats"), "monitor_port": stack.ports.claim("nats-monitor")}
    template = Template((TEMPLATES / "nats.conf").read_text())
    write_private(stack.dir / "nats.conf", template.substitute(ports))
    write_private(stack.dir / "nats-users.conf", _users(stack))


def _users(stack: Stack) -> str:
    if not ALLOW_LISTS.exists():
        raise Fault(f"{ALLOW_LISTS} is missing: run `make gen`")
    users = []
    for name, permissions in sorted(json.loads(ALLOW_LISTS.read_text())["users"].items()):
        # An empty allow-list would allow everything.
        if not permissions["publish"]["allow"]:
            permissions["publish"] = {"deny": [">"]}
        users.append({"user": name, "password": stack.vault.text(f"nats-{name}"),
                      "permissions": permissions})
    return "authorization: " + json.dumps({"users": users}, indent=2) + "\n"


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
