-- Since when a queue is paused, until when, and why.
-- ?1 queue, ?2 now (instant).
-- Returns paused_at, paused_until, pause_reason; no row when it runs.
-- Index: the primary key of _honker_queues. Lock: read.
SELECT paused_at, paused_until, pause_reason
FROM main._honker_queues
WHERE name = ?1 AND paused_at IS NOT NULL AND (paused_until IS NULL OR paused_until > ?2)
