-- The next queue and task that have counters, and the last minute that was counted.
-- ?1 queue, ?2 task after which it comes.
-- Returns queue, task, minute (minutes since 1970); no row after the last.
-- Index: the primary key, a seek for the pair and one for its last row. Lock: read.
SELECT queue, task, (
  SELECT max(minute) FROM main._honker_counters AS last WHERE last.queue = pair.queue AND last.task = pair.task)
FROM main._honker_counters AS pair WHERE (queue, task) > (?1, ?2) ORDER BY queue, task LIMIT 1
