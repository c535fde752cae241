-- The pause of a key with its reason.
-- ?1 queue, ?2 key.
-- Returns paused_until, pause_reason; no row when it has none.
-- Index: the primary key. Lock: read.
SELECT paused_until, pause_reason FROM main._honker_keys WHERE queue = ?1 AND key = ?2 AND paused_at IS NOT NULL
