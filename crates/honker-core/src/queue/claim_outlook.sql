-- The first look of a claim at a queue: its settings, when its first lease lapses, the first job of the highest priority
-- at which jobs wait, and the writer version that the file demands.
-- ?1 queue.
-- Returns claim_expires_at (NULL when nothing is in flight), priority and run_at (NULL when nothing waits),
-- min_writer_version (NULL when the file demands none), has_other (1 or NULL: jobs that are blocked, that wait for others, or
-- in states that we do not know), then the settings as queue_settings.sql returns them. A lease without an end, which can only
-- have been written by hand, sorts first and has lapsed at 0.
-- Index: the primary keys of _honker_queues and _honker_meta, and the heads of _honker_live_processing_deadline,
-- _honker_index_live_ready and _honker_index_live_other.
-- Lock: read.
SELECT
  (SELECT ifnull(claim_expires_at, 0)
   FROM main._honker_live INDEXED BY _honker_live_processing_deadline
   WHERE queue = ?1 AND state = 'processing'
   ORDER BY claim_expires_at
   LIMIT 1),
  (SELECT priority
   FROM main._honker_live INDEXED BY _honker_index_live_ready
   WHERE queue = ?1 AND state = 'pending'
   ORDER BY priority DESC, run_at
   LIMIT 1),
  (SELECT run_at
   FROM main._honker_live INDEXED BY _honker_index_live_ready
   WHERE queue = ?1 AND state = 'pending'
   ORDER BY priority DESC, run_at
   LIMIT 1),
  (SELECT value FROM main._honker_meta WHERE key = 'min_writer_version'),
  (SELECT 1
   FROM main._honker_live INDEXED BY _honker_index_live_other
   WHERE queue = ?1 AND state <> 'pending' AND state <> 'processing'
   LIMIT 1),
  q.name IS NOT NULL, q.paused_at, q.paused_until, q.pause_reason, q.concurrency, q.concurrency_per_key, q.ordered,
  q.on_dead, q.rate_limit, q.rate_per_s, q.key_rate_limit, q.key_rate_per_s, q.burst, q.keep_finished_s, q.next_start_ms,
  q.paused_keys
FROM (SELECT ?1 AS name) AS asked LEFT JOIN main._honker_queues AS q ON q.name = asked.name
