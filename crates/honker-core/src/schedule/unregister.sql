-- Forgets a schedule.
-- ?1 name.
-- Index: the primary key. Lock: write.
DELETE FROM _honker_scheduler_tasks WHERE name = ?1
