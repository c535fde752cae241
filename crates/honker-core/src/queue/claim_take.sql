-- Leases a waiting job to a worker and charges the attempt.
-- ?1 id, ?2 worker_id, ?3 claim_expires_at (instant).
-- Slack makes up for the bytes that this adds: 3 of the state, the worker's, 4 or 8 of the lease and those of the attempt.
-- Index: the primary key. Lock: write.
UPDATE _honker_live
SET state = 'processing', worker_id = ?2, claim_expires_at = ?3, attempts = attempts + 1,
    slack = iif(slack IS NULL, NULL,
                zeroblob(57 - 3 - length(CAST(?2 AS BLOB)) - iif(typeof(?3) = 'real', 8, 4)
                         - (attempts + 1 > 1) - (attempts + 1 > 127)))
WHERE id = ?1
