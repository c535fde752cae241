-- Pauses a queue, or gives a pause another end and another reason.
-- ?1 queue, ?2 paused_at (whole second) of a pause that begins, or NULL for one that goes on, ?3 paused_until (instant, as this
-- file stores it) or NULL, ?4 pause_reason or NULL.
-- Index: the primary key of _honker_queues. Lock: write.
INSERT INTO main._honker_queues (name, paused_at, paused_until, pause_reason) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (name) DO UPDATE SET
  paused_at = ifnull(excluded.paused_at, paused_at), paused_until = excluded.paused_until, pause_reason = excluded.pause_reason
