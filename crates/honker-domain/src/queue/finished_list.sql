-- The finished jobs of a queue that have not expired, the one that was enqueued last first.
-- ?1 queue, ?2 the id to stay below, ?3 how many at most, ?4 now (instant).
-- Returns id, payload, state, priority, attempts, max_attempts, key, worker_id, last_error, created_at, finished_at, expires_at.
-- Index: _honker_index_finished_queue, backwards from one seek. Lock: read.
SELECT id, payload, state, priority, attempts, max_attempts, key, worker_id, last_error, created_at, finished_at, expires_at
FROM main._honker_finished INDEXED BY _honker_index_finished_queue
WHERE queue = ?1 AND id < ?2 AND expires_at > ?4
ORDER BY id DESC
LIMIT +?3
