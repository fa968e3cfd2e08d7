-- Replaces the weekly hours of :doctor_id by :hours; what is booked stays. No row: there is no such
-- doctor. Doctors set their own hours, staff and admins anybody's.
WITH doctor AS MATERIALIZED (
    SELECT d.clinic_id, d.id, c.time_zone, CASE
        -- What is NULL is no permission.
        WHEN upper(:actor.role) IN ('STAFF', 'ADMIN') OR d.id = :actor.person_id::uuid THEN NULL
        ELSE tv.fail('forbidden', 'You can set your own hours only') END
    FROM tv.person d JOIN tv.clinic c ON c.id = d.clinic_id
    WHERE (d.clinic_id, d.id) = (:actor.clinic_id::uuid, :doctor_id::uuid) AND d.role = 'DOCTOR'
    FOR NO KEY UPDATE OF d
),
given AS MATERIALIZED (
    SELECT row_number() OVER () AS nth, weekday, "from"::time AS begins, "to"::time AS ends,
           "slotMinutes" AS slot_minutes
    FROM json_to_recordset(:hours::json)
        AS h (weekday integer, "from" text, "to" text, "slotMinutes" integer)
),
fit AS MATERIALIZED (
    SELECT doctor.clinic_id, doctor.id, CASE
        WHEN EXISTS (SELECT FROM given WHERE weekday NOT BETWEEN 1 AND 7)
            THEN tv.fail('invalid', 'A weekday is 1 (Monday) to 7 (Sunday)')
        WHEN EXISTS (SELECT FROM given WHERE slot_minutes NOT BETWEEN 5 AND 480)
            THEN tv.fail('invalid', 'A slot has 5 to 480 minutes')
        WHEN EXISTS (SELECT FROM given WHERE begins >= ends)
            THEN tv.fail('invalid', 'Hours must end after they begin')
        WHEN EXISTS (SELECT FROM given a JOIN given b USING (weekday)
                     WHERE a.nth < b.nth AND a.begins < b.ends AND b.begins < a.ends)
            THEN tv.fail('invalid', 'Hours of one day must not overlap')
        END AS fault
    FROM doctor
),
gone AS (
    DELETE FROM tv.availability v USING fit
    WHERE (v.clinic_id, v.doctor_id) = (fit.clinic_id, fit.id) AND fit.fault IS NULL
    RETURNING 1
),
made AS (
    -- Counting what is gone makes the old rows go before the new ones come.
    INSERT INTO tv.availability (clinic_id, doctor_id, weekday, begins, ends, slot_minutes)
    SELECT fit.clinic_id, fit.id, g.weekday, g.begins, g.ends, g.slot_minutes
    FROM fit CROSS JOIN given g
    WHERE (SELECT count(*) FROM gone) >= 0
    RETURNING weekday, begins, ends, slot_minutes
)
SELECT doctor.id AS doctor_id, doctor.time_zone, (
    SELECT coalesce(json_agg(
        -- include: hours.sql
        ORDER BY v.weekday, v.begins), '[]')
    FROM made v) AS hours
FROM doctor;
