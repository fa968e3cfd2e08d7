-- Keeps the answer of what this transaction made, as the caller sees it now, and forgets the
-- caller's old keys. :idempotency_key; nothing comes back. When the key was claimed before, it has
-- its answer already, and nothing is written.
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
claim AS MATERIALIZED (
    SELECT i.clinic_id, i.person_id, i.key, i.subject_id
    FROM tv.idempotency i
    WHERE (i.clinic_id, i.person_id, i.key)
            = (:actor.clinic_id::uuid, :actor.person_id::uuid, :idempotency_key)
        AND i.response IS NULL
),
picked AS (SELECT subject_id AS id FROM claim),
view AS (
    -- include: appointment_view.sql
),
swept AS (
    DELETE FROM tv.idempotency i USING claim, clock
    WHERE (i.clinic_id, i.person_id) = (claim.clinic_id, claim.person_id)
        AND i.created_at < clock.now - interval '2 days'
)
UPDATE tv.idempotency i SET response = to_jsonb(view)
FROM claim, view
WHERE (i.clinic_id, i.person_id, i.key) = (claim.clinic_id, claim.person_id, claim.key);
