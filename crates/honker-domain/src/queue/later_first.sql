-- When the first of the jobs becomes due that a newer release of the reference holds back in a state of its own.
-- ?1 queue.
-- Returns run_at, or NULL if there is none.
-- Index: _honker_index_live_other, one seek a state. Lock: read.
SELECT min(run_at)
FROM (
  SELECT (SELECT run_at FROM main._honker_live INDEXED BY _honker_index_live_other
          WHERE queue = ?1 AND state = 'scheduled' AND state <> 'pending' AND state <> 'processing'
          ORDER BY run_at LIMIT 1) AS run_at
  UNION ALL
  SELECT (SELECT run_at FROM main._honker_live INDEXED BY _honker_index_live_other
          WHERE queue = ?1 AND state = 'delayed' AND state <> 'pending' AND state <> 'processing'
          ORDER BY run_at LIMIT 1) AS run_at
  UNION ALL
  SELECT (SELECT run_at FROM main._honker_live INDEXED BY _honker_index_live_other
          WHERE queue = ?1 AND state = 'deferred' AND state <> 'pending' AND state <> 'processing'
          ORDER BY run_at LIMIT 1) AS run_at
  UNION ALL
  SELECT (SELECT run_at FROM main._honker_live INDEXED BY _honker_index_live_other
          WHERE queue = ?1 AND state = 'retryable' AND state <> 'pending' AND state <> 'processing'
          ORDER BY run_at LIMIT 1) AS run_at
)
