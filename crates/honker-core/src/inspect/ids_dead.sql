-- The ids of the dead letters of a queue.
-- ?1 queue.
-- Returns id, in the order of their deaths.
-- Index: _honker_index_dead_age, one seek, then neighbours; no row is read. Lock: read.
SELECT id FROM main._honker_dead INDEXED BY _honker_index_dead_age WHERE queue = ?1
