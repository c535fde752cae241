-- Makes a job that was found to be held wait until a later time, with the attempt uncharged.
-- ?1 id, ?2 run_at (instant), ?3 bytes of slack apart from those of the attempts, ?4 the tie to its history, ?5 last_error or
-- NULL for the one it has.
-- Index: the primary key. Lock: write.
UPDATE main._honker_live
SET state = 'pending', run_at = ?2, worker_id = NULL, claim_expires_at = NULL, attempts = max(attempts - 1, 0),
    snoozes = ifnull(snoozes, 0) + 1, last_error = ifnull(?5, last_error),
    slack = iif(slack IS NULL, NULL, zeroblob(?3 - (attempts - 1 > 1) - (attempts - 1 > 127)
      - ((ifnull(ties, 0) | ?4) > 1) - ((ifnull(ties, 0) | ?4) > 127) - (ifnull(snoozes, 0) + 1 > 1) - (ifnull(snoozes, 0) + 1 > 127))), unknown_since = NULL,
    ties = ifnull(ties, 0) | ?4
WHERE id = ?1
