-- LiveKit is back: tells those who missed it while their call was open, once for each appointment,
-- and forgets that of the others. One row of CallReply comes back.
-- nth is counted in this statement's snapshot. Should two replicas restore the same appointment
-- at the same instant, and a person have missed LiveKit between them, then the unique index makes
-- one fail as a whole; whoever asks next tells that person.
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
-- Appointments before participants, as everywhere.
appointment AS MATERIALIZED (
    SELECT a.*
    FROM tv.appointment a
    WHERE (a.clinic_id, a.id) IN (
        SELECT p.clinic_id, p.appointment_id FROM tv.participant p
        WHERE p.media_missed_at IS NOT NULL)
    ORDER BY a.clinic_id, a.id
    FOR NO KEY UPDATE
),
missed AS (
    UPDATE tv.participant p
    SET media_missed_at = NULL
    FROM appointment a
    WHERE (p.clinic_id, p.appointment_id) = (a.clinic_id, a.id) AND p.media_missed_at IS NOT NULL
    RETURNING p.clinic_id, p.appointment_id, p.person_id
),
news AS (
    INSERT INTO tv.event (clinic_id, appointment_id, version, type, nth, occurred_at, starts_at,
                          opens_at, closes_at, time_zone)
    SELECT a.clinic_id, a.id, a.version, 'call.media_restored',
           1 + (SELECT coalesce(max(e.nth), 0) FROM tv.event e
                WHERE (e.clinic_id, e.appointment_id, e.version, e.type)
                    = (a.clinic_id, a.id, a.version, 'call.media_restored')),
           clock.now, a.starts_at, a.opens_at, a.closes_at, a.time_zone
    FROM appointment a CROSS JOIN clock
    WHERE a.status = 'CONFIRMED' AND a.opens_at <= clock.now AND clock.now < a.closes_at
        AND (a.clinic_id, a.id) IN (SELECT clinic_id, appointment_id FROM missed)
    RETURNING *
),
notice AS (
    SELECT m.clinic_id, m.person_id, e.id AS event_id, 1 AS nth
    FROM news e
    JOIN missed m ON (m.clinic_id, m.appointment_id) = (e.clinic_id, e.appointment_id)
),
-- include: fan_out.sql
SELECT told.told, false AS due_now, 0 AS again_ms FROM told;
