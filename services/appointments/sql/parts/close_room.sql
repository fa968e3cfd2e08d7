-- Writes the jobs that close rooms which should not be open any more. Needs the CTEs `clock` and
-- `closing` (clinic_id, appointment_id, room: its name, as tv.room_name() makes it); gives the CTE
-- `close_jobs` (id), a row for each room. A `notice` in the same statement reads it, so that jobs
-- are locked before heads.
close_jobs AS (
    INSERT INTO tv.job AS j (clinic_id, kind, appointment_id, key, run_at, created_at)
    SELECT closing.clinic_id, 'close_room', closing.appointment_id, closing.room, clock.now,
           clock.now
    FROM closing CROSS JOIN clock
    ORDER BY closing.room
    -- include: job_again.sql
    RETURNING j.id
)
