-- The next queue and task that have counters.
-- ?1 queue, ?2 task after which it comes.
-- Returns queue, task; no row after the last.
-- Index: the primary key. Lock: read.
SELECT queue, task FROM main._honker_counters WHERE (queue, task) > (?1, ?2) ORDER BY queue, task LIMIT 1
