-- Fires what is due, at most :limit rows: claims them, marks them, writes the events and the
-- notices, and the jobs of windows that closed. Its commit is where each happens exactly once. One
-- row of FireReply comes back, which also says what else there is to do: jobs, a room to watch.
-- Rows that another replica is firing are passed over, not waited for. So are kinds that are not
-- known here: a newer release wrote them, and its programs fire them; here they are backlog.
-- It is asked every second by every notifier, so where nothing is due it costs a few looks into
-- indexes that hold only what waits or runs, whatever is in the tables: 7 pages in a database of
-- 20,000 past visits, 19 with 300 calls running and 5000 visits to come as well.
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
-- The kinds that this release knows, with their events; the end of a window is a job.
kinds (kind, event) AS (
    VALUES ('call_available', 'call.available'), ('reminder', 'appointment.reminder'),
           ('call_closing', 'call.closing'), ('window_closed', NULL)
),
claimed AS MATERIALIZED (
    SELECT d.ctid AS place
    FROM tv.due d
    WHERE d.state = 'due' AND d.due_at <= (SELECT now FROM clock)
        AND d.kind = ANY (ARRAY(SELECT kind FROM kinds))
    ORDER BY d.due_at
    LIMIT least(greatest(:limit::integer, 1), 500)
    FOR UPDATE SKIP LOCKED
),
-- A change supersedes the rows of the version before by itself; this looks again. The rows are
-- locked, so they stay in their place; found by it, the planner is not tempted to read the table.
marked AS (
    UPDATE tv.due d
    SET settled_at = clock.now, state = CASE
        WHEN (a.version, a.status) IS DISTINCT FROM (d.version, 'CONFIRMED') THEN 'superseded'
        WHEN d.expires_at <= clock.now THEN 'expired'
        ELSE 'fired' END
    FROM clock, tv.appointment a
    WHERE d.ctid = ANY (ARRAY(SELECT place FROM claimed))
        AND (a.clinic_id, a.id) = (d.clinic_id, d.appointment_id)
    RETURNING d.*, a.starts_at, a.opens_at, a.closes_at, a.time_zone, a.generation
),
news AS (
    INSERT INTO tv.event (clinic_id, appointment_id, version, type, lead_s, occurred_at, due_at,
                          starts_at, opens_at, closes_at, time_zone)
    SELECT clinic_id, appointment_id, version, kinds.event, lead_s, settled_at, due_at, starts_at,
           opens_at, closes_at, time_zone
    FROM marked JOIN kinds USING (kind)
    WHERE state = 'fired' AND kinds.event IS NOT NULL
    RETURNING *
),
-- The window has closed: a job closes the room and settles the appointment.
closing AS (
    SELECT clinic_id, appointment_id, tv.room_name(appointment_id, generation) AS room
    FROM marked WHERE state = 'fired' AND kind = 'window_closed'
),
-- include: close_room.sql
,
-- Of the end only those are told who are in the call, perhaps nobody. Jobs are locked before heads:
-- that is what the count is for.
notice AS (
    SELECT p.clinic_id, p.person_id, e.id AS event_id, e.due_at AS nth
    FROM news e
    JOIN tv.participant p ON (p.clinic_id, p.appointment_id) = (e.clinic_id, e.appointment_id)
    WHERE (e.type <> 'call.closing' OR p.in_call_since IS NOT NULL)
        AND (SELECT count(*) FROM close_jobs) >= 0
),
-- include: fan_out.sql
,
-- Running calls of open appointments that LiveKit has not lost. LATERAL with LIMIT: one after the
-- other, the appointment by its key, until there is one to watch.
running AS NOT MATERIALIZED (
    SELECT c.clinic_id, c.room_sid, c.started_at,
           tv.room_name(c.appointment_id, c.generation) AS room
    FROM tv.call c
    CROSS JOIN LATERAL (
        SELECT FROM tv.appointment a
        WHERE (a.clinic_id, a.id) = (c.clinic_id, c.appointment_id) AND a.status = 'CONFIRMED'
            AND a.opens_at <= (SELECT now FROM clock) AND (SELECT now FROM clock) < a.closes_at
        LIMIT 1) a
    WHERE c.over_at IS NULL AND c.lost_at IS NULL
),
-- The oldest with somebody in, else the oldest: a younger one may have begun after a restart. The
-- second half is not run when the first has given a row.
watched AS (
    (SELECT r.room, r.room_sid FROM running r
     WHERE EXISTS (SELECT FROM tv.presence p
                   WHERE (p.clinic_id, p.room_sid) = (r.clinic_id, r.room_sid)
                       AND p.left_at IS NULL)
     ORDER BY r.started_at LIMIT 1)
    UNION ALL
    (SELECT r.room, r.room_sid FROM running r ORDER BY r.started_at LIMIT 1)
    LIMIT 1
)
SELECT told.told, settled.fired, settled.expired, clock.now,
       -- Rows that are due already are claimed, by this or by another, or `more` says so.
       (SELECT min(d.due_at) FROM tv.due d
        WHERE d.state = 'due' AND d.due_at > clock.now) AS next_due_at,
       settled.total >= least(greatest(:limit::integer, 1), 500) AS more,
       least(1000, greatest(0, waiting.total - settled.total)) AS backlog,
       -- What this statement writes it does not see in the table.
       least((SELECT min(j.run_at) FROM tv.job j WHERE j.state = 'waiting'),
             CASE WHEN EXISTS (SELECT FROM close_jobs) THEN clock.now END) AS next_job_at,
       watched.room AS "watched.room", watched.room_sid AS "watched.room_sid",
       EXISTS (SELECT FROM tv.participant p WHERE p.media_missed_at IS NOT NULL) AS media_missed
FROM clock
CROSS JOIN told
CROSS JOIN (SELECT count(*) AS total, count(*) FILTER (WHERE state = 'fired') AS fired,
                   count(*) FILTER (WHERE state = 'expired') AS expired FROM marked) settled
CROSS JOIN (SELECT count(*) AS total FROM (
                SELECT FROM tv.due d WHERE d.state = 'due' AND d.due_at <= (SELECT now FROM clock)
                ORDER BY d.due_at
                LIMIT 1500) w) waiting
LEFT JOIN watched ON true;
