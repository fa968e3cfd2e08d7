"""The clock that all services go by is tv.tv_now() in the database, and a test may move it.

It is moved by replacing the function, so no service knows of it and none has a hook for it. The
replacement lives in this database only; the migrations never make it, and `reset` brings back the
function of the migrations.
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
    """The offset is reckoned once, so the moved clock runs on as evenly as the true one. In
    seconds: a day of an interval may have 23 or 25 hours. What the function is besides its body
    stays as the migrations made it, above all that the planner can inline it."""
    run.ask_sql(stack, f"""
        DO $move$
        DECLARE
            seconds numeric := extract(epoch FROM {offset});
            made text := pg_get_functiondef('tv.tv_now()'::regprocedure);
            body text := 'SELECT clock_timestamp()';
        BEGIN
            IF seconds <> 0 THEN
                body := body || format(' + interval %L', seconds || ' seconds');
            END IF;
            made := regexp_replace(made, 'AS \\$function\\$.*', format('AS %L', body));
            EXECUTE made;
        END
        $move$""")
