-- The caller's clinic and its policy.
-- read only
SELECT id, slug, name, time_zone, json_build_object(
           'opensBefore', opens_before_s,
           'closesAfter', closes_after_s,
           'waitingRoom', waiting_room,
           'patientMayBook', patient_may_book,
           'rescheduleNeedsConfirmation', reschedule_needs_confirmation,
           'reminders', reminders_s,
           'endToEndEncryption', end_to_end_encryption,
           'cancellationNotice', cancellation_notice_s) AS policy
FROM tv.clinic WHERE id = :actor.clinic_id::uuid;
