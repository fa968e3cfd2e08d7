-- The caller's notices after :after, at most :limit (0: 100, never more than 500): the oldest of
-- them, or the newest when :latest. One row.
-- read only
WITH entry AS (
    (SELECT i.clinic_id, i.person_id, i.seq, i.event_id
     FROM tv.inbox i
     WHERE (i.clinic_id, i.person_id) = (:actor.clinic_id::uuid, :actor.person_id::uuid)
         AND i.seq > :after::bigint AND NOT :latest::boolean
     ORDER BY i.seq
     LIMIT least(coalesce(nullif(:limit::integer, 0), 100), 500))
    UNION ALL
    (SELECT i.clinic_id, i.person_id, i.seq, i.event_id
     FROM tv.inbox i
     WHERE (i.clinic_id, i.person_id) = (:actor.clinic_id::uuid, :actor.person_id::uuid)
         AND i.seq > :after::bigint AND :latest::boolean
     ORDER BY i.seq DESC
     LIMIT least(coalesce(nullif(:limit::integer, 0), 100), 500))
),
head AS (
    SELECT last_seq, read_seq FROM tv.inbox_head
    WHERE (clinic_id, person_id) = (:actor.clinic_id::uuid, :actor.person_id::uuid)
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
    coalesce((SELECT last_seq FROM head), 0) AS last_seq,
    coalesce((SELECT read_seq FROM head), 0) AS read_seq;
