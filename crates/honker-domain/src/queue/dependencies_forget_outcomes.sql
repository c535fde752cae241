-- Forgets the ends of the parents of a job that no other job needs. Before its edges go.
-- ?1 child_id.
-- Index: _honker_index_dependencies_child, then the primary keys. Lock: write.
DELETE FROM main._honker_outcomes
WHERE job_id IN (SELECT parent_id FROM main._honker_dependencies INDEXED BY _honker_index_dependencies_child
                 WHERE child_id = ?1)
  AND NOT EXISTS (SELECT 1 FROM main._honker_dependencies AS other
                  WHERE other.parent_id = _honker_outcomes.job_id AND other.child_id <> ?1)
