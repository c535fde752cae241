-- The blocked job of a key that is first in its line.
-- ?1 queue, ?2 key.
-- Returns id, priority, created_at (which is the run_at of a blocked row); no row when none is blocked.
-- Index: _honker_index_live_line, one seek; no row is read. Lock: read.
SELECT id, priority, run_at
FROM main._honker_live INDEXED BY _honker_index_live_line
WHERE queue = ?1 AND (state = 'blocked') = 1 AND state IS 'blocked' AND key = ?2
ORDER BY priority DESC, run_at, id
LIMIT 1
