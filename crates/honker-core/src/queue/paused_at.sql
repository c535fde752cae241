-- Since when a queue is paused.
-- ?1 queue.
-- Returns paused_at; no row when it runs.
-- Index: the primary key of _honker_queues. Lock: read.
SELECT paused_at FROM main._honker_queues WHERE name = ?1 AND paused_at IS NOT NULL
