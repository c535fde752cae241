-- Jobs of a queue that have expired and are not at work: waiting, or with a lease that has lapsed.
-- ?1 queue, ?2 now (instant), ?3 the second that now lies in.
-- Returns id.
-- Index: _honker_index_live_expiry, the expired head. Lock: read.
SELECT id
FROM main._honker_live INDEXED BY _honker_index_live_expiry
WHERE queue = ?1 AND expires_at IS NOT NULL AND expires_at <= ?2
  AND (state IN ('pending', 'blocked', 'waiting', 'scheduled', 'delayed', 'deferred', 'retryable')
       OR (state = 'processing' AND claim_expires_at < ?2 AND claim_expires_at <> ?3))
