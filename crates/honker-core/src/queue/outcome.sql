-- What has become of a job.
-- ?1 id, ?2 now (instant).
-- Returns state and last_error; no row when it is nowhere. A job is in one place; should a restored file have it in
-- two, the live one counts.
-- Index: the primary keys. Lock: read.
SELECT state, last_error FROM main._honker_live WHERE id = ?1
UNION ALL
SELECT 'dead', last_error FROM main._honker_dead WHERE id = ?1
UNION ALL
SELECT 'cancelled', NULL FROM main._honker_results
WHERE job_id = ?1 AND value IS NULL AND expires_at > ?2
LIMIT 1
