-- Sets the next boundary of a schedule back, and keeps the furthest that it had come to.
-- ?1 rowid, ?2 next_fire_at (instant), ?3 now (instant).
-- Index: the rowid. Lock: write.
UPDATE main._honker_scheduler_tasks
SET next_fire_at = ?2, fired_before = max(next_fire_at, ifnull(fired_before, next_fire_at)), set_back_at = ?3
WHERE rowid = ?1
