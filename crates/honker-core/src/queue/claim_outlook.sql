-- What a claim of a queue would meet: whether it is paused, when its first lease lapses, and the first job of the
-- highest priority at which jobs wait.
-- ?1 queue.
-- Returns is_paused (1 or NULL), claim_expires_at (NULL when nothing is in flight), priority and run_at (NULL when
-- nothing waits). A NULL claim_expires_at, which would sort first, is no lease.
-- Index: the primary key of _honker_queues, and the heads of _honker_live_processing_deadline and _honker_live_ready.
-- Lock: read.
SELECT
  (SELECT 1 FROM _honker_queues WHERE name = ?1 AND paused_at IS NOT NULL),
  (SELECT claim_expires_at
   FROM _honker_live INDEXED BY _honker_live_processing_deadline
   WHERE queue = ?1 AND state = 'processing' AND claim_expires_at IS NOT NULL
   ORDER BY claim_expires_at
   LIMIT 1),
  (SELECT priority
   FROM _honker_live INDEXED BY _honker_live_ready
   WHERE queue = ?1 AND state = 'pending'
   ORDER BY priority DESC, run_at
   LIMIT 1),
  (SELECT run_at
   FROM _honker_live INDEXED BY _honker_live_ready
   WHERE queue = ?1 AND state = 'pending'
   ORDER BY priority DESC, run_at
   LIMIT 1)
