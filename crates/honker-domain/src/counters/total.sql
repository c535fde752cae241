-- The sums of a queue and task.
-- ?1 queue, ?2 task.
-- Returns minute (minutes since 1970) and one column for each counter, in the order of the table.
-- Index: the primary key, its last row of the pair. Lock: read.
SELECT minute, enqueued, claimed, done, failed, retried, dead, cancelled, snoozed, released, lapsed, runs, run_s, run_max_s, wait_s, wait_max_s
FROM main._honker_counters
WHERE queue = ?1 AND task = ?2
ORDER BY minute DESC
LIMIT 1
