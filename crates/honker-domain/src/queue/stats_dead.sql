-- How many dead letters a queue has, up to a limit.
-- ?1 queue, ?2 how many to count at most.
-- Returns count.
-- Index: _honker_index_dead_age, one seek, then neighbours; no row is read. Lock: read.
SELECT count(*)
FROM (SELECT 1 FROM main._honker_dead INDEXED BY _honker_index_dead_age WHERE queue = ?1 LIMIT +?2)
