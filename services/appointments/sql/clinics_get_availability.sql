-- The weekly hours of :doctor_id. No row: there is no such doctor.
-- read only
SELECT d.id AS doctor_id, c.time_zone, (
    SELECT coalesce(json_agg(
        -- include: hours.sql
        ORDER BY v.weekday, v.begins), '[]')
    FROM tv.availability v WHERE (v.clinic_id, v.doctor_id) = (d.clinic_id, d.id)) AS hours
FROM tv.person d JOIN tv.clinic c ON c.id = d.clinic_id
WHERE (d.clinic_id, d.id) = (:actor.clinic_id::uuid, :doctor_id::uuid) AND d.role = 'DOCTOR';
