-- Gives the edges of a parent that has ended their outcome. A child that waits for a requeue goes on waiting if the parent is a
-- dead letter; if the parent cannot come back, its failure cancels the child.
-- ?1 parent_id, ?2 outcome, ?3 1 if the parent can be requeued, else 0.
-- Index: the primary key; paid is _honker_index_dependencies_child. Lock: write.
UPDATE main._honker_dependencies
SET outcome = ?2, policy = iif(policy = 'wait' AND ?2 <> 'done', 'cancel', policy)
WHERE parent_id = ?1 AND outcome IS NOT ?2 AND NOT (?3 AND policy = 'wait')
