-- The ids of the pending jobs of a priority that are due, the latest first.
-- ?1 the greatest id, ?2 the id to stay above: of others, about one of 256 is returned, for a look at the clock,
-- ?3 queue, ?4 priority, ?5 now (instant).
-- Returns id.
-- Index: _honker_index_live_ready, backwards from one seek; no row is read. Lock: read.
SELECT id FROM main._honker_live INDEXED BY _honker_index_live_ready
WHERE queue = ?3 AND state = 'pending' AND priority = ?4 AND run_at <= ?5
  AND (id > ?2 AND id <= ?1 OR (id % 65521 * 40503 >> 8) & 255 = 0)
ORDER BY run_at DESC
