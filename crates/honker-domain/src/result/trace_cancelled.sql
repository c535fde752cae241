-- Remembers that a job was cancelled: a result without a value, for callers that wait for one.
-- ?1 job_id, ?2 expires_at (instant), ?3 created_at (whole second), ?4 now (instant).
-- A result that the handler has saved already stays: a waiter may be about to read it.
-- Index: the primary key, and _honker_index_results_expiry. Lock: write.
INSERT INTO main._honker_results (job_id, value, expires_at, created_at) VALUES (?1, NULL, ?2, ?3)
ON CONFLICT (job_id) DO UPDATE SET value = NULL, expires_at = excluded.expires_at
WHERE value IS NULL OR expires_at <= ?4
