-- How many jobs of a key are in flight, up to a limit.
-- ?1 queue, ?2 key, ?3 how many to count at most.
-- Returns count.
-- Index: _honker_index_live_line, one seek, then neighbours; no row is read. Lock: read.
SELECT count(*)
FROM (
  SELECT 1
  FROM main._honker_live INDEXED BY _honker_index_live_line
  WHERE queue = ?1 AND (state = 'blocked') = 0 AND state IS 'processing' AND key = ?2
  LIMIT +?3
)
