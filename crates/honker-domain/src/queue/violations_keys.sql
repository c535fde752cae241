-- Keys with blocked jobs.
-- No parameters.
-- Returns queue, key.
-- Reads the whole table: only for maintenance. Lock: read.
SELECT DISTINCT queue, key FROM main._honker_live WHERE state = 'blocked' AND key IS NOT NULL
