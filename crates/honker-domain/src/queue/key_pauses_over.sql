-- Keys of a queue whose pause has ended by time.
-- ?1 queue, ?2 now (instant), ?3 how many at most.
-- Returns key.
-- Index: _honker_index_keys_paused, one seek, then neighbours. Lock: read.
SELECT key
FROM main._honker_keys INDEXED BY _honker_index_keys_paused
WHERE queue = ?1 AND paused_at IS NOT NULL AND paused_until <= ?2
LIMIT +?3
