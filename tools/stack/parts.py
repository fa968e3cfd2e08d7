"""The table of parts: what a stack is made of, and in which order it is started and ended."""

import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from . import livekit, nats, postgres, services
from .layout import Stack
from .tell import Fault


@dataclass(frozen=True)
class Part:
    """`not_ready` says why it is not ready, or None. Stage by stage they are started, all of one
    stage together, and ended the other way round by `stop`, which is sent again after `insist_s`
    where once is not enough."""
    name: str
    stage: int
    prepare: Callable[[Stack], None]
    command: Callable[[Stack], list[str]]
    environment: Callable[[Stack], dict[str, str]]
    not_ready: Callable[[Stack], str | None]
    user: Callable[[], str | None] = lambda: None
    stop: int = signal.SIGTERM
    insist_s: float | None = None


def _store(name: str, module, **more) -> Part:
    return Part(name, 0, module.prepare, module.command, module.environment, module.not_ready,
                **more)


def _service(name: str) -> Part:
    # The gateway is ended first: it lets those inside finish while the others still answer.
    stage = 2 if services.kind_of(name) == "gateway" else 1
    return Part(name, stage, partial(services.prepare, name=name),
                partial(services.command, name=name), partial(services.environment, name=name),
                partial(services.not_ready, name=name))


# SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for its clients to leave. LiveKit drains
# for as long as somebody is in a call, unless it is told twice.
STORES = {part.name: part for part in (
    _store("postgres", postgres, user=postgres.user, stop=signal.SIGINT),
    _store("nats", nats),
    _store("livekit", livekit, insist_s=0.5),
)}
ALL = (*STORES, *services.NAMES)
_SERVICE = re.compile(f"({'|'.join(services.NAMES)})(-([2-9]|[1-9][0-9]))?")


def find(name: str) -> Part:
    """The part of a name; notifier-2 to notifier-99 are further notifiers."""
    if name in STORES:
        return STORES[name]
    if not _SERVICE.fullmatch(name):
        raise Fault(f"there is no part {name!r}: {', '.join(ALL)}, and more of a service as "
                    "notifier-2")
    return _service(name)
