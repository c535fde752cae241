-- A job whose claim is still held.
-- ?1 id, ?2 worker_id, ?3 attempt or NULL for any, ?4 now (instant), ?5 the second that now lies in.
-- Returns queue, key, ties, 1 if it has an attempt left, else 0; no row when the claim is not held.
-- Index: the primary key. Lock: read.
SELECT queue, key, ties, attempts < max_attempts
FROM main._honker_live
WHERE id = ?1 AND worker_id = ?2 AND (?3 IS NULL OR attempts = ?3)
  AND (claim_expires_at >= ?4 OR claim_expires_at = ?5) AND state = 'processing'
