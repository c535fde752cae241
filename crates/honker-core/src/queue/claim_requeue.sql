-- Puts a job whose lease has lapsed back among the waiting ones, at its old place.
-- ?1 id.
-- Index: the primary key. Lock: write.
UPDATE _honker_live SET state = 'pending', worker_id = NULL, claim_expires_at = NULL WHERE id = ?1
