-- A live job, its texts shortened.
-- ?1 id, ?2 characters of the payload, ?3 characters of the error, ?4 now (instant).
-- Returns id, queue, state as it is shown, priority, key, attempts, max_attempts, created_at, run_at, ended_at, worker_id, the head
-- of last_error, the head of payload, progress: done, total, note, updated_at.
-- Index: the primary keys. Lock: read.
SELECT live.id, queue, CASE state
    WHEN 'pending' THEN iif(run_at > ?4, 'delayed', 'ready')
    WHEN 'processing' THEN 'running'
    WHEN 'scheduled' THEN 'delayed' WHEN 'delayed' THEN 'delayed'
    WHEN 'deferred' THEN 'delayed' WHEN 'retryable' THEN 'delayed'
    ELSE state
  END,
  priority, key, attempts, max_attempts, created_at, run_at, NULL, worker_id, substr(last_error, 1, ?3), substr(payload, 1, ?2),
  done, total, note, updated_at
FROM main._honker_live AS live LEFT JOIN main._honker_progress AS progress ON progress.job_id = live.id
WHERE live.id = ?1
