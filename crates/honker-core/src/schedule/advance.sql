-- Moves a schedule to its next boundary.
-- ?1 rowid, ?2 next_fire_at (instant), ?3 last_job_id.
-- Index: the rowid. Lock: write.
UPDATE main._honker_scheduler_tasks SET next_fire_at = ?2, last_error = NULL, last_job_id = ?3
WHERE rowid = ?1
