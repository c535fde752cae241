-- Moves the ends of leases that a lost worker took or renewed under a clock that was ahead. A claimed job was due, so it stays due
-- when it waits again.
-- ?1 queue, ?2 seen_at of its last report (instant), ?3 worker_ids (JSON array), ?4 seconds to move them back by, ?5 how many
-- at most, ?6 the second since which such a job is due.
-- Index: _honker_live_processing_deadline, from one seek to the end of the queue, which is what is in flight. Lock: write.
UPDATE main._honker_live SET claim_expires_at = claim_expires_at - ?4, run_at = min(run_at, ?6)
WHERE id IN (
  SELECT id FROM main._honker_live INDEXED BY _honker_live_processing_deadline
  WHERE queue = ?1 AND state = 'processing' AND claim_expires_at > ?2
    AND worker_id IN (SELECT value FROM json_each(?3))
  ORDER BY claim_expires_at DESC
  LIMIT +?5
)
