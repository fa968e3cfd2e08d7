-- For staff: the patients of their clinic whose name or mail address contains :query, by name, at
-- most :limit (0: 20, never more than 50). It is searched as it is: nothing in it is a wildcard.
-- read only
SELECT id AS "patients[].id", display_name AS "patients[].display_name",
       coalesce(email, '') AS "patients[].email"
FROM tv.person
WHERE clinic_id = :actor.clinic_id::uuid AND role = 'PATIENT' AND upper(:actor.role) = 'STAFF'
    AND (strpos(lower(display_name), lower(:query)) > 0
         OR strpos(lower(coalesce(email, '')), lower(:query)) > 0)
ORDER BY lower(display_name), id
LIMIT least(coalesce(nullif(:limit::integer, 0), 20), 50);
