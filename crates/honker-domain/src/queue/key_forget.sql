-- Deletes the facts about a key if they say nothing any more.
-- ?1 queue, ?2 key.
-- Index: the primary key. Lock: write.
DELETE FROM main._honker_keys
WHERE queue = ?1 AND key = ?2 AND paused_at IS NULL AND head_id IS NULL AND next_start_ms IS NULL
