-- Puts a job whose lease has lapsed back among the waiting ones, at its old place.
-- ?1 id.
-- Slack takes up the bytes that this sets free.
-- Index: the primary key. Lock: write.
UPDATE _honker_live
SET state = 'pending', worker_id = NULL, claim_expires_at = NULL,
    slack = iif(slack IS NULL, NULL, zeroblob(57 - (attempts > 1) - (attempts > 127)))
WHERE id = ?1
