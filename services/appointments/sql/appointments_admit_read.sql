-- What the gate needs to decide on many joins at once. The n-th of :clinic_ids, :person_ids and
-- :appointment_ids (NULL: no id) is one question; the rows come in that order. Where the person
-- does not take part, or there is no such appointment in that clinic, the columns from
-- participant_id on are NULL.
-- LATERAL with LIMIT: each question is three look-ups by key, whatever the planner thinks of
-- arrays.
-- read only
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now)
SELECT q.nth, clock.now,
       -- include: participants_max.sql
       AS participants_max, found.*
FROM unnest(:clinic_ids::uuid[], :person_ids::uuid[], :appointment_ids::uuid[])
    WITH ORDINALITY AS q (clinic_id, person_id, appointment_id, nth)
CROSS JOIN clock
LEFT JOIN LATERAL (
    SELECT p.id AS participant_id, p.type AS participant_type,
           p.admitted_at IS NOT NULL AS admitted, a.version, a.status, a.opens_at, a.closes_at,
           a.generation, a.media_key, p.in_call_since, c.waiting_room, c.end_to_end_encryption
    FROM tv.participant p
    JOIN tv.appointment a ON (a.clinic_id, a.id) = (p.clinic_id, p.appointment_id)
    JOIN tv.clinic c ON c.id = p.clinic_id
    WHERE (p.clinic_id, p.appointment_id, p.person_id)
        = (q.clinic_id, q.appointment_id, q.person_id)
    LIMIT 1) found ON true
ORDER BY q.nth;
