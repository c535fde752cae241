-- Sets the end of a lease that is still held; a lapsed one is not revived.
-- ?1 id, ?2 worker_id, ?3 attempt or NULL for any, ?4 now (instant), ?5 the second that now lies in,
-- ?6 claim_expires_at (instant), ?7 bytes of slack apart from those of the attempts, ?8 and ?9 the same for a shared file, or
-- ?8 NULL where the instant is whole already.
-- Index: the primary key. Lock: write.
UPDATE main._honker_live
SET claim_expires_at = iif(?8 IS NOT NULL AND EXISTS (SELECT 1 FROM main._honker_meta WHERE key = 'shared'), ?8, ?6),
    slack = iif(slack IS NULL, NULL, zeroblob(
      iif(?8 IS NOT NULL AND EXISTS (SELECT 1 FROM main._honker_meta WHERE key = 'shared'), ?9, ?7)
      - (attempts > 1) - (attempts > 127)
      - (ifnull(ties, 0) > 1) - (ifnull(ties, 0) > 127) - (ifnull(snoozes, 0) > 1) - (ifnull(snoozes, 0) > 127)))
WHERE id = ?1 AND worker_id = ?2 AND (?3 IS NULL OR attempts = ?3)
  AND (claim_expires_at >= ?4 OR claim_expires_at = ?5) AND state = 'processing'
