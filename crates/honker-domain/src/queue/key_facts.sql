-- The pause of a key and the head of its line.
-- ?1 queue, ?2 key.
-- Returns paused_at, paused_until, head_id; no row when there are none.
-- Index: the primary key. Lock: read.
SELECT paused_at, paused_until, head_id FROM main._honker_keys WHERE queue = ?1 AND key = ?2
