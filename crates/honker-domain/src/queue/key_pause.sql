-- Pauses a key, or gives its pause another end and another reason.
-- ?1 queue, ?2 key, ?3 paused_at (whole second) of a pause that begins, or NULL for one that goes on, ?4 paused_until (instant,
-- as this file stores it) or NULL, ?5 pause_reason or NULL.
-- Index: the primary key. Lock: write.
INSERT INTO main._honker_keys (queue, key, paused_at, paused_until, pause_reason) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (queue, key) DO UPDATE SET
  paused_at = ifnull(excluded.paused_at, paused_at), paused_until = excluded.paused_until, pause_reason = excluded.pause_reason
