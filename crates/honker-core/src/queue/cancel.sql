-- Removes a waiting or leased job, held by any worker.
-- ?1 id, ?2 queue or NULL for any.
-- Index: the primary key. Lock: write.
DELETE FROM _honker_live WHERE id = ?1 AND (?2 IS NULL OR queue = ?2)
  AND state IN ('pending', 'processing', 'scheduled', 'delayed', 'deferred', 'retryable')
