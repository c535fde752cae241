-- Writes when the next start of a queue is due by its rate.
-- ?1 queue, ?2 milliseconds.
-- Index: the primary key of _honker_queues. Lock: write.
UPDATE main._honker_queues SET next_start_ms = ?2 WHERE name = ?1
