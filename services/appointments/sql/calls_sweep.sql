-- Compares LiveKit's rooms with the record. :rooms (JSON array of ListedRoom) are all that it had,
-- :age_ms ago, with names after :after up to :last (empty: to the end); :alive_age_ms ago it had
-- its rooms for certain (0: not known). One row of SweepReply comes back.
--   A room that should not be open gets a job that closes it; names that are not ours, and rooms
--     of appointments that are not here, are another installation's.
--   A running call without its room is marked as lost, and looked at by a job.
--   A room of an open call that is gone while somebody was in is wished for, until it is there.
--   A room that should be open, and of which nothing is recorded or which nobody looks after, is
--     looked at by a job.
-- Locks appointments, then calls, then jobs, each in order. Doing it twice changes nothing more.
-- LATERAL with LIMIT: what is looked up is found by its key, however much history there is.
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
asked AS MATERIALIZED (
    SELECT now, now - ms.listed AS listed_at,
           now - greatest(ms.listed, ms.alive) AS alive_at -- lost after that, as far as is known
    FROM clock CROSS JOIN LATERAL (
        SELECT make_interval(secs => least(greatest(:age_ms::bigint, 0), 86400000) / 1000.0)
                   AS listed,
               make_interval(secs => least(greatest(:alive_age_ms::bigint, 0), 86400000) / 1000.0)
                   AS alive) ms
),
-- Ours, as services/appointments/room.c reads names.
listed AS MATERIALIZED (
    SELECT r.room, r."roomSid" AS room_sid, a.clinic_id, a.id AS appointment_id,
           a.status = 'CONFIRMED' AND a.opens_at <= clock.now AND clock.now < a.closes_at
               AND r.room = tv.room_name(a.id, a.generation) AS is_wanted
    FROM json_to_recordset(coalesce(:rooms, '[]')::json) AS r (room text, "roomSid" text)
    CROSS JOIN clock
    JOIN tv.appointment a ON a.id = CASE
        WHEN r.room !~ ('^room_[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}'
                        || '([.]([2-9]|[1-9][0-9]{1,9}))?$') THEN NULL
        WHEN coalesce(nullif(split_part(r.room, '.', 2), '')::bigint, 1) > 2147483647 THEN NULL
        ELSE substr(r.room, 6, 36)::uuid END
),
-- Calls that LiveKit should have listed: we had heard of them before we asked.
missing AS MATERIALIZED (
    SELECT c.clinic_id, c.room_sid, c.appointment_id, c.generation, c.started_at, c.lost_at,
           name.room
    FROM asked
    JOIN tv.call c ON c.over_at IS NULL AND c.recorded_at < asked.listed_at
    CROSS JOIN LATERAL (SELECT tv.room_name(c.appointment_id, c.generation) AS room) name
    WHERE name.room COLLATE "C" > :after
        AND (:last = '' OR name.room COLLATE "C" <= :last)
        AND NOT EXISTS (SELECT FROM listed l WHERE (l.room, l.room_sid) = (name.room, c.room_sid))
),
revised AS MATERIALIZED (
    SELECT a.clinic_id, a.id
    FROM tv.appointment a
    WHERE (a.clinic_id, a.id) IN (
        SELECT m.clinic_id, m.appointment_id FROM missing m WHERE m.lost_at IS NULL)
    ORDER BY a.clinic_id, a.id
    FOR NO KEY UPDATE
),
lost AS (
    UPDATE tv.call c
    SET lost_at = greatest(c.started_at, asked.alive_at)
    FROM asked, missing m
    JOIN revised a ON (a.clinic_id, a.id) = (m.clinic_id, m.appointment_id)
    WHERE (c.clinic_id, c.room_sid) = (m.clinic_id, m.room_sid)
        AND c.over_at IS NULL AND c.lost_at IS NULL
    RETURNING c.clinic_id, c.appointment_id
),
-- The record has changed: what is being computed from the old one does not count.
counted AS (
    UPDATE tv.appointment a SET call_rev = a.call_rev + 1
    FROM (SELECT DISTINCT clinic_id, appointment_id FROM lost) l
    WHERE (a.clinic_id, a.id) = (l.clinic_id, l.appointment_id)
),
work AS (
    SELECT l.clinic_id, l.appointment_id, 'close_room' AS kind, l.room
    FROM listed l WHERE NOT l.is_wanted
    UNION
    SELECT m.clinic_id, m.appointment_id, 'reconcile_call', m.room
    FROM missing m
    UNION
    SELECT l.clinic_id, l.appointment_id, 'reconcile_call', l.room
    FROM listed l
    LEFT JOIN LATERAL (
        SELECT c.room_sid, c.over_at FROM tv.call c
        WHERE (c.clinic_id, c.room_sid) = (l.clinic_id, l.room_sid)
        LIMIT 1) c ON true
    WHERE l.is_wanted AND (c.room_sid IS NULL OR c.over_at IS NULL AND NOT EXISTS (
        SELECT FROM tv.job j
        WHERE (j.kind, j.key) = ('reconcile_call', l.room) AND j.state = 'waiting'))
),
jobs AS (
    INSERT INTO tv.job AS j (clinic_id, kind, appointment_id, key, run_at, created_at)
    SELECT w.clinic_id, w.kind, w.appointment_id, w.room, clock.now, clock.now
    FROM work w CROSS JOIN clock
    WHERE (SELECT count(*) FROM lost) >= 0
    ORDER BY w.kind, w.room
    -- include: job_again.sql
    RETURNING j.lease
),
-- What LiveKit lost and the record closed since then is wished for as well: a wish that came to
-- nothing is repeated.
gone AS (
    SELECT m.clinic_id, m.room_sid, m.appointment_id, m.generation, m.started_at, m.lost_at, m.room
    FROM missing m
    UNION
    SELECT c.clinic_id, c.room_sid, c.appointment_id, c.generation, c.started_at, c.lost_at,
           tv.room_name(c.appointment_id, c.generation)
    FROM tv.call c JOIN asked ON c.lost_at > asked.now - interval '1 hour'
),
wished AS (
    SELECT c.room, max(a.closes_at) AS closes_at
    FROM asked
    CROSS JOIN gone c
    CROSS JOIN LATERAL (
        SELECT a.closes_at FROM tv.appointment a
        WHERE (a.clinic_id, a.id, a.generation) = (c.clinic_id, c.appointment_id, c.generation)
            AND a.status = 'CONFIRMED' AND a.opens_at <= asked.now AND asked.now < a.closes_at
        LIMIT 1) a
    -- Somebody was in: neither told by LiveKit to have left, nor gone before.
    CROSS JOIN LATERAL (
        SELECT FROM tv.presence p
        WHERE (p.clinic_id, p.room_sid) = (c.clinic_id, c.room_sid)
            AND (p.left_at IS NULL
                 OR p.left_by <> 'WEBHOOK' AND coalesce(p.gone_at >= c.lost_at, true))
        LIMIT 1) somebody
    WHERE c.room COLLATE "C" > :after
        AND (:last = '' OR c.room COLLATE "C" <= :last)
        AND NOT EXISTS (SELECT FROM listed l WHERE l.room = c.room)
        -- It was not made again.
        AND c.started_at = (
            SELECT max(n.started_at) FROM tv.call n
            WHERE (n.clinic_id, n.appointment_id, n.generation)
                = (c.clinic_id, c.appointment_id, c.generation))
    GROUP BY c.room
)
SELECT (SELECT coalesce(json_agg(json_build_object(
                   'room', w.room,
                   'openS', least(ceil(extract(epoch FROM w.closes_at - asked.now)), 2147483647)
                                ::integer,
                   'participantsMax',
                   -- include: participants_max.sql
                   ) ORDER BY w.room), '[]')
        FROM wished w) AS make,
       (SELECT count(*) FROM listed WHERE NOT is_wanted) AS strays,
       (SELECT count(*) FROM lost) AS lost,
       EXISTS (SELECT FROM jobs WHERE lease IS NULL) AS due_now
FROM asked;
