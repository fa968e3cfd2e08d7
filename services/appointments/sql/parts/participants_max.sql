-- So many may take part in an appointment, and be in its room: LiveKit's limit of the room comes
-- from here, and whoever adds a participant keeps it. appointments_book.sql adds the patient and
-- the doctor, and nothing adds more yet.
16
