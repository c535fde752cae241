-- Lets a paused queue run again; changes no row if it runs.
-- ?1 queue.
-- Index: the primary key of _honker_queues. Lock: write.
UPDATE main._honker_queues SET paused_at = NULL WHERE name = ?1 AND paused_at IS NOT NULL
