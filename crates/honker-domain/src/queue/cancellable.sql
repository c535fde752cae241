-- A live job that may be cancelled, held by any worker.
-- ?1 id, ?2 queue or NULL for any.
-- Returns one row or none.
-- Index: the primary key. Lock: read.
SELECT 1 FROM main._honker_live WHERE id = ?1 AND (?2 IS NULL OR queue = ?2)
  AND state IN ('pending', 'processing', 'blocked', 'waiting', 'scheduled', 'delayed', 'deferred', 'retryable')
