-- One appointment, :appointment_id, as the caller sees it (parts/appointment_view.sql). No row:
-- there is none that the caller may see.
-- read only
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
picked AS (
    SELECT a.id FROM tv.appointment a
    WHERE a.id = :appointment_id::uuid AND
    -- include: may_see.sql
)
-- include: appointment_view.sql
