-- How many jobs of a queue are in a state that is neither pending nor processing, up to a limit.
-- ?1 queue, ?2 state, ?3 how many to count at most.
-- Returns count.
-- Index: _honker_index_live_other, one seek, then neighbours; no row is read. Lock: read.
SELECT count(*)
FROM (
  SELECT 1
  FROM main._honker_live INDEXED BY _honker_index_live_other
  WHERE queue = ?1 AND state = ?2 AND state <> 'pending' AND state <> 'processing'
  LIMIT +?3
)
