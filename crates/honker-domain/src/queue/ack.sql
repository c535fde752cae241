-- Ends a plain job whose claim is still held: the row is gone. One with ties is left.
-- ?1 id, ?2 worker_id, ?3 attempt or NULL for any, ?4 now (instant), ?5 the second that now lies in.
-- Index: the primary key. Lock: write.
DELETE FROM main._honker_live
WHERE id = ?1 AND worker_id = ?2 AND (?3 IS NULL OR attempts = ?3)
  AND (claim_expires_at >= ?4 OR claim_expires_at = ?5) AND ties IS NULL
