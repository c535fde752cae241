-- The children that the death of a job has cancelled.
-- ?1 parent_id.
-- Returns child_id.
-- Index: the primary key. Lock: read.
SELECT child_id FROM main._honker_dependencies WHERE parent_id = ?1 AND policy = 'cancel' AND outcome = 'dead'
