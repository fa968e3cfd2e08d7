-- What every later step and every statement may use: the clock, errors, local time.

CREATE SCHEMA IF NOT EXISTS tv;

-- Exclusion constraints over an id (=) and a range (&&).
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- The one clock (docs/adr/0004-one-clock.md): windows and due times are judged by it and by no
-- other. It is a function so that a development tool can put an offset into it with CREATE OR
-- REPLACE FUNCTION, which also makes cached plans call the new body. A SQL function of one
-- expression is inlined by the planner, so here it costs nothing.
--
-- It moves while a statement runs. A statement that asks more than once therefore begins with
-- `clock AS MATERIALIZED (SELECT tv.tv_now() AS now)`.
CREATE FUNCTION tv.tv_now() RETURNS timestamptz
    LANGUAGE sql VOLATILE PARALLEL SAFE
    AS 'SELECT clock_timestamp()';

-- Ends the statement, and the unit it belongs to, with an error of lib/err.h: SQLSTATE TV<http>,
-- the slug as message, and as detail what a person may see. It never returns; the boolean is there
-- so that it fits into CASE and WHERE.
CREATE FUNCTION tv.fail(slug text, detail text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    AS $$
DECLARE
    http text := CASE slug
        WHEN 'invalid' THEN '422'
        WHEN 'unauthenticated' THEN '401'
        WHEN 'session-expired' THEN '401'
        WHEN 'forbidden' THEN '403'
        WHEN 'not-found' THEN '404'
        WHEN 'conflict' THEN '409'
        WHEN 'slot-taken' THEN '409'
        WHEN 'illegal-transition' THEN '409'
        WHEN 'gone' THEN '410'
        WHEN 'stale' THEN '412'
        WHEN 'idempotency-key-reused' THEN '422'
    END;
BEGIN
    IF http IS NULL THEN
        RAISE EXCEPTION 'tv.fail: no such slug: %', slug;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'TV' || http, MESSAGE = slug, DETAIL = detail;
END
$$;

-- The instant of a local time, NULL when the clocks skip it, the first one when they show it
-- twice. AT TIME ZONE answers the second of two; the first is what the offset of before the change
-- makes of it, and three hours earlier is before any change that sets clocks back.
CREATE FUNCTION tv.instant(local timestamp, zone text) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT min(candidate.at)
    FROM (SELECT local AT TIME ZONE zone AS at) usual
    CROSS JOIN LATERAL (SELECT usual.at - interval '3 hours' AS at) before
    CROSS JOIN LATERAL (
        VALUES (usual.at),
               ((local - ((before.at AT TIME ZONE zone) - (before.at AT TIME ZONE 'UTC')))
                   AT TIME ZONE 'UTC')
    ) candidate (at)
    WHERE candidate.at AT TIME ZONE zone = local
$$;
