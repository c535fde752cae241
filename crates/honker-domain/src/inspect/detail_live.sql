-- The facts about a live job that a list leaves out.
-- ?1 id.
-- Returns payload, last_error, unique_key, claim_expires_at, expires_at, cancel_requested_at, snoozes, unknown_since.
-- Index: the primary key. Lock: read.
SELECT payload, last_error, unique_key, claim_expires_at, expires_at, cancel_requested_at, snoozes, unknown_since
FROM main._honker_live
WHERE id = ?1
