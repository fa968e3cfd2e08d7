-- The kept answer of :idempotency_key, with the columns of parts/appointment_view.sql, and the hash
-- of the request that it answers. `now` is the time of that answer.
SELECT i.request_hash, i.response -> 'appointment' AS appointment, v.id, v.version, v.status,
       v.starts_at, v.opens_at, v.closes_at, v.now, v.participant_type, v.admitted, v.waiting_room,
       v.reschedule_needs_confirmation, v.cancellation_notice_s
FROM tv.idempotency i
CROSS JOIN LATERAL jsonb_to_record(i.response) AS v (
    id uuid, version integer, status text, starts_at timestamptz, opens_at timestamptz,
    closes_at timestamptz, now timestamptz, participant_type text, admitted boolean,
    waiting_room boolean, reschedule_needs_confirmation boolean, cancellation_notice_s integer)
WHERE (i.clinic_id, i.person_id, i.key)
    = (:actor.clinic_id::uuid, :actor.person_id::uuid, :idempotency_key);
