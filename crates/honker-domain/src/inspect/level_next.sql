-- The next priority of a queue at which jobs are pending, downwards.
-- ?1 queue, ?2 the priority to stay below; an empty blob for the first.
-- Returns priority; no row after the last.
-- Index: _honker_index_live_ready, one seek; no row is read. Lock: read.
SELECT priority FROM main._honker_live INDEXED BY _honker_index_live_ready
WHERE queue = ?1 AND state = 'pending' AND priority < ?2
ORDER BY priority DESC
LIMIT 1
