-- A live job that may be cancelled.
-- ?1 id, ?2 queue or NULL for any, ?3 now (instant), ?4 the second that now lies in.
-- Returns 1 if a worker holds it, else 0, and 1 if it was asked to end, else 0; no row when there is no such job.
-- Index: the primary key. Lock: read.
SELECT state = 'processing' AND ifnull(claim_expires_at >= ?3 OR claim_expires_at = ?4, 0),
       cancel_requested_at IS NOT NULL
FROM main._honker_live
WHERE id = ?1 AND (?2 IS NULL OR queue = ?2)
  AND state IN ('pending', 'processing', 'blocked', 'waiting', 'scheduled', 'delayed', 'deferred', 'retryable')
