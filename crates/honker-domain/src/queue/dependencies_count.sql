-- How many parents of a job have no outcome. Only for one that comes back from the dead letters.
-- ?1 child_id.
-- Returns count.
-- Index: _honker_index_dependencies_child, one seek, then neighbours. Lock: read.
SELECT count(*) FROM main._honker_dependencies INDEXED BY _honker_index_dependencies_child
WHERE child_id = ?1 AND outcome IS NULL
