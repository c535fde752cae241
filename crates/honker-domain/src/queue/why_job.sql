-- The facts about a live job on which its start depends.
-- ?1 id.
-- Returns queue, state, run_at, expires_at, key, ties, priority, created_at, attempts, worker_id, claim_expires_at,
-- cancel_requested_at, unknown_since.
-- Index: the primary key. Lock: read.
SELECT queue, state, run_at, expires_at, key, ties, priority, created_at, attempts, worker_id, claim_expires_at,
       cancel_requested_at, unknown_since
FROM main._honker_live
WHERE id = ?1
