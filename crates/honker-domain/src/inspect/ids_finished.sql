-- The ids of the finished jobs of a queue, the greatest first.
-- ?1 queue, ?2 the greatest id, ?3 how many at most.
-- Returns id.
-- Index: _honker_index_finished_queue, backwards from one seek; no row is read. Lock: read.
SELECT id FROM main._honker_finished INDEXED BY _honker_index_finished_queue
WHERE queue = ?1 AND id <= ?2
ORDER BY id DESC
LIMIT +?3
