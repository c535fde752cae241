-- A parent whose failure cancels a job.
-- ?1 child_id.
-- Returns one row or none.
-- Index: _honker_index_dependencies_child, one seek for each outcome. Lock: read.
SELECT 1 FROM main._honker_dependencies INDEXED BY _honker_index_dependencies_child
WHERE child_id = ?1 AND outcome IN ('dead', 'cancelled') AND policy = 'cancel'
LIMIT 1
