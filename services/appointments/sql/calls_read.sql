-- The call record of :appointment_id, for one of our own services: what the room's name says. One
-- row, `book` (message Book); no row: there is no such appointment. :event_id (NULL: none) may be
-- in the record already.
-- read only
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now)
SELECT
-- include: call_book.sql
FROM tv.appointment a CROSS JOIN clock
WHERE a.id = :appointment_id::uuid;
