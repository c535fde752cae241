-- One live job.
-- ?1 id, ?2 queue or NULL for any.
-- Returns the columns of _honker_live under their names, last_error excepted.
-- Index: the primary key. Lock: read.
SELECT id, queue, payload, state, priority, run_at, worker_id, claim_expires_at, attempts, max_attempts, created_at,
       expires_at, unknown_since, cancel_requested_at
FROM main._honker_live
WHERE id = ?1 AND (?2 IS NULL OR queue = ?2)
