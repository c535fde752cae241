-- Notifications of a channel after an id.
-- ?1 channel, ?2 id, ?3 how many at most, negative for all.
-- Returns id, channel, payload, created_at, in order of id.
-- Index: _honker_notifications_recent, one seek, then neighbours. Lock: read.
SELECT id, channel, payload, created_at
FROM main._honker_notifications INDEXED BY _honker_notifications_recent
WHERE channel = ?1 AND id > ?2
ORDER BY id
LIMIT +?3
