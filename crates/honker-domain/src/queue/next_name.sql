-- The first queue, by name, after a given one: of those with a waiting, leased, blocked or dead job, and those that are paused.
-- ?1 the name to begin after; '' for the first of all, ?2 now (instant).
-- Returns queue, or NULL after the last.
-- Index: the heads of _honker_index_live_ready, _honker_live_processing_deadline, _honker_index_live_other and
-- _honker_index_dead_age after the name, and _honker_index_queues_paused: one seek each, so that the cost of a list depends on
-- its length, and not on the size of the queues.
-- Lock: read.
SELECT min(queue)
FROM (
  SELECT (SELECT queue FROM main._honker_live INDEXED BY _honker_index_live_ready
          WHERE state = 'pending' AND queue > ?1 ORDER BY queue LIMIT 1) AS queue
  UNION ALL
  SELECT (SELECT queue FROM main._honker_live INDEXED BY _honker_live_processing_deadline
          WHERE state = 'processing' AND queue > ?1 ORDER BY queue LIMIT 1)
  UNION ALL
  SELECT (SELECT queue FROM main._honker_live INDEXED BY _honker_index_live_other
          WHERE state <> 'pending' AND state <> 'processing' AND queue > ?1 ORDER BY queue LIMIT 1)
  UNION ALL
  SELECT (SELECT queue FROM main._honker_dead INDEXED BY _honker_index_dead_age WHERE queue > ?1 ORDER BY queue LIMIT 1)
  UNION ALL
  SELECT (SELECT name FROM main._honker_queues INDEXED BY _honker_index_queues_paused
          WHERE name > ?1 AND paused_at IS NOT NULL AND (paused_until IS NULL OR paused_until > ?2) ORDER BY name LIMIT 1)
)
