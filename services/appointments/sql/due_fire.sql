-- Fires what is due, at most :limit rows: claims them, marks them, writes the events and the
-- notices. Its commit is where each happens exactly once. One row of FireReply comes back.
-- Rows that another replica is firing are passed over, not waited for.
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
claimed AS MATERIALIZED (
    SELECT d.ctid AS place
    FROM tv.due d
    WHERE d.state = 'due' AND d.due_at <= (SELECT now FROM clock)
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
    RETURNING d.*, a.starts_at, a.opens_at, a.closes_at, a.time_zone
),
news AS (
    INSERT INTO tv.event (clinic_id, appointment_id, version, type, lead_s, occurred_at, due_at,
                          starts_at, opens_at, closes_at, time_zone)
    SELECT clinic_id, appointment_id, version,
           CASE kind WHEN 'call_available' THEN 'call.available' ELSE 'appointment.reminder' END,
           lead_s, settled_at, due_at, starts_at, opens_at, closes_at, time_zone
    FROM marked WHERE state = 'fired'
    RETURNING *
),
notice AS (
    SELECT p.clinic_id, p.person_id, e.id AS event_id, e.due_at AS nth
    FROM news e
    JOIN tv.participant p ON (p.clinic_id, p.appointment_id) = (e.clinic_id, e.appointment_id)
),
-- include: fan_out.sql
SELECT told.told, settled.fired, settled.expired, clock.now,
       -- Rows that are due already are claimed, by this or by another, or `more` says so.
       (SELECT min(d.due_at) FROM tv.due d
        WHERE d.state = 'due' AND d.due_at > clock.now) AS next_due_at,
       settled.total >= least(greatest(:limit::integer, 1), 500) AS more,
       least(1000, greatest(0, waiting.total - settled.total)) AS backlog
FROM clock, told,
     (SELECT count(*) AS total, count(*) FILTER (WHERE state = 'fired') AS fired,
             count(*) FILTER (WHERE state = 'expired') AS expired FROM marked) settled,
     (SELECT count(*) AS total FROM (
          SELECT FROM tv.due d WHERE d.state = 'due' AND d.due_at <= (SELECT now FROM clock)
          ORDER BY d.due_at
          LIMIT 1500) w) waiting;
