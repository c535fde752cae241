-- The ids of the live jobs of a key.
-- ?1 queue, ?2 key.
-- Returns id, in no order of use.
-- Index: _honker_index_live_line, two seeks, then neighbours; no row is read. Lock: read.
SELECT id FROM main._honker_live INDEXED BY _honker_index_live_line
WHERE queue = ?1 AND (state = 'blocked') = 0 AND key = ?2
UNION ALL
SELECT id FROM main._honker_live INDEXED BY _honker_index_live_line
WHERE queue = ?1 AND (state = 'blocked') = 1 AND key = ?2
