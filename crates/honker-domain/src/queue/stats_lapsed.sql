-- How many leases have lapsed and were not taken over yet, up to a limit.
-- ?1 queue, ?2 now (instant), ?3 the second that now lies in, ?4 how many to count at most.
-- Returns count. Two ranges, for the reason that claim_lapsed.sql gives.
-- Index: _honker_live_processing_deadline, two seeks, then neighbours; no row is read. Lock: read.
SELECT count(*)
FROM (
  SELECT 1
  FROM main._honker_live INDEXED BY _honker_live_processing_deadline
  WHERE queue = ?1 AND state = 'processing' AND claim_expires_at < ?3
  UNION ALL
  SELECT 1
  FROM main._honker_live INDEXED BY _honker_live_processing_deadline
  WHERE queue = ?1 AND state = 'processing' AND claim_expires_at > ?3 AND claim_expires_at < ?2
  LIMIT +?4
)
