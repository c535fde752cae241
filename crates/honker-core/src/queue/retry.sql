-- Makes a job whose claim is still held wait for its next attempt, if it has one left. The attempt stays charged.
-- ?1 id, ?2 worker_id, ?3 attempt or NULL for any, ?4 now (instant), ?5 the second that now lies in,
-- ?6 run_at (instant), ?7 last_error, ?8 bytes of slack apart from those of the attempts.
-- An error text still makes the row longer.
-- Index: the primary key. Lock: write.
UPDATE _honker_live
SET state = 'pending', run_at = ?6, worker_id = NULL, claim_expires_at = NULL, last_error = ?7,
    slack = iif(slack IS NULL, NULL, zeroblob(?8 - (attempts > 1) - (attempts > 127))), unknown_since = NULL
WHERE id = ?1 AND worker_id = ?2 AND (?3 IS NULL OR attempts = ?3)
  AND (claim_expires_at >= ?4 OR claim_expires_at = ?5) AND state = 'processing'
  AND attempts < max_attempts
