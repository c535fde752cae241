-- When a lock that is held lapses.
-- ?1 name, ?2 now (instant).
-- Returns expires_at (instant); no row when it is free or has lapsed.
-- Index: the primary key. Lock: read.
SELECT expires_at FROM main._honker_locks WHERE name = ?1 AND expires_at > ?2
