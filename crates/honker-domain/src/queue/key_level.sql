-- The best priority below another at which jobs of a key wait.
-- ?1 queue, ?2 key, ?3 the lowest priority that counts, ?4 the priority to stay below, or NULL.
-- Returns priority; no row when there is none.
-- Index: _honker_index_live_line, one seek. Lock: read.
SELECT priority
FROM main._honker_live INDEXED BY _honker_index_live_line
WHERE queue = ?1 AND (state = 'blocked') = 0 AND state IS 'pending' AND key = ?2 AND priority >= ?3 AND priority < ifnull(?4, 9223372036854775807)
ORDER BY priority DESC
LIMIT 1
