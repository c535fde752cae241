-- Writes when the next start of a key is due by its rate.
-- ?1 queue, ?2 key, ?3 milliseconds.
-- Index: the primary key. Lock: write.
INSERT INTO main._honker_keys (queue, key, next_start_ms) VALUES (?1, ?2, ?3)
ON CONFLICT (queue, key) DO UPDATE SET next_start_ms = excluded.next_start_ms
