-- The ids of the pending jobs of a range of queues.
-- ?1 the first queue, ?2 the last, ?3 1 for those that are not due, 0 for those that are, NULL for both, ?4 now (instant).
-- Returns id, in no order of use.
-- Index: _honker_index_live_ready, one seek, then neighbours; no row is read. Lock: read.
SELECT id FROM main._honker_live INDEXED BY _honker_index_live_ready
WHERE queue BETWEEN ?1 AND ?2 AND state = 'pending' AND (?3 IS NULL OR (run_at > ?4) = ?3)
