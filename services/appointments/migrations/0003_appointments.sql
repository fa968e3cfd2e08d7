-- Weekly hours, and appointments with those who take part.

-- Hours are local times in the clinic's zone; `ends` may be 24:00.
CREATE TABLE tv.availability (
    clinic_id uuid NOT NULL,
    doctor_id uuid NOT NULL,
    weekday integer NOT NULL CHECK (weekday BETWEEN 1 AND 7), -- ISO: Monday is 1
    begins time NOT NULL,
    ends time NOT NULL,
    slot_minutes integer NOT NULL CHECK (slot_minutes BETWEEN 5 AND 480),
    PRIMARY KEY (clinic_id, doctor_id, weekday, begins),
    FOREIGN KEY (clinic_id, doctor_id) REFERENCES tv.person (clinic_id, id) ON DELETE CASCADE,
    CHECK (begins < ends)
);

-- The window (opens_at, closes_at) is fixed when the appointment gets its time. A later change of
-- the clinic's policy does not move it: what people were told, what is due and what the gate
-- decides stay one thing.
CREATE TABLE tv.appointment (
    clinic_id uuid NOT NULL REFERENCES tv.clinic (id),
    id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    status text NOT NULL CHECK (status IN
        ('REQUESTED', 'CONFIRMED', 'DECLINED', 'CANCELLED', 'COMPLETED', 'NO_SHOW')),
    doctor_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    opens_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL,
    time_zone text NOT NULL,         -- of the clinic when it was booked
    reason text NOT NULL DEFAULT '', -- why the patient comes; health data, never in events
    note text NOT NULL DEFAULT '',   -- said with the last change; may be health data
    generation integer NOT NULL DEFAULT 1, -- of the room
    -- For end-to-end encryption: 244 random bits, base64url.
    media_key text NOT NULL DEFAULT rtrim(translate(encode(
        uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'base64'), '+/', '-_'), '='),
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by uuid NOT NULL,
    PRIMARY KEY (clinic_id, id),
    FOREIGN KEY (clinic_id, doctor_id) REFERENCES tv.person (clinic_id, id),
    FOREIGN KEY (clinic_id, patient_id) REFERENCES tv.person (clinic_id, id),
    FOREIGN KEY (clinic_id, created_by) REFERENCES tv.person (clinic_id, id),
    FOREIGN KEY (clinic_id, updated_by) REFERENCES tv.person (clinic_id, id),
    CHECK (doctor_id <> patient_id),
    CHECK (starts_at < ends_at AND opens_at <= starts_at AND starts_at < closes_at),
    -- Nobody has two appointments at once. These constraints decide, not code: of a hundred
    -- parallel bookings of a slot one wins.
    CONSTRAINT appointment_doctor_busy EXCLUDE USING gist
        (doctor_id WITH =, tstzrange(starts_at, ends_at) WITH &&)
        WHERE (status IN ('REQUESTED', 'CONFIRMED')),
    CONSTRAINT appointment_patient_busy EXCLUDE USING gist
        (patient_id WITH =, tstzrange(starts_at, ends_at) WITH &&)
        WHERE (status IN ('REQUESTED', 'CONFIRMED'))
);
-- Lists go by start: of the clinic, of a doctor, of a patient.
CREATE INDEX appointment_clinic ON tv.appointment (clinic_id, starts_at, id);
CREATE INDEX appointment_doctor ON tv.appointment (doctor_id, starts_at, id);
CREATE INDEX appointment_patient ON tv.appointment (patient_id, starts_at, id);

-- Who takes part; the doctor and the patient stand here as well. `id` is the identity in the room.
CREATE TABLE tv.participant (
    clinic_id uuid NOT NULL,
    appointment_id uuid NOT NULL,
    id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    person_id uuid NOT NULL,
    type text NOT NULL CHECK (type IN ('PATIENT', 'DOCTOR', 'INTERPRETER', 'GUEST')),
    added_at timestamptz NOT NULL,
    admitted_at timestamptz, -- out of the waiting room
    PRIMARY KEY (clinic_id, appointment_id, person_id),
    FOREIGN KEY (clinic_id, appointment_id) REFERENCES tv.appointment (clinic_id, id),
    FOREIGN KEY (clinic_id, person_id) REFERENCES tv.person (clinic_id, id)
);
-- Doctors and patients are found by the columns of the appointment.
CREATE INDEX participant_other ON tv.participant (clinic_id, person_id)
    WHERE type NOT IN ('DOCTOR', 'PATIENT');

-- The slots that a doctor's hours give on `days` local days from `first_day`, taken or not.
CREATE FUNCTION tv.slots(clinic uuid, doctor uuid, first_day date, days integer)
    RETURNS TABLE (starts_at timestamptz, ends_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT slot.at, slot.at + make_interval(mins => v.slot_minutes)
    FROM tv.clinic c
    JOIN tv.availability v ON v.clinic_id = c.id AND v.doctor_id = doctor
    JOIN generate_series(0, days - 1) AS nth (day)
        ON extract(isodow FROM first_day + nth.day) = v.weekday
    CROSS JOIN LATERAL generate_series(
        0, (extract(epoch FROM v.ends - v.begins)::integer / 60 / v.slot_minutes) - 1) AS k
    CROSS JOIN LATERAL (
        SELECT tv.instant((first_day + nth.day) + v.begins
                              + make_interval(mins => k * v.slot_minutes), c.time_zone) AS at
    ) slot
    WHERE c.id = clinic AND slot.at IS NOT NULL
$$;
