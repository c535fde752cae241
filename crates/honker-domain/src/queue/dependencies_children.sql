-- The children of a job.
-- ?1 parent_id.
-- Returns child_id, policy, 1 if the edge has no outcome, else 0.
-- Index: the primary key. Lock: read.
SELECT child_id, policy, outcome IS NULL FROM main._honker_dependencies WHERE parent_id = ?1
