-- The end of `INSERT INTO tv.job AS j … SELECT … ORDER BY kind, key`: a job of this kind and key
-- may wait already. If nobody has it, it runs at the earlier of both times. If a worker has it,
-- that worker may be past the point that matters: it runs once more.
-- Jobs are locked after appointments, due rows and calls, and before heads (parts/fan_out.sql).
ON CONFLICT (kind, key) WHERE state = 'waiting' DO UPDATE
SET run_at = CASE WHEN j.lease IS NULL THEN least(j.run_at, excluded.run_at) ELSE j.run_at END,
    again_at = CASE WHEN j.lease IS NOT NULL THEN least(j.again_at, excluded.run_at) END
