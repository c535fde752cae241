-- Every schedule, by name.
-- Returns name, queue, cron_expr, payload, priority, expires_s, next_fire_at, enabled (0 or 1), max_attempts,
-- time_zone, misfire, last_error, overlap, when_paused, last_job_id.
-- Index: the primary key, in order. Lock: read.
SELECT name, queue, cron_expr, payload, priority, expires_s, next_fire_at, enabled <> 0, ifnull(max_attempts, 3),
       time_zone, misfire, last_error, overlap, when_paused, last_job_id
FROM main._honker_scheduler_tasks
ORDER BY name
