-- How many jobs of a priority are not due yet, up to a limit, and when the first of them will be.
-- ?1 queue, ?2 priority, ?3 now (instant), ?4 how many to count at most.
-- Returns count, run_at (NULL when the count is 0).
-- Index: _honker_index_live_ready, one seek, then neighbours; no row is read. Lock: read.
SELECT count(*), min(run_at)
FROM (
  SELECT run_at
  FROM main._honker_live INDEXED BY _honker_index_live_ready
  WHERE queue = ?1 AND state = 'pending' AND priority = ?2 AND run_at > ?3
  ORDER BY run_at
  LIMIT +?4
)
