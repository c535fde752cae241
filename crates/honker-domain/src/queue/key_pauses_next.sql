-- The next keys of a queue whose pause ends by time, the first one first, and if they have blocked jobs.
-- ?1 queue, ?2 how many at most.
-- Returns paused_until, 1 or 0.
-- Index: _honker_index_keys_paused, one seek, then neighbours; _honker_index_live_line, one seek a key. Lock: read.
SELECT paused_until, EXISTS (
  SELECT 1 FROM main._honker_live AS live INDEXED BY _honker_index_live_line
  WHERE live.queue = ?1 AND (live.state = 'blocked') = 1 AND live.state IS 'blocked' AND live.key = keys.key
)
FROM main._honker_keys AS keys INDEXED BY _honker_index_keys_paused
WHERE queue = ?1 AND paused_at IS NOT NULL AND paused_until > -9223372036854775808
ORDER BY paused_until
LIMIT +?2
