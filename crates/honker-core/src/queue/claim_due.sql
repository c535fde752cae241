-- Due jobs of one priority, in claim order.
-- ?1 queue, ?2 priority, ?3 now (instant), ?4 how many at most.
-- Returns id, payload, priority, run_at, attempts, max_attempts, expires_at, created_at, last_error.
-- Index: _honker_live_ready, one seek, then neighbours. Lock: read.
SELECT id, payload, priority, run_at, attempts, max_attempts, expires_at, created_at, last_error
FROM _honker_live INDEXED BY _honker_live_ready
WHERE queue = ?1 AND state = 'pending' AND priority = ?2 AND run_at <= ?3
ORDER BY run_at, id
LIMIT ?4
