"""LiveKit of the stack: one server, loopback only, with keys of its own."""

import secrets
from string import Template

from .layout import LIVEKIT, TEMPLATES, Stack
from .nats import http_not_ready
from .tell import Fault
from .vault import write_private


def key(stack: Stack) -> str:
    return stack.vault.text("livekit-key", lambda: "dev" + secrets.token_hex(6))


def prepare(stack: Stack) -> None:
    if not LIVEKIT.exists():
        raise Fault("LiveKit is missing (build/tools/livekit-server): run tools/livekit.sh")
    # As LIVEKIT_WEBHOOK_KEYS has them: while the key is changed, it knows the old and the new one.
    more = stack.vault.directory() / "livekit-webhook-keys"
    pairs = more.read_text().replace(":", ": ").split("\n") if more.exists() else []
    template = Template((TEMPLATES / "livekit.yaml").read_text())
    write_private(stack.dir / "livekit.yaml", template.substitute(
        port=stack.ports.claim("livekit"), udp_port=stack.ports.claim("livekit-udp"),
        # It tells the gateway what happens in its rooms, and the gateway starts later.
        gateway_port=stack.ports.foresee("gateway"),
        more_keys="".join(f", {pair}" for pair in pairs if pair),
        key=key(stack), secret=stack.vault.text("livekit-secret")))


def command(stack: Stack) -> list[str]:
    return [str(LIVEKIT), "--config", str(stack.dir / "livekit.yaml")]


def environment(_stack: Stack) -> dict[str, str]:
    return {}


def not_ready(stack: Stack) -> str | None:
    return http_not_ready(stack.ports["livekit"], "/")
