-- Jobs of a queue in flight.
-- ?1 queue, ?2 how many at most.
-- Returns id.
-- Index: _honker_live_processing_deadline, one seek, then neighbours; no row is read. Lock: read.
SELECT id FROM main._honker_live INDEXED BY _honker_live_processing_deadline
WHERE queue = ?1 AND state = 'processing'
LIMIT +?2
