-- Says on a schedule why it was passed over. Changes no row that says so already.
-- ?1 rowid, ?2 last_error.
-- Index: the rowid. Lock: write.
UPDATE main._honker_scheduler_tasks SET last_error = ?2 WHERE rowid = ?1 AND last_error IS NOT ?2
