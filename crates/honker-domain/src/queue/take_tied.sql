-- Leases a waiting job with ties to a worker and charges the attempt; take.sql leases plain jobs.
-- ?1 id, ?2 worker_id, ?3 claim_expires_at (instant), ?4 bytes of slack apart from those of the attempt, ?5 ties, ?6 1 if
-- the job gives up its unique key when it starts, else 0.
-- Index: the primary key; paid are the indexes of the key and the unique key. Lock: write.
UPDATE main._honker_live
SET state = 'processing', worker_id = ?2, claim_expires_at = ?3, attempts = attempts + 1,
    slack = iif(slack IS NULL, NULL, zeroblob(?4 - (attempts + 1 > 1) - (attempts + 1 > 127)
      - (?5 > 1) - (?5 > 127) - (ifnull(snoozes, 0) > 1) - (ifnull(snoozes, 0) > 127))),
    ties = ?5, unique_key = iif(?6, NULL, unique_key)
WHERE id = ?1
