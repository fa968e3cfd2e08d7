-- The caller's notices after :after, at most :limit (0: 100, never more than 500). One row.
-- read only
WITH entry AS (
    SELECT i.clinic_id, i.person_id, i.seq, i.event_id
    FROM tv.inbox i
    WHERE (i.clinic_id, i.person_id) = (:actor.clinic_id::uuid, :actor.person_id::uuid)
        AND i.seq > :after::bigint
    ORDER BY i.seq
    LIMIT least(coalesce(nullif(:limit::integer, 0), 100), 500)
)
SELECT (
    SELECT coalesce(json_agg(
        -- include: inbox_entry.sql
        ORDER BY i.seq), '[]')
    FROM entry i JOIN tv.event e ON (e.clinic_id, e.id) = (i.clinic_id, i.event_id)) AS entries,
    coalesce((
        SELECT min(seq) FROM tv.inbox
        WHERE (clinic_id, person_id) = (:actor.clinic_id::uuid, :actor.person_id::uuid)),
        1) AS first_seq,
    coalesce((
        SELECT last_seq FROM tv.inbox_head
        WHERE (clinic_id, person_id) = (:actor.clinic_id::uuid, :actor.person_id::uuid)),
        0) AS last_seq;
