-- Pauses or resumes a schedule; changes no row that is so already.
-- ?1 name, ?2 enabled (0 or 1).
-- Index: the primary key. Lock: write.
UPDATE main._honker_scheduler_tasks SET enabled = ?2 WHERE name = ?1 AND (enabled <> 0) <> ?2
