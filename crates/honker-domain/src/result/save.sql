-- Keeps the result of a job, replacing an earlier one.
-- ?1 job_id, ?2 value, ?3 expires_at (instant or NULL), ?4 created_at (whole second), kept when replacing.
-- Index: the primary key, and _honker_index_results_expiry for a result that expires. Lock: write.
INSERT INTO main._honker_results (job_id, value, expires_at, created_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (job_id) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
