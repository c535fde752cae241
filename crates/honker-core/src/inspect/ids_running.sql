-- The ids of the jobs in flight of a range of queues.
-- ?1 the first queue, ?2 the last.
-- Returns id, in no order of use.
-- Index: _honker_live_processing_deadline, one seek, then neighbours; no row is read. Lock: read.
SELECT id FROM main._honker_live INDEXED BY _honker_live_processing_deadline
WHERE queue BETWEEN ?1 AND ?2 AND state = 'processing'
