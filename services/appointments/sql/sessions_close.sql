-- Ends the caller's session; one that has ended stays as it is.
-- :session_id; nothing comes back.
UPDATE tv.session
SET ended_at = tv.tv_now(), end_reason = 'closed'
WHERE (clinic_id, id) = (:actor.clinic_id::uuid, :session_id::uuid)
    AND person_id = :actor.person_id::uuid AND ended_at IS NULL;
