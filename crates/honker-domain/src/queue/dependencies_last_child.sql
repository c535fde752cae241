-- The largest id of a job that has parents.
-- No parameters.
-- Returns child_id; no row when there is none.
-- Index: _honker_index_dependencies_child, its end. Lock: read.
SELECT child_id FROM main._honker_dependencies INDEXED BY _honker_index_dependencies_child
WHERE child_id > 0
ORDER BY child_id DESC LIMIT 1
