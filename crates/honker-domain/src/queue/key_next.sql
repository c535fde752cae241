-- The first key, by name, after another that has blocked jobs.
-- ?1 queue, ?2 the key to begin after; '' for the first of all.
-- Returns key; no row after the last.
-- Index: _honker_index_live_line, one seek. Lock: read.
SELECT key
FROM main._honker_live INDEXED BY _honker_index_live_line
WHERE queue = ?1 AND (state = 'blocked') = 1 AND state IS 'blocked' AND key > ?2
ORDER BY key
LIMIT 1
