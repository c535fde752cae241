-- The first boundary of all schedules that fire and can be understood.
-- Returns next_fire_at or NULL.
-- Reads the whole table: one row a schedule. Lock: read.
SELECT min(next_fire_at) FROM main._honker_scheduler_tasks
WHERE enabled <> 0 AND last_error IS NULL AND typeof(next_fire_at) IN ('integer', 'real')
