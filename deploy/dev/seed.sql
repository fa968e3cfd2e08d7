-- The people of the demo clinic. Variables of psql: `demo` is the text of demo.json,
-- `password_hash` opens every account. The clinic has the default policy.

CREATE TEMPORARY TABLE demo ON COMMIT DROP AS SELECT :'demo'::jsonb AS said;

INSERT INTO tv.clinic (slug, name, time_zone)
SELECT said #>> '{clinic,slug}', said #>> '{clinic,name}', said #>> '{clinic,timeZone}' FROM demo;

CREATE TEMPORARY TABLE demo_person ON COMMIT DROP AS
SELECT c.id AS clinic_id, gen_random_uuid() AS id, p.role, p.name, p.email,
    coalesce(p.language, 'en') AS language, coalesce(p."timeZone", c.time_zone) AS time_zone,
    coalesce(p.speciality, '') AS speciality, p.hours
FROM demo
JOIN tv.clinic c ON c.slug = said #>> '{clinic,slug}'
CROSS JOIN jsonb_to_recordset(said -> 'people')
    AS p (role text, name text, email text, language text, "timeZone" text, speciality text,
          hours jsonb);

INSERT INTO tv.person (clinic_id, id, role, display_name, email, language, time_zone, speciality)
SELECT clinic_id, id, role, name, email, language, time_zone, speciality FROM demo_person;

INSERT INTO tv.credential (clinic_id, person_id, password_hash)
SELECT clinic_id, id, :'password_hash' FROM demo_person;

INSERT INTO tv.availability (clinic_id, doctor_id, weekday, begins, ends, slot_minutes)
SELECT p.clinic_id, p.id, weekday::integer, (hours ->> 'from')::time, (hours ->> 'to')::time,
    (hours ->> 'slotMinutes')::integer
FROM demo_person p
CROSS JOIN LATERAL jsonb_array_elements_text(p.hours -> 'weekdays') AS weekday
WHERE p.hours IS NOT NULL;
