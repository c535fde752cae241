-- Jobs of a key in flight.
-- ?1 queue, ?2 key, ?3 how many at most.
-- Returns id.
-- Index: _honker_index_live_line, one seek, then neighbours; no row is read. Lock: read.
SELECT id FROM main._honker_live INDEXED BY _honker_index_live_line
WHERE queue = ?1 AND (state = 'blocked') = 0 AND state IS 'processing' AND key = ?2
LIMIT +?3
