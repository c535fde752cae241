-- Puts a job that is held back among the waiting ones. The attempt stays charged.
-- ?1 id, ?2 run_at (instant), ?3 last_error.
-- Slack takes up the bytes that the end of the claim sets free; an error text still makes the row longer.
-- Index: the primary key. Lock: write.
UPDATE _honker_live
SET state = 'pending', run_at = ?2, worker_id = NULL, claim_expires_at = NULL, last_error = ?3,
    slack = iif(slack IS NULL, NULL, zeroblob(57 - (attempts > 1) - (attempts > 127)))
WHERE id = ?1
