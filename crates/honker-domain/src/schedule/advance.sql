-- Moves a schedule to its next boundary.
-- ?1 rowid, ?2 next_fire_at (instant), ?3 last_job_id, ?4 fired_before (instant or NULL); NULL forgets set_back_at too.
-- Index: the rowid. Lock: write.
UPDATE main._honker_scheduler_tasks
SET next_fire_at = ?2, last_error = NULL, last_job_id = ?3, fired_before = ?4, set_back_at = iif(?4 IS NULL, NULL, set_back_at)
WHERE rowid = ?1
