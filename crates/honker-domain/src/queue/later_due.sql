-- Jobs that a newer release of the reference holds back in a state of its own, and whose time has come.
-- ?1 queue, ?2 now (instant), ?3 how many at most.
-- Returns id, attempts, max_attempts, expires_at.
-- Index: _honker_index_live_other, one seek a state. Lock: read.
SELECT id, attempts, max_attempts, expires_at
FROM main._honker_live INDEXED BY _honker_index_live_other
WHERE queue = ?1 AND state IN ('scheduled', 'delayed', 'deferred', 'retryable')
  AND state <> 'pending' AND state <> 'processing'
  AND run_at <= ?2
LIMIT +?3
