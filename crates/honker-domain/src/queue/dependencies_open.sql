-- A parent of a job that has no outcome.
-- ?1 child_id.
-- Returns parent_id, policy; no row when all are settled.
-- Index: _honker_index_dependencies_child, one seek; no row is read. Lock: read.
SELECT parent_id, policy FROM main._honker_dependencies INDEXED BY _honker_index_dependencies_child
WHERE child_id = ?1 AND outcome IS NULL
LIMIT 1
