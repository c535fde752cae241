-- Pauses a queue; changes no row if it is paused already.
-- ?1 queue, ?2 paused_at (whole second).
-- Index: the primary key of _honker_queues. Lock: write.
INSERT INTO main._honker_queues (name, paused_at) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at WHERE paused_at IS NULL
