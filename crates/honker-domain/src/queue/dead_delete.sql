-- Removes a live job that has been copied to the dead letters.
-- ?1 id.
-- Index: the primary key. Lock: write.
DELETE FROM main._honker_live WHERE id = ?1
