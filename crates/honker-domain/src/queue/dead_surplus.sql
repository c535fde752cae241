-- The youngest dead letter of a queue that is not among its newest.
-- ?1 queue, ?2 how many newest to pass over.
-- Returns died_at, id; no row when there are no more than those.
-- Index: _honker_index_dead_age, backwards over the newest; no row is read. Lock: read.
SELECT died_at, id FROM main._honker_dead INDEXED BY _honker_index_dead_age
WHERE queue = ?1
ORDER BY died_at DESC, id DESC
LIMIT 1 OFFSET +?2
