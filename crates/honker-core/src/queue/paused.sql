-- Whether a queue is paused: one row if so.
-- ?1 queue.
-- Index: the primary key of _honker_queues. Lock: read.
SELECT 1 FROM _honker_queues WHERE name = ?1 AND paused_at IS NOT NULL
