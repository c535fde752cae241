-- When a lock that is held lapses.
-- ?1 name, ?2 now (instant), ?3 the latest end that a lock may have now (instant).
-- Returns expires_at (instant); no row when it is free, has lapsed or ends later than any lock may.
-- Index: the primary key. Lock: read.
SELECT expires_at FROM main._honker_locks WHERE name = ?1 AND expires_at > ?2 AND expires_at <= ?3
