-- Forgets a schedule.
-- ?1 name.
-- Index: the primary key. Lock: write.
DELETE FROM main._honker_scheduler_tasks WHERE name = ?1
