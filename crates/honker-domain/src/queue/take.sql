-- Leases a waiting job to a worker and charges the attempt.
-- ?1 id, ?2 worker_id, ?3 claim_expires_at (instant), ?4 bytes of slack apart from those of the attempt.
-- Index: the primary key. Lock: write.
UPDATE main._honker_live
SET state = 'processing', worker_id = ?2, claim_expires_at = ?3, attempts = attempts + 1,
    slack = iif(slack IS NULL, NULL, zeroblob(?4 - (attempts + 1 > 1) - (attempts + 1 > 127)))
WHERE id = ?1
