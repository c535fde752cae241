-- When a schedule fires.
-- ?1 name.
-- Returns cron_expr, time_zone.
-- Index: the primary key. Lock: read.
SELECT cron_expr, time_zone FROM main._honker_scheduler_tasks WHERE name = ?1
