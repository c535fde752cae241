-- The live job that has a unique key.
-- ?1 queue, ?2 unique_key.
-- Returns id, 1 if it is at work, 1 if it has not started, created_at, key; no row when the key is free.
-- Index: _honker_index_live_unique, one seek. Lock: read.
SELECT id, state = 'processing', state IN ('pending', 'blocked', 'waiting') AND attempts = 0, created_at, key
FROM main._honker_live INDEXED BY _honker_index_live_unique
WHERE queue = ?1 AND unique_key = ?2
