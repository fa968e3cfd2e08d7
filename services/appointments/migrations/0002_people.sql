-- Clinics, the people in them, and how they prove who they are.
--
-- Every table has clinic_id, and foreign keys are (clinic_id, id) pairs: a row cannot point into
-- another clinic. Ids are unique over all clinics besides, so that no id can mean two people.

CREATE TABLE tv.clinic (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    name text NOT NULL CHECK (name <> ''),
    -- IANA; the server refuses a zone that it does not know.
    time_zone text NOT NULL CHECK (time_zone ~ '^[A-Za-z][A-Za-z0-9_+/-]*$'
        AND (timestamp '2026-01-01' AT TIME ZONE time_zone) IS NOT NULL),
    -- The policy; durations in seconds (_s).
    opens_before_s integer NOT NULL DEFAULT 1800 CHECK (opens_before_s BETWEEN 0 AND 86400),
    closes_after_s integer NOT NULL DEFAULT 7200 CHECK (closes_after_s BETWEEN 60 AND 86400),
    waiting_room boolean NOT NULL DEFAULT false,
    patient_may_book boolean NOT NULL DEFAULT true,
    reschedule_needs_confirmation boolean NOT NULL DEFAULT true,
    reminders_s integer[] NOT NULL DEFAULT '{86400}'
        CHECK (cardinality(reminders_s) <= 8 AND 0 < ALL (reminders_s)),
    end_to_end_encryption boolean NOT NULL DEFAULT true,
    cancellation_notice_s integer NOT NULL DEFAULT 0 CHECK (cancellation_notice_s >= 0),
    created_at timestamptz NOT NULL DEFAULT tv.tv_now()
);

CREATE TABLE tv.person (
    clinic_id uuid NOT NULL REFERENCES tv.clinic (id),
    id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    role text NOT NULL
        CHECK (role IN ('PATIENT', 'DOCTOR', 'STAFF', 'ADMIN', 'INTERPRETER', 'GUEST')),
    display_name text NOT NULL CHECK (display_name <> ''),
    email text,
    language text NOT NULL DEFAULT 'en', -- BCP 47
    time_zone text NOT NULL DEFAULT 'UTC' CHECK (time_zone ~ '^[A-Za-z][A-Za-z0-9_+/-]*$'
        AND (timestamp '2026-01-01' AT TIME ZONE time_zone) IS NOT NULL),
    speciality text NOT NULL DEFAULT '', -- of a doctor
    created_at timestamptz NOT NULL DEFAULT tv.tv_now(),
    PRIMARY KEY (clinic_id, id)
);
CREATE UNIQUE INDEX person_email ON tv.person (clinic_id, lower(email));
CREATE INDEX person_role ON tv.person (clinic_id, role);

CREATE TABLE tv.credential (
    clinic_id uuid NOT NULL,
    person_id uuid NOT NULL,
    password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    changed_at timestamptz NOT NULL DEFAULT tv.tv_now(),
    PRIMARY KEY (clinic_id, person_id),
    FOREIGN KEY (clinic_id, person_id) REFERENCES tv.person (clinic_id, id) ON DELETE CASCADE
);

-- A session is the family of its refresh tokens: each renewal uses one up and gives the next.
CREATE TABLE tv.session (
    clinic_id uuid NOT NULL,
    id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    person_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL, -- no renewal goes beyond it
    ended_at timestamptz,
    end_reason text CHECK (end_reason IN ('closed', 'reused')),
    PRIMARY KEY (clinic_id, id),
    FOREIGN KEY (clinic_id, person_id) REFERENCES tv.person (clinic_id, id) ON DELETE CASCADE,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE INDEX session_person ON tv.session (clinic_id, person_id);

CREATE TABLE tv.session_token (
    clinic_id uuid NOT NULL,
    session_id uuid NOT NULL,
    sha256 text NOT NULL PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'), -- the token is not kept
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz, -- rotated; when it comes again, somebody copied it
    FOREIGN KEY (clinic_id, session_id) REFERENCES tv.session (clinic_id, id) ON DELETE CASCADE
);
CREATE INDEX session_token_session ON tv.session_token (clinic_id, session_id);
