-- Deletes facts about keys that say nothing any more: no pause, no head, and a next start that has passed.
-- ?1 now in milliseconds, ?2 how many at most.
-- Index: _honker_index_keys_start, its head. Lock: write.
DELETE FROM main._honker_keys WHERE (queue, key) IN (
  SELECT queue, key FROM main._honker_keys INDEXED BY _honker_index_keys_start
  WHERE paused_at IS NULL AND head_id IS NULL AND next_start_ms < ?1
  ORDER BY next_start_ms
  LIMIT +?2
)
