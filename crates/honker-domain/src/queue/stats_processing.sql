-- How many jobs are leased, lapsed leases included, up to a limit.
-- ?1 queue, ?2 how many to count at most.
-- Returns count.
-- Index: _honker_live_processing_deadline, one seek, then neighbours; no row is read. Lock: read.
SELECT count(*)
FROM (
  SELECT 1
  FROM main._honker_live INDEXED BY _honker_live_processing_deadline
  WHERE queue = ?1 AND state = 'processing'
  LIMIT +?2
)
