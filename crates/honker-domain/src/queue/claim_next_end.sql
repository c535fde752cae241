-- The first end of a lease after another.
-- ?1 queue, ?2 the other (instant).
-- Returns claim_expires_at; no row when no lease ends later.
-- Index: _honker_live_processing_deadline, one seek. Lock: read.
SELECT claim_expires_at
FROM main._honker_live INDEXED BY _honker_live_processing_deadline
WHERE queue = ?1 AND state = 'processing' AND claim_expires_at > ?2
ORDER BY claim_expires_at
LIMIT 1
