-- Books an appointment, first statement of the unit book, idempotency_store, idempotency_read.
-- :doctor_id, :starts_at, :minutes, :reason, :patient_id, :confirmed, :idempotency_key as in
-- BookRequest, :request_hash of it. Patients book for themselves, in a free slot; staff for
-- anybody, at any time. One row: told, due_now. No row: the key was claimed before, and the unit's
-- last statement has the answer.
-- Waits for a concurrent request with the same key; whoever claims it does the work.
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
claim AS (
    INSERT INTO tv.idempotency (clinic_id, person_id, key, request_hash, created_at)
    SELECT :actor.clinic_id::uuid, :actor.person_id::uuid, :idempotency_key, :request_hash, now
    FROM clock
    ON CONFLICT DO NOTHING
    RETURNING clinic_id, person_id, subject_id
),
asked AS MATERIALIZED (
    SELECT claim.clinic_id, claim.subject_id AS id, claim.person_id AS actor_id,
           :doctor_id::uuid AS doctor_id,
           CASE WHEN upper(:actor.role) = 'STAFF' THEN :patient_id::uuid
                ELSE claim.person_id END AS patient_id,
           :starts_at::timestamptz AS starts_at, upper(:actor.role) = 'STAFF' AS staff
    FROM claim
),
-- Bookings of one doctor, and of one patient, go one by one: without this two that overlap could
-- wait for each other in the exclusion constraints.
parties AS MATERIALIZED (
    SELECT p.id, p.role
    FROM tv.person p
    WHERE (p.clinic_id, p.id) IN (SELECT clinic_id, doctor_id FROM asked
                                  UNION ALL SELECT clinic_id, patient_id FROM asked)
    ORDER BY p.id
    FOR NO KEY UPDATE
),
wanted AS MATERIALIZED (
    SELECT asked.*, clock.now, c.time_zone, c.patient_may_book, c.opens_before_s,
           c.closes_after_s, slot.ends_at AS slot_ends_at,
           asked.starts_at + CASE
               WHEN asked.staff AND :minutes::integer > 0
                   THEN make_interval(mins => :minutes::integer)
               ELSE coalesce(slot.ends_at - asked.starts_at, interval '30 minutes')
               END AS ends_at,
           CASE WHEN asked.staff AND :confirmed::boolean THEN 2 ELSE 1 END AS version
    FROM asked
    CROSS JOIN clock
    JOIN tv.clinic c ON c.id = asked.clinic_id
    LEFT JOIN LATERAL (
        SELECT s.ends_at
        FROM tv.slots(c.id, asked.doctor_id, (asked.starts_at AT TIME ZONE c.time_zone)::date, 1) s
        WHERE s.starts_at = asked.starts_at
        LIMIT 1) slot ON true
),
checked AS MATERIALIZED (
    SELECT w.*, CASE
        WHEN NOT EXISTS (SELECT FROM parties WHERE id = w.doctor_id AND role = 'DOCTOR')
            THEN tv.fail('not-found', 'There is no such doctor')
        WHEN NOT EXISTS (SELECT FROM parties WHERE id = w.patient_id AND role = 'PATIENT')
            THEN tv.fail('not-found', 'There is no such patient')
        WHEN NOT w.staff AND NOT w.patient_may_book
            THEN tv.fail('forbidden', 'Please ask the clinic to book for you')
        -- include: busy.sql
        END AS fault
    FROM wanted w
),
changed AS (
    INSERT INTO tv.appointment (clinic_id, id, version, status, doctor_id, patient_id,
        starts_at, ends_at, opens_at, closes_at, time_zone, reason, created_at, created_by,
        updated_at, updated_by)
    SELECT clinic_id, id, version, CASE version WHEN 2 THEN 'CONFIRMED' ELSE 'REQUESTED' END,
           doctor_id, patient_id, starts_at, ends_at,
           starts_at - make_interval(secs => opens_before_s),
           starts_at + make_interval(secs => closes_after_s), time_zone, :reason, now, actor_id,
           now, actor_id
    FROM checked WHERE fault IS NULL
    RETURNING *
),
participants AS (
    INSERT INTO tv.participant (clinic_id, appointment_id, person_id, type, added_at)
    SELECT a.clinic_id, a.id, p.person_id, p.type, a.created_at
    FROM changed a
    CROSS JOIN LATERAL (VALUES (a.patient_id, 'PATIENT'), (a.doctor_id, 'DOCTOR'))
        AS p (person_id, type)
    RETURNING clinic_id, person_id
),
-- include: due_rows.sql
,
-- Booked as confirmed is requested, then confirmed, in one stroke.
news AS (
    INSERT INTO tv.event (clinic_id, appointment_id, version, type, actor_id, occurred_at,
                          starts_at, opens_at, closes_at, time_zone)
    SELECT a.clinic_id, a.id, step.version, step.type, a.created_by, a.created_at, a.starts_at,
           a.opens_at, a.closes_at, a.time_zone
    FROM changed a
    JOIN (VALUES (1, 'appointment.requested'), (2, 'appointment.confirmed'))
        AS step (version, type) ON step.version <= a.version
    RETURNING *
),
notice AS (
    SELECT e.clinic_id, p.person_id, e.id AS event_id, e.version AS nth
    FROM news e
    JOIN LATERAL (
        SELECT a.doctor_id AS person_id FROM changed a WHERE e.type = 'appointment.requested'
        UNION
        SELECT s.id FROM tv.person s
        WHERE s.clinic_id = e.clinic_id AND s.role = 'STAFF' AND e.type = 'appointment.requested'
        UNION
        SELECT p.person_id FROM participants p
        WHERE e.type = 'appointment.confirmed' AND p.person_id <> e.actor_id
    ) p ON true
),
-- include: fan_out.sql
,
audited AS (
    INSERT INTO tv.audit (clinic_id, at, person_id, session_id, action, subject, decision,
                          request_id)
    SELECT a.clinic_id, a.created_at, a.created_by, :actor.session_id::uuid, e.type, a.id, 'DONE',
           :request_id
    FROM changed a JOIN news e ON e.version <= a.version
)
SELECT told.told,
       EXISTS (SELECT FROM due_rows WHERE due_at <= (SELECT now FROM clock)) AS due_now
FROM changed CROSS JOIN told;
