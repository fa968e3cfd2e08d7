-- An appointment as it is shown to the caller: message Appointment without `join` as ProtoJSON, and
-- what the gate needs to add it. Needs the CTEs `clock` and `picked` (id of appointments of the
-- caller's clinic which the caller may see). view.c reads these columns.
SELECT jsonb_build_object(
           'id', a.id,
           'version', a.version,
           'status', a.status,
           'startsAt', a.starts_at,
           'endsAt', a.ends_at,
           'timeZone', a.time_zone,
           'reason', a.reason,
           'note', a.note,
           'participants', (
               SELECT jsonb_agg(jsonb_build_object(
                          'id', p.id,
                          'personId', p.person_id,
                          'type', p.type,
                          'displayName', n.display_name,
                          'inCallSince', p.in_call_since,
                          'leftCallAt', p.left_call_at) ORDER BY p.added_at, p.type DESC, p.id)
               FROM tv.participant p
               JOIN tv.person n ON (n.clinic_id, n.id) = (p.clinic_id, p.person_id)
               WHERE (p.clinic_id, p.appointment_id) = (a.clinic_id, a.id)),
           'createdAt', a.created_at,
           'updatedAt', a.updated_at,
           'noShow', a.no_show) AS appointment,
       a.id, a.version, a.status, a.starts_at, a.opens_at, a.closes_at, clock.now,
       me.type AS participant_type, me.admitted_at IS NOT NULL AS admitted, c.waiting_room,
       c.reschedule_needs_confirmation, c.cancellation_notice_s
FROM picked
CROSS JOIN clock
JOIN tv.appointment a ON (a.clinic_id, a.id) = (:actor.clinic_id::uuid, picked.id)
JOIN tv.clinic c ON c.id = a.clinic_id
LEFT JOIN tv.participant me
    ON (me.clinic_id, me.appointment_id, me.person_id)
        = (a.clinic_id, a.id, :actor.person_id::uuid)
