-- Says how a job went: :clinic_id, :id, :lease, :outcome (DONE, AGAIN, RETRY, DEAD), :again_ms,
-- :reason. One row: held, whether the lease was still the worker's; without it nothing changes.
-- A job that was asked for again since it was claimed runs once more, unless it must be tried again
-- anyway.
WITH clock AS MATERIALIZED (SELECT tv.tv_now() AS now),
held AS MATERIALIZED (
    SELECT j.id, j.again_at, clock.now,
           clock.now + make_interval(secs => least(greatest(:again_ms::integer, 0), 86400000)
                                         / 1000.0) AS next_at,
           CASE WHEN :outcome::text IN ('DONE', 'AGAIN', 'RETRY', 'DEAD') THEN :outcome::text
                WHEN tv.fail('invalid', 'A job ends with an outcome') THEN NULL END AS outcome
    FROM tv.job j CROSS JOIN clock
    WHERE (j.clinic_id, j.id) = (:clinic_id::uuid, :id::uuid)
        AND j.state = 'waiting' AND j.lease = nullif(:lease, '')::uuid
    FOR UPDATE OF j
),
done AS (
    DELETE FROM tv.job j USING held
    WHERE j.id = held.id AND held.outcome = 'DONE' AND held.again_at IS NULL
),
kept AS (
    UPDATE tv.job j
    SET lease = NULL,
        again_at = NULL,
        state = CASE WHEN held.outcome = 'DEAD' AND held.again_at IS NULL THEN 'dead'
                     ELSE 'waiting' END,
        settled_at = CASE WHEN held.outcome = 'DEAD' AND held.again_at IS NULL THEN held.now END,
        attempts = CASE WHEN held.outcome IN ('DONE', 'AGAIN')
                            OR (held.outcome = 'DEAD' AND held.again_at IS NOT NULL) THEN 0
                        ELSE j.attempts END,
        reason = CASE WHEN held.outcome IN ('RETRY', 'DEAD') THEN left(:reason, 100) ELSE '' END,
        run_at = CASE held.outcome
                     WHEN 'RETRY' THEN held.next_at
                     WHEN 'AGAIN' THEN least(held.next_at, held.again_at)
                     ELSE coalesce(held.again_at, j.run_at) END
    FROM held
    WHERE j.id = held.id AND (held.outcome <> 'DONE' OR held.again_at IS NOT NULL)
)
SELECT EXISTS (SELECT FROM held) AS held;
