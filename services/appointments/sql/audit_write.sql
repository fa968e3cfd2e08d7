-- Writes many audit rows, the n-th of each array is one. :clinic_ids, :person_ids, :session_ids
-- (NULL: none), :actions, :subjects, :decisions, :request_ids; nothing comes back.
INSERT INTO tv.audit (clinic_id, at, person_id, session_id, action, subject, decision, request_id)
SELECT q.clinic_id, clock.now, q.person_id, q.session_id, q.action, q.subject, q.decision,
       q.request_id
FROM (SELECT tv.tv_now() AS now) clock
CROSS JOIN unnest(:clinic_ids::uuid[], :person_ids::uuid[], :session_ids::uuid[], :actions::text[],
                  :subjects::text[], :decisions::text[], :request_ids::text[])
    WITH ORDINALITY AS q (clinic_id, person_id, session_id, action, subject, decision, request_id,
                          nth)
ORDER BY q.nth;
