-- Says on a schedule why it was passed over.  Changes no row that says so already.
-- ?1 name, ?2 last_error.
-- Index: the primary key. Lock: write.
UPDATE _honker_scheduler_tasks SET last_error = ?2 WHERE name = ?1 AND last_error IS NOT ?2
