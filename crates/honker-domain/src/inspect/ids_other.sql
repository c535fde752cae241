-- The ids of the live jobs of a range of queues that are neither pending nor in flight, those of a queue and state with the latest
-- times first.
-- ?1 the greatest id, ?2 the id to stay above: of others, about one of 256 is returned, for a look at the clock,
-- ?3 the first queue, ?4 the last, ?5 a state, 'delayed' for those that a newer release of the reference holds back, or NULL for all.
-- Returns id.
-- Index: _honker_index_live_other, backwards from one seek; no row is read. Lock: read.
SELECT id FROM main._honker_live INDEXED BY _honker_index_live_other
WHERE queue BETWEEN ?3 AND ?4 AND state <> 'pending' AND state <> 'processing'
  AND (?5 IS NULL OR state = ?5 OR ?5 = 'delayed' AND state IN ('scheduled', 'deferred', 'retryable'))
  AND (id > ?2 AND id <= ?1 OR (id % 65521 * 40503 >> 8) & 255 = 0)
ORDER BY queue DESC, state DESC, run_at DESC
