-- Records an attempt of a job in flight that did not end well.
-- ?1 job_id, ?2 outcome, ?3 ended_at (instant), ?4 run_s or NULL, ?5 error or NULL.
-- Nothing for a job that is not in flight.
-- Index: the primary keys. Lock: write.
INSERT INTO main._honker_attempts (job_id, number, attempt, outcome, worker_id, ended_at, run_s, error)
SELECT id, 1 + ifnull((SELECT max(number) FROM main._honker_attempts WHERE job_id = ?1), 0), attempts, ?2, worker_id, ?3, ?4, ?5
FROM main._honker_live
WHERE id = ?1 AND state = 'processing'
