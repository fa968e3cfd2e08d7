-- Who the caller is. No row: the account is gone.
-- read only
SELECT p.id, p.clinic_id, c.name AS clinic_name, p.role, p.display_name,
       coalesce(p.email, '') AS email, p.language, p.time_zone
FROM tv.person p JOIN tv.clinic c ON c.id = p.clinic_id
WHERE (p.clinic_id, p.id) = (:actor.clinic_id::uuid, :actor.person_id::uuid);
