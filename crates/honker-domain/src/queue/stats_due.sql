-- How many jobs of a priority are due, up to a limit.
-- ?1 queue, ?2 priority, ?3 now (instant), ?4 how many to count at most.
-- Returns count.
-- Index: _honker_index_live_ready, one seek, then neighbours; no row is read. Lock: read.
SELECT count(*)
FROM (
  SELECT 1
  FROM main._honker_live INDEXED BY _honker_index_live_ready
  WHERE queue = ?1 AND state = 'pending' AND priority = ?2 AND run_at <= ?3
  LIMIT +?4
)
