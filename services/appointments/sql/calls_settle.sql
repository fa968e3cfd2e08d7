-- Says how an appointment ended whose call is closed, as the record tells: :to_status COMPLETED or
-- NO_SHOW, then with :no_show. Only from CONFIRMED, and only while :version and :call_rev hold:
-- what staff said stays, and what came in meanwhile is looked at first. :clinic_id,
-- :appointment_id, :event_type, :request_id. One row: told. No row: it was changed meanwhile.
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
changed AS (
    UPDATE tv.appointment a
    SET version = a.version + 1,
        status = :to_status,
        no_show = :no_show,
        updated_at = clock.now
    FROM clock
    WHERE (a.clinic_id, a.id) = (:clinic_id::uuid, :appointment_id::uuid)
        AND (a.version, a.call_rev) = (:version::integer, :call_rev::integer)
        AND a.status = 'CONFIRMED'
    RETURNING a.*
),
superseded AS (
    UPDATE tv.due d SET state = 'superseded', settled_at = c.updated_at
    FROM changed c
    WHERE (d.clinic_id, d.appointment_id) = (c.clinic_id, c.id) AND d.version < c.version
        AND d.state = 'due'
    RETURNING 1
),
news AS (
    INSERT INTO tv.event (clinic_id, appointment_id, version, type, occurred_at, starts_at,
                          opens_at, closes_at, time_zone)
    SELECT clinic_id, id, version, :event_type, updated_at, starts_at, opens_at, closes_at,
           time_zone
    FROM changed
    RETURNING *
),
notice AS (
    SELECT e.clinic_id, p.person_id, e.id AS event_id, 1 AS nth
    FROM news e
    CROSS JOIN LATERAL (
        SELECT t.person_id FROM tv.participant t
        WHERE (t.clinic_id, t.appointment_id) = (e.clinic_id, e.appointment_id)
        UNION
        SELECT s.id FROM tv.person s WHERE s.clinic_id = e.clinic_id AND s.role = 'STAFF') p
    WHERE (SELECT count(*) FROM superseded) >= 0
),
-- include: fan_out.sql
,
audited AS (
    INSERT INTO tv.audit (clinic_id, at, action, subject, decision, request_id)
    SELECT clinic_id, occurred_at, type, appointment_id, 'DONE', :request_id
    FROM news
)
SELECT told.told
FROM changed CROSS JOIN told;
