-- A new clinic with the default policy: :slug, :name, :time_zone. `made` says it in a line.
WITH asked AS MATERIALIZED (
    SELECT :slug::text AS slug, btrim(:name::text) AS name, :time_zone::text AS time_zone
),
fit AS MATERIALIZED (
    SELECT asked.*, CASE
        WHEN slug !~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'
            THEN tv.fail('invalid', 'must be small letters, digits and hyphens, at most 63, with a '
                         'letter or a digit at both ends', '/slug')
        WHEN EXISTS (SELECT FROM tv.clinic c WHERE c.slug = asked.slug)
            THEN tv.fail('invalid', 'is the slug of another clinic', '/slug')
        WHEN char_length(name) NOT BETWEEN 1 AND 200
            THEN tv.fail('invalid', 'must have 1 to 200 characters', '/name')
        WHEN NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = asked.time_zone)
            THEN tv.fail('invalid', 'must be a time zone such as Europe/Berlin', '/time_zone')
        END AS fault
    FROM asked
),
made AS (
    INSERT INTO tv.clinic (slug, name, time_zone)
    SELECT slug, name, time_zone FROM fit WHERE fault IS NULL
    RETURNING id, slug
),
audit AS (
    INSERT INTO tv.audit (clinic_id, at, action, subject, decision)
    SELECT id, tv.tv_now(), 'clinic.added', id, 'DONE' FROM made
)
SELECT 'clinic ' || id || ' ' || slug AS made FROM made;
