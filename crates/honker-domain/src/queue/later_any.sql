-- A job in a state between `blocked` and `waiting` by name that is none of ours: a newer release of the reference calls the
-- states `scheduled`, `delayed`, `deferred` and `retryable` in which it holds jobs back.
-- ?1 queue.
-- Returns one row or none.
-- Index: _honker_index_live_other, one seek. Lock: read.
SELECT 1
FROM main._honker_live INDEXED BY _honker_index_live_other
WHERE queue = ?1 AND state > 'blocked' AND state < 'waiting' AND state <> 'pending' AND state <> 'processing'
LIMIT 1
