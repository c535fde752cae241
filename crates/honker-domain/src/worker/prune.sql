-- Deletes a few workers that have been lost for long.
-- ?1 seen_at before which one is deleted (instant), ?2 how many at most.
-- Index: _honker_index_workers_seen, its head only. Lock: write.
DELETE FROM main._honker_workers WHERE name IN (
  SELECT name FROM main._honker_workers INDEXED BY _honker_index_workers_seen WHERE seen_at < ?1 ORDER BY seen_at LIMIT +?2
)
