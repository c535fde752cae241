-- The next queue with pending jobs, by name.
-- ?1 the queue to begin after; '' for the first.
-- Returns queue; no row after the last.
-- Index: _honker_index_live_ready, one seek; no row is read. Lock: read.
SELECT queue FROM main._honker_live INDEXED BY _honker_index_live_ready
WHERE queue > ?1 AND state = 'pending'
ORDER BY queue
LIMIT 1
