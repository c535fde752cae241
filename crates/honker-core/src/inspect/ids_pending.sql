-- The ids of the pending jobs of a queue.
-- ?1 queue.
-- Returns id, in no order of use.
-- Index: _honker_index_live_ready, one seek, then neighbours; no row is read. Lock: read.
SELECT id FROM main._honker_live INDEXED BY _honker_index_live_ready WHERE queue = ?1 AND state = 'pending'
