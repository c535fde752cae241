-- Ends the power of the parents over a job that has died by itself, or that an operator has requeued.
-- ?1 child_id.
-- Index: _honker_index_dependencies_child, the parents of the job. Lock: write.
UPDATE main._honker_dependencies INDEXED BY _honker_index_dependencies_child SET policy = 'run'
WHERE child_id = ?1 AND (outcome IS NULL OR outcome IN ('dead', 'cancelled')) AND policy <> 'run'
