-- Deletes a finished job.
-- ?1 id.
-- Index: the primary key. Lock: write.
DELETE FROM main._honker_finished WHERE id = ?1
