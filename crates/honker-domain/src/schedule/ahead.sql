-- Schedules whose next boundary lies after an instant and can be understood.
-- ?1 instant.
-- Returns rowid, cron_expr, time_zone, next_fire_at.
-- Reads the whole table: one row a schedule. Lock: read.
SELECT rowid, cron_expr, time_zone, next_fire_at
FROM main._honker_scheduler_tasks
WHERE enabled <> 0 AND last_error IS NULL AND next_fire_at > ?1 AND typeof(next_fire_at) IN ('integer', 'real')
