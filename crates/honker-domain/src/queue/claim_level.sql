-- The highest priority below a given one at which jobs wait, and when the first of them is due.
-- ?1 queue, ?2 priority to stay below.
-- Returns priority, run_at.
-- Index: _honker_index_live_ready, one seek. Lock: read.
SELECT priority, run_at
FROM main._honker_live INDEXED BY _honker_index_live_ready
WHERE queue = ?1 AND state = 'pending' AND priority < ?2
ORDER BY priority DESC, run_at
LIMIT 1
