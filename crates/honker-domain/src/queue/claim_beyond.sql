-- Jobs whose lease ends later than any lease may.
-- ?1 queue, ?2 the latest end that a lease may have now (instant), ?3 how many at most.
-- Returns id, attempts, max_attempts, expires_at.
-- Index: _honker_live_processing_deadline, its tail only. Lock: read.
SELECT id, attempts, max_attempts, expires_at
FROM main._honker_live INDEXED BY _honker_live_processing_deadline
WHERE queue = ?1 AND state = 'processing' AND claim_expires_at > ?2
LIMIT +?3
