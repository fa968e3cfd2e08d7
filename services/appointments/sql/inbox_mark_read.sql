-- The caller has read all notices up to :seq: forward only, and not beyond the newest. One row.
WITH marked AS (
    UPDATE tv.inbox_head
    SET read_seq = greatest(read_seq, least(:seq::bigint, last_seq))
    WHERE (clinic_id, person_id) = (:actor.clinic_id::uuid, :actor.person_id::uuid)
    RETURNING read_seq, last_seq
)
SELECT coalesce(max(read_seq), 0) AS read_seq, coalesce(max(last_seq), 0) AS last_seq FROM marked;
