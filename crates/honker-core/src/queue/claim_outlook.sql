-- The first look of a claim at a queue: if it is paused, when its first lease lapses, the first job of the highest priority
-- at which jobs wait, and the writer version that the file demands.
-- ?1 queue.
-- Returns is_paused (1 or NULL), claim_expires_at (NULL when nothing is in flight), priority and run_at (NULL when
-- nothing waits), min_writer_version (NULL when the file demands none), has_other (1 or NULL: jobs in states that we do not
-- know). A lease without an end, which can only have been written by
-- hand, sorts first and has lapsed at 0.
-- Index: the primary keys of _honker_queues and _honker_meta, and the heads of _honker_live_processing_deadline,
-- _honker_index_live_ready and _honker_index_live_other.
-- Lock: read.
SELECT
  (SELECT 1 FROM _honker_queues WHERE name = ?1 AND paused_at IS NOT NULL),
  (SELECT ifnull(claim_expires_at, 0)
   FROM _honker_live INDEXED BY _honker_live_processing_deadline
   WHERE queue = ?1 AND state = 'processing'
   ORDER BY claim_expires_at
   LIMIT 1),
  (SELECT priority
   FROM _honker_live INDEXED BY _honker_index_live_ready
   WHERE queue = ?1 AND state = 'pending'
   ORDER BY priority DESC, run_at
   LIMIT 1),
  (SELECT run_at
   FROM _honker_live INDEXED BY _honker_index_live_ready
   WHERE queue = ?1 AND state = 'pending'
   ORDER BY priority DESC, run_at
   LIMIT 1),
  (SELECT value FROM _honker_meta WHERE key = 'min_writer_version'),
  (SELECT 1
   FROM _honker_live INDEXED BY _honker_index_live_other
   WHERE queue = ?1 AND state <> 'pending' AND state <> 'processing'
   LIMIT 1)
