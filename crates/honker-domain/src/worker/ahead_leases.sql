-- Moves the ends of leases that a lost worker took or renewed under a clock that was ahead. A claimed job was due, so it stays due
-- when it waits again.
-- ?1 queue, ?2 and ?3 the instants between which the ends lie, the second included (NULL: none), ?4 worker_ids (JSON array),
-- ?5 seconds to move them back by, ?6 how many at most, ?7 the second since which such a job is due.
-- Index: _honker_live_processing_deadline, from one seek to ?3 or the end of the queue, which is what is in flight. Lock: write.
UPDATE main._honker_live SET claim_expires_at = claim_expires_at - ?5, run_at = min(run_at, ?7)
WHERE id IN (
  SELECT id FROM main._honker_live INDEXED BY _honker_live_processing_deadline
  WHERE queue = ?1 AND state = 'processing' AND claim_expires_at > ?2 AND claim_expires_at <= coalesce(?3, 1e15)
    AND worker_id IN (SELECT value FROM json_each(?4))
  ORDER BY claim_expires_at
  LIMIT +?6
)
