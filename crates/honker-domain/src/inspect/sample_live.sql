-- True if the live job with this id, or the next smaller one, is of this queue and in this state.
-- ?1 id, ?2 queue or NULL, ?3 state as it is shown or NULL, ?4 now (instant), ?5 key or NULL.
-- Returns 1 or 0; no row if there is no such job.
-- Index: the primary key, one seek. Lock: read.
SELECT (?2 IS NULL OR queue = ?2) AND (?5 IS NULL OR ifnull(key = ?5, 0)) AND (?3 IS NULL OR ?3 = CASE state
    WHEN 'pending' THEN iif(run_at > ?4, 'delayed', 'ready')
    WHEN 'processing' THEN 'running'
    WHEN 'scheduled' THEN 'delayed' WHEN 'delayed' THEN 'delayed'
    WHEN 'deferred' THEN 'delayed' WHEN 'retryable' THEN 'delayed'
    ELSE state
  END)
FROM main._honker_live
WHERE id <= ?1
ORDER BY id DESC
LIMIT 1
