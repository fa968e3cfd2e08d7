-- The password hash of a mail address in a clinic (:clinic is its slug). No row: unknown.
-- read only
SELECT p.clinic_id, p.id AS person_id, k.password_hash
FROM tv.clinic c
JOIN tv.person p ON p.clinic_id = c.id AND lower(p.email) = lower(:email)
JOIN tv.credential k ON (k.clinic_id, k.person_id) = (p.clinic_id, p.id)
WHERE c.slug = :clinic;
