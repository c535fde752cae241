-- Forgets the parents of a job that has ended.
-- ?1 child_id.
-- Index: _honker_index_dependencies_child. Lock: write.
DELETE FROM main._honker_dependencies INDEXED BY _honker_index_dependencies_child WHERE child_id = ?1
