-- The result of a job.
-- ?1 job_id, ?2 now (instant).
-- Returns value; no row when no result is stored or it has expired.
-- Index: the primary key. Lock: read.
SELECT value FROM main._honker_results WHERE job_id = ?1 AND (expires_at IS NULL OR expires_at > ?2)
