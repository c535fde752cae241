-- Makes a job wait for another one, or notes that it has ended already.
-- ?1 parent_id, ?2 child_id, ?3 position, ?4 policy, ?5 outcome or NULL.
-- Index paid: the primary key and _honker_index_dependencies_child. Lock: write.
INSERT INTO main._honker_dependencies (parent_id, child_id, position, policy, outcome) VALUES (?1, ?2, ?3, ?4, ?5)
