-- Waiting jobs from a priority on downwards, in claim order, due or not: the reader stops at the first that is not.
-- ?1 queue, ?2 highest priority, ?3 how many at most.
-- Returns id, payload, priority, run_at, attempts, max_attempts, expires_at, created_at, last_error,
-- unknown_since, key, ties, snoozes.
-- Index: _honker_index_live_ready, one seek, then neighbours. Lock: read.
SELECT id, payload, priority, run_at, attempts, max_attempts, expires_at, created_at, last_error, unknown_since,
       key, ties, snoozes
FROM main._honker_live INDEXED BY _honker_index_live_ready
WHERE queue = ?1 AND state = 'pending' AND priority <= ?2
ORDER BY priority DESC, run_at, id
LIMIT +?3
