-- Lets a paused queue run again; changes no row if it runs, be it that its pause has ended by time.
-- ?1 queue, ?2 now (instant).
-- Index: the primary key of _honker_queues. Lock: write.
UPDATE main._honker_queues SET paused_at = NULL, paused_until = NULL, pause_reason = NULL
WHERE name = ?1 AND paused_at IS NOT NULL AND (paused_until IS NULL OR paused_until > ?2)
