-- Copies a live job to the dead letters.
-- ?1 id, ?2 last_error, ?3 died_at (whole second).
-- A dead letter of the same id can only come from a merged or restored file. It is replaced, because an error would stop
-- every later claim of the queue at this row.
-- Index: the primary keys. Lock: write.
INSERT OR REPLACE INTO main._honker_dead
  (id, queue, payload, priority, run_at, attempts, max_attempts, last_error, created_at, died_at, worker_id, expires_at,
   key, ties, unique_key, unique_for_s, snoozes)
SELECT id, queue, payload, priority, run_at, attempts, max_attempts, ?2, created_at, ?3, worker_id, expires_at,
       key, ties, unique_key, unique_for_s, snoozes
FROM main._honker_live
WHERE id = ?1
