-- Ends the pause of a key.
-- ?1 queue, ?2 key.
-- Index: the primary key. Lock: write.
UPDATE main._honker_keys SET paused_at = NULL, paused_until = NULL, pause_reason = NULL WHERE queue = ?1 AND key = ?2
