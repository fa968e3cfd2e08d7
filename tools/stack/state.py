"""What a stack is doing, for people (status) and for programs (info)."""

from . import nats, parts, run, seed, services
from .layout import NATS_ACCOUNTS, Stack


def rows(stack: Stack) -> list[dict]:
    """One row for each part: the standard ones, and those that were started besides."""
    names = list(parts.ALL) + [n for n in stack.processes.names() if n not in parts.ALL]
    return [_row(stack, name) for name in names]


def _row(stack: Stack, name: str) -> dict:
    pid = stack.processes.pid(name)
    why = ""
    if pid:
        why = parts.find(name).not_ready(stack) or ""
        state = "not ready" if why else "ready"
    else:
        record = stack.processes.record(name)
        state = "fallen" if record and record.wanted else "down"
        if state == "fallen":
            why = run.last_line(stack, name)
    return {"part": name, "pid": pid, "state": state, "why": why,
            "log": str(stack.processes.log(name))}


def describe(stack: Stack) -> dict:
    """Everything that a test needs in order to talk to the stack. Secrets are given as files, but
    for the password of the demo accounts."""
    users = nats.users() if NATS_ACCOUNTS.exists() else []
    described = {row["part"]: {k: row[k] for k in ("pid", "state", "log")} for row in rows(stack)}
    for name, part in described.items():
        if name not in parts.STORES and part["pid"]:
            part["adminUrl"] = f"http://127.0.0.1:{stack.ports[services.admin(name)]}"
            if services.kind_of(name) == "gateway":
                part["url"] = f"http://127.0.0.1:{stack.ports[name]}"
    return {
        "dir": str(stack.dir),
        "publicUrl": services.public_url(stack),
        "livekitUrl": services.livekit_url(stack),
        "livekitKey": stack.vault.text("livekit-key"),
        "livekitSecretFile": str(stack.vault.path("livekit-secret")),
        "natsUrl": nats.url(stack),
        "natsCaFile": str(nats.ca_file(stack)),
        "natsNkeyFiles": {user: str(nats.nkey_file(stack, user)) for user in users},
        "databaseUrlFile": str(stack.vault.path("database-url")),
        "parts": described,
        "demo": {"clinic": seed.CLINIC["slug"], "password": seed.password(stack),
                 "people": [{k: p[k] for k in ("role", "name", "email")} for p in seed.PEOPLE]},
    }
