-- Makes a job whose lease has lapsed wait at its old place.
-- ?1 id, ?2 bytes of slack apart from those of the attempts.
-- Index: the primary key. Lock: write.
UPDATE main._honker_live
SET state = 'pending', worker_id = NULL, claim_expires_at = NULL,
    slack = iif(slack IS NULL, NULL, zeroblob(?2 - (attempts > 1) - (attempts > 127)
      - (ifnull(ties, 0) > 1) - (ifnull(ties, 0) > 127) - (ifnull(snoozes, 0) > 1) - (ifnull(snoozes, 0) > 127))), unknown_since = NULL
WHERE id = ?1
