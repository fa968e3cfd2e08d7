-- Writes what becomes due with a confirmed appointment. Needs the CTEs `clock` and `changed` (rows
-- of tv.appointment as they are now); gives the CTE `due_rows` (due_at).
-- A call that is open already is due at once; a reminder whose time has passed is not written.
-- A visit whose window has closed when it is confirmed was written down afterwards: there was no
-- room, so its rows expire unfired, and it stays CONFIRMED until people say how it ended. Time
-- judges only windows that it saw closing.
due_rows AS (
    INSERT INTO tv.due (clinic_id, appointment_id, version, kind, lead_s, due_at, expires_at)
    SELECT a.clinic_id, a.id, a.version, d.kind, d.lead_s, d.due_at, d.expires_at
    FROM changed a
    JOIN tv.clinic c ON c.id = a.clinic_id
    CROSS JOIN clock
    CROSS JOIN LATERAL (
        SELECT 'call_available' AS kind, 0 AS lead_s,
               greatest(a.opens_at, clock.now) AS due_at, a.closes_at AS expires_at
        UNION
        SELECT 'reminder', lead_s, a.starts_at - make_interval(secs => lead_s), a.opens_at
        FROM unnest(c.reminders_s) AS lead_s
        WHERE a.starts_at - make_interval(secs => lead_s) > clock.now
            AND a.starts_at - make_interval(secs => lead_s) < a.opens_at
        UNION
        SELECT 'call_closing', 0,
               greatest(a.closes_at - interval '5 minutes', a.opens_at, clock.now), a.closes_at
        UNION
        SELECT 'window_closed', 0, greatest(a.closes_at, clock.now),
               CASE WHEN a.closes_at > clock.now THEN 'infinity' ELSE a.closes_at END
    ) d
    WHERE a.status = 'CONFIRMED'
    RETURNING due_at
)
