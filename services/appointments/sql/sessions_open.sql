-- Opens a session for a person whose password was right.
-- :clinic_id, :person_id, :token_sha256 (of the first refresh token), :idle_s (a refresh token is
-- good for so long), :length_s (the session at most for so long); a row of OpenSession comes back.
-- What has expired long ago goes away by the way.
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
swept AS (
    DELETE FROM tv.session s USING clock
    WHERE (s.clinic_id, s.person_id) = (:clinic_id::uuid, :person_id::uuid)
        AND s.expires_at < clock.now - interval '30 days'
),
made AS (
    INSERT INTO tv.session (clinic_id, person_id, created_at, expires_at)
    SELECT :clinic_id::uuid, :person_id::uuid, now, now + make_interval(secs => :length_s::integer)
    FROM clock
    RETURNING clinic_id, id, person_id, created_at, expires_at
),
opened AS (
    INSERT INTO tv.session_token (clinic_id, session_id, sha256, issued_at, expires_at)
    SELECT clinic_id, id, :token_sha256, created_at,
           least(expires_at, created_at + make_interval(secs => :idle_s::integer))
    FROM made
    RETURNING clinic_id, (SELECT person_id FROM made), session_id, expires_at
),
audited AS (
    INSERT INTO tv.audit (clinic_id, at, person_id, session_id, action, subject, decision)
    SELECT clinic_id, created_at, person_id, id, 'session.open', id, 'DONE' FROM made
)
SELECT
-- include: open_session.sql
