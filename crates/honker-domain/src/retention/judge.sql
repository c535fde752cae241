-- Notes which events of a topic are too many.
-- ?1 topic, ?2 surplus_to (offset or NULL), ?3 judged_at (offset).
-- Index: the primary key. Lock: write.
UPDATE main._honker_retention SET surplus_to = ?2, judged_at = ?3 WHERE kind = 'stream' AND name = ?1
