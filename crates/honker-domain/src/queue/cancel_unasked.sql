-- One row if a claim is held, of a job without a request to cancel it.
-- ?1 id, ?2 worker_id, ?3 attempt, ?4 now (instant), ?5 the second that now lies in.
-- Returns 1, or no row.
-- Index: the primary key. Lock: read.
SELECT 1
FROM main._honker_live
WHERE id = ?1 AND worker_id = ?2 AND attempts = ?3
  AND (claim_expires_at >= ?4 OR claim_expires_at = ?5) AND state = 'processing' AND cancel_requested_at IS NULL
