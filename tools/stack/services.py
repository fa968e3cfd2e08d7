"""Our four services: what each is given in its environment."""

import os
from types import MappingProxyType

from . import livekit, nats
from .layout import WEB, Stack
from .nats import http_not_ready
from .tell import Fault
from .vault import session_key

NAMES = ("appointments", "tokens", "notifier", "gateway")
# Left as the person has set them, for debugging and for the sanitizers.
_PASSED_ON = ("PATH", "HOME", "TELEVISIT_LOG_LEVEL", "ASAN_OPTIONS", "UBSAN_OPTIONS",
              "LSAN_OPTIONS", "TSAN_OPTIONS")


def kind_of(name: str) -> str:
    """notifier-2 is one more notifier."""
    return name.partition("-")[0]


def public_url(stack: Stack) -> str:
    return f"http://localhost:{stack.ports['gateway']}"


def _appointments(stack: Stack, _name: str) -> dict[str, str]:
    return {"DATABASE_URL_FILE": str(stack.vault.path("database-url")),
            "TELEVISIT_GRANT_KEY_FILE": str(stack.vault.path("grant-key"))}


def livekit_url(stack: Stack) -> str:
    """As browsers get it."""
    return f"ws://localhost:{stack.ports['livekit']}"


def _tokens(stack: Stack, _name: str) -> dict[str, str]:
    return {"LIVEKIT_URL": livekit_url(stack),
            "LIVEKIT_API_URL": f"http://127.0.0.1:{stack.ports['livekit']}",
            "LIVEKIT_API_KEY": livekit.key(stack),
            "LIVEKIT_API_SECRET_FILE": str(stack.vault.path("livekit-secret")),
            "TELEVISIT_GRANT_KEY_FILE": str(stack.vault.path("grant-key"))}


def _notifier(_stack: Stack, _name: str) -> dict[str, str]:
    return {}


def _gateway(stack: Stack, name: str) -> dict[str, str]:
    return {"TELEVISIT_HTTP_ADDRESS": f"127.0.0.1:{stack.ports[name]}",
            "TELEVISIT_SESSION_KEY_FILE": str(stack.vault.path("session-key", session_key)),
            "TELEVISIT_PUBLIC_URL": public_url(stack),
            "LIVEKIT_URL": livekit_url(stack)} | _web()


def _web() -> dict[str, str]:
    """The web app, when it is built (`make web`)."""
    return {"TELEVISIT_WEB_DIR": str(WEB)} if (WEB / "index.html").exists() else {}


def has_web(stack: Stack) -> bool:
    """Whether the gateway of this stack is given a web app."""
    return bool(environment(stack, "gateway").get("TELEVISIT_WEB_DIR"))


_OWN = MappingProxyType({"appointments": _appointments, "tokens": _tokens,
                         "notifier": _notifier, "gateway": _gateway})


def environment(stack: Stack, name: str) -> dict[str, str]:
    kind = kind_of(name)
    passed_on = {k: os.environ[k] for k in _PASSED_ON if k in os.environ}
    common = {"NATS_URL": nats.url(stack), "NATS_CA_FILE": str(nats.ca_file(stack)),
              "NATS_NKEY_FILE": str(nats.nkey_file(stack, kind)),
              "TELEVISIT_ADMIN_ADDRESS": f"127.0.0.1:{stack.ports[admin(name)]}"}
    given = stack.settings.environment
    return passed_on | common | _OWN[kind](stack, name) | given.get(kind, {}) | given.get(name, {})


def admin(name: str) -> str:
    """The name of a part's private port."""
    return f"{name}-admin"


def must_be_built(stack: Stack, kind: str) -> None:
    binary = stack.binary(kind)
    if not binary.exists():
        raise Fault(f"{binary} is missing: run `make all VARIANT={stack.settings.variant}`")


def prepare(stack: Stack, name: str) -> None:
    must_be_built(stack, kind_of(name))
    stack.ports.claim(admin(name))
    if kind_of(name) == "gateway":
        stack.ports.claim(name)


def command(stack: Stack, name: str) -> list[str]:
    return [str(stack.binary(kind_of(name)))]


def not_ready(stack: Stack, name: str) -> str | None:
    return http_not_ready(stack.ports[admin(name)], "/readyz")

