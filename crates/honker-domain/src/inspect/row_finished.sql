-- A finished job that has not expired, its texts shortened.
-- ?1 id, ?2 characters of the payload, ?3 characters of the error, ?4 now (instant).
-- Returns the columns of row_live.sql.
-- Index: the primary key. Lock: read.
SELECT id, queue, state, priority, key, attempts, max_attempts, created_at, NULL, finished_at, worker_id, substr(last_error, 1, ?3),
  substr(payload, 1, ?2), NULL, NULL, NULL, NULL
FROM main._honker_finished
WHERE id = ?1 AND expires_at > ?4
