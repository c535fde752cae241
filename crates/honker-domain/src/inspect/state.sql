-- The state of a job as people see it.
-- ?1 id, ?2 now (instant).
-- Returns state; no row for a job that is gone: it succeeded, or was cancelled long ago. The last
-- branch is the trace that a cancelled job leaves for a day.
-- Index: the primary keys. Lock: read.
SELECT CASE state
    WHEN 'pending' THEN iif(run_at > ?2, 'delayed', 'ready')
    WHEN 'processing' THEN 'running'
    WHEN 'scheduled' THEN 'delayed' WHEN 'deferred' THEN 'delayed' WHEN 'retryable' THEN 'delayed'
    ELSE state
  END
FROM main._honker_live WHERE id = ?1
UNION ALL
SELECT 'dead' FROM main._honker_dead WHERE id = ?1
UNION ALL
SELECT state FROM main._honker_finished WHERE id = ?1
UNION ALL
SELECT 'cancelled' FROM main._honker_results WHERE job_id = ?1 AND value IS NULL AND expires_at > ?2
LIMIT 1
