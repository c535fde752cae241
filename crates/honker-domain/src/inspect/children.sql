-- The jobs that wait for a job, or have waited.
-- ?1 parent_id, ?2 how many at most.
-- Returns child_id, outcome.
-- Index: the primary key, one seek, then neighbours. Lock: read.
SELECT child_id, outcome FROM main._honker_dependencies WHERE parent_id = ?1
ORDER BY child_id
LIMIT +?2
