-- What has become of a job.
-- ?1 id, ?2 now (instant).
-- Returns state and last_error; no row for a job that is gone. A job is in one place; should a restored file have it in
-- two, the live one counts. `unknown` is an id that no committed job has had yet: ids only grow, and sqlite_sequence
-- keeps the largest, also when the job is gone.
-- Index: the primary keys; sqlite_sequence has one row a table. Lock: read.
SELECT iif(state = 'processing', state, 'pending'), last_error FROM main._honker_live WHERE id = ?1
UNION ALL
SELECT 'dead', last_error FROM main._honker_dead WHERE id = ?1
UNION ALL
SELECT 'cancelled', NULL FROM main._honker_results
WHERE job_id = ?1 AND value IS NULL AND expires_at > ?2
UNION ALL
SELECT 'unknown', NULL WHERE ?1 > coalesce((SELECT seq FROM main.sqlite_sequence WHERE name = '_honker_live'), 0)
LIMIT 1
