-- Gives a lock another end, measured from another instant.
-- ?1 name, ?2 expires_at (instant), ?3 now (instant).
-- Index: the primary key. Lock: write.
UPDATE main._honker_locks SET expires_at = ?2, taken_at = ?3 WHERE name = ?1
