-- A new person of the clinic :clinic (its slug) who can log in: :role, :name, :email,
-- :password_hash; :language, :time_zone and :speciality may be NULL. `made` says it in a line.
WITH asked AS MATERIALIZED (
    SELECT upper(:role::text) AS role, btrim(:name::text) AS name, :email::text AS email,
           coalesce(:language::text, 'en') AS language, :time_zone::text AS time_zone,
           coalesce(btrim(:speciality::text), '') AS speciality
),
fit AS MATERIALIZED (
    SELECT asked.role, asked.name, email, language, speciality, c.id AS clinic_id, c.slug,
           coalesce(asked.time_zone, c.time_zone) AS time_zone, CASE
        WHEN c.id IS NULL
            THEN tv.fail('invalid', 'is the slug of no clinic', '/clinic')
        WHEN asked.role NOT IN ('PATIENT', 'DOCTOR', 'STAFF', 'ADMIN', 'INTERPRETER')
            THEN tv.fail('invalid', 'must be patient, doctor, staff, admin or interpreter', '/role')
        WHEN char_length(asked.name) NOT BETWEEN 1 AND 200
            THEN tv.fail('invalid', 'must have 1 to 200 characters', '/name')
        -- As services/gateway/validate.c has it for the log-in.
        WHEN email !~ '^[^@[:space:][:cntrl:]]{1,64}@[^@[:space:][:cntrl:]]+$'
             OR octet_length(email) > 254 OR octet_length(split_part(email, '@', 1)) > 64
            THEN tv.fail('invalid', 'must be a mail address', '/email')
        WHEN EXISTS (SELECT FROM tv.person p
                     WHERE p.clinic_id = c.id AND lower(p.email) = lower(asked.email))
            THEN tv.fail('invalid', 'is the address of somebody else in this clinic', '/email')
        -- include: language_is_known.sql
        WHEN asked.time_zone IS NOT NULL
             AND NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = asked.time_zone)
            THEN tv.fail('invalid', 'must be a time zone such as Europe/Berlin', '/time_zone')
        WHEN speciality <> '' AND asked.role <> 'DOCTOR'
            THEN tv.fail('invalid', 'is for doctors', '/speciality')
        WHEN char_length(speciality) > 200
            THEN tv.fail('invalid', 'must have at most 200 characters', '/speciality')
        END AS fault
    FROM asked LEFT JOIN tv.clinic c ON c.slug = :clinic::text
),
made AS (
    INSERT INTO tv.person (clinic_id, role, display_name, email, language, time_zone, speciality)
    SELECT clinic_id, role, name, email, language, time_zone, speciality FROM fit
    WHERE fault IS NULL
    RETURNING clinic_id, id, role, email
),
credential AS (
    INSERT INTO tv.credential (clinic_id, person_id, password_hash)
    SELECT clinic_id, id, :password_hash::text FROM made
),
audit AS (
    INSERT INTO tv.audit (clinic_id, at, action, subject, decision)
    SELECT clinic_id, tv.tv_now(), 'person.added', id, 'DONE' FROM made
)
SELECT 'person ' || made.id || ' ' || lower(made.role) || ' ' || made.email || ' of ' || fit.slug
    AS made
FROM made, fit;
