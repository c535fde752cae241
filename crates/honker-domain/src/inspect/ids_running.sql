-- The ids of the jobs in flight of a range of queues, those of a queue with the last ends of their leases first.
-- ?1 the greatest id, ?2 the id to stay above: of others, about one of 256 is returned, for a look at the clock,
-- ?3 the first queue, ?4 the last.
-- Returns id.
-- Index: _honker_live_processing_deadline, backwards from one seek; no row is read. Lock: read.
SELECT id FROM main._honker_live INDEXED BY _honker_live_processing_deadline
WHERE queue BETWEEN ?3 AND ?4 AND state = 'processing'
  AND (id > ?2 AND id <= ?1 OR (id % 65521 * 40503 >> 8) & 255 = 0)
ORDER BY queue DESC, claim_expires_at DESC
