-- Writes what an observation has changed in the call record of an appointment, and what follows
-- from it: :change is a BookChange. :clinic_id, :appointment_id, and what it was computed from:
-- :version, :generation, :call_rev. :event_id (NULL: it was no event), its :event_room_sid,
-- :event_sid, :event_type and :event_at. One row: told (entries, then hints), due_now. No row: it
-- was changed meanwhile.
-- The appointment is locked first, its calls and people under its lock, then jobs, then heads.
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
change AS MATERIALIZED (SELECT :change::jsonb AS j),
changed AS (
    UPDATE tv.appointment a
    SET call_rev = a.call_rev + 1,
        generation = a.generation + (change.j->>'nextGeneration')::boolean::integer
    FROM change
    WHERE (a.clinic_id, a.id) = (:clinic_id::uuid, :appointment_id::uuid)
        AND (a.version, a.generation, a.call_rev)
            = (:version::integer, :generation::integer, :call_rev::integer)
    RETURNING a.*
),
calls AS (
    INSERT INTO tv.call AS c (clinic_id, room_sid, appointment_id, generation, started_at,
                              started_by, over_at, over_by, lost_at, snapshot_at)
    SELECT a.clinic_id, n."roomSid", a.id, n.generation, n."startedAt", n."startedBy", n."overAt",
           nullif(n."overBy", 'UNSPECIFIED'), n."lostAt", n."snapshotAt"
    FROM changed a, change, jsonb_to_recordset(change.j->'calls') AS n (
        "roomSid" text, generation integer, "startedAt" timestamptz, "startedBy" text,
        "overAt" timestamptz, "overBy" text, "lostAt" timestamptz, "snapshotAt" timestamptz)
    ON CONFLICT (clinic_id, room_sid) DO UPDATE
    SET started_at = excluded.started_at,
        started_by = excluded.started_by,
        over_at = excluded.over_at,
        over_by = excluded.over_by,
        lost_at = excluded.lost_at,
        snapshot_at = excluded.snapshot_at
    WHERE c.appointment_id = excluded.appointment_id
        AND (c.started_at, c.started_by, c.over_at, c.over_by, c.lost_at, c.snapshot_at)
            IS DISTINCT FROM (excluded.started_at, excluded.started_by, excluded.over_at,
                              excluded.over_by, excluded.lost_at, excluded.snapshot_at)
    RETURNING 1
),
presences AS (
    INSERT INTO tv.presence AS p (clinic_id, sid, room_sid, identity, joined_at, joined_by, seen_at,
                                  gone_at, left_at, left_by, reason)
    SELECT a.clinic_id, n.sid, n."roomSid", n.identity, n."joinedAt", n."joinedBy", n."seenAt",
           n."goneAt", n."leftAt", nullif(n."leftBy", 'UNSPECIFIED'), n.reason
    FROM changed a, change, jsonb_to_recordset(change.j->'presences') AS n (
        "roomSid" text, sid text, identity text, "joinedAt" timestamptz, "joinedBy" text,
        "leftAt" timestamptz, "leftBy" text, "seenAt" timestamptz, "goneAt" timestamptz,
        reason text)
    ON CONFLICT (clinic_id, sid) DO UPDATE
    SET joined_at = excluded.joined_at,
        joined_by = excluded.joined_by,
        seen_at = excluded.seen_at,
        gone_at = excluded.gone_at,
        left_at = excluded.left_at,
        left_by = excluded.left_by,
        reason = excluded.reason
    WHERE p.room_sid = excluded.room_sid
        AND (p.joined_at, p.joined_by, p.seen_at, p.gone_at, p.left_at, p.left_by, p.reason)
            IS DISTINCT FROM (excluded.joined_at, excluded.joined_by, excluded.seen_at,
                              excluded.gone_at, excluded.left_at, excluded.left_by,
                              excluded.reason)
    RETURNING 1
),
recorded AS (
    INSERT INTO tv.call_event (clinic_id, id, room_sid, sid, type, at, recorded_at)
    SELECT a.clinic_id, :event_id::text, :event_room_sid::text, :event_sid::text,
           :event_type::text, :event_at::timestamptz, clock.now
    FROM changed a, clock
    WHERE :event_id::text IS NOT NULL
    ON CONFLICT (clinic_id, id) DO NOTHING
),
-- Somebody who is in has not missed anything any more.
people AS (
    UPDATE tv.participant p
    SET in_call_since = n."inCallSince",
        left_call_at = n."leftCallAt",
        media_missed_at = CASE WHEN n."inCallSince" IS NULL THEN p.media_missed_at END
    FROM changed a, change, jsonb_to_recordset(change.j->'people') AS n (
        id uuid, "inCallSince" timestamptz, "leftCallAt" timestamptz)
    WHERE (p.clinic_id, p.appointment_id, p.id) = (a.clinic_id, a.id, n.id)
    RETURNING 1
),
-- Most events ask for a job that waits already, or is being done: that is enough, but for who came
-- in while it was being done.
jobs AS (
    INSERT INTO tv.job AS j (clinic_id, kind, appointment_id, key, run_at, created_at)
    SELECT a.clinic_id, n.kind, a.id, n.key, clock.now + n."inMs" * interval '1 millisecond',
           clock.now
    FROM changed a
    CROSS JOIN clock
    CROSS JOIN change
    CROSS JOIN LATERAL jsonb_to_recordset(change.j->'jobs') AS n (
        kind text, key text, "inMs" integer, "onceMore" boolean)
    -- LATERAL with LIMIT: found by its key, however many jobs wait.
    LEFT JOIN LATERAL (
        SELECT w.lease, w.run_at, true AS waits FROM tv.job w
        WHERE (w.kind, w.key) = (n.kind, n.key) AND w.state = 'waiting'
        LIMIT 1) w ON true
    WHERE (SELECT count(*) FROM calls) + (SELECT count(*) FROM presences)
            + (SELECT count(*) FROM people) >= 0
        AND CASE WHEN w.waits IS NULL THEN true
                 WHEN w.lease IS NULL
                     THEN w.run_at > clock.now + n."inMs" * interval '1 millisecond'
                 ELSE n."onceMore" END
    ORDER BY n.kind, n.key
    -- include: job_again.sql
    RETURNING j.lease, j.run_at
),
asked AS MATERIALIZED (
    SELECT n.value->>'type' AS type, (n.value->>'nth')::integer AS nth,
           nullif(n.value->>'actorId', '')::uuid AS actor_id, n.value->'personIds' AS person_ids,
           n.place
    FROM change, jsonb_array_elements(change.j->'notices') WITH ORDINALITY AS n (value, place)
),
news AS (
    INSERT INTO tv.event (clinic_id, appointment_id, version, type, nth, actor_id, occurred_at,
                          starts_at, opens_at, closes_at, time_zone)
    SELECT a.clinic_id, a.id, a.version, asked.type, asked.nth, asked.actor_id, clock.now,
           a.starts_at, a.opens_at, a.closes_at, a.time_zone
    FROM changed a, clock, asked
    RETURNING *
),
notice AS (
    SELECT e.clinic_id, p.id::uuid AS person_id, e.id AS event_id, asked.place AS nth
    FROM news e
    JOIN asked ON (asked.type, asked.nth) = (e.type, e.nth)
    CROSS JOIN jsonb_array_elements_text(asked.person_ids) AS p (id)
    WHERE (SELECT count(*) FROM jobs) >= 0
),
-- Of who is in the call all learn who take part, though by a hint only: one that gets lost is made
-- up for when a page asks again.
hints AS (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'seq', 0,
               'type', 'appointment.changed',
               'clinicId', a.clinic_id,
               'personId', p.person_id,
               'appointmentId', a.id,
               'appointmentVersion', a.version,
               'occurredAt', clock.now) ORDER BY p.person_id), '[]') AS told
    FROM changed a
    CROSS JOIN clock
    CROSS JOIN change
    JOIN tv.participant p ON (p.clinic_id, p.appointment_id) = (a.clinic_id, a.id)
    WHERE (change.j->>'hint')::boolean
        AND NOT EXISTS (SELECT FROM notice n WHERE n.person_id = p.person_id)
),
-- include: fan_out.sql
SELECT told.told::jsonb || hints.told AS told,
       EXISTS (SELECT FROM jobs WHERE lease IS NULL AND run_at <= clock.now) AS due_now
FROM changed CROSS JOIN clock CROSS JOIN told CROSS JOIN hints;
