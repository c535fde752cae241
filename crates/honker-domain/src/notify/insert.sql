-- Adds a notification.
-- ?1 channel, ?2 payload, ?3 created_at (whole second).
-- Index paid: _honker_notifications_recent. Lock: write.
INSERT INTO main._honker_notifications (channel, payload, created_at) VALUES (?1, ?2, ?3)
