-- The promises of docs/ARCHITECTURE that tables can prove. `SELECT * FROM tv.faults()` is empty, at
-- any time, on a running system; each row is a promise broken and where. Tests end with it.

CREATE FUNCTION tv.faults() RETURNS TABLE (rule text, place text)
    LANGUAGE sql STABLE
    AS $$
    -- Due = fired + superseded + expired + waiting, and every confirmed version has its call.
    SELECT 'a confirmed version has its call_available', a.id || ' v' || a.version
    FROM tv.appointment a
    WHERE a.status = 'CONFIRMED' AND NOT EXISTS (
        SELECT FROM tv.due d WHERE (d.clinic_id, d.appointment_id, d.version, d.kind)
            = (a.clinic_id, a.id, a.version, 'call_available'))
    UNION ALL
    SELECT 'only a confirmed current version waits', d.appointment_id || ' v' || d.version
    FROM tv.due d
    JOIN tv.appointment a ON (a.clinic_id, a.id) = (d.clinic_id, d.appointment_id)
    WHERE d.state = 'due' AND (a.version <> d.version OR a.status <> 'CONFIRMED')
    UNION ALL
    SELECT 'what fired has exactly one event, what did not has none',
           d.appointment_id || ' v' || d.version || ' ' || d.kind || ' ' || d.state
    FROM tv.due d
    WHERE (d.state = 'fired')::integer <> (
        SELECT count(*) FROM tv.event e
        WHERE (e.clinic_id, e.appointment_id, e.version, e.lead_s)
                = (d.clinic_id, d.appointment_id, d.version, d.lead_s)
            AND e.type = CASE d.kind WHEN 'call_available' THEN 'call.available'
                                     ELSE 'appointment.reminder' END)
    UNION ALL
    SELECT 'every event of time was due', e.id::text
    FROM tv.event e
    WHERE e.type IN ('call.available', 'appointment.reminder') AND NOT EXISTS (
        SELECT FROM tv.due d
        WHERE (d.clinic_id, d.appointment_id, d.version, d.lead_s)
            = (e.clinic_id, e.appointment_id, e.version, e.lead_s))
    UNION ALL
    -- Nobody was left out, nobody was told twice (the latter by a unique index).
    SELECT 'every participant but the actor was told', e.type || ' ' || e.id || ' ' || p.person_id
    FROM tv.event e
    JOIN tv.participant p ON (p.clinic_id, p.appointment_id) = (e.clinic_id, e.appointment_id)
    WHERE e.type <> 'appointment.requested' AND p.person_id IS DISTINCT FROM e.actor_id
        AND p.added_at <= e.occurred_at
        AND NOT EXISTS (SELECT FROM tv.inbox i WHERE (i.clinic_id, i.event_id, i.person_id)
                            = (e.clinic_id, e.id, p.person_id))
    UNION ALL
    SELECT 'the doctor was told of the request', e.id::text
    FROM tv.event e
    JOIN tv.participant p ON (p.clinic_id, p.appointment_id) = (e.clinic_id, e.appointment_id)
    WHERE e.type = 'appointment.requested' AND p.type = 'DOCTOR'
        AND NOT EXISTS (SELECT FROM tv.inbox i WHERE (i.clinic_id, i.event_id, i.person_id)
                            = (e.clinic_id, e.id, p.person_id))
    UNION ALL
    SELECT 'notices are numbered 1, 2, 3, …', h.person_id::text
    FROM tv.inbox_head h
    LEFT JOIN LATERAL (
        SELECT count(*) AS entries, min(seq) AS first, max(seq) AS last FROM tv.inbox i
        WHERE (i.clinic_id, i.person_id) = (h.clinic_id, h.person_id)) i ON true
    WHERE (i.entries, i.first, i.last) IS DISTINCT FROM (h.last_seq, 1::bigint, h.last_seq)
    UNION ALL
    -- The doctor and the patient of an appointment are its participants.
    SELECT 'doctor and patient take part', a.id::text
    FROM tv.appointment a
    WHERE 2 <> (
        SELECT count(*) FROM tv.participant p
        WHERE (p.clinic_id, p.appointment_id) = (a.clinic_id, a.id)
            AND (p.person_id, p.type) IN ((a.doctor_id, 'DOCTOR'), (a.patient_id, 'PATIENT')))
$$;
