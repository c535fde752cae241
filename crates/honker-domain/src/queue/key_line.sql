-- The line of a key: its first blocked job, and what occupies the key before it.
-- ?1 queue, ?2 key, ?3 how many jobs in flight to count at most.
-- Returns id, priority, created_at (which is the run_at of a blocked row), the count of jobs in flight, the best priority at
-- which jobs of the key wait, if it is not below that of the first (or NULL); no row when none is blocked.
-- Index: _honker_index_live_line, three seeks, then neighbours; no row is read. Lock: read.
SELECT first.id, first.priority, first.run_at,
  (SELECT count(*)
   FROM (
     SELECT 1
     FROM main._honker_live INDEXED BY _honker_index_live_line
     WHERE queue = ?1 AND (state = 'blocked') = 0 AND state IS 'processing' AND key = ?2
     LIMIT +?3
   )),
  (SELECT priority
   FROM main._honker_live INDEXED BY _honker_index_live_line
   WHERE queue = ?1 AND (state = 'blocked') = 0 AND state IS 'pending' AND key = ?2 AND priority >= first.priority
   ORDER BY priority DESC
   LIMIT 1)
FROM (
  SELECT id, priority, run_at
  FROM main._honker_live INDEXED BY _honker_index_live_line
  WHERE queue = ?1 AND (state = 'blocked') = 1 AND state IS 'blocked' AND key = ?2
  ORDER BY priority DESC, run_at, id
  LIMIT 1
) AS first
