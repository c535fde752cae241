-- When the first lease of a queue lapses.
-- ?1 queue.
-- Returns claim_expires_at, no row when nothing is in flight. NULLs, which sort first, are not leases.
-- Index: _honker_live_processing_deadline, its head only. Lock: read.
SELECT claim_expires_at
FROM _honker_live INDEXED BY _honker_live_processing_deadline
WHERE queue = ?1 AND state = 'processing' AND claim_expires_at IS NOT NULL
ORDER BY claim_expires_at
LIMIT 1
