-- Deletes a few workers that have been lost for long, those dated far in the future included.
-- ?1 seen_at before which one is deleted (instant), ?2 seen_at after which one is deleted (instant), ?3 how many at most.
-- Index: _honker_index_workers_seen, its ends only. Lock: write.
DELETE FROM main._honker_workers WHERE name IN (
  SELECT name FROM (
    SELECT name FROM main._honker_workers INDEXED BY _honker_index_workers_seen WHERE seen_at < ?1 ORDER BY seen_at LIMIT +?3)
  UNION ALL
  SELECT name FROM (
    SELECT name FROM main._honker_workers INDEXED BY _honker_index_workers_seen WHERE seen_at > ?2
    ORDER BY seen_at DESC LIMIT +?3)
)
