-- Copies a live job to the dead letters: one whose claim is still held, or any.
-- ?1 id, ?2 last_error, ?3 died_at and the second that now lies in, ?4 worker_id or NULL for any live job,
-- ?5 attempt or NULL for any, ?6 now (instant).
-- Returns queue; no row when the job is not there or the claim is not held.
-- A dead letter of the same id can only come from a merged or restored file. It is replaced, because an error would stop
-- every later claim of the queue at this row.
-- Index: the primary keys. Lock: write.
INSERT OR REPLACE INTO _honker_dead
  (id, queue, payload, priority, run_at, attempts, max_attempts, last_error, created_at, died_at, worker_id, expires_at)
SELECT id, queue, payload, priority, run_at, attempts, max_attempts, ?2, created_at, ?3, worker_id, expires_at
FROM _honker_live
WHERE id = ?1
  AND (?4 IS NULL
       OR worker_id = ?4 AND (?5 IS NULL OR attempts = ?5)
          AND (claim_expires_at >= ?6 OR claim_expires_at = ?3) AND state = 'processing')
RETURNING queue
