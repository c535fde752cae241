-- The attempts of a job that did not end well, the first one first.
-- ?1 job_id.
-- Returns number, attempt, outcome, worker_id, ended_at, run_s, error.
-- Index: the primary key. Lock: read.
SELECT number, attempt, outcome, worker_id, ended_at, run_s, error
FROM main._honker_attempts
WHERE job_id = ?1
ORDER BY number
