-- The free slots of :doctor_id on :days local days (0: 7) from :from (empty: today in the clinic's
-- zone), none in the past. One row, or none when there is no such doctor.
-- read only
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now)
SELECT c.time_zone, (
    SELECT coalesce(json_agg(json_build_object('startsAt', s.starts_at, 'endsAt', s.ends_at)
                             ORDER BY s.starts_at), '[]')
    FROM tv.slots(c.id, d.id,
                  coalesce(nullif(:from, '')::date, (clock.now AT TIME ZONE c.time_zone)::date),
                  coalesce(nullif(:days::integer, 0), 7)) s
    WHERE s.starts_at > clock.now AND s.starts_at < '3000-01-01Z' -- nobody books later
        AND NOT EXISTS (
        SELECT FROM tv.appointment a
        WHERE a.doctor_id = d.id AND a.status IN ('REQUESTED', 'CONFIRMED')
            AND tstzrange(a.starts_at, a.ends_at) && tstzrange(s.starts_at, s.ends_at))
    ) AS slots
FROM tv.person d
JOIN tv.clinic c ON c.id = d.clinic_id
CROSS JOIN clock
WHERE (d.clinic_id, d.id) = (:actor.clinic_id::uuid, :doctor_id::uuid) AND d.role = 'DOCTOR';
