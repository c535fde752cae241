-- Schedules with a boundary at or before an instant, or with one that is no instant, so that it is reported.
-- ?1 instant.
-- Returns rowid, name, queue, cron_expr, payload, priority, expires_s, max_attempts, next_fire_at, time_zone, misfire,
-- overlap, when_paused, last_job_id, fired_before, set_back_at.
-- Reads the whole table: one row a schedule, and most instants have some due. Lock: read.
SELECT rowid, name, queue, cron_expr, payload, priority, expires_s, ifnull(max_attempts, 3), next_fire_at, time_zone,
       misfire, overlap, when_paused, last_job_id, fired_before, set_back_at
FROM main._honker_scheduler_tasks
WHERE enabled <> 0 AND (next_fire_at <= ?1 OR typeof(next_fire_at) NOT IN ('integer', 'real'))
ORDER BY next_fire_at, name
