-- The doctors of the caller's clinic, by name.
-- read only
SELECT id AS "doctors[].id", display_name AS "doctors[].display_name",
       speciality AS "doctors[].speciality"
FROM tv.person
WHERE clinic_id = :actor.clinic_id::uuid AND role = 'DOCTOR'
ORDER BY lower(display_name), id;
