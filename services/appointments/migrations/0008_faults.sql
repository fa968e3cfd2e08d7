-- The promises of docs/ARCHITECTURE that tables can prove, calls included. `SELECT * FROM
-- tv.faults()` is empty, at any time, on a running system; each row is a promise broken and where.
-- Tests end with it.
--
-- What constraints prove is not asked again: that nobody was told twice (tv.inbox), that no
-- interval has a negative length (tv.call, tv.presence), that one job of a kind and key waits
-- (job_once).

CREATE OR REPLACE FUNCTION tv.faults() RETURNS TABLE (rule text, place text)
    LANGUAGE sql STABLE
    AS $$
    WITH kinds (kind, event) AS (
        VALUES ('call_available', 'call.available'), ('reminder', 'appointment.reminder'),
               ('call_closing', 'call.closing'), ('window_closed', NULL)
    )
    -- Due = fired + superseded + expired + waiting, and every confirmed version has its call and
    -- its end.
    SELECT 'a confirmed version has its ' || kinds.kind, a.id || ' v' || a.version
    FROM tv.appointment a
    JOIN kinds ON kinds.kind <> 'reminder'
    WHERE a.status = 'CONFIRMED' AND NOT EXISTS (
        SELECT FROM tv.due d WHERE (d.clinic_id, d.appointment_id, d.version, d.kind)
            = (a.clinic_id, a.id, a.version, kinds.kind))
    UNION ALL
    SELECT 'only a confirmed current version waits', d.appointment_id || ' v' || d.version
    FROM tv.due d
    JOIN tv.appointment a ON (a.clinic_id, a.id) = (d.clinic_id, d.appointment_id)
    WHERE d.state = 'due' AND (a.version <> d.version OR a.status <> 'CONFIRMED')
    UNION ALL
    SELECT 'what fired has exactly one event, what did not has none',
           d.appointment_id || ' v' || d.version || ' ' || d.kind || ' ' || d.state
    FROM tv.due d
    JOIN kinds ON kinds.kind = d.kind AND kinds.event IS NOT NULL
    WHERE (d.state = 'fired')::integer <> (
        SELECT count(*) FROM tv.event e
        WHERE (e.clinic_id, e.appointment_id, e.version, e.lead_s, e.type)
            = (d.clinic_id, d.appointment_id, d.version, d.lead_s, kinds.event))
    UNION ALL
    SELECT 'every event of time was due', e.id::text
    FROM tv.event e
    JOIN kinds ON kinds.event = e.type
    WHERE NOT EXISTS (
        SELECT FROM tv.due d
        WHERE (d.clinic_id, d.appointment_id, d.version, d.lead_s, d.kind)
            = (e.clinic_id, e.appointment_id, e.version, e.lead_s, kinds.kind))
    UNION ALL
    -- The job that closes the room and settles the appointment is there until that is done.
    SELECT 'what is confirmed and closed is being settled', a.id || ' v' || a.version
    FROM tv.appointment a
    JOIN tv.due d ON (d.clinic_id, d.appointment_id, d.version, d.kind)
        = (a.clinic_id, a.id, a.version, 'window_closed')
    WHERE a.status = 'CONFIRMED' AND d.state = 'fired' AND NOT EXISTS (
        SELECT FROM tv.job j
        WHERE (j.kind, j.clinic_id, j.appointment_id) = ('close_room', a.clinic_id, a.id))
    UNION ALL
    -- Nobody was left out. Other events tell those whom they concern at that moment: who waits on
    -- the other side, who is in the call, who missed LiveKit.
    SELECT 'every participant but the actor was told', e.type || ' ' || e.id || ' ' || p.person_id
    FROM tv.event e
    JOIN tv.participant p ON (p.clinic_id, p.appointment_id) = (e.clinic_id, e.appointment_id)
    WHERE e.type NOT IN ('appointment.requested', 'call.waiting', 'call.closing',
                         'call.media_restored')
        AND p.person_id IS DISTINCT FROM e.actor_id
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
    UNION ALL
    SELECT 'nobody is in a call that is over', p.sid
    FROM tv.presence p
    JOIN tv.call c ON (c.clinic_id, c.room_sid) = (p.clinic_id, p.room_sid)
    WHERE p.left_at IS NULL AND c.over_at IS NOT NULL
    UNION ALL
    -- What is said of each person is what the record says. Whoever was put out by another device of
    -- their own stays in until that one comes, or is known not to have come.
    SELECT 'in the call is who is in the record', who.id::text
    FROM tv.participant who
    WHERE (who.in_call_since IS NOT NULL) <> EXISTS (
        SELECT FROM tv.call c
        JOIN tv.presence p ON (p.clinic_id, p.room_sid) = (c.clinic_id, c.room_sid)
        WHERE (c.clinic_id, c.appointment_id) = (who.clinic_id, who.appointment_id)
            AND c.over_at IS NULL AND p.identity = who.id::text
            AND (p.left_at IS NULL
                 OR who.in_call_since IS NOT NULL AND p.reason = 'DUPLICATE_IDENTITY'))
$$;
