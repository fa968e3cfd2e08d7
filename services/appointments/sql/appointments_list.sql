-- A page of the appointments that the caller may see (parts/appointment_view.sql), by start.
-- :from (NULL: today in the clinic's zone), :to (NULL: no end), :status (NULL: all), :rows (at
-- most), :after_starts_at and :after_id (the last of the page before, or NULL).
-- Each branch walks one index in the order of the page and stops at :rows.
-- read only
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
span AS MATERIALIZED (
    SELECT coalesce(:from::timestamptz, date_trunc('day', clock.now AT TIME ZONE c.time_zone)
                        AT TIME ZONE c.time_zone) AS starts,
           coalesce(:to::timestamptz, 'infinity') AS ends,
           coalesce(:after_starts_at::timestamptz, '-infinity') AS after_starts_at,
           coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000') AS after_id
    FROM tv.clinic c CROSS JOIN clock
    WHERE c.id = :actor.clinic_id::uuid
),
picked AS (
    SELECT id, starts_at FROM (
        (SELECT a.id, a.starts_at FROM tv.appointment a
         WHERE upper(:actor.role) = 'STAFF' AND a.clinic_id = :actor.clinic_id::uuid
         -- include: page.sql
        )
        UNION
        (SELECT a.id, a.starts_at FROM tv.appointment a
         WHERE a.doctor_id = :actor.person_id::uuid AND a.clinic_id = :actor.clinic_id::uuid
         -- include: page.sql
        )
        UNION
        (SELECT a.id, a.starts_at FROM tv.appointment a
         WHERE a.patient_id = :actor.person_id::uuid AND a.clinic_id = :actor.clinic_id::uuid
         -- include: page.sql
        )
        UNION
        (SELECT a.id, a.starts_at FROM tv.participant p
         JOIN tv.appointment a ON (a.clinic_id, a.id) = (p.clinic_id, p.appointment_id)
         WHERE (p.clinic_id, p.person_id) = (:actor.clinic_id::uuid, :actor.person_id::uuid)
             AND p.type NOT IN ('DOCTOR', 'PATIENT')
         -- include: page.sql
        )
    ) seen
    ORDER BY starts_at, id
    LIMIT :rows::integer
)
-- include: appointment_view.sql
ORDER BY a.starts_at, a.id;
