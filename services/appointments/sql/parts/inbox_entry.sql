-- One InboxEntry as ProtoJSON, of a row `i` of tv.inbox and its row `e` of tv.event.
json_build_object(
    'seq', i.seq,
    'eventId', e.id,
    'type', e.type,
    'clinicId', i.clinic_id,
    'personId', i.person_id,
    'appointmentId', e.appointment_id,
    'appointmentVersion', e.version,
    'occurredAt', e.occurred_at,
    'dueAt', e.due_at,
    'startsAt', e.starts_at,
    'opensAt', e.opens_at,
    'closesAt', e.closes_at,
    'timeZone', e.time_zone,
    'actorId', coalesce(e.actor_id::text, ''))
