-- The id of a channel's newest notification.
-- ?1 channel.
-- Returns id or NULL.
-- Index: _honker_notifications_recent, one seek. Lock: read.
SELECT max(id) FROM main._honker_notifications INDEXED BY _honker_notifications_recent WHERE channel = ?1
