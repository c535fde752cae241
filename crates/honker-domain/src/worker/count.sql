-- Counts the workers that have reported lately.
-- ?1 the instant from which on, ?2 the most to count.
-- Returns the number.
-- Index: _honker_index_workers_seen. Lock: read.
SELECT count(*) FROM (
  SELECT 1 FROM main._honker_workers INDEXED BY _honker_index_workers_seen WHERE seen_at >= ?1 LIMIT +?2)
