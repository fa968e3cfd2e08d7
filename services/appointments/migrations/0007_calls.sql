-- Calls: who was in the room when, work that must be done, and how an appointment ended.

-- The name of a room, also made by services/appointments/room.c.
CREATE FUNCTION tv.room_name(appointment uuid, generation integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT 'room_' || appointment || CASE WHEN generation > 1 THEN '.' || generation ELSE '' END
$$;

-- `call_rev` is raised by every change of the appointment's call record: a change is computed from
-- what was read, and counts only while that still holds.
ALTER TABLE tv.appointment
    ADD COLUMN call_rev integer NOT NULL DEFAULT 0,
    ADD COLUMN no_show text CHECK (no_show IN ('PATIENT', 'DOCTOR', 'BOTH', 'MISSED')),
    ADD CHECK (no_show IS NULL OR status = 'NO_SHOW');

-- What the record says of each person now; derived from tv.presence and kept with it.
ALTER TABLE tv.participant
    ADD COLUMN in_call_since timestamptz,
    ADD COLUMN left_call_at timestamptz,
    -- Was let in while LiveKit was away, and is to be told when it is back.
    ADD COLUMN media_missed_at timestamptz;
CREATE INDEX participant_media_missed ON tv.participant (clinic_id, appointment_id)
    WHERE media_missed_at IS NOT NULL;

-- A room of LiveKit. One that was lost and made again under its name has another sid: another row.
-- *_by says how a time is known: 'webhook' told by LiveKit, 'snapshot' seen in a list, 'assumed'.
CREATE TABLE tv.call (
    clinic_id uuid NOT NULL,
    room_sid text NOT NULL CHECK (octet_length(room_sid) BETWEEN 1 AND 64),
    appointment_id uuid NOT NULL,
    generation integer NOT NULL, -- of the room; its name follows
    started_at timestamptz NOT NULL,
    started_by text NOT NULL CHECK (started_by IN ('ASSUMED', 'SNAPSHOT', 'WEBHOOK')),
    over_at timestamptz,
    over_by text CHECK (over_by IN ('ASSUMED', 'SNAPSHOT', 'WEBHOOK')),
    lost_at timestamptz, -- LiveKit was found without it; it was gone by then
    snapshot_at timestamptz, -- of the latest list of who is in the room
    recorded_at timestamptz NOT NULL DEFAULT tv.tv_now(), -- heard of first
    PRIMARY KEY (clinic_id, room_sid),
    FOREIGN KEY (clinic_id, appointment_id) REFERENCES tv.appointment (clinic_id, id),
    CHECK ((over_at IS NULL) = (over_by IS NULL)),
    CHECK (over_at >= started_at)
);
CREATE INDEX call_appointment ON tv.call (clinic_id, appointment_id, started_at);
-- Holds what is running, and no more.
CREATE INDEX call_running ON tv.call (started_at) WHERE over_at IS NULL;
CREATE INDEX call_lost ON tv.call (lost_at) WHERE lost_at IS NOT NULL;

-- A stay of one device in the room.
CREATE TABLE tv.presence (
    clinic_id uuid NOT NULL,
    sid text NOT NULL CHECK (octet_length(sid) BETWEEN 1 AND 64),
    room_sid text NOT NULL,
    identity text NOT NULL, -- tv.participant.id, unless somebody else's token let them in
    joined_at timestamptz NOT NULL,
    joined_by text NOT NULL CHECK (joined_by IN ('ASSUMED', 'SNAPSHOT', 'WEBHOOK')),
    seen_at timestamptz NOT NULL, -- was there for certain, the last time
    gone_at timestamptz,          -- was certainly not there any more, the first time
    left_at timestamptz,
    left_by text CHECK (left_by IN ('ASSUMED', 'SNAPSHOT', 'WEBHOOK')),
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (clinic_id, sid),
    FOREIGN KEY (clinic_id, room_sid) REFERENCES tv.call (clinic_id, room_sid),
    CHECK ((left_at IS NULL) = (left_by IS NULL)),
    CHECK (left_at >= joined_at)
);
CREATE INDEX presence_room ON tv.presence (clinic_id, room_sid);

-- Every event of LiveKit that was recorded; a retry has the id of the first.
CREATE TABLE tv.call_event (
    clinic_id uuid NOT NULL,
    id text NOT NULL CHECK (octet_length(id) BETWEEN 1 AND 64),
    room_sid text NOT NULL,
    sid text NOT NULL DEFAULT '', -- of the participant; empty: of the room
    type text NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (clinic_id, id),
    FOREIGN KEY (clinic_id, room_sid) REFERENCES tv.call (clinic_id, room_sid)
);

-- Work that must be done, and again until it is done. A claim moves run_at to the end of its lease:
-- a worker that dies loses the job to the next one. What is done is deleted: its effect stands in
-- the tables it worked on, and calls that are looked at every few seconds would fill this one. What
-- failed for good stays as 'dead', for people to see.
CREATE TABLE tv.job (
    clinic_id uuid NOT NULL,
    id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    kind text NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'), -- services/notifier/kinds.c lists them
    appointment_id uuid NOT NULL,
    key text NOT NULL, -- what it is about: the room's name
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'dead')),
    run_at timestamptz NOT NULL, -- not before
    lease uuid,                  -- of the worker that has it
    -- It was asked for while a worker had it, and that worker may be past the point: once more,
    -- then (parts/job_again.sql).
    again_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '', -- why it failed the last time
    created_at timestamptz NOT NULL,
    settled_at timestamptz,
    PRIMARY KEY (clinic_id, id),
    FOREIGN KEY (clinic_id, appointment_id) REFERENCES tv.appointment (clinic_id, id),
    CHECK ((state = 'waiting') = (settled_at IS NULL)),
    CHECK (again_at IS NULL OR lease IS NOT NULL)
);
CREATE UNIQUE INDEX job_once ON tv.job (kind, key) WHERE state = 'waiting';
CREATE INDEX job_waiting ON tv.job (run_at) WHERE state = 'waiting';
CREATE INDEX job_dead ON tv.job (settled_at) WHERE state = 'dead';

