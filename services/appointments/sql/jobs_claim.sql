-- Claims jobs whose time has come, the longest waiting first: at most :limit, each with a lease of
-- its own for :lease_ms. One row of ClaimJobsReply comes back. Jobs that another replica is
-- claiming are passed over, not waited for. So are kinds that are not among :kinds, those that the
-- worker knows: a newer release wrote them. None named: all.
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
claimable AS MATERIALIZED (
    SELECT j.id, j.run_at AS due_at
    FROM tv.job j
    WHERE j.state = 'waiting' AND j.run_at <= (SELECT now FROM clock)
        AND (j.kind = ANY (:kinds::text[]) OR :kinds::text[] = '{}')
    ORDER BY j.run_at
    LIMIT least(greatest(:limit::integer, 1), 100)
    FOR UPDATE SKIP LOCKED
),
claimed AS (
    UPDATE tv.job j
    SET lease = gen_random_uuid(), attempts = j.attempts + 1, again_at = NULL,
        run_at = clock.now
            + make_interval(secs => least(greatest(:lease_ms::integer, 1000), 60000) / 1000.0)
    FROM clock
    WHERE j.id = ANY (ARRAY(SELECT id FROM claimable))
    RETURNING j.*
)
SELECT (SELECT coalesce(json_agg(json_build_object(
                   'clinicId', j.clinic_id,
                   'id', j.id,
                   'kind', j.kind,
                   'appointmentId', j.appointment_id,
                   'key', j.key,
                   'lease', j.lease,
                   'attempts', j.attempts,
                   'createdAt', j.created_at,
                   'dueAt', c.due_at) ORDER BY j.created_at, j.id), '[]')
        FROM claimed j JOIN claimable c ON c.id = j.id) AS jobs,
       clock.now,
       -- Those that were claimed wait for the end of their lease.
       least((SELECT min(j.run_at) FROM tv.job j
              WHERE j.state = 'waiting' AND j.run_at > clock.now),
             (SELECT min(run_at) FROM claimed)) AS next_run_at,
       taken.total >= least(greatest(:limit::integer, 1), 100) AS more,
       least(1000, greatest(0, waiting.total - taken.total)) AS backlog,
       dead.total AS dead
FROM clock,
     (SELECT count(*) AS total FROM claimed) taken,
     (SELECT count(*) AS total FROM (
          SELECT FROM tv.job j WHERE j.state = 'waiting' AND j.run_at <= (SELECT now FROM clock)
          LIMIT 1100) w) waiting,
     (SELECT count(*) AS total FROM (
          SELECT FROM tv.job j WHERE j.state = 'dead' LIMIT 1000) d) dead;
