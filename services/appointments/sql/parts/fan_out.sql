-- Tells people what happened. Needs the CTEs
--   news    rows of tv.event, just inserted
--   notice  clinic_id, person_id, event_id, nth: who learns of which, in which order
-- and gives the CTE `told`: one row with all entries as a JSON array.
-- Heads are locked in the order of clinic and person, so that two fan-outs never wait for each
-- other; whatever else the statement locks must be locked before it reads `notice`.
heads AS (
    INSERT INTO tv.inbox_head AS h (clinic_id, person_id, last_seq)
    SELECT clinic_id, person_id, count(*) FROM notice
    GROUP BY clinic_id, person_id
    ORDER BY clinic_id, person_id
    ON CONFLICT (clinic_id, person_id) DO UPDATE SET last_seq = h.last_seq + excluded.last_seq
    RETURNING h.clinic_id, h.person_id, h.last_seq
),
entries AS (
    INSERT INTO tv.inbox (clinic_id, person_id, seq, event_id)
    SELECT clinic_id, person_id,
           h.last_seq + 1 - row_number() OVER (PARTITION BY clinic_id, person_id
                                               ORDER BY n.nth DESC, n.event_id DESC),
           n.event_id
    FROM notice n JOIN heads h USING (clinic_id, person_id)
    RETURNING clinic_id, person_id, seq, event_id
),
told AS (
    SELECT coalesce(json_agg(
        -- include: inbox_entry.sql
        ORDER BY i.clinic_id, i.person_id, i.seq), '[]') AS told
    FROM entries i JOIN news e ON (e.clinic_id, e.id) = (i.clinic_id, i.event_id)
)
