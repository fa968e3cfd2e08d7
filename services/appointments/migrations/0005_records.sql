-- The audit log, and the answers kept for repeated requests.

-- Who asked for what, and what was decided, granted or refused. No foreign keys: a row says what
-- was asked, also when it points at nothing.
CREATE TABLE tv.audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    clinic_id uuid NOT NULL,
    at timestamptz NOT NULL,
    person_id uuid,
    session_id uuid,
    action text NOT NULL,   -- call.join, appointment.confirmed, session.open, …
    subject text NOT NULL,  -- id of the appointment, as it was given
    decision text NOT NULL, -- ALLOWED, TOO_EARLY, DONE, …
    request_id text NOT NULL DEFAULT ''
);
-- Rows come in the order of their time, so ranges of pages know their span of times: a question
-- about an appointment or a person is asked for a time. Every join writes a row; an index by
-- subject or person would cost each of them a random page.
CREATE INDEX audit_at ON tv.audit USING brin (at) WITH (pages_per_range = 32);

CREATE FUNCTION tv.audit_is_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'tv.audit is append-only';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tv.audit
    FOR EACH STATEMENT EXECUTE FUNCTION tv.audit_is_append_only();

-- One row for each key of a person, kept at least 24 hours. It is claimed by the statement that
-- does the work and filled in the same transaction, so a row that others can see has its answer.
CREATE TABLE tv.idempotency (
    clinic_id uuid NOT NULL,
    person_id uuid NOT NULL,
    key text NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 128),
    request_hash text NOT NULL,
    subject_id uuid NOT NULL DEFAULT gen_random_uuid(), -- the id of what the request makes
    response jsonb,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (clinic_id, person_id, key),
    FOREIGN KEY (clinic_id, person_id) REFERENCES tv.person (clinic_id, id) ON DELETE CASCADE
);
