-- Moves a schedule to its next boundary.
-- ?1 rowid, ?2 next_fire_at (instant).
-- Index: the rowid. Lock: write.
UPDATE main._honker_scheduler_tasks SET next_fire_at = ?2, last_error = NULL WHERE rowid = ?1
