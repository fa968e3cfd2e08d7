-- Whether the caller may see the appointment `a`: staff see those of their clinic, others their
-- own.
a.clinic_id = :actor.clinic_id::uuid AND (upper(:actor.role) = 'STAFF' OR EXISTS (
    SELECT FROM tv.participant p
    WHERE (p.clinic_id, p.appointment_id, p.person_id)
        = (a.clinic_id, a.id, :actor.person_id::uuid)))
