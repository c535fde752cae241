-- Makes a job that was found to be held wait for its next attempt. The attempt stays charged.
-- ?1 id, ?2 run_at (instant), ?3 last_error, ?4 bytes of slack apart from those of the attempts, ?5 the tie to its history.
-- An error text still makes the row longer.
-- Index: the primary key. Lock: write.
UPDATE main._honker_live
SET state = 'pending', run_at = ?2, worker_id = NULL, claim_expires_at = NULL, last_error = ?3,
    slack = iif(slack IS NULL, NULL, zeroblob(?4 - (attempts > 1) - (attempts > 127)
      - ((ifnull(ties, 0) | ?5) > 1) - ((ifnull(ties, 0) | ?5) > 127) - (ifnull(snoozes, 0) > 1) - (ifnull(snoozes, 0) > 127))), unknown_since = NULL,
    ties = ifnull(ties, 0) | ?5
WHERE id = ?1
