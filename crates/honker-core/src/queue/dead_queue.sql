-- The queue of a dead letter.
-- ?1 id.
-- Returns queue.
-- Index: the primary key. Lock: read.
SELECT queue FROM _honker_dead WHERE id = ?1
