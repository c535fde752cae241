-- Makes a job whose claim is still held wait again, with the attempt uncharged.
-- ?1 id, ?2 worker_id, ?3 attempt or NULL for any, ?4 now (instant), ?5 the second that now lies in,
-- ?6 run_at (instant) or NULL for its old place, ?7 last_error or NULL for the one it has,
-- ?8 bytes of slack apart from those of the attempts, ?9 1 if the worker does not know the job's task, else 0,
-- ?10 1 to release a job with ties too, else 0.
-- The first release of an unknown task sets unknown_since, the ones after it keep it. min() replaces an instant in the
-- future, left by a clock that was set back, and a text, written by hand: with either the time would never be over.
-- Index: the primary key. Lock: write.
UPDATE main._honker_live
SET state = 'pending', worker_id = NULL, claim_expires_at = NULL, attempts = max(attempts - 1, 0),
    run_at = ifnull(?6, run_at), last_error = ifnull(?7, last_error),
    slack = iif(slack IS NULL, NULL, zeroblob(?8 - (attempts - 1 > 1) - (attempts - 1 > 127)
      - (ifnull(ties, 0) > 1) - (ifnull(ties, 0) > 127) - (ifnull(snoozes, 0) > 1) - (ifnull(snoozes, 0) > 127))),
    unknown_since = iif(?9, ifnull(min(unknown_since, ?4), ?4), NULL)
WHERE id = ?1 AND worker_id = ?2 AND (?3 IS NULL OR attempts = ?3)
  AND (claim_expires_at >= ?4 OR claim_expires_at = ?5) AND state = 'processing' AND (?10 OR ties IS NULL)
