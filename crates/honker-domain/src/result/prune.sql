-- Deletes expired results.
-- ?1 now (instant), ?2 how many at most.
-- Index: _honker_index_results_expiry, its head only. Lock: write.
DELETE FROM main._honker_results WHERE job_id IN (
  SELECT job_id FROM main._honker_results INDEXED BY _honker_index_results_expiry
  WHERE expires_at IS NOT NULL AND expires_at <= ?1
  ORDER BY expires_at
  LIMIT +?2
)
