-- Remembers that the caller was let in to :appointment_id while LiveKit was away, and is to be told
-- when it is back; only while the call is open. Nothing comes back.
UPDATE tv.participant p
SET media_missed_at = clock.now
FROM (SELECT tv.tv_now() AS now) clock, tv.appointment a
WHERE (p.clinic_id, p.appointment_id, p.person_id)
        = (:actor.clinic_id::uuid, :appointment_id::uuid, :actor.person_id::uuid)
    AND (a.clinic_id, a.id) = (p.clinic_id, p.appointment_id)
    AND a.status = 'CONFIRMED' AND a.opens_at <= clock.now AND clock.now < a.closes_at;
