-- Removes a dead letter that has been copied to the waiting jobs.
-- ?1 id.
-- Index: the primary key. Lock: write.
DELETE FROM main._honker_dead WHERE id = ?1
