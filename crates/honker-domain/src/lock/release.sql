-- Gives a lock up.
-- ?1 name, ?2 owner.
-- Index: the primary key. Lock: write.
DELETE FROM main._honker_locks WHERE name = ?1 AND owner = ?2
