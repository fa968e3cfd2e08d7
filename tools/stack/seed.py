"""A demo clinic: people by SQL, for nobody may create them from outside yet; appointments through
the gateway (visits.py)."""

import json
import subprocess

from . import postgres, services, visits
from .layout import TEMPLATES, Stack
from .tell import Fault, say
from .vault import demo_password

_DEMO = json.loads((TEMPLATES / "demo.json").read_text())
CLINIC = _DEMO["clinic"]
PEOPLE = _DEMO["people"]
_SOWN = "demo-is-sown"
_HAS_VISITS = "demo-has-visits"


def password(stack: Stack) -> str:
    return stack.vault.text("demo-password", demo_password)


def is_sown(stack: Stack) -> bool:
    return (stack.dir / _SOWN).exists()


def sow(stack: Stack, with_visits: bool = False) -> None:
    """Makes the clinic when there is none, and its visits when they have gone by; `with_visits`:
    once also those of the days before and after."""
    if not is_sown(stack):
        postgres.sql(stack, (TEMPLATES / "seed.sql").read_text(),
                     {"demo": json.dumps(_DEMO), "password_hash": _hash(stack)})
        (stack.dir / _SOWN).touch()
        say(f"  the clinic {CLINIC['slug']} has {len(PEOPLE)} people")
    clinic = visits.Clinic(stack, CLINIC, PEOPLE, password(stack))
    if with_visits and not (stack.dir / _HAS_VISITS).exists():
        clinic.book_days()
        (stack.dir / _HAS_VISITS).touch()
    clinic.book_now()


def _hash(stack: Stack) -> str:
    """The service itself makes the hash, so that its cost is the service's."""
    done = subprocess.run([str(stack.binary("appointments")), "hash-password"],
                          input=password(stack), text=True, capture_output=True, check=False,
                          cwd="/", env=services.environment(stack, "appointments"))
    if done.returncode != 0 or not done.stdout.startswith("$argon2id$"):
        raise Fault(f"appointments hash-password failed: {done.stderr.strip()}")
    return done.stdout.strip()
