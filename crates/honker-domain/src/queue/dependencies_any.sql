-- A job that waits for another one, or has waited.
-- ?1 parent_id.
-- Returns one row or none.
-- Index: the primary key, one seek. Lock: read.
SELECT 1 FROM main._honker_dependencies WHERE parent_id = ?1
LIMIT 1
