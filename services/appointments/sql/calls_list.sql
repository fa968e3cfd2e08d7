-- The call record of :appointment_id, for a caller who may see the appointment; else no row.
-- :event_id is NULL here.
-- read only
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now)
SELECT
-- include: call_book.sql
FROM tv.appointment a CROSS JOIN clock
WHERE a.id = :appointment_id::uuid AND
-- include: may_see.sql
;
