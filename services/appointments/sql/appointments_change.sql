-- Carries out a change that status.c allows, first statement of the unit change, get.
-- :appointment_id, :if_match and :from_status (what the decision was made on), :to_status,
-- :event_type, :note, :no_show (who did not come, with NO_SHOW, else NULL), and for a move
-- :starts_at and :minutes (0: as long as before; NULL start: no move), :request_id. Patients move
-- into free slots only. One row: told, due_now. No row: it was changed meanwhile.
-- When the window had opened there may be a room. It stays where the call is open and remains so;
-- else a job closes it, and what was moved gets a room of another name: this one may be opened
-- again while its predecessor is being closed.
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
mine AS MATERIALIZED (
    SELECT a.clinic_id, a.id, a.doctor_id, a.patient_id
    FROM tv.appointment a
    WHERE (a.clinic_id, a.id) = (:actor.clinic_id::uuid, :appointment_id::uuid)
        AND a.version = :if_match::integer
),
-- As in appointments_book.sql: whatever may take time of a doctor or a patient goes one by one.
parties AS MATERIALIZED (
    SELECT p.id
    FROM tv.person p
    WHERE (p.clinic_id, p.id) IN (SELECT clinic_id, doctor_id FROM mine
                                  UNION ALL SELECT clinic_id, patient_id FROM mine)
    ORDER BY p.id
    FOR NO KEY UPDATE
),
wanted AS MATERIALIZED (
    SELECT mine.*, clock.now, :starts_at::timestamptz AS starts_at, slot.ends_at AS slot_ends_at,
           me.type IS DISTINCT FROM 'PATIENT' AS staff,
           :starts_at::timestamptz + CASE
               WHEN me.type = 'PATIENT' THEN slot.ends_at - :starts_at::timestamptz
               WHEN :minutes::integer > 0 THEN make_interval(mins => :minutes::integer)
               ELSE a.ends_at - a.starts_at END AS ends_at,
           coalesce(:starts_at::timestamptz - make_interval(secs => c.opens_before_s),
                    a.opens_at) AS opens_at,
           coalesce(:starts_at::timestamptz + make_interval(secs => c.closes_after_s),
                    a.closes_at) AS closes_at,
           a.status = 'CONFIRMED' AND a.opens_at <= clock.now AS had_opened,
           a.closes_at <= clock.now AS had_closed
    FROM mine
    CROSS JOIN clock
    JOIN tv.clinic c ON c.id = mine.clinic_id
    JOIN tv.appointment a ON (a.clinic_id, a.id) = (mine.clinic_id, mine.id)
    LEFT JOIN tv.participant me ON (me.clinic_id, me.appointment_id, me.person_id)
        = (mine.clinic_id, mine.id, :actor.person_id::uuid)
    LEFT JOIN LATERAL (
        SELECT s.ends_at
        FROM tv.slots(c.id, mine.doctor_id,
                      (:starts_at::timestamptz AT TIME ZONE c.time_zone)::date, 1) s
        WHERE s.starts_at = :starts_at::timestamptz
        LIMIT 1) slot ON true
    WHERE (SELECT count(*) FROM parties) > 0
),
checked AS MATERIALIZED (
    SELECT w.*, CASE
        WHEN w.starts_at IS NULL THEN NULL
        -- include: busy.sql
        END AS fault,
        w.had_opened AND (w.had_closed OR :to_status <> 'CONFIRMED'
                          OR w.now < w.opens_at OR w.closes_at <= w.now) AS closes
    FROM wanted w
),
changed AS (
    UPDATE tv.appointment a
    SET version = a.version + 1,
        status = :to_status,
        starts_at = coalesce(w.starts_at, a.starts_at),
        ends_at = coalesce(w.ends_at, a.ends_at),
        opens_at = w.opens_at,
        closes_at = w.closes_at,
        generation = a.generation + (w.closes AND w.starts_at IS NOT NULL)::integer,
        no_show = :no_show,
        note = :note,
        updated_at = w.now,
        updated_by = :actor.person_id::uuid
    FROM checked w
    WHERE (a.clinic_id, a.id) = (w.clinic_id, w.id) AND w.fault IS NULL
        AND a.version = :if_match::integer AND a.status = :from_status
    RETURNING a.*, w.closes,
              a.generation - (w.closes AND w.starts_at IS NOT NULL)::integer AS generation_before
),
superseded AS (
    UPDATE tv.due d SET state = 'superseded', settled_at = c.updated_at
    FROM changed c
    WHERE (d.clinic_id, d.appointment_id) = (c.clinic_id, c.id) AND d.version < c.version
        AND d.state = 'due'
    RETURNING 1
),
-- include: due_rows.sql
,
closing AS (
    SELECT clinic_id, id AS appointment_id, tv.room_name(id, generation_before) AS room
    FROM changed WHERE closes
),
-- include: close_room.sql
,
news AS (
    INSERT INTO tv.event (clinic_id, appointment_id, version, type, actor_id, occurred_at,
                          starts_at, opens_at, closes_at, time_zone)
    SELECT clinic_id, id, version, :event_type, updated_by, updated_at, starts_at, opens_at,
           closes_at, time_zone
    FROM changed
    RETURNING *
),
-- Due rows, then jobs, are locked before heads, here as in due_fire.sql: the counts see to it.
notice AS (
    SELECT e.clinic_id, p.person_id, e.id AS event_id, 1 AS nth
    FROM news e
    JOIN LATERAL (
        SELECT p.person_id FROM tv.participant p
        WHERE (p.clinic_id, p.appointment_id) = (e.clinic_id, e.appointment_id)
        UNION
        SELECT s.id FROM tv.person s
        WHERE s.clinic_id = e.clinic_id AND s.role = 'STAFF'
            AND e.type IN ('appointment.completed', 'appointment.no_show')
    ) p ON p.person_id <> e.actor_id
    WHERE (SELECT count(*) FROM superseded) + (SELECT count(*) FROM close_jobs) >= 0
),
-- include: fan_out.sql
,
audited AS (
    INSERT INTO tv.audit (clinic_id, at, person_id, session_id, action, subject, decision,
                          request_id)
    SELECT clinic_id, occurred_at, actor_id, :actor.session_id::uuid, type, appointment_id, 'DONE',
           :request_id
    FROM news
)
SELECT told.told,
       EXISTS (SELECT FROM due_rows WHERE due_at <= (SELECT now FROM clock))
           OR EXISTS (SELECT FROM close_jobs) AS due_now
FROM changed CROSS JOIN told;