-- The call's end is due as its opening is: call_closing tells those in the room 5 minutes before,
-- window_closed writes the job that closes the room and settles the appointment. What was confirmed
-- before has its rows too. Where the window has closed they are born expired: nobody recorded those
-- calls, so nothing is said of them (parts/due_rows.sql).
ALTER TABLE tv.due DROP CONSTRAINT due_kind_check,
    ADD CHECK (kind IN ('call_available', 'reminder', 'call_closing', 'window_closed'));
INSERT INTO tv.due (clinic_id, appointment_id, version, kind, due_at, expires_at, state, settled_at)
SELECT a.clinic_id, a.id, a.version, d.kind, d.due_at, d.expires_at,
       CASE WHEN a.closes_at > clock.now THEN 'due' ELSE 'expired' END,
       CASE WHEN a.closes_at > clock.now THEN NULL ELSE clock.now END
FROM (SELECT tv.tv_now() AS now OFFSET 0) clock -- once
CROSS JOIN tv.appointment a
CROSS JOIN LATERAL (VALUES
    ('call_closing', greatest(a.closes_at - interval '5 minutes', a.opens_at), a.closes_at),
    ('window_closed', a.closes_at,
     CASE WHEN a.closes_at > clock.now THEN 'infinity' ELSE a.closes_at END))
    AS d (kind, due_at, expires_at)
WHERE a.status = 'CONFIRMED';

-- Events of a call may happen more than once in a version: nth tells them apart. For call.started
-- and call.ended it is the room's generation, else it counts.
ALTER TABLE tv.event ADD COLUMN nth integer NOT NULL DEFAULT 0;
ALTER TABLE tv.event
    DROP CONSTRAINT event_clinic_id_appointment_id_version_type_lead_s_key,
    ADD UNIQUE (clinic_id, appointment_id, version, type, lead_s, nth);
