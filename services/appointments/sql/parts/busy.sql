-- Why the time of `w` (clinic_id, id, doctor_id, patient_id, starts_at, ends_at, slot_ends_at,
-- staff, now) cannot be had; for a CASE. The exclusion constraints decide, this says it better.
WHEN NOT w.staff AND w.starts_at <= w.now
    THEN tv.fail('invalid', 'The time has passed')
WHEN NOT w.staff AND w.slot_ends_at IS NULL
    THEN tv.fail('invalid', 'The doctor has no slot at this time')
WHEN EXISTS (
    SELECT FROM tv.appointment o
    WHERE o.doctor_id = w.doctor_id AND o.status IN ('REQUESTED', 'CONFIRMED')
        AND o.id IS DISTINCT FROM w.id
        AND tstzrange(o.starts_at, o.ends_at) && tstzrange(w.starts_at, w.ends_at))
    THEN tv.fail('slot-taken', 'The doctor has another appointment at this time')
WHEN EXISTS (
    SELECT FROM tv.appointment o
    WHERE o.patient_id = w.patient_id AND o.status IN ('REQUESTED', 'CONFIRMED')
        AND o.id IS DISTINCT FROM w.id
        AND tstzrange(o.starts_at, o.ends_at) && tstzrange(w.starts_at, w.ends_at))
    THEN tv.fail('slot-taken', 'The patient has another appointment at this time')
