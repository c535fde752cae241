-- The first job, by id, that has parents.
-- ?1 the id to begin after.
-- Returns child_id, 1 if the job exists, else 0; no row after the last.
-- Index: _honker_index_dependencies_child, one seek, and the primary keys. Lock: read.
SELECT child_id, EXISTS (SELECT 1 FROM main._honker_live WHERE id = child_id)
                 OR EXISTS (SELECT 1 FROM main._honker_dead WHERE id = child_id)
FROM main._honker_dependencies INDEXED BY _honker_index_dependencies_child
WHERE child_id > ?1
ORDER BY child_id
LIMIT 1
