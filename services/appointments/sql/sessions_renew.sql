-- Uses up a refresh token and gives the next one (docs/adr/0007-refresh-tokens.md).
-- :token_sha256 of what the client showed, :next_sha256 of what it gets, :idle_s (the next one is
-- good for so long), :grace_s (a used token may come again for so long: a doubled request, or a
-- reply that was lost). No row: unknown. `outcome`: renewed; expired; reused, and then the session
-- has ended with this statement. The columns of OpenSession are NULL unless renewed.
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
-- The lock on the session puts renewals of one session in a row.
shown AS MATERIALIZED (
    SELECT s.clinic_id, s.id, s.person_id, s.expires_at AS session_expires_at, s.ended_at
    FROM tv.session s
    WHERE (s.clinic_id, s.id) IN (
        SELECT t.clinic_id, t.session_id FROM tv.session_token t WHERE t.sha256 = :token_sha256)
    FOR NO KEY UPDATE OF s
),
token AS MATERIALIZED (
    SELECT t.sha256, t.expires_at, t.used_at
    FROM tv.session_token t
    WHERE t.sha256 = :token_sha256 AND (SELECT count(*) FROM shown) = 1
    FOR NO KEY UPDATE OF t
),
judged AS MATERIALIZED (
    SELECT shown.*, clock.now, token.used_at IS NULL AS first_use, CASE
        WHEN shown.ended_at IS NOT NULL OR shown.session_expires_at <= clock.now THEN 'expired'
        WHEN token.used_at < clock.now - make_interval(secs => :grace_s::integer) THEN 'reused'
        WHEN token.used_at IS NULL AND token.expires_at <= clock.now THEN 'expired'
        ELSE 'renewed' END AS outcome
    FROM shown CROSS JOIN token CROSS JOIN clock
),
-- With the token its siblings are used up: other successors of one doubled request.
used AS (
    UPDATE tv.session_token t SET used_at = j.now
    FROM judged j
    WHERE (t.clinic_id, t.session_id) = (j.clinic_id, j.id) AND t.used_at IS NULL
        AND j.first_use AND j.outcome = 'renewed'
),
ended AS (
    UPDATE tv.session s SET ended_at = j.now, end_reason = 'reused'
    FROM judged j WHERE (s.clinic_id, s.id) = (j.clinic_id, j.id) AND j.outcome = 'reused'
    RETURNING s.clinic_id, s.id, s.person_id, s.ended_at
),
audited AS (
    INSERT INTO tv.audit (clinic_id, at, person_id, session_id, action, subject, decision)
    SELECT clinic_id, ended_at, person_id, id, 'session.renew', id, 'REUSED' FROM ended
),
opened AS (
    INSERT INTO tv.session_token (clinic_id, session_id, sha256, issued_at, expires_at)
    SELECT clinic_id, id, :next_sha256, now,
           least(session_expires_at, now + make_interval(secs => :idle_s::integer))
    FROM judged WHERE outcome = 'renewed'
    RETURNING clinic_id, (SELECT person_id FROM judged), session_id, expires_at
),
described AS (
    SELECT
    -- include: open_session.sql
)
SELECT j.outcome, d.* FROM judged j LEFT JOIN described d ON true;
