-- Removes a policy: everything is kept again.
-- ?1 kind, ?2 name.
-- Index: the primary key. Lock: write.
DELETE FROM main._honker_retention WHERE kind = ?1 AND name = ?2
