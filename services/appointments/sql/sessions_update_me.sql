-- Sets the caller's :language and :time_zone; one that is empty stays. No row: the account is gone.
WITH asked AS MATERIALIZED (
    SELECT nullif(:language, '') AS language, nullif(:time_zone, '') AS time_zone
),
fit AS MATERIALIZED (
    SELECT asked.*, CASE
        -- include: language_is_known.sql
        WHEN time_zone IS NOT NULL
             AND NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = asked.time_zone)
            THEN tv.fail('invalid', 'is not a time zone that is known here', '/timeZone')
        END AS fault
    FROM asked
),
changed AS (
    UPDATE tv.person p
    SET language = coalesce(fit.language, p.language),
        time_zone = coalesce(fit.time_zone, p.time_zone)
    FROM fit
    WHERE (p.clinic_id, p.id) = (:actor.clinic_id::uuid, :actor.person_id::uuid)
        AND fit.fault IS NULL
    RETURNING p.*
)
SELECT p.id, p.clinic_id, c.name AS clinic_name, p.role, p.display_name,
       coalesce(p.email, '') AS email, p.language, p.time_zone
FROM changed p JOIN tv.clinic c ON c.id = p.clinic_id;
