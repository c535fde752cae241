-- The ids of the live jobs of a range of queues that are neither pending nor in flight.
-- ?1 the first queue, ?2 the last, ?3 a state, 'delayed' for those that a newer release of the reference holds back, or NULL for all.
-- Returns id, in no order of use.
-- Index: _honker_index_live_other, one seek, then neighbours; no row is read. Lock: read.
SELECT id FROM main._honker_live INDEXED BY _honker_index_live_other
WHERE queue BETWEEN ?1 AND ?2 AND state <> 'pending' AND state <> 'processing'
  AND (?3 IS NULL OR state = ?3 OR ?3 = 'delayed' AND state IN ('scheduled', 'deferred', 'retryable'))
