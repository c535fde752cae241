-- The ids of the live jobs of a key.
-- ?1 the greatest id, ?2 the id to stay above: of others, about one of 256 is returned, for a look at the clock, ?3 queue, ?4 key.
-- Returns id, in no order of use.
-- Index: _honker_index_live_line, two seeks, then neighbours; no row is read. Lock: read.
SELECT id FROM main._honker_live INDEXED BY _honker_index_live_line
WHERE queue = ?3 AND (state = 'blocked') = 0 AND key = ?4
  AND (id > ?2 AND id <= ?1 OR (id % 65521 * 40503 >> 8) & 255 = 0)
UNION ALL
SELECT id FROM main._honker_live INDEXED BY _honker_index_live_line
WHERE queue = ?3 AND (state = 'blocked') = 1 AND key = ?4
  AND (id > ?2 AND id <= ?1 OR (id % 65521 * 40503 >> 8) & 255 = 0)
