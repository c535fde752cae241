-- The expression of every schedule that can be read, by name.
-- Returns name, cron_expr, time_zone.
-- Index: the primary key, in order. Lock: read.
SELECT name, cron_expr, time_zone
FROM main._honker_scheduler_tasks
WHERE typeof(name) = 'text' AND typeof(cron_expr) = 'text' AND typeof(time_zone) IN ('text', 'null')
ORDER BY name
