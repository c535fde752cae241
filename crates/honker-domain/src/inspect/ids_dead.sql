-- The ids of the dead letters of a queue, those that died last first.
-- ?1 the greatest id, ?2 the id to stay above: of others, about one of 256 is returned, for a look at the clock, ?3 queue.
-- Returns id.
-- Index: _honker_index_dead_age, backwards from one seek; no row is read. Lock: read.
SELECT id FROM main._honker_dead INDEXED BY _honker_index_dead_age
WHERE queue = ?3 AND (id > ?2 AND id <= ?1 OR (id % 65521 * 40503 >> 8) & 255 = 0)
ORDER BY died_at DESC
