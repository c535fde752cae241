-- The parents of a job, those first that have not ended.
-- ?1 child_id, ?2 how many at most.
-- Returns parent_id, outcome.
-- Index: _honker_index_dependencies_child, one seek, then neighbours; no row is read. Lock: read.
SELECT parent_id, outcome FROM main._honker_dependencies INDEXED BY _honker_index_dependencies_child
WHERE child_id = ?1
ORDER BY outcome
LIMIT +?2
