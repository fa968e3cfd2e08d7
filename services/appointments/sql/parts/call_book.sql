-- The call record of the appointment `a` as message Book; needs the CTE `clock` and :event_id.
json_build_object(
    'clinicId', a.clinic_id,
    'appointmentId', a.id,
    'version', a.version,
    'status', a.status,
    'opensAt', a.opens_at,
    'closesAt', a.closes_at,
    'generation', a.generation,
    'callRev', a.call_rev,
    'now', clock.now,
    'closed', a.closes_at <= clock.now OR EXISTS (
        SELECT FROM tv.due d
        WHERE (d.clinic_id, d.appointment_id, d.version, d.kind, d.state)
            = (a.clinic_id, a.id, a.version, 'window_closed', 'fired')),
    'recorded', EXISTS (SELECT FROM tv.call_event e
                        WHERE (e.clinic_id, e.id) = (a.clinic_id, :event_id::text)),
    'people', (
        SELECT json_agg(json_build_object(
                   'id', p.id,
                   'personId', p.person_id,
                   'type', p.type,
                   'inCallSince', p.in_call_since,
                   'leftCallAt', p.left_call_at,
                   'mediaMissedAt', p.media_missed_at) ORDER BY p.added_at, p.type DESC, p.id)
        FROM tv.participant p
        WHERE (p.clinic_id, p.appointment_id) = (a.clinic_id, a.id)),
    'calls', (
        SELECT json_agg(json_build_object(
                   'roomSid', c.room_sid,
                   'generation', c.generation,
                   'startedAt', c.started_at,
                   'startedBy', c.started_by,
                   'overAt', c.over_at,
                   'overBy', c.over_by,
                   'lostAt', c.lost_at,
                   'snapshotAt', c.snapshot_at))
        FROM tv.call c
        WHERE (c.clinic_id, c.appointment_id) = (a.clinic_id, a.id)),
    'presences', (
        SELECT json_agg(json_build_object(
                   'roomSid', p.room_sid,
                   'sid', p.sid,
                   'identity', p.identity,
                   'joinedAt', p.joined_at,
                   'joinedBy', p.joined_by,
                   'leftAt', p.left_at,
                   'leftBy', p.left_by,
                   'seenAt', p.seen_at,
                   'goneAt', p.gone_at,
                   'reason', p.reason))
        FROM tv.call c
        JOIN tv.presence p ON (p.clinic_id, p.room_sid) = (c.clinic_id, c.room_sid)
        WHERE (c.clinic_id, c.appointment_id) = (a.clinic_id, a.id)),
    -- Of those who wait the latest time is enough, of a room's start and end each counts.
    'told', (
        SELECT json_agg(json_build_object(
                   'type', t.type,
                   'nth', t.nth,
                   'actorId', t.actor_id,
                   'at', t.at))
        FROM (SELECT e.type, e.actor_id, max(e.nth) AS nth, max(e.occurred_at) AS at
              FROM tv.event e
              WHERE (e.clinic_id, e.appointment_id) = (a.clinic_id, a.id)
                  AND e.type IN ('call.waiting', 'call.started', 'call.ended')
              GROUP BY e.type, e.actor_id, CASE e.type WHEN 'call.waiting' THEN 0 ELSE e.nth END
             ) t)) AS book
