-- Jobs whose lease has lapsed, the longest lapsed first.
-- ?1 queue, ?2 now (instant), ?3 the second that now lies in, ?4 how many at most.
-- Returns id, attempts, max_attempts, expires_at.
-- A lease that is stored as a whole second holds to the end of that second, one with a fraction ends there: hence
-- two ranges (and one for leases without an end, which only a hand can have written), with whole-second leases of this very second between them, which a filter would have to step over.
-- Index: _honker_live_processing_deadline, its head only. Lock: read.
SELECT id, attempts, max_attempts, expires_at
FROM main._honker_live INDEXED BY _honker_live_processing_deadline
WHERE queue = ?1 AND state = 'processing' AND claim_expires_at < ?3
UNION ALL
SELECT id, attempts, max_attempts, expires_at
FROM main._honker_live INDEXED BY _honker_live_processing_deadline
WHERE queue = ?1 AND state = 'processing' AND claim_expires_at IS NULL
UNION ALL
SELECT id, attempts, max_attempts, expires_at
FROM main._honker_live INDEXED BY _honker_live_processing_deadline
WHERE queue = ?1 AND state = 'processing' AND claim_expires_at > ?3 AND claim_expires_at < ?2
LIMIT +?4
