-- The last number of each of :person_ids; 0 for who was never told anything. A row each.
-- read only
SELECT asked.id AS "heads[].person_id", coalesce(h.last_seq, 0) AS "heads[].last_seq"
FROM (SELECT DISTINCT unnest(:person_ids::uuid[]) AS id) asked
LEFT JOIN tv.inbox_head h ON h.person_id = asked.id;
