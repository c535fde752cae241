-- Makes the edges of a requeued job open again whose children its death has cancelled.
-- ?1 parent_id.
-- Index: the primary key; paid is _honker_index_dependencies_child. Lock: write.
UPDATE main._honker_dependencies SET outcome = NULL WHERE parent_id = ?1 AND policy = 'cancel' AND outcome = 'dead'
