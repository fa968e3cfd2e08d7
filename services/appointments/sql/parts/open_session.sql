-- Message OpenSession but for the token, from the CTE `opened` (clinic_id, person_id, session_id,
-- expires_at).
o.session_id,
o.expires_at AS refresh_expires_at,
json_build_object(
    'id', p.id,
    'clinicId', p.clinic_id,
    'clinicName', c.name,
    'role', p.role,
    'displayName', p.display_name,
    'email', coalesce(p.email, ''),
    'language', p.language,
    'timeZone', p.time_zone) AS person
FROM opened o
JOIN tv.person p ON (p.clinic_id, p.id) = (o.clinic_id, o.person_id)
JOIN tv.clinic c ON c.id = p.clinic_id
