-- Sets the next boundary of a schedule back.
-- ?1 rowid, ?2 next_fire_at (instant).
-- Index: the rowid. Lock: write.
UPDATE main._honker_scheduler_tasks SET next_fire_at = ?2 WHERE rowid = ?1
