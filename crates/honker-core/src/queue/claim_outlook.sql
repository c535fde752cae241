-- What a claim of a queue would meet: whether it is paused, when its first lease lapses, and the first job of the
-- highest priority at which jobs wait.
-- ?1 queue.
-- Returns is_paused (1 or NULL), claim_expires_at (NULL when nothing is in flight), priority and run_at (NULL when
-- nothing waits). A lease without an end, which nobody but a hand can have written, sorts first and has lapsed at 0.
-- Index: the primary key of _honker_queues, and the heads of _honker_live_processing_deadline and _honker_live_ready.
-- Lock: read.
SELECT
  (SELECT 1 FROM _honker_queues WHERE name = ?1 AND paused_at IS NOT NULL),
  (SELECT ifnull(claim_expires_at, 0)
   FROM _honker_live INDEXED BY _honker_live_processing_deadline
   WHERE queue = ?1 AND state = 'processing'
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
