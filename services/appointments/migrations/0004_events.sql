-- What is due, what happened, and what each person was told of it.

-- Written in the transaction that confirms an appointment, settled exactly once: fired, superseded
-- by a later version of the appointment, or expired because nobody fired it in time.
CREATE TABLE tv.due (
    clinic_id uuid NOT NULL,
    appointment_id uuid NOT NULL,
    version integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('call_available', 'reminder')),
    lead_s integer NOT NULL DEFAULT 0, -- of a reminder: so long before the start
    due_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'fired', 'superseded', 'expired')),
    settled_at timestamptz,
    PRIMARY KEY (clinic_id, appointment_id, version, kind, lead_s),
    FOREIGN KEY (clinic_id, appointment_id) REFERENCES tv.appointment (clinic_id, id),
    CHECK ((state = 'due') = (settled_at IS NULL))
);
-- Holds only what has not been settled: looking costs what is due, not what was ever booked.
CREATE INDEX due_waiting ON tv.due (due_at) WHERE state = 'due';

-- Times are kept as they were when it happened. No names, no reasons.
CREATE TABLE tv.event (
    clinic_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    appointment_id uuid NOT NULL,
    version integer NOT NULL,
    type text NOT NULL,
    lead_s integer NOT NULL DEFAULT 0,
    actor_id uuid, -- NULL: time itself
    occurred_at timestamptz NOT NULL,
    due_at timestamptz,
    starts_at timestamptz NOT NULL,
    opens_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL,
    time_zone text NOT NULL,
    PRIMARY KEY (clinic_id, id),
    -- At most one for each version and type.
    UNIQUE (clinic_id, appointment_id, version, type, lead_s),
    FOREIGN KEY (clinic_id, appointment_id) REFERENCES tv.appointment (clinic_id, id)
);

-- The last number given to a person's notices. Its row lock makes seq gapless in commit order.
CREATE TABLE tv.inbox_head (
    clinic_id uuid NOT NULL,
    person_id uuid NOT NULL UNIQUE,
    last_seq bigint NOT NULL,
    PRIMARY KEY (clinic_id, person_id),
    FOREIGN KEY (clinic_id, person_id) REFERENCES tv.person (clinic_id, id)
);

CREATE TABLE tv.inbox (
    clinic_id uuid NOT NULL,
    person_id uuid NOT NULL,
    seq bigint NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (clinic_id, person_id, seq),
    UNIQUE (clinic_id, event_id, person_id),
    FOREIGN KEY (clinic_id, person_id) REFERENCES tv.person (clinic_id, id),
    FOREIGN KEY (clinic_id, event_id) REFERENCES tv.event (clinic_id, id)
);
