-- Writes how many keys of a queue are paused.
-- ?1 queue.
-- Index: _honker_index_keys_paused, the keys of the queue, and the primary key of _honker_queues. Lock: write.
INSERT INTO main._honker_queues (name, paused_keys) VALUES (?1, (
  SELECT count(*) FROM main._honker_keys INDEXED BY _honker_index_keys_paused WHERE queue = ?1 AND paused_at IS NOT NULL
))
ON CONFLICT (name) DO UPDATE SET paused_keys = excluded.paused_keys
