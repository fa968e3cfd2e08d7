"""The clock that all services go by is tv.tv_now() in the database, and a test may move it.

It is moved by replacing the function, so no service knows of it and none has a hook for it. The
replacement lives in this database only; the migrations never make it, and `reset` restores the
function as the migrations made it.
"""

import re

from . import run
from .layout import Stack
from .tell import Fault

_NOW = """
    SELECT to_char(now AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        round(extract(epoch FROM now - clock_timestamp()) * 1000)
    FROM (SELECT tv.tv_now() AS now) AS clock"""
_DURATION = re.compile(r"[+-]?P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def command(stack: Stack, shift: str | None) -> dict:
    """Moves the clock as asked; tells the time that the services have now, and how far it is ahead
    of the true one."""
    if shift is None:
        pass
    elif shift == "reset":
        _set(stack, "interval '0'")
    elif _DURATION.fullmatch(shift):
        sign = "-" if shift.startswith("-") else "+"
        _set(stack, f"tv.tv_now() - clock_timestamp() {sign} interval '{shift.lstrip('+-')}'")
    elif _TIME.fullmatch(shift):
        _set(stack, f"timestamptz '{shift}' - clock_timestamp()")
    else:
        raise Fault(f"{shift!r} is no way to move the clock: +PT2H, -PT90S, "
                    "2027-01-31T13:29:58Z or reset")
    now, offset_ms = run.ask_sql(stack, _NOW).split("\t")
    return {"now": now, "offsetMs": int(offset_ms)}


def _set(stack: Stack, offset: str) -> None:
    """The offset is reckoned once, so the moved clock runs on as evenly as the true one. What the
    function is besides its body (language, volatility, owner) stays as it was."""
    run.ask_sql(stack, f"""
        DO $move$
        DECLARE
            shift interval := {offset};
            kind record;
        BEGIN
            SELECT l.lanname, p.provolatile INTO STRICT kind
            FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
            WHERE p.oid = 'tv.tv_now()'::regprocedure;
            EXECUTE format(
                'CREATE OR REPLACE FUNCTION tv.tv_now() RETURNS timestamptz LANGUAGE sql %s AS %L',
                CASE kind.provolatile WHEN 'v' THEN 'VOLATILE' ELSE 'STABLE' END,
                format('SELECT clock_timestamp() + interval %L', shift));
        END
        $move$""")
