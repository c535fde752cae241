-- The first look of a claim at a queue: if it has settings, when its first lease lapses, the first job of the highest priority
-- at which jobs wait, and the writer version that the file demands. Settings are read by queue_settings.sql, where there are any:
-- their columns cost a queue without settings 2 % of a claim that finds nothing. `level` has a second row, of NULL, for a
-- queue where nothing waits: it saves a second search of the same index for the second column.
-- ?1 queue.
-- Returns claim_expires_at (NULL when nothing is in flight), priority and run_at (NULL when nothing waits),
-- min_writer_version (NULL when the file demands none), has_other (1 or NULL: jobs that are blocked, that wait for others, or
-- in states that we do not know), has_settings (1 or NULL). Only the first row counts. A lease without an end, which can only
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
  level.priority,
  level.run_at,
  (SELECT value FROM main._honker_meta WHERE key = 'min_writer_version'),
  (SELECT 1
   FROM main._honker_live INDEXED BY _honker_index_live_other
   WHERE queue = ?1 AND state <> 'pending' AND state <> 'processing'
   LIMIT 1),
  (SELECT 1 FROM main._honker_queues WHERE name = ?1)
FROM (
  SELECT * FROM (
    SELECT priority, run_at
    FROM main._honker_live INDEXED BY _honker_index_live_ready
    WHERE queue = ?1 AND state = 'pending'
    ORDER BY priority DESC, run_at
    LIMIT 1)
  UNION ALL
  SELECT NULL, NULL) AS level
LIMIT 1
